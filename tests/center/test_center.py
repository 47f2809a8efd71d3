"""The scalar environment's contract."""

import copy
import pickle
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as check_with_gymnasium
from playing import EMAIL, VOICE, bank_day, channel, contact, random_action, scripted, step_costs_usd
from stable_baselines3.common.env_checker import check_env as check_with_sb3

import envs
from envs import BlendedCenter, ConfigurationError
from envs.interface.cost_terms import COST_TERMS
from envs.interface.units import DAY_S
from envs.scenario.scenario import load_scenario


def play(environment: BlendedCenter, seed: int, steps: int | None = None) -> list[tuple]:
    """Play random open actions from the present state on; return (observation, reward, terminated, info) per step."""
    generator = np.random.default_rng(seed)
    taken = []
    while steps is None or len(taken) < steps:
        action = random_action(generator, environment.action_masks())
        observation, reward, terminated, truncated, info = environment.step(action)
        assert not truncated
        taken.append((observation, reward, terminated, info))
        if terminated:
            break
    return taken


def assert_same_play(first: list[tuple], second: list[tuple]) -> None:
    assert len(first) == len(second)
    for (observation, *rest, info), (other_observation, *other_rest, other_info) in zip(first, second, strict=True):
        assert rest == other_rest
        assert step_costs_usd(info) == step_costs_usd(other_info)
        assert info["time_s"] == other_info["time_s"]
        for key in observation:
            assert observation[key].tobytes() == other_observation[key].tobytes()


@pytest.fixture(scope="module", params=["tiny", "bank"])
def environment(request) -> BlendedCenter:
    return BlendedCenter("tiny" if request.param == "tiny" else bank_day())


@pytest.mark.parametrize("render_mode", [None, "ansi"])
def test_the_checker_of_gymnasium_passes(environment, render_mode):
    made = gymnasium.make("BlendedCenter-v0", scenario=environment.scenario, render_mode=render_mode)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_with_gymnasium(made.unwrapped)


def test_the_checker_of_stable_baselines3_passes(environment):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Advice for SB3's own networks; ours reads one row of `candidates` per action.
        warnings.filterwarnings("ignore", message="Your observation candidates has an unconventional shape")
        check_with_sb3(environment)


def test_gymnasium_makes_it():
    environment = gymnasium.make("BlendedCenter-v0", scenario="tiny", on_masked_action="raise")
    assert isinstance(environment.unwrapped, BlendedCenter)
    assert environment.unwrapped.scenario == load_scenario("tiny")
    observation, info = environment.reset(seed=4)
    assert environment.observation_space.contains(observation)
    assert info["demand_seed"] == 4
    environment.close()


def test_the_default_scenario_is_bank():
    assert BlendedCenter().scenario == load_scenario("bank")
    assert envs.load_scenario("bank").name == "bank"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scenario": "tinny"}, "tiny"),
        ({"scenario": "tiny", "on_masked_action": "ignore"}, "on_masked_action = 'ignore'"),
        ({"scenario": "tiny", "render_mode": "human"}, "render_mode = 'human'"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        BlendedCenter(**arguments)


def test_a_step_needs_a_running_episode():
    environment = BlendedCenter("tiny")
    with pytest.raises(RuntimeError, match="reset"):
        environment.step(0)
    environment.reset(seed=1)
    play(environment, 0)
    with pytest.raises(RuntimeError, match="reset"):
        environment.step(0)


def test_an_episode_without_any_question_ends_with_the_first_step():
    scenario = scripted(
        contact(60),
        reps=[{"name": "all", "count": 1, "skills": ["voice", "email"]}],
        channels=[channel(VOICE, waiting_limit=0, costs={"blocked_usd": 5}), EMAIL],
    )
    environment = BlendedCenter(scenario)
    _, info = environment.reset(seed=0)
    assert info["action_mask"].sum() == 1
    assert sum(step_costs_usd(info).values()) == 0.0  # it is the first step's
    assert not info["metrics_defined"].any()
    _, reward, terminated, _, info = environment.step(0)
    assert terminated
    assert reward == -5.0
    assert info["cost_blocked_usd"] == 5.0
    assert environment.metrics()["cost_blocked_usd"] == 5.0
    with pytest.raises(RuntimeError, match="reset"):
        environment.step(0)


def first_arrivals(environment: BlendedCenter) -> bytes:
    count = environment._rows.demand_counts[0]
    return environment._rows.demands[0, :count].tobytes()


def test_seeding_names_an_episode():
    environment = BlendedCenter(bank_day())
    demands = []
    for _ in range(3):
        _, info = environment.reset(seed=7) if not demands else environment.reset()
        assert (info["demand_seed"], info["demand_episode"]) == (7, len(demands))
        demands.append(first_arrivals(environment))
    assert len(set(demands)) == 3
    for episode in (2, 0, 1):
        _, info = environment.reset(seed=7, options={"episode": episode})
        assert (info["demand_seed"], info["demand_episode"]) == (7, episode)
        assert first_arrivals(environment) == demands[episode]
    _, info = environment.reset()
    assert info["demand_episode"] == 2
    _, info = environment.reset(seed=7)
    assert info["demand_episode"] == 0
    assert first_arrivals(environment) == demands[0]
    environment.reset(seed=8)
    assert first_arrivals(environment) != demands[0]


def test_without_a_seed_one_is_drawn():
    first, second = BlendedCenter(bank_day()), BlendedCenter(bank_day())
    _, info = first.reset()
    _, other = second.reset()
    assert info["demand_seed"] != other["demand_seed"]
    _, other = second.reset(seed=info["demand_seed"])
    assert first_arrivals(first) == first_arrivals(second)


def test_an_episode_can_be_replayed(environment):
    environment.reset(seed=3, options={"episode": 5})
    first = play(environment, 1)
    environment.reset(seed=9)
    play(environment, 2, steps=20)
    environment.reset(seed=3, options={"episode": 5})
    assert_same_play(first, play(environment, 1))


def test_rewards_times_masks_and_spaces_of_a_whole_episode(environment):
    observation, info = environment.reset(seed=2)
    assert environment.observation_space.contains(observation)
    assert info["elapsed_s"] == 0.0
    time_s = info["time_s"]
    total_usd = dict.fromkeys(COST_TERMS, 0.0)
    generator = np.random.default_rng(5)
    terminated = False
    while not terminated:
        mask = environment.action_masks()
        assert mask.dtype == bool
        assert mask[0]
        assert mask.sum() >= 2
        np.testing.assert_array_equal(observation["action_mask"], mask)
        np.testing.assert_array_equal(info["action_mask"], mask)
        assert not np.any(observation["candidates"][~mask])
        action = random_action(generator, mask)
        observation, reward, terminated, truncated, info = environment.step(action)
        assert environment.observation_space.contains(observation)
        assert reward == pytest.approx(-sum(step_costs_usd(info).values()), rel=1e-12)
        assert not truncated
        assert not info["substituted"]
        assert info["metrics_defined"].any() == terminated
        assert info["elapsed_s"] >= 0.0
        time_s += info["elapsed_s"]
        assert info["time_s"] == pytest.approx(time_s)
        for term in COST_TERMS:
            total_usd[term] += info[f"cost_{term}_usd"]
    horizon_s = environment.scenario.horizon.days * DAY_S
    assert info["time_s"] == horizon_s
    assert time_s == pytest.approx(horizon_s)
    assert environment.action_masks().tolist() == [True] + [False] * (environment.action_space.n - 1)
    metrics = environment.metrics()
    assert tuple(metrics) == environment.metric_names
    for value, number, is_defined in zip(metrics.values(), info["metrics"], info["metrics_defined"], strict=True):
        assert value == (number if is_defined else None)
    days = environment.scenario.horizon.days
    assert metrics["total_cost_usd"] == pytest.approx(sum(total_usd.values()) / days)
    for term in COST_TERMS:
        assert metrics[f"cost_{term}_usd"] == pytest.approx(total_usd[term] / days)
    assert metrics["lost"] == 0
    assert metrics["substituted"] == 0


def test_observations_are_handed_out_as_copies():
    environment = BlendedCenter("tiny")
    observation, info = environment.reset(seed=0)
    before = {key: values.copy() for key, values in observation.items()}
    mask = info["action_mask"].copy()
    play(environment, 0, steps=3)
    for key, values in before.items():
        np.testing.assert_array_equal(observation[key], values)
    np.testing.assert_array_equal(info["action_mask"], mask)


def test_a_masked_action_becomes_wait():
    substituting, waiting = BlendedCenter("tiny"), BlendedCenter("tiny")
    substituting.reset(seed=0)
    waiting.reset(seed=0)
    action = int(np.flatnonzero(~substituting.action_masks())[0])
    observation, reward, terminated, _, info = substituting.step(action)
    expected, *rest, _, other = waiting.step(0)
    assert info["substituted"] == 1
    assert other["substituted"] == 0
    assert [reward, terminated] == rest
    assert all(observation[key].tobytes() == expected[key].tobytes() for key in expected)
    play(substituting, 0)
    assert substituting.metrics()["substituted"] == 1


def test_a_masked_action_is_refused_and_changes_nothing():
    environment = BlendedCenter("tiny", on_masked_action="raise")
    environment.reset(seed=0)
    mask = environment.action_masks()
    before = environment._rows.states.tobytes()
    action = int(np.flatnonzero(~mask)[0])
    with pytest.raises(ValueError, match="must be an open action") as caught:
        environment.step(action)
    assert environment._rows.states.tobytes() == before
    assert f"action = {action} " in str(caught.value)
    for i in np.flatnonzero(mask):
        assert environment.action_names[i] in str(caught.value)
    assert environment.action_names[action] in str(caught.value)
    environment.step(0)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda original: pickle.loads(pickle.dumps(original))])
def test_a_copy_goes_on_as_the_original_does(environment, duplicate):
    environment.reset(seed=6)
    play(environment, 0, steps=5)
    other = duplicate(environment)
    first = play(environment, 1, steps=300)
    assert_same_play(first, play(other, 1, steps=300))
    _, info = environment.reset()
    _, other_info = other.reset()
    assert (
        (info["demand_seed"], info["demand_episode"])
        == (other_info["demand_seed"], other_info["demand_episode"])
        == (6, 1)
    )
    assert first_arrivals(environment) == first_arrivals(other)


def test_the_center_is_rendered_as_text():
    environment = BlendedCenter(
        scripted(
            contact(60, value_usd=1234),
            channels=[channel(VOICE), channel(VOICE, name="vip")],
            reps=[{"name": "all", "count": 2, "skills": ["voice", "vip"]}],
        ),
        render_mode="ansi",
    )
    environment.reset(seed=0)
    text = environment.render()
    assert "00:01:00" in text
    assert "vip" in text
    assert "a voice contact of 1,234 USD" in text
    assert "wait, hold, assign:longest_idle" in text
    environment.step(environment.action_names.index("assign:longest_idle"))
    assert "the horizon has been reached" in environment.render()
    assert BlendedCenter("tiny").render() is None


def test_field_table_and_action_names_fit_the_spaces(environment):
    space, fields = environment.observation_space, environment.observation_fields
    assert space["center"].shape == (len(fields.center),)
    assert space["candidates"].shape == (environment.action_space.n, len(fields.candidates))
    assert space["action_mask"].shape == (environment.action_space.n,)
    assert len(set(environment.action_names)) == environment.action_space.n
    assert environment.action_names[0] == "wait"
    for table in fields:
        assert len({field.name for field in table}) == len(table)
        for field in table:
            assert field.low < field.high
            assert field.scale > 0
            assert field.unit
