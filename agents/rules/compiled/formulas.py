"""The formulas of the index rules, and the settings that they and their components read.

Room: `agents.rules.compiled`. Reads a row of candidates; `agents.rules.index_rule` writes `settings`, and
`agents.rules.compiled.index` serves the contact of the highest index.

`settings` is a line of float64: what holds for the whole center (`I_…`), then a block for every queue (`B_…`); exported
policies keep these as the ranking of their prior. Behind them stand, for an index rule that acts by itself, the reps
with each queue's skill who are kept free of all other queues. The formula of the index is one of `FORMULAS`. Around it
stand the components that go with any of them: reps kept free of a queue, interruptions, callback offers, contacts held
for the reps who suit them.

Notation of the formulas: stake is `stake_usd` of the contact, what breaking its promise costs (an abandonment; missing
the due time); 1/tau `B_PROMISE_PER_H` of its queue, one over the mean time until the promise breaks (mean patience;
time to the due time), 0 where nothing breaks; mu `B_SERVICES_PER_H`, one over the mean time of a rep; running the cost
of waiting that runs already, USD per hour: `loss_usd_per_hour` of real-time contacts and of overdue ones, else the
holding cost.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from envs.interface.fields import (
    C_ABANDON_RATE,
    C_EXPECTED_WORK,
    C_INTERRUPTIONS,
    C_LOSS_RATE,
    C_OVERDUE,
    C_PICK_UP,
    C_REAL_TIME,
    C_REP_IDLE,
    C_SLACK,
    C_STAKE,
    C_WAITED,
)
from envs.interface.units import HOUR_S
from envs.simulator.machine.compilation import compiled

COMPONENT_MODES = ("never", "always", "priced")
"""Modes of interruptions and of callback offers. The place is the code."""
MODE_NEVER, MODE_ALWAYS, MODE_PRICED = range(len(COMPONENT_MODES))
ANYBODY, AT_HOME, PREFERRED = range(3)
"""For whom contacts are held: nobody in particular, reps at home, the preferred rep."""
(
    I_FORMULA,
    I_POWER,  # of the delay cost
    I_LOOK_AHEAD_H,  # of the apparent tardiness
    I_LEAVE_PER_H,  # rate of leaving taken for contacts that cannot leave
    I_IDLE_PER_S,  # slope of the rep's idle time
    I_FLOOR,  # nothing of a lower index is started
    I_ASSIGN,  # lens
    I_SUITS,  # for whom contacts are held
    I_HOLD_S,  # how long
    I_RESERVE_PER_FORECAST,  # reps per 100 real-time arrivals an hour, kept free of deferred work
    I_RESERVE_PER_POINT,  # reps per percentage point of service level short, kept free of deferred work
    I_RESERVE_BY_STAKE,  # reps kept free of a real-time contact per factor e that its stake is below the next setting
    I_OPEN_STAKE_USD,  # from this stake on none are
    I_URGENT_RELIEF,  # reps fewer kept free of deferred work that is due now
    I_URGENT_H,  # scale of the time to the due time over which that fades, hours
    I_TARGET_FRAC,  # service level, where the statement of work gives none
    I_INTERRUPT,  # mode
    I_INTERRUPT_GAIN,
    I_REP_HOUR_USD,
    I_OFFER,  # mode
    I_OFFER_PRICE_FACTOR,
    I_OFFER_MARGIN_USD,
) = range(22)
I_FIRST_BLOCK = I_OFFER_MARGIN_USD + 1
(
    B_FACTOR,  # of the index
    B_CLASS,  # classes go before indices, the lower first
    B_RESERVE,  # reps kept free of the queue
    B_INTERRUPTS,  # 1: its contacts may interrupt
    B_CONSTANT,
    B_SLOPE_PER_S,
    B_COST,  # mean cost rate of waiting, USD per hour
    B_OVERDUE_COST,  # the same once overdue
    B_HOLDING,  # USD per hour
    B_PROMISE_PER_H,
    B_SERVICES_PER_H,
    B_DRAIN_PER_H,  # rate at which the queue runs empty
    B_WORK_S,  # mean time of a rep
    B_AFTER_WORK_S,
    B_PICK_UP_S,
    B_ABANDON_PER_H,  # one over mean patience
    B_STAKE_USD,  # stake of a customer without value
    B_STAKE_PER_VALUE,
    B_LOSS_USD_H,  # once the promise is broken, of a customer without value, USD per hour
    B_LOSS_PER_VALUE_H,
    B_HAS_HOME,  # 1: some rep has the queue as home
) = range(21)
N_BLOCK = B_HAS_HOME + 1
CLASS_STEP = 1e7
"""Between the indices of two classes: more than any due time in the observation, seconds."""
LAGUERRE_NODES, LAGUERRE_WEIGHTS = np.polynomial.laguerre.laggauss(8)
"""Gauss-Laguerre quadrature: E[f(X)] = sum of w f(x) for X ~ Exp(1), exact for polynomials up to degree 15."""


@compiled
def _running_usd_per_hour(block, row):
    """Return the cost of waiting that runs already for the contact of `row`, a row of `candidates`, USD per hour;
    `block` is the line of B_ settings of its queue."""
    return row[C_LOSS_RATE] if row[C_REAL_TIME] or row[C_OVERDUE] else block[B_HOLDING]


@compiled
def linear(settings, block, row):
    """Return constant of the queue + slope x wait + slope x the rep's idle time, in the unit of the settings.

    With idle times weight-based routing (Chan, Koole and L'Ecuyer 2014, Manufacturing & Service Operations Management
    16(4)); with slopes one over the promised lead time the generalized largest delay (Van Mieghem 2003, Operations
    Research 51(1)); with slope 1 alone first come, first served; with constants alone a strict order.
    """
    return block[B_CONSTANT] + block[B_SLOPE_PER_S] * row[C_WAITED] + settings[I_IDLE_PER_S] * row[C_REP_IDLE]


@compiled
def cmu(settings, block, row):
    """Return c mu, USD per hour squared, with the queue's mean cost rate c (Cox and Smith 1961, Queues; Buyukkoc,
    Varaiya and Walrand 1985, Advances in Applied Probability 17(1))."""
    return (block[B_OVERDUE_COST] if row[C_OVERDUE] else block[B_COST]) * block[B_SERVICES_PER_H]


@compiled
def value_cmu(settings, block, row):
    """Return c mu, USD per hour squared, with the contact's own cost rate, c = stake / tau + running."""
    return (row[C_STAKE] * block[B_PROMISE_PER_H] + _running_usd_per_hour(block, row)) * block[B_SERVICES_PER_H]


@compiled
def _marginal_cost(settings, block, row, age_h):
    """Return C'(age), USD per hour, of the delay cost C(a) = stake (a / tau)^p + running a."""
    power, per_hour = settings[I_POWER], block[B_PROMISE_PER_H]
    steep = power * row[C_STAKE] * per_hour * (per_hour * age_h) ** (power - 1.0)
    return steep + _running_usd_per_hour(block, row)


@compiled
def generalized_cmu(settings, block, row):
    """Return C'(a) mu, USD per hour squared, at age a (Van Mieghem 1995, Annals of Applied Probability 5(3); Mandelbaum
    and Stolyar 2004, Operations Research 52(6)), with the delay cost C(a) = stake (a / tau)^p + running a."""
    return _marginal_cost(settings, block, row, row[C_WAITED] / HOUR_S) * block[B_SERVICES_PER_H]


@compiled
def whittle(settings, block, row):
    """Return mu E[C'(a + X)], USD per hour squared, with X exponential of rate mu - lambda, the rate at which the queue
    runs empty (Li, Gurushankar, Harchol-Balter and Scheller-Wolf 2025, arXiv 2504.10622), with the delay cost of
    `generalized_cmu`; the expectation by Gauss-Laguerre quadrature."""
    mean = 0.0
    for i in range(LAGUERRE_NODES.shape[0]):
        age_h = row[C_WAITED] / HOUR_S + LAGUERRE_NODES[i] / block[B_DRAIN_PER_H]
        mean += LAGUERRE_WEIGHTS[i] * _marginal_cost(settings, block, row, age_h)
    return mean * block[B_SERVICES_PER_H]


@compiled
def _leaving_index(settings, block, row, theta_per_h):
    """Return c mu / theta, USD per hour, with c = running + theta stake; who cannot leave keeps the stake."""
    if theta_per_h <= 0.0:
        return _running_usd_per_hour(block, row) * block[B_SERVICES_PER_H] / settings[I_LEAVE_PER_H]
    cost = _running_usd_per_hour(block, row) + theta_per_h * row[C_STAKE]
    return cost * block[B_SERVICES_PER_H] / theta_per_h


@compiled
def cmu_theta(settings, block, row):
    """Return c mu / theta, USD per hour, with c = running + theta stake, theta = 1 / tau (Atar, Giat and Shimkin 2010,
    Operations Research 58(5)); of contacts that cannot leave, overdue ones included, theta = `I_LEAVE_PER_H` and no
    stake."""
    return _leaving_index(settings, block, row, 0.0 if row[C_OVERDUE] else block[B_PROMISE_PER_H])


@compiled
def hazard_cmu_theta(settings, block, row):
    """Return the index of `cmu_theta` with the hazard of abandonment at the present wait instead of theta,
    `I_LEAVE_PER_H` at least (Long, Shimkin, Zhang and Zhang 2020, Operations Research 68(4): generalized c mu / h)."""
    if not row[C_REAL_TIME] or block[B_ABANDON_PER_H] <= 0.0:
        return cmu_theta(settings, block, row)
    return _leaving_index(settings, block, row, max(row[C_ABANDON_RATE], settings[I_LEAVE_PER_H]))


@compiled
def earliest_due_date(settings, block, row):
    """Return minus the seconds to the due time (Jackson 1955); a caller's is the service-level threshold.

    The due time is slack + mean remaining handle time, which is the expected work less after-contact work and pick-up
    (of a rep of speed 1).
    """
    if row[C_REAL_TIME]:
        return -row[C_SLACK]
    beside_s = block[B_AFTER_WORK_S]
    if row[C_INTERRUPTIONS] > 0.0:  # the row tells the pick-up where reps differ in it
        beside_s += row[C_PICK_UP] if row[C_PICK_UP] > 0.0 else block[B_PICK_UP_S]
    return -(row[C_SLACK] + max(row[C_EXPECTED_WORK] - beside_s, 0.0))


@compiled
def least_slack(settings, block, row):
    """Return minus the slack, seconds; a caller's is the time to the service-level threshold."""
    return -row[C_SLACK]


@compiled
def apparent_tardiness(settings, block, row):
    """Return stake / work x exp(-max(slack, 0) / K), K = k times the mean work (Vepsalainen and Morton 1987, Management
    Science 33(8)), USD per hour; once overdue running x K / work."""
    look_ahead_h = settings[I_LOOK_AHEAD_H]
    work_h = max(row[C_EXPECTED_WORK], 1.0) / HOUR_S
    if row[C_OVERDUE]:
        return row[C_LOSS_RATE] * look_ahead_h / work_h
    slack_h = max(row[C_SLACK] / HOUR_S, 0.0)
    return row[C_STAKE] / work_h * math.exp(-slack_h / look_ahead_h)


FORMULAS = {
    "linear": linear,
    "cmu": cmu,
    "value_cmu": value_cmu,
    "generalized_cmu": generalized_cmu,
    "cmu_theta": cmu_theta,
    "hazard_cmu_theta": hazard_cmu_theta,
    "earliest_due_date": earliest_due_date,
    "least_slack": least_slack,
    "apparent_tardiness": apparent_tardiness,
    "whittle": whittle,
}
"""Every formula by its name: (`settings`, `block`, `row`) -> index of the contact of `row`, a row of `candidates`, in
the formula's own unit; `block` is the line of B_ settings of its queue. The place is the code in `I_FORMULA`."""


def formula_code(name: str) -> int:
    """Return the code of the formula of that name; raises `ValueError` if there is none."""
    return list(FORMULAS).index(name)


def _chain(formulas: Sequence[Callable[..., Any]], first: int = 0) -> Callable[..., Any]:
    """Return a compiled function (`code`, `settings`, `block`, `row`) that calls the formula of that code; the codes of
    `formulas` begin with `first`."""
    formula, others = formulas[0], formulas[1:]
    if not others:

        @compiled
        def last(code, settings, block, row):
            """Return the value of the last formula, whatever the `code`."""
            return formula(settings, block, row)

        return last
    otherwise = _chain(others, first + 1)

    @compiled
    def choose(code, settings, block, row):
        """Return the value of this formula if `code` is its own, else that of one of the others."""
        if code == first:
            return formula(settings, block, row)
        return otherwise(code, settings, block, row)

    return choose


evaluate_formula = _chain(list(FORMULAS.values()))
"""Compiled: (`code` of the formula, `settings`, `block`, `row`) -> its value."""


@compiled
def block_start(queue):
    """Return the place in the settings at which the block (B_ fields) of `queue`, the channel's number, begins."""
    return I_FIRST_BLOCK + queue * N_BLOCK


@compiled
def index_of(settings, queue, row):
    """Return the index of the contact of `row`, a row of `candidates`, in `queue`, the channel's number: the formula,
    times the queue's factor (a negative index is divided by it, so that a larger factor always means more urgent),
    below every index of an earlier class."""
    block = settings[block_start(queue) :]
    index = evaluate_formula(int(settings[I_FORMULA]), settings, block, row)
    index = index * block[B_FACTOR] if index >= 0.0 else index / block[B_FACTOR]
    return index - CLASS_STEP * block[B_CLASS]
