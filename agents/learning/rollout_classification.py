"""Controlled learning: the network learns, on top of its prior, the actions that rollouts found to cost least.

Room: `agents.learning`. Touches torch and `Choices`.

One step of policy iteration by classification (Lagoudakis and Parr 2003, ICML; Temizöz et al. 2020, arXiv 2011.15122).
With w(a) = cost of the dearest open action less that of a, the loss of a decision is

    - sum over open actions a of w(a) log pi(a)

whose least value over all policies has pi(a) proportional to the mean of w(a) over decisions that look alike: the
likeliest action is the one whose mean cost is least, however noisy the single rollouts are. Labels of the single best
action would not do that, and the mean cost under pi itself hardly moves a prior that is sure of its choice.
"""

import copy
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.learning.network import CandidateScorer
from agents.learning.rollouts import Choices

HELD_OUT = 5
"""The first episode and every so many-th after it teach nothing: on them one sees whether what was learned holds."""

DOUBTS = (1.0, 0.5, 0.25)
"""Shares of what was learned that are tried on the episodes held out: the prior has the benefit of the doubt."""

_PLAYED = 4096
"""Decisions that are scored at a time where nothing is learned."""


class Epoch(NamedTuple):
    """One pass over the choices.

    Attributes:
        number: of passes so far, 1 and up.
        loss: mean over the decisions that teach, while they do, in units of the largest w(a).
        saved_usd: a decision of the episodes held out, by their rollouts: what the greedy choice of the network saves
            against the rule's, with the best of `DOUBTS`.
    """

    number: int
    loss: float
    saved_usd: float


def classify(
    network: CandidateScorer, choices: Choices, *, epochs: int, batch_size: int, learning_rate: float, seed: int
) -> Iterator[Epoch]:
    """Fit what `network` adds to its prior, which is the rule that made the rollouts, and yield each pass.

    At the end the network is that of the pass, and with the share of what it learned, that saved most on the episodes
    held out; as it was before, if none saved anything.
    """
    lessons = _Lessons(network, choices)
    generator = np.random.default_rng(seed)
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW(network.residual_parameters(), lr=learning_rate)
    n_batches = -(-len(lessons.taught) // batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(epochs * n_batches, 1))
    best_usd, best = 0.0, copy.deepcopy(network.state_dict())
    for number in range(1, epochs + 1):
        losses = []
        for decisions in _split(generator.permutation(lessons.taught), batch_size):
            loss = lessons.loss(decisions)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()) * len(decisions))
        learned = copy.deepcopy(network.state_dict())
        epoch_usd = -np.inf
        for share in DOUBTS:
            network.load_state_dict(learned)
            network.weaken_residual(share)
            epoch_usd = max(epoch_usd, saved_usd := lessons.saved_usd())
            if saved_usd > best_usd:
                best_usd, best = saved_usd, copy.deepcopy(network.state_dict())
        network.load_state_dict(learned)
        yield Epoch(number, sum(losses) / max(len(lessons.taught), 1), epoch_usd)
    network.load_state_dict(best)


class _Batch(NamedTuple):
    """Some decisions and their open actions: the places of both in `Choices`, and of each open action the row in the
    batch."""

    decisions: NDArray[np.int64]
    places: NDArray[np.int64]
    row: Tensor


class _Lessons:
    """What `choices` teach `network`: the loss of decisions, and what its choices save on the episodes held out."""

    def __init__(self, network: CandidateScorer, choices: Choices) -> None:
        self._network = network
        self._first = np.searchsorted(choices.decision, np.arange(len(choices.center) + 1))
        self._center, self._rows = torch.from_numpy(choices.center), torch.from_numpy(choices.candidates)
        self._action = torch.from_numpy(choices.action)
        self._saved_usd = choices.saved_usd()
        worth_usd = self._saved_usd - np.minimum.reduceat(self._saved_usd, self._first[:-1])[choices.decision]
        self._worth = torch.from_numpy((worth_usd / max(float(worth_usd.max()), 1e-12)).astype(np.float32))
        is_held_out = np.unique(choices.episode, return_inverse=True)[1] % HELD_OUT == 0
        self.taught = np.flatnonzero((np.bincount(choices.decision, worth_usd) > 0.0) & ~is_held_out)
        self._held_out = np.flatnonzero(is_held_out)
        self._prior = torch.zeros(len(choices.action))
        for decisions in _split(np.arange(len(choices.center)), _PLAYED):
            batch = self._batch(decisions)
            center, rows, action = self._center[decisions], self._rows[batch.places], self._action[batch.places]
            with torch.no_grad():
                self._prior[batch.places] = network.prior_logits(center, rows, batch.row, action)

    def _batch(self, decisions: NDArray[np.int64]) -> _Batch:
        n_open = self._first[decisions + 1] - self._first[decisions]
        before = np.cumsum(n_open) - n_open
        places = np.arange(n_open.sum()) + np.repeat(self._first[decisions] - before, n_open)
        return _Batch(decisions, places, torch.from_numpy(np.repeat(np.arange(len(decisions)), n_open)))

    def _logits(self, batch: _Batch) -> Tensor:
        """Return the masked logits (decisions, actions) of `batch`."""
        action, prior = self._action[batch.places], self._prior[batch.places]
        center, rows = self._center[batch.decisions], self._rows[batch.places]
        return self._network.score_rows(center, rows, batch.row, action, prior)

    def loss(self, decisions: NDArray[np.int64]) -> Tensor:
        """Return the mean loss over `decisions`."""
        batch = self._batch(decisions)
        log_probabilities = torch.log_softmax(self._logits(batch), dim=1)[batch.row, self._action[batch.places]]
        return -(self._worth[batch.places] * log_probabilities).sum() / len(decisions)

    def saved_usd(self) -> float:
        """Return what the greedy choice of the network saves a held-out decision, USD."""
        total_usd = 0.0
        for decisions in _split(self._held_out, _PLAYED):
            batch = self._batch(decisions)
            with torch.no_grad():
                greedy = self._logits(batch).argmax(dim=1)
            is_greedy = (self._action[batch.places] == greedy[batch.row]).numpy()
            total_usd += float(self._saved_usd[batch.places[is_greedy]].sum())
        return total_usd / max(len(self._held_out), 1)


def _split(decisions: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """Return `decisions` in parts of at most `size`."""
    return [decisions[start : start + size] for start in range(0, len(decisions), size)]
