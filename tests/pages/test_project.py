"""The project's own files: pinned versions, targets, contracts and the first page."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from typer.main import get_command

from experiments.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONSTRAINTS = (ROOT / "constraints.txt").read_text().splitlines()
EXTRAS = PYPROJECT["project"]["optional-dependencies"]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_constraints_hold_exact_versions_and_nothing_else():
    for line in CONSTRAINTS:
        # No address, no path, no local version such as +cpu, which only one index has.
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][0-9A-Za-z.]*", line), line
    names = [canonical(line.partition("==")[0]) for line in CONSTRAINTS]
    assert len(names) == len(set(names))
    assert "torch==2.13.0" in CONSTRAINTS
    assert not {"pip", "setuptools", "blended-routing"} & set(names)


def test_every_requirement_has_a_pinned_version_inside_its_range():
    pinned = {canonical(line.partition("==")[0]): line.partition("==")[2] for line in CONSTRAINTS}
    texts = [*PYPROJECT["project"]["dependencies"], *(text for extra in EXTRAS.values() for text in extra)]
    for requirement in map(Requirement, texts):
        assert requirement.specifier, f"{requirement} has no range"
        assert requirement.specifier.contains(pinned[canonical(requirement.name)]), requirement


def test_extras():
    assert set(EXTRAS) == {"train", "report", "data", "tune", "minari", "sweep", "dev"}
    assert [Requirement(text).name for text in EXTRAS["sweep"]] == ["ray"]
    assert not Requirement(EXTRAS["sweep"][0]).extras
    core = {canonical(Requirement(text).name) for text in PYPROJECT["project"]["dependencies"]}
    assert not core & {"torch", "stable-baselines3", "sb3-contrib", "onnx", "pandas"}


def test_the_readme_names_the_two_commands():
    readme = (ROOT / "README.md").read_text()
    assert "make demo" in readme
    assert "make test" in readme


def test_make_lists_its_targets():
    shown = subprocess.run(["make", "-C", ROOT], capture_output=True, text=True, check=True).stdout
    for target in ("demo", "test", "test-slow", "check", "format", "bench", "peers", "clean"):
        assert f"make {target} " in shown


def test_continuous_integration_calls_the_make_targets():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    script = (ROOT / ".ci" / "run").read_text()
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    steps = [step.get("run") for step in workflow["jobs"]["test"]["steps"]]
    for target in ("make check", "make test"):
        assert target in script
        assert target in steps
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python-version"] == ["3.11", "3.12", "3.13"]


def test_the_contract_of_independent_commands_is_complete():
    contracts = {contract["id"]: contract for contract in PYPROJECT["tool"]["importlinter"]["contracts"]}
    commands = [name.replace("-", "_") for name in get_command(app).commands]  # type: ignore[attr-defined]
    assert {f"experiments.cli.{name}" for name in commands} == set(contracts["commands"]["modules"])
    files = {path.stem for path in (ROOT / "experiments" / "cli").glob("*.py")}
    assert files == {*commands, "main", "options", "__init__"}


def test_the_version_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PYPROJECT["project"]["version"]


FINDINGS = sorted((ROOT / "findings").glob("*.sh"))


def test_the_page_of_findings_lists_every_script():
    page = (ROOT / "findings" / "README.md").read_text()
    assert re.findall(r"^\| `([\w.]+)` \|", page, re.MULTILINE) != []
    assert sorted(re.findall(r"^\| `([\w.]+)` \|", page, re.MULTILINE)) == [path.name for path in FINDINGS]


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: path.stem)
def test_a_finding_stands_by_itself_on_pinned_packages(path: Path):
    assert os.access(path, os.X_OK)
    script = path.read_text()
    assert "\nset -euo pipefail\n" in script
    assert "folder=$(mktemp -d)\ntrap 'rm -rf \"$folder\"' EXIT\n" in script
    installs = re.findall(r"/bin/pip\" install --quiet --quiet (.+)$", script, re.MULTILINE)
    assert installs
    for package in " ".join(installs).replace('"', "").split():
        assert re.fullmatch(r"[\w,\[\]-]+==[\w.$]+", package), package
    assert not re.search(r"^\s*(import|from) (envs|agents|experiments)\b", script, re.MULTILINE)
    # What needs torch gets the one version that this project is tested with.
    if re.search(r"stable-baselines3|torchrl|tianshou|rllib", " ".join(installs)):
        assert installs[0] == "torch==2.13.0"
        assert all("torch==2.13.0" in line for line in installs)
