"""Foresight taken away: the future of a center, and all that is hidden in its present, drawn anew given what is known.

Room: `envs.inputs`. Works on a copy of one state and of its demand; the kernel is called only to put new times on the
event list.

An exact copy of a state knows more than any router: who will arrive, how much work is left, whose patience ends next.
`redraw` keeps what the center has observed up to now and draws the rest from its law given that, each kind of hidden
quantity in a function of its own, from a random stream of its own:

* demand to come: `DemandSampler.sample_rest`;
* luck: every present customer gets a new key, so errors, acceptance, reach, churn and whether the customer comes back
  after this contact are open again. Whether an attempt under way has reached its customer is known to the rep;
* work: the handle time of everybody present, given that it exceeds the work done so far. The work of a follow-up, a
  return, an escalation or a rework is a share of a handling that the center has seen to its end, hence known: it stays;
  unless it is new work;
* after-contact work, given that it exceeds what was done of it;
* patience of those who wait, given that it exceeds the wait so far;
* due times that nobody told, given that they have not passed;
* pick-ups, given that they exceed what was paid of them. Where pick-ups of one contact were interrupted one after the
  other (mode `accumulate`), the last is drawn anew given the rests of the earlier ones, which stay;
* absence: who will miss a shift that has not begun;
* requests: when a caller who hung up dials again, and when an unresolved customer comes back, given that neither has
  happened yet. What stands in the books stays: callbacks, follow-ups, escalations, attempts to be repeated, and
  customers who have asked and wait for their window.

What foresight is left: *who* will come back by redial, return or rework of an error was settled as the contact ended.
Those who will not have left no trace in the state, so those who will still do. Averaged over episodes this is exact
too; a single look-ahead knows their number.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.inputs.demand import DemandSampler
from envs.interface.units import NOBODY
from envs.scenario.distributions import DurationDistribution
from envs.scenario.scenario import Scenario
from envs.simulator.contacts.arrival import set_waiting_clock
from envs.simulator.contacts.promise import expect_return, window_of_request
from envs.simulator.events import expect_arrival
from envs.simulator.machine.compilation import entry_point
from envs.simulator.machine.event_list import set_rep_event
from envs.simulator.machine.state import (
    AFTER_WORK,
    PICKING_UP,
    RESUMING,
    SCHEDULED,
    UNUSED,
    WAITING,
    WORKING,
    for_kernel,
)
from envs.simulator.service.expectations import work_done_s
from envs.simulator.service.work import was_missed

HIDDEN = ("key", "work", "patience", "pick_up", "request", "due", "after_work")
"""Kinds of hidden quantities of those present; each has a random stream of its own. Append only."""


def redraw(
    states: NDArray[Any],
    demand: NDArray[Any],
    parameters: NDArray[Any],
    scenario: Scenario,
    sampler: DemandSampler,
    seed: int,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return copies of `states`, one state, and of `demand`, with all that is hidden drawn anew.

    A pure function of its arguments; `sampler` is that of `scenario`. What the state shows to a router is equal bit for
    bit. An episode that is over has nothing hidden.
    """
    states = states.copy()
    state = states[0]
    if state["done"]:
        return states, demand.copy()
    known = demand
    demand = sampler.sample_rest(known, int(state["next_demand"]), float(state["now_s"]), seed)
    _move_lists(state, known, len(demand))
    present = np.flatnonzero(state["slots"]["person"]["status"] != UNUSED)
    _redraw_keys(state, present, _generator(seed, "key"))
    _redraw_work(states, demand, parameters, sampler, present, _generator(seed, "work"))
    impatient = _redraw_patience(state, demand, scenario, sampler, _generator(seed, "patience"))
    _redraw_pick_ups(state, scenario, present, _generator(seed, "pick_up"))
    returning = _redraw_requests(state, scenario, _generator(seed, "request"))
    due = _redraw_due_times(state, scenario, _generator(seed, "due"))
    after_work_ends_s = _redraw_after_work(state, scenario, _generator(seed, "after_work"))
    _set_events(for_kernel(states), parameters, demand, np.concatenate([impatient, due]), returning, after_work_ends_s)
    return states, demand


def _generator(seed: int, kind: str) -> np.random.Generator:
    """Return the generator of `kind`, one of `HIDDEN`, under `seed`."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(HIDDEN.index(kind),))))


def _draw_longer_than(
    laws: list[DurationDistribution | None], least_s: NDArray[np.float64], generator: np.random.Generator
) -> NDArray[np.float64]:
    """Return for each i a duration of `laws[i]` given that it exceeds `least_s[i]`, seconds; inf where there is no
    law."""
    drawn_s = np.full(len(laws), np.inf)
    members: dict[int, tuple[DurationDistribution, list[int]]] = {}
    for i, law in enumerate(laws):
        if law is not None:
            members.setdefault(id(law), (law, []))[1].append(i)
    for law, places in members.values():
        drawn_s[places] = law.sample_longer_than(generator, least_s[places])
    return drawn_s


def _move_lists(state: Any, demand: NDArray[Any], new_length: int) -> None:
    """Let the places of the lists of unlimited supply, which are the end of `demand`, follow its new length."""
    n_listed = int(np.isinf(demand["arrival_s"]).sum())
    if n_listed == 0:
        return
    customers = state["slots"]["person"]["customer"]
    listed = customers >= len(demand) - n_listed
    customers[listed] = customers[listed] % len(demand) + new_length - len(demand)
    for queue in state["queues"]:
        if queue["end_supply"] > 0:
            for key in ("first_supply", "next_supply", "end_supply"):
                queue[key] += new_length - len(demand)


def _redraw_keys(state: Any, present: NDArray[np.int64], generator: np.random.Generator) -> None:
    """Give the customers of the contacts `present` (slots) new keys, and the episode one for the luck that belongs to
    no customer."""
    state["slots"]["person"]["key"][present] = generator.integers(0, 2**64, len(present), dtype=np.uint64)
    state["key"] = generator.integers(0, 2**64, dtype=np.uint64)


def _redraw_due_times(state: Any, scenario: Scenario, generator: np.random.Generator) -> NDArray[np.int64]:
    """Returns the contacts whose clock has to be set again."""
    contacts = state["slots"]["person"]
    is_here = (contacts["status"] != UNUSED) & (contacts["status"] != SCHEDULED) & (contacts["overdue"] == 0)
    is_here &= np.isfinite(contacts["due_s"])  # a promise that was met by the start is nobody's concern any more
    hidden = np.flatnonzero(is_here & _is_due_hidden(scenario)[contacts["queue"]])
    laws = [_hidden_law(scenario, queue) for queue in contacts["queue"][hidden]]
    arrived_s = contacts["arrival_s"][hidden]
    contacts["due_s"][hidden] = arrived_s + _draw_longer_than(laws, state["now_s"] - arrived_s, generator)
    return hidden


def _hidden_law(scenario: Scenario, queue: int) -> DurationDistribution | None:
    """Return the law of the time from arrival to the hidden due time in channel number `queue`; None if it hides
    none."""
    due = scenario.channels[queue].due
    return None if due is None else due.hidden_after


def _redraw_work(
    states: NDArray[Any],
    demand: NDArray[Any],
    parameters: NDArray[Any],
    sampler: DemandSampler,
    present: NDArray[np.int64],
    generator: np.random.Generator,
) -> None:
    """Draw the work of the contacts `present` (slots) anew, given that it exceeds what is done; known work stays."""
    contacts = states[0]["slots"]["person"]
    is_new = contacts["new_work"][present] != 0
    hidden = present[(contacts["handled"][present] == 0) | is_new]
    done_s = np.empty(len(hidden))
    _write_work_done(for_kernel(states), parameters, hidden, done_s)
    first_laws = _laws_of_needs(demand, sampler, contacts["customer"][hidden])
    laws: list[DurationDistribution | None] = [
        sampler.laws_of_needs(int(contact["new_work"]) - 1, NOBODY)[0] if contact["new_work"] else handle_time
        for contact, (handle_time, _) in zip(contacts[hidden], first_laws, strict=True)
    ]
    handle_s = _draw_longer_than(laws, done_s, generator)
    contacts["handle_s"][hidden] = handle_s
    contacts["work_left_s"][hidden] = handle_s - contacts["work_done_s"][hidden]


def _laws_of_needs(
    demand: NDArray[Any], sampler: DemandSampler, customers: NDArray[np.int32]
) -> list[tuple[DurationDistribution, DurationDistribution | None]]:
    """Return the laws of handle time and of patience (None: endless) of the first contacts of `customers`, places in
    `demand`."""
    places = sampler.script_places(demand)
    return [sampler.laws_of_needs(int(demand["queue"][i]), int(places[i])) for i in customers]


def _redraw_patience(
    state: Any, demand: NDArray[Any], scenario: Scenario, sampler: DemandSampler, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Returns the contacts whose clock has to be set again."""
    contacts = state["slots"]["person"]
    is_real_time = np.array([channel.is_real_time for channel in scenario.channels])
    waiting = np.flatnonzero(contacts["status"] == WAITING)
    waiting = waiting[is_real_time[contacts["queue"][waiting]]]
    first_laws = _laws_of_needs(demand, sampler, contacts["customer"][waiting])
    laws = [
        patience if contact["attempt"] == 0 else scenario.channels[contact["queue"]].patience
        for contact, (_, patience) in zip(contacts[waiting], first_laws, strict=True)
    ]
    waited_s = state["now_s"] - contacts["arrival_s"][waiting]
    contacts["abandon_s"][waiting] = contacts["arrival_s"][waiting] + _draw_longer_than(laws, waited_s, generator)
    return waiting


def _redraw_pick_ups(
    state: Any, scenario: Scenario, present: NDArray[np.int64], generator: np.random.Generator
) -> None:
    """Draw the last pick-up of the contacts `present` (slots) anew, given that it exceeds what was paid of it."""
    contacts, reps = state["slots"]["person"], state["reps"]
    is_picking_up = contacts["status"][present] == PICKING_UP
    hidden = present[is_picking_up | (contacts["pick_up_left_s"][present] > 0.0)]
    mine = contacts[hidden]
    elapsed_s = np.where(mine["status"] == PICKING_UP, state["now_s"] - reps["phase_start_s"][mine["rep"]], 0.0)
    # What was drawn last, less what is still unpaid, is what was paid of it: less than 0 while an earlier rest is paid.
    paid_s = np.maximum(mine["pick_up_s"] - (mine["pick_up_left_s"] - elapsed_s), 0.0)
    drawn_s = _draw_longer_than([_law_of_pick_up(scenario, contact) for contact in mine], paid_s, generator)
    left_s = mine["pick_up_left_s"] + (drawn_s - mine["pick_up_s"])
    contacts["pick_up_left_s"][hidden] = np.maximum(left_s, elapsed_s)
    contacts["pick_up_s"][hidden] = drawn_s


def _law_of_pick_up(scenario: Scenario, contact: Any) -> DurationDistribution | None:
    """Return the law by which the last pick-up of `contact` was drawn."""
    channel = scenario.channels[contact["queue"]]
    return channel.pick_up_by_other if contact["picked_up_by_other"] else channel.pick_up


def _redraw_after_work(state: Any, scenario: Scenario, generator: np.random.Generator) -> NDArray[np.float64]:
    """Returns for each seat when its after-contact work ends, seconds."""
    reps = state["reps"]
    hidden = np.flatnonzero(reps["status"] == AFTER_WORK)
    mine = reps[hidden]
    laws = [scenario.channels[queue].after_work for queue in mine["after_work_of"]]
    done_s = (state["now_s"] - mine["phase_start_s"]) * mine["speed"]
    ends_s = np.full(len(reps), np.inf)
    ends_s[hidden] = state["now_s"] + (_draw_longer_than(laws, done_s, generator) - done_s) / mine["speed"]
    return ends_s


def _redraw_requests(state: Any, scenario: Scenario, generator: np.random.Generator) -> NDArray[np.int64]:
    """Returns the contacts whose return has to be set again: those who come back by themselves, at a time of their own,
    and those whose due time, which nobody tells them, then follows from their new luck."""
    contacts = state["slots"]["person"]
    is_real_time = np.array([channel.is_real_time for channel in scenario.channels])
    scheduled = np.flatnonzero((contacts["status"] == SCHEDULED) & (contacts["request_s"] > state["now_s"]))
    is_unresolved = contacts["return_from"][scheduled] != NOBODY
    is_booked = ~is_unresolved & ~is_real_time[contacts["queue"][scheduled]]
    hidden = scheduled[~is_booked]
    laws = [_law_of_request(scenario, contact["queue"], contact["return_from"]) for contact in contacts[hidden]]
    left_s = contacts["left_s"][hidden]
    contacts["request_s"][hidden] = left_s + _draw_longer_than(laws, state["now_s"] - left_s, generator)
    return scheduled[~is_booked | _is_due_hidden(scenario)[contacts["queue"][scheduled]]]


def _is_due_hidden(scenario: Scenario) -> NDArray[np.bool_]:
    """Return for each channel whether its due times are hidden."""
    return np.array([_hidden_law(scenario, queue) is not None for queue in range(len(scenario.channels))])


def _law_of_request(scenario: Scenario, queue: int, return_from: int) -> DurationDistribution | None:
    """Return the law of the time until a customer asks for channel number `queue` again: of the return from channel
    number `return_from`, which left it unresolved, or of the redial if that is NOBODY; None if there is none."""
    if return_from == NOBODY:
        redial = scenario.channels[queue].redial
        return None if redial is None else redial.delay
    resolution = scenario.channels[return_from].resolution
    return None if resolution is None or resolution.returns is None else resolution.returns.after


@entry_point
def _write_work_done(states, parameters, contacts, done_s):
    """Write into `done_s` the work done on each of `contacts` (slots), seconds at speed 1; ringing in vain is none."""
    for i in range(contacts.shape[0]):
        contact = contacts[i]
        if was_missed(states[0], parameters[0], contact):
            done_s[i] = states[0].slots[contact].person.work_done_s
        else:
            done_s[i] = work_done_s(states[0], contact)


@entry_point
def _set_events(states, parameters, demand, impatient, returning, after_work_ends_s):
    """Put the next arrival, the ends of the reps' phases and the clocks of the contacts `impatient` and `returning`
    (slots) on the event list; `after_work_ends_s` says for each seat when its after-contact work ends, seconds."""
    state = states[0]
    fixed = parameters[0]
    expect_arrival(state, demand)
    for rep in range(fixed.n_seats):
        person = state.reps[rep]
        contact = np.int64(person.contact)
        if person.status == RESUMING:
            until_s = person.phase_start_s + state.slots[contact].person.pick_up_left_s
            set_rep_event(state, rep, max(until_s, state.now_s))
        elif person.status == AFTER_WORK:
            set_rep_event(state, rep, after_work_ends_s[rep])
        elif person.status == WORKING and not was_missed(state, fixed, contact):
            until_s = person.phase_start_s + state.slots[contact].person.work_left_s / person.speed
            set_rep_event(state, rep, max(until_s, state.now_s))
    for i in range(impatient.shape[0]):
        set_waiting_clock(state, fixed, impatient[i])
    for i in range(returning.shape[0]):
        person = state.slots[returning[i]].person
        return_s, due_s = window_of_request(state, fixed, returning[i], person.queue)
        expect_return(state, returning[i], return_s, due_s)
