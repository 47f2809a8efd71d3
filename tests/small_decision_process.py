"""Test helper: the least average cost of a small center, from a second model that shares no code with the project.

Two classes. Class 1 abandons. Class 2 is either the same or e-mail that nobody abandons and that class 1 may interrupt;
the rep then has to find its thread again before the work goes on. Some reps serve class 1 only. Whoever arrives joins
the line before anybody decides; a full line blocks. After every transition each rep may be given something: a start, a
resumption, or an interruption.
"""

from dataclasses import dataclass

import numpy as np

# What a flexible rep does.
IDLE, FIRST, SECOND, PICK_UP = range(4)
Place = tuple[
    int, int, int, tuple[tuple[int, int], ...]
]  # lines 1 and 2, dedicated reps busy, flexible (doing, suspended)


@dataclass(frozen=True)
class SmallCenter:
    """Rates per minute; `limit` are those who may wait; `suspended` of 0: nothing is interrupted."""

    arrival: tuple[float, float]
    service: tuple[float, float]
    abandonment: tuple[float, float]
    limit: tuple[int, int]
    loss: tuple[float, float]  # of one who abandons
    blocked: tuple[float, float]
    holding: float  # of each of class 2 in the center, a minute
    dedicated: int
    flexible: int
    suspended: int = 0
    pick_up: float = 1.0

    def decisions(self, place: Place) -> set[Place]:
        """Return the places among which a decision chooses: every rep may be given something once, or nothing."""
        first, second, dedicated, reps = place
        found = set()
        for more in range(1 + min(first, self.dedicated - dedicated)):
            partial = {(first - more, second, ())}
            for doing, suspended in reps:
                partial = {
                    (line_1, line_2, (*given, now))
                    for before_1, before_2, given in partial
                    for line_1, line_2, now in self.of_rep(before_1, before_2, doing, suspended)
                }
            found |= {(line_1, line_2, dedicated + more, tuple(sorted(given))) for line_1, line_2, given in partial}
        return found

    def of_rep(self, first: int, second: int, doing: int, suspended: int) -> list[tuple[int, int, tuple[int, int]]]:
        """Return what may become of the lines and of a flexible rep."""
        found = [(first, second, (doing, suspended))]
        if doing == IDLE:
            if first:
                found.append((first - 1, second, (FIRST, suspended)))
            if second:
                found.append((first, second - 1, (SECOND, suspended)))
            if suspended:
                found.append((first, second, (PICK_UP, suspended - 1)))
        elif doing != FIRST and first and suspended < self.suspended:
            found.append((first - 1, second, (FIRST, suspended + 1)))
        return found

    def events(self, place: Place) -> list[tuple[float, Place, float]]:
        """Return (rate, place, cost) of every transition."""
        first, second, dedicated, reps = place
        found: list[tuple[float, Place, float]] = []
        for k, line in enumerate((first, second)):
            longer = (first + 1, second) if k == 0 else (first, second + 1)
            full = line == self.limit[k]
            after = place if full else (*longer, dedicated, reps)
            found.append((self.arrival[k], after, self.blocked[k] if full else 0.0))
            if line and self.abandonment[k]:
                shorter = (first - 1, second) if k == 0 else (first, second - 1)
                found.append((line * self.abandonment[k], (*shorter, dedicated, reps), self.loss[k]))
        if dedicated:
            found.append((dedicated * self.service[0], (first, second, dedicated - 1, reps), 0.0))
        for i, (doing, suspended) in enumerate(reps):
            if doing != IDLE:
                rate = {FIRST: self.service[0], SECOND: self.service[1], PICK_UP: self.pick_up}[doing]
                then = SECOND if doing == PICK_UP else IDLE
                changed = tuple(sorted((*reps[:i], (then, suspended), *reps[i + 1 :])))
                found.append((rate, (first, second, dedicated, changed), 0.0))
        return found

    def cost_rate(self, place: Place) -> float:
        """Return the cost of a minute in a place."""
        _, second, _, reps = place
        present = second + sum(suspended + (doing in (SECOND, PICK_UP)) for doing, suspended in reps)
        return self.holding * present

    def least_cost(self, precision: float = 1e-9) -> float:
        """Return the least average cost a minute, by value iteration of the uniformized chain."""

        start: Place = (0, 0, 0, ((IDLE, 0),) * self.flexible)
        numbers, waiting = {start: 0}, [start]
        edges = []  # (from, rate, cost, the places among which the decision chooses)
        while waiting:
            place = waiting.pop()
            for rate, after, cost in self.events(place):
                chosen = []
                for option in self.decisions(after):
                    if option not in numbers:
                        numbers[option] = len(numbers)
                        waiting.append(option)
                    chosen.append(numbers[option])
                edges.append((numbers[place], rate, cost, chosen))
        size = len(numbers)
        start_of = np.array([edge[0] for edge in edges])
        rates = np.array([edge[1] for edge in edges])
        costs = np.array([edge[2] for edge in edges])
        options = np.concatenate([edge[3] for edge in edges])
        firsts = np.cumsum([0] + [len(edge[3]) for edge in edges[:-1]])
        cost_rate = np.zeros(size)
        for place, number in numbers.items():
            cost_rate[number] = self.cost_rate(place)
        outflow = np.bincount(start_of, rates, size)
        speed = 1.05 * outflow.max()
        values = np.zeros(size)
        while True:
            best = np.minimum.reduceat(values[options], firsts)
            gain = np.bincount(start_of, rates * (costs + best), size)
            following = (cost_rate + gain + (speed - outflow) * values) / speed
            change = (following - values) * speed
            if change.max() - change.min() < precision:
                return float((change.max() + change.min()) / 2)
            values = following - following[0]
