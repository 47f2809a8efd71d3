"""The scenario that the estimates make, as a mapping such as a scenario file holds.

Room: `experiments.calibration`. Pure; the one place that says what a calibrated scenario has.
"""

from typing import Any

from envs.configuration.document import as_document
from envs.interface.units import WEEKDAYS
from experiments.calibration.estimates import ChannelEstimate, Estimates
from experiments.calibration.sensitivity.assumptions import assume

SEGMENT = "customer"
"""The one segment of a calibrated scenario."""
_VALUE_CV = 2.0
_PICK_UP_CV = 0.6


def scenario_data(estimates: Estimates) -> dict[str, Any]:
    """Return the complete scenario, one week from Sunday, as plain data. Assumed numbers are those of
    `estimates.assumptions`, each at its path. Raises `ConfigurationError` where such a path leads nowhere."""
    value = dict(estimates.account_value or {"distribution": "lognormal", "mean_usd": None, "cv": _VALUE_CV})
    data: dict[str, Any] = {
        "name": estimates.name,
        "description": f"Calibrated from {len(estimates.days)} days of {estimates.source}.",
        "horizon": {"days": 7, "start_weekday": WEEKDAYS[0]},
        "segments": [{"name": SEGMENT, "share_frac": 1.0, "account_value": value}],
        "channels": [_channel_data(channel) for channel in estimates.channels],
        "groups": [dict(group) for group in estimates.staffing.groups],
    }
    rounded: dict[str, Any] = _rounded(assume(as_document(data), estimates.assumptions).data)
    return rounded


def _rounded(data: Any) -> Any:
    """Return plain data with its numbers to six digits that count: no log tells more."""
    if isinstance(data, dict):
        return {key: _rounded(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_rounded(value) for value in data]
    return float(f"{data:.6g}") if isinstance(data, float) else data


def _channel_data(channel: ChannelEstimate) -> dict[str, Any]:
    """Return one channel; what is assumed is left for `scenario_data`."""
    rates = channel.arrivals.rate_per_hour
    data: dict[str, Any] = {
        "name": channel.name,
        "kind": channel.kind,
        "arrivals": {
            "interval_s": channel.arrivals.interval_s,
            "rate_per_hour": {
                weekday: rates[position].round(3).tolist()
                for position, weekday in enumerate(WEEKDAYS)
                if rates[position].any()
            },
            "day_factor_cv": round(channel.arrivals.day_factor_cv, 4),
        },
        "handle_time": dict(channel.handle_time.law),
        "harm": {},
    }
    if channel.after_work is not None:
        data["after_work"] = dict(channel.after_work)
    if channel.patience is not None:
        data["patience"] = dict(channel.patience.law)
    if channel.redial is not None:
        data["redial"] = {"prob": round(channel.redial.prob, 4), "delay": dict(channel.redial.delay)}
    if channel.kind == "deferred":
        data |= {
            "due": {},
            "error": {},
            "interruptible": True,
            "pick_up": {"distribution": "lognormal", "mean_s": None, "cv": _PICK_UP_CV},
        }
    return data
