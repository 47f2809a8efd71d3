"""What every number of a configuration must be: of the right kind, finite, and no larger than its unit allows.

Room: `envs.configuration`. Touches pydantic's schemas; knows no scenario.

A model of a configuration derives from `Checked`. The unit of a number is the end of its field's name (`mean_s`,
`rate_per_hour`, `abandonment_usd`), as everywhere in this project, and `LARGEST` says what is absurd in that unit: far
above what any center has, and far below where sums and squares lose their meaning. A field may state a bound of its own
(`Field(le=...)`), which then holds instead.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from envs.configuration.messages import unit_of

LARGEST = {
    "seconds": 1e9,
    "minutes": 1e8,
    "hours": 1e6,
    "days": 3660.0,
    "USD": 1e12,
    "per hour": 1e6,
    "per minute": 1e5,
    "per day": 1e7,
}
"""The largest number that a field of a unit may have, unless it says otherwise: about 30 years, ten of an episode, a
thousand billion dollars, 300 contacts a second."""
LARGEST_OTHER = 1e9
"""The largest number without one of these units: counts, factors, weights."""


def largest(name: str) -> float:
    """Return the largest number that a field of this name may have, in its unit, where it states no bound itself."""
    unit = unit_of(name)
    return LARGEST.get(unit, LARGEST["USD"] if unit.startswith("USD") else LARGEST_OTHER)


def _fields(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield the fields of the model that `schema` describes, which validators may wrap."""
    while schema["type"] != "model-fields":
        if "schema" not in schema:
            return
        schema = schema["schema"]
    yield schema["fields"]


def _checked(schema: Any, name: str) -> Any:
    """Return the schema of a field, or of a part of it, with its numbers checked; models in it are so already."""
    kind = schema.get("type")
    if kind in ("model", "definition-ref", "definitions"):
        return schema
    if kind in ("int", "float"):
        bounds: dict[str, float] = {} if {"le", "lt"} & schema.keys() else {"le": _bound(kind, name)}
        bounds |= {} if {"ge", "gt"} & schema.keys() else {"ge": -_bound(kind, name)}
        finite = {"allow_inf_nan": False} if kind == "float" else {}
        return core_schema.no_info_before_validator_function(_REFUSALS[kind], {**schema, **bounds, **finite})
    if kind == "bool":
        return {**schema, "strict": True}
    return {key: _checked_part(value, name) for key, value in schema.items()}


def _checked_part(value: Any, name: str) -> Any:
    if isinstance(value, dict) and isinstance(value.get("type"), str):
        return _checked(value, name)
    if isinstance(value, list):
        return [_checked_part(item, name) for item in value]
    if isinstance(value, tuple):
        return tuple(_checked_part(item, name) for item in value)
    return value


def _bound(kind: str, name: str) -> float:
    return int(largest(name)) if kind == "int" else largest(name)


def _refuse_other_kinds(error: str) -> Any:
    """Return what refuses truth values and texts, which pydantic would take for numbers, with an error of this type."""

    def refuse(value: Any) -> Any:
        if isinstance(value, bool | str | bytes):
            raise PydanticCustomError(error, "must be a number")  # worded by `messages`
        if error == "int_type" and isinstance(value, float) and value.is_integer():
            return int(value)  # pydantic itself calls large ones no numbers
        return value

    return refuse


_REFUSALS = {"int": _refuse_other_kinds("int_type"), "float": _refuse_other_kinds("float_type")}


class Checked(BaseModel):
    """A part of a configuration: unknown keys are refused, and nothing changes after the check.

    A number is finite, no truth value and no text, and at most what `LARGEST` has for its unit; true or false is no
    number.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return pydantic's schema of the class with the bounds and kinds of its numbers added."""
        schema = handler(source)
        for field in _fields(schema):
            for name, part in field.items():
                part["schema"] = _checked(part["schema"], name)
        return schema
