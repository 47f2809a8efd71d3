"""Random small centers with every row of the domain, as hypothesis draws them."""

from typing import Any

from hypothesis import strategies as st

from envs.scenario.scenario import Scenario

minutes = st.integers(0, 40).map(lambda count: 60 * count)
"""Durations on a grid, so that several events often fall on the same second."""


def durations(mean_s: int) -> st.SearchStrategy[Any]:
    """Return a strategy for distributions with about this mean."""
    return st.one_of(
        st.sampled_from([mean_s, 60 * (mean_s // 60 + 1), 0.1 * mean_s]),
        st.just({"distribution": "exponential", "mean_s": mean_s}),
        st.builds(lambda cv: {"distribution": "lognormal", "mean_s": mean_s, "cv": cv}, st.sampled_from([0.3, 1.5])),
        st.builds(
            lambda shape: {"distribution": "weibull", "mean_s": mean_s, "shape": shape},
            st.sampled_from([0.7, 2.0]),
        ),
        st.just({"distribution": "hyperexponential", "prob": [0.7, 0.3], "mean_s": [mean_s / 2, mean_s * 2]}),
    )


probabilities = st.sampled_from([0.0, 0.2, 0.9, 1.0])
prices = st.sampled_from([0.0, 1.0, 30.0])


@st.composite
def harms(draw) -> dict[str, float]:
    names = (
        "abandonment_prob",
        "blocked_prob",
        "wait_prob_per_min",
        "late_prob",
        "late_prob_per_hour",
        "error_prob",
        "unresolved_prob",
    )
    return {name: draw(probabilities) for name in names}


@st.composite
def outcomes(draw, names: list[str], deferred: list[str]) -> dict[str, Any]:
    """Return what may follow a contact: a follow-up, a return, an escalation."""
    outcomes = {}
    if draw(st.booleans()):
        outcomes["follow_up"] = {
            "prob": draw(st.sampled_from([0.2, 0.9])),
            "after": draw(durations(600)),
            "window_s": draw(st.sampled_from([60, 1800])),
            "to": draw(st.just(deferred[0])),
            "work_frac": draw(st.sampled_from([0.5, 1.5])),
        }
    if draw(st.booleans()):
        to = st.sampled_from(names)
        outcomes["resolution"] = {"prob": draw(st.sampled_from([0.0, 0.6, 1.0]))}
        if draw(st.booleans()):
            outcomes["resolution"]["returns"] = {
                "prob": 0.5,
                "after": draw(st.one_of(st.just(0), durations(300))),
                "to": draw(to),
                "new_work": draw(st.booleans()),
            }
        if draw(st.booleans()):
            work = draw(st.sampled_from([{"work_frac": 0.5}, {"new_work": True}]))
            outcomes["resolution"]["escalates"] = {"prob": 0.4, "to": draw(to)} | work
    return outcomes


@st.composite
def channels(draw, kind: str, number: int, names: list[str], deferred: list[str]) -> dict[str, Any]:
    is_deferred_to = number == 0  # follow-ups, callbacks and rework go to the first deferred channel
    channel = draw(outcomes(names, deferred)) | {
        "name": f"{kind}_{number}",
        "kind": kind,
        "handle_time": draw(durations(draw(st.sampled_from([60, 240] if kind == "real_time" else [300, 1200])))),
        "arrivals": {
            "rate_per_hour": draw(st.sampled_from([0.0, 10.0, 30.0] if kind == "real_time" else [3.0, 10.0])),
            "day_factor_cv": draw(st.sampled_from([0.0, 0.3])),
        },
        "harm": draw(harms()),
        "costs": {
            key: draw(prices)
            for key in (
                "abandonment_usd",
                "blocked_usd",
                "late_usd",
                "error_usd",
                "unresolved_usd",
                "holding_usd_per_hour",
                "waiting_usd_per_hour",
            )
        },
        # Not 1: rework without delay would then be done over and over in the same second.
        "error": {"prob": draw(st.sampled_from([0.0, 0.2, 0.9])), "per_interruption_prob": draw(probabilities)},
        "lines": draw(st.sampled_from([None, None, None, 4])),
        "waiting_limit": draw(st.sampled_from([None, None, None, None, 0, 3])),
    }
    if draw(st.booleans()):
        channel["error"]["rework"] = {
            "to": draw(st.just(deferred[0])),
            "delay_s": draw(st.sampled_from([0, 300, 1000.5])),
            "work_frac": draw(st.sampled_from([0.25, 1.0])),
        }
    if kind == "real_time":
        if draw(st.booleans()):
            channel["concurrency"] = {"units": draw(st.integers(1, 2)), "speed_frac": [1.0, 0.75, 0.75, 0.25]}
        elif draw(st.booleans()):
            channel["after_work"] = draw(durations(draw(st.sampled_from([30, 200]))))
        channel["patience"] = draw(st.one_of(st.none(), durations(draw(st.sampled_from([20, 180, 900])))))
        channel["service_level_threshold_s"] = draw(st.sampled_from([0, 20, 60]))
        if draw(st.booleans()):
            channel["redial"] = {"prob": draw(probabilities), "delay": draw(durations(300))}
        if draw(st.booleans()):
            channel["callback_offer"] = {
                "to": draw(st.just(deferred[0])),
                "accept_prob": draw(probabilities),
                "approval_delay_s": draw(st.sampled_from([0, 0, 400])),
                "refusal_prob": draw(st.sampled_from([0.0, 0.3])),
            }
        return channel
    business = {"clock": "business", "after_s": 900, "opens_after_s": 200}
    channel["due"] = draw(st.sampled_from([None, {"after_s": 600}, {"after_s": 3600.5}, business]))
    channel["promised"] = draw(st.booleans())
    channel["after_work"] = draw(st.one_of(st.none(), durations(120)))
    if draw(st.integers(0, 5)) == 0 and not is_deferred_to:
        channel["promised"] = False
        channel["due"] = {"hidden_after": draw(durations(900))}
    channel["costs"]["overdue_waiting_usd_per_hour"] = draw(prices)
    channel["interruptible"] = draw(st.sampled_from([True, True, False]))
    if channel["interruptible"]:
        channel["pick_up"] = draw(durations(draw(st.sampled_from([60, 300]))))
        channel["pick_up_mode"] = draw(st.sampled_from(["restart", "accumulate"]))
        channel["pick_up_by_others"] = draw(st.one_of(st.none(), durations(120)))
    elif "hidden_after" not in (channel["due"] or {}) and draw(st.booleans()):
        channel["reach"] = {
            "prob": draw(st.sampled_from([0.1, 0.6, 1.0, [0.2, 0.9, 0.5] * 8])),
            "attempt_s": draw(st.sampled_from([0, 60])),
            "retry_after_s": draw(st.sampled_from([60, 700.5])),
            "max_attempts": draw(st.integers(1, 3)),
        }
    if "reach" not in channel and channel["due"] is not None and draw(st.booleans()):
        channel["due"] = channel["due"] | {"met_by": "start"}
    elif draw(st.integers(0, 3)) == 0 and channel["due"] is not None:
        channel["collection"] = {"amount_owed": 400, "pay_prob": 0.5, "recovery_frac": 0.5, "commission_frac": 0.2}
    if draw(st.integers(0, 5)) == 0 and not is_deferred_to:
        for key in ("arrivals", "due", "lines", "waiting_limit"):
            channel.pop(key)
        return channel | {"supply": "unlimited", "offered_per_day": 20}
    if draw(st.booleans()):
        channel["initial_backlog"] = {"mean_contacts": 3, "max_age_s": draw(st.sampled_from([0, 7200]))}
    return channel


@st.composite
def shifts(draw, *, early: bool) -> list[dict[str, Any]] | None:
    """Return nothing (always there), or one or two shifts of the first hours after midnight."""
    clock = "{:02d}:{:02d}".format
    if draw(st.booleans()):
        return None
    first = draw(st.integers(0, 2 if early else 4))  # in quarters: within the shortest horizon
    length = draw(st.integers(1, 6))
    spans = [
        {"start": clock(first // 4, first % 4 * 15), "end": clock((first + length) // 4, (first + length) % 4 * 15)}
    ]
    if draw(st.booleans()):
        again = first + length + draw(st.integers(0, 1))
        spans.append({"start": clock(again // 4, again % 4 * 15), "end": "03:00"})
    if draw(st.booleans()):
        pause = first * 900 + draw(st.sampled_from([60, 300]))
        breaks = [{"start": clock(pause // 3600, pause // 60 % 60), "length_s": 240, "stagger_s": 60}]
        spans[0]["breaks"] = breaks
    return spans


@st.composite
def clients(draw, names: list[str]) -> list[dict[str, Any]]:
    """Return nobody, or one client with a target for the first of its channels."""
    if draw(st.booleans()):
        return []
    channels = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    targets = [{"channel": channels[0], "at_least_frac": 0.9, "usd_per_point_day": draw(prices)}]
    return [{"name": "a", "channels": channels, "fee_usd": draw(prices), "technology_usd": 0.5, "targets": targets}]


@st.composite
def scenarios(draw) -> Scenario:
    """Return a small center over one to three hours from midnight on."""
    deferred = [f"deferred_{i}" for i in range(draw(st.integers(1, 3)))]
    real_time = [f"real_time_{i}" for i in range(draw(st.integers(1, 2)))]
    names = [*real_time, *deferred]
    groups = []
    for i in range(draw(st.integers(1, 3))):
        skills = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
        if i == 0:  # so that every channel has somebody
            skills = names if draw(st.booleans()) else skills
        groups.append({"name": f"group_{i}", "count": draw(st.integers(1, 2)), "skills": skills})
        groups[-1]["shifts"] = draw(shifts(early=i == 0))
        groups[-1]["absence_prob"] = draw(st.sampled_from([0.0, 0.0, 0.5])) if groups[-1]["shifts"] else 0.0
        groups[-1]["proficiency"] = {skills[0]: {"speed": draw(st.sampled_from([0.5, 1.0, 3.0])), "resolution": 0.7}}
    groups[0]["skills"] = list(dict.fromkeys(groups[0]["skills"] + names)) if len(groups) == 1 else groups[0]["skills"]
    served = {skill for group in groups for skill in group["skills"]}
    groups[0]["skills"] = [*groups[0]["skills"], *[name for name in names if name not in served]]
    if draw(st.booleans()):
        groups[0]["home_channel"] = groups[0]["skills"][0]
    drawn = [draw(channels("real_time", i, names, deferred)) for i in range(len(real_time))]
    drawn += [draw(channels("deferred", i, names, deferred)) for i in range(len(deferred))]
    shared = [channel["name"] for channel in drawn if "concurrency" in channel]
    for group in groups:
        if set(shared) & set(group["skills"]):
            group["capacity_units"] = draw(st.integers(2, 4))
    listed = {channel["name"] for channel in drawn if "supply" not in channel}
    horizon_days = draw(st.sampled_from([0.05, 0.08, 0.125]))
    contacts = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "channel": st.sampled_from(sorted(listed)),
                    "at_s": minutes,
                    "handle_time": st.one_of(minutes, st.sampled_from([0, 0.1, 0.7])),
                    "account_value": st.sampled_from([0, 500, 500, 1_000_000]),
                    "at_risk_prob": probabilities,
                }
            ),
            max_size=6,
        )
    )
    bands = draw(st.sampled_from([[], [1000], [1000, 20_000, 100_000]]))
    return Scenario.model_validate(
        {
            "name": "random",
            "horizon": {"days": horizon_days, "start_weekday": draw(st.sampled_from(["sunday", "friday"]))},
            "channels": drawn,
            "business_hours": [{"start": "00:20", "end": "01:10"}],
            "clients": draw(clients(names)),
            "fairness": draw(st.sampled_from([None, {"floor_frac": 0.9, "usd_per_point_day": 2}])) if bands else None,
            "groups": groups,
            "segments": [
                {
                    "name": "small",
                    "share_frac": 0.8,
                    "account_value": 500,
                    "at_risk_prob": 0.1,
                    "preferred_rep_prob": draw(st.sampled_from([0.0, 0.5])),
                },
                {
                    "name": "large",
                    "share_frac": 0.2,
                    "account_value": {"distribution": "lognormal", "mean_usd": 50_000, "cv": 1.0},
                },
            ],
            "scripted_contacts": contacts,
            "churn": {
                "mode": draw(st.sampled_from(["expectation", "sampled"])),
                "at_risk_multiplier": draw(st.sampled_from([1, 5])),
            },
            "costs": {
                key: draw(prices)
                for key in ("interruption_usd", "pick_up_usd_per_hour", "callback_usd", "overtime_usd_per_hour")
            },
            "preferred_rep": {"speed": 1.5, "resolution": 1.2},
            "value_bands_usd": bands,
            "service_level": {
                "abandoned_within_threshold": draw(st.sampled_from(["counted", "left_out"])),
                "short_abandon_s": draw(st.sampled_from([None, 0, 30])),
            },
            "suspended_limit": draw(st.sampled_from([3, 2, 1, 0])),
            "suspended_work": draw(st.sampled_from(["own", "pooled"])),
            "review": draw(st.sampled_from(["on_change", "every_event"])),
            "review_interval_s": draw(st.sampled_from([30, 120, 600])),
            "observation": draw(st.sampled_from(["full", "markov"])),
            "terminal_charge": draw(st.sampled_from(["expected", "none"])),
            "census_at_s": draw(st.lists(minutes.filter(bool), max_size=3, unique=True).map(sorted)),
        }
    )
