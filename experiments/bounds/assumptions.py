"""What a proof assumes of a scenario: the keys that it knows, and arrivals of one rate.

Room: `experiments.bounds`. Reads a scenario. The proofs and laws of other rooms state their assumptions by it as well.

A proof lists the keys of each part of a scenario that it has thought of. Whatever else a scenario states, such as a key
that is new, is found by `unknown_keys`, so that no proof passes over it in silence.
"""

from collections.abc import Iterator, Mapping, Set
from typing import Any, NamedTuple

from envs.configuration.messages import KeyPath
from envs.interface.units import WEEKDAYS
from envs.scenario.customers import Arrivals
from envs.scenario.parts import Part
from envs.scenario.scenario import Scenario


class Keys(NamedTuple):
    """The keys of one part of a scenario that a proof knows.

    Attributes:
        read: those that it looks at: it reckons with them, or refuses some of their values by itself. Parts that they
            hold are looked through in their turn.
        harmless: those that leave it right whatever they state, and whatever the parts state that they hold.
    """

    read: Set[str] = frozenset()
    harmless: Set[str] = frozenset()


KnownKeys = Mapping[type[Part], Keys]
"""What a proof knows, by the kind of part; of a kind that is missing it knows no key."""


def unknown_keys(part: Part, known: KnownKeys) -> Iterator[KeyPath]:
    """Yield the path of each key at `part` or below it that is not `known` and does not have its default."""
    keys = next((known[kind] for kind in type(part).__mro__ if kind in known), Keys())
    for key, field in type(part).model_fields.items():
        value = getattr(part, key)
        if key in keys.read:
            for path, below in _parts_in(value, (key,)):
                yield from ((*path, *rest) for rest in unknown_keys(below, known))
        elif key not in keys.harmless and value != field.get_default(call_default_factory=True):
            yield (key,)


def _parts_in(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Part]]:
    """Yield the parts that a value is or holds, each with its path."""
    if isinstance(value, Part):
        yield path, value
    elif isinstance(value, tuple | dict):
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _parts_in(item, (*path, step))


def key_text(scenario: Scenario, path: KeyPath) -> str:
    """Return where a key stands, in words: `harm.late_prob of channel email`."""
    if len(path) > 2 and isinstance(path[1], int):
        item = getattr(scenario, str(path[0]))[path[1]]
        kind = str(path[0]).removesuffix("s").replace("_", " ")
        return f"{'.'.join(map(str, path[2:]))} of {kind} {getattr(item, 'name', path[1])}"
    return ".".join(map(str, path))


def constant_rate_per_hour(arrivals: Arrivals | None) -> float | None:
    """Return the rate of arrivals that is the same all week, 0 without any arrivals; None where rates vary. A factor of
    the day (`day_factor_cv`) is not looked at."""
    if arrivals is None:
        return 0.0
    rates = {rate for weekday in WEEKDAYS for rate in arrivals.rates_on(weekday)}
    return rates.pop() if len(rates) == 1 else None
