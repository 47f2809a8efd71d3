"""Distributions of durations and of account values: specification, sampling, and tables for the kernel.

Room: `envs.scenario`. Touches numpy and scipy only. A duration is in seconds, a value in USD.

Every duration distribution knows its mean, its survival function and its quantile function; from these come
* samples (`sample`), drawn with a numpy `Generator`;
* a quantile table (`quantile_table`) with which the kernel turns a uniform number into a duration;
* the mean residual time E[X - t | X > t] (`mean_residual_s`), which is all that a router may know of a running job.
"""

import math
from abc import abstractmethod
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, ConfigDict, Field, model_validator
from scipy import integrate, special

from envs.configuration.quantities import Checked
from envs.interface.units import CELLS, OCTAVES

Floats = NDArray[np.float64]
_LARGEST_PROB = float(np.nextafter(1.0, 0.0))


class DurationDistribution(Checked):
    """Law of a duration in seconds."""

    @property
    @abstractmethod
    def mean_duration_s(self) -> float:
        """Mean in seconds."""

    @abstractmethod
    def quantile_s(self, probability: Floats) -> Floats:
        """Return the quantiles, seconds, at `probability` in [0, 1)."""

    @abstractmethod
    def survival_prob(self, duration_s: Floats) -> Floats:
        """Return P(X > t) at each t in seconds."""

    def sample(self, generator: np.random.Generator, count: int) -> Floats:
        """Return `count` independent durations in seconds, by inversion: one uniform number each."""
        return self.quantile_s(generator.random(count))

    def sample_longer_than(self, generator: np.random.Generator, least_s: Floats) -> Floats:
        """Return a duration X in seconds for each w = `least_s`, drawn given that X > w; one uniform number u each.

        By inversion of P(X <= t | X > w): the quantile at F(w) + u (1 - F(w)). Where the law has X > w as impossible
        (or less likely than 1e-16, the resolution of a probability near 1), it is w itself.
        """
        probability = 1.0 - self.survival_prob(least_s) * (1.0 - generator.random(len(least_s)))
        return np.maximum(self.quantile_s(np.minimum(probability, _LARGEST_PROB)), least_s)

    def mean_residual_s(self, elapsed_s: Floats) -> Floats:
        """Return E[X - t | X > t] in seconds at each t = `elapsed_s`, 0 where nothing survives.

        The integral of the survival function from t on, divided by the survival at t, by Simpson's rule on the
        quantile scale up to the 1 - 1e-9 quantile.
        """
        residual = np.zeros_like(elapsed_s)
        end = float(self.quantile_s(np.array([1.0 - 1e-9]))[0])
        for i, start in enumerate(elapsed_s):
            alive = float(self.survival_prob(np.array([start]))[0])
            if alive <= 1e-9 or start >= end:
                residual[i] = residual[i - 1] if i else self.mean_duration_s
                continue
            grid = start + (end - start) * np.linspace(0.0, 1.0, 2049) ** 3
            residual[i] = integrate.simpson(self.survival_prob(grid), x=grid) / alive
        return residual


class Fixed(DurationDistribution):
    """Always the same duration."""

    distribution: Literal["fixed"] = "fixed"
    value_s: float = Field(ge=0)

    @property
    def mean_duration_s(self) -> float:
        return self.value_s

    def quantile_s(self, probability: Floats) -> Floats:
        return np.full_like(probability, self.value_s)

    def survival_prob(self, duration_s: Floats) -> Floats:
        return (duration_s < self.value_s).astype(np.float64)

    def mean_residual_s(self, elapsed_s: Floats) -> Floats:
        return np.maximum(self.value_s - elapsed_s, 0.0)


class Exponential(DurationDistribution):
    """Exponential distribution: memoryless."""

    distribution: Literal["exponential"]
    mean_s: float = Field(gt=0)

    @property
    def mean_duration_s(self) -> float:
        return self.mean_s

    def quantile_s(self, probability: Floats) -> Floats:
        return -self.mean_s * np.log1p(-probability)

    def survival_prob(self, duration_s: Floats) -> Floats:
        return np.exp(-duration_s / self.mean_s)

    def mean_residual_s(self, elapsed_s: Floats) -> Floats:
        return np.full_like(elapsed_s, self.mean_s)


class Lognormal(DurationDistribution):
    """Lognormal distribution with the given mean and coefficient of variation."""

    distribution: Literal["lognormal"]
    mean_s: float = Field(gt=0)
    cv: float = Field(gt=0)

    @property
    def mean_duration_s(self) -> float:
        return self.mean_s

    @property
    def _log_moments(self) -> tuple[float, float]:
        sigma = math.sqrt(math.log1p(self.cv**2))
        return math.log(self.mean_s) - 0.5 * sigma**2, sigma

    def quantile_s(self, probability: Floats) -> Floats:
        mu, sigma = self._log_moments
        return np.exp(mu + sigma * special.ndtri(probability))

    def survival_prob(self, duration_s: Floats) -> Floats:
        mu, sigma = self._log_moments
        with np.errstate(divide="ignore"):
            return special.ndtr((mu - np.log(duration_s)) / sigma)

    def sample(self, generator: np.random.Generator, count: int) -> Floats:
        mu, sigma = self._log_moments
        return np.exp(mu + sigma * generator.standard_normal(count))


class Weibull(DurationDistribution):
    """Weibull distribution with the given mean and shape; shape < 1 has a falling hazard."""

    distribution: Literal["weibull"]
    mean_s: float = Field(gt=0)
    shape: float = Field(ge=0.05, le=100)

    @property
    def mean_duration_s(self) -> float:
        return self.mean_s

    @property
    def _scale_s(self) -> float:
        return self.mean_s / math.gamma(1.0 + 1.0 / self.shape)

    def quantile_s(self, probability: Floats) -> Floats:
        return self._scale_s * (-np.log1p(-probability)) ** (1.0 / self.shape)

    def survival_prob(self, duration_s: Floats) -> Floats:
        return np.exp(-((duration_s / self._scale_s) ** self.shape))


class Hyperexponential(DurationDistribution):
    """Mixture of exponentials: phase i with probability `prob[i]` and mean `mean_s[i]`."""

    distribution: Literal["hyperexponential"]
    prob: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(min_length=1)
    mean_s: tuple[Annotated[float, Field(gt=0)], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> "Hyperexponential":
        if len(self.prob) != len(self.mean_s):
            raise ValueError(f"prob has {len(self.prob)} entries and mean_s {len(self.mean_s)}: must be as many")
        if abs(sum(self.prob) - 1.0) > 1e-9:
            raise ValueError(f"prob sums to {sum(self.prob):g}: must sum to 1")
        return self

    @property
    def mean_duration_s(self) -> float:
        return float(np.dot(self.prob, self.mean_s))

    def survival_prob(self, duration_s: Floats) -> Floats:
        alive = np.zeros_like(duration_s)
        for prob, mean_s in zip(self.prob, self.mean_s, strict=True):
            alive = alive + prob * np.exp(-duration_s / mean_s)
        return alive

    def quantile_s(self, probability: Floats) -> Floats:
        low = np.zeros_like(probability)
        high = -max(self.mean_s) * np.log1p(-probability)
        for _ in range(80):  # bisection: the survival function has no closed inverse
            middle = 0.5 * (low + high)
            early = self.survival_prob(middle) > 1.0 - probability
            low, high = np.where(early, middle, low), np.where(early, high, middle)
        return 0.5 * (low + high)

    def sample(self, generator: np.random.Generator, count: int) -> Floats:
        phase = generator.choice(len(self.prob), size=count, p=np.array(self.prob))
        return np.array(self.mean_s)[phase] * generator.standard_exponential(count)


class Tabulated(DurationDistribution):
    """A survival curve from data, linear between its points, exponential with mean `tail_mean_s` beyond the last."""

    distribution: Literal["tabulated"]
    time_s: tuple[Annotated[float, Field(ge=0)], ...] = Field(min_length=2)
    survival_prob_at: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(min_length=2, alias="survival_prob")
    tail_mean_s: float = Field(gt=0)

    model_config = ConfigDict(populate_by_name=True)

    @model_validator(mode="after")
    def _check(self) -> "Tabulated":
        if len(self.time_s) != len(self.survival_prob_at):
            raise ValueError(
                f"time_s has {len(self.time_s)} entries and survival_prob {len(self.survival_prob_at)}: must be as many"
            )
        if self.time_s[0] != 0 or self.survival_prob_at[0] != 1:
            raise ValueError("the first point must be time 0 seconds with survival 1")
        if any(b <= a for a, b in zip(self.time_s, self.time_s[1:], strict=False)):
            raise ValueError("time_s must increase")
        if any(b > a for a, b in zip(self.survival_prob_at, self.survival_prob_at[1:], strict=False)):
            raise ValueError("survival_prob must not increase")
        return self

    @property
    def mean_duration_s(self) -> float:
        body = float(np.trapezoid(self.survival_prob_at, self.time_s))
        return body + self.survival_prob_at[-1] * self.tail_mean_s

    def survival_prob(self, duration_s: Floats) -> Floats:
        last_s, last_prob = self.time_s[-1], self.survival_prob_at[-1]
        body = np.interp(duration_s, self.time_s, self.survival_prob_at)
        tail = last_prob * np.exp(-np.maximum(duration_s - last_s, 0.0) / self.tail_mean_s)
        return np.where(duration_s <= last_s, body, tail)

    def quantile_s(self, probability: Floats) -> Floats:
        alive = 1.0 - probability
        last_s, last_prob = self.time_s[-1], self.survival_prob_at[-1]
        rising = np.array(self.survival_prob_at[::-1])
        body = np.interp(alive, rising, np.array(self.time_s[::-1]))
        if last_prob == 0.0:
            return body
        tail = last_s - self.tail_mean_s * np.log(np.minimum(alive / last_prob, 1.0))
        return np.where(alive >= last_prob, body, tail)


def _read_duration(value: Any) -> Any:
    """A plain number stands for a fixed duration in seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"distribution": "fixed", "value_s": value}
    return value


Duration = Annotated[
    Annotated[
        Fixed | Exponential | Lognormal | Weibull | Hyperexponential | Tabulated, Field(discriminator="distribution")
    ],
    BeforeValidator(_read_duration),
]
"""A duration in a scenario: a number of seconds, or a mapping with `distribution:` and its parameters."""


def tabulate_quantiles(law: DurationDistribution | None) -> Floats:
    """Return the quantile table [OCTAVES, CELLS + 1], seconds, of `law` (all zeros for None).

    Column j of row k is the quantile at 1 - 2^-k + 2^-(k+1) j / CELLS. Octaves keep the tail exact without a logarithm
    in the kernel. Within a cell the kernel interpolates linearly.
    """
    if law is None:
        return np.zeros((OCTAVES, CELLS + 1))
    octave = np.arange(OCTAVES, dtype=np.float64)[:, None]
    cell = np.arange(CELLS + 1, dtype=np.float64)[None, :]
    return law.quantile_s(1.0 - 2.0**-octave + 2.0 ** -(octave + 1.0) * cell / CELLS)


class ValueDistribution(Checked):
    """Law of an account value in USD."""

    @abstractmethod
    def sample(self, generator: np.random.Generator, count: int) -> Floats:
        """Return `count` independent values in USD."""

    @property
    @abstractmethod
    def mean_value_usd(self) -> float:
        """Mean in USD."""


class FixedValue(ValueDistribution):
    """Always the same account value."""

    distribution: Literal["fixed"] = "fixed"
    value_usd: float = Field(ge=0)

    @property
    def mean_value_usd(self) -> float:
        return self.value_usd

    def sample(self, generator: np.random.Generator, count: int) -> Floats:
        return np.full(count, self.value_usd)


class LognormalValue(ValueDistribution):
    """Lognormal account value with the given mean and coefficient of variation, cut off at `max_usd`."""

    distribution: Literal["lognormal"]
    mean_usd: float = Field(gt=0)
    cv: float = Field(gt=0)
    max_usd: float = Field(default=1e9, gt=0)

    @property
    def _log_moments(self) -> tuple[float, float]:
        sigma = math.sqrt(math.log1p(self.cv**2))
        return math.log(self.mean_usd) - 0.5 * sigma**2, sigma

    @property
    def mean_value_usd(self) -> float:
        """Mean of min(X, max): E[X; X < m] + m P(X >= m), closed form of the lognormal's partial expectation."""
        mu, sigma = self._log_moments
        z = (math.log(self.max_usd) - mu) / sigma
        return float(self.mean_usd * special.ndtr(z - sigma) + self.max_usd * special.ndtr(-z))

    def sample(self, generator: np.random.Generator, count: int) -> Floats:
        mu, sigma = self._log_moments
        return np.minimum(np.exp(mu + sigma * generator.standard_normal(count)), self.max_usd)


class LogUniformValue(ValueDistribution):
    """Account value whose logarithm is uniform between `low_usd` and `high_usd`."""

    distribution: Literal["log_uniform"]
    low_usd: float = Field(gt=0)
    high_usd: float = Field(gt=0)

    @model_validator(mode="after")
    def _check(self) -> "LogUniformValue":
        if self.high_usd <= self.low_usd:
            raise ValueError(f"high_usd = {self.high_usd:g}: must be > low_usd = {self.low_usd:g} USD")
        return self

    @property
    def mean_value_usd(self) -> float:
        return (self.high_usd - self.low_usd) / math.log(self.high_usd / self.low_usd)

    def sample(self, generator: np.random.Generator, count: int) -> Floats:
        low, high = math.log(self.low_usd), math.log(self.high_usd)
        return np.exp(low + (high - low) * generator.random(count))


def _read_value(value: Any) -> Any:
    """A plain number stands for a fixed value in USD."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"distribution": "fixed", "value_usd": value}
    return value


AccountValue = Annotated[
    Annotated[FixedValue | LognormalValue | LogUniformValue, Field(discriminator="distribution")],
    BeforeValidator(_read_value),
]
"""An account value in a scenario: a number of USD, or a mapping with `distribution:` and its parameters."""
