"""Recorded decisions as a data set of Minari, which other libraries of offline learning read.

Room: `experiments.records`. The only module with minari, of the extra of that name; writes below the folder of Minari's
data sets (`MINARI_DATASETS_PATH` in the environment, else its own default).

Episodes are handed over one by one (`minari.create_dataset_from_buffers`), without Minari's collector, which needs jax.
An episode of n decisions has n + 1 observations, as Minari wants it; after the horizon nothing is left to decide, so
the last one is 0 but for the mask, in which only `wait` is open. Episodes come as they ended. A reward is minus the
cost, USD. `seed` and the option `episode` start the environment, which the data set holds too, with the same customers.
`infos`:

* `action_prob`, `action_probs`: the chances of `docs/records.md`, NaN after the horizon, or where the policy has none;
* `time_s`: when the router was asked; `elapsed_s`: since the last decision, as in the environment's own `info`.
"""

import json
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import minari
import numpy as np
from minari.data_collector.episode_buffer import EpisodeBuffer
from minari.dataset.minari_dataset import parse_dataset_id
from minari.storage.datasets_root_dir import get_dataset_path

from envs.errors import ConfigurationError
from envs.interface.actions import WAIT
from envs.interface.cost_terms import COST_TERMS
from envs.interface.units import DAY_S
from experiments.records.reading import DecisionFile, find_decisions
from experiments.records.tabulation import Rows, join_rows
from experiments.run_folder import writing

PREFIX = "minari:"
_COSTS = tuple(f"cost_{term}_usd" for term in COST_TERMS)
_COLUMNS = (
    "episode", "time_s", "until_s", "center", "candidates", "action_mask", "action", "action_prob", "action_probs",
    *_COSTS,
)  # fmt: skip


def export_to_minari(records: str | Path, target: str) -> None:
    """Write the decisions of `records` as the data set `target`, `minari:ID` with an ID such as `bank/softened-v0`.

    Of each episode in play at the same time all decisions are held in memory: of 64 weeks of `bank` 4 GB.

    Raises `ConfigurationError` if the target is no such ID or is there already, or if the records cannot be read.
    """
    name = target.removeprefix(PREFIX)
    try:
        parse_dataset_id(name)
    except (TypeError, ValueError):  # the first where there is no version
        name = ""
    if not target.startswith(PREFIX) or not name:
        raise ConfigurationError(
            f"--to {target}: must be minari:NAMESPACE/NAME-vVERSION, as in minari:bank/softened-v0; a namespace, which "
            "may be left out, has two letters or more"
        )
    log = DecisionFile(find_decisions(records))
    folder = Path(get_dataset_path(name))
    if folder.exists():
        raise ConfigurationError(f"--to {target}: is there already ({folder})")
    try:
        with warnings.catch_warnings(), writing(f"--to {target}"):
            warnings.simplefilter("ignore", UserWarning)  # that nobody is named as the author
            env = gymnasium.make("envs:BlendedCenter-v0", scenario=json.loads(log.facts["scenario"]))
            minari.create_dataset_from_buffers(
                name,
                _episodes(log),
                env=env,
                algorithm_name=f"{log.facts['policy']} ({log.facts['mode']})",
                description=f"Decisions of {log.facts['policy']} in the scenario {log.scenario.name}; rewards are USD",
                requirements=[f"blended-routing=={log.facts['package_version']}"],
            )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # a part of a data set looks like a whole one
        raise


def _episodes(log: DecisionFile) -> Iterator[EpisodeBuffer]:
    """Yield the episodes, each when its last decision has been read."""
    horizon_s = log.scenario.horizon.days * DAY_S
    parts: dict[int, list[Rows]] = {}
    for batch in log.batches(*_COLUMNS):
        order = np.argsort(batch["episode"], kind="stable")
        numbers, starts = np.unique(batch["episode"][order], return_index=True)
        for number, places in zip(numbers.tolist(), np.split(order, starts[1:]), strict=True):
            parts.setdefault(number, []).append({column: values[places] for column, values in batch.items()})
            if parts[number][-1]["until_s"][-1] >= horizon_s:
                yield _buffer(log, number, join_rows(parts.pop(number)))
    if parts:
        raise ConfigurationError(f"records {log.file}: are damaged: episode {min(parts)} has no end")


def _buffer(log: DecisionFile, number: int, rows: Rows) -> EpisodeBuffer:
    mask = rows["action_mask"]
    n, n_actions = mask.shape
    only_wait = (np.arange(n_actions) == WAIT).astype(np.int8)
    last: dict[str, Any] = {
        "center": np.zeros_like(rows["center"][:1]),
        "candidates": np.zeros((1, n_actions, rows["candidates"].shape[1] // n_actions), np.float32),
        "action_mask": only_wait[np.newaxis],
    }
    shown = {
        "center": rows["center"],
        "candidates": rows["candidates"].reshape(n, n_actions, -1),
        "action_mask": mask,
    }
    is_last = np.arange(n) == n - 1
    return EpisodeBuffer(
        seed=int(log.facts["demand_seed"]),
        options={"episode": number},
        observations={key: np.concatenate([values, last[key]]) for key, values in shown.items()},
        actions=rows["action"].astype(np.int64),
        rewards=-np.sum([rows[name] for name in _COSTS], axis=0),
        terminations=is_last,
        truncations=np.zeros(n, bool),
        infos={
            "action_prob": np.append(rows["action_prob"], np.nan),
            "action_probs": np.concatenate([rows["action_probs"], np.full((1, n_actions), np.nan)]),
            "time_s": np.append(rows["time_s"], rows["until_s"][-1]),
            "elapsed_s": np.append(0.0, rows["until_s"] - rows["time_s"]),
        },
    )
