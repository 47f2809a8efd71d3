"""What the proof of the bound per episode has thought of: every key of a scenario that it knows.

Room: `experiments.bounds`. A table: it is read by line, not from top to bottom. A key that is new is missing here until
somebody has seen to it that `experiments.bounds.clairvoyant_bound` stays below every routing with it (docs/bound.md).
"""

from envs.scenario.agreements import Client, Costs, Fairness, ServiceLevel, Target
from envs.scenario.channel import Channel, ChannelCosts, Collection, Concurrency, Due, Harm, Reach
from envs.scenario.customers import Arrivals, Churn, InitialBacklog, PreferredRep, Replay, ScriptedContact, Segment
from envs.scenario.outcomes import CallbackOffer, Error, Escalation, FollowUp, Redial, Resolution, Return, Rework
from envs.scenario.parts import Horizon
from envs.scenario.scenario import Scenario
from envs.scenario.staff import Break, Group, OpeningHours, Proficiency, Shift
from experiments.bounds.assumptions import Keys, KnownKeys

KNOWN_KEYS: KnownKeys = {
    Horizon: Keys({"days", "start_weekday", "warm_up_days"}),
    Segment: Keys({"name", "share_frac", "account_value", "at_risk_prob", "preferred_rep_prob"}),
    PreferredRep: Keys({"speed", "resolution"}),
    Arrivals: Keys({"interval_s", "rate_per_hour", "day_factor_cv"}),
    InitialBacklog: Keys({"mean_contacts", "max_age_s"}),
    ScriptedContact: Keys(
        {
            "channel", "at_s", "handle_time", "patience", "account_value", "at_risk_prob", "preferred_rep",
            "amount_owed",
        }
    ),
    Replay: Keys({"file", "order", "date_format", "time_format"}),
    Churn: Keys({"mode", "at_risk_multiplier"}),
    Redial: Keys({"prob", "delay"}),
    CallbackOffer: Keys({"to", "accept_prob", "approval_delay_s", "refusal_prob"}),
    FollowUp: Keys({"prob", "after", "window_s", "to", "work_frac"}),
    Return: Keys({"prob", "after", "to", "work_frac", "new_work"}),
    Escalation: Keys({"prob", "to", "work_frac", "new_work"}),
    Resolution: Keys({"prob", "returns", "escalates"}),
    Rework: Keys({"to", "delay_s", "work_frac"}),
    Error: Keys({"prob", "per_interruption_prob", "rework"}),
    Due: Keys({"clock", "after_s", "hidden_after", "met_by", "opens_after_s"}),
    Reach: Keys({"prob", "attempt_s", "retry_after_s", "max_attempts"}),
    Collection: Keys({"amount_owed", "pay_prob", "recovery_frac", "commission_frac"}),
    Concurrency: Keys({"units", "speed_frac"}),
    Harm: Keys(
        {
            "abandonment_prob", "blocked_prob", "wait_prob_per_min", "wait_max_prob", "late_prob",
            "late_prob_per_hour", "late_max_prob", "error_prob", "unresolved_prob",
        }
    ),
    ChannelCosts: Keys(
        {
            "abandonment_usd", "blocked_usd", "late_usd", "error_usd", "unresolved_usd", "holding_usd_per_hour",
            "waiting_usd_per_hour", "overdue_waiting_usd_per_hour",
        }
    ),
    Channel: Keys(
        {
            "name", "kind", "handle_time", "after_work", "arrivals", "supply", "offered_per_day", "segment_shares",
            "lines", "waiting_limit", "harm", "costs", "error", "resolution", "follow_up", "assumed", "patience",
            "service_level_threshold_s", "redial", "callback_offer", "concurrency", "due", "reach", "collection",
            "promised", "interruptible", "pick_up", "pick_up_by_others", "pick_up_mode",
            "initial_backlog",
        }
    ),
    OpeningHours: Keys({"weekdays", "start", "end"}),
    Break: Keys({"start", "length_s", "stagger_s"}),
    Shift: Keys({"weekdays", "start", "end", "breaks"}),
    Proficiency: Keys({"speed", "resolution"}),
    Group: Keys(
        {
            "name", "count", "skills", "home_channel", "shifts", "absence_prob", "capacity_units", "proficiency",
        }
    ),
    Costs: Keys({"weights", "interruption_usd", "pick_up_usd_per_hour", "callback_usd", "overtime_usd_per_hour"}),
    Target: Keys({"channel", "at_least_frac", "usd_per_point_day"}),
    Client: Keys({"name", "channels", "fee_usd", "technology_usd", "targets"}),
    Fairness: Keys({"floor_frac", "usd_per_point_day"}),
    ServiceLevel: Keys({"abandoned_within_threshold", "short_abandon_s"}),
    Scenario: Keys(
        {
            "name", "description", "horizon", "channels", "groups", "business_hours", "segments",
            "scripted_contacts", "replay", "clients", "service_level", "fairness", "preferred_rep", "churn", "costs",
            "value_bands_usd", "suspended_limit", "suspended_work", "review", "review_interval_s", "observation",
            "terminal_charge", "census_at_s",
        }
    ),
}  # fmt: skip
"""By the kind of part."""
