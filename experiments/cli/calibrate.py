"""`blended calibrate`.

Room: `experiments.cli`. A thin shell over `experiments.calibration.calibrate`, what is held out of it, and what is
assumed in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.cli.options import JsonFile, ThreadsOrAll, require_folders, split_list, write_result

LogFile = Annotated[str, typer.Argument(metavar="LOG", help="The log: CSV with a header, perhaps compressed as .gz.")]
MappingName = Annotated[
    str,
    typer.Option("--mapping", metavar="MAPPING", help="What its columns mean: a name in configs/mappings or a file."),
]
OutFile = Annotated[
    Path,
    typer.Option(
        "--out", metavar="FILE.yaml", help="The scenario; FILE.assumptions.yaml beside it holds what is assumed."
    ),
]
MappingOverrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the mapping, as in time_zone=Europe/Berlin."),
]
AssumptionsFile = Annotated[
    Path | None,
    typer.Option(
        "--assumptions",
        metavar="FILE",
        help="Assumed numbers and ranges of your own, in the form of FILE.assumptions.yaml.",
        dir_okay=False,
    ),
]
HoldOut = Annotated[
    int | None,
    typer.Option(
        "--hold-out",
        metavar="DAYS",
        min=1,
        help="Hold each part of so many days out in turn, fit on the rest, and compare what is simulated with the log.",
    ),
]
WithSensitivity = Annotated[
    bool, typer.Option("--sensitivity", help="Rank policies again over the ranges of what is assumed.")
]
Policies = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,...", help="With --sensitivity: whom to rank; default: every baseline that fits the scenario."
    ),
]
Episodes = Annotated[int | None, typer.Option(min=2, help="With --sensitivity: test episodes of a point; default: 16.")]
Seed = Annotated[int, typer.Option(help="Seed of what is simulated.")]
FigureFile = Annotated[
    Path | None,
    typer.Option(
        "--figure",
        metavar="FILE",
        help="Draw --hold-out or --sensitivity to FILE.svg, .png or .pdf.",
        dir_okay=False,
    ),
]


def calibrate(
    log: LogFile,
    mapping: MappingName,
    out: OutFile,
    overrides: MappingOverrides = None,
    assumptions: AssumptionsFile = None,
    hold_out: HoldOut = None,
    sensitivity: WithSensitivity = False,
    policies: Policies = None,
    episodes: Episodes = None,
    seed: Seed = 0,
    threads: ThreadsOrAll = None,
    figure: FigureFile = None,
    json_file: JsonFile = None,
) -> None:
    """Make a scenario from the log of a real center, and say how well it meets days that it has not seen."""
    require_folders(out=out, json=json_file, figure=figure)
    _check_options(hold_out, sensitivity, policies, episodes, figure)
    from experiments.calibration.calibrate import calibrate as run

    found = run(log, mapping, out, overrides=overrides or (), assumptions=assumptions, part_days=hold_out)
    found.show()
    result = found.as_json()
    if found.parts:
        proof = found.prove(seed)
        proof.show()
        result["hold_out"] = proof.as_json()
    if sensitivity:
        from experiments.calibration.sensitivity.sensitivity import EPISODES, rank_over_ranges
        from experiments.processors import usable_cpus

        ranked = rank_over_ranges(
            found.scenario,
            found.estimates.assumptions,
            None if policies is None else split_list(policies),
            episodes=episodes or EPISODES,
            seed=seed,
            threads=threads or usable_cpus(),
        )
        ranked.show()
        result["sensitivity"] = ranked.as_json()
    if json_file is not None:
        write_result(json_file, result)
    if figure is not None:
        _draw(result, figure)


def _check_options(
    hold_out: int | None, sensitivity: bool, policies: str | None, episodes: int | None, figure: Path | None
) -> None:
    """Refuse options that have nothing to act on, and a figure that could not be drawn, before any work."""
    from envs.errors import ConfigurationError

    for option, value in (("--policies", policies), ("--episodes", episodes)):
        if value is not None and not sensitivity:
            raise ConfigurationError(f"{option}: must stand beside --sensitivity")
    if figure is None:
        return
    if sensitivity == (hold_out is not None):
        raise ConfigurationError("--figure: must stand beside --hold-out or --sensitivity, and not beside both")
    from experiments.extras import require_extra

    with require_extra("report", "--figure"):
        from experiments.comparison.figure import check_file
    check_file(figure)


def _draw(result: dict[str, Any], figure: Path) -> None:
    if "sensitivity" in result:
        from experiments.calibration.sensitivity.sensitivity_figure import write_figure as draw_sensitivity

        draw_sensitivity(result["sensitivity"], figure)
    else:
        from experiments.calibration.hold_out.hold_out_figure import write_figure as draw_hold_out

        draw_hold_out(result["hold_out"], figure)
