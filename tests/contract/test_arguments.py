"""What enters compiled code is checked before anything moves: actions, rows, demand, snapshots, rules."""

from typing import Any

import numpy as np
import pytest

from agents.learning.training_env import TrainingVecEnv
from agents.rules.compiled.adjustments import count_adjustments
from agents.rules.rule_policy import RulePolicy
from envs import BlendedCenter, BlendedCenterVector, load_scenario
from envs.center_rows import CenterRows

N_ROWS = 3
TINY = load_scenario("tiny")
N_ADJUSTMENTS = count_adjustments(len(TINY.channels))
N_ACTIONS = len(CenterRows(TINY, 1).action_names)

NO_ACTIONS: list[tuple[Any, str]] = [
    (np.zeros(1, np.int64), r"shape \(1,\): must be of shape \(3,\)"),
    (np.zeros(4, np.int64), r"shape \(4,\): must be of shape \(3,\)"),
    (np.zeros(0, np.int64), r"shape \(0,\): must be of shape \(3,\)"),
    (np.zeros((3, 1), np.int64), r"shape \(3, 1\): must be of shape \(3,\)"),
    (np.zeros((1, 3), np.int64), r"shape \(1, 3\): must be of shape \(3,\)"),
    (0, r"shape \(\): must be of shape \(3,\)"),
    ([0, 0], r"shape \(2,\): must be of shape \(3,\)"),
    (np.zeros(3), "type float64: must be whole numbers"),
    (np.array([0.0, np.nan, 0.0]), "type float64: must be whole numbers"),
    (np.array([0.0, np.inf, 0.0]), "type float64: must be whole numbers"),
    (np.zeros(3, bool), "type bool: must be whole numbers"),
    (np.array([0, None, 0]), "type object: must be whole numbers"),
    (["0", "0", "0"], "type <U1: must be whole numbers"),
    (np.array([0, -1, 0]), rf"actions\[1\] = -1: must be >= 0 and < {N_ACTIONS}"),
    (np.array([0, 0, N_ACTIONS]), rf"actions\[2\] = {N_ACTIONS}: must be >= 0 and < {N_ACTIONS}"),
    (np.array([2**63, 0, 0], np.uint64), rf"actions\[0\] = {2**63}: must be >= 0 and < {N_ACTIONS}"),
]


@pytest.mark.parametrize(("actions", "message"), NO_ACTIONS)
@pytest.mark.parametrize("mode", ["substitute", "raise"])
def test_the_vector_environment_refuses_what_is_not_one_action_per_row(mode, actions, message):
    centers = BlendedCenterVector(TINY, N_ROWS, on_masked_action=mode)
    centers.reset(seed=0)
    before = centers.rows.states.tobytes()
    with pytest.raises(ValueError, match=message):
        centers.step(actions)
    assert centers.rows.states.tobytes() == before
    centers.step(np.zeros(N_ROWS, np.int64))


@pytest.mark.parametrize(("actions", "message"), NO_ACTIONS)
def test_rows_and_the_training_environment_refuse_what_is_not_one_action_per_row(actions, message):
    rows, training = CenterRows(TINY, N_ROWS), TrainingVecEnv(TINY, N_ROWS, 0)
    rows.start(rows.all_rows, np.zeros(N_ROWS, np.int64), np.arange(N_ROWS))
    training.reset()
    before = rows.states.tobytes()
    with pytest.raises(ValueError, match=message):
        rows.step(rows.all_rows, actions)
    assert rows.states.tobytes() == before
    with pytest.raises(ValueError, match=message):
        training.step(actions)


@pytest.mark.parametrize(
    "actions", [[0, 0, 0], (0, 0, 0), np.zeros(3, np.int8), np.zeros(3, np.uint64), np.zeros(6, int)[::2]]
)
def test_whole_numbers_of_every_make_are_actions(actions):
    centers = BlendedCenterVector(TINY, N_ROWS)
    centers.reset(seed=0)
    centers.step(actions)


@pytest.mark.parametrize(
    "action", [1.0, np.nan, "0", None, True, -1, N_ACTIONS, 2**70, [0], np.zeros(1, int), np.zeros(2, int)]
)
@pytest.mark.parametrize("mode", ["substitute", "raise"])
def test_the_scalar_environment_refuses_what_is_no_action(mode, action):
    center = BlendedCenter(TINY, on_masked_action=mode)
    center.reset(seed=0)
    before = center._rows.states.tobytes()
    with pytest.raises(ValueError, match=rf"action = .*: must be a whole number >= 0 and <= {N_ACTIONS - 1}"):
        center.step(action)
    assert center._rows.states.tobytes() == before
    for index in (0, np.int64(0), np.uint8(0), np.array(0)):
        center.step(index)


def test_a_step_before_the_start_is_refused_everywhere():
    centers, rows = BlendedCenterVector(TINY, 2), CenterRows(TINY, 3)
    for error in (ValueError, RuntimeError):  # whichever of the two a caller expects
        with pytest.raises(error, match="reset"):
            centers.step(np.zeros(2, np.int64))
        with pytest.raises(error, match="reset"):
            BlendedCenter(TINY).step(0)
    rows.start(np.array([0, 2]), np.zeros(2, np.int64), np.arange(2))
    with pytest.raises(RuntimeError, match="environment 1 has no episode"):
        rows.step(rows.all_rows, np.zeros(3, np.int64))
    with pytest.raises(RuntimeError, match="environment 1 has no episode"):
        RulePolicy("fifo", TINY).play_until(rows, rows.all_rows, np.full(3, np.inf))
    rows.step(np.array([0, 2]), np.zeros(3, np.int64))


@pytest.mark.parametrize("chosen", [[3], [-1], [0, 3], [1, 0], [1, 1], [0.0, 1.0], [[0, 1]], [True, False, True]])
def test_rows_that_are_not_indices_in_ascending_order_are_refused(chosen):
    rows = CenterRows(TINY, N_ROWS)
    rows.start(rows.all_rows, np.zeros(N_ROWS, np.int64), np.arange(N_ROWS))
    before = rows.states.tobytes()
    chosen = np.array(chosen)
    attempts = [
        lambda: rows.step(chosen, np.zeros(N_ROWS, np.int64)),
        lambda: rows.start(chosen, np.zeros(len(chosen), np.int64), np.zeros(len(chosen), np.int64)),
        lambda: rows.restart(chosen),
        lambda: RulePolicy("fifo", TINY).play_until(rows, chosen, np.full(N_ROWS, np.inf)),
    ]
    for attempt in attempts:
        with pytest.raises(ValueError, match="must be indices of environments in ascending order, >= 0 and < 3"):
            attempt()
    assert rows.states.tobytes() == before


@pytest.mark.parametrize("number", [0, -1, 1.5, True, "2"])
def test_numbers_of_rows_and_threads_are_whole_and_at_least_one(number):
    with pytest.raises(ValueError, match=r"num_envs = .*: must be a whole number >= 1"):
        BlendedCenterVector(TINY, number)
    with pytest.raises(ValueError, match=r"threads = .*: must be a whole number >= 1"):
        BlendedCenterVector(TINY, 2, threads=number)


def test_a_demand_of_another_kind_is_refused():
    rows = CenterRows(TINY, 1)
    rows.start(rows.all_rows, np.zeros(1, np.int64), np.zeros(1, np.int64))
    demand = rows.demands[0, : rows.demand_counts[0]].copy()
    changes = [("queue", len(TINY.channels)), ("queue", -1), ("preferred", 1000), ("preferred", -2), ("handle_s", -5.0)]
    changes += [("handle_s", np.nan), ("arrival_s", np.nan), ("arrival_s", 1e9), ("value_usd", -1.0)]
    broken = [demand.copy() for _ in changes]
    for changed, (name, value) in zip(broken, changes, strict=True):
        changed[name][0] = value
    before = rows.demands.tobytes()
    for wrong in (demand["arrival_s"], demand[None], *broken):
        with pytest.raises(ValueError, match="demand"):
            rows.load_demand(0, wrong)
    for row in (-1, 1, 0.0):
        with pytest.raises(ValueError, match=r"row = .*: must be a whole number"):
            rows.load_demand(row, demand)
    assert rows.demands.tobytes() == before


def test_a_snapshot_cannot_be_written_to_and_one_that_was_changed_is_refused():
    center, centers = BlendedCenter(TINY), BlendedCenterVector(TINY, 2)
    center.reset(seed=0)
    snapshot = center.snapshot()
    row = snapshot.row
    with pytest.raises(ValueError, match="read-only"):
        row.state["now_s"] = np.nan
    with pytest.raises(RuntimeError, match="before the first reset"):
        centers.restore(0, snapshot)
    centers.reset(seed=1)
    before = center._rows.states.tobytes(), centers.rows.states.tobytes()
    state, demand = row.state.copy(), row.demand.copy()
    state["n_unused"], demand["preferred"] = 10**6, 10**6
    wrong = [
        row._replace(state=state),
        row._replace(state=row.state[:0]),
        row._replace(state=np.zeros(1, np.uint8)),
        row._replace(demand=demand),
        row._replace(demand=row.demand[:-1]),
        row._replace(center=row.center[:-1]),
        row._replace(center=row.center * np.float32(np.nan)),
        row._replace(candidates=row.candidates[:1]),
        row._replace(mask=np.ones_like(row.mask)),
        row._replace(result=row.result[:0]),
        None,
        tuple(row),
    ]
    for cut in wrong:
        for restore in (center.restore, lambda taken: centers.restore(1, taken)):
            with pytest.raises(ValueError, match=r"snapshot.*(has been changed|must be what snapshot)"):
                restore(snapshot._replace(row=cut))
    for broken in (snapshot._replace(seed=-1), snapshot._replace(episode=0.5)):
        with pytest.raises(ValueError, match=r"snapshot\.(seed|episode) = .*: must be a whole number"):
            center.restore(broken)
    for restore in (center.restore, lambda taken: centers.restore(1, taken)):
        with pytest.raises(ValueError, match="snapshot of type NoneType: must be what snapshot"):
            restore(None)
    with pytest.raises(ValueError, match="row = 2: must be a whole number >= 0 and <= 1"):
        centers.restore(2, snapshot)
    assert (center._rows.states.tobytes(), centers.rows.states.tobytes()) == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (np.zeros(N_ADJUSTMENTS - 1), "settings of .*, float64: must be float64 of shape"),
        (np.zeros(N_ADJUSTMENTS + 1), "settings of .*, float64: must be float64 of shape"),
        (np.zeros((1, N_ADJUSTMENTS)), "settings of .*, float64: must be float64 of shape"),
        (np.zeros(N_ADJUSTMENTS, np.float32), "settings of .*, float32: must be float64 of shape"),
        ([0.0] * N_ADJUSTMENTS, "settings of list: must be float64 of shape"),
        (np.r_[0.0, np.nan, np.zeros(N_ADJUSTMENTS - 2)], r"settings\[1\] = nan: must be a finite number"),
        (np.r_[np.zeros(N_ADJUSTMENTS - 1), np.inf], rf"settings\[{N_ADJUSTMENTS - 1}\] = inf: must be a finite"),
    ],
)
def test_settings_of_a_rule_of_another_form_are_refused(settings, message):
    with pytest.raises(ValueError, match=f"policy expected_loss: {message}") as caught:
        RulePolicy("expected_loss", TINY, settings)
    assert len(str(caught.value)) < 120


def test_a_rule_refuses_observations_and_rows_of_another_scenario():
    rows = CenterRows(TINY, 1)
    rows.start(rows.all_rows, np.zeros(1, np.int64), np.zeros(1, np.int64))
    rule, other = RulePolicy("fifo", TINY), RulePolicy("fifo", load_scenario("bank"))
    observations = rows.observation()
    for wrong in (
        observations | {"center": observations["center"][:, :-1]},
        observations | {"candidates": observations["candidates"][:, :-1]},
        observations | {"center": observations["center"].astype(np.float64)},
        observations | {"center": np.repeat(observations["center"], 2, axis=0)},
        observations | {"center": observations["center"].tolist()},
        observations | {"center": np.full_like(observations["center"], np.nan)},
        observations | {"candidates": np.full_like(observations["candidates"], np.inf)},
        observations | {"action_mask": np.full_like(observations["action_mask"], 2)},
        observations | {"action_mask": observations["action_mask"][0, 0]},
        {key: found for key, found in observations.items() if key != "action_mask"},
        {},
    ):
        with pytest.raises(ValueError, match=r"policy fifo: (center|candidates|action_mask) (of|has)"):
            rule.predict(wrong)
    with pytest.raises(ValueError, match="policy fifo: center of shape"):
        other.predict(observations)
    with pytest.raises(ValueError, match=r"a rule for .* must be for .* scenario tiny"):
        other.play_until(rows, rows.all_rows, np.full(1, np.inf))
    with pytest.raises(ValueError, match="until_s of shape"):
        rule.play_until(rows, rows.all_rows, np.full(2, np.inf))
    with pytest.raises(ValueError, match="of until_s a number of seconds"):
        rule.play_until(rows, rows.all_rows, np.full(1, np.nan))
