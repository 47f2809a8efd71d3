"""The command `blended evaluate`: what one policy achieves, with intervals.

Room: `experiments.comparison`. Runs where neither torch nor Stable-Baselines3 is installed, and says so in a contract
of import-linter.
"""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from agents.catalog import StockLoader, load_policy
from agents.episodes import Episodes
from agents.exported_policy import MODES, ExportedPolicy
from envs.arguments import check_whole
from envs.errors import ConfigurationError
from envs.headline import Headline, Headlined
from envs.metrics import metric_glossary
from envs.scenario.scenario import Scenario, load_scenario
from experiments.comparison.outcomes import Outcome, play
from experiments.console import say_doubts, say_policy_doubts, table_console
from experiments.progress import episode_progress
from experiments.provenance import DIGITS_SHOWN, Data, Datum, collect_data
from experiments.seeds import LARGEST_SEED, MOST_EPISODES, demand_seeds
from experiments.texts import UNDEFINED, digits_text, interval_json, warning_text

if TYPE_CHECKING:
    from experiments.records.recorder import RecordFolder


class Evaluation(Headlined, dict[str, Any]):
    """The plain data that `evaluate` returns, shown in short; `dict(evaluation)` shows all of it."""

    def headline(self) -> Headline:
        """Return the total cost, and the costs and the service of each channel; its keys where some are gone."""
        if not set(_HEADLINE_KEYS) <= set(self) or "total_cost_usd" not in self["metrics"]:
            return Headline(f"part of an evaluation: {', '.join(map(str, self)) or 'nothing'}", (), [])
        ends = ("mean", "low", "high")
        shown = {
            key: found
            for key, found in self["metrics"].items()
            if key in ("total_cost_usd", "account_loss_usd", "interruptions") or key.endswith(_SERVICE)
        }
        cost, low, high = (digits_text(shown["total_cost_usd"][end]) for end in ends)
        if self["no_interval"] is None:
            cost += f" ({low} to {high})"
        return Headline(
            f"{self['policy']} ({self['mode']}) in {self['scenario']}: {cost} USD/day "
            f"in {self['episodes']} test episodes of seed {self['seed']}{warning_text(self['no_interval'])}; "
            f"{len(self['metrics'])} metrics",
            ("metric", "mean", "95 % low", "high", "unit"),
            [(key, *(digits_text(found[end]) for end in ends), found["unit"]) for key, found in shown.items()],
        )


_HEADLINE_KEYS = ("policy", "scenario", "mode", "episodes", "seed", "no_interval", "metrics")
_SERVICE = (".service_level_frac", ".abandoned_frac", ".on_time_frac")


def evaluate(
    policy: str | Path,
    scenario: str | Path | Scenario = "bank",
    *,
    overrides: tuple[str, ...] = (),
    episodes: int = 64,
    seed: int = 0,
    mode: str | None = None,
    threads: int = 1,
    records: "RecordFolder | None" = None,
    load_stock: StockLoader | None = None,
) -> Evaluation:
    """Return what a policy achieves on the test episodes of `seed`, as plain data; NaN becomes None.

    Args:
        policy: what `agents.catalog.load_policy` understands.
        scenario: name, path or scenario.
        overrides: `dotted.key=value` texts for the scenario.
        episodes: number of episodes.
        seed: the user's seed (`experiments.seeds`).
        mode: `greedy` or `sampled`; default is what the exported file says, greedy for others.
        threads: of numba, and of onnxruntime.
        records: where to write every contact and decision (`experiments.records.recorder`), if anywhere.
        load_stock: what loads models of Stable-Baselines3 (`agents.catalog.StockLoader`); None: they are refused.

    Returns:
        `policy`, `scenario`, `episodes`, `seed`, `mode`, `data` (digests of the scenario, its recorded days and the
        policy's file, `experiments.provenance`), `no_interval` (why low and high are None throughout, None where they
        are not), `metrics` (key -> mean, low, high, unit), and for an exported file `exported_for`, the data of its
        training, and `default_mode` and `validation_cost_usd` of both modes, as they stand in the file.
    """
    if mode is not None and mode not in MODES:
        raise ConfigurationError(f"mode = {mode!r}: must be one of {', '.join(MODES)}")
    episodes = check_whole("episodes", episodes, 1, MOST_EPISODES)
    seed = check_whole("seed", seed, high=LARGEST_SEED)
    checked = load_scenario(scenario, overrides)
    named = load_policy(str(policy), checked, threads=threads, load_stock=load_stock)
    if mode is not None:
        named = replace(named, deterministic=mode == "greedy")
    say_doubts([checked])
    say_policy_doubts([named])
    recording = nullcontext() if records is None else records.open(checked, named, seed)
    with episode_progress() as progress, recording as recorder:
        test_episodes = Episodes(checked, demand_seeds(seed).test, threads=threads)
        outcome = play(named, test_episodes, episodes, progress=progress, recorder=recorder)
    result = Evaluation(
        policy=named.name,
        scenario=checked.name,
        episodes=episodes,
        seed=seed,
        mode=outcome.mode,
        data=collect_data([checked], [named]),
        no_interval=outcome.no_interval,
        metrics=_metrics_json(outcome),
    )
    if isinstance(named.policy, ExportedPolicy):
        result["exported_for"] = named.policy.metadata["data"]
        result["default_mode"] = named.policy.mode
        result["validation_cost_usd"] = named.policy.metadata["validation_cost_usd"]
    return result


def show(result: dict[str, Any], console: Console | None = None) -> None:
    """Print the result of `evaluate` as a table, with how the mode of an exported policy was chosen."""
    console = console or table_console()
    table = Table(
        title=(
            f"{result['policy']} ({result['mode']}) in {result['scenario']}: "
            f"{result['episodes']} test episodes of seed {result['seed']}"
        ),
        caption=result["no_interval"] and f"Warning: {result['no_interval']}.",
    )
    table.add_column("metric", no_wrap=True)
    for heading in ("mean", "95 % low", "high"):
        table.add_column(heading, justify="right")
    table.add_column("unit")
    for key, found in result["metrics"].items():
        table.add_row(key, *(digits_text(found[end]) for end in ("mean", "low", "high")), found["unit"])
    console.print(table)
    for name, datum in result.get("exported_for", {}).items():
        console.print(_data_note(name, datum, result["data"]), highlight=False, soft_wrap=True)
    if any(found["mean"] is None for found in result["metrics"].values()):
        console.print(UNDEFINED, highlight=False, soft_wrap=True)
    if "default_mode" in result:
        costs = ", ".join(f"{mode} {cost:,.2f}" for mode, cost in result["validation_cost_usd"].items())
        note = f"The file's own mode is {result['default_mode']}"
        note += f"; on validation episodes it cost, USD/day: {costs}" if costs else ""
        console.print(note, highlight=False, soft_wrap=True)


def _data_note(name: str, datum: Datum, data: Data) -> str:
    """Return what of its training's data an exported policy meets again."""
    digest = datum["sha256"]
    if any(now["sha256"] == digest for now in data.values()):
        return f"The file was exported for the same {name} (SHA-256 {digest[:DIGITS_SHOWN]})"
    kind = name.partition(" ")[0]
    now = ", ".join(f"{key} ({found['sha256'][:DIGITS_SHOWN]})" for key, found in data.items() if key.startswith(kind))
    return f"The file was exported for {name} (SHA-256 {digest[:DIGITS_SHOWN]}); this is another: {now or 'none'}"


def _metrics_json(outcome: Outcome) -> dict[str, dict[str, Any]]:
    units = metric_glossary(outcome.scenario)
    return {
        key: {
            **interval_json(interval),
            "unit": units[key][0],
        }
        for key, interval in outcome.intervals.items()
    }
