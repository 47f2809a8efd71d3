"""Inheritance of configuration files: `extends: bank` takes another file and changes what the own one names.

Room: `envs.configuration`. Touches documents and the files that they extend; knows nothing of what a scenario may say.

The keys of the extending file are merged over those of the file it extends:

* mappings merge key by key;
* lists whose items are all mappings with a `name` merge by that name: named again, an item changes; new names follow
  the others; `{name: fax, remove: true}` takes an item away;
* a law of another `distribution` replaces the whole law, since its keys are others;
* single values and other lists are replaced;
* `null` takes away what the extended file says, so that the key's default holds.

What a merged document knows of its origin stays exact: a value is reported where it was written, in either file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from envs.configuration.document import (
    Document,
    Location,
    find_config,
    load_yaml,
    shown_path,
)
from envs.configuration.messages import (
    KeyPath,
    did_you_mean,
    dotted,
)
from envs.errors import ConfigurationError

EXTENDS = "extends"
REMOVE = "remove"


def resolve_extends(document: Document, folder: str, root: str) -> Document:
    """Return a document merged over the one that its key `extends` names, that one resolved too; without the key.

    Args:
        document: what `load_yaml` has read.
        folder: the folder below `configs` in which names are looked up, such as `scenarios`; a relative path begins
            in the folder of the extending file.
        root: what the document describes, the first word of every path in a message: `scenario`.

    Raises:
        ConfigurationError: the extended file does not exist or cannot be read, files extend each other in a circle,
            or an item of a list is removed that is not there.
    """
    return _resolve(document, folder, root, (document.path,))


def _resolve(document: Document, folder: str, root: str, chain: tuple[Path, ...]) -> Document:
    if not isinstance(document.data, dict) or EXTENDS not in document.data:
        return document
    name = document.data[EXTENDS]
    location = document.location_of((EXTENDS,))
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f"{root}.{EXTENDS}: must be text: the name or the path of a file ({location})")
    try:
        file = find_config(name, folder, base=document.path.parent)
    except ConfigurationError as error:
        raise ConfigurationError(f"{root}.{EXTENDS} = {error} ({location})") from None
    chain = (*chain, file)
    if file.resolve() in [earlier.resolve() for earlier in chain[:-1]]:
        circle = " -> ".join(shown_path(link) for link in chain)
        raise ConfigurationError(
            f"{root}.{EXTENDS} = {name!r}: files extend each other in a circle: {circle} ({location})"
        )
    parent = _resolve(load_yaml(file), folder, root, chain)
    if not isinstance(parent.data, dict):
        raise ConfigurationError(f"{root}.{EXTENDS} = {name!r}: {shown_path(file)} must be a mapping ({location})")
    own = {key: value for key, value in document.data.items() if key != EXTENDS}
    locations: dict[KeyPath, Location] = {}
    data = _merge(_Node(parent, (), parent.data), _Node(document, (), own), (), locations, root)
    return Document(data=data, path=document.path, locations=locations)


@dataclass(frozen=True)
class _Node:
    """One value of a document, and the path at which the document has it."""

    document: Document
    path: KeyPath
    value: Any

    @property
    def location(self) -> Location:
        return self.document.location_of(self.path)

    def at(self, step: str | int) -> _Node:
        return _Node(self.document, (*self.path, step), self.value[step])


def _merge(parent: _Node, child: _Node, path: KeyPath, locations: dict[KeyPath, Location], root: str) -> Any:
    """Return the child's value merged over the parent's, and note in `locations` where its parts were written.

    Args:
        parent: what is extended.
        child: what is merged over it; where both have a mapping or a list, its own location is the merged one's.
        path: where the merged value stands.
        locations: of the merged document, to be filled.
        root: the first word of a path in a message.
    """
    if isinstance(parent.value, dict) and isinstance(child.value, dict) and not _is_another_law(parent, child):
        locations[path] = child.location
        merged = {}
        for key in parent.value | child.value:
            below = (*path, key)
            if key not in child.value:
                merged[key] = _take(parent.at(key), below, locations)
            elif key not in parent.value:
                merged[key] = _take(child.at(key), below, locations)
            elif child.value[key] is None:
                locations[below] = child.at(key).location  # should the key be a required one, the `null` is to blame
            else:
                merged[key] = _merge(parent.at(key), child.at(key), below, locations, root)
        return merged
    if _has_names(parent.value) and _has_names(child.value):
        locations[path] = child.location
        return _merge_by_name(parent, child, path, locations, root)
    return _take(child, path, locations)


def _merge_by_name(
    parent: _Node, child: _Node, path: KeyPath, locations: dict[KeyPath, Location], root: str
) -> list[Any]:
    """Return the parent's items in their order, changed or left out as the child says, then the child's new ones."""
    known = [item["name"] for item in parent.value]
    changes: dict[str, _Node] = {}
    for index, item in enumerate(child.value):
        change, name = child.at(index), item["name"]
        if name in changes:
            _refuse(change, "name", f"stands twice in {dotted(path)}: names must differ", root)
        if REMOVE in item:
            if item[REMOVE] is not True or set(item) != {"name", REMOVE}:
                _refuse(change, REMOVE, "must be true, beside no other key than name", root)
            if name not in known:
                hint = did_you_mean(name, known) or f"; known names: {', '.join(known)}"
                _refuse(
                    change, "name", f"{shown_path(parent.location.file)} has nothing of this name to remove{hint}", root
                )
        changes[name] = change
    merged: list[Any] = []
    for index, name in enumerate(known):
        here, item = (*path, len(merged)), parent.at(index)
        if name not in changes:
            merged.append(_take(item, here, locations))
        elif REMOVE not in changes[name].value:
            merged.append(_merge(item, changes[name], here, locations, root))
    for name, change in changes.items():
        if name not in known:
            merged.append(_take(change, (*path, len(merged)), locations))
    return merged


def _take(node: _Node, path: KeyPath, locations: dict[KeyPath, Location]) -> Any:
    """Return a value as it is, and note where its parts were written."""
    locations[path] = node.location
    steps: Any = ()
    if isinstance(node.value, dict):
        steps = node.value
    elif isinstance(node.value, list):
        steps = range(len(node.value))
    for step in steps:
        _take(node.at(step), (*path, step), locations)
    return node.value


def _has_names(value: Any) -> bool:
    """Tell whether a value is a list of named mappings, such as channels, groups and segments."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in value)
    )


def _is_another_law(parent: _Node, child: _Node) -> bool:
    own = child.value.get("distribution")
    return own is not None and own != parent.value.get("distribution")


def _refuse(node: _Node, key: str, problem: str, root: str) -> NoReturn:
    """Raise the error about one key of a list's item, at the path that it has in its own file."""
    path = (*node.path, key)
    value = node.value[key]
    shown = f"'{value}'" if isinstance(value, str) else str(value).lower()
    raise ConfigurationError(f"{dotted(path, root)} = {shown}: {problem} ({node.document.location_of(path)})")
