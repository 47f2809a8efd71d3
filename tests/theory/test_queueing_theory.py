"""Every reference value of `configs/validation/` derived a second time, from formulas and Markov chains.

A derivation states the model's rules in its own words and in minutes, without reading the scenario of the file, so that
it pins down what the values mean: who counts as waiting, over whom a mean is taken, what a reserve is compared with.
Values of published models come from the reference file; here they meet an independent answer. Values of our own models
(`derived.yaml`) are the ones found here.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
from queueing_theory import (
    Chain,
    Stationary,
    build_chain,
    erlang_b,
    mean_sojourns_by_interruption,
    mean_wait_of_one_rep,
    mean_waits_by_priority,
    solve_stationary,
    solve_transient,
    waits_with_exponential_patience,
    waits_with_fixed_patience,
    waits_without_patience,
)
from scipy.integrate import quad
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import expm_multiply
from scipy.stats import gamma

from envs.configuration.document import REPOSITORY_FOLDER, load_yaml

FOLDER = REPOSITORY_FOLDER / "configs" / "validation"
MIN_S = 60.0
DAY_MIN = 1440.0

Values = dict[str, float]
Derivation = Callable[[], Values]
DERIVATIONS: dict[str, Derivation] = {}


def derives(name: str) -> Callable[[Derivation], Derivation]:
    """Let the decorated function be the derivation of the model `name`."""

    def register(derivation: Derivation) -> Derivation:
        DERIVATIONS[name] = derivation
        return derivation

    return register


def models() -> dict[str, dict[str, Any]]:
    """Return all models of the files by name, as plain data."""
    found = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        for model in load_yaml(path).data["models"]:
            found[model["name"]] = model
    return found


def exact_values(name: str) -> Values:
    """Return the values of the model `name` by metric, those left out that were simulated."""
    references = models()[name]["references"]
    return {reference["metric"]: reference["value"] for reference in references if "value_error" not in reference}


def models_with_exact_values() -> list[str]:
    return [name for name in sorted(models()) if exact_values(name)]


@pytest.mark.parametrize("name", models_with_exact_values())
def test_every_exact_value_of_a_model_is_derived_a_second_time(name):
    written = exact_values(name)
    derived = DERIVATIONS[name]()
    missing = sorted(set(written) - set(derived))
    assert not missing, f"{name}: no derivation of {missing}"
    assert {metric: derived[metric] for metric in written} == pytest.approx(written, rel=1e-6)


def test_no_derivation_stands_without_a_model():
    assert sorted(DERIVATIONS) == models_with_exact_values()


# Erlang's models and their relatives.


def one_class(arrival_rate: float, service_rate: float, reps: int, abandonment_rate: float, most: int) -> Stationary:
    """Return M/M/n+M by birth and death, the state being the number in the system, up to `most`."""

    def transitions(present: int):
        if present < most:
            yield present + 1, arrival_rate
        if present:
            yield present - 1, min(present, reps) * service_rate + max(present - reps, 0) * abandonment_rate

    return solve_stationary(reps, transitions)


@derives("V01")
def one_rep():
    arrival_rate, service_rate = 0.8, 1.0
    waits = waits_without_patience(arrival_rate, service_rate, 1)
    # A busy period is 1 / (service rate - arrival rate) on average: the work of one contact, and of all that come
    # meanwhile, and so on.
    return {
        "voice.mean_wait_s": waits.mean * MIN_S,
        "voice.mean_cycle_s": (waits.mean + 1.0 / service_rate) * MIN_S,
        "voice.mean_waiting": arrival_rate * waits.mean,
        "voice.service_level_frac": 1.0 - waits.longer_than(1.0),
        "voice.wait_variance_s2": waits.variance * MIN_S**2,
        "mean_all_busy_s": MIN_S / (service_rate - arrival_rate),
    }


@derives("V01_email")
def one_rep_with_due_times():
    arrival_rate, service_rate, due_after = 0.8, 1.0, 10.0
    # The time in M/M/1 is exponential with rate 1 - 0.8.
    return {
        "email.mean_cycle_s": MIN_S / (service_rate - arrival_rate),
        "email.on_time_frac": 1.0 - math.exp(-(service_rate - arrival_rate) * due_after),
    }


def erlang_c_values(reps: int, threshold_min: float) -> Values:
    arrival_rate, service_rate = 5.0, 1.0 / 3.0
    waits = waits_without_patience(arrival_rate, service_rate, reps)
    return {
        "voice.wait_prob": waits.prob,
        "voice.mean_wait_s": waits.mean * MIN_S,
        "voice.mean_waiting": arrival_rate * waits.mean,
        "voice.service_level_frac": 1.0 - waits.longer_than(threshold_min),
        "voice.wait_p95_s": waits.quantile(0.95) * MIN_S,
        "occupancy_frac": arrival_rate / service_rate / reps,
    }


DERIVATIONS["V02a"] = lambda: erlang_c_values(18, 20 / MIN_S)
DERIVATIONS["V02a_60s"] = lambda: erlang_c_values(18, 1.0)
DERIVATIONS["V02b"] = lambda: erlang_c_values(16, 20 / MIN_S)
DERIVATIONS["V02b_60s"] = lambda: erlang_c_values(16, 1.0)


@derives("V03")
def exponential_patience():
    arrival_rate, service_rate, reps, abandonment_rate = 5.0, 1.0 / 3.0, 15, 0.5
    waits = waits_with_exponential_patience(arrival_rate, service_rate, reps, abandonment_rate, longest=30.0)
    chain = one_class(arrival_rate, service_rate, reps, abandonment_rate, most=300)
    return {
        "voice.wait_prob": chain.mean(lambda present: present >= reps),
        "voice.abandoned_frac": waits.abandoned_frac,
        # Of all who called, not only of those who were served.
        "voice.service_level_frac": waits.served_within(20 / MIN_S),
        "voice.mean_wait_s": waits.mean_wait * MIN_S,
        "voice.mean_wait_started_s": waits.mean_wait_served * MIN_S,
        "voice.mean_wait_abandoned_s": waits.mean_wait_abandoned * MIN_S,
        "voice.mean_waiting": chain.mean(lambda present: max(present - reps, 0)),
        "occupancy_frac": chain.mean(lambda present: min(present, reps)) / reps,
    }


@derives("V03b")
def fixed_patience():
    waits = waits_with_fixed_patience(5.0, 1.0 / 3.0, 15, patience=1.5, longest=20.0)
    return {
        "voice.abandoned_frac": waits.abandoned_frac,
        "voice.mean_wait_s": waits.mean_wait * MIN_S,
        "voice.wait_prob": waits.wait_prob,
    }


@derives("V06")
def lognormal_work():
    arrival_rate, mean_min, cv = 0.2, 4.0, 1.2
    wait_min = mean_wait_of_one_rep(arrival_rate, mean_min, mean_min**2 * (1.0 + cv**2))
    return {
        "voice.mean_wait_s": wait_min * MIN_S,
        "voice.mean_waiting": arrival_rate * wait_min,
        "voice.mean_cycle_s": (wait_min + mean_min) * MIN_S,
        "voice.wait_prob": arrival_rate * mean_min,
    }


@derives("V06c")
def talk_and_after_work():
    arrival_rate, talk_min, talk_cv, after_min = 0.2, 3.0, 1.2, 1.0
    variance = (talk_min * talk_cv) ** 2 + after_min**2  # independent; the exponential's deviation is its mean
    mean_min = talk_min + after_min
    return {
        "voice.mean_wait_s": mean_wait_of_one_rep(arrival_rate, mean_min, mean_min**2 + variance) * MIN_S,
        "voice.mean_in_service": arrival_rate * talk_min,
        "voice.after_work_frac": arrival_rate * after_min,
        "voice.mean_handle_s": mean_min * MIN_S,
        "occupancy_frac": arrival_rate * mean_min,
    }


@derives("V07")
def no_waiting_room():
    load, reps = 15.0, 18
    blocked = erlang_b(load, reps)
    return {"voice.blocked_frac": blocked, "occupancy_frac": load * (1.0 - blocked) / reps}


@derives("V07b")
def limited_lines():
    arrival_rate, service_rate, reps, lines = 5.0, 1.0 / 3.0, 15, 20
    chain = one_class(arrival_rate, service_rate, reps, 0.0, most=lines)
    blocked = chain.mean(lambda present: present == lines)
    waiting = chain.mean(lambda present: max(present - reps, 0))
    return {
        "voice.blocked_frac": blocked,
        "voice.mean_wait_s": waiting / (arrival_rate * (1.0 - blocked)) * MIN_S,  # of those admitted
    }


# Several classes: priority, reserves, interruptions.


@derives("V04")
def priority_of_equal_calls():
    gold_rate, standard_rate, service_rate, reps = 2.0, 2.5, 1.0 / 3.0, 15
    gold_min, standard_min = mean_waits_by_priority([gold_rate, standard_rate], service_rate, reps)
    wait_prob = waits_without_patience(gold_rate + standard_rate, service_rate, reps).prob
    # A gold call that waits does so as in M/M/n with gold calls alone: exponential with rate n m - gold rate.
    gold_late = wait_prob * math.exp(-(reps * service_rate - gold_rate) * 20 / MIN_S)
    return {
        "gold.mean_wait_s": gold_min * MIN_S,
        "standard.mean_wait_s": standard_min * MIN_S,
        "gold.wait_prob": wait_prob,
        "standard.wait_prob": wait_prob,
        "gold.service_level_frac": 1.0 - gold_late,
    }


@derives("V05")
def interruption_without_pick_up():
    voice_rate, voice_min, email_rate, email_min = 0.3, 1.0, 0.1, 5.0
    voice_cycle, email_cycle = mean_sojourns_by_interruption(
        [voice_rate, email_rate], [voice_min, email_min], [2.0 * voice_min**2, 2.0 * email_min**2]
    )
    return {
        "voice.mean_cycle_s": voice_cycle * MIN_S,
        "voice.mean_wait_s": (voice_cycle - voice_min) * MIN_S,
        "email.mean_cycle_s": email_cycle * MIN_S,
        "email.interruptions_per_contact": voice_rate * email_min,  # every call that comes during e-mail work
    }


@derives("V10")
def interruption_with_pick_up():
    """State: calls, e-mails waiting, and what the e-mail begun is in: 0 nothing, 1 suspended, 2 pick-up, 3 work."""
    voice_rate, voice_service, email_rate, email_service, pick_up_rate = 0.3, 1.0, 0.08, 0.2, 2.0
    nothing, suspended, pick_up, work = range(4)

    def transitions(state):
        calls, waiting, begun = state
        if calls < 60:
            yield (calls + 1, waiting, suspended if begun in (pick_up, work) else begun), voice_rate
        if waiting < 400:
            is_idle = calls == 0 and begun == nothing
            yield (0, 0, work) if is_idle else (calls, waiting + 1, begun), email_rate
        if calls > 1:
            yield (calls - 1, waiting, begun), voice_service
        elif calls == 1 and begun == suspended:
            yield (0, waiting, pick_up), voice_service
        elif calls == 1:
            yield (0, waiting - 1, work) if waiting else (0, 0, nothing), voice_service
        elif begun == pick_up:
            yield (0, waiting, work), pick_up_rate
        elif begun == work:
            yield (0, waiting - 1, work) if waiting else (0, 0, nothing), email_service

    chain = solve_stationary((0, 0, nothing), transitions)
    open_emails = chain.mean(lambda state: state[1] + (state[2] != nothing))
    # An e-mail counts as interrupted also when its pick-up is.
    interrupted_rate = chain.mean(lambda state: voice_rate * (state[2] in (pick_up, work)))
    return {
        "voice.mean_cycle_s": chain.mean(lambda state: state[0]) / voice_rate * MIN_S,
        "email.mean_cycle_s": open_emails / email_rate * MIN_S,
        "email.pick_up_frac": chain.mean(lambda state: state[2] == pick_up),
        "email.interruptions_per_contact": interrupted_rate / email_rate,
        "occupancy_frac": 1.0 - chain.mean(lambda state: state[0] == 0 and state[2] == nothing),
    }


@derives("V08a")
@derives("V08a_cmu_theta")
@derives("V08a_threshold_reservation")
def reserve_for_impatient_callers():
    """State: busy reps, gold calls waiting, standard calls waiting. A standard call starts while more than 2 reps are
    free, itself not counted; a rep who comes free is one of them."""
    gold_rate, standard_rate, service_rate, reps, reserve = 2.0, 2.0, 1.0 / 3.0, 12, 2
    gold_abandons, standard_abandons = 0.5, 0.05

    def transitions(state):
        busy, gold, standard = state
        if busy < reps:
            yield (busy + 1, gold, standard), gold_rate
        elif gold < 60:
            yield (busy, gold + 1, standard), gold_rate
        if reps - busy > reserve:
            yield (busy + 1, gold, standard), standard_rate
        elif standard < 200:
            yield (busy, gold, standard + 1), standard_rate
        yield (busy, gold - 1, standard), gold_abandons * gold
        yield (busy, gold, standard - 1), standard_abandons * standard
        if gold:
            yield (busy, gold - 1, standard), busy * service_rate
        elif standard and reps - (busy - 1) > reserve:
            yield (busy, gold, standard - 1), busy * service_rate
        elif busy:
            yield (busy - 1, gold, standard), busy * service_rate

    chain = solve_stationary((reps - reserve, 0, 0), transitions)
    gold_waiting = chain.mean(lambda state: state[1])
    standard_waiting = chain.mean(lambda state: state[2])
    return {
        "gold.abandoned_frac": gold_abandons * gold_waiting / gold_rate,
        "standard.abandoned_frac": standard_abandons * standard_waiting / standard_rate,
        "gold.mean_wait_s": gold_waiting / gold_rate * MIN_S,
        "standard.mean_wait_s": standard_waiting / standard_rate * MIN_S,
        "gold.wait_prob": chain.mean(lambda state: state[0] == reps),
        "occupancy_frac": chain.mean(lambda state: state[0]) / reps,
    }


@derives("V09")
@derives("V09_blending_threshold")
def blending_with_a_reserve():
    """State: busy reps, calls waiting. As soon as fewer than 10 reps are busy an outbound call is started."""
    inbound_rate, service_rate, reps, busy_target = 2.0, 1.0 / 3.0, 12, 10

    def transitions(state):
        busy, waiting = state
        if busy < reps:
            yield (busy + 1, 0), inbound_rate
        elif waiting < 300:
            yield (busy, waiting + 1), inbound_rate
        if waiting:
            yield (busy, waiting - 1), reps * service_rate
        elif busy > busy_target:
            yield (busy - 1, 0), busy * service_rate  # at the target another outbound call takes the place at once

    chain = solve_stationary((busy_target, 0), transitions)
    outbound_rate = chain.mean(lambda state: busy_target * service_rate * (state[0] == busy_target))
    return {
        "inbound.mean_wait_s": chain.mean(lambda state: state[1]) / inbound_rate * MIN_S,
        "inbound.wait_prob": chain.mean(lambda state: state[0] == reps),
        "outbound.completed": outbound_rate * DAY_MIN,
        "occupancy_frac": chain.mean(lambda state: state[0]) / reps,
    }


# Demand that changes with time.


def birth_and_death(most: int, birth_rate: Callable[[int], float], death_rate: Callable[[int], float]) -> csr_matrix:
    """Return the generator of a chain on 0 ... `most`."""

    def transitions(present: int):
        if present < most:
            yield present + 1, birth_rate(present)
        if present:
            yield present - 1, death_rate(present)

    chain = build_chain(range(most + 1), transitions)
    return chain.generator


class Day(NamedTuple):
    """What M(t)/M/n+M does from an empty start to an end: totals, and the mean number waiting at some times."""

    arrived: float
    abandoned: float
    waited: float
    waiting_min: float
    busy_min: float
    waiting_at: dict[float, float]


def day_from_empty(
    rate: Callable[[float], float],
    service_rate: float,
    reps: int,
    abandonment_rate: float,
    times_min: Sequence[float],
    most: int,
) -> Day:
    """Return what happens from 0 to the last of `times_min`, by the forward equations on 0 ... `most` calls."""
    births = birth_and_death(most, lambda present: 1.0, lambda present: 0.0)
    deaths = birth_and_death(
        most,
        lambda present: 0.0,
        lambda present: min(present, reps) * service_rate + max(present - reps, 0) * abandonment_rate,
    )
    present = np.arange(most + 1)
    waiting = np.maximum(present - reps, 0)
    busy = np.minimum(present, reps)

    def rewards(time_min: float):
        now = rate(time_min)
        return np.array([np.full(most + 1, now), abandonment_rate * waiting, now * (present >= reps), waiting, busy])

    probability = np.zeros(most + 1)
    probability[0] = 1.0
    totals = np.zeros(5)
    waiting_at = {}
    for start, end in pairwise([0.0, *times_min]):
        probability, gained = solve_transient(
            lambda time_min: rate(time_min) * births + deaths, probability, start, end, rewards
        )
        totals += gained
        waiting_at[end] = float(probability @ waiting)
    return Day(*totals.tolist(), waiting_at)


@derives("V11a")
def one_day_of_changing_demand():
    day = day_from_empty(
        lambda time_min: 1.2 + 0.9 * math.sin(2.0 * math.pi * (time_min - 120.0) / 480.0),
        service_rate=0.25,
        reps=6,
        abandonment_rate=0.5,
        times_min=(120.0, 240.0, 300.0, 360.0, 480.0),
        most=50,
    )
    return {f"voice.waiting_at_{time * MIN_S:.0f}_s": waiting for time, waiting in day.waiting_at.items()} | {
        "voice.arrived": day.arrived,
        "voice.abandoned_frac": day.abandoned / day.arrived,  # sums over the day, not a mean of days' shares
        "voice.wait_prob": day.waited / day.arrived,
        "voice.mean_waiting": day.waiting_min / 480.0,
        "voice.mean_in_service": day.busy_min / 480.0,
    }


@derives("contact_centers_day")
def one_day_from_empty():
    day = day_from_empty(
        lambda time_min: 4.2, service_rate=0.5, reps=12, abandonment_rate=1.0, times_min=(480.0,), most=50
    )
    return {"voice.abandoned": day.abandoned, "occupancy_frac": day.busy_min / (12 * 480.0)}


# Customers who come back.


@derives("V12a")
def unresolved_customers_return():
    first_rate, service_rate, reps, returning, delay_min = 3.0, 1.0 / 3.0, 14, 0.25, 30.0
    contact_rate = first_rate / (1.0 - returning)  # product form: Erlang C with all contacts
    waits = waits_without_patience(contact_rate, service_rate, reps)
    return {
        "voice.mean_wait_s": waits.mean * MIN_S,
        "voice.wait_prob": waits.prob,
        "voice.contacts_per_customer": 1.0 / (1.0 - returning),
        "voice.mean_scheduled": contact_rate * returning * delay_min,
        "voice.service_level_frac": 1.0 - waits.longer_than(20 / MIN_S),
    }


@derives("V12b")
def immediate_returns():
    first_rate, service_rate, returning = 0.5, 1.0, 0.3
    load = first_rate / (1.0 - returning) / service_rate
    present = load / (1.0 - load)
    return {"voice.mean_open": present, "voice.mean_customer_s": present / first_rate * MIN_S}


@derives("V13")
def callback_offers():
    """State: busy reps, calls waiting, callbacks waiting.

    A call that finds all busy and at least two waiting, itself not counted, is offered a callback; one that accepts
    never joins the line."""
    call_rate, service_rate, reps, abandonment_rate = 2.4, 1.0 / 3.0, 8, 0.5
    offer_at, accept_prob, reserve = 2, 0.5, 1

    def transitions(state):
        busy, calls, callbacks = state
        if busy < reps:
            yield (busy + 1, calls, callbacks), call_rate
        elif calls < offer_at:
            yield (busy, calls + 1, callbacks), call_rate
        else:
            if callbacks < 500:
                yield (busy, calls, callbacks + 1), call_rate * accept_prob
            if calls < 60:
                yield (busy, calls + 1, callbacks), call_rate * (1.0 - accept_prob)
        yield (busy, calls - 1, callbacks), abandonment_rate * calls
        if calls:
            yield (busy, calls - 1, callbacks), busy * service_rate
        elif callbacks and reps - (busy - 1) > reserve:
            yield (busy, calls, callbacks - 1), busy * service_rate
        elif busy:
            yield (busy - 1, calls, callbacks), busy * service_rate

    chain = solve_stationary((reps - 1, 0, 0), transitions)
    waiting = chain.mean(lambda state: state[1])
    accepted_rate = chain.mean(lambda s: call_rate * accept_prob * (s[0] == reps and s[1] >= offer_at))
    # The reference's mean wait of callers leaves out those who accepted a callback.
    assert waiting / (call_rate - accepted_rate) == pytest.approx(0.1852914028436749, rel=1e-6)
    return {
        "voice.abandoned_frac": abandonment_rate * waiting / call_rate,
        "voice.callback_frac": accepted_rate / call_rate,
        "callback.mean_wait_s": chain.mean(lambda state: state[2]) / accepted_rate * MIN_S,
        "voice.mean_wait_s": waiting / call_rate * MIN_S,
        "occupancy_frac": chain.mean(lambda state: state[0]) / reps,
    }


@derives("V14")
def several_chats_at_a_time():
    """State: chats of each rep, sorted; chats waiting. The waiting room has no end, and a chat that comes goes to a rep
    who has the fewest."""
    arrival_rate, service_rate, abandonment_rate, reps, slots = 1.5, 0.25, 0.1, 4, 3
    total_speed = (0.0, 1.0, 1.7, 2.1)

    def with_one_more(held: tuple[int, ...], place: int, change: int) -> tuple[int, ...]:
        return tuple(sorted((*held[:place], held[place] + change, *held[place + 1 :])))

    def transitions(state):
        held, waiting = state
        if held[0] < slots:
            yield (with_one_more(held, 0, 1), 0), arrival_rate
        elif waiting < 150:
            yield (held, waiting + 1), arrival_rate
        yield (held, waiting - 1), abandonment_rate * waiting
        for place in range(reps):
            ended_rate = service_rate * total_speed[held[place]]
            if waiting:
                yield (held, waiting - 1), ended_rate
            elif held[place]:
                yield (with_one_more(held, place, -1), 0), ended_rate

    chain = solve_stationary(((0,) * reps, 0), transitions)
    waiting = chain.mean(lambda state: state[1])
    chats = chain.mean(lambda state: sum(state[0]))
    busy_reps = chain.mean(lambda state: sum(n > 0 for n in state[0]))
    completed_rate = arrival_rate - abandonment_rate * waiting
    return {
        "chat.abandoned_frac": abandonment_rate * waiting / arrival_rate,
        "chat.mean_wait_s": waiting / arrival_rate * MIN_S,
        "chat.mean_handle_s": chats / completed_rate * MIN_S,  # from start to end, waits left out
        "contacts_per_busy_rep": chats / busy_reps,  # both averaged over time
        "occupancy_frac": busy_reps / reps,
        "chat.completed": completed_rate * DAY_MIN,
    }


# Our own models.


@derives("day_factor")
def loss_system_with_a_day_factor():
    """The factor of a day multiplies all its arrivals, so the loaded days count for more of the arrivals."""
    load, lines, cv = 1.0, 2, 0.5
    shape = cv**-2
    density = gamma(shape, scale=1.0 / shape).pdf

    def mean(value: Callable[[float], float]) -> float:
        return quad(lambda factor: value(factor) * density(factor), 0.0, 20.0, epsabs=1e-13, limit=400)[0]

    blocked = mean(lambda factor: factor * erlang_b(load * factor, lines))
    return {"voice.blocked_frac": blocked, "voice.mean_in_service": load * (1.0 - blocked)}


@derives("redial")
def callers_who_dial_again():
    """State: calls present, callers who will dial again."""
    first_rate, service_rate, reps, abandonment_rate = 1.0, 1.0 / 3.0, 3, 0.5
    redial_prob, redial_rate = 0.6, 0.1

    def transitions(state):
        present, away = state
        if present < 50:
            yield (present + 1, away), first_rate
            if away:
                yield (present + 1, away - 1), away * redial_rate
        yield (present - 1, away), min(present, reps) * service_rate
        abandoned_rate = max(present - reps, 0) * abandonment_rate
        yield (present - 1, away), abandoned_rate * (1.0 - redial_prob)
        if away < 80:
            yield (present - 1, away + 1), abandoned_rate * redial_prob

    chain = solve_stationary((reps, 0), transitions)
    waiting = chain.mean(lambda state: max(state[0] - reps, 0))
    away = chain.mean(lambda state: state[1])
    contact_rate = first_rate + redial_rate * away
    waited_rate = chain.mean(lambda state: (first_rate + redial_rate * state[1]) * (state[0] >= reps))
    return {
        "voice.abandoned_frac": abandonment_rate * waiting / contact_rate,  # of all dialled
        "voice.wait_prob": waited_rate / contact_rate,  # those who dial again do not see time averages
        "voice.mean_waiting": waiting,
        "voice.mean_scheduled": away,
        "voice.redialled": redial_prob * abandonment_rate * waiting * DAY_MIN,
        "occupancy_frac": chain.mean(lambda state: min(state[0], reps)) / reps,
    }


class Calls(NamedTuple):
    """Calls of one kind, each a minute: how many come, how many one rep serves, and how soon one that waits leaves."""

    rate: float
    service: float
    abandons: float


def n_design(
    dedicated: int, flexible: int, first_calls: Calls, second_calls: Calls, *, reserve: int, kept: int
) -> Values:
    """State: dedicated reps busy, flexible reps on first and on second calls, first and second calls waiting.

    Dedicated reps, who serve first calls alone, are taken before flexible ones. A flexible rep starts a second call
    while more than `reserve` of them are free, and a first call while more than `kept` are; dedicated reps do not
    count."""

    def free_a_flexible_rep(state):
        """Return the state once a flexible rep, already taken off the count of those at work, has chosen."""
        a, on_first, on_second, first, second = state
        free = flexible - on_first - on_second
        if first and free > kept:
            return a, on_first + 1, on_second, first - 1, second
        if second and free > reserve:
            return a, on_first, on_second + 1, first, second - 1
        return state

    def transitions(state):
        a, on_first, on_second, first, second = state
        free = flexible - on_first - on_second
        if a < dedicated:
            yield (a + 1, on_first, on_second, first, second), first_calls.rate
        elif free > kept:
            yield (a, on_first + 1, on_second, first, second), first_calls.rate
        elif first < 30:
            yield (a, on_first, on_second, first + 1, second), first_calls.rate
        if free > reserve:
            yield (a, on_first, on_second + 1, first, second), second_calls.rate
        elif second < 40:
            yield (a, on_first, on_second, first, second + 1), second_calls.rate
        yield (a, on_first, on_second, first - 1, second), first * first_calls.abandons
        yield (a, on_first, on_second, first, second - 1), second * second_calls.abandons
        if first:
            yield (a, on_first, on_second, first - 1, second), a * first_calls.service
        elif a:
            yield (a - 1, on_first, on_second, first, second), a * first_calls.service
        if on_first:
            yield free_a_flexible_rep((a, on_first - 1, on_second, first, second)), on_first * first_calls.service
        if on_second:
            yield free_a_flexible_rep((a, on_first, on_second - 1, first, second)), on_second * second_calls.service

    chain = solve_stationary((0, 0, 0, 0, 0), transitions)
    busy = chain.mean(lambda state: state[0] + state[1] + state[2])
    return {
        "first.abandoned_frac": first_calls.abandons * chain.mean(lambda state: state[3]) / first_calls.rate,
        "second.abandoned_frac": second_calls.abandons * chain.mean(lambda state: state[4]) / second_calls.rate,
        "first.wait_prob": chain.mean(lambda s: s[0] == dedicated and flexible - s[1] - s[2] <= kept),
        "second.wait_prob": chain.mean(lambda s: flexible - s[1] - s[2] <= reserve),
        "second.mean_in_service": chain.mean(lambda state: state[2]),
        "occupancy_frac": busy / (dedicated + flexible),
    }


@derives("n_design")
def dedicated_and_flexible_reps():
    return n_design(4, 5, Calls(2.0, 1.0 / 3.0, 0.5), Calls(0.8, 0.25, 0.2), reserve=1, kept=0)


@derives("n_design_one_kept")
def a_flexible_rep_kept_for_the_second_kind():
    return n_design(3, 4, Calls(1.5, 1.0 / 3.0, 0.5), Calls(0.6, 0.25, 0.25), reserve=0, kept=1)


@derives("n_design_two_kept")
def two_flexible_reps_kept_for_the_second_kind():
    return n_design(4, 6, Calls(2.4, 0.4, 0.25), Calls(0.75, 0.2, 0.5), reserve=0, kept=2)


@derives("unequal_priority")
def priority_of_unequal_calls():
    """State: reps on gold and on standard calls, gold and standard calls waiting."""
    reps = 3
    gold_rate, gold_service = 0.5, 0.5
    standard_rate, standard_service = 0.15, 0.125

    def transitions(state):
        on_gold, on_standard, gold, standard = state
        is_full = on_gold + on_standard == reps
        if not is_full:
            yield (on_gold + 1, on_standard, 0, 0), gold_rate
            yield (on_gold, on_standard + 1, 0, 0), standard_rate
        if is_full and gold < 40:
            yield (on_gold, on_standard, gold + 1, standard), gold_rate
        if is_full and standard < 200:
            yield (on_gold, on_standard, gold, standard + 1), standard_rate
        for left_gold, left_standard, rate in (
            (on_gold - 1, on_standard, on_gold * gold_service),
            (on_gold, on_standard - 1, on_standard * standard_service),
        ):
            if gold:
                yield (left_gold + 1, left_standard, gold - 1, standard), rate
            elif standard:
                yield (left_gold, left_standard + 1, gold, standard - 1), rate
            else:
                yield (left_gold, left_standard, 0, 0), rate

    chain = solve_stationary((0, 0, 0, 0), transitions)
    return {
        "gold.mean_wait_s": chain.mean(lambda state: state[2]) / gold_rate * MIN_S,
        "standard.mean_wait_s": chain.mean(lambda state: state[3]) / standard_rate * MIN_S,
        "gold.wait_prob": chain.mean(lambda state: state[0] + state[1] == reps),
        "standard.wait_prob": chain.mean(lambda state: state[0] + state[1] == reps),
    }


@derives("blending_unequal")
def blending_of_unequal_calls():
    """State: reps on inbound and on outbound calls, inbound calls waiting."""
    reps, reserve = 8, 2
    inbound_rate, inbound_service, outbound_service = 1.0, 0.25, 0.5

    def filled(on_inbound: int, on_outbound: int):
        return on_inbound, max(on_outbound, reps - reserve - on_inbound), 0

    def transitions(state):
        on_inbound, on_outbound, waiting = state
        if on_inbound + on_outbound < reps:
            yield (on_inbound + 1, on_outbound, 0), inbound_rate
        elif waiting < 200:
            yield (on_inbound, on_outbound, waiting + 1), inbound_rate
        for left_inbound, left_outbound, rate in (
            (on_inbound - 1, on_outbound, on_inbound * inbound_service),
            (on_inbound, on_outbound - 1, on_outbound * outbound_service),
        ):
            if waiting:
                yield (left_inbound + 1, left_outbound, waiting - 1), rate
            else:
                yield filled(left_inbound, left_outbound), rate

    chain = solve_stationary((0, reps - reserve, 0), transitions)
    on_outbound = chain.mean(lambda state: state[1])
    return {
        "inbound.mean_wait_s": chain.mean(lambda state: state[2]) / inbound_rate * MIN_S,
        "inbound.wait_prob": chain.mean(lambda state: state[0] + state[1] == reps),
        "outbound.completed": on_outbound * outbound_service * DAY_MIN,
        "occupancy_frac": chain.mean(lambda state: state[0] + state[1]) / reps,
    }


@derives("several_reps_interrupted")
def several_reps_interrupted():
    """State: what the reps do, sorted; calls waiting; e-mails waiting.

    A rep holds one suspended e-mail at most. So whoever is at an e-mail holds none, two such reps differ in nothing
    that matters, and only those in a pick-up, who are interrupted first, need telling apart. Calls wait only while all
    reps are on calls. A rep who is done with calls goes back to the own suspended e-mail before any other work.
    """
    reps = 3
    call_rate, call_service, abandonment_rate = 0.5, 0.5, 1.0 / 3.0
    email_rate, email_service, pick_up_rate = 0.12, 1.0 / 6.0, 1.0
    idle, call, call_with_suspended, email, pick_up = range(5)

    def replaced(doing: tuple[int, ...], before: int, after: int) -> tuple[int, ...]:
        changed = list(doing)
        changed.remove(before)
        return tuple(sorted([*changed, after]))

    def transitions(state):
        doing, calls, emails = state
        if idle in doing:
            yield (replaced(doing, idle, call), 0, emails), call_rate
        elif pick_up in doing:
            yield (replaced(doing, pick_up, call_with_suspended), 0, emails), call_rate
        elif email in doing:
            yield (replaced(doing, email, call_with_suspended), 0, emails), call_rate
        elif calls < 40:
            yield (doing, calls + 1, emails), call_rate
        if idle in doing:
            yield (replaced(doing, idle, email), calls, emails), email_rate
        elif emails < 250:
            yield (doing, calls, emails + 1), email_rate
        yield (doing, calls - 1, emails), calls * abandonment_rate
        next_for_the_free = (email, emails - 1) if emails else (idle, 0)
        for before, service_rate in ((call, call_service), (call_with_suspended, call_service), (email, email_service)):
            rate = doing.count(before) * service_rate
            if not rate:
                continue
            if calls:
                yield (doing, calls - 1, emails), rate
            elif before == call_with_suspended:
                yield (replaced(doing, before, pick_up), 0, emails), rate
            else:
                after, left = next_for_the_free
                yield (replaced(doing, before, after), 0, left), rate
        if pick_up in doing:
            yield (replaced(doing, pick_up, email), calls, emails), doing.count(pick_up) * pick_up_rate

    chain = solve_stationary(((idle,) * reps, 0, 0), transitions)

    def count(*what: int) -> float:
        return chain.mean(lambda state: sum(doing in what for doing in state[0]))

    interrupted_rate = chain.mean(
        lambda state: call_rate * (idle not in state[0] and (email in state[0] or pick_up in state[0]))
    )
    calls_waiting, emails_waiting = chain.mean(lambda state: state[1]), chain.mean(lambda state: state[2])
    suspended = count(call_with_suspended)
    return {
        "voice.abandoned_frac": abandonment_rate * calls_waiting / call_rate,
        "voice.wait_prob": chain.mean(lambda state: all(doing in (call, call_with_suspended) for doing in state[0])),
        "email.interruptions_per_contact": interrupted_rate / email_rate,
        "email.pick_up_frac": count(pick_up),
        "email.mean_suspended": suspended,
        "email.mean_cycle_s": (emails_waiting + suspended + count(email, pick_up)) / email_rate * MIN_S,
        "occupancy_frac": 1.0 - count(idle) / reps,
    }


class Pick(NamedTuple):
    """A rep picks up an e-mail on which rep `worked_by` worked last."""

    worked_by: int


def pooled_reps(
    reps: int, calls_come: Calls, email_rate: float, email_service: float, pick_up: tuple[float, float]
) -> Values:
    """State: what each rep does; who worked last on the e-mail that each has suspended; calls and e-mails waiting.

    A call takes an idle rep, else one who is picking up, else one at an e-mail. A rep who is done takes a call, else
    picks up the own suspended e-mail, else one of another rep, first of all one on which it worked last itself; else
    starts an e-mail. So nobody works on one while another of its own is suspended. `pick_up` has the rates of the rep
    who worked on the e-mail last and of others. Of several reps the one goes first who does not pick up where another
    left off, then on whose e-mails fewer others are at, then of whose fewer are suspended. At most `MOST` calls, and
    e-mails, wait.
    """
    idle, call, email = "idle", "call", "email"
    nobody = None

    def in_order(doing, suspended):
        """Return the reps, the first that go first."""

        def order(rep):
            what = doing[rep]
            others_take = sum(isinstance(other, Pick) and other.worked_by == rep != place
                              for place, other in enumerate(doing))  # fmt: skip
            others_hold = sum(held == rep != place for place, held in enumerate(suspended))
            return isinstance(what, Pick) and what.worked_by != rep, others_take + others_hold, others_hold

        return sorted(range(reps), key=order)

    def free(doing, suspended, calls, emails, rep):
        """Return the state once `rep`, whose work has ended, has gone on, and whether it has taken something over."""
        own = suspended[rep]
        at = in_order(doing, suspended)
        others = [other for other in at if suspended[other] is not nobody and other != rep]
        others.sort(key=lambda other: suspended[other] != rep)
        if calls:
            return (changed(doing, rep, call), suspended, calls - 1, emails), False
        if own is not nobody:
            return (changed(doing, rep, Pick(own)), changed(suspended, rep, nobody), 0, emails), False
        if others:
            holder = others[0]
            doing = changed(doing, rep, Pick(suspended[holder]))
            return (doing, changed(suspended, holder, nobody), 0, emails), True
        if emails:
            return (changed(doing, rep, email), suspended, 0, emails - 1), False
        return (changed(doing, rep, idle), suspended, 0, 0), False

    def changed(values, place, value):
        return (*values[:place], value, *values[place + 1 :])

    def ends(state):
        """Yield (rep, rate) of all that frees a rep."""
        for rep, what in enumerate(state[0]):
            if what == call:
                yield rep, calls_come.service
            elif what == email:
                yield rep, email_service

    def disturbed(doing, suspended):
        """Return the rep who is interrupted for a call, None if there is none."""
        at = in_order(doing, suspended)
        picking_up = [rep for rep in at if isinstance(doing[rep], Pick)]
        at_email = [rep for rep in at if doing[rep] == email]
        return next(iter(picking_up + at_email), None)

    def transitions(state):
        doing, suspended, calls, emails = state
        victim = disturbed(doing, suspended)
        if idle in doing:
            first = next(rep for rep in in_order(doing, suspended) if doing[rep] == idle)
            yield (changed(doing, first, call), suspended, calls, emails), calls_come.rate
            yield (changed(doing, first, email), suspended, calls, emails), email_rate
        elif emails < MOST:
            yield (doing, suspended, calls, emails + 1), email_rate
        if idle not in doing and victim is not None:
            what = doing[victim]
            left = changed(suspended, victim, what.worked_by if isinstance(what, Pick) else victim)
            yield (changed(doing, victim, call), left, calls, emails), calls_come.rate
        elif idle not in doing and calls < MOST:
            yield (doing, suspended, calls + 1, emails), calls_come.rate
        yield (doing, suspended, calls - 1, emails), calls * calls_come.abandons
        for rep, rate in ends(state):
            yield free(*state, rep)[0], rate
        for rep, what in enumerate(doing):
            if isinstance(what, Pick):
                rate = pick_up[what.worked_by != rep]
                yield (changed(doing, rep, email), suspended, calls, emails), rate

    chain = solve_stationary(((idle,) * reps, (nobody,) * reps, 0, 0), transitions)

    def count(is_counted: Callable[[Any], bool]) -> float:
        return chain.mean(lambda state: sum(is_counted(what) for what in state[0]))

    taken_over = chain.mean(lambda state: sum(rate for rep, rate in ends(state) if free(*state, rep)[1]))
    picking_up = count(lambda what: isinstance(what, Pick))
    suspended = chain.mean(lambda state: sum(held is not nobody for held in state[1]))
    in_center = chain.mean(lambda state: state[3]) + suspended + picking_up + count(lambda what: what == email)
    let_in = email_rate * (1.0 - chain.mean(lambda state: idle not in state[0] and state[3] == MOST))
    return {
        "voice.abandoned_frac": calls_come.abandons * chain.mean(lambda state: state[2]) / calls_come.rate,
        "email.pick_up_frac": picking_up,
        "email.mean_suspended": suspended,
        "email.mean_cycle_s": in_center / let_in * MIN_S,
        "take_overs": taken_over * DAY_MIN,
        "occupancy_frac": 1.0 - count(lambda what: what == idle) / reps,
    }


MOST = 8
"""Calls, and e-mails, that wait at most, in the models of pooled work."""


@derives("pooled_two_reps")
def two_reps_with_pooled_work():
    return pooled_reps(2, Calls(0.4, 0.4, 0.25), 0.1, 0.2, (0.8, 0.4))


@derives("pooled_three_reps")
def three_reps_with_pooled_work():
    return pooled_reps(3, Calls(0.7, 0.4, 0.25), 0.16, 0.2, (0.8, 0.4))


@derives("hourly")
def hourly_rates_and_shifts():
    """State: dedicated reps busy, flexible reps busy, calls waiting. Dedicated reps take a call first.

    Flexible reps are there in the second, third and fifth hour. Those whose shift ends finish the call in hand and take
    no other."""
    dedicated, flexible, most_waiting = 4, 3, 60
    service_rate, abandonment_rate = 1.0 / 3.0, 0.5
    calls_per_hour = (40.0, 90.0, 110.0, 70.0, 100.0, 30.0)
    flexible_there = (0, flexible, flexible, 0, flexible, 0)

    def hour_chain(arrival_rate: float, there: int) -> Chain:
        def transitions(state):
            a, b, waiting = state
            if a < dedicated:
                yield (a + 1, b, waiting), arrival_rate
            elif b < there:
                yield (a, b + 1, waiting), arrival_rate
            elif waiting < most_waiting:
                yield (a, b, waiting + 1), arrival_rate
            yield (a, b, waiting - 1), waiting * abandonment_rate
            if a:
                yield (a, b, waiting - 1) if waiting else (a - 1, b, 0), a * service_rate
            if b:
                is_taken = waiting > 0 and b <= there
                yield (a, b, waiting - 1) if is_taken else (a, b - 1, waiting), b * service_rate

        every = [(a, b, 0) for a in range(dedicated + 1) for b in range(flexible + 1)]
        every += [(dedicated, b, waiting) for b in range(flexible + 1) for waiting in range(1, most_waiting + 1)]
        return build_chain(every, transitions)

    states = hour_chain(1.0, flexible).states
    place = {state: i for i, state in enumerate(states)}
    a, b, waiting = np.array(states).T
    probability = np.zeros(len(states))
    probability[place[0, 0, 0]] = 1.0
    abandoned = overtime_min = waiting_min = busy_min = 0.0
    for per_hour, there in zip(calls_per_hour, flexible_there, strict=True):
        started = np.zeros(len(states))
        for state, share in zip(states, probability, strict=True):
            taken = min(state[2], max(there - state[1], 0))  # those who come on take waiting calls at once
            started[place[state[0], state[1] + taken, state[2] - taken]] += share
        chain = hour_chain(per_hour / 60.0, there)
        assert chain.states == states
        rewards = np.array([abandonment_rate * waiting, np.maximum(b - there, 0), waiting, a + b], float)
        probability, gained = solve_transient(
            lambda time, chain=chain: chain.generator, started, 0.0, 60.0, lambda time, rewards=rewards: rewards
        )
        abandoned += gained[0]
        overtime_min += gained[1]
        waiting_min += gained[2]
        busy_min += gained[3]
    arrived = sum(calls_per_hour)
    on_floor_min = 60.0 * sum(dedicated + there for there in flexible_there) + overtime_min
    return {
        "voice.arrived": arrived,
        "voice.abandoned_frac": abandoned / arrived,
        "voice.mean_waiting": waiting_min / 360.0,
        "voice.mean_in_service": busy_min / 360.0,
        "overtime_min": overtime_min,
        "occupancy_frac": busy_min / on_floor_min,
    }


@derives("late_email")
def cost_of_late_email():
    """M/M/1: the time T of an e-mail is exponential with rate r = service rate - arrival rate. So it is late with
    probability exp(-r d), and then the hours beyond the due time are exponential with rate r again:
    E[min(c X, m)] = c / r (1 - exp(-r m / c))."""
    arrivals_per_hour, services_per_hour, due_h = 6.0, 10.0, 0.5
    value_usd, late_usd, late_prob, prob_per_hour, most_prob = 1_000.0, 2.0, 0.01, 0.02, 0.05
    at_risk_prob, at_risk_multiplier = 0.25, 2.0
    rate = services_per_hour - arrivals_per_hour
    overdue_prob = prob_per_hour / rate * (1.0 - math.exp(-rate * most_prob / prob_per_hour))
    loss_usd = 0.0
    for share, factor in ((1.0 - at_risk_prob, 1.0), (at_risk_prob, at_risk_multiplier)):
        kept = 1.0 - factor * late_prob
        loss_usd += share * value_usd * (factor * late_prob + kept * factor * overdue_prob)
    late_frac = math.exp(-rate * due_h)
    late_per_day = 24.0 * arrivals_per_hour * late_frac
    open_emails = arrivals_per_hour / rate
    return {
        "email.on_time_frac": 1.0 - late_frac,
        "cost_lateness_usd": late_per_day * (late_usd + loss_usd),
        "account_loss_usd": late_per_day * loss_usd,
        "cost_backlog_usd": 24.0 * 1.2 * open_emails,
    }


# The files themselves, and the helper.


def v11a_rates_per_hour() -> list[float]:
    (channel,) = models()["V11a"]["scenario"]["channels"]
    assert channel["arrivals"]["interval_s"] == 120
    return channel["arrivals"]["rate_per_hour"]


def test_rates_of_v11a_are_means_over_two_minutes():
    mean = [
        quad(lambda t: 30.0 * (1.2 + 0.9 * math.sin(2.0 * math.pi * (t - 120.0) / 480.0)), start, start + 2.0)[0]
        for start in range(0, 480, 2)
    ]
    assert v11a_rates_per_hour() == pytest.approx([*mean, *[0.0] * 480], abs=1e-3)


def test_steps_of_two_minutes_hardly_change_the_numbers_waiting_of_v11a():
    service_rate, reps, abandonment_rate, most = 0.25, 6, 0.5, 50
    waiting = np.maximum(np.arange(most + 1) - reps, 0)
    probability = np.zeros(most + 1)
    probability[0] = 1.0
    counted = {}
    for step, per_hour in enumerate(v11a_rates_per_hour()[:240], start=1):
        generator = birth_and_death(
            most,
            lambda present, rate=per_hour / 60.0: rate,
            lambda present: min(present, reps) * service_rate + max(present - reps, 0) * abandonment_rate,
        )
        probability = expm_multiply(2.0 * generator.T, probability)
        counted[f"voice.waiting_at_{120 * step}_s"] = float(probability @ waiting)
    written = exact_values("V11a")
    points = [metric for metric in written if ".waiting_at_" in metric]
    assert len(points) == 4
    assert [counted[point] for point in points] == pytest.approx([written[point] for point in points], rel=5e-3)


def test_batches_of_v11a_and_day_factor_have_many_episodes():
    """Their episodes are single days: a ratio of few would be off by more than its standard error."""
    assert all(models()[name]["episodes_per_batch"]["fast"] >= 20 for name in ("V11a", "day_factor", "hourly"))


def test_a_chain_of_two_states_by_hand():
    chain = solve_stationary("up", lambda state: [("down", 1.0)] if state == "up" else [("up", 3.0)])
    assert chain.mean(lambda state: state == "up") == pytest.approx(0.75)  # 3 / (1 + 3)
    assert chain.mean(lambda state: 4.0 if state == "down" else 0.0) == pytest.approx(1.0)


def test_a_chain_forgets_its_start_and_earns_what_it_should():
    """Up at time 0, down at t with probability (1 - exp(-4 t)) / 4, whose integral is t / 4 - (1 - exp(-4 t)) / 16."""
    chain = build_chain(["up"], lambda state: [("down", 1.0)] if state == "up" else [("up", 3.0)])
    end, rewards = solve_transient(
        lambda time: chain.generator, np.array([1.0, 0.0]), 0.0, 0.5, lambda time: np.array([[0.0, 1.0]])
    )
    assert end[1] == pytest.approx((1.0 - math.exp(-2.0)) / 4.0, rel=1e-8)
    assert rewards == pytest.approx([0.5 / 4.0 - (1.0 - math.exp(-2.0)) / 16.0], rel=1e-8)


def test_formulas_agree_with_chains():
    chain = one_class(5.0, 1.0 / 3.0, 18, 0.0, most=400)
    waits = waits_without_patience(5.0, 1.0 / 3.0, 18)
    assert chain.mean(lambda present: present >= 18) == pytest.approx(waits.prob)
    assert chain.mean(lambda present: max(present - 18, 0)) == pytest.approx(5.0 * waits.mean)
    assert waits.longer_than(waits.quantile(0.95)) == pytest.approx(0.05)
    lost = one_class(5.0, 1.0 / 3.0, 18, 0.0, most=18)
    assert lost.mean(lambda present: present == 18) == pytest.approx(erlang_b(15.0, 18))


def test_priority_shares_out_the_work_that_waits():
    """Kleinrock's conservation law: with equal work, the mean wait of all is that of M/M/n without priorities."""
    first, second = mean_waits_by_priority([2.0, 2.5], 1.0 / 3.0, 15)
    assert (2.0 * first + 2.5 * second) / 4.5 == pytest.approx(waits_without_patience(4.5, 1.0 / 3.0, 15).mean)
    assert mean_sojourns_by_interruption([0.3], [1.0], [2.0]) == pytest.approx([1.0 / (1.0 - 0.3)])  # M/M/1
