"""How long contacts take: the law that days which it has not seen like best, and how fast each rep is.

Room: `experiments.calibration.estimators`. Pure functions of arrays.
"""

import math

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter
from scipy import special

from envs.scenario.distributions import Duration, DurationDistribution
from experiments.calibration.estimates import HandleTimeEstimate, Law

FOLDS = 4
"""Parts of the days, each of which is held back in turn."""
POINTS = 32
"""Of a tabulated law."""
LEAST = 20
"""Contacts from which a law is fitted at least."""
ASSUMED_S = 300.0
"""Mean handle time where the log tells none."""
PRIOR_CONTACTS = 20.0
"""So many contacts of mean pace are added to each rep's own: a rep with few contacts is taken as about average."""
_LEAST_PROB = 1e-12
_ADAPTER: TypeAdapter[DurationDistribution] = TypeAdapter(Duration)
Floats = NDArray[np.float64]


def as_duration(law: Law) -> DurationDistribution:
    """Return the distribution that a law states."""
    return _ADAPTER.validate_python(dict(law))


def fit_lognormal(handle_s: Floats) -> Law:
    """Return the lognormal law of the sample's mean, with the coefficient of variation that belongs to the
    maximum-likelihood deviation of the logarithm: the body decides the shape, not the few longest contacts. Contacts
    below a second count as half a second in the logarithm."""
    deviation = float(np.log(np.maximum(handle_s, 0.5)).std())
    return {
        "distribution": "lognormal",
        "mean_s": float(handle_s.mean()),
        "cv": max(math.sqrt(math.expm1(deviation**2)), 1e-3),
    }


def fit_hyperexponential(handle_s: Floats, iterations: int = 500) -> Law:
    """Return the hyperexponential law of two phases, by the EM algorithm (Asmussen, Nerman and Olsson 1996, Scand. J.
    Statist. 23): each contact belongs to phase k with the chance p_k f_k(x) / Σ p_j f_j(x), and phases are refitted
    with these weights. Times are rounded to seconds, which keeps their number small."""
    times_s, counts = np.unique(np.maximum(np.round(handle_s), 0.5), return_counts=True)
    mean_s = float(handle_s.mean())
    prob, means = np.array([0.5, 0.5]), np.array([0.5 * mean_s, 1.5 * mean_s])
    for _ in range(iterations):
        log_density = np.log(prob) - np.log(means) - times_s[:, np.newaxis] / means
        belongs = np.exp(log_density - special.logsumexp(log_density, axis=1, keepdims=True)) * counts[:, np.newaxis]
        weight = belongs.sum(axis=0)
        before = means
        prob = np.clip(weight / len(handle_s), 1e-6, None)
        prob, means = prob / prob.sum(), np.maximum((belongs * times_s[:, np.newaxis]).sum(axis=0) / weight, 1e-3)
        if np.abs(means - before).max() < 1e-4 * mean_s:
            break
    first = round(float(prob[0]), 6)
    return {"distribution": "hyperexponential", "prob": [first, round(1.0 - first, 6)], "mean_s": means.tolist()}


def fit_tabulated(handle_s: Floats) -> Law:
    """Return the tabulated law through `POINTS` quantiles of the sample, with an exponential tail beyond the last, its
    times scaled so that its mean is that of the sample."""
    probs = np.arange(1, POINTS) / POINTS
    points, places = np.unique(np.quantile(handle_s, probs), return_index=True)
    later = probs[np.append(places[1:], len(probs)) - 1]  # of equal quantiles the last
    points, later = points[points > 0.0], later[points > 0.0]
    beyond = handle_s[handle_s > points[-1]] if len(points) else handle_s
    law = {
        "distribution": "tabulated",
        "time_s": [0.0, *points.tolist()],
        "survival_prob": [1.0, *(1.0 - later).tolist()],
        "tail_mean_s": max(float((beyond - points[-1]).mean()), 1.0) if len(beyond) else 1.0,
    }
    scale = float(handle_s.mean()) / as_duration(law).mean_duration_s
    return law | {"time_s": [scale * t for t in law["time_s"]], "tail_mean_s": scale * law["tail_mean_s"]}  # type: ignore


FITS = {"lognormal": fit_lognormal, "hyperexponential": fit_hyperexponential, "tabulated": fit_tabulated}


def log_likelihood(law: Law, handle_s: Floats) -> float:
    """Return the mean log-likelihood of times written in whole seconds, nats per contact: a time of s seconds stands
    for s − 0.5 to s + 0.5. No time counts as less likely than 1e-12."""
    duration = as_duration(law)
    low, high = np.maximum(handle_s - 0.5, 0.0), handle_s + 0.5
    prob = duration.survival_prob(low) - duration.survival_prob(high)
    return float(np.log(np.maximum(prob, _LEAST_PROB)).mean())


def estimate_handle_times(day: NDArray[np.int64], handle_s: Floats) -> HandleTimeEstimate:
    """Return the law of handle time, from contacts of `day` that took `handle_s`.

    Of the laws in `FITS` that one is taken under which the days held back are likeliest: of all days every `FOLDS`-th,
    in turn. With fewer than two days contacts are held back instead. Where fewer than `LEAST` contacts say what they
    took, the law is exponential, and of no likelihood: its mean is theirs, or `ASSUMED_S` where none does.
    """
    told = np.isfinite(handle_s)
    day, handle_s = day[told], handle_s[told]
    if len(handle_s) < LEAST or float(handle_s.mean()) <= 0.0:
        mean_s = float(handle_s.mean()) if len(handle_s) and float(handle_s.mean()) > 0.0 else ASSUMED_S
        text = f"The log has only {len(handle_s)} contacts with a handle time, too few for a law."
        return HandleTimeEstimate({"distribution": "exponential", "mean_s": mean_s}, {}, text)
    days, place = np.unique(day, return_inverse=True)
    fold = (place if len(days) > 1 else np.arange(len(handle_s))) % FOLDS
    likely = dict.fromkeys(FITS, 0.0)
    for held in np.unique(fold):
        for name, fit in FITS.items():
            share = float((fold == held).mean())
            likely[name] += share * log_likelihood(fit(handle_s[fold != held]), handle_s[fold == held])
    best = max(likely, key=likely.__getitem__)
    error_s = float(handle_s.std(ddof=1)) / math.sqrt(len(handle_s))
    scores = ", ".join(f"{name} {value:.4f}" for name, value in likely.items())
    return HandleTimeEstimate(
        FITS[best](handle_s),
        likely,
        f"{len(handle_s):,} contacts, mean {handle_s.mean():.1f} s (standard error {error_s:.1f}), cv "
        f"{handle_s.std() / handle_s.mean():.2f}; the likeliest law on days held back, nats per contact: {scores}",
    )


def rep_speeds(
    rep: NDArray[np.int64], channel: NDArray[np.int64], handle_s: Floats, n_reps: int, usual_s: Floats
) -> Floats:
    """Return the speed of each rep, float64 (n_reps,): what contacts of the same channels take as a rule, `usual_s` by
    channel, divided by what they took with that rep; 1 is usual.

    `PRIOR_CONTACTS` contacts of usual length are added, so a rep who is not in the log has speed 1.
    """
    told = np.isfinite(handle_s) & (rep >= 0)
    rep, channel, handle_s = rep[told], channel[told], handle_s[told]
    prior_s = PRIOR_CONTACTS * (float(usual_s[channel].mean()) if len(channel) else 1.0)
    return (np.bincount(rep, usual_s[channel], n_reps) + prior_s) / (np.bincount(rep, handle_s, n_reps) + prior_s)
