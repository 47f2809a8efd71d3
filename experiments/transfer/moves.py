"""Moves: a center of another size, load, mix of work, value of accounts, or profile of the day.

Room: `experiments.transfer`. Makes scenarios of scenarios; draws nothing but moves, from seeds of its own; touches no
file.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from envs.configuration.quantities import Checked
from envs.errors import ConfigurationError, InvalidValueError
from envs.scenario.customers import Arrivals
from envs.scenario.scenario import Scenario, load_scenario

Factor = Annotated[float, Field(gt=0, le=100)]
Data = dict[str, Any]


class Move(Checked):
    """How a center differs from its scenario; as it stands here, in nothing.

    Attributes:
        size_factor: of the reps of each group, rounded, one at least. Arrivals, the work that is there at the start,
            lines, places to wait and what a target or a floor costs that is missed follow the reps that come out, so
            that the load of a rep stays.
        load_factor: of arrivals, and of the work that is there at the start.
        mix_factors: of the same, by channel.
        value_factor: of the value of accounts.
        reversed_day: the rates of each day in their opposite order within the hours that have any: who called in the
            morning calls in the evening.
    """

    size_factor: Factor = 1.0
    load_factor: Factor = 1.0
    mix_factors: dict[str, Factor] = Field(default={})
    value_factor: Factor = 1.0
    reversed_day: bool = False


MOVES: dict[str, Move] = {
    "at_home": Move(),
    "half_size": Move(size_factor=0.5),
    "double_size": Move(size_factor=2.0),
    "more_load": Move(load_factor=1.2),
    "other_day": Move(reversed_day=True),
}
"""Moves by name, those that `blended transfer` makes if nobody says which."""


class RandomCenters(Checked):
    """Centers around a scenario, one for each episode: factors between two ends, evenly on a logarithmic scale.

    Attributes:
        size_factor, load_factor, value_factor: of the center, as in `Move`.
        mix_factor: of each channel by itself.
    """

    size_factor: tuple[Factor, Factor] = (0.5, 2.0)
    load_factor: tuple[Factor, Factor] = (0.9, 1.25)
    mix_factor: tuple[Factor, Factor] = (0.8, 1.25)
    value_factor: tuple[Factor, Factor] = (0.5, 2.0)

    @model_validator(mode="after")
    def _check(self) -> "RandomCenters":
        for key in type(self).model_fields:
            low, high = getattr(self, key)
            if low > high:
                raise InvalidValueError((key,), f"has ends {low:g} and {high:g}: the first must be <= the second")
        return self

    def draw(self, scenario: Scenario, seed: int, episode: int) -> Move:
        """Return the move of the center of `episode` under the demand seed `seed`: no draw of demand shares its
        stream."""
        generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(episode,)))

        def factor(ends: tuple[float, float]) -> float:
            low, high = ends
            return float(low * (high / low) ** generator.random())

        return Move(
            size_factor=factor(self.size_factor),
            load_factor=factor(self.load_factor),
            value_factor=factor(self.value_factor),
            mix_factors={channel.name: factor(self.mix_factor) for channel in scenario.channels},
        )


def moved(scenario: Scenario, move: Move, name: str | None = None) -> Scenario:
    """Return `scenario` after `move`, under its own name unless another is given.

    Raises:
        ConfigurationError: its customers are not drawn, but recorded or scripted, or a factor is of no channel of it.
    """
    for key in ("replay", "scripted_contacts"):
        if getattr(scenario, key):
            raise ConfigurationError(
                f"scenario {scenario.name}: {key}: only a center whose contacts are drawn can move"
            )
    unknown = set(move.mix_factors) - {channel.name for channel in scenario.channels}
    if unknown:
        raise ConfigurationError(f"mix_factors.{min(unknown)}: scenario {scenario.name} has no such channel")
    data: Data = scenario.model_dump(mode="json", exclude_unset=True)
    data["name"] = scenario.name if name is None else name
    size = _resize_groups(data["groups"], move.size_factor)
    for channel, stated in zip(data["channels"], scenario.channels, strict=True):
        factor = size * move.load_factor * move.mix_factors.get(stated.name, 1.0)
        if stated.arrivals is not None:
            channel["arrivals"]["rate_per_hour"] = _changed_rates(stated.arrivals, factor, move.reversed_day)
        _scale(channel.get("initial_backlog"), factor, "mean_contacts")
        _scale(channel, size, "offered_per_day")
        for key in ("lines", "waiting_limit"):
            if channel.get(key):
                channel[key] = max(_rounded(channel[key] * size), 1)
    for floor in [target for client in data.get("clients", ()) for target in client.get("targets", ())]:
        _scale(floor, size, "usd_per_point_day")
    _scale(data.get("fairness"), size, "usd_per_point_day")
    for segment in data.get("segments", ()):
        _scale(segment["account_value"], move.value_factor, "value_usd", "mean_usd", "max_usd", "low_usd", "high_usd")
    return load_scenario(data)


def _rounded(number: float) -> int:
    """Return the nearest whole number, the larger one of two."""
    return math.floor(number + 0.5)


def _scale(part: Data | None, factor: float, *keys: str) -> None:
    """Multiply what stands under `keys` of a part of a scenario."""
    for key in keys:
        if part is not None and part.get(key) is not None:
            part[key] *= factor


def _resize_groups(groups: list[Data], factor: float) -> float:
    """Give every group its new number of reps, and return by which factor there are more of all."""
    before = sum(group["count"] for group in groups)
    for group in groups:
        old, new = group["count"], max(_rounded(group["count"] * factor), 1)
        group["count"] = new
        if isinstance(group.get("home_channel"), Mapping):
            group["home_channel"] = _share_out(group["home_channel"], new)
        for shift in group.get("shifts") or ():
            for pause in shift.get("breaks", ()):
                if pause.get("stagger_s"):  # the last one goes when the last one went
                    pause["stagger_s"] *= max(old - 1, 0) / max(new - 1, 1)
    return sum(group["count"] for group in groups) / before


def _share_out(counts: Mapping[str, int], total: int) -> dict[str, int]:
    """Return shares of `total` in proportion to `counts`, by the largest remainder; what has none is left out."""
    exact = {name: count * total / sum(counts.values()) for name, count in counts.items()}
    shares = {name: math.floor(share) for name, share in exact.items()}
    by_remainder = sorted(exact, key=lambda name: shares[name] - exact[name])
    for name in by_remainder[: total - sum(shares.values())]:
        shares[name] += 1
    return {name: share for name, share in shares.items() if share}


def _changed_rates(arrivals: Arrivals, factor: float, is_reversed: bool) -> Any:
    """Return the rates times `factor`, in the form in which they are stated; if `is_reversed`, each day's in their
    opposite order within the hours that have any."""

    def day(rates: Sequence[float]) -> list[float]:
        places = [place for place, rate in enumerate(rates) if rate]
        turned = dict(zip(places, reversed(places), strict=True)) if is_reversed else {}
        return [rates[turned.get(place, place)] * factor for place in range(len(rates))]

    rates = arrivals.rate_per_hour
    if isinstance(rates, dict):
        return {weekday: day(of_day) for weekday, of_day in rates.items()}
    return day(rates) if isinstance(rates, tuple) else rates * factor


def choose_moves(names: Sequence[str] | None = None) -> dict[str, Move]:
    """Return the moves of these names, all if none are given; raises `ConfigurationError` for another name."""
    chosen = tuple(MOVES) if names is None else tuple(name.strip() for name in names)
    for name in chosen:
        if name not in MOVES:
            raise ConfigurationError(f"move = {name!r}: must be one of {', '.join(MOVES)}")
    return {name: MOVES[name] for name in chosen}
