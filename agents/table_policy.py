"""A policy as a table: from the state before the decision to the state after it.

Room: `agents`. Reads JSON; touches the field table of the observation.

A state is a list of whole numbers. With one rep:

* what the rep does: 0 nothing, i works on channel i (counted from 1), channels + 1 picks up suspended work;
* of each channel those waiting; of one with due times first those that are not overdue, then those that are;
* how many contacts are suspended, if some channel is interruptible.

With several reps, all alike, none of whom can be interrupted: of each channel the contacts in hand, then those waiting.
The file is a JSON object (perhaps compressed as `.gz`) from one such list to the other, each written as `"(0, 1, 0)"`.
"""

import gzip
import json
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agents.action_layout import action_layout
from agents.policy import Observations
from envs.errors import ConfigurationError
from envs.interface.actions import (
    ASSIGN,
    INTERRUPT,
    RESUME,
    SERVE,
    WAIT,
)
from envs.interface.fields import (
    C_CHANNEL,
    C_OVERDUE,
    G_RESUMING,
    N_CENTER_FIELDS,
    N_QUEUE_FIELDS,
    Q_IN_SERVICE,
    Q_OVERDUE,
    Q_SUSPENDED,
    Q_WAITING,
)
from envs.scenario.scenario import Scenario

State = tuple[int, ...]


class StateSpace:
    """How the state of `scenario` is written as whole numbers, and what an action makes of it.

    Raises `ConfigurationError` where such a list does not tell the whole state.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.layout = action_layout(scenario)
        self.n_channels = len(scenario.channels)
        self.has_due = [channel.due is not None for channel in scenario.channels]
        self.is_single = sum(group.count for group in scenario.groups) == 1
        is_interruptible = any(channel.interruptible for channel in scenario.channels)
        self.keeps_suspended = is_interruptible and self.is_single
        reason = None
        if not self.is_single and (len(scenario.groups) > 1 or scenario.groups[0].home_channel is not None):
            reason = "reps differ, and the table does not say who does what"
        elif not self.is_single and is_interruptible:
            reason = "work of several reps may be suspended, and the table does not say whose is"
        elif any(channel.after_work is not None for channel in scenario.channels):
            reason = "the table does not hold after-contact work"
        elif any(channel.due is not None and channel.due.met_by == "completion" for channel in scenario.channels):
            reason = "due times may pass while contacts are in hand, which the table does not hold"
        if reason is not None:
            raise ConfigurationError(
                f"a table from state to state makes no sense in scenario {scenario.name}: {reason}"
            )
        self.first_waiting = [
            (1 if self.is_single else self.n_channels) + q + sum(self.has_due[:q]) for q in range(self.n_channels)
        ]
        self.length = (
            (1 if self.is_single else self.n_channels) + self.n_channels + sum(self.has_due) + self.keeps_suspended
        )

    def read(self, center: NDArray[np.float32]) -> State:
        """Return the state that the `center` of an observation shows."""
        numbers = center.astype(np.int64)
        queues = numbers[N_CENTER_FIELDS:].reshape(self.n_channels, N_QUEUE_FIELDS)
        in_hand = queues[:, Q_IN_SERVICE]
        if not self.is_single:
            state = in_hand.tolist()
        elif numbers[G_RESUMING]:
            state = [self.n_channels + 1]
        else:
            state = [int(np.argmax(in_hand)) + 1 if in_hand.any() else 0]
        for q, has_due in enumerate(self.has_due):
            overdue = int(queues[q, Q_OVERDUE])
            state += [int(queues[q, Q_WAITING]) - overdue, overdue] if has_due else [int(queues[q, Q_WAITING])]
        if self.keeps_suspended:
            state.append(int(queues[:, Q_SUSPENDED].sum()))
        return tuple(state)

    def after(self, state: State, action: int, candidate: NDArray[np.float32]) -> State:
        """Return the state that `action`, whose row of the observation is `candidate`, makes of `state`."""
        kind = self.layout.kind[action]
        changed = list(state)
        if kind == RESUME:
            changed[0] = self.n_channels + 1
            changed[-1] -= 1
        elif kind in (SERVE, ASSIGN, INTERRUPT):
            queue = int(candidate[C_CHANNEL]) - 1
            changed[self.first_waiting[queue] + int(self.has_due[queue] and candidate[C_OVERDUE] > 0)] -= 1
            if self.is_single:
                changed[0] = queue + 1
            else:
                changed[queue] += 1
            if kind == INTERRUPT:
                changed[-1] += 1
        return tuple(changed)

    def leads_to(self, state: State, target: State) -> bool:
        """Return True if further actions of the same instant may still make `target` of `state`."""
        if self.is_single or state == target:
            return state == target
        pairs = list(zip(state, target, strict=True))
        in_hand, waiting = pairs[: self.n_channels], pairs[self.n_channels :]
        return all(now <= then for now, then in in_hand) and all(now >= then for now, then in waiting)


class TablePolicy:
    """The policy in `file`, for `scenario`; deterministic.

    Raises `ConfigurationError` for a table that does not fit.
    """

    def __init__(self, file: Path, scenario: Scenario) -> None:
        self.file = file
        self.space = StateSpace(scenario)
        self.targets = _read_table(file, self.space.length)

    def predict(self, observations: Observations, deterministic: bool = True) -> NDArray[np.int64]:
        """Return one open action per observation, int64 (n,)."""
        rows = zip(observations["center"], observations["candidates"], observations["action_mask"], strict=True)
        return np.array([self._choose(*row) for row in rows], np.int64)

    def _choose(self, center: NDArray[np.float32], candidates: NDArray[np.float32], mask: NDArray[np.int8]) -> int:
        actions = np.flatnonzero(mask)
        if len(actions) == 1:  # after the horizon
            return int(actions[0])
        state = self.space.read(center)
        target = self.targets.get(state)
        if target is None:
            raise ConfigurationError(f"{self.file}: has no entry for state {state}")
        if target != state:
            for action in actions.tolist():
                after = self.space.after(state, action, candidates[action])
                if after != state and self.space.leads_to(after, target):
                    return int(action)
        return WAIT


def _read_table(file: Path, length: int) -> dict[State, State]:
    try:
        text = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        stated = json.loads(text)
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read ({error.strerror or error})") from error
    except (EOFError, ValueError) as error:
        raise ConfigurationError(f"{file}: is not JSON ({error})") from error
    if not isinstance(stated, dict):
        raise ConfigurationError(f"{file}: must be a JSON object from state to state")
    return {_read_state(file, key, length): _read_state(file, value, length) for key, value in stated.items()}


def _read_state(file: Path, text: object, length: int) -> State:
    if not isinstance(text, str) or not re.fullmatch(r"\(\s*[0-9]{1,9}(\s*,\s*[0-9]{1,9})*\s*,?\s*\)", text):
        raise ConfigurationError(f'{file}: {text!r}: must be a state such as "(0, 1, 0)"')
    state = tuple(int(number) for number in re.findall(r"\d+", text))
    if len(state) != length:
        raise ConfigurationError(f"{file}: state {text}: must have {length} numbers, has {len(state)}")
    return state
