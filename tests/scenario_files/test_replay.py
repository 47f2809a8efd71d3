"""Recorded days: what a file states is played as it stands, what it leaves open is drawn, mistakes are named."""

import csv
import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playing import EMAIL, VOICE, Center, channel
from scipy import stats

from envs.center_rows import CenterRows
from envs.errors import ConfigurationError
from envs.inputs.demand import DemandSampler
from envs.inputs.parameters import build_parameters
from envs.interface.units import DAY_S
from envs.scenario.distributions import Exponential, Fixed, Hyperexponential, Lognormal, Tabulated, Weibull
from envs.scenario.scenario import Scenario, load_scenario
from envs.scenario.week import recorded_forecast, week_forecast
from experiments.description.describe import describe
from experiments.run_folder import write_yaml

MEAN_S = 120.0
PATIENCE = {"distribution": "exponential", "mean_s": MEAN_S}
SEGMENTS = [
    {"name": "small", "share_frac": 0.7, "account_value": 500, "at_risk_prob": 0.1},
    {"name": "large", "share_frac": 0.3, "account_value": 10_000, "at_risk_prob": 0.5},
]


@pytest.fixture
def replayed(tmp_path):
    """Write a record and return a scenario that replays it: channels voice and email, two reps with both skills."""

    def build(
        text: str,
        voice: dict[str, Any] | None = None,
        order: str = "in_turn",
        name: str = "calls.csv",
        formats: dict[str, str] | None = None,
        **keys: Any,
    ) -> Scenario:
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        content = {
            "name": "replayed",
            "channels": [channel(VOICE, **({"patience": PATIENCE} | (voice or {}))), EMAIL],
            "groups": [{"name": "all", "count": 2, "skills": ["voice", "email"]}],
            "replay": {"file": str(file), "order": order, **(formats or {})},
        }
        return Scenario.model_validate(content | keys)

    return build


def sample(scenario: Scenario, seed: int = 1, episode: int = 0) -> np.ndarray:
    return DemandSampler(scenario).sample(seed, episode)


def many(count: int, columns: str, cells: str) -> str:
    """Return a record of `count` calls at seconds 0, 1, ... with the same further cells."""
    return "\n".join([f"channel,at_s,{columns}", *[f"voice,{second},{cells}" for second in range(count)]])


# What is recorded ---------------------------------------------------------------------------------


def test_a_recorded_day_is_played_as_it_stands(replayed):
    scenario = replayed(
        "channel,at_s,handle_s,patience_s,account_value_usd,at_risk,preferred_rep\n"
        "email,300,40,,20.5,0,\n"
        "\n"
        "voice, 100 ,60,30,9000,1,1\n"
        "voice,50.5,1e2,1000,700,0.0,0.0\n"  # as tables write whole numbers in a column with gaps
    )
    demand = sample(scenario)
    assert demand["arrival_s"].tolist() == [50.5, 100, 300]
    assert demand["queue"].tolist() == [0, 0, 1]
    assert demand["handle_s"].tolist() == [100, 60, 40]
    assert demand["patience_s"].tolist() == [1000, 30, np.inf]
    assert demand["value_usd"].tolist() == [700, 9000, 20.5]
    assert demand["at_risk"].tolist() == [0, 1, 0]
    assert demand["preferred"].tolist() == [0, 1, -1]
    assert demand["due_s"].tolist() == [np.inf, np.inf, 300 + 7200]
    assert len(set(demand["key"])) == 3


def test_a_small_record_worked_by_hand(replayed):
    # One rep. The first call is served from 100 to 400. The second comes at 200 and hangs up at 260; the third comes at
    # 300 with patience for 200 s and is served from 400 on, after a wait of 100 s, until 430.
    scenario = replayed(
        "channel,at_s,handle_s,patience_s\nvoice,100,300,500\nvoice,200,10,60\nvoice,300,30,200\n",
        groups=[{"name": "one", "count": 1, "skills": ["voice", "email"]}],
    )
    center = Center(scenario)
    assert center.time_s == 100
    center.do("assign:longest_idle")
    while center.time_s < 400:
        center.do("wait")
    center.do("assign:longest_idle")
    while not center.is_done:
        center.do("wait")
    metrics = center.metrics
    assert metrics["voice.completed"] == 2
    assert metrics["voice.abandoned_frac"] == pytest.approx(1 / 3)
    assert metrics["voice.mean_wait_s"] == pytest.approx((0 + 60 + 100) / 3)


def test_recorded_contacts_come_on_top_of_arrivals_and_leave_them_as_they_are(replayed):
    arrivals = {"arrivals": {"rate_per_hour": 10}}
    scenario = replayed("channel,at_s,account_value_usd\nvoice,40000,123\n", arrivals, segments=SEGMENTS)
    alone = scenario.model_dump()
    del alone["replay"]
    demand = sample(scenario)
    assert (demand["value_usd"] == 123).sum() == 1
    assert (demand[demand["value_usd"] != 123] == sample(Scenario.model_validate(alone))).all()
    assert len(set(demand["key"])) == len(demand)  # no stream of the arrivals is used twice


def test_compressed_files_and_the_marks_of_spreadsheets_are_read(replayed, tmp_path):
    text = 'channel,at_s,account_value_usd\r\n"voice",7,5\r\n'
    plain = replayed("\ufeff" + text)
    (tmp_path / "calls.csv.gz").write_bytes(gzip.compress(text.encode()))
    content = plain.model_dump() | {"replay": {"file": str(tmp_path / "calls.csv.gz")}}
    assert sample(plain).tobytes() == sample(Scenario.model_validate(content)).tobytes()
    assert sample(plain)["arrival_s"].tolist() == [7]


# What is drawn ------------------------------------------------------------------------------------


def test_what_is_not_recorded_is_drawn_by_the_laws_of_the_channel_and_the_segments(replayed):
    n = 4000
    law = {"handle_time": {"distribution": "exponential", "mean_s": 180}}
    demand = sample(replayed(many(n, "handle_s", ""), law, segments=SEGMENTS))
    assert stats.kstest(demand["handle_s"], stats.expon(scale=180).cdf).pvalue > 1e-4
    assert stats.kstest(demand["patience_s"], stats.expon(scale=MEAN_S).cdf).pvalue > 1e-4
    large = demand["value_usd"] == 10_000
    assert set(demand["value_usd"]) == {500.0, 10_000.0}
    assert large.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / n))
    # Of n * 0.3 large customers a half, with standard error sqrt(0.25 / (0.3 n)).
    assert demand["at_risk"][large].mean() == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / (0.3 * n)))
    columns = [demand["handle_s"], demand["patience_s"], demand["value_usd"]]
    assert np.abs(np.corrcoef(columns) - np.eye(3)).max() < 4 / np.sqrt(n)


def test_a_cell_more_leaves_every_other_draw_as_it_was(replayed):
    def demand(cells: str) -> np.ndarray:
        record = f"channel,at_s,handle_s,patience_s,account_value_usd\nvoice,1,,,\nvoice,2{cells}\nvoice,3,,,\n"
        return sample(replayed(record, segments=SEGMENTS))

    before = demand(",,,")
    for cells, name in ((",7,,", "handle_s"), (",,7,", "patience_s"), (",,,7", "value_usd")):
        after = demand(cells)
        assert after[name].tolist() == [before[name][0], 7, before[name][2]]
        for other in set(before.dtype.names) - {name}:
            assert (after[other] == before[other]).all(), other


def test_patience_beyond_a_recorded_wait_has_the_law_given_that_wait(replayed):
    n, waited_s = 4000, 100.0
    demand = sample(replayed(many(n, "patience_at_least_s", "100")))
    excess_s = demand["patience_s"] - waited_s
    assert excess_s.min() > 0
    # Exponential patience has no memory: the excess is exponential with the same mean, standard error mean / sqrt(n).
    assert excess_s.mean() == pytest.approx(MEAN_S, abs=4 * MEAN_S / np.sqrt(n))
    assert stats.kstest(excess_s, stats.expon(scale=MEAN_S).cdf).pvalue > 1e-4


@pytest.mark.parametrize(
    "law",
    [
        Exponential(distribution="exponential", mean_s=180),
        Lognormal(distribution="lognormal", mean_s=180, cv=1.2),
        Weibull(distribution="weibull", mean_s=180, shape=0.6),
        Hyperexponential(distribution="hyperexponential", prob=(0.4, 0.6), mean_s=(20, 300)),
        Tabulated(
            distribution="tabulated", time_s=(0, 50, 150, 250), survival_prob_at=(1, 0.8, 0.8, 0.3), tail_mean_s=100
        ),
    ],
    ids=lambda law: law.distribution,
)
@pytest.mark.parametrize("waited_s", [0.0, 100.0, 400.0])
def test_a_duration_longer_than_another_is_conditional(law, waited_s):
    n = 3000
    drawn_s = law.sample_longer_than(np.random.default_rng(5), np.full(n, waited_s))
    assert (drawn_s >= waited_s).all()
    (alive,) = law.survival_prob(np.array([waited_s]))
    # P(X <= t | X > w) = 1 - S(t) / S(w)
    assert stats.kstest(drawn_s, lambda t: 1 - law.survival_prob(np.asarray(t)) / alive).pvalue > 1e-4


def test_a_wait_that_the_law_has_as_impossible_is_kept():
    generator = np.random.default_rng(0)
    waited_s = np.array([30.0, 60.0, 200.0])
    assert Fixed(value_s=60).sample_longer_than(generator, waited_s).tolist() == [60, 60, 200]
    # exp(-50) is far below the resolution of a probability near 1.
    law = Exponential(distribution="exponential", mean_s=2)
    assert law.sample_longer_than(generator, np.array([100.0])).tolist() == [100]


def test_without_a_law_of_patience_nobody_hangs_up_but_who_did(replayed):
    record = "channel,at_s,patience_s,patience_at_least_s\nvoice,1,5,\nvoice,2,,5\nvoice,3,,\n"
    assert sample(replayed(record, {"patience": None}))["patience_s"].tolist() == [5, np.inf, np.inf]


# Days ---------------------------------------------------------------------------------------------

THREE_DAYS = "day,channel,at_s\n10,voice,3\n2,voice,1\n 002,email,9\n9,voice,2\n"


def test_episodes_take_the_days_in_turn(replayed):
    sampler = DemandSampler(replayed(THREE_DAYS))
    played = [sampler.sample(seed, episode)["arrival_s"].tolist() for seed, episode in ((1, 0), (2, 1), (1, 2), (5, 3))]
    assert played == [[1, 9], [2], [3], [1, 9]]


def test_days_may_be_iso_dates(replayed):
    record = "day,channel,at_s\n1999-02-10,voice,3\n1999-01-31,voice,1\n1999-02-02,voice,2\n"
    sampler = DemandSampler(replayed(record))
    assert [sampler.sample(0, episode)["arrival_s"].tolist() for episode in range(3)] == [[1], [2], [3]]


DATES = (
    "day,channel,at_s\n1/2/2021,voice,1\n1/10/2021,voice,2\n2/1/2021,voice,3\n10/1/2021,voice,4\n01/02/2021,voice,5\n"
)


@pytest.mark.parametrize(
    ("record", "keys", "expected"),
    [
        # 2 January (twice), 10 January, 1 February, 1 October.
        (DATES, {"date_format": "%m/%d/%Y"}, [[1, 5], [2], [3], [4]]),
        # 2 January, 10 January, 1 February (twice), 1 October: here the day comes first.
        (DATES, {"date_format": "%d/%m/%Y"}, [[3], [4], [1, 5], [2]]),
        ("day,channel,at_s\n20211001,voice,1\n20210110,voice,2\n", {}, [[2], [1]]),
        ("day,channel,at_s\n31.12.99,voice,1\n1.1.00,voice,2\n", {"date_format": "%d.%m.%y"}, [[1], [2]]),
        ("day,channel,at_s\n10.0,voice,1\n9,voice,2\n", {}, [[2], [1]]),  # as tables write a column with gaps
        ("channel,at_s\nvoice,08:00:05\nvoice,7\nvoice,00:00:01.5\n", {}, [[1.5, 7, 8 * 3600 + 5]]),
        (
            "channel,at_s\nvoice,12:00:00 AM\nvoice,8:00:05 AM\nvoice,12:00:00 PM\n",
            {"time_format": "%I:%M:%S %p"},
            [[0, 8 * 3600 + 5, 12 * 3600]],
        ),
        ("channel,at_s\nvoice,9:05\n", {"time_format": "%H:%M"}, [[9 * 3600 + 5 * 60]]),
    ],
)
def test_dates_and_clock_times_are_read_as_iso_or_in_the_stated_format(replayed, record, keys, expected):
    scenario = replayed(record, formats=keys)
    assert [day["at_s"].tolist() for day in scenario.recording.days] == expected


def test_days_may_be_drawn_by_seed_and_episode(replayed):
    scenario, n = replayed(THREE_DAYS, order="drawn"), 600
    first, second = DemandSampler(scenario), DemandSampler(scenario)
    drawn = [first.sample(3, episode)["arrival_s"][0] for episode in range(n)]
    assert drawn == [second.sample(3, episode)["arrival_s"][0] for episode in range(n)]
    assert drawn != [first.sample(4, episode)["arrival_s"][0] for episode in range(n)]
    shares = np.bincount(np.array(drawn, int))[1:] / n
    assert shares == pytest.approx(np.full(3, 1 / 3), abs=4 * np.sqrt(2 / 9 / n))


def test_the_demand_is_a_pure_function_of_scenario_seed_and_episode_whatever_the_order_of_rows(replayed):
    rows = [f"{i % 3},{'voice' if i % 2 else 'email'},{(i * 7919) % 86_400}" for i in range(90)]
    head = "day,channel,at_s"
    forward = DemandSampler(replayed("\n".join([head, *rows]), segments=SEGMENTS))
    backward = DemandSampler(replayed("\n".join([head, *rows[::-1]]), segments=SEGMENTS))
    expected = [forward.sample(3, episode).tobytes() for episode in (0, 1, 2, 3)]
    assert [backward.sample(3, episode).tobytes() for episode in (3, 2, 1, 0)][::-1] == expected
    assert len({*expected, forward.sample(4, 0).tobytes()}) == 5


def test_every_policy_meets_the_same_customers(replayed):
    calls = [f"{day},voice,{second}" for day in range(2) for second in range(20)]
    scenario = replayed("\n".join(["day,channel,at_s", *calls]), order="drawn")
    met, abandoned = [], []
    for chooses in (lambda is_open: is_open[0], lambda is_open: is_open[-1]):  # never serves; serves whenever it may
        center = Center(scenario)
        for _ in range(3):
            while not center.is_done:
                center.do(center.action_names[chooses(np.flatnonzero(center.action_masks()))])
            met.append(center._rows.demands[0, : center._rows.demand_counts[0]].tobytes())
            abandoned.append(center.metrics["voice.abandoned_frac"])
            center.reset()
            center.is_done = False
    assert met[:3] == met[3:]
    assert len(set(met)) == 3
    assert abandoned[:3] == [1, 1, 1]
    assert max(abandoned[3:]) < 1


# The forecast -------------------------------------------------------------------------------------


def test_the_forecast_is_the_mean_of_all_recorded_days(replayed):
    # Two days from Monday on: between 0:30 and 1:00 3 and 1 calls, a mean of 2 a half-hour.
    record = "day,channel,at_s\n0,voice,1800\n0,voice,1900\n0,voice,3599\n1,voice,2000\n1,email,0\n"
    scenario = replayed(record, horizon={"days": 1, "start_weekday": "monday"})
    voice, email = (recorded_forecast(scenario, channel).reshape(7, 48) for channel in scenario.channels)
    # Only Mondays are recorded; every other day has what is usual at its time of day.
    assert (voice[:, 1] == 4).all()
    assert voice.sum() == 7 * 4
    assert (email[:, 0] == 1).all()
    assert email.sum() == 7
    forecast = build_parameters(scenario)[0]["forecast_per_hour"]
    assert (forecast[:, 0] == voice.ravel()).all()


def test_the_forecast_of_longer_horizons_knows_the_weekday_and_part_of_a_half_hour(replayed):
    # 8.01 days of 86,400 s from Saturday: both Saturdays count, and the second Sunday's first 864 s.
    record = "channel,at_s\n" + "".join(f"voice,{at_s}\n" for at_s in (0, 86_400, 7 * 86_400, 8 * 86_400, 8 * 86_400))
    scenario = replayed(record, horizon={"days": 8.01, "start_weekday": "saturday"})
    voice = recorded_forecast(scenario, scenario.channels[0]).reshape(7, 48)
    assert voice[6, 0] == pytest.approx(2 / 1.0)  # two calls in two half-hours
    assert voice[0, 0] == pytest.approx(3 / (0.5 + 864 / 3600))
    assert voice[1:6].sum() == 0  # recorded, and nobody called


def test_the_forecast_adds_the_record_to_the_rates(replayed):
    record = "channel,at_s\nvoice,0\n"
    scenario = replayed(record, {"arrivals": {"rate_per_hour": 6}})
    assert week_forecast(scenario, scenario.channels[0])[:2].tolist() == [8, 6]
    assert week_forecast(scenario, scenario.channels[1]).tolist() == [0] * 336


def test_the_description_names_recorded_days_and_counts_their_work(replayed):
    # A mean of 1.5 calls of 300 s.
    described = describe(replayed("day,channel,at_s\n0,voice,0\n0,voice,9\n1,voice,0\n"))
    voice, email = described.channels
    assert (voice.sources, email.sources) == (("recorded days",), ())
    assert voice.arrivals_per_weekday["friday"] == pytest.approx(1.5)
    assert voice.work_rep_hours == pytest.approx(1.5 * 300 / 3600)


@pytest.mark.parametrize(
    ("columns", "cells", "smooth"), [("handle_s", "5", 1), ("patience_s", "5", 0), ("patience_at_least_s", "5", 0)]
)
def test_recorded_patience_ends_the_control_variate_of_abandonment(replayed, columns, cells, smooth):
    parameters = build_parameters(replayed(many(2, columns, cells)))[0]
    assert parameters["queues"]["smooth_patience"][0] == smooth


def test_scripted_patience_ends_the_control_variate_of_abandonment(replayed):
    script = [{"channel": "voice", "at_s": 0, "account_value": 1, "patience": 5}]
    parameters = build_parameters(replayed("channel,at_s\nvoice,1\n", scripted_contacts=script))[0]
    assert parameters["queues"]["smooth_patience"][0] == 0


def test_a_recorded_preferred_rep_opens_the_actions_for_one(replayed):
    def names(cell: str) -> set[str]:
        return set(CenterRows(replayed(f"channel,at_s,preferred_rep\nvoice,1,{cell}\n"), 1).action_names)

    assert names("1") - names("") == {"serve:preferred", "assign:preferred", "interrupt:preferred"}


# Files --------------------------------------------------------------------------------------------

BASE = """\
name: base
channels: [{name: voice, kind: real_time, handle_time: 60}]
groups: [{name: all, count: 2, skills: [voice]}]
replay: {file: records/calls.csv}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Make a folder with a scenario and its record, and work elsewhere."""
    for name in ("scenarios/records", "own", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "scenarios/base.yaml").write_text(BASE)
    (tmp_path / "scenarios/records/calls.csv").write_text("channel,at_s\nvoice,11\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


def first_s(scenario: Scenario) -> float:
    return float(sample(scenario)["arrival_s"][0])


def test_a_relative_path_begins_in_the_folder_of_the_file_that_names_it(folder):
    assert first_s(load_scenario(folder / "scenarios/base.yaml")) == 11
    (folder / "own/child.yaml").write_text("extends: ../scenarios/base.yaml\nreplay: {order: drawn}\n")
    child = load_scenario(folder / "own/child.yaml")
    assert first_s(child) == 11
    assert child.replay is not None
    assert child.replay.order == "drawn"
    (folder / "own/own.csv").write_text("channel,at_s\nvoice,22\n")
    (folder / "own/child.yaml").write_text("extends: ../scenarios/base.yaml\nreplay: {file: own.csv}\n")
    assert first_s(load_scenario(Path("../own/child.yaml"))) == 22
    (folder / "own/child.yaml").write_text(f"extends: ../scenarios/base.yaml\nreplay: {{file: {folder}/own/own.csv}}\n")
    assert first_s(load_scenario(folder / "own/child.yaml")) == 22


def test_an_override_begins_in_the_working_directory(folder):
    Path("here.csv").write_text("channel,at_s\nvoice,33\n")
    assert first_s(load_scenario(folder / "scenarios/base.yaml", ("replay.file=here.csv",))) == 33
    assert first_s(load_scenario(folder / "scenarios/base.yaml", ("replay={file: here.csv}",))) == 33


def test_the_scenario_that_a_run_folder_keeps_finds_the_record_again(folder):
    scenario = load_scenario(folder / "scenarios/base.yaml")
    write_yaml(folder / "own/kept.yaml", scenario)
    assert load_scenario(folder / "own/kept.yaml") == scenario


def test_scenarios_are_equal_only_if_their_records_are(folder):
    before = load_scenario(folder / "scenarios/base.yaml")
    assert load_scenario(folder / "scenarios/base.yaml") == before
    (folder / "scenarios/records/calls.csv").write_text("channel,at_s\nvoice,12\n")
    after = load_scenario(folder / "scenarios/base.yaml")
    assert after != before
    rows, others = CenterRows(before, 1), CenterRows(after, 1)
    with pytest.raises(ValueError, match="snapshot of scenario base"):
        others.restore(0, rows.snapshot(0))


def test_a_missing_file_is_reported_at_the_line_that_names_it(folder):
    (folder / "scenarios/base.yaml").write_text(BASE.replace("calls", "cals"))
    with pytest.raises(ConfigurationError) as caught:
        load_scenario(folder / "scenarios/base.yaml")
    message = str(caught.value)
    assert message.startswith("scenario.replay.file = ")
    assert f"no such file: {folder}/scenarios/records/cals.csv ({folder}/scenarios/base.yaml:4)" in message


@pytest.mark.parametrize(
    ("replay", "expected"),
    [
        ("{}", "scenario.replay.file: missing key"),
        ("{file: 3}", "scenario.replay.file = 3: must be text"),
        ("{file: ''}", "scenario.replay.file = "),
        ("calls.csv", "scenario.replay = 'calls.csv': must be a mapping"),
        ("{file: records/calls.csv, order: random}", "= 'random': must be one of in_turn, drawn"),
    ],
)
def test_a_replay_that_cannot_be_is_refused(folder, replay, expected):
    (folder / "scenarios/base.yaml").write_text(BASE.replace("{file: records/calls.csv}", replay))
    with pytest.raises(ConfigurationError) as caught:
        load_scenario(folder / "scenarios/base.yaml")
    assert expected in str(caught.value)
    assert "base.yaml:4)" in str(caught.value)


NO_DAYS = (
    "1/2/2021", "2021-02-30", "2021-1-2", "01022021", "2021-02-01 00:00:00", "monday", "1.5", "-1", "W05-2021",
)  # fmt: skip
NO_TIMES = (
    "8:00:05", "08:00", "24:00:00", "08:61:00", "08:00:05Z", "2021-01-01T08:00:05", "01:42.3", "8:00:05 AM", "1_000",
)  # fmt: skip

# Mistakes in the record ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "row 1: missing column 'channel'"),
        ("channel\nvoice\n", "row 1: missing column 'at_s'"),
        ("channel,at_s\n", ": no contacts: must have at least one row below the header"),
        ("channel,at_s,handel_s\n", "row 1: unknown column 'handel_s'; did you mean 'handle_s'?"),
        ("channel,at_s,at_s\n", "row 1: column 'at_s' stands twice"),
        ("channel;at_s\n", "row 1: unknown column 'channel;at_s'"),
        ("channel,at_s\nvoice\n", "row 2: 1 cells: must be 2, one per column"),
        ("channel,at_s\nvoice,1,2\n", "row 2: 3 cells: must be 2, one per column"),
        ('channel,at_s\nvoice,"1\n', "row 2: not valid CSV"),
        (
            "channel,at_s\nvoice,1\nvoise,2\n",
            "row 3, column channel = 'voise': no such channel (known: voice, email); did you mean 'voice'?",
        ),
        ("channel,at_s\n\nvoice,-1\n", "row 3, column at_s = '-1': must be >= 0 seconds"),
        (
            "channel,at_s\nvoice,86400\n",
            "row 2, column at_s = '86400': must be < 86400 seconds, the end of the horizon",
        ),
        ("channel,at_s\nvoice,\n", "row 2, column at_s = '': must not be empty"),
        ("channel,at_s\nvoice,10:30\n", "row 2, column at_s = '10:30': must be a finite number (seconds)"),
        ("channel,at_s,handle_s\nvoice,1,nan\n", "row 2, column handle_s = 'nan': must be a finite number (seconds)"),
        ("channel,at_s,handle_s\nvoice,1,-2\n", "row 2, column handle_s = '-2': must be >= 0 seconds"),
        ("channel,at_s,patience_s\nvoice,1,-2\n", "row 2, column patience_s = '-2': must be >= 0 seconds"),
        ("channel,at_s,patience_at_least_s\nvoice,1,-2\n", "column patience_at_least_s = '-2': must be >= 0 seconds"),
        (
            "channel,at_s,patience_s\nemail,1,2\n",
            "column patience_s = '2': has no meaning on a deferred channel (email): must be empty",
        ),
        ("channel,at_s,patience_at_least_s\nemail,1,2\n", "column patience_at_least_s = '2': has no meaning"),
        (
            "channel,at_s,patience_s,patience_at_least_s\nvoice,1,2,1\n",
            "column patience_at_least_s = '1': must be empty where patience_s is given",
        ),
        ("channel,at_s,account_value_usd\nvoice,1,-2\n", "column account_value_usd = '-2': must be >= 0 USD"),
        ("channel,at_s,account_value_usd\nvoice,1,inf\n", "= 'inf': must be a finite number (USD)"),
        ("channel,at_s,at_risk\nvoice,1,2\n", "row 2, column at_risk = '2': must be 0 or 1"),
        ("channel,at_s,at_risk\nvoice,1,0.5\n", "row 2, column at_risk = '0.5': must be 0 or 1"),
        ("channel,at_s,at_risk\nvoice,1,yes\n", "row 2, column at_risk = 'yes': must be 0 or 1"),
        (
            "channel,at_s,preferred_rep\nvoice,1,2\n",
            "column preferred_rep = '2': must be a whole number >= 0 and < 2, the number of reps",
        ),
        (
            "channel,at_s,preferred_rep\nvoice,1,-1\n",
            "column preferred_rep = '-1': must be a whole number >= 0 and < 2",
        ),
        ("channel,at_s,day\nvoice,1,\n", "row 2, column day = '': must not be empty"),
        ("channel,at_s,handle_s\nvoice,1,1_000\n", "column handle_s = '1_000': must be a finite number (seconds)"),
        *((f"channel,at_s\nvoice,{at}\n", f"row 2, column at_s = '{at}': must be ") for at in NO_TIMES),
        *((f"day,channel,at_s\n{day},voice,1\n", f"row 2, column day = '{day}': must be a whole") for day in NO_DAYS),
        (
            "day,channel,at_s\n1,voice,1\n2021-01-02,voice,1\n",
            "row 3, column day = '2021-01-02': must be a whole number",
        ),
        ("day,channel,at_s\n2021-01-02,voice,1\n3,voice,1\n", "row 3, column day = '3': must be a date"),
    ],
)
def test_mistakes_in_a_record_name_file_row_column_value_and_rule(replayed, monkeypatch, tmp_path, text, expected):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        replayed(text)
    message = str(caught.value)
    assert message.startswith("calls.csv")
    assert expected in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "formats", "expected"),
    [
        (
            "day,channel,at_s\n13/1/2021,voice,1\n",
            {"date_format": "%m/%d/%Y"},
            "column day = '13/1/2021': must be a date",
        ),
        ("day,channel,at_s\n7,voice,1\n", {"date_format": "%m/%d/%Y"}, "column day = '7': must be a date in the form"),
        (
            "day,channel,at_s\n2021-01-02 08:00,voice,1\n",
            {"date_format": "%Y-%m-%d %H:%M"},
            "column day = '2021-01-02 08:00': must be a date without a time of day",
        ),
        ("channel,at_s\nvoice,28800\n", {"time_format": "%H:%M"}, "column at_s = '28800': must be a time of the day"),
    ],
)
def test_what_has_not_the_stated_format_is_refused(replayed, text, formats, expected):
    with pytest.raises(ConfigurationError, match=re.escape(expected)):
        replayed(text, formats=formats)


@pytest.mark.parametrize("form", ["%d/%m", "%m/%Y", "%Q", "", "%H:%M", "text"])
def test_a_format_that_says_no_day_is_refused(replayed, form):
    with pytest.raises(ValueError, match="must say year, month and day"):
        replayed("channel,at_s\nvoice,1\n", formats={"date_format": form})


@pytest.mark.parametrize("form", ["%I:%M", "%M:%S", "%H", "%Y-%m-%d %H:%M", "%H:%M %z", ""])
def test_a_format_that_says_no_minute_is_refused(replayed, form):
    with pytest.raises(ValueError, match="must say hour and minute and no date"):
        replayed("channel,at_s\nvoice,1\n", formats={"time_format": form})


def test_a_clock_time_says_no_day_of_a_longer_horizon(replayed):
    with pytest.raises(ConfigurationError, match="column at_s = '08:00:00': must be seconds: a clock time says no day"):
        replayed("channel,at_s\nvoice,08:00:00\n", horizon={"days": 2})


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("calls.csv", b"channel,at_s\nvoice\xff,1\n", "calls.csv: not a UTF-8 text file"),
        ("calls.csv.gz", b"channel,at_s\n", "calls.csv.gz: not a gzip file, or a damaged one"),
        (
            "calls.csv.gz",
            gzip.compress(b"channel,at_s\nvoice,1\n" * 50, mtime=0)[:40],
            "calls.csv.gz: not a gzip file, or a damaged one",
        ),
    ],
)
def test_a_file_that_is_no_text_is_refused(replayed, monkeypatch, tmp_path, name, content, expected):
    scenario = replayed("channel,at_s\nvoice,1\n")
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(content)
    with pytest.raises(ConfigurationError, match=expected):
        Scenario.model_validate(scenario.model_dump() | {"replay": {"file": name}})


# A call log ---------------------------------------------------------------------------------------

LOG = """\
day_index,queue_enter_s,wait_s,outcome,service_s,type
0,25376,0,SERVED,166,PS
0,25400,12,SERVED,92,NW
0,29361,5,ABANDON,,PS
0,30000,0,VRU_HANG,,PS
1,26010,41,SERVED,300,PS
"""
"""In the shape of the call log of a bank: who was answered, who hung up, and who never joined a queue."""


def record_of(log: str, channels: dict[str, str]) -> str:
    """Return a call log as a record: the wait of who hung up is patience, of who was answered a bound of it."""
    lines = ["day,channel,at_s,handle_s,patience_s,patience_at_least_s"]
    for row in csv.DictReader(log.splitlines()):
        if row["outcome"] == "SERVED":
            waited = f"{row['service_s']},,{row['wait_s']}"
        elif row["outcome"] == "ABANDON":
            waited = f",{row['wait_s']},"
        else:
            continue
        lines.append(f"{row['day_index']},{channels[row['type']]},{row['queue_enter_s']},{waited}")
    return "\n".join(lines)


def test_a_call_log_is_replayed_by_its_columns(replayed):
    stock = channel(VOICE, name="stock", patience=PATIENCE)
    scenario = replayed(
        record_of(LOG, {"PS": "voice", "NW": "stock"}),
        channels=[channel(VOICE, patience=PATIENCE), stock],
        groups=[{"name": "all", "count": 1, "skills": ["voice", "stock"]}],
    )
    first, second = sample(scenario), sample(scenario, episode=1)
    assert first["arrival_s"].tolist() == [25376, 25400, 29361]
    assert first["queue"].tolist() == [0, 1, 0]
    assert first["handle_s"].tolist() == [166, 92, 300]  # who hung up: the channel's fixed 300 s
    assert first["patience_s"][2] == 5
    assert first["patience_s"][1] > 12
    assert second["arrival_s"].tolist() == [26010]
    assert second["patience_s"][0] > 41
    assert (first["arrival_s"] < DAY_S).all()
