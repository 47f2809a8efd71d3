"""A record and the laws beside it: what cannot both be right is said, with both numbers; the load is the record's."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playing import EMAIL, VOICE, channel

from envs.inputs.record_doubts import record_doubts
from envs.scenario.scenario import Scenario
from experiments.description.describe import describe

EXPONENTIAL = {"distribution": "exponential", "mean_s": 120}
TIMES_S = np.random.default_rng(1).integers(28_800, 64_800, 200)


@pytest.fixture
def replayed(tmp_path):
    """Return a scenario of these rows and this voice channel, whose handle time has a mean of 300 s."""

    def build(header: str, rows: list[str], **voice: Any) -> Scenario:
        file: Path = tmp_path / "calls.csv"
        file.write_text("\n".join([header, *rows]), encoding="utf-8")
        return Scenario.model_validate(
            {
                "name": "replayed",
                "channels": [channel(VOICE, **voice), EMAIL],
                "groups": [{"name": "all", "count": 9, "skills": ["voice", "email"]}],
                "replay": {"file": str(file)},
            }
        )

    return build


def calls(cells: str, count: int = 200) -> list[str]:
    return [f"voice,{at_s},{cells}" for at_s in TIMES_S[:count]]


@pytest.mark.parametrize(
    ("handle_s", "expected"),
    [
        ("605", ["record of voice: handle_s has a mean of 605 s over 200 contacts, the law handle_time of 300 s"]),
        ("149", ["record of voice: handle_s has a mean of 149 s over 200 contacts, the law handle_time of 300 s"]),
        ("599", []),
        ("151", []),
        ("", []),
        ("290000", ["mean of 290,000 s over 200 contacts, the law handle_time of 300 s: is it in milliseconds?"]),
        ("5.1", ["mean of 5.1 s over 200 contacts, the law handle_time of 300 s: is it in minutes?"]),
        ("0.0035", ["mean of 0.0035 s over 200 contacts, the law handle_time of 300 s: is it in fractions of a day?"]),
        ("0", ["mean of 0 s over 200 contacts, the law handle_time of 300 s"]),
    ],
)
def test_recorded_handle_times_beyond_twice_or_half_of_the_law_are_said(replayed, handle_s, expected):
    found = record_doubts(replayed("channel,at_s,handle_s", calls(handle_s)))
    assert len(found) == len(expected)
    assert all(text in doubt for text, doubt in zip(expected, found, strict=True))


def test_only_the_channel_whose_record_disagrees_is_named(replayed):
    rows = [*calls("310"), "email,30000,100"]
    found = record_doubts(replayed("channel,at_s,handle_s", rows))
    law_s = channel(EMAIL)["handle_time"]
    assert found == [f"record of email: handle_s has a mean of 100 s over 1 contacts, the law handle_time of {law_s} s"]


@pytest.mark.parametrize(
    ("waits", "expected"),
    [
        # 40 hang up after 100 s, 160 are answered after 25 s: 8,000 s of waiting, 200 s for each who hangs up.
        ((40, 100, 160, 25), ""),
        # 40 hang up after 300 s, 160 are answered after 150 s: 36,000 s, 900 s for each.
        ((40, 300, 160, 150), "patience of 900 s on average (40 of 200 hung up), the law patience has a mean of 120 s"),
        # 100 hang up after 10 s, 100 are answered after 10 s: 2,000 s, 20 s for each.
        ((100, 10, 100, 10), "waits tell a patience of 20 s on average (100 of 200 hung up), the law"),
        # All waits in milliseconds.
        ((50, 60_000, 150, 20_000), "law patience has a mean of 120 s: is it in milliseconds?"),
        # 200 wait 60 s, and the law lets expect that 200 * 60 / 120 = 100 hang up.
        ((0, 0, 200, 60), "nobody hung up; by the law patience, with a mean of 120 s, about 100 would"),
        # Of 4 who wait 30 s the law lets expect that one hangs up: nobody does with a probability of a third.
        ((0, 0, 4, 30), ""),
    ],
)  # fmt: skip
def test_recorded_waits_that_the_law_of_patience_cannot_explain_are_said(replayed, waits, expected):
    n_hung_up, patience_s, n_answered, least_s = waits
    rows = [f"voice,{at_s},{patience_s}," for at_s in TIMES_S[:n_hung_up]]
    rows += [f"voice,{at_s},,{least_s}" for at_s in TIMES_S[n_hung_up : n_hung_up + n_answered]]
    scenario = replayed("channel,at_s,patience_s,patience_at_least_s", rows, patience=EXPONENTIAL)
    found = record_doubts(scenario)
    assert len(found) == (expected != "")
    assert all(expected in doubt for doubt in found)


@pytest.mark.parametrize(
    "law",
    [
        EXPONENTIAL,
        {"distribution": "lognormal", "mean_s": 120, "cv": 2},
        {"distribution": "weibull", "mean_s": 120, "shape": 0.5},
        {"distribution": "hyperexponential", "prob": [0.5, 0.5], "mean_s": [10, 230]},
    ],
)
def test_waits_drawn_by_the_law_of_patience_raise_no_doubt(replayed, law):
    scenario = replayed("channel,at_s", ["voice,1"], patience=law)
    generator = np.random.default_rng(2)
    patience_s = scenario.channels[0].patience.sample(generator, 200)
    answered_s = generator.exponential(30, 200)
    rows = [
        f"voice,{at_s},{patience},," if patience < answered else f"voice,{at_s},,{answered}"
        for at_s, patience, answered in zip(TIMES_S, patience_s, answered_s, strict=True)
    ]
    rows = [row.removesuffix(",") if row.endswith(",,") else row for row in rows]
    assert record_doubts(replayed("channel,at_s,patience_s,patience_at_least_s", rows, patience=law)) == []


def test_customers_who_hang_up_beside_endless_patience_are_said(replayed):
    (found,) = record_doubts(replayed("channel,at_s,patience_s", calls("20", 3), patience=None))
    assert found == "record of voice: 3 customers hang up, and by the law, patience without end, nobody else does"


def test_arrivals_beside_a_record_are_said_with_both_numbers(replayed):
    scenario = replayed("channel,at_s", [f"voice,{at_s}" for at_s in TIMES_S], arrivals={"rate_per_hour": 2})
    assert record_doubts(scenario) == [
        "record of voice: 200 contacts a day, and its law arrivals brings 48 a day on top of them"
    ]


@pytest.mark.parametrize(
    ("factor", "unit"), [(1 / 86_400, "fractions of a day"), (1 / 3600, "hours"), (1 / 60, "minutes")]
)
def test_times_of_the_day_in_another_unit_are_said(replayed, factor, unit):
    (found,) = record_doubts(replayed("channel,at_s", [f"voice,{at_s * factor:.9f}" for at_s in TIMES_S]))
    assert found.startswith("record: all 200 contacts come in the first ")
    assert found.endswith(f"is at_s in {unit}?")


def test_handle_times_of_nothing_beside_hung_up_customers_are_said(replayed):
    rows = [*(f"voice,{at_s},310," for at_s in TIMES_S[:190]), *(f"voice,{at_s},0,20" for at_s in TIMES_S[190:])]
    found = record_doubts(replayed("channel,at_s,handle_s,patience_s", rows, patience=EXPONENTIAL))
    assert [doubt for doubt in found if "handle_s is 0" in doubt] == [
        "record of voice: handle_s is 0 of 10 customers who hung up, so that serving them would take no time: leave "
        "the cell empty where nobody was served"
    ]


SEGMENTS = [
    {"name": "student", "share_frac": 0.75, "account_value": 500, "at_risk_prob": 0.02},
    {"name": "client", "share_frac": 0.25, "account_value": 8500, "at_risk_prob": 0.1},
]  # 0.75 * 500 + 0.25 * 8,500 = 2,500 USD; 0.75 * 0.02 + 0.25 * 0.1 = 0.04


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        ("account_value_usd", "5100", "account_value_usd has a mean of 5,100 USD over 200 contacts, the laws of the "
         "segments of 2,500 USD"),
        ("account_value_usd", "1240", "account_value_usd has a mean of 1,240 USD over 200 contacts, the laws"),
        ("account_value_usd", "4900", ""),
        ("at_risk", "1", "at_risk has a mean of 1 over 200 contacts, the segments of 0.04"),
    ],
)  # fmt: skip
def test_recorded_customers_beyond_twice_or_half_of_the_segments_are_said(replayed, column, cell, expected):
    stated = replayed(f"channel,at_s,{column}", calls(cell)).model_dump(mode="json", exclude_unset=True)
    found = record_doubts(Scenario.model_validate(stated | {"segments": SEGMENTS}))
    assert len(found) == (expected != "")
    assert all(expected in doubt for doubt in found)


def test_times_in_minutes_of_a_record_of_several_days_are_said(replayed):
    rows = [f"voice,{(at_s + day * 86_400) / 60:.9f}" for at_s in TIMES_S for day in range(5)]
    stated = replayed("channel,at_s", rows).model_dump(mode="json", exclude_unset=True)
    (found,) = record_doubts(Scenario.model_validate(stated | {"horizon": {"days": 5}}))
    assert found.endswith("is at_s in minutes?")


@pytest.mark.parametrize("cells", ["290", ""])
def test_rows_that_repeat_each_other_are_said(replayed, cells):
    rows = [row for row in sorted(set(calls(cells))) for _ in range(3)]
    (found,) = record_doubts(replayed("channel,at_s,handle_s", rows))
    assert found.startswith(
        f"record: {len(rows) * 2 // 3} of {len(rows)} rows repeat another row of their day in every cell"
    )


def test_contacts_at_the_same_time_with_other_needs_are_said(replayed):
    rows = [f"voice,{at_s},{handle_s}" for at_s in sorted(set(TIMES_S)) for handle_s in (200, 300, 400)]
    (found,) = record_doubts(replayed("channel,at_s,handle_s", rows))
    assert found.startswith(
        f"record: {len(rows) * 2 // 3} of {len(rows)} contacts come at the same time as another one"
    )


@pytest.mark.parametrize("step_s", [1, 60, 900])
def test_coincidences_of_a_coarse_clock_raise_no_doubt(replayed, step_s):
    """300 calls between 08:00 and 18:00; by quarter-hours there are only 40 places for them."""
    times_s = np.random.default_rng(3).integers(28_800 // step_s, 64_800 // step_s, 300) * step_s
    assert record_doubts(replayed("channel,at_s,handle_s", [f"voice,{at_s}," for at_s in times_s])) == []


def test_a_scenario_without_a_record_raises_no_doubt(replayed):
    scenario = replayed("channel,at_s", ["voice,1"])
    assert record_doubts(Scenario.model_validate(scenario.model_dump(exclude={"replay"}))) == []


def test_the_described_load_is_that_of_the_record_and_the_doubt_is_a_warning(replayed):
    # 100 calls of 605 s and one without a handle time, which has the 300 s of the law, a day.
    described = describe(replayed("channel,at_s,handle_s", [*calls("605", 100), "voice,50000,"]))
    assert described.channels[0].work_rep_hours == pytest.approx((100 * 605 + 300) / 3600)
    assert described.work_rep_hours == pytest.approx((100 * 605 + 300) / 3600)
    assert sum(hour.load_reps for hour in described.days[0].hours) == pytest.approx((100 * 605 + 300) / 3600)
    assert "record of voice: handle_s has a mean of 605 s over 100 contacts" in described.warnings[0]
