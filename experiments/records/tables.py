"""The tables of the records: every column with its type, unit and meaning.

Room: `experiments.records`. Data only. `docs/records.md` follows it by test.
"""

from typing import NamedTuple

FORMAT_VERSION = 3
TERM_COLUMN = "cost_<term>_usd"
OR_NULL = " or null"


class Column(NamedTuple):
    """One column of a table: its type, its unit and what it means.

    The name `cost_<term>_usd` stands for one column per cost term, a length in brackets means a list of that length.
    """

    name: str
    type: str
    unit: str
    meaning: str


_PLAYED = (
    Column("scenario", "string", "", "name of the scenario"),
    Column("policy", "string", "", "name of the policy"),
    Column("episode", "int32", "", "number of the episode"),
)
CONTACTS = (
    *_PLAYED,
    Column("contact", "int32", "", "number in the episode: one for each visit of a customer to a queue"),
    Column("customer", "int32", "", "the customer's place in the order of arrivals, lists last; same for all visits"),
    Column("attempt", "int32", "", "earlier contacts of the customer; a repeated outbound attempt keeps the number"),
    Column("channel", "string", "", "the queue"),
    Column("value_usd", "float64", "USD", "account value of the customer"),
    Column("at_risk", "bool", "", "the customer is close to leaving"),
    Column("band", "int32", "", "account-value band of the customer, 0 the lowest"),
    Column("preferred_rep", "int32 or null", "", "the customer's preferred rep"),
    Column("owed_usd", "float64", "USD", "the debt at first"),
    Column("scheduled_s", "float64 or null", "s", "when the customer's return was settled; null: a first visit"),
    Column("opens_s", "float64 or null", "s", "not before this time, as settled then"),
    Column("arrived_s", "float64 or null", "s", "reached the queue, also if blocked; below 0: before the start"),
    Column("due_s", "float64 or null", "s", "due time"),
    Column("due_passed_s", "float64 or null", "s", "when the due time passed while this contact was open"),
    Column("callback_offered_s", "float64 or null", "s", "when a callback was offered"),
    Column("first_start_s", "float64 or null", "s", "when a rep first started it"),
    Column("ended_s", "float64 or null", "s", "when it ended; null: open at the horizon"),
    Column("disposition", "string", "", "how it ended, or how it was left: see below"),
    Column("first_rep", "int32 or null", "", "the rep who started it"),
    Column("last_rep", "int32 or null", "", "the rep who had it last"),
    Column("overdue", "bool", "", "its due time had passed when it ended, or at the horizon"),
    Column("reached", "bool or null", "", "the outbound attempt reached the customer"),
    Column("handle_s", "float64", "s", "rep time spent on it, after-contact work included, pick-ups apart"),
    Column("pick_up_s", "float64", "s", "rep time spent picking it up"),
    Column("interruptions", "int32", "", "times it was interrupted"),
    Column("take_overs", "int32", "", "times a rep took it over whom `phases` then shows picking it up"),
    Column("recovered_usd", "float64", "USD", "paid by the debtor"),
    Column("commission_usd", "float64", "USD", "commission on that"),
    Column(TERM_COLUMN, "float64", "USD", "charged for it to this cost term, after its weight: `charges` added up"),
    Column("account_loss_usd", "float64", "USD", "expected account value lost, before weights"),
)
DECISIONS = (
    *_PLAYED,
    Column("step", "int32", "", "number of the decision in its episode, from 0 on"),
    Column("time_s", "float64", "s", "when the router was asked"),
    Column("subject", "string", "", "whom the question was about: `contact` or `rep`"),
    Column("contact", "int32 or null", "", "the contact, if that was the subject"),
    Column("rep", "int32 or null", "", "the rep, if that was the subject"),
    Column("center", "float32 [center fields]", "", "the observation; `fields` of the metadata names its numbers"),
    Column("candidates", "float32 [actions × candidate fields]", "", "the observation, action by action"),
    Column("action_mask", "int8 [actions]", "", "1 where the action was open"),
    Column("action", "int32", "", "what the policy chose"),
    Column("action_name", "string", "", "its name"),
    Column("action_contact", "int32 or null", "", "the contact that the action meant"),
    Column("action_rep", "int32 or null", "", "the rep whom the action meant"),
    Column("action_prob", "float64 or null", "", "its chance in the policy's own distribution"),
    Column("action_probs", "float64 [actions] or null", "", "the chance of every action there; of closed ones 0"),
    Column("substituted", "bool", "", "the action was masked, and `wait` was taken instead"),
    Column("until_s", "float64", "s", "the next decision, or the horizon"),
    Column("elapsed_s", "float64", "s", "from this decision until then"),
    Column(TERM_COLUMN, "float64", "USD", "cost by term in that time, after its weight; minus the reward in all"),
)
PHASES = (
    *_PLAYED,
    Column(
        "phase",
        "string",
        "",
        "`waiting`, `working`, `picking_up`, `after_work`, `suspended`, `idle`, `overtime`, `absent`",
    ),
    Column("channel", "string or null", "", "the contact's queue"),
    Column(
        "contact", "int32 or null", "", "the contact; null: `idle`, `absent`, `overtime` begun in after-contact work"
    ),
    Column("rep", "int32 or null", "", "the rep, who may work on several contacts at a time; null: `waiting`"),
    Column("start_s", "float64", "s", "beginning"),
    Column("end_s", "float64", "s", "end, or the horizon"),
)
CHARGES = (
    *_PLAYED,
    Column("time_s", "float64", "s", "when it was charged"),
    Column("term", "string", "", "the cost term"),
    Column("channel", "string or null", "", "the queue that it counts for; null: the floor of fairness"),
    Column("contact", "int32 or null", "", "the contact; null: a statement of work, or the floor of fairness"),
    Column("amount_usd", "float64", "USD", "the charge, after the term's weight"),
    Column("account_loss_usd", "float64", "USD", "the expected account value lost in it, before the weight"),
)
TABLES = {"contacts": CONTACTS, "decisions": DECISIONS, "phases": PHASES, "charges": CHARGES}
"""The tables and their columns, in order."""
DISPOSITIONS = {
    "resolved": "completed, and solved",
    "unresolved": "completed and not solved; the customer gives up",
    "returned": "completed and not solved; the customer will come back",
    "escalated": "completed and not solved; escalated, or transferred",
    "deferred": "completed; a follow-up was scheduled",
    "erred": "completed with an error, without rework",
    "reworked": "completed with an error that comes back as rework",
    "unreached": "outbound attempt that did not reach the customer, and will be repeated",
    "given_up": "outbound attempt that did not reach the customer, the last one",
    "recalled": "taken back by the client from a work list, at its due time",
    "abandoned": "the customer hung up",
    "redialled": "the customer hung up, and will dial again",
    "callback_accepted": "the customer accepted the offered callback, which will join its channel",
    "callback_refused": "the customer accepted the offered callback, which was not approved",
    "blocked": "turned away from a full queue",
    "lost": "turned away because the simulator's own capacity was full",
    "left_scheduled": "at the horizon not come back yet",
    "left_waiting": "at the horizon waiting",
    "left_in_service": "at the horizon in the hands of a rep",
    "left_suspended": "at the horizon suspended",
}
"""How a contact ended, or was left at the horizon."""
