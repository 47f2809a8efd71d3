"""Playing whole episodes: nothing depends on threads, batches, or on what was played before."""

from typing import Any

import numpy as np
import pytest
from playing import bank_day

from agents.episodes import Episodes, play_episodes
from agents.rules.rule_policy import RulePolicy
from envs.center_rows import CenterRows
from envs.counts import Counts
from envs.inputs import kept_demand
from envs.inputs.demand import DemandSampler
from envs.scenario.scenario import Scenario

NUMBERS = np.arange(5)


@pytest.fixture(scope="module")
def day() -> Scenario:
    return bank_day()


class FirstOpen:
    """Not compiled: takes the first open action but `wait`, so that work is begun."""

    def predict(self, observations: dict[str, Any], deterministic: bool = True) -> np.ndarray:
        return np.where(observations["action_mask"], np.arange(observations["action_mask"].shape[1]), 0).argmax(axis=1)


def assert_equal(found: list[Counts], expected: list[Counts]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        for key, values in other.items():
            assert np.asarray(one[key]).tobytes() == np.asarray(values).tobytes(), key


def test_an_episode_is_what_an_environment_started_with_its_number_plays(day: Scenario) -> None:
    policy = RulePolicy("fifo", day)
    rows = CenterRows(day, len(NUMBERS))
    rows.start(rows.all_rows, np.full(len(NUMBERS), 3), NUMBERS)
    policy.play_until(rows, rows.all_rows, np.full(len(NUMBERS), np.inf))
    shared = Episodes(day, 3)
    for _ in range(2):
        assert_equal(shared.play(policy, NUMBERS), [rows.counts(row) for row in rows.all_rows])


def test_threads_and_batches_change_nothing(day: Scenario) -> None:
    policy = RulePolicy("expected_loss", day)
    expected = play_episodes(day, policy, 3, NUMBERS)
    assert len({float(counts["cost_usd"].sum()) for counts in expected}) == len(NUMBERS)
    assert_equal(play_episodes(day, policy, 3, NUMBERS, threads=2), expected)
    assert_equal(play_episodes(day, policy, 3, NUMBERS, threads=3, batch=1), expected)
    assert_equal(play_episodes(day, policy, 3, NUMBERS[3:]), expected[3:])


def test_policies_that_share_episodes_play_what_each_would_play_alone(day: Scenario) -> None:
    shared = Episodes(day, 3, threads=2)
    for policy in (RulePolicy("fifo", day), FirstOpen(), RulePolicy("value_first", day), RulePolicy("fifo", day)):
        assert_equal(shared.play(policy, NUMBERS), play_episodes(day, policy, 3, NUMBERS))


@pytest.mark.parametrize(("kept_bytes", "draws"), [(2**28, 5), (0, 10)])
def test_demand_is_drawn_once_as_long_as_there_is_room_for_it(
    day: Scenario, monkeypatch: pytest.MonkeyPatch, kept_bytes: int, draws: int
) -> None:
    drawn = []

    def sample(self: DemandSampler, seed: int, episode: int) -> np.ndarray:
        drawn.append((seed, episode))
        return plain(self, seed, episode)

    plain = DemandSampler.sample
    monkeypatch.setattr(DemandSampler, "sample", sample)
    monkeypatch.setattr(kept_demand, "KEPT_BYTES", kept_bytes)
    shared = Episodes(day, 3)
    for _ in range(2):
        shared.play(RulePolicy("fifo", day), NUMBERS)
    assert sorted(drawn) == sorted((3, number) for number in NUMBERS.tolist() * (draws // 5))


def test_counters_that_were_read_do_not_change_with_the_rows(day: Scenario) -> None:
    rows = CenterRows(day, 1)
    rows.start(rows.all_rows, np.array([3]), np.array([0]))
    counts = rows.counts(0)
    kept = {key: np.asarray(values).tobytes() for key, values in counts.items()}
    RulePolicy("fifo", day).play_until(rows, rows.all_rows, np.array([np.inf]))
    assert {key: np.asarray(values).tobytes() for key, values in counts.items()} == kept
    assert rows.counts(0)["center_count"]["busy_s"] > counts["center_count"]["busy_s"]


def test_progress_counts_the_episodes(day: Scenario) -> None:
    finished: list[int] = []
    Episodes(day, 3, batch=2).play(RulePolicy("fifo", day), NUMBERS, progress=finished.append)
    assert sorted(finished) == [1, 2, 2]
