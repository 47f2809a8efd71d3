"""What Gymnasium and the libraries around it expect of an environment: its info, its options, its specification."""

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode
from playing import EMAIL, VOICE, channel, contact, scripted, step_costs_usd

from envs import BlendedCenter, BlendedCenterVector, ConfigurationError, load_scenario
from envs.configuration.document import REPOSITORY_FOLDER, load_yaml

RESERVED = {
    "episode",  # Gymnasium's RecordEpisodeStatistics, Stable-Baselines3's Monitor
    "final_info",
    "final_obs",
    "final_observation",
    "terminal_observation",  # Stable-Baselines3's vectors
    "TimeLimit.truncated",
    "is_success",
    "env_id",  # Tianshou
}


def kinds(info: dict[str, Any]) -> dict[str, tuple]:
    return {key: (type(value), value.dtype, value.shape) for key, value in info.items()}


def infos_of_an_episode(environment: gymnasium.Env) -> list[dict[str, Any]]:
    _, info = environment.reset(seed=0)
    infos, is_over = [info], False
    while not is_over:
        _, _, is_over, _, info = environment.step(int(np.flatnonzero(info["action_mask"])[-1]))
        infos.append(info)
    return infos


def test_info_has_the_same_keys_and_types_at_every_step_and_reset_none_reserved_and_no_nan():
    environment = BlendedCenter("tiny")
    infos = infos_of_an_episode(environment)
    infos.append(environment.reset()[1])
    assert len(infos) > 10
    for info in infos:
        assert kinds(info) == kinds(infos[0])
        assert list(info) == list(infos[0])
        assert not RESERVED & set(info)
        for key, value in info.items():
            assert isinstance(value, np.generic | np.ndarray), key
            assert np.isfinite(value).all(), key


def test_undefined_ratios_are_flagged_in_info_and_null_in_json():
    environment = BlendedCenter(scripted(contact(60)))  # one call: nothing about e-mail is defined
    info = infos_of_an_episode(environment)[-1]
    metrics = json.loads(json.dumps(environment.metrics(), allow_nan=False))
    assert metrics["email.mean_wait_s"] is None
    assert metrics["voice.arrived"] == 1.0
    for name, value, number, is_defined in zip(
        environment.metric_names, metrics.values(), info["metrics"], info["metrics_defined"], strict=True
    ):
        assert is_defined == (value is not None), name
        assert number == (value or 0.0), name


def test_the_metrics_can_be_asked_for_at_any_time_also_where_a_wrapper_cuts_the_episode_short():
    with pytest.raises(RuntimeError, match="reset"):
        BlendedCenter("tiny").metrics()
    wrapped = gymnasium.make("BlendedCenter-v0", scenario="tiny", max_episode_steps=5)
    _, info = wrapped.reset(seed=0)
    total_usd, is_truncated = 0.0, False
    while not is_truncated:
        assert wrapped.unwrapped.metrics().keys() == set(wrapped.unwrapped.metric_names)
        _, reward_usd, _, is_truncated, info = wrapped.step(int(np.flatnonzero(info["action_mask"])[-1]))
        total_usd -= reward_usd
    assert not info["metrics_defined"].any()  # the environment knows nothing of the wrapper's end
    assert wrapped.unwrapped.metrics()["total_cost_usd"] == pytest.approx(total_usd)  # of one day: the first
    many = BlendedCenterVector("tiny", 2)
    with pytest.raises(RuntimeError, match="reset"):
        many.metrics(0)
    many.reset(seed=[0, 1])
    environment = BlendedCenter("tiny")
    environment.reset(seed=1)
    for _ in range(3):
        many.step(many.action_masks().argmax(axis=1))
        environment.step(int(environment.action_masks().argmax()))
    assert many.metrics(1) == environment.metrics()


def test_what_is_charged_before_the_first_question_is_the_first_steps_and_nobody_elses():
    # An e-mail is there from second 0; who can answer it comes at 23:00. It costs 36 USD an hour, so 0.6 USD until the
    # call at 60 s asks the first question, which `wait` answers, and 36 * 24 = 864 USD until midnight.
    nobody_yet = [{"start": "23:00", "end": "24:00"}]
    environment = BlendedCenter(
        scripted(
            contact(0, "email"),
            contact(60),
            reps=[
                {"name": "calls", "count": 1, "skills": ["voice"]},
                {"name": "mail", "count": 1, "skills": ["email"], "shifts": nobody_yet},
            ],
            channels=[VOICE, channel(EMAIL, costs={"holding_usd_per_hour": 36}, due=None, interruptible=False)],
            terminal_charge="none",
        )
    )
    _, info = environment.reset(seed=0)
    assert info["time_s"] == 60.0
    assert sum(step_costs_usd(info).values()) == 0.0
    costs_usd, rewards_usd, is_over = [], [], False
    while not is_over:
        _, reward_usd, is_over, _, info = environment.step(0)
        costs_usd.append(sum(step_costs_usd(info).values()))
        rewards_usd.append(reward_usd)
    assert costs_usd == [-reward_usd for reward_usd in rewards_usd]
    assert costs_usd[0] == pytest.approx(0.6)
    assert sum(costs_usd) == pytest.approx(864.0)
    assert environment.metrics()["total_cost_usd"] == pytest.approx(864.0)


TINY_FILE = REPOSITORY_FOLDER / "configs" / "scenarios" / "tiny.yaml"


@pytest.mark.parametrize(
    "scenario",
    ["tiny", str(TINY_FILE), TINY_FILE, load_yaml(TINY_FILE).data, load_scenario("tiny"), {"extends": "tiny"}],
    ids=["name", "path as text", "path", "mapping", "scenario", "mapping that extends"],
)
def test_a_specification_can_be_written_as_json_and_makes_the_same_environment_whatever_the_scenario_was(scenario):
    made = gymnasium.make("BlendedCenter-v0", scenario=scenario, overrides=("horizon.days=0.5",), max_episode_steps=9)
    again = gymnasium.make(EnvSpec.from_json(made.spec.to_json()))
    assert again.unwrapped.scenario == made.unwrapped.scenario == load_scenario("tiny", ("horizon.days=0.5",))
    assert again.spec.max_episode_steps == 9
    many = gymnasium.make_vec(
        "BlendedCenter-v0", 2, scenario=scenario, autoreset_mode="Disabled", vectorization_mode="vector_entry_point"
    )
    assert json.loads(many.spec.to_json())["kwargs"]["autoreset_mode"] == "Disabled"


@pytest.mark.parametrize(
    "file",
    [*sorted(TINY_FILE.parent.glob("*.yaml")), Path(__file__).parents[1] / "everything.yaml"],
    ids=lambda f: f.stem,
)
def test_a_scenario_in_a_specification_is_a_mapping_that_makes_an_equal_one(file):
    scenario = load_scenario(file)
    environment = BlendedCenter("tiny")
    environment.spec = EnvSpec("BlendedCenter-v0", kwargs={"scenario": scenario})
    kept = json.loads(environment.spec.to_json())["kwargs"]["scenario"]
    assert load_scenario(kept) == scenario


@pytest.mark.parametrize("make", [BlendedCenter, BlendedCenterVector])
def test_overrides_change_the_scenario_of_both_environments(make):
    for scenario in ("tiny", load_scenario("tiny"), load_yaml(TINY_FILE).data):
        assert make(scenario, overrides=["horizon.days=0.75", "review_interval_s=60"]).scenario == load_scenario(
            "tiny", ("horizon.days=0.75", "review_interval_s=60")
        )


@pytest.mark.parametrize("make", [BlendedCenter, BlendedCenterVector])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"overrides": "horizon.days=1"}, r"overrides = 'horizon.days=1': must be a list"),
        ({"overrides": [1]}, r"overrides = \[1\]: must be a list"),
        ({"overrides": None}, r"overrides = None: must be a list"),
        ({"overrides": (text for text in ["horizon.days=2"])}, r"overrides = <generator .*: must be a list"),
        ({"overrides": ["horizon.dais=1"]}, r"scenario.horizon.dais.*--set"),
        ({"scenario": 5}, "scenario = 5: must be a name, a path, a mapping or a Scenario"),
        ({"scenario": {"extends": "tiny", "horizon": {"days": -1}}}, r"horizon.days = -1.*\(a mapping\)"),
        ({"scenario": {"extends": "tinny"}}, r"tinny.*\(a mapping\)"),
        ({"scenario": {}}, r"scenario.name: .*\(a mapping\)"),
        ({"render_mode": "rgb_array"}, "render_mode = 'rgb_array': must be None or 'ansi'"),
    ],
)
def test_arguments_that_cannot_be_taken_are_one_message(make, arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        make(**({"scenario": "tiny"} | arguments))


def test_who_asks_for_pictures_first_and_goes_on_after_a_type_error_gets_an_environment():
    def make(**keys: Any) -> gymnasium.Env:
        try:
            return gymnasium.make("BlendedCenter-v0", render_mode="rgb_array", **keys)
        except TypeError:  # as Stable-Baselines3's make_vec_env does
            return gymnasium.make("BlendedCenter-v0", **keys)

    assert make(scenario="tiny").render_mode is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"episodes": [1]}, r"options\['episodes'\] = \[1\]: no such option \(known: episode\)"),
        ({"seed": 3}, "no such option"),
        ({"episode": 1.5}, r"options\['episode'\] = 1.5: must be a whole number >= 0"),
        ({"episode": -1}, "must be a whole number >= 0"),
        ({"episode": True}, "must be a whole number >= 0"),
        ({"episode": 2**63}, "must be a whole number >= 0"),
        ([("episode", 1)], "must be None or a mapping"),
    ],
)
def test_an_option_of_reset_is_honoured_or_refused_before_anything_changes(options, message):
    environment = BlendedCenter("tiny")
    environment.reset(seed=3)
    before = environment.snapshot().row.state.tobytes()
    with pytest.raises(ConfigurationError, match=message):
        environment.reset(seed=4, options=options)
    assert environment.snapshot().row.state.tobytes() == before
    assert environment.reset()[1]["demand_seed"] == 3


@pytest.mark.parametrize("seed", [-1, 1.0, "1", True, -(2**63)])
def test_a_seed_that_is_none_is_refused_by_both_environments(seed):
    for environment in (BlendedCenter("tiny"), BlendedCenterVector("tiny", 2)):
        with pytest.raises(ValueError, match=r"seed = .*: must be a whole number >= 0"):
            environment.reset(seed=seed)
    with pytest.raises(ValueError, match=r"seed\[1\] = .*: must be a whole number >= 0"):
        BlendedCenterVector("tiny", 2).reset(seed=[1, seed])


def test_seeds_beyond_64_bits_such_as_libraries_draw_are_taken_and_stay_below_the_demand_seeds_of_the_command_line():
    for seed in (2**63, 2**64 - 1, np.uint64(2**63 + 5), 2**127 + 3):
        _, info = BlendedCenter("tiny").reset(seed=seed)
        assert info["demand_seed"] == int(seed) % 2**62
        many = BlendedCenterVector("tiny", 2)
        many.reset(seed=[seed, 1])
        assert many.seeds.tolist() == [int(seed) % 2**62, 1]


def test_rows_without_a_seed_in_the_list_get_one_drawn():
    many = BlendedCenterVector("tiny", 3)
    many.reset(seed=[None, 7, None])
    assert many.seeds[1] == 7
    assert len(set(many.seeds.tolist())) == 3


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"seed": [1, 2, 3]}, "seed has 3 entries: must have 2"),
        ({"options": {"episodes": [1]}}, r"options\['episodes'\] has 1 entries: must have 2"),
        ({"options": {"episodes": [1, -1]}}, r"options\['episodes'\]\[1\] = -1: must be a whole number >= 0"),
        ({"options": {"episode": 1}}, r"options\['episode'\] = 1: no such option \(known: episodes, reset_mask\)"),
        ({"options": {"reset_mask": [True]}}, r"reset_mask'\] of shape \(1,\)"),
        ({"options": {"reset_mask": [1, 0]}}, "must be bool"),
        ({"options": {"reset_mask": [False, False]}}, "True in at least one"),
        ({"options": {"reset_mask": [True, False]}, "seed": 1}, "with a seed"),
    ],
)
def test_an_option_of_the_vectors_reset_is_honoured_or_refused_before_anything_changes(keys, message):
    many = BlendedCenterVector("tiny", 2)
    many.reset(seed=3)
    before = many.rows.states.tobytes(), many.seeds.tolist(), many.episodes.tolist()
    with pytest.raises(ConfigurationError, match=message):
        many.reset(**keys)
    assert (many.rows.states.tobytes(), many.seeds.tolist(), many.episodes.tolist()) == before


def test_a_reset_mask_starts_its_rows_and_leaves_the_others_as_they_are():
    many = BlendedCenterVector("tiny", 3, autoreset_mode="Disabled")
    with pytest.raises(RuntimeError, match="before the first reset"):
        many.reset(options={"reset_mask": np.array([True, False, False])})
    many.reset(seed=3)
    many.step(np.zeros(3, np.int64))
    before = many.rows.states[[0, 2]].tobytes()
    _, info = many.reset(options={"reset_mask": np.array([False, True, False])})
    assert many.rows.states[[0, 2]].tobytes() == before
    assert many.episodes.tolist() == [0, 3, 2]  # the next that no row has had
    assert info["_time_s"].tolist() == [False, True, False]
    many.reset(options={"reset_mask": np.array([True, False, False]), "episodes": [8, 0, 0]})
    assert many.episodes.tolist() == [8, 3, 2]
    many.reset(options={"reset_mask": np.array([False, False, True])})
    assert many.episodes.tolist() == [8, 3, 9]


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_the_vector_environment_says_what_gymnasiums_own_vectors_say(mode):
    ours = gymnasium.make_vec(
        "BlendedCenter-v0", 3, scenario="tiny", autoreset_mode=mode, vectorization_mode="vector_entry_point"
    )
    theirs = gymnasium.make_vec(
        "BlendedCenter-v0", 3, scenario="tiny", vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}
    )
    assert ours.metadata["autoreset_mode"] is ours.unwrapped.autoreset_mode is mode
    _assert_alike(ours.reset(seed=[4, 5, 6]), theirs.reset(seed=[4, 5, 6]))
    generator, n_ended = np.random.default_rng(0), 0
    while n_ended < 4:
        masks = ours.unwrapped.action_masks()
        actions = np.where(masks, generator.random(masks.shape), -1.0).argmax(axis=1)
        mine, other = ours.step(actions), theirs.step(actions)
        _assert_alike(mine, other)
        ended = mine[2]
        n_ended += int(ended.sum())
        if mode is AutoresetMode.DISABLED and ended.any():
            with pytest.raises(RuntimeError, match=r"reset_mask"):
                ours.step(actions)
            # Gymnasium takes the mask out of the options that it is given.
            _assert_alike(
                ours.reset(options={"reset_mask": ended.copy()}), theirs.reset(options={"reset_mask": ended.copy()})
            )


def _assert_alike(mine: Any, other: Any, path: str = "") -> None:
    """Compare what two vector environments return, keys, types and numbers."""
    assert type(mine) is type(other), path
    if isinstance(mine, tuple):
        for i, (first, second) in enumerate(zip(mine, other, strict=True)):
            _assert_alike(first, second, f"{path}[{i}]")
    elif isinstance(mine, dict):
        assert mine.keys() == other.keys(), path
        for key in mine:
            _assert_alike(mine[key], other[key], f"{path}.{key}")
    elif mine is not None:
        assert (mine.dtype, mine.shape) == (other.dtype, other.shape), path
        if mine.dtype == object:
            for i, (first, second) in enumerate(zip(mine, other, strict=True)):
                _assert_alike(first, second, f"{path}[{i}]")
        else:
            np.testing.assert_array_equal(mine, other, path)


def test_an_autoreset_mode_that_is_none_is_refused():
    with pytest.raises(
        ConfigurationError, match="autoreset_mode = 'same': must be one of NextStep, SameStep, Disabled"
    ):
        BlendedCenterVector("tiny", 2, autoreset_mode="same")


@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize("many", [False, True])
def test_a_specification_made_beside_a_file_makes_the_same_environment_elsewhere(tmp_path, monkeypatch, kind, many):
    (tmp_path / "own.yaml").write_text("extends: tiny\nname: own\n")
    (tmp_path / "day.csv").write_text("channel,at_s\nvoice,40000\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    arguments = {"scenario": kind("own.yaml"), "overrides": ("replay.file=day.csv",)}
    make = (lambda spec, **keys: gymnasium.make_vec(spec, num_envs=1, **keys)) if many else gymnasium.make
    made = make("BlendedCenter-v0", **arguments)
    text = made.spec.to_json()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = make(EnvSpec.from_json(text))
    assert again.unwrapped.scenario == made.unwrapped.scenario
