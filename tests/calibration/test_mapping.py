"""What a mapping may say: mistakes name their file, line, key and rule."""

from pathlib import Path
from typing import Any

import pytest

from envs.errors import ConfigurationError
from experiments.calibration.logs.log_file import read_log
from experiments.calibration.logs.mapping import load_mapping

SMALL = "columns:\n  arrived: at\n"


def load(folder: Path, text: str, *overrides: str) -> Any:
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return load_mapping(file, overrides)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("description: none\n", "mapping.columns: missing key"),
        ("columns: {arrived: at, answred: up}\n", "mapping.columns.answred: unknown key; did you mean 'answered'?"),
        (
            SMALL + "rules: {wait_below_zero: drop}\n",
            "wait_below_zero = 'drop': must be one of refuse, zero, leave_out",
        ),
        (SMALL + "time_zone: Berlin\n", "mapping.time_zone = 'Berlin': must be a time zone of the IANA"),
        (
            SMALL + "times: {format: clock}\n",
            "mapping.times.format = 'clock': says no day: must stand beside columns.date",
        ),
        (SMALL + 'times: {format: "%H:%M:%S"}\n', "must say year, month and day"),
        (
            "columns: {arrived: at, date: day}\n",
            "mapping.times.format: says the day itself: must stand without columns.date",
        ),
        (
            'columns: {arrived: at, date: day}\ntimes: {format: "%d.%m.%Y %H:%M"}\n',
            "must say hour and minute and no date",
        ),
        (SMALL + "times: {format: epoch_ms}\n", "mapping.time_zone: missing key: the center's time zone"),
        (SMALL + "times: {date_format: days}\n", "mapping.times.day_zero: missing key: which date day 0 is"),
        (
            SMALL + "numbers: {decimal: ',', thousands: ','}\n",
            "mapping.numbers.thousands = ',': must differ from decimal",
        ),
        ("columns: {arrived: at, outcome: how}\n", "mapping.outcomes.served: missing key"),
        (
            SMALL + "rules: {repeated_id: keep_first}\n",
            "mapping.columns.id: missing key: what rules.repeated_id compares",
        ),
        (SMALL + "channels: [{name: voice}, {name: chat}]\n", "mapping.columns.channel: missing key"),
        (SMALL + "priorities: {gold: 60}\n", "mapping.columns.priority: missing key"),
        (SMALL + "first_day: 2024-02-01\nlast_day: 2024-01-31\n", "must not lie before first_day = 2024-02-01"),
        (
            SMALL + "channels: [{name: voice, texts: [a, b]}, {name: chat, texts: b}]\n",
            "'b' stands twice: must have one",
        ),
        (SMALL + "outcomes: {served: ok, left_out: ok}\n", "mapping.outcomes.left_out = 'ok': 'ok' stands twice"),
        (
            "columns: {arrived: at, served_count: n}\n",
            "must be interval where served_count or abandoned_count are stated",
        ),
    ],
)
def test_a_mistake_is_one_message(tmp_path: Path, text: str, message: str):
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path, text)
    assert message in str(refused.value)
    assert "mine.yaml:" in str(refused.value)


def test_a_column_that_the_log_lacks_is_named_with_the_line_of_the_mapping(tmp_path: Path):
    mapping = load(tmp_path, SMALL)
    log = tmp_path / "log.csv"
    log.write_text("date,came\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"mapping.columns.arrived = 'at': .*no such column.*mine.yaml:2"):
        read_log(log, mapping)


def test_a_mapping_extends_another_and_is_overridden(tmp_path: Path):
    text = "extends: amazon_connect\ntime_zone: Europe/Madrid\ncolumns: {priority: QueuePriority}\n"
    mapping = load(tmp_path, text, "rules.repeated_id=keep_first")
    assert mapping.time_zone == "Europe/Madrid"
    assert mapping.columns.priority == "QueuePriority"
    assert mapping.columns.arrived == ("EnqueueTimestamp",)
    assert mapping.rules.repeated_id == "keep_first"


def test_a_name_that_does_not_exist_lists_those_that_do():
    with pytest.raises(ConfigurationError, match="no such name in configs/mappings; did you mean 'zendesk_talk'"):
        load_mapping("zendesk_tlak")
