"""One day of a log as a scenario: its contacts and its reps as they came, and the laws of what the log does not fix.

Room: `experiments.calibration.hold_out`. Writes the record of the day into a folder that it is given.
"""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from envs.interface.units import DAY_S, WEEKDAYS
from envs.scenario.scenario import Scenario, load_scenario
from experiments.calibration.contact_log import ABANDONED, SERVED, ContactLog
from experiments.calibration.estimation import BREAK_AFTER_S, IDLE_AT_MOST_S
from experiments.calibration.estimators.arrivals import weekday_positions
from experiments.calibration.estimators.presence import rep_spans

Needs = Literal["law", "logged"]
"""Whether patience and handle time are drawn from the laws, or are the log's as far as it tells them."""
LEAST_SPAN_S = 1.0
"""A rep who is there for less is left out."""


def logged_day(
    base: Mapping[str, Any],
    log: ContactLog,
    day: int,
    folder: Path,
    *,
    needs: Needs,
    speeds: NDArray[np.float64] | None = None,
) -> Scenario | None:
    """Return the scenario of one `day` (`date.toordinal()`) of `log`; None if nobody came, or nobody was there.

    Args:
        base: a scenario as plain data, with the channels of the log, and perhaps more: laws, harms, prices.
        log: the log, its channels those of `base`.
        day: which day.
        folder: where the record of the day is written.
        needs: whether patience and handle time are the log's.
        speeds: of each rep; None: the reps' own activity is not used, and `base` says who works.
    """
    contacts = log.contacts[log.contacts["day"] == day]
    spans = rep_spans(contacts, BREAK_AFTER_S, IDLE_AT_MOST_S) if speeds is not None else None
    if len(contacts) == 0 or (spans is not None and len(spans) == 0):
        return None
    weekday = WEEKDAYS[int(weekday_positions(np.array([day]))[0])]
    file = folder / f"day_{day}.csv"
    _write_record(file, contacts, log.channels, needs)
    data = {
        **base,
        "horizon": {"days": 1, "start_weekday": weekday},
        "channels": [
            {key: value for key, value in channel.items() if key not in ("arrivals", "redial")}
            for channel in base["channels"]
        ],
        "replay": {"file": str(file)},
    }
    if spans is not None and speeds is not None:
        skills = [channel["name"] for channel in base["channels"]]
        data["groups"] = _groups(spans, speeds, log, weekday, skills)
    return load_scenario(data)


def _groups(
    spans: NDArray[Any], speeds: NDArray[np.float64], log: ContactLog, weekday: str, skills: list[str]
) -> list[dict[str, Any]]:
    """Return a group for each rep who was there, with the spans as shifts, skilled in all channels."""
    groups = []
    for rep in np.unique(spans["rep"]).tolist():
        mine = spans[spans["rep"] == rep]
        ends_s = np.minimum(mine["end_s"], DAY_S)
        shifts = [
            {"weekdays": [weekday], "start": float(start_s), "end": float(end_s)}
            for start_s, end_s in zip(mine["start_s"], ends_s, strict=True)
            if end_s - start_s >= LEAST_SPAN_S
        ]
        if shifts:
            speed = round(float(speeds[rep]), 4)
            groups.append(
                {
                    "name": f"rep_{log.reps[rep]}",
                    "count": 1,
                    "skills": skills,
                    "shifts": shifts,
                    "proficiency": {channel: {"speed": speed} for channel in log.channels},
                }
            )
    return groups


def _write_record(file: Path, contacts: NDArray[Any], channels: tuple[str, ...], needs: Needs) -> None:
    """Write the contacts of a day as the scenario's `replay` reads them (docs/scenario.md, Columns of a record)."""
    header = ["channel", "at_s"]
    if needs == "logged":
        header += ["handle_s", "patience_s", "patience_at_least_s", "account_value_usd"]
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        for contact in contacts:
            row: list[Any] = [channels[contact["channel"]], float(contact["arrived_s"])]
            if needs == "logged":
                row += _logged_needs(contact)
            writer.writerow(row)


def _logged_needs(contact: Any) -> list[float | str]:
    """Return handle time, patience and value of a contact (`LOGGED`) as far as the log tells them; an empty text
    where it does not."""

    def told(value: float, *, only_if: bool = True) -> float | str:
        return float(value) if only_if and np.isfinite(value) else ""

    outcome, wait_s = contact["outcome"], contact["wait_s"]
    return [
        told(contact["handle_s"]),
        told(wait_s, only_if=outcome == ABANDONED),
        told(wait_s, only_if=outcome == SERVED),
        told(contact["value_usd"]),
    ]
