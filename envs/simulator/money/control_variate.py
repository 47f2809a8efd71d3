"""Control variates: how much of an episode's cost so far was noise.

Room: `envs.simulator.money`. Touches the noise of the episode only; costs, metrics and the environment's reward are as
they are.

A learner may take cost less noise: its mean is the same under every policy, its variance is not. Noise is
* of abandonment: the charge when a caller hangs up, less its compensator. A caller who has waited w has used up the
  cumulative hazard H(w) = -log S(w) of the law of patience, whoever ends the wait; jump minus H(w) times the charge is
  a martingale (Bremaud 1981, Point Processes and Queues, theorem II.T8), so its mean is 0. Only for laws with a
  density.
* of errors: the charge of an error less its expected cost. What an interruption adds to the chance is expected at the
  interruption, which causes it; the rest at completion.
Both are exact as long as the customer's retention stays as it is: `docs/costs.md` says how far off they may be.
A third one is left to the learner: `arrived_stake_usd` of the state sums, by queue, what the promises made to those who
arrive from outside would cost if broken. Who arrives does not depend on the policy, so any fixed share of it may be
credited back on arrival.

Only past and present enter, never the policy's choices to come: crediting what the policy influences would pay it for
building backlogs.
"""

from envs.interface.cost_terms import (
    TERM_ABANDONMENT,
    TERM_ERROR,
)
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.tables import interpolate
from envs.simulator.money.charges import (
    broken_promise_usd,
    error_prob,
    error_usd,
)


@compiled
def add_noise(state, parameters, term, amount_usd):
    """Count `amount_usd`, before the scenario's weight of `term`, a code of the cost terms, as noise of the episode."""
    state.noise_usd += amount_usd * parameters.term_weight[term]


@compiled
def _cumulative_hazard(parameters, queue, waited_s):
    """Return -log P(patience > `waited_s` seconds), 0 or more, by the law of `queue`, a channel's number, from its
    table."""
    table = parameters.cumulative_hazard[queue]
    position = waited_s * parameters.queues[queue].cumulative_cells_per_s
    last = table.shape[0] - 1
    beyond = max(position - last, 0.0)  # there the last rate goes on
    return interpolate(table, position) + beyond * (table[last] - table[last - 1])


@compiled
def expect_abandonment(state, parameters, contact):
    """Take the compensator of abandonment off the noise, as the wait of the real-time `contact` (slot) ends; to be
    called after the charge of the wait and before that of the abandonment."""
    person = state.slots[contact].person
    if parameters.queues[person.queue].smooth_patience:
        hazard = _cumulative_hazard(parameters, person.queue, state.now_s - person.arrival_s)
        add_noise(state, parameters, TERM_ABANDONMENT, -hazard * broken_promise_usd(state, parameters, contact))


@compiled
def expect_error_of_interruption(state, parameters, contact, sign):
    """Take what one interruption of `contact` (slot) adds to the expected cost of an error off the noise (`sign` -1),
    or put back (`sign` +1 for each) what was taken off at the interruptions so far."""
    person = state.slots[contact].person
    added = parameters.queues[person.queue].error_per_interruption_prob
    if added > 0.0:
        add_noise(state, parameters, TERM_ERROR, sign * added * error_usd(state, parameters, contact))


@compiled
def expect_error(state, parameters, contact):
    """Take what is not yet expected of the cost of an error off the noise, as the work on `contact` (slot) is
    completed."""
    chance = error_prob(state, parameters, contact)
    if chance > 0.0:
        add_noise(state, parameters, TERM_ERROR, -chance * error_usd(state, parameters, contact))
        expect_error_of_interruption(state, parameters, contact, state.slots[contact].person.interruptions)
