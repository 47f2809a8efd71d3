"""What an environment says beside the observation: the same keys with the same types at every step and reset.

Room: `envs`. Reads rows of environments. No key is one that a wrapper or library keeps for itself (`episode`,
`final_info`, `terminal_observation`, `TimeLimit.truncated`, ...), numbers are those of numpy, and none is NaN.

| key | type | what |
|---|---|---|
| `action_mask` | int8 (n,) | which actions are open |
| `elapsed_s` | float64 | seconds that the last step took |
| `time_s` | float64 | seconds since the start of the horizon |
| `cost_<term>_usd` | float64 | cost of the last step, a key for each term |
| `substituted` | int8 | 1 if the last action was masked and `wait` was taken instead |
| `demand_seed`, `demand_episode` | int64 | which customers come |
| `metrics` | float64 (n_metrics,) | all metrics in the order of `metric_names`, in the last step; 0 before |
| `metrics_defined` | bool (n_metrics,) | which of them are defined: no ratio of nothing; False before the last step |

Of many centers together the last two are read-only.

Right after a reset nothing has been done: `elapsed_s`, costs and `substituted` are 0. What the center charged before
its first question is in the first step's cost and reward, and nowhere else.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.center_rows import CenterRows
from envs.interface.cost_terms import COST_TERMS

COST_KEYS = tuple(f"cost_{term}_usd" for term in COST_TERMS)
"""Keys of the costs of a step, as metrics and records name those of an episode and of a decision."""


def row_info(rows: CenterRows, row: int, seed: int, episode: int) -> dict[str, Any]:
    """Return the info of environment `row`, which plays `episode` under demand seed `seed`."""
    result = rows.results[row]
    metrics, are_defined = np.zeros(len(rows.metric_names)), np.zeros(len(rows.metric_names), bool)
    if result["is_over"]:
        metrics, are_defined = _read_metrics(rows, row)
    return {
        "action_mask": rows.mask[row].copy(),
        "elapsed_s": result["elapsed_s"],
        "time_s": result["time_s"],
        "substituted": np.int8(result["substituted"]),
        "demand_seed": np.int64(seed),
        "demand_episode": np.int64(episode),
        "metrics": metrics,
        "metrics_defined": are_defined,
    } | dict(zip(COST_KEYS, rows.step_costs_usd[row], strict=True))


def rows_info(
    rows: CenterRows, seeds: NDArray[np.int64], episodes: NDArray[np.int64], chosen: NDArray[np.bool_] | None = None
) -> dict[str, Any]:
    """Return the infos of all environments as Gymnasium's vector environments put them together: arrays over rows, with
    a mask of the rows that have the entry under the key with a leading underscore. With `chosen`, bool (n_rows,), the
    rows not chosen have none, and hold zeros."""
    masks = np.ones(rows.n_rows, bool) if chosen is None else chosen.copy()
    info: dict[str, NDArray[Any]] = {
        "action_mask": rows.mask.copy(),
        "elapsed_s": rows.elapsed_s.copy(),
        "time_s": rows.time_s.copy(),
        "substituted": rows.substituted.astype(np.int8),
        "demand_seed": seeds.copy(),
        "demand_episode": episodes.copy(),
    }
    info |= zip(COST_KEYS, rows.step_costs_usd.T.copy(), strict=True)
    if chosen is not None:
        for array in info.values():
            array[~chosen] = 0
    info |= _ended_metrics(rows, np.flatnonzero(rows.is_over & masks))
    return info | dict.fromkeys(map("_".__add__, info), masks)


def _ended_metrics(rows: CenterRows, ended: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Return the two entries of the metrics: of the rows `ended`, and 0 for all others."""
    metrics, are_defined = _no_metrics(rows.n_rows, len(rows.metric_names))
    if len(ended):
        metrics, are_defined = metrics.copy(), are_defined.copy()
        for row in ended.tolist():
            metrics[row], are_defined[row] = _read_metrics(rows, row)
        metrics.flags.writeable = are_defined.flags.writeable = False
    return {"metrics": metrics, "metrics_defined": are_defined}


@cache
def _no_metrics(n_rows: int, n_metrics: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return what is said of metrics where no episode has ended, as nearly always, read-only: to make some hundred
    numbers a row anew at every step would take a tenth of its time."""
    shape = (n_rows, n_metrics)
    return np.broadcast_to(np.float64(0.0), shape), np.broadcast_to(np.False_, shape)


def _read_metrics(rows: CenterRows, row: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the metrics of environment `row`, 0 where they are undefined, and which are defined."""
    values = np.array(list(rows.metrics(row).values()))
    are_defined = ~np.isnan(values)
    return np.where(are_defined, values, 0.0), are_defined
