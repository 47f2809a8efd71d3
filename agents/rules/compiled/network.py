"""The network of a learned policy in the compiled loop: the shared candidate scorer of `agents.learning.network`.

Room: `agents.rules.compiled`. Reads one observation; changes nothing. The arithmetic of the layers is that of torch and
of the exported graph, in float32; that of the prior is the rule's own. Tests hold the three equal, every export
compares them, and a file of which the loop would make other logits is left to onnxruntime.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.rules.compiled.expected_loss import score_expected_loss
from envs.interface.actions import WAIT
from envs.simulator.machine.compilation import allocating, compiled, entry_point


class NetworkWeights(NamedTuple):
    """What a network is made of, as arrays of float32 but `knows_action`; `width` columns w each.

    Attributes:
        knows_action: int8 (actions,), 1 for actions that the network was made for; the others are never chosen.
        center_scale, candidate_scale: (center fields,), (candidate fields,), of the numbers that enter.
        center_in, center_in_bias, center_out, center_out_bias: (center fields, w), (w,), (w, w), (w,): the encoder of
            the center.
        candidate_in, candidate_in_bias: (candidate fields, w), (w,): that of a row.
        embedding: (actions, w).
        hidden, hidden_bias, out, out_bias: (w, w), (w,), (w,), (1,): the scorer.
        weights: (2,): of the prior, the rule `expected_loss`, and of what the layers add to it; where the second is 0,
            the layers are not read.
    """

    knows_action: NDArray[np.int8]
    center_scale: NDArray[np.float32]
    candidate_scale: NDArray[np.float32]
    center_in: NDArray[np.float32]
    center_in_bias: NDArray[np.float32]
    center_out: NDArray[np.float32]
    center_out_bias: NDArray[np.float32]
    candidate_in: NDArray[np.float32]
    candidate_in_bias: NDArray[np.float32]
    embedding: NDArray[np.float32]
    hidden: NDArray[np.float32]
    hidden_bias: NDArray[np.float32]
    out: NDArray[np.float32]
    out_bias: NDArray[np.float32]
    weights: NDArray[np.float32]


_NOTHING, _NO_ROWS = np.zeros(0, np.float32), np.zeros((0, 0), np.float32)
NO_NETWORK = NetworkWeights(
    knows_action=np.zeros(0, np.int8),
    center_scale=_NOTHING,
    candidate_scale=_NOTHING,
    center_in=_NO_ROWS,
    center_in_bias=_NOTHING,
    center_out=_NO_ROWS,
    center_out_bias=_NOTHING,
    candidate_in=_NO_ROWS,
    candidate_in_bias=_NOTHING,
    embedding=_NO_ROWS,
    hidden=_NO_ROWS,
    hidden_bias=_NOTHING,
    out=_NOTHING,
    out_bias=_NOTHING,
    weights=_NOTHING,
)
"""Stands for the weights of a policy that has none."""


@compiled
def _add_layer(values, scale, weights, into):
    """Add to `into` (w,) the numbers `values` (n,), compressed to sign(x) log(1 + |x| / scale), times `weights` (n, w).

    Row by row, so that the sums of all columns go side by side in the processor's registers.
    """
    for i in range(values.shape[0]):
        value = values[i]
        if value != 0.0:  # most fields of a row have no meaning for its action
            value = np.float32(math.copysign(math.log1p(abs(value) / scale[i]), value))
            for column in range(into.shape[0]):
                into[column] += value * weights[i, column]


@compiled
def _add_rectified(values, weights, into):
    """Add to `into` (w,) the positive ones among `values` (n,) times `weights` (n, w)."""
    for i in range(values.shape[0]):
        value = values[i]
        if value > 0.0:
            for column in range(into.shape[0]):
                into[column] += value * weights[i, column]


@allocating
def add_residual(network, center, candidates, mask, logits):
    """Add to `logits` (actions,) what the layers give every open action."""
    hidden = network.center_in_bias.copy()
    _add_layer(center, network.center_scale, network.center_in, hidden)
    context = network.center_out_bias + network.candidate_in_bias
    _add_rectified(hidden, network.center_out, context)
    encoded = np.empty_like(context)
    for action in range(mask.shape[0]):
        if not mask[action]:
            continue
        for column in range(encoded.shape[0]):
            encoded[column] = context[column] + network.embedding[action, column]
        _add_layer(candidates[action], network.candidate_scale, network.candidate_in, encoded)
        for column in range(hidden.shape[0]):
            hidden[column] = network.hidden_bias[column]
        _add_rectified(encoded, network.hidden, hidden)
        logit = network.out_bias[0]
        for column in range(hidden.shape[0]):
            if hidden[column] > 0.0:
                logit += hidden[column] * network.out[column]
        logits[action] += network.weights[1] * logit


@allocating
def score_network(layout, network, settings, center, candidates, mask, logits):
    """Write the logit of every open action that the network knows into float32 `logits` (actions,), -inf for others.

    The prior's part is its weight times the relative gap (a - b) / (|a| + |b| + 1) of each score of the rule
    `expected_loss` to the best one (`agents.learning.expected_loss_prior.preferences`); `settings` are the rule's.
    """
    is_open = np.empty_like(mask)
    for action in range(mask.shape[0]):
        is_open[action] = 1 if mask[action] and network.knows_action[action] else 0
        logits[action] = 0.0 if is_open[action] else -np.inf
    if network.weights[0] > 0.0:
        scores = np.empty(mask.shape[0])
        score_expected_loss(layout, center, candidates, is_open, settings, scores)
        best = -np.inf
        for action in range(mask.shape[0]):
            best = max(best, scores[action])
        for action in range(mask.shape[0]):
            if is_open[action]:
                gap = (scores[action] - best) / (abs(scores[action]) + abs(best) + 1.0)
                logits[action] = network.weights[0] * gap
    if network.weights[1] != 0.0:
        add_residual(network, center, candidates, is_open, logits)


@allocating
def choose_by_network(layout, network, settings, center, candidates, mask):
    """Return the index of the action with the largest logit of `score_network`, the first among equals."""
    logits = np.empty(mask.shape[0], np.float32)
    score_network(layout, network, settings, center, candidates, mask, logits)
    best = WAIT
    for action in range(mask.shape[0]):
        if logits[action] > logits[best]:
            best = action
    return best


@entry_point
def score_rows(layout, network, settings, centers, candidates, masks, logits):
    """Write the logits of `score_network` for each observation of a batch into float32 `logits` (n, actions)."""
    for row in range(masks.shape[0]):
        score_network(layout, network, settings, centers[row], candidates[row], masks[row], logits[row])
