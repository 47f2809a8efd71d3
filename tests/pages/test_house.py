"""The house: sizes of files and folders, what compiled functions say, how deep imports go, and that every place that a
text names is there."""

import ast
import functools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envs.interface import actions, cost_terms, fields

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("envs", "agents", "experiments")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "envs" / "simulator" / "README.md",
    ROOT / "findings" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]

MOST_LINES = 400
MOST_FILES = 12
MOST_LINES_OF_A_FUNCTION = 60
MOST_LEVELS = 10
RECORD_TABLES = ("parameters_type", "state_type")
"""Functions that are one table of fields; they may be as long as the record."""
A_FILE_A_COMMAND = ROOT / "experiments" / "cli"

NOUNS = {"contact": "slot", "rep": "seat", "k": "class"}
"""What an integer argument of that name is; every compiled function says so."""
COMPILED = {"compiled", "allocating", "entry_point", "parallel_entry_point"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            yield node


def is_compiled(function: ast.FunctionDef) -> bool:
    return any(isinstance(decorator, ast.Name) and decorator.id in COMPILED for decorator in function.decorator_list)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_file_is_long(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_function_is_long(path: Path):
    for function in functions(path):
        assert function.end_lineno is not None
        if function.name not in RECORD_TABLES:
            assert function.end_lineno - function.lineno + 1 <= MOST_LINES_OF_A_FUNCTION, function.name


def test_no_folder_is_crowded():
    for folder in {path.parent for path in (*SOURCES, *TESTS)} - {A_FILE_A_COMMAND}:
        files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(files) <= MOST_FILES, name_of(folder)


def test_every_compiled_function_says_what_its_integers_are():
    found = 0
    for path in SOURCES:
        for function in filter(is_compiled, functions(path)):
            text = " ".join((ast.get_docstring(function) or "").split())
            place = f"{name_of(path)}: {function.name}"
            assert text, place
            for argument in (argument.arg for argument in function.args.args):
                if argument in NOUNS:
                    found += 1
                    assert f"`{argument}` ({NOUNS[argument]})" in text, f"{place}: {argument}"
                elif argument in ("queue", "q", "action", "lens", "kind", "term", "heap", "order", "field", "rule"):
                    found += 1
                    assert f"`{argument}`" in text, f"{place}: {argument}"
    assert found > 100


def rooms_of_the_center() -> dict[str, set[str]]:
    """Return for each file and room directly below `envs` (and `envs` itself) which of them it imports."""
    imports: dict[str, set[str]] = {}
    for path in (ROOT / "envs").rglob("*.py"):
        parts = path.relative_to(ROOT / "envs").with_suffix("").parts
        room = "envs" if parts == ("__init__",) else parts[0]
        seen = imports.setdefault(room, set())
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "envs":
                names = node.module.split(".")[1:2] or [alias.name for alias in node.names]
                seen.update(set(names) - {room})
    return imports


def test_imports_inside_the_center_are_shallow_and_run_in_no_circle():
    imports = rooms_of_the_center()

    @functools.cache
    def level(room: str, above: frozenset[str] = frozenset()) -> int:
        assert room not in above, f"a circle through {room}"
        return 1 + max((level(below, above | {room}) for below in imports[room]), default=0)

    assert max(level(room) for room in imports) <= MOST_LEVELS
    assert imports["interface"] == set()
    assert imports["simulator"] == {"interface"}


def test_codes_equal_names():
    for constant, code in vars(cost_terms).items():
        if constant.startswith("TERM_"):
            assert cost_terms.COST_TERMS[code] == constant.removeprefix("TERM_").lower()
    # Short codes abbreviate the names of fields; each field has one code, and no two codes share a field.
    for prefix, table in (
        ("C_", fields.CANDIDATE_FIELDS),
        ("G_", fields.CENTER_FIELDS),
        ("Q_", fields.QUEUE_FIELDS),
    ):
        codes = [value for name, value in vars(fields).items() if name.startswith(prefix)]
        assert sorted(codes) == list(range(len(table)))
    for kind in ("WAIT", "SERVE", "RESUME", "ASSIGN", "INTERRUPT", "OFFER_CALLBACK"):
        assert actions.KINDS[getattr(actions, kind)].name == kind.lower()
    for rows in (actions.KINDS, *actions.LENSES.values(), cost_terms.COST_TERM_TABLE):
        names = [row.name for row in rows]
        assert len(set(names)) == len(names)


@functools.cache
def definitions(module: str) -> frozenset[str] | None:
    """Return the names that a module of the project defines; None if there is no such module."""
    path = ROOT / f"{module.replace('.', '/')}.py"
    if not path.exists():
        path = ROOT / module.replace(".", "/") / "__init__.py"
        if not path.exists():
            return None
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        for part in ast.walk(node):
            if isinstance(part, ast.FunctionDef | ast.ClassDef):
                found.add(part.name)
            elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                found.add(part.id)
            elif isinstance(part, ast.ImportFrom | ast.Import):
                found.update(alias.asname or alias.name for alias in part.names)
    return frozenset(found)


def is_there(dotted: str) -> bool:
    """Return True if a dotted name is a module of the project, or something that one defines."""
    if definitions(dotted) is not None:
        return True
    module, _, name = dotted.rpartition(".")
    known = definitions(module)
    if known is not None:
        return name in known
    owner, _, kind = module.rpartition(".")  # an attribute of a class
    known = definitions(owner)
    return known is not None and kind in known


def texts(path: Path) -> str:
    """Return a page, or of a source its docstrings and comments."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return text
    strings = [
        node.value.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]
    comments = re.findall(r"#.*$", text, re.MULTILINE)
    return "\n".join([*strings, *comments])


@pytest.mark.parametrize("path", [*PAGES, *SOURCES, *TESTS, ROOT / "pyproject.toml"], ids=name_of)
def test_every_place_that_a_text_names_is_there(path: Path):
    text = texts(path)
    for file in re.findall(
        r"(?<![\w/.<])((?:envs|agents|experiments|configs|docs|tests)/[\w/.*-]*\w\.(?:py|md|yaml))", text
    ):
        assert list(ROOT.glob(file)), file
    for folder in re.findall(r"`((?:envs|agents|experiments|configs|docs|tests)/(?:[\w-]+/)*)`", text):
        assert (ROOT / folder).is_dir(), folder
    for dotted in re.findall(r"(?<![\w/.])((?:envs|agents|experiments)(?:\.[A-Za-z_]\w*)+)", text):
        if not dotted.endswith((".py", ".md")):
            assert is_there(dotted), dotted


def test_the_readme_lists_every_room():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rooms = {name_of(path.parent) for path in SOURCES}
    assert {f"`{room}/`" for room in rooms} <= set(re.findall(r"^\| (`[\w/]+/`) \|", readme, re.MULTILINE))


def test_every_room_says_what_it_is():
    for path in SOURCES:
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        assert text, name_of(path)
        if path.name != "__init__.py":
            room = ".".join(path.relative_to(ROOT).parent.parts)
            assert f"Room: `{room}`" in text, name_of(path)


def test_types_are_left_out_where_numba_has_none():
    overrides = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["overrides"]
    (untyped,) = [entry["module"] for entry in overrides if entry.get("allow_untyped_defs")]
    assert set(untyped) == {"agents.rules.compiled.*", "envs.inputs.foresight", "envs.simulator.*"}


def contract(name: str) -> dict[str, Any]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return next(contract for contract in contracts if contract["id"] == name)


def places_below(folder: Path) -> set[str]:
    """Return the dotted names of the files and rooms that stand in a folder."""
    found = [
        path.with_suffix("") for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    ]
    return {".".join(path.relative_to(ROOT).parts) for path in found if path.name != "__init__"}


def test_the_contracts_that_list_the_center_leave_nothing_out():
    simulator, machine = ROOT / "envs" / "simulator", ROOT / "envs" / "simulator" / "machine"
    forbidden = {module for module in contract("compiled-rules")["forbidden_modules"] if module.startswith("envs")}
    all_but = {"envs.interface", "envs.simulator", "envs.simulator.machine"}
    all_but |= {f"envs.simulator.machine.{name}" for name in ("compilation", "inner_compiler")}
    assert forbidden == (places_below(ROOT / "envs") | places_below(simulator) | places_below(machine)) - all_but

    doors = {
        "envs.simulator.forced_events",
        *(f"envs.simulator.machine.{name}" for name in ("compilation", "journal", "luck", "state")),
        *(f"envs.simulator.machine.{name}" for name in ("parameters_record", "record_types", "tables")),
        "envs.simulator.service.promise_clock",
    }
    closed = set(contract("doors-to-the-simulator")["forbidden_modules"])
    inside = places_below(simulator) | places_below(machine) | places_below(simulator / "service")
    assert closed == inside - doors - {"envs.simulator.machine", "envs.simulator.service"}
