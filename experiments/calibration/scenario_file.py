"""The scenario of a log as a file: every number with where it comes from, as a comment.

Room: `experiments.calibration`. Writes the file that the user names, and the one of its assumed numbers beside it.

What the scenario says is `experiments.calibration.scenario_data.scenario_data`; here it only becomes text. The text is
written first, read again to learn in which line each key stands, and then the comments are put above those lines.
"""

import textwrap
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from agents.whole_file import write_whole
from envs.configuration.document import dump_yaml, parse_yaml
from envs.configuration.messages import KeyPath
from experiments.calibration.estimates import Assumption, Estimates
from experiments.calibration.scenario_data import scenario_data
from experiments.calibration.sensitivity.assumptions import write_assumptions
from experiments.run_folder import writing

_WIDTH = 120


def assumptions_file(file: Path) -> Path:
    """Return the file of the assumed numbers of the scenario in `file`: `bank.assumptions.yaml` beside `bank.yaml`."""
    return file.with_name(f"{file.stem}.assumptions.yaml")


def write_scenario(estimates: Estimates, file: Path, cleaned: Mapping[str, int] | None = None) -> None:
    """Write a scenario, and beside it the assumed numbers with their ranges (`assumptions_file`).

    Args:
        estimates: what the log tells, and what is assumed.
        file: where to; its folder must exist.
        cleaned: rows of the log that each cleaning rule touched, for the comment at the top.
    """
    text = scenario_text(estimates, cleaned or {})
    with writing(f"--out {file}"):
        write_whole(file, text.encode())
        write_assumptions(estimates.assumptions, assumptions_file(file))


def scenario_text(estimates: Estimates, cleaned: Mapping[str, int]) -> str:
    """Return the scenario as YAML with its comments."""
    data = scenario_data(estimates)
    text = dump_yaml(data, in_lines=True)
    lines = parse_yaml(text, Path(estimates.name)).locations
    comments: dict[int, list[str]] = {}
    for path, comment in _comments(estimates).items():
        place = key_path(data, path)
        if place is not None and place in lines:
            comments.setdefault(lines[place].line, []).append(comment)
    result = [*_header(estimates, cleaned), ""]
    for number, line in enumerate(text.splitlines(), start=1):
        indent = " " * (len(line) - len(line.lstrip(" -")))
        for comment in comments.get(number, ()):
            result += _wrapped(comment, indent)
        result.append(line)
    return "\n".join(result) + "\n"


def numbers_without_origin(estimates: Estimates) -> list[str]:
    """Return the dotted paths of the scenario's numbers that have neither an origin nor an assumption, of their own or
    of a key above them; there are none."""
    data = scenario_data(estimates)
    known = {key_path(data, path) for path in _comments(estimates)}
    found = []
    for path in _numbers(data, ()):
        if not any(path[:length] in known for length in range(1, len(path) + 1)):
            found.append(".".join(str(step) for step in path))
    return found


def key_path(data: Any, dotted_path: str) -> KeyPath | None:
    """Return the keys and indices of a dotted path, in which items of lists are named or numbered as in `--set`; None
    if it leads nowhere."""
    path: KeyPath = ()
    for step in dotted_path.split("."):
        if isinstance(data, list):
            names = [str(item.get("name")) if isinstance(item, dict) else "" for item in data]
            if step in names:
                place: str | int = names.index(step)
            elif step.isdigit() and int(step) < len(data):
                place = int(step)
            else:
                return None
        elif isinstance(data, dict) and step in data:
            place = step
        else:
            return None
        data, path = data[place], (*path, place)
    return path


def _comments(estimates: Estimates) -> dict[str, str]:
    """Return the comment of each dotted path that has one; where a number is assumed, that is said."""
    return estimates.origins() | {assumption.path: _assumed(assumption) for assumption in estimates.assumptions}


def _assumed(assumption: Assumption) -> str:
    name = assumption.path.rpartition(".")[2]
    span = f"between {assumption.low:g} and {assumption.high:g}" if assumption.low < assumption.high else "no range"
    return f"Assumed: {name} = {assumption.value:g}, {span}: {assumption.reason}"


def _header(estimates: Estimates, cleaned: Mapping[str, int]) -> list[str]:
    first, last = (date.fromordinal(int(day)) for day in estimates.days[[0, -1]])
    days = f"{len(estimates.days)} days from {first} to {last}"
    text = [
        f"From {estimates.source}, {days}, by `blended calibrate`: {estimates.name}.",
        "Above each number stands where it comes from. What the log does not tell is assumed, with the range within "
        "which it may lie; the ranges stand in the file of assumptions beside this one, which `blended calibrate "
        "--assumptions` reads.",
    ]
    if cleaned:
        rows = ", ".join(f"{rule} {count:,}" for rule, count in cleaned.items())
        text.append(f"Rows of the log by cleaning rule (docs/calibration.md): {rows}.")
    return [line for part in text for line in _wrapped(part, "")]


def _wrapped(comment: str, indent: str) -> list[str]:
    prefix = f"{indent}# "
    return textwrap.wrap(
        " ".join(comment.split()), _WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_long_words=False
    )


def _numbers(data: Any, path: KeyPath) -> Iterator[KeyPath]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _numbers(value, (*path, key))
    elif isinstance(data, list):
        for i, value in enumerate(data):
            yield from _numbers(value, (*path, i))
    elif isinstance(data, int | float) and not isinstance(data, bool):
        yield path
