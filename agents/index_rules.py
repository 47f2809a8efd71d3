"""Index rules: every contact has an index, the highest is served. One compiled rule over one observation.

Room: `agents`, compiled. Touches the observation and helpers of `agents.rules`; `agents.index_rule` writes `settings`.

`settings` is a line of float64: what holds for the whole center (`I_…`), then a block for every queue (`B_…`). The
formula of the index is one of `FORMULAS`. Around it stand the components that go with any of them: reps kept free of a
queue, interruptions, callback offers, contacts held for the reps who suit them.

Notation of the formulas: stake is `stake_usd` of the contact, what breaking its promise costs (an abandonment; missing
the due time); 1/tau `B_PROMISE_PER_H` of its queue, one over the mean time until the promise breaks (mean patience;
time to the due time), 0 where nothing breaks; mu `B_SERVICES_PER_H`, one over the mean time of a rep; running the cost
of waiting that runs already, USD per hour: `loss_usd_per_hour` of real-time contacts and of overdue ones, else the
holding cost.
"""

import math

import numpy as np

from agents.rules import (
    caller_loss_usd,
    find_action,
    interrupt_or_wait,
    interruption_price_usd,
    queue_field,
)
from envs.compilation import compiled
from envs.observation import (
    C_ABANDON_RATE,
    C_ACCEPT,
    C_ACTION_COST,
    C_CHANNEL,
    C_EXPECTED_WORK,
    C_HAS_PREFERRED,
    C_INTERRUPTIONS,
    C_LOSS_RATE,
    C_OVERDUE,
    C_PREFERRED_THERE,
    C_REAL_TIME,
    C_REP_AT_HOME,
    C_REP_IDLE,
    C_REP_IS_PREFERRED,
    C_SLACK,
    C_STAKE,
    C_WAITED,
    G_RELEASE_RATE,
    G_SUBJECT_IS_CONTACT,
    N_CANDIDATE_FIELDS,
    Q_ATTAINED,
    Q_FORECAST_NOW,
    Q_LEAST_SLACK,
    Q_MOST_VALUE,
    Q_OLDEST_WAIT,
    Q_OVERDUE,
    Q_REPS_FREE,
    Q_TARGET,
    Q_WAITING,
)
from envs.state import ASSIGN, INTERRUPT, LONGEST_IDLE, OFFER_CALLBACK, RESUME, SERVE, WAIT

FORMULAS = (
    "linear",
    "cmu",
    "value_cmu",
    "generalized_cmu",
    "cmu_theta",
    "hazard_cmu_theta",
    "earliest_due_date",
    "least_slack",
    "apparent_tardiness",
    "whittle",
)
"""Names of the formulas. The place is the code in `I_FORMULA`."""
(
    LINEAR,
    CMU,
    VALUE_CMU,
    GENERALIZED_CMU,
    CMU_THETA,
    HAZARD_CMU_THETA,
    EARLIEST_DUE_DATE,
    LEAST_SLACK,
    APPARENT_TARDINESS,
    WHITTLE,
) = range(len(FORMULAS))
MODES = ("never", "always", "priced")
"""Modes of interruptions and of callback offers. The place is the code."""
NEVER, ALWAYS, PRICED = range(len(MODES))
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
    I_TARGET_FRAC,  # service level, where the statement of work gives none
    I_INTERRUPT,  # mode
    I_INTERRUPT_GAIN,
    I_REP_HOUR_USD,
    I_OFFER,  # mode
    I_OFFER_PRICE_FACTOR,
    I_OFFER_MARGIN_USD,
) = range(18)
I_FIRST_BLOCK = 18
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
N_BLOCK = 21

CLASS_STEP = 1e7
"""Between the indices of two classes: more than any due time in the observation, seconds."""
LAGUERRE_NODES, LAGUERRE_WEIGHTS = np.polynomial.laguerre.laggauss(8)
"""Gauss-Laguerre quadrature: E[f(X)] = sum of w f(x) for X ~ Exp(1), exact for polynomials up to degree 15."""


@compiled
def _running_usd_per_hour(block, row):
    return row[C_LOSS_RATE] if row[C_REAL_TIME] or row[C_OVERDUE] else block[B_HOLDING]


@compiled
def linear(settings, block, row):
    """Constant of the queue + slope x wait + slope x the rep's idle time.

    With idle times weight-based routing (Chan, Koole and L'Ecuyer 2014, Manufacturing & Service Operations Management
    16(4)); with slopes one over the promised lead time the generalized largest delay (Van Mieghem 2003, Operations
    Research 51(1)); with slope 1 alone first come, first served; with constants alone a strict order.
    """
    return block[B_CONSTANT] + block[B_SLOPE_PER_S] * row[C_WAITED] + settings[I_IDLE_PER_S] * row[C_REP_IDLE]


@compiled
def cmu(block, row):
    """C mu, with the queue's mean cost rate c (Cox and Smith 1961, Queues; Buyukkoc, Varaiya and Walrand 1985, Advances
    in Applied Probability 17(1))."""
    return (block[B_OVERDUE_COST] if row[C_OVERDUE] else block[B_COST]) * block[B_SERVICES_PER_H]


@compiled
def value_cmu(block, row):
    """C mu with the contact's own cost rate, c = stake / tau + running."""
    return (row[C_STAKE] * block[B_PROMISE_PER_H] + _running_usd_per_hour(block, row)) * block[B_SERVICES_PER_H]


@compiled
def _marginal_cost(settings, block, row, age_h):
    """Return C'(age), USD per hour, of the delay cost C(a) = stake (a / tau)^p + running a."""
    power, per_hour = settings[I_POWER], block[B_PROMISE_PER_H]
    steep = power * row[C_STAKE] * per_hour * (per_hour * age_h) ** (power - 1.0)
    return steep + _running_usd_per_hour(block, row)


@compiled
def generalized_cmu(settings, block, row):
    """C'(a) mu at age a (Van Mieghem 1995, Annals of Applied Probability 5(3); Mandelbaum and Stolyar 2004, Operations
    Research 52(6)), with the delay cost C(a) = stake (a / tau)^p + running a."""
    return _marginal_cost(settings, block, row, row[C_WAITED] / 3600.0) * block[B_SERVICES_PER_H]


@compiled
def whittle(settings, block, row):
    """Mu E[C'(a + X)] with X exponential of rate mu - lambda, the rate at which the queue runs empty (Li, Gurushankar,
    Harchol-Balter and Scheller-Wolf 2025, arXiv 2504.10622), with the delay cost of `generalized_cmu`; the expectation
    by Gauss-Laguerre quadrature."""
    mean = 0.0
    for i in range(LAGUERRE_NODES.shape[0]):
        age_h = row[C_WAITED] / 3600.0 + LAGUERRE_NODES[i] / block[B_DRAIN_PER_H]
        mean += LAGUERRE_WEIGHTS[i] * _marginal_cost(settings, block, row, age_h)
    return mean * block[B_SERVICES_PER_H]


@compiled
def _leaving_index(settings, block, row, theta_per_h):
    """Return c mu / theta with c = running + theta stake; who cannot leave keeps the stake."""
    if theta_per_h <= 0.0:
        return _running_usd_per_hour(block, row) * block[B_SERVICES_PER_H] / settings[I_LEAVE_PER_H]
    cost = _running_usd_per_hour(block, row) + theta_per_h * row[C_STAKE]
    return cost * block[B_SERVICES_PER_H] / theta_per_h


@compiled
def cmu_theta(settings, block, row):
    """C mu / theta with c = running + theta stake, theta = 1 / tau (Atar, Giat and Shimkin 2010, Operations Research
    58(5)); of contacts that cannot leave, overdue ones included, theta = `I_LEAVE_PER_H` and no stake."""
    return _leaving_index(settings, block, row, 0.0 if row[C_OVERDUE] else block[B_PROMISE_PER_H])


@compiled
def hazard_cmu_theta(settings, block, row):
    """The same with the hazard of abandonment at the present wait instead of theta, `I_LEAVE_PER_H` at least (Long,
    Shimkin, Zhang and Zhang 2020, Operations Research 68(4): generalized c mu / h)."""
    if not row[C_REAL_TIME] or block[B_ABANDON_PER_H] <= 0.0:
        return cmu_theta(settings, block, row)
    return _leaving_index(settings, block, row, max(row[C_ABANDON_RATE], settings[I_LEAVE_PER_H]))


@compiled
def earliest_due_date(block, row):
    """Minus the seconds to the due time (Jackson 1955); a caller's is the service-level threshold.

    The due time is slack + mean remaining handle time, which is the expected work less after-contact work and pick-up
    (of a rep of speed 1).
    """
    if row[C_REAL_TIME]:
        return -row[C_SLACK]
    beside_s = block[B_AFTER_WORK_S] + (block[B_PICK_UP_S] if row[C_INTERRUPTIONS] > 0.0 else 0.0)
    return -(row[C_SLACK] + max(row[C_EXPECTED_WORK] - beside_s, 0.0))


@compiled
def least_slack(row):
    """Minus the slack, seconds; a caller's is the time to the service-level threshold."""
    return -row[C_SLACK]


@compiled
def apparent_tardiness(settings, row):
    """Stake / work x exp(-max(slack, 0) / K), K = k times the mean work (Vepsalainen and Morton 1987, Management
    Science 33(8)), USD per hour; once overdue running x K / work."""
    look_ahead_h = settings[I_LOOK_AHEAD_H]
    work_h = max(row[C_EXPECTED_WORK], 1.0) / 3600.0
    if row[C_OVERDUE]:
        return row[C_LOSS_RATE] * look_ahead_h / work_h
    slack_h = max(row[C_SLACK] / 3600.0, 0.0)
    return row[C_STAKE] / work_h * math.exp(-slack_h / look_ahead_h)


@compiled
def _formula_of(settings, block, row):
    formula = int(settings[I_FORMULA])
    if formula == LINEAR:
        return linear(settings, block, row)
    if formula == CMU:
        return cmu(block, row)
    if formula == VALUE_CMU:
        return value_cmu(block, row)
    if formula == GENERALIZED_CMU:
        return generalized_cmu(settings, block, row)
    if formula == CMU_THETA:
        return cmu_theta(settings, block, row)
    if formula == HAZARD_CMU_THETA:
        return hazard_cmu_theta(settings, block, row)
    if formula == EARLIEST_DUE_DATE:
        return earliest_due_date(block, row)
    if formula == LEAST_SLACK:
        return least_slack(row)
    if formula == APPARENT_TARDINESS:
        return apparent_tardiness(settings, row)
    return whittle(settings, block, row)


@compiled
def _block_of(settings, queue):
    start = I_FIRST_BLOCK + queue * N_BLOCK
    return settings[start : start + N_BLOCK]


@compiled
def index_of(settings, queue, row):
    """Return the index of the contact of a candidate row: the formula, times the queue's factor (a negative index is
    divided by it, so that a larger factor always means more urgent), below every index of an earlier class."""
    block = _block_of(settings, queue)
    index = _formula_of(settings, block, row)
    index = index * block[B_FACTOR] if index >= 0.0 else index / block[B_FACTOR]
    return index - CLASS_STEP * block[B_CLASS]


@compiled
def reserve_of(layout, settings, center, queue):
    """Return how many reps are kept free of `queue` now: its own number; of deferred work those that the forecast of
    real-time arrivals and the shortfall of the service level ask for too."""
    reserve = _block_of(settings, queue)[B_RESERVE]
    if layout.real_time[queue]:
        return reserve
    forecast, shortfall = 0.0, -1.0
    for other in range(layout.real_time.shape[0]):
        if layout.real_time[other]:
            forecast += queue_field(center, other, Q_FORECAST_NOW)
            target = queue_field(center, other, Q_TARGET)
            target = target if target > 0.0 else settings[I_TARGET_FRAC]
            shortfall = max(shortfall, target - queue_field(center, other, Q_ATTAINED))
    reserve += settings[I_RESERVE_PER_FORECAST] * forecast / 100.0
    return reserve + settings[I_RESERVE_PER_POINT] * 100.0 * shortfall


@compiled
def _is_reserved(layout, settings, center, queue):
    """Return True if nothing of `queue` is to be started now, because too few reps with its skill would be left."""
    reserve = reserve_of(layout, settings, center, queue)
    return reserve > 0.0 and queue_field(center, queue, Q_REPS_FREE) <= reserve


@compiled
def _suits(settings, row):
    suits = int(settings[I_SUITS])
    if suits == AT_HOME:
        return row[C_REP_AT_HOME] > 0.0
    return suits == PREFERRED and row[C_REP_IS_PREFERRED] > 0.0


@compiled
def _is_held(settings, queue, row):
    """Return True if the contact of a row is still held for other reps than the row's."""
    if int(settings[I_SUITS]) == ANYBODY or row[C_WAITED] >= settings[I_HOLD_S] or _suits(settings, row):
        return False
    if int(settings[I_SUITS]) == AT_HOME:
        return _block_of(settings, queue)[B_HAS_HOME] > 0.0
    return row[C_HAS_PREFERRED] > 0.0 and row[C_PREFERRED_THERE] > 0.0


@compiled
def _highest_waiting(layout, settings, center, queue, rep_idle_s, row):
    """Return an index that no contact waiting in `queue` exceeds, but for the spread of risk and work: that of a
    contact with the longest wait, the least slack and the largest account value there. Overwrites `row`."""
    block = _block_of(settings, queue)
    value_usd = queue_field(center, queue, Q_MOST_VALUE)
    row[:] = 0.0
    row[C_REAL_TIME] = layout.real_time[queue]
    row[C_WAITED] = queue_field(center, queue, Q_OLDEST_WAIT)
    row[C_SLACK] = queue_field(center, queue, Q_LEAST_SLACK)
    row[C_STAKE] = block[B_STAKE_USD] + block[B_STAKE_PER_VALUE] * value_usd
    row[C_LOSS_RATE] = block[B_LOSS_USD_H] + block[B_LOSS_PER_VALUE_H] * value_usd
    row[C_ABANDON_RATE] = block[B_ABANDON_PER_H]
    row[C_EXPECTED_WORK] = block[B_WORK_S]
    row[C_REP_IDLE] = rep_idle_s
    index = index_of(settings, queue, row)
    if not layout.real_time[queue] and queue_field(center, queue, Q_OVERDUE) > 0.0:
        row[C_OVERDUE] = 1.0
        row[C_STAKE] = 0.0
        index = max(index, index_of(settings, queue, row))
    return index


@compiled
def _is_preceded(layout, settings, center, own_queue, index, rep_idle_s):
    """Return True if a contact of a higher index may wait that a free rep has the skill for and may start.

    A queue whose contacts may all be held for other reps does not count: who stands behind them would be asked no more.
    """
    row = np.zeros(N_CANDIDATE_FIELDS)
    for queue in range(layout.real_time.shape[0]):
        others = queue_field(center, queue, Q_WAITING) - (1.0 if queue == own_queue else 0.0)
        if others < 1.0 or queue_field(center, queue, Q_REPS_FREE) < 1.0:
            continue
        if _is_reserved(layout, settings, center, queue):
            continue
        if int(settings[I_SUITS]) != ANYBODY and queue_field(center, queue, Q_OLDEST_WAIT) < settings[I_HOLD_S]:
            continue
        if _highest_waiting(layout, settings, center, queue, rep_idle_s, row) > index:
            return True
    return False


@compiled
def _find_rep(layout, settings, candidates, mask):
    """Return the open `assign` of a rep who suits the contact, else of the lens of the settings, -1 if none is open."""
    for action in range(mask.shape[0]):
        if mask[action] and layout.kind[action] == ASSIGN and _suits(settings, candidates[action]):
            return action
    action = find_action(layout, mask, ASSIGN, int(settings[I_ASSIGN]))
    # That lens may mean the same rep as the first one.
    return action if action >= 0 else find_action(layout, mask, ASSIGN, LONGEST_IDLE)


@compiled
def _disturb_or_offer(layout, settings, center, candidates, mask, queue):
    """Return what is done for a contact for whom no rep is free: the interruption or the callback offer that gains
    most, WAIT if neither gains. In a mode `always` an interruption, then an offer, needs no gain."""
    n_waiting = 0.0
    for other in range(layout.real_time.shape[0]):
        if layout.real_time[other]:
            n_waiting += queue_field(center, other, Q_WAITING)
    release_per_hour = center[G_RELEASE_RATE] / max(n_waiting, 1.0)
    interrupt, offer = int(settings[I_INTERRUPT]), int(settings[I_OFFER])
    if not _block_of(settings, queue)[B_INTERRUPTS]:
        interrupt = NEVER
    if interrupt == ALWAYS:
        action = interrupt_or_wait(layout, center, candidates, mask)
        if action != WAIT:
            return action
    best, best_usd = WAIT, 0.0
    for action in range(mask.shape[0]):
        row = candidates[action]
        if not mask[action]:
            continue
        if layout.kind[action] == INTERRUPT and interrupt == PRICED:
            gain_usd = settings[I_INTERRUPT_GAIN] * caller_loss_usd(row, release_per_hour)
            gain_usd -= interruption_price_usd(row, settings[I_REP_HOUR_USD])
        elif layout.kind[action] == OFFER_CALLBACK and offer == PRICED:
            gain_usd = row[C_ACCEPT] * caller_loss_usd(row, release_per_hour)
            gain_usd -= settings[I_OFFER_PRICE_FACTOR] * row[C_ACTION_COST] + settings[I_OFFER_MARGIN_USD]
        elif layout.kind[action] == OFFER_CALLBACK and offer == ALWAYS and best == WAIT:
            best = action
            continue
        else:
            continue
        if gain_usd > best_usd:
            best, best_usd = action, gain_usd
    return best


@compiled
def _place_contact(layout, settings, center, candidates, mask):
    """Return what is done with a waiting contact."""
    queue = int(candidates[WAIT, C_CHANNEL]) - 1
    action = _find_rep(layout, settings, candidates, mask)
    if action < 0:
        return _disturb_or_offer(layout, settings, center, candidates, mask, queue)
    row = candidates[action]
    index = index_of(settings, queue, row)
    if index < settings[I_FLOOR] or _is_held(settings, queue, row):
        return WAIT
    if _is_reserved(layout, settings, center, queue):
        return WAIT
    if _is_preceded(layout, settings, center, queue, index, row[C_REP_IDLE]):
        return WAIT  # whom a free rep is to serve is settled when the rep is asked
    return action


@compiled
def index_rule(layout, settings, center, candidates, mask):
    """The contact of the highest index, own suspended work first where indices are equal, else the first action of the
    table; with the components that the `settings` say (`agents.index_rule`)."""
    if center[G_SUBJECT_IS_CONTACT]:
        return _place_contact(layout, settings, center, candidates, mask)
    best, best_index = WAIT, -np.inf
    for action in range(mask.shape[0]):
        kind = layout.kind[action]
        if not mask[action] or (kind != SERVE and kind != RESUME):
            continue
        row = candidates[action]
        queue = int(row[C_CHANNEL]) - 1
        if _is_reserved(layout, settings, center, queue) or (kind == SERVE and _is_held(settings, queue, row)):
            continue
        index = index_of(settings, queue, row)
        if index < settings[I_FLOOR]:
            continue
        if index > best_index or (index == best_index and kind == RESUME):
            best, best_index = action, index
    return best
