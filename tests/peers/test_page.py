"""docs/peers.md: its examples run; those with other libraries are read as `make peers` runs them."""

import pytest
from packaging.requirements import Requirement
from try_examples import PAGE, TORCH, main, read_examples

EXAMPLES = read_examples(PAGE.read_text(encoding="utf-8"))
OWN = [
    (example.name, place, program)
    for example in EXAMPLES
    if example.packages is None
    for place, program in enumerate(example.programs)
]


@pytest.mark.parametrize(("name", "place", "program"), OWN, ids=[f"{name}-{place}" for name, place, _ in OWN])
def test_an_example_of_the_page_runs(name: str, place: int, program: str, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(program, f"peers.md, {name}, {place}", "exec"), {})


def test_every_library_is_installed_beside_the_project_in_a_stated_version():
    others = {example.name: example.packages for example in EXAMPLES if example.packages is not None}
    assert set(others) == {"rllib", "torchrl", "tianshou", "minari"}
    for name, packages in others.items():
        assert packages[:2] == ["-e", "."]
        library = Requirement(packages[2])
        assert [specifier.operator for specifier in library.specifier] == ["=="], name


def test_torch_is_the_projects_own():
    constraints = (PAGE.parents[1] / "constraints.txt").read_text().splitlines()
    assert TORCH in constraints


def test_an_unknown_library_is_said_with_the_known_ones(capsys):
    assert main(["rlib"]) == 2
    assert "rlib: must be of rllib, torchrl, tianshou, minari" in capsys.readouterr().err
