"""Moved centers: what follows the size, the load, the mix, the values and the profile of the day, and what stays."""

import re
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from envs.configuration.document import named_files
from envs.errors import ConfigurationError
from envs.scenario.scenario import Scenario, load_scenario
from experiments.transfer.moves import MOVES, Move, RandomCenters, choose_moves, moved

DRAWN = sorted(name for name in named_files("scenarios") if not load_scenario(name).scripted_contacts)
"""Scenarios whose contacts are drawn."""
SHOP = {
    "name": "shop",
    "segments": [
        {"name": "small", "share_frac": 0.8, "account_value": {"distribution": "lognormal", "mean_usd": 100, "cv": 1}},
        {"name": "large", "share_frac": 0.2, "account_value": 5_000},
    ],
    "channels": [
        {
            "name": "voice",
            "kind": "real_time",
            "arrivals": {"interval_s": 21_600, "rate_per_hour": {"monday": [0, 10, 30, 6], "friday": [0, 4, 0, 8]}},
            "handle_time": 300,
            "lines": 9,
            "waiting_limit": 3,
        },
        {
            "name": "email",
            "kind": "deferred",
            "arrivals": {"rate_per_hour": 8},
            "handle_time": 600,
            "initial_backlog": {"mean_contacts": 10},
            "due": {"after_s": 3600},
        },
    ],
    "clients": [
        {
            "name": "one",
            "channels": ["voice"],
            "fee_usd": 3,
            "targets": [{"channel": "voice", "at_least_frac": 0.8, "usd_per_point_day": 20}],
        }
    ],
    "fairness": {"floor_frac": 0.6, "usd_per_point_day": 7},
    "value_bands_usd": [1000],
    "groups": [
        {
            "name": "floor",
            "count": 5,
            "skills": ["voice", "email"],
            "home_channel": {"voice": 4, "email": 1},
            "shifts": [
                {"start": "06:00", "end": "18:00", "breaks": [{"start": "12:00", "length_s": 900, "stagger_s": 1200}]}
            ],
        }
    ],
}


@pytest.fixture(scope="module")
def shop() -> Scenario:
    return load_scenario(SHOP)


@pytest.mark.parametrize("name", DRAWN)
def test_no_move_is_the_same_center_and_every_move_is_a_center(name: str) -> None:
    scenario = load_scenario(name)
    assert moved(scenario, Move()) == scenario
    for move in MOVES.values():
        assert [channel.name for channel in moved(scenario, move).channels] == [c.name for c in scenario.channels]


def test_the_size_takes_reps_work_and_agreements_with_it(shop: Scenario) -> None:
    # 5 reps times 0.5 are 2.5, rounded 3: what comes, and what is agreed, is 3/5 of what it was.
    half = moved(shop, Move(size_factor=0.5), "half")
    assert half.name == "half"
    (floor,) = half.groups
    assert floor.count == 3
    assert floor.home_channel == {"voice": 2, "email": 1}  # 2.4 and 0.6: the larger remainder has the third
    voice, email = half.channels
    assert voice.arrivals.rates_on("monday") == pytest.approx((0, 6, 18, 3.6))
    assert email.arrivals.rates_on("sunday")[0] == pytest.approx(4.8)
    assert email.initial_backlog.mean_contacts == pytest.approx(6)
    assert (voice.lines, voice.waiting_limit) == (5, 2)  # 5.4 and 1.8
    (client,) = half.clients
    assert client.targets[0].usd_per_point_day == pytest.approx(12)
    assert client.fee_usd == 3  # of a contact, of which there are fewer already
    assert half.fairness.usd_per_point_day == pytest.approx(4.2)
    assert half.segments == shop.segments


@pytest.mark.parametrize(("factor", "count", "stagger_s"), [(2.0, 10, 1200 * 4 / 9), (0.2, 1, 4800), (0.01, 1, 4800)])
def test_the_last_break_stays_where_it_was_and_one_rep_is_left_at_least(
    shop: Scenario, factor: float, count: int, stagger_s: float
) -> None:
    (floor,) = moved(shop, Move(size_factor=factor)).groups
    assert floor.count == count
    assert floor.shifts[0].breaks[0].stagger_s == pytest.approx(stagger_s)


def test_load_and_mix_multiply_what_comes_and_nothing_else(shop: Scenario) -> None:
    busier = moved(shop, Move(load_factor=1.2, mix_factors={"email": 0.5}))
    voice, email = busier.channels
    assert voice.arrivals.rates_on("monday") == pytest.approx((0, 12, 36, 7.2))
    assert email.arrivals.rates_on("monday")[5] == pytest.approx(8 * 1.2 * 0.5)
    assert email.initial_backlog.mean_contacts == pytest.approx(10 * 1.2 * 0.5)
    assert (busier.groups, busier.clients, busier.fairness) == (shop.groups, shop.clients, shop.fairness)


def test_values_are_multiplied_with_their_largest_one(shop: Scenario) -> None:
    small, large = moved(shop, Move(value_factor=3.0)).segments
    assert small.account_value.mean_usd == 300
    assert small.account_value.cv == 1
    assert large.account_value.value_usd == 15_000


def test_the_other_day_keeps_its_hours_and_its_contacts(shop: Scenario) -> None:
    # Within the hours that have rates these stand in their opposite order; an hour without any stays so.
    voice, email = moved(shop, MOVES["other_day"]).channels
    assert voice.arrivals.rates_on("monday") == (0, 6, 30, 10)
    assert voice.arrivals.rates_on("friday") == (0, 8, 0, 4)
    assert email.arrivals.rates_on("monday") == shop.channels[1].arrivals.rates_on("monday")


def test_random_centers_lie_between_their_ends_and_are_a_function_of_seed_and_episode(shop: Scenario) -> None:
    centers = RandomCenters(size_factor=(0.5, 2.0), load_factor=(1.0, 1.0), mix_factor=(0.8, 1.25))
    draws = [centers.draw(shop, 7, episode) for episode in range(400)]
    sizes = np.array([draw.size_factor for draw in draws])
    assert sizes.min() >= 0.5
    assert sizes.max() <= 2.0
    # log2 of the size is uniform from -1 to 1: mean 0, standard deviation 1/sqrt(3), of the mean of 400 0.029.
    assert abs(np.log2(sizes).mean()) < 4 * 0.029
    assert all(draw.load_factor == 1.0 for draw in draws)
    assert all(set(draw.mix_factors) == {"voice", "email"} for draw in draws)
    assert draws[3] == centers.draw(shop, 7, 3) != centers.draw(shop, 8, 3)


@pytest.mark.parametrize("name", ["million_dollar_interrupt"])
def test_a_center_whose_customers_are_written_down_cannot_move(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"scenario {name}: scripted_contacts: only a center"):
        moved(load_scenario(name), Move())


def test_a_factor_of_no_channel_and_an_unknown_move_are_refused(shop: Scenario) -> None:
    with pytest.raises(ConfigurationError, match=r"mix_factors.fax: scenario shop has no such channel"):
        moved(shop, Move(mix_factors={"fax": 2.0}))
    with pytest.raises(ConfigurationError, match="move = 'third_size': must be one of at_home, half_size"):
        choose_moves(["third_size"])
    assert list(choose_moves([" more_load", "half_size"])) == ["more_load", "half_size"]


def test_ends_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"has ends 2 and 0\.5: the first must be <= the second"):
        RandomCenters(size_factor=(2.0, 0.5))


def test_the_page_lists_moves_and_ends_as_they_are() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "transfer.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", page, re.MULTILINE))
    ends = {key: tuple(field.default) for key, field in RandomCenters.model_fields.items()}
    assert {key: rows.pop(key) for key in ends} == {key: f"{low:g} to {high:g}" for key, (low, high) in ends.items()}
    assert list(rows) == list(MOVES)
