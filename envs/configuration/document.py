"""Configuration files: YAML with line numbers, `--set` overrides, and checking against a model.

The dialect is YAML 1.2's core schema, since the older one reads `10:30` as the number 630, `no` as false and
`1e-3` as text. Digits may be grouped with underscores (`1_000_000`). Keys are always text, a repeated key is
an error, and a tag that would build anything but plain data is refused.

Room: `envs.configuration`. Touches files; what a scenario or a training may say is in the models that `validate` is
given.

Every value remembers where it was written, so a mistake is reported with its file and line:

    document = load_yaml(find_config("bank", "scenarios"))
    document = apply_overrides(document, ["channels.voice.patience.mean_s=60"])
    scenario = validate(document, Scenario, root="scenario")
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pydantic
import yaml

from envs.configuration.messages import (
    KeyPath,
    describe_errors,
    did_you_mean,
    dotted,
)
from envs.errors import ConfigurationError

REPOSITORY_FOLDER = Path(__file__).resolve().parents[2]
"""The clone that this package belongs to. The supported install is editable, so its configs are there too."""
CONFIG_SUFFIXES = (".yaml", ".yml")
Model = TypeVar("Model", bound=pydantic.BaseModel)


class Location(NamedTuple):
    """Where something was written: a file and a line of it, counted from 1; line 0: in no file, `file` says where."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{shown_path(self.file)}:{self.line}" if self.line else str(self.file)


@dataclass(frozen=True)
class Document:
    """The content of a configuration file, and where each part of it was written.

    Attributes:
        data: plain mappings, lists and scalars.
        path: the file.
        locations: where each key and list item was written, by its path of keys and indices. Parts of a document that
            extends another (`envs.configuration.inheritance`) were written in different files.
        overridden: the paths that `--set` has replaced; what lies below them is not from a file.
    """

    data: Any
    path: Path
    locations: Mapping[KeyPath, Location] = field(default_factory=dict)
    overridden: frozenset[KeyPath] = frozenset()

    def location_of(self, dotted_path: KeyPath) -> Location:
        """Return where a key or list item was written, or else its nearest known ancestor."""
        for length in range(len(dotted_path), -1, -1):
            location = self.locations.get(tuple(dotted_path[:length]))
            if location is not None:
                return location
        return Location(self.path, 1)

    def origin(self, dotted_path: KeyPath) -> str:
        """Say where a value comes from: `configs/scenarios/bank.yaml:31`, or `--set`, or both."""
        above = {dotted_path[:length] for length in range(len(dotted_path) + 1)}
        if above & self.overridden:
            return "--set"
        location = str(self.location_of(dotted_path))
        if any(path[: len(dotted_path)] == dotted_path for path in self.overridden):
            return f"{location} and --set" if dotted_path in self.locations else "--set"
        return location


def find_config(name_or_path: str | Path, folder: str, base: Path = Path()) -> Path:
    """Find a configuration file by its name, from any working directory, or by its path.

    Args:
        name_or_path: a name such as `bank`, which means `configs/<folder>/bank.yaml` of this repository,
            or the path of a file.
        folder: the folder below `configs` in which names are looked up, such as `scenarios`.
        base: the folder in which a relative path begins; default: the working directory.

    Raises:
        ConfigurationError: neither exists; the message lists the names that do.
    """
    path = base / name_or_path
    if path.suffix in CONFIG_SUFFIXES and path.is_file():
        return path
    name = str(Path(name_or_path).with_suffix("") if path.suffix in CONFIG_SUFFIXES else name_or_path)
    files = named_files(folder)
    if name in files:
        return files[name]
    if path.is_file():
        return path
    hint = did_you_mean(name, files, most=3) or f"; known names: {', '.join(files) or 'none'}"
    raise ConfigurationError(f"{name_or_path}: no such file, and no such name in configs/{folder}{hint}")


def named_files(folder: str) -> dict[str, Path]:
    """Return the files below `configs/<folder>` of this repository by their names."""
    # Listed rather than opened by name: the file system must not decide whether BANK means bank.
    config_folder = REPOSITORY_FOLDER / "configs" / folder
    return {str(file.relative_to(config_folder).with_suffix("")): file for file in _config_files(config_folder)}


def load_yaml(path: str | Path) -> Document:
    """Read a YAML file into plain data with line numbers; an empty file is an empty mapping.

    Raises:
        ConfigurationError: the file cannot be read, is not valid YAML, or repeats a key.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(f"{shown_path(path)}: no such file") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{shown_path(path)}: not a UTF-8 text file ({error.reason})") from error
    except OSError as error:
        raise ConfigurationError(f"{shown_path(path)}: cannot be read ({error.strerror})") from error
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path) -> Document:
    """Return the plain data of a YAML text with line numbers, as `load_yaml` does; `path` is the file that it is of.

    Raises:
        ConfigurationError: it is not valid YAML, or repeats a key.
    """
    data, lines = _parse(text, lambda line: str(Location(path, line)))
    locations = {where: Location(path, line) for where, line in lines.items()}
    return Document(data={} if data is None else data, path=path, locations=locations)


def as_document(mapping: Mapping[str, Any], where: str = "a mapping") -> Document:
    """Return a mapping that was given in place of a file as a document; relative paths in it begin in the working
    directory, and messages name it as `where`."""
    path = Path(where)
    return Document(data=_plain(mapping), path=path, locations={(): Location(path, 0)})


def _plain(value: Any) -> Any:
    """Return a copy of nested mappings and sequences as a file would hold them: dictionaries and lists."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def apply_overrides(document: Document, overrides: Iterable[str]) -> Document:
    """Return a copy of a document in which each `dotted.key=value` has replaced a value.

    The value is read as YAML. A list item is named by its index or, in a list of mappings with a `name`, by
    that name: `channels.voice.patience.mean_s=60`. A mapping's key need not be in the file, because many
    settings are left at their defaults there; whether it exists at all is for `validate` to say, which knows
    every key.

    Raises:
        ConfigurationError: an override has no `=`, is not valid YAML, or leads to a list item that does not
            exist or into a value that has no keys.
    """
    data = copy.deepcopy(document.data)
    overridden = {*document.overridden, *[_override(data, override) for override in overrides]}
    return Document(data=data, path=document.path, locations=document.locations, overridden=frozenset(overridden))


def validate(document: Document, model: type[Model], root: str) -> Model:
    """Check a document against a pydantic model and return the model's instance.

    Args:
        document: what to check.
        model: the model; to find misspelled keys it must forbid extra ones.
        root: what the document describes, the first word of every path in a message: `scenario`.

    Raises:
        ConfigurationError: the document does not fit. Its message has one line per mistake:
            `scenario.channels[2].patience.mean_s = -5: must be > 0 seconds (configs/scenarios/bank.yaml:31)`.
    """
    try:
        return model.model_validate(document.data)
    except pydantic.ValidationError as error:
        lines = describe_errors(error, model, document.data, root, document.origin)
        # Pydantic's own account says the same once more, at length, and would bury the message in a notebook.
        raise ConfigurationError("\n".join(lines)) from None


def shown_path(path: Path) -> str:
    """Return a path as a message shows it: relative to the working directory when inside it."""
    resolved, here = path.resolve(), Path.cwd().resolve()
    return str(resolved.relative_to(here) if resolved.is_relative_to(here) else resolved)


def _config_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix in CONFIG_SUFFIXES)


def _override(data: Any, override: str) -> KeyPath:
    """Replace one value inside `data` and return its path."""
    key, equals, text = override.partition("=")
    names = key.strip().split(".")
    if not equals or not all(names):
        raise ConfigurationError(f"--set {override}: expected dotted.key=value")
    # No YAML text begins with one of these, but a format of dates does: %d/%m/%Y.
    value = text if text.startswith(("%", "@", "`")) else _parse(text, lambda line: f"--set {override}")[0]
    target = data
    path: KeyPath = ()
    for name in names[:-1]:
        step = _step(target, name, path, override)
        if isinstance(target, dict) and target.get(name) is None:
            target[name] = {}
        target, path = target[step], (*path, step)
    step = _step(target, names[-1], path, override)
    target[step] = value
    return (*path, step)


def _step(target: Any, name: str, path: KeyPath, override: str) -> str | int:
    """Return the key or index that one part of an override's dotted key means in `target`."""
    if isinstance(target, dict):
        return name
    where = dotted(path) or "the document"
    if not isinstance(target, list):
        raise ConfigurationError(f"--set {override}: {where} is a single value and has no key '{name}'")
    names = [str(item["name"]) for item in target if isinstance(item, dict) and "name" in item]
    for index, item in enumerate(target):
        if isinstance(item, dict) and str(item.get("name")) == name:
            return index
    if re.fullmatch(r"\d+", name):
        if int(name) < len(target):
            return int(name)
        raise ConfigurationError(f"--set {override}: {where} has {len(target)} items, counted from 0")
    known = f"; known names: {', '.join(names)}" if names else "; its items are named by index, from 0"
    raise ConfigurationError(f"--set {override}: {where} has no '{name}'{did_you_mean(name, names) or known}")


class _CoreSchemaLoader(yaml.SafeLoader):
    """PyYAML's safe loader with the plain scalars of YAML 1.2's core schema."""

    # A new table, not the inherited one: that one belongs to SafeLoader and holds the rules of YAML 1.1.
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's own form)


class _CoreSchemaDumper(yaml.SafeDumper):
    """PyYAML's safe dumper, which puts also those texts in quotes that YAML 1.2's core schema would read as numbers."""


for _tag, _pattern, _first_characters in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9_]*)", list("-+0123456789")),
    (
        "float",
        r"[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    for _rules in (_CoreSchemaLoader, _CoreSchemaDumper):
        _rules.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first_characters)


def dump_yaml(data: Any, *, in_lines: bool = False) -> str:
    """Return plain data as a YAML text that `load_yaml` reads as the same data; with `in_lines` lists and mappings of
    single values stand in a line of about 120 characters, for readers."""
    width, flow = (110, None) if in_lines else (80, False)
    return yaml.dump(data, Dumper=_CoreSchemaDumper, sort_keys=False, default_flow_style=flow, width=width)


def _parse(text: str, location: Callable[[int], str]) -> tuple[Any, dict[KeyPath, int]]:
    """Return the plain data of a YAML text, and the line of every key and item in it.

    Args:
        text: the YAML text.
        location: names a line of the text in an error message.
    """
    lines: dict[KeyPath, int] = {}
    try:
        loader = _CoreSchemaLoader(text)
        node = loader.get_single_node()
        return (None if node is None else _read(loader, node, (), lines, (), location)), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        raise ConfigurationError(f"{location(mark.line + 1 if mark else 1)}: not valid YAML: {problem}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigurationError(f"{location(line)}: not valid YAML: {error.reason}") from error


def _read(
    loader: _CoreSchemaLoader,
    node: yaml.Node,
    path: KeyPath,
    lines: dict[KeyPath, int],
    parents: tuple[yaml.Node, ...],
    location: Callable[[int], str],
) -> Any:
    """Build the plain data of one node and note the lines of what is inside it."""
    line = node.start_mark.line + 1
    lines.setdefault(path, line)
    if any(parent is node for parent in parents):
        raise ConfigurationError(f"{location(line)}: an anchor that contains itself")
    parents = (*parents, node)
    if isinstance(node, yaml.MappingNode) and node.tag == yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG:
        mapping = {}
        for key, key_line, value_node in _entries(node, location):
            lines[(*path, key)] = key_line
            mapping[key] = _read(loader, value_node, (*path, key), lines, parents, location)
        return mapping
    if isinstance(node, yaml.SequenceNode) and node.tag == yaml.resolver.BaseResolver.DEFAULT_SEQUENCE_TAG:
        return [_read(loader, item, (*path, index), lines, parents, location) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode):
        try:
            return loader.construct_object(node)
        except ValueError as error:  # such as !!int "abc"
            raise ConfigurationError(f"{location(line)}: {error}") from error
    raise ConfigurationError(f"{location(line)}: the tag {node.tag} is not supported")


def _entries(node: yaml.MappingNode, location: Callable[[int], str]) -> Iterator[tuple[str, int, yaml.Node]]:
    """Yield each key of a mapping as text, with its line and the node of its value."""
    line_of_key: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise ConfigurationError(f"{location(line)}: a key must be plain text")
        key = key_node.value
        if key in line_of_key:
            raise ConfigurationError(f"{location(line)}: the key '{key}' is already given in line {line_of_key[key]}")
        line_of_key[key] = line
        yield key, line, value_node
