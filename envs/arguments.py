"""What callers hand to an environment, checked before anything moves.

Room: `envs`. Touches numpy only. Compiled code trusts shapes and indices; what has passed here cannot make it read or
write where nothing is.
"""

import operator
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.errors import ArgumentError, ConfigurationError, RenderModeError
from envs.interface.units import NOBODY

MASKED_ACTION_MODES = ("substitute", "raise")
"""What is done with an action whose mask is 0: `wait` instead, or an error."""

RENDER_MODES = ("ansi",)
"""Ways to show a center."""

LARGEST_SEED = 2**63 - 1
"""Seeds and numbers of episodes fit a signed 64-bit integer."""
_FOLDED_SEEDS = 2**62
"""Larger seeds are folded below this, where no demand seed of the command line lies (`experiments.seeds`)."""


def check_mode(on_masked_action: str) -> str:
    """Return the mode; raises `ConfigurationError` for an unknown one."""
    if on_masked_action not in MASKED_ACTION_MODES:
        raise ConfigurationError(
            f"on_masked_action = {on_masked_action!r}: must be one of {', '.join(MASKED_ACTION_MODES)}"
        )
    return on_masked_action


def check_render_mode(render_mode: str | None) -> str | None:
    """Return the mode; raises `RenderModeError` for one that is not there."""
    if render_mode is not None and render_mode not in RENDER_MODES:
        raise RenderModeError(f"render_mode = {render_mode!r}: must be None or 'ansi'")
    return render_mode


def check_kind(name: str, value: Any, kind: type) -> None:
    """Raise `ArgumentError`, with `name`, unless `value` is a `kind`, which only the method of that name makes."""
    if not isinstance(value, kind):
        raise ArgumentError(f"{name} of type {type(value).__name__}: must be what {name}() made")


def check_whole(name: str, value: Any, low: int = 0, high: int | None = LARGEST_SEED) -> int:
    """Return `value`, named `name` in the message, as an int; raises `ArgumentError` unless it is a whole number from
    `low` to `high`, or without an upper limit where that is None (no float, no truth value)."""
    try:
        number = None if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < low or (high is not None and number > high):
        limit = "" if high is None else f" and <= {high}"
        raise ArgumentError(f"{name} = {value!r}: must be a whole number >= {low}{limit}")
    return number


def read_seed(name: str, seed: Any) -> int:
    """Return the demand seed that `seed`, named `name` in the message, means: the same number, or one below 2^62 for
    those above `LARGEST_SEED`, such as libraries draw. Raises `ArgumentError` unless it is a whole number >= 0."""
    number = check_whole(name, seed, high=None)
    return number if number <= LARGEST_SEED else number % _FOLDED_SEEDS


def check_options(options: Any, known: tuple[str, ...]) -> dict[str, Any]:
    """Return the options of a `reset`, an empty mapping for None; raises `ArgumentError` for one that is not among
    `known`, which would be ignored."""
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise ArgumentError(f"options = {options!r}: must be None or a mapping with keys of {', '.join(known)}")
    for key in options:
        if key not in known:
            raise ArgumentError(f"options[{key!r}] = {options[key]!r}: no such option (known: {', '.join(known)})")
    return dict(options)


def check_actions(actions: Any, n_rows: int, n_actions: int) -> NDArray[np.int64]:
    """Return `actions` as a contiguous int64 (n_rows,), every one >= 0 and < `n_actions`; raises `ArgumentError` with
    both numbers where shape, type or range is another."""
    given = np.asarray(actions)
    if given.shape != (n_rows,):
        raise ArgumentError(f"actions of shape {given.shape}: must be of shape ({n_rows},), one per environment")
    if given.dtype.kind not in "iu":
        raise ArgumentError(f"actions of type {given.dtype}: must be whole numbers, indices of the action table")
    indices = np.ascontiguousarray(given, np.int64)
    if indices.view(np.uint64).max() >= n_actions:  # a negative one is a very large one here: one pass for both bounds
        row = int(np.flatnonzero((indices < 0) | (indices >= n_actions))[0])
        raise ArgumentError(f"actions[{row}] = {given[row]}: must be >= 0 and < {n_actions}, the number of actions")
    return indices


def check_rows(rows: Any, n_rows: int) -> NDArray[np.int64]:
    """Return `rows` as a contiguous int64 (n,): indices of environments, ascending, each >= 0 and < `n_rows`; raises
    `ArgumentError` otherwise."""
    given = np.asarray(rows)
    is_index = given.ndim == 1 and (given.dtype.kind in "iu" or len(given) == 0)
    if not is_index or (len(given) and not (given[0] >= 0 and given[-1] < n_rows and (given[1:] > given[:-1]).all())):
        raise ArgumentError(
            f"rows = {given!r}: must be indices of environments in ascending order, >= 0 and < {n_rows}"
        )
    return np.ascontiguousarray(given, np.int64)


def check_row_mask(name: str, mask: Any, n_rows: int) -> NDArray[np.bool_]:
    """Return `mask`, named `name` in the message; raises `ArgumentError` unless it is bool (n_rows,) with a True."""
    given = np.asarray(mask)
    if given.shape != (n_rows,) or given.dtype != np.bool_ or not given.any():
        raise ArgumentError(
            f"{name} of shape {given.shape} and type {given.dtype}: must be bool of shape ({n_rows},), "
            "True in at least one environment"
        )
    return given


def check_each(name: str, values: Any, n_rows: int) -> NDArray[np.int64]:
    """Return `values`, named `name` in messages, as int64 (n_rows,); raises `ArgumentError` unless there is one whole
    number >= 0 per environment."""
    is_list = isinstance(values, list | tuple | range) or (isinstance(values, np.ndarray) and values.ndim == 1)
    if not is_list:
        raise ArgumentError(f"{name} = {values!r}: must be a list of {n_rows}, one per environment")
    given = list(values)
    if len(given) != n_rows:
        raise ArgumentError(f"{name} has {len(given)} entries: must have {n_rows}, one per environment")
    return np.array([check_whole(f"{name}[{i}]", value) for i, value in enumerate(given)], np.int64)


def check_demand(demand: NDArray[Any], kind: np.dtype[Any], n_channels: int, n_reps: int) -> None:
    """Raise `ArgumentError` unless `demand` are (n,) records of type `kind` in order of arrival, whose channels and
    preferred reps are there, and whose durations and values are >= 0."""
    if demand.dtype != kind or demand.ndim != 1:
        raise ArgumentError(f"demand of shape {demand.shape}, {demand.dtype}: must be (n,) records of {kind}")
    limits = dict.fromkeys(("handle_s", "patience_s", "value_usd", "owed_usd"), (0.0, np.inf))
    limits |= {"queue": (0, n_channels - 1), "preferred": (NOBODY, n_reps - 1), "due_s": (-np.inf, np.inf)}
    for name, (low, high) in limits.items():
        if len(demand) and not low <= demand[name].min() <= demand[name].max() <= high:  # false of NaN too
            raise ArgumentError(f"demand: {name} of {demand[name]}: must be >= {low} and <= {high}")
    if not (demand["arrival_s"][1:] >= demand["arrival_s"][:-1]).all() or np.isnan(demand["arrival_s"]).any():
        raise ArgumentError("demand: must be in order of arrival")


def checksum_of(arrays: Sequence[NDArray[Any]]) -> int:
    """Return a number that is another one, but for chance, where a byte of the arrays is another one."""
    checksum = 0
    for array in arrays:
        checksum = zlib.crc32(array.tobytes(), checksum)
    return checksum
