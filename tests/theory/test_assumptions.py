"""Proofs, laws and flows know every key of a scenario, and say so where one states a key that they do not know."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from envs.configuration.document import Document, validate
from envs.errors import ConfigurationError
from envs.scenario.channel import Channel, Harm
from envs.scenario.customers import Arrivals
from envs.scenario.scenario import Scenario, load_scenario
from envs.scenario.staff import Group
from experiments.bounds import clairvoyant_keys, occupation_bound
from experiments.bounds.assumptions import constant_rate_per_hour, unknown_keys
from experiments.bounds.bound import episode_bounds, reason_against_bound
from experiments.bounds.occupation_bound import reason_against
from experiments.comparison.comparison import run_benchmark
from experiments.description import mean_flows, offered_load
from experiments.description.describe import describe
from experiments.optimum import markovian_scenario
from experiments.optimum.markovian_scenario import MarkovianScenario
from experiments.validation import generic_checks
from experiments.validation.generic_checks import check_batches, require_known_keys

EVERYTHING = Path(__file__).parents[1] / "everything.yaml"
TABLES = {
    "clairvoyant_bound": clairvoyant_keys.KNOWN_KEYS,
    "occupation_bound": occupation_bound.KNOWN_KEYS,
    "markovian_scenario": markovian_scenario.KNOWN_KEYS,
    "generic_checks": generic_checks.KNOWN_KEYS,
    "offered_load": offered_load.KNOWN_KEYS,
    "mean_flows": mean_flows.KNOWN_KEYS,
}
WHOLE = {name: known for name, known in TABLES.items() if Scenario in known}
"""Those that know of the whole scenario, not of its channels alone."""


class WindyChannel(Channel):
    tailwind: float = 0.0


class WindyHarm(Harm):
    tailwind_prob: float = 0.0


class WindyGroup(Group):
    tailwind: dict[str, float] = Field(default={})


class WindyScenario(Scenario):
    tailwind: float = 0.0


def windy(part: Any, kind: type, **changes: Any) -> Any:
    """Return a part of a scenario as one of another kind, with some keys changed."""
    return kind.model_validate({key: getattr(part, key) for key in part.model_fields_set} | changes)


def with_parts(**changes: Any) -> dict[str, Any]:
    """Return what `certify_interrupt` states, which every proof takes, with some of its parts changed."""
    scenario = load_scenario("certify_interrupt")
    return {key: getattr(scenario, key) for key in scenario.model_fields_set} | changes


def parts_with(place: str, amount: float) -> dict[str, Any]:
    """Return `certify_interrupt` with an unknown key, `amount` its value, at one place."""
    scenario = load_scenario("certify_interrupt")
    voice, email = scenario.channels
    if place == "channel":
        return with_parts(channels=(voice, windy(email, WindyChannel, tailwind=amount)))
    if place == "part of a channel":
        harm = windy(email.harm, WindyHarm, tailwind_prob=amount)
        return with_parts(channels=(voice, windy(email, Channel, harm=harm)))
    return with_parts(groups=(windy(scenario.groups[0], WindyGroup, tailwind={"voice": amount} if amount else {}),))


NAMED = {
    "channel": "tailwind of channel email",
    "part of a channel": "harm.tailwind_prob of channel email",
    "group": f"tailwind of group {load_scenario('certify_interrupt').groups[0].name}",
}


@pytest.mark.parametrize("name", TABLES)
def test_every_listed_key_is_there(name):
    # A key that is listed nowhere is refused wherever it does not have its default.
    for kind, keys in TABLES[name].items():
        assert keys.read | keys.harmless <= set(kind.model_fields), kind
        assert not keys.read & keys.harmless, kind


@pytest.mark.parametrize("name", ["clairvoyant_bound", "generic_checks", "offered_load"])
def test_nothing_of_a_center_with_everything_is_unknown(name):
    assert list(unknown_keys(load_scenario(EVERYTHING), TABLES[name])) == []


@pytest.mark.parametrize("name", ["certify_interrupt", "certify_value", "certify_deadline"])
def test_nothing_of_the_small_centers_is_unknown(name):
    scenario = load_scenario(name)
    for known in WHOLE.values():
        assert list(unknown_keys(scenario, known)) == []
    assert reason_against(scenario) is None


@pytest.mark.parametrize("place", NAMED)
def test_the_bound_in_expectation_has_no_proof_for_an_unknown_key(place):
    assert reason_against(Scenario.model_validate(parts_with(place, 0.0))) is None
    found = reason_against(Scenario.model_validate(parts_with(place, 0.5)))
    assert found == f"the proof does not know {NAMED[place]}"


@pytest.mark.parametrize("place", NAMED)
def test_the_bound_per_episode_has_no_proof_for_an_unknown_key(place):
    assert reason_against_bound(Scenario.model_validate(parts_with(place, 0.0))) is None
    scenario = Scenario.model_validate(parts_with(place, 0.5))
    with pytest.raises(ConfigurationError, match=f"no lower bound: the proof does not know {NAMED[place]}"):
        episode_bounds(scenario, 0, [0])


def test_a_benchmark_goes_on_without_a_bound_and_says_why(capsys):
    scenario = Scenario.model_validate(parts_with("channel", 0.5))
    result = run_benchmark([scenario], ["fifo"], seed=0, episodes=2, bound=1)
    assert result.scenarios["certify_interrupt"].coverage is None
    assert "no lower bound: the proof does not know tailwind of channel email" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ("channel", "scenario.channels[1].tailwind: must be left out to certify (email)"),
        ("part of a channel", "scenario.channels[1].harm.tailwind_prob: must be left out to certify (email)"),
        ("group", "scenario.groups[0].tailwind: must be left out to certify"),
    ],
)
def test_the_chain_is_not_that_of_a_center_with_an_unknown_key(place, path):
    MarkovianScenario.model_validate(parts_with(place, 0.0))
    document = Document(parts_with(place, 0.5), Path("windy.yaml"))
    with pytest.raises(ConfigurationError) as caught:
        validate(document, MarkovianScenario, "scenario")
    assert str(caught.value) == f"{path}: the chain does not know this key (windy.yaml:1)"


def test_the_laws_are_not_checked_with_an_unknown_key_of_a_channel():
    require_known_keys(Scenario.model_validate(parts_with("channel", 0.0)))
    scenario = Scenario.model_validate(parts_with("channel", 0.5))
    for check in (require_known_keys, lambda known: check_batches(known, [], 1)):
        with pytest.raises(ConfigurationError, match="the generic checks do not know tailwind of channel email"):
            check(scenario)


@pytest.mark.parametrize("place", ["channel", "group"])
def test_the_offered_load_says_which_key_it_leaves_out(place):
    calm = describe(Scenario.model_validate(parts_with(place, 0.0))).warnings
    (warning,) = set(describe(Scenario.model_validate(parts_with(place, 0.5))).warnings) - set(calm)
    assert warning.startswith(f"left out: the offered load does not know {NAMED[place]}, ")


def test_an_unknown_key_of_the_scenario_itself():
    scenario = WindyScenario.model_validate(with_parts(tailwind=0.5))
    for known in WHOLE.values():
        assert list(unknown_keys(scenario, known)) == [("tailwind",)]
    assert reason_against(scenario) == "the proof does not know tailwind"


def test_of_a_part_that_is_not_known_only_defaults_are_let_pass():
    scenario = load_scenario(EVERYTHING)
    known = {Scenario: occupation_bound.Keys(read={"fairness"}, harmless=set(Scenario.model_fields) - {"fairness"})}
    assert list(unknown_keys(scenario, known)) == [("fairness", "floor_frac"), ("fairness", "usd_per_point_day")]


def test_a_rate_is_constant_if_it_is_the_same_all_week():
    def rate(rate_per_hour: Any) -> float | None:
        return constant_rate_per_hour(Arrivals(rate_per_hour=rate_per_hour))

    assert constant_rate_per_hour(None) == 0.0
    assert rate(20) == rate((20,) * 48) == 20.0
    assert rate((20,) * 47 + (21,)) is None
    assert rate({"monday": (20,) * 48}) is None  # nobody comes on other days
