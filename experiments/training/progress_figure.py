"""The figure of trainings in progress: what they had saved after so many decisions, and after so many seconds.

Room: `experiments.training`, run as `python -m experiments.training.progress_figure RUN_FOLDER… --figure FILE`. Needs
the extra `report`. Reads the tables of run folders; touches the one file that it writes.
"""

import argparse
import csv
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from agents.run_files import SEARCH_FILE, TRAINING_FILE, VALIDATION_FILE
from envs.errors import ConfigurationError
from experiments.comparison.figure import check_file, save
from experiments.training.training_config import load_training

COLOURS = {"policy search": "#d55e00", "MaskablePPO": "#0072b2", "masked DQN": "#009e73", "masked QR-DQN": "#cc79a7"}
"""Of the palette of Okabe and Ito, by method. What came before one that learns by gradients is its start."""
GRADIENTS = {"maskable_ppo": "MaskablePPO", "masked_dqn": "masked DQN", "masked_qrdqn": "masked QR-DQN"}
"""The methods that learn by gradients, by algorithm."""


class Course(NamedTuple):
    """How one method got on in one run.

    Attributes:
        scenario: its name or file.
        method: one of `COLOURS`.
        decisions, seconds: so far, at each validation.
        gain_frac: of the cost at the start, what the cheapest form so far costs less on validation episodes.
    """

    scenario: str
    method: str
    decisions: list[int]
    seconds: list[float]
    gain_frac: list[float]


def read_courses(folder: Path) -> list[Course]:
    """Return the courses of a run folder: policy search, if there was one, and what learned by gradients, greedily, if
    it was validated after its start. Raises `ConfigurationError` if there is no training, a table is damaged or of an
    older version, or the start costs nothing."""
    if not (folder / TRAINING_FILE).is_file():
        raise ConfigurationError(f"{folder}: is no run folder of a training")
    config = load_training(str(folder / TRAINING_FILE))
    scenario = config.scenario
    tables = (
        ("policy search", SEARCH_FILE, "decisions", "validation_usd"),
        (GRADIENTS.get(config.algorithm, "MaskablePPO"), VALIDATION_FILE, "steps", "greedy"),
    )
    courses = []
    for method, name, decisions, cost in tables:
        if not (folder / name).is_file():
            continue
        try:
            with (folder / name).open(newline="", encoding="utf-8") as stream:
                table = csv.DictReader(stream)
                columns = table.fieldnames or ()
                rows = [row for row in table if row[cost]]
            if cost in columns and not {decisions, "minutes"} <= set(columns):
                raise ConfigurationError(
                    f"{folder / name}: was written by an older version: has no {decisions}, minutes"
                )
            costs_usd = [float(row[cost]) for row in rows]
            numbers = [int(row[decisions]) for row in rows]
            minutes = [float(row["minutes"]) for row in rows]
            # Those of a validation are of the whole run, search included; those of a search are its own.
            start = minutes[0] if name == VALIDATION_FILE and minutes else 0.0
            seconds = [60.0 * (number - start) for number in minutes]
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(f"{folder / name}: is no longer what the training wrote ({error!r})") from error
        if len(rows) > 1 and costs_usd[0] <= 0.0:
            raise ConfigurationError(
                f"{folder / name}: costs {costs_usd[0]:g} USD/day at its start: must be > 0 for a share"
            )
        if len(rows) > 1:
            least_usd = [min(costs_usd[: i + 1]) for i in range(len(rows))]
            gains = [1.0 - usd / costs_usd[0] for usd in least_usd]
            courses.append(Course(scenario, method, numbers, seconds, gains))
    return courses


def draw(courses: Sequence[Course]) -> Figure:
    """Return the figure: gain against decisions on the left, against seconds on the right; a line for each course,
    coloured by method, its scenario at its end."""
    figure = Figure(figsize=(10.0, 4.0), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for panel, field, label in zip(panels, ("decisions", "seconds"), ("decisions played", "seconds"), strict=True):
        for course in courses:
            places = getattr(course, field)
            gains = [100.0 * gain for gain in course.gain_frac]
            panel.step(places, gains, where="post", color=COLOURS[course.method], linewidth=1.2)
            panel.annotate(
                course.scenario, (places[-1], gains[-1]), textcoords="offset points", xytext=(3, 0), fontsize=7
            )
        panel.set_xlabel(label)
        panel.grid(color="#dddddd", linewidth=0.6)
        panel.spines[["top", "right"]].set_visible(False)
        panel.margins(x=0.15)
    panels[0].set_ylabel("saved on validation episodes, % of the method's own start")
    for method in dict.fromkeys(course.method for course in courses):
        panels[0].plot([], [], color=COLOURS[method], label=method)
    panels[0].legend(loc="upper left", frameon=False)
    return figure


def write_progress_figure(folders: Sequence[Path], file: Path) -> None:
    """Draw the courses of all run folders to a file; the same tables give the same bytes of SVG."""
    check_file(file)
    courses = [course for folder in folders for course in read_courses(folder)]
    if not courses:
        raise ConfigurationError("no run folder has a training that was validated after its start")
    save(partial(draw, courses), file)


def main() -> None:
    """Draw the figure that the command line asks for; mistakes end with status 2."""
    parser = argparse.ArgumentParser(prog="python -m experiments.training.progress_figure", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="RUN_FOLDER")
    parser.add_argument("--figure", required=True, type=Path, metavar="FILE", help="SVG, PNG or PDF")
    stated = parser.parse_args()
    try:
        write_progress_figure(stated.folders, stated.figure)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
