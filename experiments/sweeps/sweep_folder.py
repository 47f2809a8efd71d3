"""The folder of a sweep: what is to be run, what is finished, and who is at work in it.

Room: `experiments.sweeps`. Reads and writes below `runs/<sweep>/`:

    sweep.yaml               the trials, each with its training, resolved, and the digests of their scenarios; whole or
                             not at all
    sweep.lock               held by the command that is at work
    <trial>/                 the run folder of a training
    <trial>/trial.json       its outcome: a trial with this file is finished
    logs/<trial>.log         what the training printed
    logs/<trial>.lock        held by the process that trains
"""

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agents.run_files import KEYS_WITHOUT_EFFECT
from agents.whole_file import DRAFT, write_whole
from envs.configuration.document import dump_yaml, load_yaml, shown_path
from envs.errors import ConfigurationError
from experiments.provenance import DIGITS_SHOWN
from experiments.run_folder import writing
from experiments.sweeps.trial_process import LOGS_FOLDER
from experiments.sweeps.trials import Outcome, Trial, read_outcome

SWEEP_FILE = "sweep.yaml"
LOCK_FILE = "sweep.lock"
MOST_NAMED = 5
"""Differences that a message names, at most."""


@contextmanager
def open_folder(
    folder: Path, resolved: Mapping[str, Mapping[str, Any]], data: Mapping[str, Mapping[str, str]]
) -> Iterator[None]:
    """Make a sweep's folder, or take up again the one that is there, and hold it for the block.

    Args:
        folder: of the sweep.
        resolved: by name of the trial its training, resolved.
        data: by name of the trial the SHA-256 of its scenario and of recorded days, by what they are of.

    Raises:
        ConfigurationError: the folder is no sweep's, another command is at work in it, or the sweep was begun with
            other trials, settings or scenarios, of which the message names the first few; trials may be added.
    """
    is_new = not (folder / SWEEP_FILE).exists()
    strangers = [path.name for path in folder.iterdir() if not _is_own(path)] if is_new and folder.is_dir() else []
    if strangers:
        raise ConfigurationError(
            f"{shown_path(folder)}: must be new, or the folder of a sweep; it has no {SWEEP_FILE} but holds "
            f"{sorted(strangers)[0]} (--name gives the sweep another folder)"
        )
    with writing(shown_path(folder)):
        (folder / LOGS_FOLDER).mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_FILE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(f"{shown_path(folder)}: another blended sweep is at work in it") from None
        if not is_new:
            _require_same(folder, resolved, data)
        kept = {"trials": _plain(resolved), "data": _plain(data)}
        write_whole(folder / SWEEP_FILE, dump_yaml(kept).encode())
        yield


def _is_own(path: Path) -> bool:
    """Return whether a sweep that was killed at its very start may have left this behind."""
    return path.name in (LOCK_FILE, LOGS_FOLDER) or path.name.endswith(DRAFT)


def _plain(by_name: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: dict(keys) for name, keys in by_name.items()}


def _read_kept(file: Path) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Return the trainings and the digests of a sweep, by name of the trial; raises `ConfigurationError`."""
    document = load_yaml(file).data
    trials, data = (document.get("trials"), document.get("data")) if isinstance(document, dict) else (None, None)
    if not isinstance(trials, dict) or not isinstance(data, dict):
        raise ConfigurationError(f"{shown_path(file)}: is not what a sweep writes, or one of an older version")
    for name, value in (*trials.items(), *data.items()):
        if not isinstance(value, dict):
            raise ConfigurationError(f"{shown_path(file)}: is not what a sweep writes ({name} is no mapping)")
    return trials, data


def _require_same(
    folder: Path, resolved: Mapping[str, Mapping[str, Any]], data: Mapping[str, Mapping[str, str]]
) -> None:
    """Raise `ConfigurationError` if trials with which the sweep was begun are missing now, or are others."""
    kept, kept_data = _read_kept(folder / SWEEP_FILE)
    now = json.loads(json.dumps(resolved))  # lists for tuples, as in the file
    found = []
    for name, before in kept.items():
        if name not in now:
            found.append(f"trial {name} is no longer in it")
            continue
        found += [f"trial {name}: {text}" for text in _differences(before, now[name])]
        found += [f"trial {name}: {text}" for text in _other_data(kept_data.get(name, {}), data.get(name, {}))]
    if found:
        more = [f"and {len(found) - MOST_NAMED} more"] if len(found) > MOST_NAMED else []
        raise ConfigurationError(
            f"{shown_path(folder)}: was begun as another sweep, and only new trials may be added (--name gives this "
            "one another folder)\n" + "\n".join(f"  {text}" for text in [*found[:MOST_NAMED], *more])
        )


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Yield which keys of a training differ, and what they were and are."""
    for key in dict.fromkeys([*before, *now]):
        if not above and key in KEYS_WITHOUT_EFFECT:
            continue
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new, f"{above}{key}.")
        elif old != new:
            yield f"{above}{key} was {json.dumps(old)}, is {json.dumps(new)}"


def _other_data(before: Mapping[str, Any], now: Mapping[str, str]) -> Iterator[str]:
    """Yield which digests differ, with their first digits."""
    for name in dict.fromkeys([*before, *now]):
        old, new = (str(digests.get(name, "none"))[:DIGITS_SHOWN] for digests in (before, now))
        if old != new:
            yield f"{name} is no longer what it was begun with: SHA-256 {old} then, {new} now"


def finished_trials(folder: Path, trials: Sequence[Trial]) -> dict[Trial, Outcome]:
    """Return the outcomes of the trials that are finished, in the order of `trials`; raises
    `ConfigurationError` if an outcome cannot be read."""
    try:
        found = {trial: read_outcome(folder / trial.name) for trial in trials}
    except ValueError as error:
        raise ConfigurationError(f"{error}; without that file the trial goes on") from error
    return {trial: outcome for trial, outcome in found.items() if outcome is not None}
