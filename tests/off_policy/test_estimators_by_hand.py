"""Each estimator on days of three decisions, worked by hand.

Twelve days of kind A cost 10, 20, 30 USD after the decisions at 0, 6 and 12 o'clock, twelve of kind B 40, 50, 60 USD;
the policy's chances are 2, 1/2, 2 times those of the log in A, and 1/2, 1, 0 times in B.
"""

import numpy as np
import pytest
from hand_logs import HOUR_S, make_counterpart, make_log

from experiments.off_policy import doubly_robust, fitted_q
from experiments.off_policy.direct_method import direct_method
from experiments.off_policy.evaluation import estimate_all
from experiments.off_policy.fitted_q import QEquations
from experiments.off_policy.logged_days import Counterpart
from experiments.off_policy.marginalised import make_cells, marginalise, marginalised
from experiments.off_policy.per_day import per_day
from experiments.off_policy.per_decision import per_decision
from experiments.off_policy.weights import choose_weights, weigh, window_products

N = 12
KINDS = np.array([0, 0, 1, 1] * (N // 2))  # so that both halves of the days, every other one, have both kinds
COSTS_USD = np.array([[10, 20, 30], [40, 50, 60]])[KINDS]
RATIOS = np.array([[2, 0.5, 2], [0.5, 1, 0]])[KINDS]
LOG = make_log(COSTS_USD)
POLICY = make_counterpart(RATIOS, LOG.features)


def test_weights_are_products_over_the_decisions_within_the_credit_horizon():
    def first_days(credit_s: float) -> list[float]:
        return window_products(LOG, POLICY.ratio, credit_s)[3:9].tolist()

    assert first_days(np.inf) == pytest.approx([2, 1, 2, 0.5, 0.5, 0])
    assert first_days(6 * HOUR_S) == pytest.approx([2, 1, 1, 0.5, 0.5, 0])  # the one of six hours before counts
    assert first_days(5 * HOUR_S) == pytest.approx([2, 0.5, 2, 0.5, 1, 0])


@pytest.mark.parametrize(
    ("credit_s", "cost_usd"),
    [
        # From 0 to 6 o'clock (2 * 10 + 40 / 2) / 2.5 = 16, to 12 (1 * 20 + 50 / 2) / 1.5 = 30, then 2 * 30 / 2 = 30.
        (np.inf, 16 + 30 + 30),
        # Own ratios alone: to 12 o'clock (20 / 2 + 1 * 50) / 1.5 = 40.
        (0.0, 16 + 40 + 30),
    ],
)
def test_per_decision(credit_s, cost_usd):
    found = per_decision(LOG, choose_weights(LOG, POLICY, credit_s))
    assert found.refused is None
    assert found.cost.mean == pytest.approx(cost_usd)
    assert found.cost.low < cost_usd < found.cost.high
    # After 12 o'clock the twelve days of kind A carry all the weight, each a twelfth.
    assert found.effective_days == pytest.approx(12)
    assert found.largest_weight_frac == pytest.approx(1 / 12)


def test_per_day():
    found = per_day(LOG, POLICY)  # a day of kind A weighs 2 * 1/2 * 2, one of kind B nothing
    assert found.cost.mean == pytest.approx(10 + 20 + 30)
    assert found.effective_days == pytest.approx(12)


def test_marginalised():
    cells = make_cells(LOG.states)
    assert len(set(cells)) == 3
    found = marginalised(marginalise(LOG, POLICY, cells))
    # Each cell is visited once a day; its mean cost is that of the 24 days by their ratios, and of one decision of the
    # log: at 0 o'clock (12 * 2 * 10 + 12 * 0.5 * 40 + 25) / (12 * 2.5 + 1).
    by_hand = (240 + 240 + 25) / 31 + (120 + 600 + 35) / 19 + (720 + 0 + 45) / 25
    assert found.cost.mean == pytest.approx(by_hand)


@pytest.fixture
def exact_q(monkeypatch):
    monkeypatch.setattr(fitted_q, "RIDGE", 0.0)


@pytest.mark.usefixtures("exact_q")
def test_direct_method_and_its_discount_by_elapsed_time():
    own = weigh(LOG, POLICY.ratio)
    # Mean costs are 25, 35, 45 USD: Q = 25 + 35 + 45 at the first decision.
    undiscounted = QEquations(LOG, POLICY, None)
    assert direct_method(LOG, undiscounted, own, "").cost.mean == pytest.approx(105)
    # With a half-life of 6 hours: Q = 45; 35 + 45 / 2 = 57.5; 25 + 57.5 / 2 = 53.75.
    discounted = QEquations(LOG, POLICY, 6 * HOUR_S)
    theta = discounted.solve(np.ones(2 * N))
    assert discounted.of_taken_usd(theta)[:3].tolist() == pytest.approx([53.75, 57.5, 45])
    # The pieces add up again: 53.75 + 57.5 / 2 + 45 / 2.
    assert direct_method(LOG, discounted, own, "").cost.mean == pytest.approx(105)


def test_doubly_robust_adds_the_weighted_surprises():
    first_usd = np.array([50.0, 70.0])[KINDS]
    surprise_usd = np.array([[1.0, 2, 3], [4, 5, 6]])[KINDS].reshape(-1)
    weights = choose_weights(LOG, POLICY, np.inf)
    found = doubly_robust.weigh_surprises("", LOG, weights, first_usd, surprise_usd, "")
    # Mean of the first values 60; surprises (2 * 1 + 4 / 2) / 2.5 + (1 * 2 + 5 / 2) / 1.5 + 2 * 3 / 2.
    assert found.cost.mean == pytest.approx(60 + 1.6 + 3 + 3)


@pytest.mark.usefixtures("exact_q")
def test_doubly_robust_is_right_by_its_weights_where_q_is_not():
    ones = np.ones((2 * N, 3, 1))  # Q cannot tell one decision from another
    log = make_log(COSTS_USD, ones)
    policy = make_counterpart(RATIOS, ones)
    equations = QEquations(log, policy, None)
    found = doubly_robust.doubly_robust("", log, choose_weights(log, policy, np.inf), equations, "")
    # Q is one number q everywhere: q at first, then 16 and 30 as in `test_per_decision`, since q - q is nothing, and at
    # the last decision, after which nothing follows, 30 - q.
    assert found.cost.mean == pytest.approx(16 + 30 + 30)


def test_values_of_a_policy_that_does_as_the_log_are_those_of_the_log():
    same = make_counterpart(np.ones_like(RATIOS), LOG.features)
    for found in estimate_all(LOG, same, make_cells(LOG.states)):
        assert found.cost.mean == pytest.approx(105, rel=5e-3), found.estimator  # the ridge
        assert found.effective_days == pytest.approx(24)


def test_thin_overlap_is_refused_with_the_reason():
    ratios = np.zeros_like(RATIOS)
    ratios[:4] = 8.0  # four days of 24 carry everything
    for found in estimate_all(LOG, make_counterpart(ratios, LOG.features), make_cells(LOG.states)):
        assert found.refused is not None
        assert np.isnan(found.cost).all()
        if found.estimator != "marginalised":
            assert "overlap is too thin: 4.0 effective days of 24, at least 10" in found.refused


def test_what_the_log_never_does_is_refused():
    unsupported = np.full(len(POLICY.ratio), 0.25)
    for found in estimate_all(
        LOG, Counterpart("other", POLICY.ratio, POLICY.features, unsupported), make_cells(LOG.states)
    ):
        assert found.refused == "the log never does what the policy does in 25.0 % of the decisions"


# A process that can be enumerated ----------------------------------------------------------------------------

FIRST_USD = np.array([10.0, 60.0])  # by the first action
SECOND_USD = np.array([[5.0, 80.0], [30.0, 1.0]])  # by both
PATHS = np.repeat(np.array([(a, b) for a in (0, 1) for b in (0, 1)] * (N // 2)), 2, axis=0)  # each as often


def enumerated(first: np.ndarray, second: np.ndarray) -> tuple:
    """Return a log that took each action half of the time, a policy with the chances `first` of the first action and
    `second` of the second one after each, and its true cost, USD."""
    a, b = PATHS.T
    log = make_log(np.stack([FIRST_USD[a], SECOND_USD[a, b]], axis=1), hours=(0, 12))
    ratios = np.stack([first[a] / 0.5, second[a, b] / 0.5], axis=1)
    truth_usd = (first * FIRST_USD).sum() + (first[:, None] * second * SECOND_USD).sum()
    return log, make_counterpart(ratios, log.features), truth_usd


@pytest.mark.parametrize("seed", range(4))
def test_over_all_paths_of_a_process_the_estimators_with_weights_are_right(seed):
    generator = np.random.default_rng(seed)
    log, policy, truth_usd = enumerated(generator.dirichlet([2, 2]), generator.dirichlet([2, 2], size=2))
    weights = choose_weights(log, policy, np.inf)
    assert per_decision(log, weights).cost.mean == pytest.approx(truth_usd)
    assert per_day(log, policy).cost.mean == pytest.approx(truth_usd)
    equations = QEquations(log, policy, None)
    robust = doubly_robust.doubly_robust("", log, weights, equations, "")
    # Each half of the days has each path as often, so both halves have the same Q, which is wrong: it does not know a.
    assert robust.cost.mean == pytest.approx(truth_usd)


def test_a_short_credit_horizon_leaves_out_what_earlier_decisions_caused():
    log, policy, truth_usd = enumerated(np.array([1.0, 0.0]), np.array([[1.0, 0.0], [0.5, 0.5]]))
    found = per_decision(log, choose_weights(log, policy, 0.0)).cost.mean
    # First 10; second by its own ratio alone, 2, 0, 1, 1 for the paths: (2 * 5 + 30 + 1) / 4.
    assert truth_usd == 15
    assert found == pytest.approx(10 + 41 / 4)
