"""What a run would find here: versions, missing packages, device, threads and caches.

Room: `experiments`. A package that is missing or broken is a finding here, not an error, so nothing beyond
the command line's own dependencies is imported above the functions.
"""

from __future__ import annotations

import importlib
import os
import platform
import re
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments.processors import usable_cpus

DISTRIBUTION = "blended-routing"
THREAD_VARIABLES = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def examine() -> dict[str, Any]:
    """Return what `blended doctor` shows, as plain data.

    The keys are `python`, `project` (its version), `clashes` (sentences), `packages` (extra -> name -> required range
    and installed version), `missing` (extra -> names), `device` (name and reason), `threads`, `numba_cache_folder` and
    `numba_cache_problem` (why nothing can be kept there, or None). The extra `core` stands for what the project cannot
    do without.
    """
    packages = _packages()
    torch, numba = _imported("torch"), _imported("numba")
    return {
        "python": {
            "version": platform.python_version(),
            "executable": sys.executable,
            "platform": platform.platform(),
        },
        "project": metadata.version(DISTRIBUTION),
        "clashes": find_clashes(),
        "packages": packages,
        "missing": {
            extra: [name for name, found in group.items() if found["installed"] is None]
            for extra, group in packages.items()
        },
        "device": _device(torch),
        "threads": {
            "cpus": usable_cpus(),
            "numba": numba.get_num_threads() if numba else None,
            "torch": torch.get_num_threads() if torch else None,
            "environment": {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ},
        },
        **_numba_cache(),
    }


def find_clashes() -> list[str]:
    """Return a sentence for each package of this project for which Python finds another one of the same name."""
    root = Path(__file__).resolve().parents[1]
    sentences = []
    for name in ("agents", "envs", "experiments"):  # stated here: where one is hidden, nothing can be imported from it
        spec = find_spec(name)
        places: list[str] = []
        if spec is not None:
            places = list(spec.submodule_search_locations or ()) or [str(spec.origin)]
        if root / name in [Path(place).resolve() for place in places]:
            continue
        owners = metadata.packages_distributions().get(name, [])
        other = next((owner for owner in owners if owner != DISTRIBUTION), None)
        owner_text = "" if other is None else f", of the distribution {other}"
        sentences.append(
            f"package {name}: Python finds {places[0] if places else 'none'}{owner_text}, and not this project's, "
            f"{root / name}: remove that one, or leave its folder out of PYTHONPATH, or install this project in an "
            "environment of its own"
        )
    return sentences


def show(findings: dict[str, Any], console: Console | None = None) -> None:
    """Print the findings of `examine` as tables, and the command that installs what is missing."""
    console = console or Console(markup=False)
    packages = Table("extra", "package", "required", "installed", title="Packages")
    for extra, group in findings["packages"].items():
        for name, found in group.items():
            packages.add_row(
                extra, name, found["required"] or "any", found["installed"] or Text("missing", style="red")
            )
        packages.add_section()
    console.print(packages)

    threads, device = findings["threads"], findings["device"]
    settings = ", ".join(f"{name}={value}" for name, value in threads["environment"].items())
    facts = Table(show_header=False, title="This machine")
    facts.add_row("blended-routing", findings["project"])
    facts.add_row("Python", f"{findings['python']['version']} ({findings['python']['executable']})")
    facts.add_row("platform", findings["python"]["platform"])
    facts.add_row("device for training", f"{device['name']}: {device['reason']}")
    facts.add_row("CPUs usable here", str(threads["cpus"]))
    facts.add_row("threads of numba", str(threads["numba"] or "numba is missing"))
    facts.add_row("threads of torch", str(threads["torch"] or "torch is missing"))
    facts.add_row("thread settings", settings or f"none of {', '.join(THREAD_VARIABLES)} is set")
    facts.add_row("numba cache folder", _cache_text(findings["numba_cache_folder"], findings["numba_cache_problem"]))
    console.print(facts)

    for clash in findings["clashes"]:
        console.print(clash, style="red", markup=False, highlight=False, soft_wrap=True)
    for extra, names in findings["missing"].items():
        if names:
            target = "." if extra == "core" else f".[{extra}]"
            command = f'pip install -c constraints.txt -e "{target}"'
            message = f"{extra}: missing {', '.join(names)}; install with: {command}"
            console.print(message, markup=False, highlight=False, soft_wrap=True)


def _packages() -> dict[str, dict[str, dict[str, str | None]]]:
    """Return the project's requirements by extra, each with its range and the version installed."""
    packages: dict[str, dict[str, dict[str, str | None]]] = {"core": {}}
    for extra in metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or []:
        packages[extra] = {}
    for requirement in metadata.requires(DISTRIBUTION) or []:
        specification, _, marker = requirement.partition(";")
        name, required = re.fullmatch(r"([\w.-]+)\s*(.*?)\s*", specification).groups()  # type: ignore[union-attr]
        extra = re.search(r"extra\s*==\s*[\"']([\w-]+)[\"']", marker)
        packages[extra[1] if extra else "core"][name] = {"required": required, "installed": _version(name)}
    return packages


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _imported(module: str) -> ModuleType | None:
    """Import a module that may be missing, or installed without a library of the system that it needs."""
    try:
        return importlib.import_module(module)
    except (ImportError, OSError):
        return None


def _device(torch: ModuleType | None) -> dict[str, str]:
    """Return the device that `--device auto` takes for training, and why."""
    if torch is None:
        return {"name": "none", "reason": "torch cannot be imported (extra train)"}
    if torch.cuda.is_available():
        return {"name": "cuda", "reason": f"torch sees {torch.cuda.get_device_name()}"}
    if torch.version.cuda is None:
        return {"name": "cpu", "reason": f"torch {torch.__version__} is built without CUDA"}
    return {"name": "cpu", "reason": f"torch is built for CUDA {torch.version.cuda}, but sees no usable GPU"}


def _numba_cache() -> dict[str, str | None]:
    try:
        from envs.simulator.machine.compilation import CACHE_FOLDER, CACHE_PROBLEM
    except (ImportError, OSError):
        return {"numba_cache_folder": None, "numba_cache_problem": None}
    return {"numba_cache_folder": str(CACHE_FOLDER), "numba_cache_problem": CACHE_PROBLEM}


def _cache_text(folder: str | None, problem: str | None) -> str:
    if folder is None:
        return "none: the center cannot be imported"
    if problem is None:
        return folder
    return (
        f"{folder} cannot be written ({problem}): every process compiles for a minute or more; "
        "BLENDED_CACHE_FOLDER names another folder"
    )
