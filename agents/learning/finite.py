"""What is no finite number ends a learning before it spoils the weights.

Room: `agents.learning`. Touches numpy and torch.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from envs.errors import ConfigurationError


class NotFiniteError(ConfigurationError):
    """Something of a learning is not a finite number any more; what was kept before is good."""


def require_finite(what: str, values: NDArray[np.floating] | torch.Tensor) -> None:
    """Raise `NotFiniteError` naming `what`, and the first place, unless all `values` are finite.

    A sum is finite only if all its terms are, and takes a third of the time of looking at each.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # of infinities, and of large numbers, which are fine
        total = float((values.detach() if isinstance(values, torch.Tensor) else values).sum())
    if np.isfinite(total):
        return
    array = values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else values
    places = np.argwhere(~np.isfinite(array))
    if len(places):
        place = tuple(places[0].tolist())
        raise NotFiniteError(f"{what}{list(place) if place else ''} is {array[place]}: must be a finite number")
