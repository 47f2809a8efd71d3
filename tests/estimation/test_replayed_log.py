from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from logged import FIRST_DAY, contacts, log_of, queue_log

from envs.errors import ConfigurationError
from experiments.replay.replay import OWN_RULE, replay, replay_recorded

SCENARIO = {
    "name": "center",
    "channels": [
        {
            "name": "voice",
            "kind": "real_time",
            "arrivals": {"rate_per_hour": 5},
            "handle_time": 100,
            "patience": {"distribution": "exponential", "mean_s": 120},
            "harm": {"abandonment_prob": 0.01},
        }
    ],
    "groups": [{"name": "reps", "count": 1, "skills": ["voice"]}],
    "segments": [{"name": "customer", "share_frac": 1, "account_value": 1000}],
}


def test_the_own_rule_repeats_a_log_that_tells_everything() -> None:
    """First come, first served with the logged handle times and patience is the log, so the error of the model is 0;
    the rule against itself has no effect."""
    log = queue_log(6, 60, 2, 100.0)
    found = replay(log, SCENARIO, ["fifo"], repetitions=2)
    assert found.days == ("2024-01-07", "2024-01-08", "2024-01-09", "2024-01-10", "2024-01-11", "2024-01-12")
    for key, values in found.logged.items():
        np.testing.assert_allclose(found.service[OWN_RULE][key], values, atol=0.02 if key != "mean_wait_s" else 2.0)
    effect = found.effect("fifo")
    assert effect["abandoned_frac"] == (0.0, 0.0, 0.0)
    assert effect["total_cost_usd"] == (0.0, 0.0, 0.0)
    result = json.loads(json.dumps(found.as_json()))
    assert result["model_error"]["mean_wait_s"]["low"] is not None
    assert len(result["metrics"]["fifo"]["total_cost_usd"]) == 6
    found.show()


def test_an_abandoned_call_costs_what_it_harms() -> None:
    """A rep who is busy for 600 s and a caller who hangs up after 30 s: 0.01 × 1,000 USD, on one day, whatever the
    policy."""
    log = log_of(contacts([(FIRST_DAY, 1000.0, 0.0, 600.0, 0), (FIRST_DAY, 1100.0, 30.0, np.nan, -1)]), 1)
    found = replay(log, SCENARIO, ["fifo"], repetitions=2)
    assert found.metrics[OWN_RULE]["total_cost_usd"].tolist() == [10.0]
    assert found.service["fifo"]["abandoned_frac"].tolist() == [0.5]
    assert np.isnan(found.model_error()["abandoned_frac"].low)  # one day has no interval


def test_days_without_reps_are_left_out_and_named() -> None:
    rows = [(FIRST_DAY, 1000.0, 0.0, 60.0, 0), (FIRST_DAY + 1, 1000.0, 9.0, np.nan, -1)]
    found = replay(log_of(contacts(rows), 1), SCENARIO, ["fifo"], repetitions=1)
    assert found.left_out == ("2024-01-08",)


def test_recorded_days_of_the_scenario_are_played_with_its_own_reps(tmp_path: Path) -> None:
    """One rep and calls of 100 s. Day 1: calls at 1,000 and 1,050 s, so one waits 50 s; day 2: a call alone."""
    record = tmp_path / "days.csv"
    record.write_text("day,channel,at_s\n0,voice,1000\n0,voice,1050\n1,voice,1000\n", "utf-8")
    patient = {**SCENARIO["channels"][0], "patience": {"distribution": "exponential", "mean_s": 1e6}, "arrivals": None}
    scenario = {**SCENARIO, "channels": [patient], "replay": {"file": str(record), "order": "drawn"}}
    found = replay_recorded(scenario, ["voice_first"], repetitions=3)
    assert found.days == ("day 1", "day 2")
    assert found.service[OWN_RULE]["mean_wait_s"].tolist() == [25.0, 0.0]
    assert found.service["voice_first"]["waited_frac"].tolist() == [0.5, 0.0]
    assert found.model_error() == {}
    found.show()
    with pytest.raises(ConfigurationError, match="scenario center: replay = none: must name recorded days"):
        replay_recorded(SCENARIO, ["fifo"])


def test_a_policy_of_the_users_own_is_guarded(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "import numpy as np\n\n\nclass Broken:\n    def predict(self, observations, deterministic=True):\n"
        "        return np.full(len(observations['action_mask']), 99)\n",
        "utf-8",
    )
    with pytest.raises(ConfigurationError, match="Broken"):
        replay(queue_log(1, 10, 1, 60.0), SCENARIO, [f"{tmp_path / 'own.py'}:Broken"], repetitions=1)


def test_a_scenario_without_the_channel_of_the_log_is_refused() -> None:
    log = queue_log(1, 10, 1, 60.0)
    other = {**SCENARIO, "channels": [{**SCENARIO["channels"][0], "name": "chat"}]}
    other["groups"] = [{"name": "reps", "count": 1, "skills": ["chat"]}]
    with pytest.raises(ConfigurationError, match=r"scenario center: has no channel voice.*\(known: chat\)"):
        replay(log, other, ["fifo"])


def test_the_command_writes_what_it_shows(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from experiments.cli.main import app

    log = tmp_path / "log.csv"
    log.write_text("at,waited,took,who\n2024-01-07 08:00:00,0,60,anna\n2024-01-07 08:00:30,35,60,anna\n", "utf-8")
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("columns: {arrived: at, wait: waited, handle: took, rep: who}\n", "utf-8")
    scenario = tmp_path / "center.yaml"
    scenario.write_text(json.dumps(SCENARIO), "utf-8")
    out = tmp_path / "replay.json"
    arguments = ["replay", str(log), "--mapping", str(mapping), "--scenario", str(scenario), "--json", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text("utf-8"))
    assert found["days"] == ["2024-01-07"]
    assert found["log"]["mean_wait_s"] == [17.5]
    assert "own rule" in result.output
