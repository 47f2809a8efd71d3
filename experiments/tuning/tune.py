"""The command `blended tune`: the free parameters of rules, tuned on training episodes.

Room: `experiments.tuning`. Needs the extra `tune`. Writes a run folder (`experiments.run_folder`):

    tuning.yaml provenance.json      what was run
    scenarios/<scenario>.yaml        the scenarios, resolved
    studies.journal                  Optuna's studies, one for each rule and scenario
    <scenario>/tuned_<rule>.yaml     policy files, for `blended benchmark --policies`
    result.json                      costs before and after
"""

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from agents.episodes import Episodes
from agents.rules.registry import (
    RULE_NAMES,
    RuleFile,
    default_rule,
)
from agents.rules.rule import OWN_PARTS, Rule
from agents.run_files import (
    PROVENANCE_FILE,
    RESULT_FILE,
    SCENARIOS_FOLDER,
    STUDIES_FILE,
    TUNING_FILE,
)
from envs.configuration.document import (
    apply_overrides,
    load_yaml,
    shown_path,
    validate,
)
from envs.errors import ConfigurationError
from envs.inputs.demand import recorded_days
from envs.scenario.scenario import Scenario, load_scenario
from experiments.comparison.comparison import require_different
from experiments.comparison.outcomes import episode_costs_usd
from experiments.comparison.tuned_rules import (
    BEST_PUBLISHED,
    BEST_TUNED,
    CostPair,
    Origin,
    TunedRules,
    prefix,
    ship,
)
from experiments.console import message_console, say_doubts
from experiments.intervals import difference_interval, mean_interval, reason_against_interval
from experiments.progress import episode_progress
from experiments.provenance import collect_data, collect_provenance, without_folder
from experiments.run_folder import (
    check_data,
    create_run_folder,
    file_name,
    write_json,
    write_provenance,
    write_yaml,
)
from experiments.seeds import demand_seeds
from experiments.tuning.search import (
    Search,
    check_free,
    free_parameters,
    open_storage,
    search,
)
from experiments.tuning.tuning_config import TuningConfig
from experiments.tuning.tuning_result import (
    Candidate,
    RuleResult,
    TuningResult,
    describe_result,
)

TWICE = "is to be tuned twice: names must differ"


def tune(
    config: TuningConfig,
    *,
    runs_folder: str | Path = "runs",
    name: str | None = None,
    threads: int = 1,
    ships: bool = False,
    console: Console | None = None,
) -> TuningResult:
    """Tune rules in a new run folder; with `ships` the result also goes to `configs/benchmarks/tuned/`."""
    scenarios, candidates, skipped = _prepare(config)
    _check_shipping(config, ships)
    folder = create_run_folder(Path(runs_folder), "tune", config.seed, name)
    write_yaml(folder / TUNING_FILE, _resolved(config))
    (folder / SCENARIOS_FOLDER).mkdir()
    for scenario in scenarios:
        write_yaml(folder / SCENARIOS_FOLDER / f"{file_name(scenario.name)}.yaml", scenario)
    write_provenance(folder, config.seed, collect_data(scenarios, rules=_rule_files(config)))
    return _run(folder, config, scenarios, candidates, skipped, threads, ships, console)


def resume(
    folder: str | Path,
    *,
    trials: int | None = None,
    minutes: float | None = None,
    threads: int = 1,
    ships: bool = False,
    console: Console | None = None,
) -> TuningResult:
    """Go on with the tuning of a run folder, perhaps with other limits; the same trials as without the break."""
    folder = Path(folder)
    if not (folder / TUNING_FILE).is_file():
        raise ConfigurationError(f"--resume {folder}: is not the folder of a tuning (no {TUNING_FILE})")
    limits = {"trials": trials, "minutes": minutes}
    texts = [f"{key}={value}" for key, value in limits.items() if value is not None]
    config = validate(apply_overrides(load_yaml(folder / TUNING_FILE), texts), TuningConfig, "tuning")
    scenarios, candidates, skipped = _prepare(config)
    _check_shipping(config, ships)
    check_data(f"--resume {folder}", folder, collect_data(scenarios))
    return _run(folder, config, scenarios, candidates, skipped, threads, ships, console)


def _prepare(config: TuningConfig) -> tuple[list[Scenario], list[list[Candidate]], dict[str, dict[str, str]]]:
    """Return the scenarios, the rules to be tuned in each, and why others are left out; every mistake is found here."""
    scenarios = [load_scenario(name, tuple(config.overrides)) for name in config.scenarios]
    require_different("scenario", [scenario.name for scenario in scenarios], TWICE)
    stated = [_load_rule(rule) for rule in (RULE_NAMES if config.rules is None else config.rules)]
    require_different("rule", [rule.name for rule, _ in stated], TWICE)
    candidates: list[list[Candidate]] = []
    skipped: dict[str, dict[str, str]] = {}
    for scenario in scenarios:
        skipped[scenario.name] = {}
        chosen = []
        for rule, is_named in stated:
            try:
                rule.make(scenario)
                candidate = Candidate(rule, rule.for_tuning(scenario) if is_named else rule)
                check_free(candidate.start, scenario, _kept_parts(config))
            except ConfigurationError as error:
                if config.rules is not None:
                    raise
                skipped[scenario.name][rule.name] = str(error)
            else:
                chosen.append(candidate)
        candidates.append(chosen)
    return scenarios, candidates, skipped


def _kept_parts(config: TuningConfig) -> frozenset[str]:
    """Return the keys of parameters that are not tuned."""
    return OWN_PARTS if config.published else frozenset()


def _row(config: TuningConfig) -> str:
    """Return the row of a benchmark for which the tuned rules are."""
    return BEST_PUBLISHED if config.published else BEST_TUNED


def _load_rule(text: str | Rule) -> tuple[Rule, bool]:
    """Return a rule by its name, its file or its mapping, and whether it was named."""
    if isinstance(text, Rule):
        return text, False
    if text.endswith((".yaml", ".yml")):
        return validate(load_yaml(Path(text)), RuleFile, "policy").root, False
    return default_rule(text), True


def _rule_files(config: TuningConfig) -> dict[str, Path]:
    """Return the files that state rules, by the rules' names; the run keeps what they said when it began."""
    texts = [text for text in config.rules or () if not isinstance(text, Rule) and text.endswith((".yaml", ".yml"))]
    return {_load_rule(text)[0].name: Path(text) for text in texts}


def _resolved(config: TuningConfig) -> TuningConfig:
    """Return the configuration with every key stated and with the rules of files in it."""
    data = config.model_dump()
    if config.rules is not None:
        loaded = [(text, *_load_rule(text)) for text in config.rules]
        data["rules"] = [text if is_named else rule.model_dump() for text, rule, is_named in loaded]
    return TuningConfig.model_validate(data)


def _check_shipping(config: TuningConfig, ships: bool) -> None:
    if ships and config.overrides:
        raise ConfigurationError(
            "--ship: must stand without --set, since benchmarks play the scenario as its file says"
        )


def _run(
    folder: Path,
    config: TuningConfig,
    scenarios: list[Scenario],
    candidates: list[list[Candidate]],
    skipped: dict[str, dict[str, str]],
    threads: int,
    ships: bool,
    console: Console | None,
) -> TuningResult:
    console = console or message_console()
    command = ["blended", "tune", "--resume", str(folder), *(["--ship"] if ships else [])]
    console.print(
        f"Run folder: {folder}; if the run is stopped, it goes on with: {shlex.join(command)}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    for name, reasons in skipped.items():
        for rule_name, reason in reasons.items():
            console.print(f"{name}: {rule_name} left out: {reason}", highlight=False, soft_wrap=True)
    say_doubts(scenarios, console)
    results: dict[str, list[RuleResult]] = {}
    with episode_progress() as progress:
        for scenario, chosen in zip(scenarios, candidates, strict=True):
            results[scenario.name] = _tune_in(folder, config, scenario, chosen, threads, progress)
            result = TuningResult(folder, config, results, skipped)
            write_json(folder / RESULT_FILE, describe_result(result))
            if ships and chosen:
                console.print(
                    f"Shipped: {shown_path(ship(_shipped(result, scenario.name), _row(config)))}", highlight=False
                )
    return TuningResult(folder, config, results, skipped)


def _costs_usd(episodes: Episodes, rule: Rule, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return what each of the first `count` episodes costs under `rule`, USD."""
    return episode_costs_usd(episodes, rule.make(episodes.scenario), np.arange(count))


def _tune_in(
    folder: Path,
    config: TuningConfig,
    scenario: Scenario,
    candidates: list[Candidate],
    threads: int,
    progress: Progress,
) -> list[RuleResult]:
    """Return what tuning did to each of `candidates` in one scenario."""
    seeds = demand_seeds(config.seed)
    training, validation, test = (Episodes(scenario, seed, threads=threads) for seed in seeds)
    storage = open_storage(folder / STUDIES_FILE)
    results = []
    for default, start in candidates:
        task = progress.add_task(f"{scenario.name}: {default.name}", total=config.trials)
        found = search(
            start,
            training,
            n_episodes=config.episodes,
            seed=seeds.train,
            trials=config.trials,
            minutes=config.minutes,
            shortlist=config.shortlist,
            without=_kept_parts(config),
            storage=storage,
            study_name=f"{scenario.name}/{default.name}",
            progress=lambda count, task=task: progress.advance(task, count),  # type: ignore[misc]
        )
        results.append(_keep_best(folder, config, default, start, found, (training, validation, test)))
        progress.remove_task(task)
    return results


def _keep_best(
    folder: Path,
    config: TuningConfig,
    default: Rule,
    start: Rule,
    found: Search,
    episodes: tuple[Episodes, Episodes, Episodes],
) -> RuleResult:
    """Return what validation episodes keep of a search that began at `start`, and what it does on those of the test;
    `episodes` are those of training, validation and test."""
    training, validation, test = episodes
    scenario = test.scenario
    default_usd = float(_costs_usd(training, default, config.episodes).mean())
    validation_usd = [
        float(_costs_usd(validation, rule, config.validation_episodes).mean()) for rule in (default, *found.rules)
    ]
    best = int(np.argmin(validation_usd[1:]))
    keeps_found = validation_usd[1 + best] < validation_usd[0]
    chosen = found.rules[best]
    kept = (chosen if keeps_found else default).with_values({}, prefix(_row(config)) + default.name)
    days = recorded_days(scenario, test.seed, range(config.test_episodes))
    default_test, kept_test = (_costs_usd(test, rule, config.test_episodes) for rule in (default, kept))
    policy_file = folder / file_name(scenario.name) / f"{file_name(kept.name)}.yaml"
    policy_file.parent.mkdir(exist_ok=True)
    write_yaml(policy_file, kept)
    parameters = free_parameters(start, scenario, _kept_parts(config))
    before, after = start.values_of(parameters), chosen.values_of(parameters)
    return RuleResult(
        default=default,
        kept=kept,
        keeps_found=keeps_found,
        search=found,
        parameters={key: (before[key], after[key]) for key in before},
        training_cost_usd=(default_usd, found.training_costs_usd[best]),
        validation_cost_usd=(validation_usd[0], validation_usd[1 + best]),
        default_test_usd=mean_interval(default_test, days=days),
        kept_test_usd=mean_interval(kept_test, days=days),
        difference_usd=difference_interval(kept_test, default_test, days=days),
        no_interval=reason_against_interval(config.test_episodes, days),
        policy_file=policy_file,
    )


def _shipped(result: TuningResult, scenario_name: str) -> TunedRules:
    provenance = collect_provenance()
    began = json.loads((result.folder / PROVENANCE_FILE).read_text(encoding="utf-8"))  # whoever goes on names a folder
    config = result.config
    found = result.scenarios[scenario_name]
    origins = {
        rule.kept.name: Origin(
            command=without_folder(began["command"]),
            date=provenance["date"],
            seed=config.seed,
            trials=rule.search.trials,
            episodes=config.episodes,
            validation_episodes=config.validation_episodes,
            kept="tuned" if rule.keeps_found else "default",
            training_cost_usd=CostPair(default=rule.training_cost_usd[0], tuned=rule.training_cost_usd[1]),
            validation_cost_usd=CostPair(default=rule.validation_cost_usd[0], tuned=rule.validation_cost_usd[1]),
        )
        for rule in found
    }
    rules = tuple(rule.kept for rule in found)
    return TunedRules.model_validate({"scenario": scenario_name, "rules": rules, "origins": origins})
