"""The wording of mistakes in configuration files: pydantic's errors as one readable line each.

Room: `envs.configuration`. Touches the errors and JSON schema of pydantic models; knows no file and no scenario.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pydantic
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic_core import ErrorDetails

from envs.errors import InvalidValueError

KeyPath = tuple[str | int, ...]
Schema = Mapping[str, Any]
LINE_LIMIT = 10
"""Mistakes listed in one message; the rest are only counted."""
_QUANTITIES = {"s": "seconds", "usd": "USD", "min": "minutes", "hours": "hours", "days": "days"}
_SHARES = {"prob": "probability", "frac": "fraction"}
_UNIT_SUFFIX = re.compile(
    rf"(?:^|_)(?P<unit>{'|'.join([*_QUANTITIES, *_SHARES])})?(?P<per>_?per_(?P<time>hour|min|day))?$"
)
_BOUNDS = {
    "greater_than": (">", "gt"),
    "greater_than_equal": (">=", "ge"),
    "less_than": ("<", "lt"),
    "less_than_equal": ("<=", "le"),
    "multiple_of": ("a multiple of", "multiple_of"),
}
# The kind of value that pydantic missed, in a user's words. An error of this sort says that the whole value
# has the wrong shape, where the others find fault with a value of the right shape.
_SHAPES = {
    "float_type": "a number",
    "float_parsing": "a number",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dataclass_type": "a mapping",
    "none_required": "null",
}


def dotted(path: KeyPath, root: str = "") -> str:
    """Return a path of keys and indices as text: `scenario.channels[2].patience`."""
    text = root
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def did_you_mean(name: str, known: Iterable[str], most: int = 1) -> str:
    """Return `; did you mean 'bank'?` with the nearest known names, or nothing if none is near."""
    near = difflib.get_close_matches(name, list(known), n=most, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(match) for match in near)}?" if near else ""


def describe_errors(
    error: pydantic.ValidationError,
    model: type[pydantic.BaseModel],
    data: Any,
    root: str,
    origin: Callable[[KeyPath], str],
) -> list[str]:
    """Return one line for each mistake that pydantic found, at most `LINE_LIMIT` and a count of the others.

    Args:
        error: what pydantic raised.
        model: the model that was to be filled.
        data: the plain data that did not fit.
        root: the first word of every path.
        origin: says for a path where its value was written.
    """
    schema = _schema_of(model)
    mistakes = _without_unlikely_alternatives(
        _mistake(details, schema, data)
        for details in error.errors(include_url=False)
        if not _only_counts_valid_items(details)
    )
    lines = []
    for mistake in mistakes:
        value = f" = {mistake.shown_value}" if mistake.shown_value else ""
        lines.append(f"{dotted(mistake.path, root)}{value}: {mistake.problem} ({origin(mistake.path)})")
    hidden = len(lines) - LINE_LIMIT
    return [*lines[:LINE_LIMIT], f"... and {hidden} more"] if hidden > 0 else lines


@dataclass(frozen=True)
class _Mistake:
    path: KeyPath
    problem: str
    shown_value: str
    shape: str = ""  # the right shape, where the mistake is the wrong one


def _mistake(details: ErrorDetails, schema: Schema, data: Any) -> _Mistake:
    """Word one of pydantic's errors, and find the path that the user wrote."""
    kind, context, value = details["type"], details.get("ctx", {}), details["input"]
    path, alternatives, field_name = _locate(details["loc"], kind, schema, data)
    unit, shown = unit_of(field_name), _shown(value)
    if kind == "missing":
        return _Mistake(path, "missing key", "")
    if kind == "extra_forbidden":
        known = [key for alternative in alternatives for key in alternative.get("properties", {})]
        return _Mistake(path, _unknown_key(str(path[-1]), known), "")
    if kind in {"union_tag_not_found", "union_tag_invalid"}:
        # The tag is a key of the value, such as `distribution`; pydantic quotes its name.
        tagged = (*path, str(context["discriminator"]).strip("'"))
        if kind == "union_tag_not_found":
            tags = sorted(_tags(alternatives))
            return _Mistake(tagged, f"missing key; must be one of {', '.join(tags)}", "")
        return _Mistake(tagged, _not_one_of(context["expected_tags"], context["tag"]), _shown(context["tag"]))
    if kind in {"literal_error", "enum"}:
        if details["loc"][-1] == "[key]":
            return _Mistake(path, _unknown_key(str(value), _quoted(context["expected"])), "")
        return _Mistake(path, _not_one_of(context["expected"], value), shown)
    if kind in _BOUNDS:
        comparison, key = _BOUNDS[kind]
        return _Mistake(path, _bound(comparison, context[key], unit), shown)
    if kind in _SHAPES:
        shape = f"{_SHAPES[kind]} ({unit})" if unit and "number" in _SHAPES[kind] else _SHAPES[kind]
        return _Mistake(path, f"must be {shape}", shown, shape)
    if kind == "finite_number":
        return _Mistake(path, f"must be a finite number{f' ({unit})' if unit else ''}", shown)
    if kind in {"too_short", "too_long"}:
        word, limit = ("least", "min_length") if kind == "too_short" else ("most", "max_length")
        items = "item" if context[limit] == 1 else "items"
        problem = f"must have at {word} {context[limit]} {items}, has {context['actual_length']}"
        return _Mistake(path, problem, "")
    if kind in {"value_error", "assertion_error"}:
        cause = context["error"]
        if isinstance(cause, InvalidValueError):
            path = (*path, *cause.path)
            return _Mistake(path, cause.problem, _shown(_value_at(data, path)))
        return _Mistake(path, str(cause) or "not valid", shown)
    return _Mistake(path, _reworded(details["msg"]), shown)


def _only_counts_valid_items(details: ErrorDetails) -> bool:
    """Tell whether pydantic finds a list too short only because it left out the items that it refused."""
    is_list = details["type"] == "too_short" and isinstance(details["input"], list)
    return is_list and len(details["input"]) >= details["ctx"]["min_length"]


def _without_unlikely_alternatives(mistakes: Iterable[_Mistake]) -> list[_Mistake]:
    """Join what pydantic says about each alternative of a union into what the user most likely got wrong.

    Where a number, a list or a mapping may stand, a list with a bad item makes pydantic complain three times.
    The complaint about the item is the one that helps; if no alternative fits, all shapes are named.
    """
    found = list(dict.fromkeys(mistakes))
    kept: dict[KeyPath, _Mistake] = {}
    for mistake in found:
        closer = [
            other
            for other in found
            if other.path[: len(mistake.path)] == mistake.path
            and (len(other.path) > len(mistake.path) or not other.shape)
        ]
        if mistake.shape and closer:
            continue
        before = kept.get(mistake.path)
        if before is None:
            kept[mistake.path] = mistake
        else:
            problem = f"{before.problem} or {mistake.shape or mistake.problem}"
            kept[mistake.path] = _Mistake(mistake.path, problem, mistake.shown_value, mistake.shape)
    return list(kept.values())


# --- where: pydantic's location without the names of union members ------------------------------------------


def _locate(location: KeyPath, kind: str, schema: Schema, data: Any) -> tuple[KeyPath, list[Schema], str]:
    """Return the path that the user wrote, the schemas that could apply at its end, and the last field.

    For an unknown key the schemas are those of the mapping that holds it. Pydantic's location also names the
    chosen member of each union (`patience.lognormal.mean_s`); such a step is no key of the data and is left
    out. The field may lie below the path: a validator may have read a plain number as `{value_s: number}`.
    """
    path: KeyPath = ()
    field_name = ""
    here = list(_alternatives([schema], schema))
    value = data
    for position, step in enumerate(location):
        last = position == len(location) - 1
        members = [tags[step] for tags in map(_mapping, here) if step in tags]
        if members:
            here = list(_alternatives([{"$ref": member} for member in members], schema))
            continue
        if any(step in alternative.get("properties", {}) for alternative in here):
            field_name = str(step)
        written = _has(value, step)
        if not written and not (last and kind == "missing"):
            here = [alternative for alternative in here if alternative.get("title") == step] or here
            continue
        path = (*path, step)
        if last and kind == "extra_forbidden":
            break
        here = list(_alternatives([below for above in here for below in _below(above, step)], schema))
        value = value[step] if written else None
    return path, here, field_name


@cache
def _schema_of(model: type[pydantic.BaseModel]) -> Schema:
    try:
        return model.model_json_schema(mode="validation")
    except PydanticInvalidForJsonSchema:
        # A type without a JSON form costs the message its suggestions, not the message itself.
        return {}


def _alternatives(schemas: Iterable[Schema], root: Schema) -> Iterator[Schema]:
    """Yield the schemas that a value may meet: references followed, unions opened unless tagged."""
    for schema in schemas:
        reference = schema.get("$ref")
        if reference is not None:
            yield from _alternatives([root["$defs"][reference.rpartition("/")[2]]], root)
        elif "anyOf" in schema or "allOf" in schema:
            yield from _alternatives([*schema.get("anyOf", []), *schema.get("allOf", [])], root)
        elif "oneOf" in schema and not _mapping(schema):
            yield from _alternatives(schema["oneOf"], root)
        else:
            yield schema


def _mapping(schema: Schema) -> Mapping[Any, str]:
    """Return the members of a tagged union by tag."""
    members: Mapping[Any, str] = schema.get("discriminator", {}).get("mapping", {})
    return members


def _tags(schemas: Iterable[Schema]) -> set[str]:
    return {str(tag) for schema in schemas for tag in _mapping(schema)}


def _below(schema: Schema, step: str | int) -> Iterator[Schema]:
    """Yield the schemas of a list's item or a mapping's value."""
    candidates: list[Any]
    if isinstance(step, int):
        prefix = schema.get("prefixItems", [])
        candidates = [prefix[step]] if step < len(prefix) else [schema.get("items")]
    else:
        candidates = [schema.get("properties", {}).get(step, schema.get("additionalProperties"))]
    return (candidate for candidate in candidates if isinstance(candidate, dict))


def _has(value: Any, step: str | int) -> bool:
    if isinstance(value, dict):
        return step in value
    return isinstance(value, list) and isinstance(step, int) and step < len(value)


def _value_at(data: Any, path: KeyPath) -> Any:
    """Return the value at a path, or a mapping (which no message shows) where the path leads nowhere."""
    for step in path:
        if not _has(data, step):
            return {}
        data = data[step]
    return data


# --- what: the words ----------------------------------------------------------------------------------------


def _shown(value: Any) -> str:
    """Return a value as a message shows it; mappings and lists are too long to be shown."""
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "...")
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"  # as YAML writes it
    if isinstance(value, int) and abs(value) >= 10**40:
        return f"{'-' if value < 0 else ''}10^{int(math.log10(abs(value)))} or more"
    return json.dumps(value) if value is None or isinstance(value, bool | int | float) else ""


def unit_of(name: str) -> str:
    """Return the unit in which a field is measured, read from the end of its name; empty if it has none."""
    match = _UNIT_SUFFIX.search(name)
    if match is None:
        return ""
    unit = {**_QUANTITIES, **_SHARES}.get(match["unit"] or "", "")
    per = f"per {match['time'].replace('min', 'minute')}" if match["per"] else ""
    return " ".join(word for word in (unit, per) if word)


def _bound(comparison: str, limit: Any, unit: str) -> str:
    number = f"{limit:g}" if isinstance(limit, float) else str(limit)
    if unit in _SHARES.values():
        if (comparison, limit) in {(">=", 0), ("<=", 1)}:
            return f"must be a {unit} between 0 and 1"
        return f"must be {comparison} {number} (a {unit} between 0 and 1)"
    if unit.startswith(tuple(_SHARES.values())):
        unit = f"({unit})"
    return f"must be {comparison} {number} {unit}".rstrip()


def _quoted(expected: str) -> list[str]:
    """Return the names in pydantic's `'a', 'b' or 'c'`."""
    return re.findall(r"'([^']*)'", expected)


def _not_one_of(expected: str, value: Any) -> str:
    allowed = _quoted(expected)
    return f"must be one of {', '.join(allowed) or expected}{did_you_mean(str(value), allowed)}"


def _unknown_key(key: str, known: list[str]) -> str:
    hint = did_you_mean(key, known)
    listing = f"; known keys: {', '.join(dict.fromkeys(known))}" if known else ""
    return f"unknown key{hint or listing}"


def _reworded(message: str) -> str:
    """Turn pydantic's `Input should be ...` into the form of the other messages."""
    reworded = re.sub(r"^(Input|Value|String|URL|List|Tuple|Dictionary) should ", "must ", message)
    return reworded[:1].lower() + reworded[1:]
