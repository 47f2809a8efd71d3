"""A fixed list of episodes, for evaluations that must be of the same customers each time.

Room: `envs.wrappers`. Knows how `reset` names an episode.
"""

from collections.abc import Sequence
from typing import Any

import gymnasium

from envs.arguments import check_whole
from envs.errors import ArgumentError


class FixedEpisodes(gymnasium.Wrapper[Any, Any, Any, Any], gymnasium.utils.RecordConstructorArgs):
    """`BlendedCenter` that plays `episodes` of `demand_seed` one after another and then the first again.

    An evaluation of as many episodes as the list has meets each of them once, whichever was the last one before: that
    of Stable-Baselines3's EvalCallback, for one, is comparable with the evaluation before it. A seed given to `reset`
    starts the list again and says nothing of the customers; options are refused. Raises `ConfigurationError` for seeds
    and episodes that are no whole numbers >= 0.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], demand_seed: int, episodes: Sequence[int]) -> None:
        self._seed = check_whole("demand_seed", demand_seed)
        self._episodes = [check_whole(f"episodes[{place}]", episode) for place, episode in enumerate(episodes)]
        if not self._episodes:
            raise ArgumentError("episodes is empty: must hold at least one episode")
        gymnasium.utils.RecordConstructorArgs.__init__(self, demand_seed=self._seed, episodes=self._episodes)
        super().__init__(env)
        self._place = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start the next episode of the list, or the first one if a seed is given. Returns (observation, info)."""
        if options:
            raise ArgumentError(f"options = {options!r}: must be None, since the episodes are fixed")
        if seed is not None:
            self._place = 0
        episode = self._episodes[self._place]
        self._place = (self._place + 1) % len(self._episodes)
        return self.env.reset(seed=self._seed, options={"episode": episode})
