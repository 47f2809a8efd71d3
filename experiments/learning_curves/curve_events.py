"""Learning curves over seeds for TensorBoard: runs `mean`, `low` and `high` of each method, beside the rules.

Room: `experiments.learning_curves`. Needs tensorboard, of the extra `train`, and no torch. Writes one folder.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from agents.run_files import COST_TAG, LEARNED_ROW
from experiments.learning_curves.curves import Curve, aggregate
from experiments.learning_curves.groups import Group, rules_on_validation
from experiments.run_folder import file_name, writing

BAND = ("mean", "low", "high")
"""The runs of each method: the interquartile mean over seeds, and the ends of its interval."""


def write_curve_events(groups: Sequence[Group], folder: Path) -> None:
    """Write `<scenario>/<method>/mean`, `low` and `high` below `folder` under the tags of single runs, by decisions,
    and each rule that all runs have as a line over the whole of them. Events that stand in these folders are replaced,
    other files are left alone.

    A method with one seed has no band, so its runs `low` and `high` are left out.
    """
    with writing(f"{folder}"):
        for (scenario, method), curves in aggregate(groups).items():
            place = folder / file_name(scenario) / file_name(method)
            for part in BAND:
                _write(place / part, {tag: (curve.places, _part(curve, part)) for tag, curve in curves.items()})
        for scenario in dict.fromkeys(group.scenario for group in groups):
            own = [group for group in groups if group.scenario == scenario]
            for rule, value in rules_on_validation(own).items():
                ends = np.array([0.0, _last_place(own)])
                _write(folder / file_name(scenario) / file_name(rule), {COST_TAG: (ends, np.full(2, value))})


def _part(curve: Curve, part: str) -> NDArray[np.float64]:
    values: NDArray[np.float64] = getattr(curve, part)
    return values


def _last_place(groups: Sequence[Group]) -> float:
    return max(run.measured[LEARNED_ROW][COST_TAG].decisions[-1] for group in groups for run in group.runs)


def _write(folder: Path, lines: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]) -> None:
    """Write one run: for each tag its values at these decisions, those left out that are not finite."""
    for old in folder.glob("events.*"):  # and nothing else: the user's folder may hold more
        old.unlink()
    if not any(np.isfinite(values).any() for _, values in lines.values()):
        return
    writer = EventFileWriter(str(folder))
    try:
        for tag, (places, values) in lines.items():
            for place, value in zip(places.tolist(), values.tolist(), strict=True):
                if np.isfinite(value):
                    summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
                    writer.add_event(Event(step=round(place), summary=summary))
    finally:
        writer.close()
