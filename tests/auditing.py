"""What must hold after every step of a center, whatever happens in it: the auditor counts everything again."""

from typing import Any

import numpy as np
import pytest
from playing import random_action

from envs.center_rows import CenterRows
from envs.counts import (
    Counts,
    read_counts,
)
from envs.inputs.staff_parameters import shift_changes
from envs.interface.actions import (
    ASSIGN,
    HOLD,
    INTERRUPT,
    MOST_VALUABLE,
    OFFER_CALLBACK,
    OLDEST,
    RESUME,
    SERVE,
    SERVE_PREFERRED,
    TAKE_OVER,
    WAIT,
)
from envs.interface.units import DAY_S
from envs.scenario.action_table import action_table
from envs.scenario.scenario import Scenario
from envs.simulator.events import ROUNDING_S
from envs.simulator.machine.event_list import CLOCK_HEAP, pool_heap
from envs.simulator.machine.record_types import BLOCK
from envs.simulator.machine.state import (
    AFTER_WORK,
    AWAY,
    BREAK_END,
    BY_ARRIVAL,
    BY_CLOCK,
    BY_NEXT_DUE,
    BY_URGENCY,
    BY_VALUE,
    CONTACT_SUBJECT,
    FREE,
    IN_SERVICE,
    PICKING_UP,
    REP_SUBJECT,
    RESUMING,
    SCHEDULED,
    SHIFT_START,
    SUSPENDED,
    UNUSED,
    WAITING,
    WORKING,
)
from envs.simulator.service.expectations import AGES_S
from envs.simulator.service.queues import TRIFLE_USD
from envs.spaces import observation_space
from experiments.validation.generic_checks import check_batches

BUSY = (WORKING, RESUMING, AFTER_WORK)

# --- what must hold -----------------------------------------------------------------------------------------


class Auditor:
    """Recounts the state of a center from its contacts and reps, and compares."""

    def __init__(self, scenario: Scenario, rows: CenterRows) -> None:
        self.scenario = scenario
        self.rows = rows
        self.parameters = rows.parameters[0]
        self.n_queues = len(scenario.channels)
        self.n_reps = int(self.parameters["n_reps"])
        self.n_seats = int(self.parameters["n_seats"])
        self.owner = self.parameters["owner"][: self.n_seats]
        self.n_classes = int(self.parameters["n_classes"])
        self.rep_class = self.parameters["rep_class"][: self.n_reps]
        self.skill = self.parameters["skill"][: self.n_classes, : self.n_queues]
        self.real_time = np.array([channel.is_real_time for channel in scenario.channels])
        self.changes = shift_changes(scenario)
        self.always_there = sum(group.count for group in scenario.groups if group.shifts is None)
        self.may_be_absent = self.parameters["absence_prob"][: self.n_reps] > 0
        self.actions = action_table(scenario)
        space = observation_space(rows.fields, rows.n_actions)
        self.bounds = {key: (space[key].low, space[key].high) for key in ("center", "candidates")}
        self.now_s = 0.0
        self.cost_usd = np.zeros_like(rows.states[0]["cost_usd"])
        self.events = 0.0

    def check(self) -> None:
        """Compare everything with a recount of the present state."""
        state = self.rows.states[0]
        n_slots = int(self.parameters["n_contacts"])
        # Slots are handed out from 0 on, so those beyond the customers met so far were never used.
        n_met = min(n_slots, int(state["next_demand"]) + int(state["queue_count"]["arrived"].sum()) + 1)
        self.contacts = state["slots"]["person"][:n_met]
        self.status = np.array(self.contacts["status"])
        self.queue = np.array(self.contacts["queue"])
        self.seats = state["reps"][: self.n_seats]
        self.reps = self.seats[: self.n_reps]
        assert int(state["n_unused"]) == n_slots - np.count_nonzero(self.status != UNUSED)
        self._check_money_and_time(state)
        self._check_queues(state)
        self._check_reps(state)
        self._check_seats(state)
        self._check_suspended_work()
        self._check_preferring()
        self._check_heaps(state)
        self._check_observation()

    def _check_money_and_time(self, state: Any) -> None:
        assert self.rows.elapsed_s[0] >= 0.0
        assert state["now_s"] >= self.now_s
        assert state["now_s"] <= self.parameters["horizon_s"]
        assert state["center_count"]["events"] >= self.events
        cost_usd = np.array(state["cost_usd"])
        assert (state["step_cost_usd"] >= 0.0).all()
        assert (cost_usd >= self.cost_usd).all()
        assert np.isfinite(cost_usd).all()
        self.now_s, self.cost_usd = float(state["now_s"]), cost_usd
        # Integrals over time: nobody is on the floor for longer than the clock has run.
        center, queues = state["center_count"], state["queue_count"]
        assert self.always_there * self.now_s <= center["staffed_s"] + 1e-6
        assert center["staffed_s"] <= self.n_reps * self.now_s + 1e-6
        most_held = max(self.scenario.most_held(group) for group in self.scenario.groups)
        in_service_s = queues["in_service_time_s"].sum()
        holding_s = center["busy_s"] - queues["after_work_time_s"].sum()
        assert holding_s <= in_service_s + 1e-6
        assert in_service_s <= most_held * holding_s + 1e-6
        if most_held == 1:
            assert in_service_s == pytest.approx(float(holding_s), abs=1e-6)
        assert center["all_busy_s"] <= center["busy_s"] + 1e-6
        assert queues["pick_up_s"].sum() <= center["pick_up_s"] + 1e-6
        self.events = float(state["center_count"]["events"])
        present = self.contacts[self.status != UNUSED]
        assert (present["work_left_s"] >= 0.0).all()
        assert (present["work_done_s"] >= 0.0).all()
        assert (present["pick_up_left_s"] >= 0.0).all()
        whole = present["work_left_s"] + present["work_done_s"]
        np.testing.assert_allclose(whole, present["handle_s"], rtol=1e-9, atol=1e-6)
        assert ((present["retention_prob"] >= 0.0) & (present["retention_prob"] <= 1.0)).all()

    def _count(self, *statuses: int) -> np.ndarray:
        return np.bincount(self.queue[np.isin(self.status, statuses)], minlength=self.n_queues)

    def _check_queues(self, state: Any) -> None:
        queues = state["queues"][: self.n_queues]
        count = state["queue_count"][: self.n_queues]
        np.testing.assert_array_equal(queues["waiting"], self._count(WAITING))
        np.testing.assert_array_equal(queues["in_service"], self._count(IN_SERVICE, PICKING_UP))
        np.testing.assert_array_equal(queues["suspended"], self._count(SUSPENDED))
        np.testing.assert_array_equal(queues["scheduled"], self._count(SCHEDULED))
        in_after_work = self.reps["after_work_of"][self.reps["status"] == AFTER_WORK]
        np.testing.assert_array_equal(queues["after_work"], np.bincount(in_after_work, minlength=self.n_queues))
        assert all(self.scenario.channels[queue].after_work is not None for queue in in_after_work)
        here = self.status != UNUSED
        overdue = here & (self.contacts["overdue"] != 0)
        late_and_open = np.bincount(self.queue[overdue], minlength=self.n_queues)
        # Where the promise is met by the start, whoever was started is no longer overdue, late though it was.
        overdue &= np.isfinite(self.contacts["due_s"])
        np.testing.assert_array_equal(queues["overdue"], np.bincount(self.queue[overdue], minlength=self.n_queues))
        # Conservation: whoever reached a queue was turned away, is there, or has left it in a known way.
        there = queues["waiting"] + queues["in_service"] + queues["suspended"]
        left = count["completed"] + count["abandoned"] + count["callbacks_accepted"] + count["unreached"]
        left = left + count["recalled"] - count["recalled_scheduled"]
        np.testing.assert_array_equal(count["arrived"], count["blocked"] + there + left)
        # What is left open are those who are there, but for the head of an unlimited list.
        waits_unasked = (self.status == WAITING) & (self.contacts["interruptions"] == 0)
        listed = np.bincount(self.queue[waits_unasked], minlength=self.n_queues)
        listed *= [channel.is_unlimited for channel in self.scenario.channels]
        np.testing.assert_array_equal(read_counts(state)["left"]["open"][: self.n_queues], there - listed)
        # Those who come back and are not here yet are scheduled.
        n_listed = self._count_listed(state)
        n_returned = count["arrived"].sum() - state["next_demand"] - n_listed
        n_to_return = sum(count[key].sum() for key in ("redialled", "reworked", "deferred", "returned", "escalated"))
        n_to_return += count["callbacks_accepted"].sum() - count["callbacks_refused"].sum()
        n_to_return += count["unreached"].sum() - count["given_up"].sum() - count["recalled_scheduled"].sum()
        assert n_returned + np.count_nonzero(self.status == SCHEDULED) == n_to_return
        assert (count["redialled"] <= count["abandoned"]).all()
        assert (count["reworked"] <= count["errors"]).all()
        assert (count["errors"] <= count["completed"]).all()
        assert (count["callbacks_accepted"] <= count["callbacks_offered"]).all()
        assert (count["unresolved"] + count["errors"] + count["deferred"] <= count["completed"]).all()
        assert (count["returned"] + count["escalated"] <= count["unresolved"]).all()
        assert (count["first_resolved"] <= count["first_contacts"]).all()
        deferred = ~self.real_time
        on_time_or_late = count["on_time"] + count["late"] - late_and_open
        ended = count["completed"] + count["given_up"] + count["recalled"]
        np.testing.assert_array_equal(ended[deferred], on_time_or_late[deferred])
        assert (count["abandoned"][deferred] == 0).all()
        assert (count["interruptions"][self.real_time] == 0).all()
        n_started_and_here = (
            count["completed"]
            + count["unreached"]
            + queues["in_service"]
            + queues["suspended"]
            + self._started_but_waiting()
        )
        # A debt that was interrupted, and whose rep has left, may be taken back while it waits.
        n_taken_back = count["started"] - n_started_and_here
        assert ((n_taken_back >= 0) & (n_taken_back <= count["recalled"] - count["recalled_scheduled"])).all()
        assert (count["lost"] == 0).all()
        for key in ("arrived", "blocked", "abandoned", "started", "completed", "on_time", "late"):
            assert state["band_count"][key].sum() == count[key].sum()
        np.testing.assert_allclose(
            state["band_count"]["account_loss_usd"].sum(), count["account_loss_usd"].sum(), rtol=1e-9
        )

    def _count_listed(self, state: Any) -> int:
        """Return how many contacts of unlimited lists have come in."""
        queues = state["queues"][: self.n_queues]
        lengths = queues["end_supply"] - queues["first_supply"]
        return int((queues["next_supply"] - queues["first_supply"] + queues["supply_round"] * lengths).sum())

    def _started_but_waiting(self) -> np.ndarray:
        """Work that was interrupted and whose rep has left: it waits again."""
        again = (self.status == WAITING) & (self.contacts["interruptions"] > 0)
        return np.bincount(self.queue[again], minlength=self.n_queues)

    def _check_reps(self, state: Any) -> None:
        status, contact = self.reps["status"], self.reps["contact"]
        busy = np.isin(status, BUSY)
        on_shift = self.reps["on_shift"] != 0
        assert (busy | np.isin(status, (AWAY, FREE))).all()
        assert state["n_working"] == np.count_nonzero(busy & (status != RESUMING))
        assert state["n_resuming"] == np.count_nonzero(status == RESUMING)
        on_break = self.reps["on_break"] != 0
        assert state["n_staffed"] == np.count_nonzero(on_shift | (on_break & busy))
        assert state["n_overtime"] == np.count_nonzero(busy & ~on_shift & ~on_break)
        assert not (on_shift & on_break).any()
        assert (on_shift | (status == AWAY) | busy).all()
        assert not (on_shift & (status == AWAY)).any()
        assert (contact[~busy | (status == AFTER_WORK)] == -1).all()
        assert (state["rep_event_s"][: self.n_reps][busy] >= self.now_s - ROUNDING_S).all()
        assert np.isfinite(state["rep_event_s"][: self.n_reps][busy]).all()
        blocks = state["rep_event_s"].reshape(-1, BLOCK).min(axis=1)
        np.testing.assert_array_equal(state["block_event_s"], blocks)
        self._check_shifts(on_shift)
        interruptible = np.array([self._is_interruptible(rep) for rep in range(self.n_reps)])
        for k in range(self.n_classes):
            record = state["classes"][k]
            free = np.flatnonzero((self.seats["seat_class"] == k) & (self.seats["status"] == FREE))
            assert record["n_free"] == len(free)
            assert record["n_interruptible"] == np.count_nonzero((self.rep_class == k) & interruptible)
            self._check_free_list(record, free)
        self.interruptible = interruptible

    def _check_seats(self, state: Any) -> None:
        """One contact per busy seat, but in after-contact work, none for others, none held twice; the first seats
        without a gap; no rep beyond its capacity; each contact at the speed that goes with the number held; the next
        seat open if there is room."""
        holds = np.isin(self.seats["status"], (WORKING, RESUMING))
        assert (self.seats["status"][self.n_reps :] != AFTER_WORK).all()
        held = self.seats["contact"][holds]
        in_hand = np.flatnonzero(np.isin(self.status, (IN_SERVICE, PICKING_UP)))
        assert sorted(held.tolist()) == in_hand.tolist()
        for seat in np.flatnonzero(holds):
            contact = self.seats["contact"][seat]
            assert self.contacts["rep"][contact] == seat
            assert self.skill[self.rep_class[self.owner[seat]], self.queue[contact]]
            assert self.status[contact] == (PICKING_UP if self.seats["status"][seat] == RESUMING else IN_SERVICE)
            assert state["rep_event_s"][seat] >= self.now_s - ROUNDING_S
        for rep in range(self.n_reps):
            self._check_seats_of(rep, np.isin(self.seats["status"], BUSY))

    def _check_seats_of(self, rep: int, busy: np.ndarray) -> None:
        mine = np.flatnonzero(self.owner == rep)  # in order of their places
        n_held = int(self.reps["n_held"][rep])
        assert busy[mine].tolist() == [True] * n_held + [False] * (len(mine) - n_held)
        group = self.scenario.groups[self._group_of(rep)]
        units_left = group.capacity_units
        for seat in mine[:n_held]:
            if self.seats["status"][seat] == AFTER_WORK:  # takes the rep whole
                assert n_held == 1
                units_left = 0
                continue
            contact = self.seats["contact"][seat]
            concurrency = self.scenario.channels[self.queue[contact]].concurrency
            units_left -= units_left if concurrency is None else concurrency.units
            assert n_held == 1 or concurrency is not None
            if self.seats["status"][seat] == WORKING:
                speed = self.parameters["speed"][self.rep_class[rep], self.queue[contact]]
                speed *= self.scenario.preferred_rep.speed if self.contacts["preferred"][contact] == rep else 1.0
                speed *= 1.0 if concurrency is None else concurrency.speed_frac[n_held - 1]
                assert self.seats["speed"][seat] == pytest.approx(speed, rel=1e-12)
        assert units_left >= 0
        fitting = {
            i
            for i, channel in enumerate(self.scenario.channels)
            if channel.name in group.skills and channel.concurrency and channel.concurrency.units <= units_left
        }
        if n_held > 0 and self.reps["on_shift"][rep] and fitting:
            (open_seat,) = mine[n_held : n_held + 1]
            assert self.reps["open_seat"][rep] == open_seat
            assert set(np.flatnonzero(self.skill[self.seats["seat_class"][open_seat]])) == fitting
        else:
            assert self.reps["open_seat"][rep] == -1
        is_free = self.seats["status"][mine[1:]] == FREE
        assert (self.seats["status"][mine[1:]][~busy[mine[1:]] & ~is_free] == AWAY).all()
        assert mine[1:][is_free].tolist() == [seat for seat in [self.reps["open_seat"][rep]] if seat >= 0]

    def _group_of(self, rep: int) -> int:
        ends = np.cumsum([group.count for group in self.scenario.groups])
        return int(np.searchsorted(ends, rep, side="right"))

    def _is_interruptible(self, rep: int) -> bool:
        person = self.reps[rep]
        if not person["on_shift"] or person["n_suspended"] >= self.scenario.suspended_limit:
            return False
        if person["status"] == RESUMING:
            return True
        return bool(person["status"] == WORKING and self.scenario.channels[self.queue[person["contact"]]].interruptible)

    def _check_free_list(self, record: Any, free: np.ndarray) -> None:
        listed = []
        before, rep = -1, int(record["first_free"])
        while rep != -1:
            listed.append(rep)
            assert self.seats["previous_free"][rep] == before
            before, rep = rep, int(self.seats["next_free"][rep])
            assert len(listed) <= self.n_seats
        assert record["last_free"] == before
        assert sorted(listed) == free.tolist()
        idle_since_s = self.seats["idle_since_s"][listed]
        assert (np.diff(idle_since_s) >= 0.0).all()

    def _check_shifts(self, on_shift: np.ndarray) -> None:
        expected = np.zeros(self.n_reps, bool)
        for time_s, kind, rep, _ in self.changes:
            if time_s <= self.now_s:  # all of this second's, before anybody is asked
                expected[rep] = kind in (SHIFT_START, BREAK_END)
        absent = self.reps["absent"] != 0
        assert (self.may_be_absent | ~absent).all()
        expected &= ~absent
        np.testing.assert_array_equal(on_shift, expected)

    def _check_suspended_work(self) -> None:
        found = []
        for rep in range(self.n_reps):
            contact, n_mine = int(self.reps["suspended"][rep]), 0
            while contact != -1:
                assert self.contacts["rep"][contact] == rep
                assert self.contacts["interruptions"][contact] > 0
                found.append(contact)
                n_mine += 1
                assert n_mine <= self.scenario.suspended_limit
                contact = int(self.contacts["next_suspended"][contact])
            assert self.reps["n_suspended"][rep] == n_mine
            assert n_mine == 0 or self.reps["status"][rep] != AWAY or self.reps["on_break"][rep]
        assert sorted(found) == np.flatnonzero(self.status == SUSPENDED).tolist()

    def _check_preferring(self) -> None:
        """The lists of those who wait for a rep hold exactly those who do, oldest first."""
        for rep in range(self.n_reps):
            listed, contact = [], int(self.reps["first_preferring"][rep])
            while contact != -1:
                listed.append(contact)
                contact = int(self.contacts["next_preferring"][contact])
            waiting = np.flatnonzero((self.status == WAITING) & (self.contacts["preferred"] == rep))
            assert sorted(listed) == waiting.tolist()
            assert (np.diff(self.contacts["arrival_s"][listed]) >= 0.0).all()
            assert self.reps["last_preferring"][rep] == (listed[-1] if listed else -1)

    def _check_heaps(self, state: Any) -> None:
        waiting = self.status == WAITING
        for q in range(self.n_queues):
            mine = waiting & (self.queue == q)
            # Where ages are not part of the state, overdue contacts stand behind the others.
            behind = self.contacts["overdue"] * (self.scenario.observation == "markov")
            arrival_s = self.contacts["arrival_s"] + AGES_S * behind
            self._check_heap(state, 4 * q + BY_ARRIVAL, BY_ARRIVAL, mine, arrival_s)
            self._check_heap(state, 4 * q + BY_VALUE, BY_VALUE, mine, TRIFLE_USD * behind - self.contacts["value_usd"])
            if not self.real_time[q]:
                self._check_heap(state, 4 * q + BY_URGENCY, BY_URGENCY, mine, None)
                in_time = mine & (self.contacts["overdue"] == 0)
                self._check_heap(state, 4 * q + BY_NEXT_DUE, BY_NEXT_DUE, in_time, None)
        self._check_pool(state)
        if state["done"]:
            return  # the clocks were taken off
        clocked = np.flatnonzero(state["slots"]["heap_place"][: len(self.status), BY_CLOCK] >= 0)
        clocked = clocked[self.status[clocked] != UNUSED]
        inside = np.zeros(len(self.status), bool)
        inside[clocked] = True
        assert inside[self.status == SCHEDULED].all()
        due = ~self.real_time[self.queue] & np.isin(self.status, (WAITING, IN_SERVICE, PICKING_UP, SUSPENDED))
        due &= np.isfinite(self.contacts["due_s"]) & (self.contacts["overdue"] == 0)
        assert inside[due].all()
        assert not inside[self.real_time[self.queue] & np.isin(self.status, (IN_SERVICE,))].any()
        self._check_heap(state, CLOCK_HEAP, BY_CLOCK, inside, None)

    def _check_pool(self, state: Any) -> None:
        """Suspended contacts stand where others find them; a free rep is shown the first of all that others hold."""
        if not self.scenario.pools_suspended_work:
            return
        for q in range(self.n_queues):
            mine = (self.status == SUSPENDED) & (self.queue == q)
            for order in (BY_URGENCY, BY_VALUE):
                self._check_heap(state, pool_heap(state, q, order), order, mine, None)
        if state["subject_kind"] != REP_SUBJECT or self.scenario.observation == "markov":
            return
        rep = int(state["subject"])
        skilled = self.skill[int(self.seats["seat_class"][rep])][self.queue] != 0
        others = np.flatnonzero((self.status == SUSPENDED) & (self.contacts["rep"] != rep) & skilled)
        named = []
        for lens, keys in enumerate((state["slots"]["heap_key"][:, BY_URGENCY], -self.contacts["value_usd"])):
            first = min(others, key=lambda contact: (keys[contact], self.contacts["sequence"][contact]), default=-1)
            action = int(self.parameters["take_over_action"][lens])
            assert bool(state["action_mask"][action]) == (first >= 0 and first not in named)
            if state["action_mask"][action]:
                assert state["action_contact"][action] == first
            named.append(first)

    def _check_heap(self, state: Any, heap: int, order: int, members: np.ndarray, keys: np.ndarray | None) -> None:
        size = int(state["heap_size"][heap])
        items = state["slots"]["heap_item"][:size, heap]
        assert sorted(items.tolist()) == np.flatnonzero(members).tolist()
        np.testing.assert_array_equal(state["slots"]["heap_place"][items, order], np.arange(size))
        key = state["slots"]["heap_key"][items, order]
        if keys is not None:
            np.testing.assert_array_equal(key, keys[items])
        rank = list(zip(key.tolist(), self.contacts["sequence"][items].tolist(), strict=True))
        for place in range(1, size):
            assert rank[(place - 1) // 2] < rank[place]

    def _check_observation(self) -> None:
        for key, (low, high) in self.bounds.items():
            values = getattr(self.rows, key)[0]
            assert (values >= low).all(), key
            assert (values <= high).all(), key

    def check_question(self) -> None:
        """Compare the open actions with what the state allows."""
        state = self.rows.states[0]
        mask = np.array(state["action_mask"])[: len(self.actions)]
        np.testing.assert_array_equal(mask, self.rows.mask[0])
        assert mask[0] == 1
        assert state["n_legal"] == mask.sum()
        if state["done"]:
            assert mask.sum() == 1
            return
        assert mask.sum() >= 2
        kind, subject = int(state["subject_kind"]), int(state["subject"])
        served = {q: [] for q in range(self.n_queues)}
        named: dict[int, list[int]] = {ASSIGN: [], INTERRUPT: []}
        for i, action in enumerate(self.actions):
            contact, rep = int(state["action_contact"][i]), int(state["action_rep"][i])
            if not mask[i]:
                assert (contact, rep) == (-1, -1)
                continue
            if action.kind == SERVE:
                assert (kind, rep) == (REP_SUBJECT, subject)
                assert self.status[contact] == WAITING
                if action.lens == SERVE_PREFERRED:
                    assert self.contacts["preferred"][contact] == self.owner[rep]
                else:
                    assert self.queue[contact] == action.queue
                    self._check_lens(action.queue, action.lens, contact)
                served[self.queue[contact]].append(contact)
            elif action.kind == RESUME:
                assert (kind, rep) == (REP_SUBJECT, subject)
                assert self.status[contact] == SUSPENDED
                assert self.contacts["rep"][contact] == rep
            elif action.kind == TAKE_OVER:
                assert (kind, rep) == (REP_SUBJECT, subject)
                assert self.status[contact] == SUSPENDED
                assert self.contacts["rep"][contact] != rep
            elif action.kind != WAIT:
                assert (kind, contact) == (CONTACT_SUBJECT, subject)
            if action.kind == HOLD:
                assert any(self.actions[j].kind == ASSIGN for j in np.flatnonzero(mask)), "held from nobody"
            if action.kind in (SERVE, RESUME, TAKE_OVER, ASSIGN):
                assert self.seats["status"][rep] == FREE
                assert self.reps["on_shift"][self.owner[rep]]
                assert self.skill[self.seats["seat_class"][rep], self.queue[contact]]
            if action.kind == INTERRUPT:
                assert self.interruptible[rep]
                assert self.skill[self.rep_class[rep], self.queue[contact]]
            if action.kind in named:
                named[action.kind].append(rep)
            if action.kind == OFFER_CALLBACK:
                assert not self.contacts["offered"][contact]
                assert self.scenario.channels[self.queue[contact]].callback_offer is not None
        for names in [*served.values(), *named.values()]:
            assert len(set(names)) == len(names), "two open actions mean the same"
        if kind == CONTACT_SUBJECT:
            assert self.status[subject] == WAITING
            assert self.real_time[self.queue[subject]]
        else:
            assert kind == REP_SUBJECT
            assert self.seats["status"][subject] == FREE

    def _check_lens(self, queue: int, lens: int, contact: int) -> None:
        mine = np.flatnonzero((self.status == WAITING) & (self.queue == queue))
        if lens == OLDEST:
            in_time = mine[self.contacts["overdue"][mine] == 0]
            if self.scenario.observation == "markov" and len(in_time):
                mine = in_time
            assert self.contacts["arrival_s"][contact] == self.contacts["arrival_s"][mine].min()
        if lens == MOST_VALUABLE:
            assert self.contacts["value_usd"][contact] == self.contacts["value_usd"][mine].max()


def check_exact_laws(scenario: Scenario, counts: list[Counts]) -> None:
    """Put each episode to flow balance and Little's law, which hold whatever happens in it."""
    for count in counts:
        for check in check_batches(scenario, [count], 1):
            assert check.passed, check.text


def play_and_audit(scenario: Scenario, seed: int) -> None:
    """Play an episode with random open actions, and audit the state after every step."""
    rows = CenterRows(scenario, 1)
    rows.start(rows.all_rows, np.array([seed]), np.array([0]))
    auditor = Auditor(scenario, rows)
    generator = np.random.default_rng(seed)
    auditor.check()
    auditor.check_question()
    held: set[int] = set()  # of the present pass
    while not rows.done[0]:
        action, pass_number = random_action(generator, rows.mask[0]), int(rows.states[0]["pass_number"])
        kind, subject = auditor.actions[action].kind, int(rows.states[0]["subject"])
        rows.step(rows.all_rows, np.array([action]))
        auditor.check()
        auditor.check_question()
        if rows.states[0]["pass_number"] > pass_number or kind not in (WAIT, HOLD):
            held.clear()
        elif kind == HOLD:
            held.add(subject)
        meant = rows.states[0]["action_contact"][: len(auditor.actions)]
        assert not held & set(meant[rows.mask[0] != 0].tolist()), "a held contact is in question"
    assert rows.states[0]["now_s"] == scenario.horizon.days * DAY_S
    assert rows.metrics(0)["lost"] == 0.0
    check_exact_laws(scenario, [read_counts(rows.states[0])])
