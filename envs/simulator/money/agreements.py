"""What the center owes its clients and its customers over the horizon: targets, fairness, lists offered (D7, D17).

Room: `envs.simulator.money`. Touches the cost fields; reads the counters.

A target counts as its metric does: for a real-time channel the service level, started within the threshold / contacts
to answer; for a deferred one the on-time share, completed on time / (those + due times missed). To answer are contacts
that arrived and were not blocked, but those who hung up so soon that the scenario's `service_level` leaves them out. A
band's service level is the same share of its real-time contacts. A share of nothing is attained. Each percentage point
short costs the agreed price for each calendar day of the horizon. Of a list of unlimited supply, `offered_per_day`
contacts are paid for; what was not handled of them forgoes fee and expected commission.
"""

from envs.interface.cost_terms import (
    TERM_FAIRNESS,
    TERM_FORGONE,
    TERM_SOW_PENALTY,
)
from envs.interface.units import NOBODY
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.journal import note_charge
from envs.simulator.money.charges import add_cost


@compiled
def _service_level_frac(count):
    """Return the service level of what `count`, the counters of a queue or of a band, counted so far; 1 where nobody
    was to be answered."""
    return count.started_within_threshold / count.to_answer if count.to_answer > 0.0 else 1.0


@compiled
def attained_frac(state, parameters, queue):
    """Return the share of contacts of `queue`, a channel's number, that were served as promised so far; 1 where none
    was due."""
    count = state.queue_count[queue]
    if parameters.queues[queue].real_time:
        return _service_level_frac(count)
    counted = count.on_time + count.late
    return count.on_time / counted if counted > 0.0 else 1.0


@compiled
def worst_band_frac(state, parameters):
    """Return the service level of the account-value band where it is least; 1 where nobody was to be answered."""
    worst = 1.0
    for band in range(parameters.n_bands):
        worst = min(worst, _service_level_frac(state.band_count[band]))
    return worst


@compiled
def charge_agreements(state, parameters):
    """Charge, at the horizon, what the targets and the floor of fairness were missed by."""
    for queue in range(parameters.n_queues):
        limits = parameters.queues[queue]
        if limits.penalty_usd_per_point > 0.0:
            short = limits.target_frac - attained_frac(state, parameters, queue)
            if short > 0.0:
                penalty_usd = 100.0 * short * limits.penalty_usd_per_point
                weighted_usd = add_cost(state, parameters, TERM_SOW_PENALTY, penalty_usd)
                note_charge(state, NOBODY, queue, TERM_SOW_PENALTY, weighted_usd, 0.0)
        if limits.offered_usd > 0.0:
            short = limits.offered_contacts - state.queue_count[queue].completed
            if short > 0.0:
                weighted_usd = add_cost(state, parameters, TERM_FORGONE, short * limits.offered_usd)
                note_charge(state, NOBODY, queue, TERM_FORGONE, weighted_usd, 0.0)
    if parameters.fairness_usd_per_point > 0.0:
        short = parameters.fairness_floor_frac - worst_band_frac(state, parameters)
        if short > 0.0:
            weighted_usd = add_cost(state, parameters, TERM_FAIRNESS, 100.0 * short * parameters.fairness_usd_per_point)
            note_charge(state, NOBODY, NOBODY, TERM_FAIRNESS, weighted_usd, 0.0)
