"""Test helpers: small scenarios written in a few lines, and play with random open actions."""

import copy
from typing import Any

import numpy as np
import pytest

from agents.rules.rule import Rule
from envs.center import BlendedCenter
from envs.counts import read_counts
from envs.inputs.demand import DemandSampler
from envs.interface.actions import HOLD, WAIT
from envs.interface.cost_terms import COST_TERMS
from envs.metrics import compute_metrics
from envs.scenario.scenario import Scenario, load_scenario

VOICE = {"name": "voice", "kind": "real_time", "handle_time": 300, "patience": 3000}
EMAIL = {
    "name": "email",
    "kind": "deferred",
    "handle_time": 600,
    "due": {"after_s": 7200},
    "interruptible": True,
    "pick_up": 60,
}


def channel(base: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a copy of a channel's mapping with some keys changed."""
    return copy.deepcopy(base) | changes


def contact(at_s: float, channel_name: str = "voice", value_usd: float = 500, **needs: Any) -> dict[str, Any]:
    """Return a scripted contact."""
    return {"channel": channel_name, "at_s": at_s, "account_value": value_usd} | needs


def scripted(*contacts: dict[str, Any], reps: int | list[dict[str, Any]] = 1, **keys: Any) -> Scenario:
    """Return a day with these contacts: channels voice and email, and one group with both skills unless told."""
    groups = [{"name": "all", "count": reps, "skills": ["voice", "email"]}] if isinstance(reps, int) else reps
    content = {
        "name": "scripted",
        "channels": [VOICE, EMAIL],
        "groups": groups,
        "scripted_contacts": list(contacts),
    }
    return Scenario.model_validate(content | keys)


def day(channels: list[dict[str, Any]], *contacts: dict[str, Any], **keys: Any) -> Scenario:
    """Return a day with these contacts on these channels, one rep with all skills unless told, and no terminal
    charge."""
    skills = [entry["name"] for entry in channels]
    groups = keys.pop("groups", [{"name": "all", "count": 1, "skills": skills}])
    return scripted(*contacts, **{"terminal_charge": "none", "channels": channels, "reps": groups} | keys)


def bank_day() -> Scenario:
    """Return the first day of the scenario bank."""
    return load_scenario("bank", ("horizon.days=1",))


def random_action(generator: np.random.Generator, mask: np.ndarray) -> int:
    """Return one of the open actions, all equally likely."""
    is_open = np.flatnonzero(mask)
    return int(is_open[generator.integers(len(is_open))])


def step_costs_usd(info: dict[str, Any]) -> dict[str, float]:
    """Return the costs of the step that `info` belongs to, by term."""
    return {term: info[f"cost_{term}_usd"] for term in COST_TERMS}


def open_names(environment: BlendedCenter) -> set[str]:
    """Return the names of the open actions."""
    return {environment.action_names[i] for i in np.flatnonzero(environment.action_masks())}


class Center(BlendedCenter):
    """An environment played by the names of actions, with the kernel's record at hand."""

    def __init__(self, scenario: Scenario, **keys: Any) -> None:
        super().__init__(scenario, on_masked_action="raise", **keys)
        _, self.info = self.reset(seed=0)
        self.is_done = bool(self.record["done"])

    @property
    def record(self) -> Any:
        """The state record."""
        return self._rows.states[0]

    @property
    def time_s(self) -> float:
        return self.info["time_s"]

    @property
    def open(self) -> set[str]:
        return open_names(self)

    @property
    def subject(self) -> tuple[str, int]:
        """Who is asked about: ("contact", slot), ("rep", index) or ("none", -1)."""
        kind = ("none", "contact", "rep")[int(self.record["subject_kind"])]
        return kind, int(self.record["subject"])

    def subject_contact(self) -> int:
        """The slot of the contact that the first open action other than wait concerns."""
        return int(self.record["action_contact"][np.flatnonzero(self.record["action_mask"])[-1]])

    def do(self, name: str) -> "Center":
        """Carry out the action of that name."""
        _, self.reward, self.is_done, _, self.info = self.step(self.action_names.index(name))
        return self

    def wait_until(self, time_s: float) -> "Center":
        """Answer wait until a question comes at or after a time."""
        while self.time_s < time_s and not self.is_done:
            self.do("wait")
        return self

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics as they stand."""
        return compute_metrics(self.scenario, read_counts(self.record))


def value_of_subject(center: Center) -> float:
    """Return the account value, USD, of the contact that is asked about."""
    kind, slot = center.subject
    assert kind == "contact"
    return float(center.record["slots"]["person"][slot]["value_usd"])


def finish(center: Center) -> dict[str, float]:
    """Answer wait until the horizon, and return the metrics."""
    return center.wait_until(np.inf).metrics


def play(scenario: Scenario, policy: Rule) -> list[tuple[float, str, str]]:
    """Return (second, subject's kind, action) of every decision of the episode in which a rule routes."""
    center = Center(scenario)
    made = policy.make(scenario)
    choices = []
    while not center.is_done:
        action = int(made.predict(center._rows.observation())[0])
        choices.append((center.time_s, center.subject[0], center.action_names[action]))
        center.do(center.action_names[action])
    return choices


def starts(scenario: Scenario, policy: Rule) -> list[tuple[float, int]]:
    """Return (second, place in the demand) of every start of a contact, in order, in the episode in which a rule
    routes."""
    center = Center(scenario)
    made = policy.make(scenario)
    found = []
    while not center.is_done:
        action = int(made.predict(center._rows.observation())[0])
        if made.layout.kind[action] not in (WAIT, HOLD):
            slot = int(center.record["action_contact"][action])
            found.append((center.time_s, int(center.record["slots"]["person"]["customer"][slot])))
        center.do(center.action_names[action])
    return found


def meet_demand(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Return a list that fills with (seed, episode) of all demand that is drawn from now on, in that order."""
    met: list[tuple[int, int]] = []
    sample = DemandSampler.sample

    def note(self: DemandSampler, seed: int, episode: int) -> Any:
        met.append((seed, episode))
        return sample(self, seed, episode)

    monkeypatch.setattr(DemandSampler, "sample", note)
    return met
