"""The training environment: the contract of an SB3 `VecEnv`, and that no reward is learned from that misleads."""

import numpy as np
import pytest
from playing import bank_day
from stable_baselines3.common.vec_env import VecEnv

from agents.learning.training_env import TrainingVecEnv
from agents.rules.rule_policy import RulePolicy
from envs.center_rows import CenterRows
from envs.interface.fields import G_TIME_LEFT
from envs.scenario.scenario import load_scenario
from experiments.seeds import demand_seeds

DAYS = 128


@pytest.fixture(scope="module")
def tiny():
    return load_scenario("tiny")


@pytest.fixture(scope="module")
def day():
    return bank_day()


def record_starts(env):
    """Return a list that every (row, seed, episode) started from now on is added to."""
    started, start = [], env.rows.start

    def record(rows, seeds, episodes):
        started.extend(zip(rows.tolist(), seeds.tolist(), episodes.tolist(), strict=True))
        start(rows, seeds, episodes)

    env.rows.start = record
    return started


def play(env, policy, on_step, *, resets=True):
    """Play until every row has ended an episode; `on_step(rewards, dones, infos, running)` after each step."""
    observations = env.reset() if resets else {key: value.copy() for key, value in env.rows.observation().items()}
    running = np.ones(env.num_envs, bool)
    while running.any():
        observations, rewards, dones, infos = env.step(policy.predict(observations))
        on_step(rewards, dones, infos, running)
        running &= ~dones


# --- the contract -------------------------------------------------------------------------------------------


def test_it_is_a_vec_env(tiny):
    env = TrainingVecEnv(tiny, 3, seed=0)
    assert isinstance(env, VecEnv)
    assert env.num_envs == 3
    observations = env.reset()
    for row in range(3):
        assert env.observation_space.contains({key: value[row] for key, value in observations.items()})
    np.testing.assert_array_equal(env.action_masks(), observations["action_mask"] != 0)
    observations, rewards, dones, infos = env.step(np.zeros(3, np.int64))
    assert {key: len(value) for key, value in observations.items()} == dict.fromkeys(observations, 3)
    assert (rewards.shape, rewards.dtype) == ((3,), np.float32)
    assert (dones.shape, dones.dtype) == ((3,), bool)
    assert len(infos) == 3
    assert env.elapsed_s.shape == (3,)


def test_masks_through_sb3s_own_doors(tiny):
    env = TrainingVecEnv(tiny, 3, seed=0)
    env.reset()
    np.testing.assert_array_equal(np.stack(env.env_method("action_masks")), env.action_masks())
    np.testing.assert_array_equal(env.env_method("action_masks", indices=[2])[0], env.action_masks()[2])
    assert len(env.get_attr("action_masks")) == 3
    assert env.env_is_wrapped(object) == [False] * 3
    with pytest.raises(AttributeError, match="render_nicely"):
        env.env_method("render_nicely")


def test_observations_are_copies(tiny):
    env = TrainingVecEnv(tiny, 2, seed=0)
    first = env.reset()
    kept = {key: value.copy() for key, value in first.items()}
    env.step(np.argmax(first["action_mask"], axis=1))
    for key, value in kept.items():
        np.testing.assert_array_equal(first[key], value)


def test_the_next_unseen_episode_starts_in_the_step_that_ends_one(tiny):
    env = TrainingVecEnv(tiny, 3, seed=7)
    started = record_starts(env)
    horizon_s = float(env.rows.parameters[0]["horizon_s"])
    ended = 0

    def check(rewards, dones, infos, running):
        nonlocal ended
        for row in np.flatnonzero(dones):
            info = infos[row]
            assert info["TimeLimit.truncated"] is False
            last = info["terminal_observation"]
            assert env.observation_space.contains(last)
            assert last["center"][G_TIME_LEFT] == 0
            assert np.flatnonzero(last["action_mask"]).tolist() == [0]
            assert env.rows.center[row, G_TIME_LEFT] > 0.5 * horizon_s  # a new day
            assert info["episode"]["r"] == pytest.approx(-info["metrics"]["total_cost_usd"])
            assert info["episode"]["l"] > 0
            ended += 1
        for row in np.flatnonzero(~dones):
            assert infos[row] == {}

    policy = RulePolicy("fifo", tiny)
    for k in range(3):
        play(env, policy, check, resets=k == 0)
    assert ended >= 9
    assert [seed for _, seed, _ in started] == [7] * len(started)
    assert [episode for _, _, episode in started] == list(range(len(started)))  # none twice, none left out
    assert len(started) == 3 + ended


def test_seeds_bring_other_customers(day):
    keys = []
    for seed in demand_seeds(0):
        env = TrainingVecEnv(day, 4, seed=seed)
        env.reset()
        keys.append(
            {int(key) for row in range(4) for key in env.rows.demands["key"][row, : env.rows.demand_counts[row]]}
        )
    assert all(len(found) > 1000 for found in keys)
    assert len(keys[0] | keys[1] | keys[2]) == sum(len(found) for found in keys)


def test_seed_starts_over(tiny):
    env = TrainingVecEnv(tiny, 2, seed=1)
    started = record_starts(env)
    env.reset()
    assert list(env.seed(5)) == [5, 5]
    env.reset()
    assert started == [(0, 1, 0), (1, 1, 1), (0, 5, 0), (1, 5, 1)]


def test_threads_change_nothing(tiny):
    rewards = []
    for threads in (1, 2):
        env, found = TrainingVecEnv(tiny, 4, seed=2, threads=threads), []
        play(env, RulePolicy("voice_first", tiny), lambda r, dones, infos, running, found=found: found.append(r.copy()))
        rewards.append(np.array(found))
    np.testing.assert_array_equal(*rewards)


# --- where episodes start -----------------------------------------------------------------------------------


def test_staggered_starts_are_spread_over_the_horizon_and_warm(day):
    n_envs, horizon_s = 12, 86_400.0
    env = TrainingVecEnv(day, n_envs, seed=0, starter=RulePolicy("expected_loss", day))
    started = record_starts(env)
    env.reset()
    until_s = np.arange(n_envs) * horizon_s / n_envs
    restarted = {row for row, _, episode in started if episode >= n_envs}  # their day had no decision so late
    now_s = env.rows.states["now_s"]
    kept = [row for row in range(n_envs) if row not in restarted]
    assert len(kept) >= n_envs - 2
    assert (now_s[kept] >= until_s[kept]).all()
    assert (now_s[kept][1:] > now_s[kept][:-1]).sum() >= len(kept) - 5  # the center is closed until 07:00
    assert not env.rows.done.any()
    assert env.rows.states["queue_count"]["completed"][kept[-1]].sum() > 500  # its day has been lived
    observations, *_ = env.step(RulePolicy("expected_loss", day).predict(env._observe()))
    assert (observations["action_mask"].sum(axis=1) >= 2).all()


def test_without_a_starter_every_row_starts_at_the_start(day):
    env = TrainingVecEnv(day, 3, seed=0)
    env.reset()
    plain = CenterRows(day, 3)
    plain.start(plain.all_rows, np.zeros(3, np.int64), np.arange(3))
    np.testing.assert_array_equal(env.rows.states["now_s"], plain.states["now_s"])
    np.testing.assert_array_equal(env.rows.center, plain.center)


# --- what is learned from -----------------------------------------------------------------------------------


def test_rewards_are_costs_in_the_scale(tiny):
    found = {}
    for scale_usd in (1.0, 40.0):
        env = TrainingVecEnv(tiny, 1, seed=0, reward_scale_usd=scale_usd)
        total = np.zeros(1)

        def add(rewards, dones, infos, running, total=total, scale_usd=scale_usd):
            total[:] += rewards
            if dones[0]:
                found[scale_usd] = (total[0], infos[0]["metrics"]["total_cost_usd"])

        play(env, RulePolicy("fifo", tiny), add)
    assert found[1.0][0] == pytest.approx(-found[1.0][1], rel=1e-6)
    assert found[40.0][0] == pytest.approx(-found[40.0][1] / 40, rel=1e-6)


def test_luck_has_mean_zero_and_takes_variance_away(day):
    rule = RulePolicy("expected_loss", day)
    smooth_usd, raw_usd = np.zeros(DAYS), np.zeros(DAYS)
    env = TrainingVecEnv(day, DAYS, seed=3, without_luck=True)

    def add(rewards, dones, infos, running):
        smooth_usd[running] += rewards[running]
        for row in np.flatnonzero(dones & running):
            raw_usd[row] = infos[row]["episode"]["r"]

    play(env, rule, add)
    luck_usd = smooth_usd - raw_usd
    assert luck_usd.std() > 0
    assert abs(luck_usd.mean()) < 4 * luck_usd.std(ddof=1) / np.sqrt(DAYS)
    assert smooth_usd.var() < raw_usd.var()


@pytest.mark.parametrize("half_life_h", [4.0, 1e9])
def test_shaping_telescopes(half_life_h):
    # Discounted by elapsed time, the shaping of an episode sums to minus the potential of its first state, whatever was
    # done in between; so it cannot change which policy is best. A backlog of 200 e-mails gives it something to say.
    scenario = load_scenario("bank", ("horizon.days=1", "channels.1.initial_backlog.mean_contacts=200"))
    half_life_s = 3600.0 * half_life_h
    shaped = TrainingVecEnv(scenario, 4, seed=1, potential_half_life_s=half_life_s)
    plain = TrainingVecEnv(scenario, 4, seed=1)
    policy = RulePolicy("voice_first", scenario)
    observations = shaped.reset()
    plain.reset()
    potential_usd = shaped._read_potential()
    assert (potential_usd < -10).all()
    sums, discount, running = np.zeros(4), np.ones(4), np.ones(4, bool)
    episodes = np.zeros(4, np.int64)
    while episodes.min() < 2:
        actions = policy.predict(observations)
        observations, rewards, dones, _ = shaped.step(actions)
        _, plain_rewards, plain_dones, _ = plain.step(actions)
        np.testing.assert_array_equal(dones, plain_dones)
        sums += discount * (rewards.astype(np.float64) - plain_rewards)
        discount *= 2.0 ** (-shaped.elapsed_s / half_life_s)
        for row in np.flatnonzero(dones):
            assert sums[row] == pytest.approx(-potential_usd[row], rel=1e-3, abs=0.05)
            potential_usd[row] = shaped._read_potential()[row]
            sums[row], discount[row], running[row] = 0.0, 1.0, False
            episodes[row] += 1
