"""The command line `blended`: one thin function per command, over a Python function that a notebook can call.

Room: `experiments`. Nothing heavy is imported above the functions: numba and torch take seconds, and `--help`
has to answer at once. So each command imports what it runs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from experiments.records import RecordFolder

app = typer.Typer(
    name="blended",
    help="Train, compare and export routing policies for a blended contact center.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    # A traceback is for a mistake of ours, and then the plain one is the one to report.
    pretty_exceptions_enable=False,
)

JsonFile = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="Write the result to FILE as JSON as well.", dir_okay=False),
]
CsvFile = Annotated[
    Path | None,
    typer.Option("--csv", metavar="FILE", help="Write one row per episode to FILE.", dir_okay=False),
]
RecordFolderPath = Annotated[
    Path | None,
    typer.Option("--record", metavar="DIR", help="Write every contact and decision to DIR as Parquet; it must be new."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the scenario, as in horizon.days=1."),
]
TrainingOverrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the training, as in ppo.learning_rate=5e-4."),
]
Threads = Annotated[int, typer.Option(min=1, help="Threads of numba and of onnxruntime.")]


class Mode(StrEnum):
    """How a policy with probabilities acts."""

    greedy = "greedy"
    sampled = "sampled"


class ValidationTier(StrEnum):
    """How long validation runs: a minute or two, or as long as every known value needs."""

    fast = "fast"
    full = "full"


def main() -> None:
    """Run the command line; a mistake of the user ends in one message and exit code 2."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)  # what a shell reports for a process that was interrupted
    except Exception as error:
        from envs.errors import ConfigurationError

        if not isinstance(error, ConfigurationError):
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def write_result(file: Path, result: Mapping[str, Any]) -> None:
    """Write a command's result as JSON; the file's folder must exist."""
    from envs.errors import ConfigurationError

    try:
        file.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"--json {file}: cannot be written ({error.strerror})") from error


def require_folders(**files: Path | None) -> None:
    """Refuse a file whose folder is missing before the work that it is to hold, not after."""
    from envs.errors import ConfigurationError

    for option, file in files.items():
        if file is not None and not file.parent.is_dir():
            raise ConfigurationError(f"--{option} {file}: cannot be written (no folder {file.parent})")


def open_records(folder: Path | None) -> RecordFolder | None:
    """Return where records are to go, if anywhere; refuses a folder that holds something already."""
    if folder is None:
        return None
    from experiments.extras import require_extra

    with require_extra("data", "--record"):
        from experiments.records import RecordFolder
    return RecordFolder(folder)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"blended-routing {version('blended-routing')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Take the options that come before a command."""


@app.command()
def doctor(json_file: JsonFile = None) -> None:
    """Show versions, what is missing, the device for training and why, threads and the numba cache."""
    from experiments.doctor import examine, show

    findings = examine()
    show(findings)
    if json_file is not None:
        write_result(json_file, findings)
    if findings["missing"]["core"]:
        raise typer.Exit(code=1)


@app.command()
def describe(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="A name in configs/scenarios or a file.")],
    overrides: Overrides = None,
    json_file: JsonFile = None,
) -> None:
    """Show a scenario in words and tables: offered load against staffing, actions, observation, warnings."""
    require_folders(json=json_file)
    from dataclasses import asdict

    from envs.scenario import load_scenario
    from experiments.describe import describe as run
    from experiments.describe import show

    description = run(load_scenario(scenario, tuple(overrides or ())))
    show(description)
    if json_file is not None:
        write_result(json_file, asdict(description))


@app.command()
def benchmark(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SCENARIO]...", help="Names or files; default: bank.", show_default=False),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(help="A name in configs/benchmarks or a file; the other options change what it says."),
    ] = None,
    suite: Annotated[
        bool, typer.Option("--suite", help="The benchmark suite: the scenarios of configs/benchmarks/suite.yaml.")
    ] = False,
    policies: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Baselines, exported FILE.onnx and module:Class, each perhaps with a name before it, as in "
            "mine=FILE.onnx; default: every baseline that fits the scenario.",
        ),
    ] = None,
    episodes: Annotated[int | None, typer.Option(help="Test episodes; default: 64.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed, from which the test episodes follow; default: 0.")] = None,
    reference: Annotated[
        str | None,
        typer.Option(help="Whom the tables compare with the others; default: learned, or best_tuned, or the first."),
    ] = None,
    tuned: Annotated[
        bool | None,
        typer.Option(
            "--tuned/--no-tuned",
            help="With the tuned rules of each scenario, and the best of them on validation episodes; default: as the "
            "benchmark file says.",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Threads, on which no result depends; default: 1, with --suite one for each CPU.",
            show_default=False,
        ),
    ] = None,
    bound: Annotated[
        int | None,
        typer.Option(min=0, help="Test episodes on which a lower bound of the cost is computed; default: 4; 0: none."),
    ] = None,
    overrides: Overrides = None,
    json_file: JsonFile = None,
    csv_file: CsvFile = None,
    figure: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw costs with intervals to FILE.svg, .png or .pdf.", dir_okay=False),
    ] = None,
    record: RecordFolderPath = None,
) -> None:
    """Play the same episodes with several policies, and compare their costs and service with intervals."""
    require_folders(json=json_file, csv=csv_file, figure=figure)
    from envs.errors import ConfigurationError

    if suite and (scenarios or config is not None):
        raise ConfigurationError("--suite: must stand without SCENARIO and --config, since it names its scenarios")
    if figure is not None:
        from experiments.extras import require_extra

        with require_extra("report", "--figure"):
            from experiments.figure import check_file, write_figure
        check_file(figure)
    records = open_records(record)
    from experiments.benchmark import benchmark as run
    from experiments.benchmark import load_benchmark
    from experiments.processors import usable_cpus

    result = run(
        load_benchmark(
            "suite" if suite else config,
            scenarios=scenarios,
            overrides=overrides,
            policies=None if policies is None else policies.split(","),
            episodes=episodes,
            seed=seed,
            reference=reference,
            tuned=tuned,
            bound=bound,
        ),
        threads=threads or (usable_cpus() if suite else 1),
        records=records,
    )
    result.show()
    if json_file is not None:
        result.write_json(json_file)
    if csv_file is not None:
        result.write_csv(csv_file)
    if figure is not None:
        write_figure(result.as_json(), figure)


@app.command()
def tune(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SCENARIO]...", help="Names or files; default: bank.", show_default=False),
    ] = None,
    config: Annotated[
        str | None, typer.Option(help="A name in configs/tuning or a file; the other options change what it says.")
    ] = None,
    suite: Annotated[bool, typer.Option("--suite", help="In the scenarios of configs/benchmarks/suite.yaml.")] = False,
    rules: Annotated[
        list[str] | None,
        typer.Option(
            "--rule",
            metavar="NAME|FILE.yaml",
            help="A rule by its name or a policy file; may be given again; default: every rule that makes sense.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed, from which training, validation and test episodes follow; default: 0.")
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Trials of each rule; default: 120.")] = None,
    episodes: Annotated[int | None, typer.Option(help="Training episodes of a trial; default: 32.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Time limit of each rule and scenario; default: 10.")] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the run folder; default: date, time and seed.", show_default=False)
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Go on with the tuning of this run folder; takes --trials and --minutes."),
    ] = None,
    ship: Annotated[
        bool, typer.Option("--ship", help="Also write the tuned rules to configs/benchmarks/tuned, for --tuned.")
    ] = False,
    runs: Annotated[Path, typer.Option(metavar="FOLDER", help="Where run folders are made.")] = Path("runs"),
    threads: Annotated[
        int | None, typer.Option(min=1, help="Default: one for each CPU; no result depends on it.", show_default=False)
    ] = None,
    overrides: Overrides = None,
    json_file: JsonFile = None,
) -> None:
    """Tune the free parameters of rules on training episodes, and test them against their defaults."""
    require_folders(json=json_file)
    from envs.errors import ConfigurationError

    if suite and (scenarios or config is not None):
        raise ConfigurationError("--suite: must stand without SCENARIO and --config, since it names its scenarios")
    own = (scenarios, config, suite or None, rules, seed, episodes, name, overrides)
    if resume is not None and any(value is not None for value in own):
        raise ConfigurationError("--resume: must stand without what its run folder states; --trials and --minutes may")
    from experiments.extras import require_extra
    from experiments.processors import usable_cpus

    with require_extra("tune", "blended tune"):
        from experiments.tune import describe_result, show
        from experiments.tune import resume as go_on
        from experiments.tune import tune as run
    threads = threads or usable_cpus()
    if resume is not None:
        result = go_on(resume, trials=trials, minutes=minutes, threads=threads, ships=ship)
    else:
        from experiments.tuning_config import load_tuning

        if suite:
            from experiments.benchmark import load_benchmark

            scenarios = list(load_benchmark("suite").scenarios)
        loaded = load_tuning(
            config,
            scenarios=scenarios,
            overrides=overrides,
            rules=rules,
            seed=seed,
            trials=trials,
            episodes=episodes,
            minutes=minutes,
        )
        result = run(loaded, runs_folder=runs, name=name, threads=threads, ships=ship)
    show(result)
    for found in result.scenarios.values():
        for rule in found:
            typer.echo(f"Policy: {rule.policy_file}")
    if json_file is not None:
        write_result(json_file, describe_result(result))


@app.command()
def evaluate(
    policy: Annotated[str, typer.Argument(help="An exported FILE.onnx, a baseline's name or module:Class.")],
    scenario: Annotated[str, typer.Option(help="A name or a file.")] = "bank",
    episodes: Annotated[int, typer.Option(help="Test episodes.")] = 64,
    seed: Annotated[int, typer.Option(help="Seed, from which the test episodes follow.")] = 0,
    mode: Annotated[
        Mode | None, typer.Option(help="Default: what the exported file says, chosen on validation episodes.")
    ] = None,
    threads: Threads = 1,
    overrides: Overrides = None,
    json_file: JsonFile = None,
    record: RecordFolderPath = None,
) -> None:
    """Play test episodes with one policy and show every metric with its interval; needs no training stack."""
    require_folders(json=json_file)
    records = open_records(record)
    from experiments.evaluate import evaluate as run
    from experiments.evaluate import show

    result = run(
        policy,
        scenario,
        overrides=tuple(overrides or ()),
        episodes=episodes,
        seed=seed,
        mode=None if mode is None else mode.value,
        threads=threads,
        records=records,
    )
    show(result)
    if json_file is not None:
        write_result(json_file, result)


@app.command()
def validate(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Names in configs/validation or files; default: all of them."),
    ] = None,
    tier: Annotated[
        ValidationTier, typer.Option(help="fast checks what a minute or two can tell; full every known value.")
    ] = ValidationTier.fast,
    models: Annotated[
        list[str] | None, typer.Option("--model", metavar="NAME", help="Only this model; may be given again.")
    ] = None,
    trace: Annotated[
        bool, typer.Option("--trace", help="Print the SHA-256 of a million decisions instead; it depends on no option.")
    ] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Default: one for each CPU; no result depends on it.", show_default=False)
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Episodes side by side in a trace.")] = 64,
    json_file: JsonFile = None,
) -> None:
    """Simulate models with a known answer, and check the simulator against it; exit code 1 if anything fails."""
    require_folders(json=json_file)
    from experiments.processors import usable_cpus

    threads = threads or usable_cpus()
    if trace:
        if files or models:
            from envs.errors import ConfigurationError

            raise ConfigurationError("--trace: must stand without FILE and --model, since it plays no validation model")
        from experiments.validate import run_trace

        found = run_trace(threads=threads, batch=batch)
        typer.echo(f"{found.sha256}  {found.decisions} decisions, {found.scenario}, {found.policy}, seed {found.seed}")
        if json_file is not None:
            write_result(json_file, found._asdict())
        return
    from experiments.validate import describe_results, passed, show
    from experiments.validate import validate as run

    results = run(files or (), tier=tier.value, models=models or (), threads=threads)
    show(results)
    if json_file is not None:
        write_result(json_file, describe_results(results))
    if not passed(results):
        raise typer.Exit(code=1)


@app.command()
def certify(
    scenario: Annotated[str, typer.Argument(help="A name in configs/scenarios or a file.")],
    policies: Annotated[
        list[str] | None,
        typer.Argument(metavar="[POLICY]...", help="What --policies of benchmark understands; default: the baselines."),
    ] = None,
    overrides: Overrides = None,
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the optimal policy as a table that every command plays.", dir_okay=False
        ),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Solve a small Markovian scenario exactly, and measure policies by its optimum without any simulation."""
    require_folders(json=json_file, table=table)
    from experiments.certify import certify as run

    certificate = run(scenario, policies or (), overrides=tuple(overrides or ()))
    certificate.show()
    if table is not None:
        certificate.write_table(table)
    if json_file is not None:
        write_result(json_file, certificate.as_json())


@app.command()
def export(
    run_folder: Annotated[Path, typer.Argument(help="The folder of a training run.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Default: policy.onnx in the run's folder.", dir_okay=False),
    ] = None,
) -> None:
    """Write the policy of a run as one ONNX file, and check that the file acts as the network does."""
    require_folders(out=out)
    from experiments.export import export_run

    file, parity = export_run(run_folder, out)
    typer.echo(f"{file}: {parity}")


@app.command()
def train(
    config: Annotated[str, typer.Argument(help="A name in configs/training or a file.")] = "bank",
    seed: Annotated[
        int | None, typer.Option(help="Seed, from which training, validation and test episodes follow.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Decisions to train on.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    runs: Annotated[Path, typer.Option(metavar="FOLDER", help="Where run folders are made.")] = Path("runs"),
    overrides: TrainingOverrides = None,
    json_file: JsonFile = None,
) -> None:
    """Train a policy, choose it on validation episodes, export it, and test it against the baselines."""
    require_folders(json=json_file)
    from experiments.extras import require_extra

    with require_extra("train", "blended train"):
        from experiments.train import describe_result
        from experiments.train import train as run
    from experiments.training_config import load_training

    loaded = load_training(config, tuple(overrides or ()), seed=seed, steps=steps)
    result = run(loaded, experiment=Path(config).stem, runs_folder=runs, device=device)
    if result.benchmark is not None:
        result.benchmark.show()
    typer.echo(f"Policy ({result.selection.mode}): {result.policy_file}")
    typer.echo(f"Evaluate it: blended evaluate {result.policy_file} --scenario {loaded.scenario}")
    typer.echo(f"TensorBoard: {sys.executable} -m tensorboard.main --logdir {result.folder / 'tensorboard'}")
    if json_file is not None:
        write_result(json_file, describe_result(result))
