"""Speed, for `make bench`: decisions a second of the vector environment, steps a second of training.

Room: `experiments`. Prints; writes nothing. One thread each, everything compiled before the clock starts. Figures of
different machines and days tell little about each other; compare those of one run.
"""

import time

import gymnasium
import numpy as np

import envs
from envs.scenario.scenario import load_scenario

BATCH = 256
TRAINING_STEPS = 60_000


def sample_open(mask: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return a random open action per row."""
    return (generator.random(mask.shape) * (mask != 0)).argmax(axis=1)


def time_decisions(scenario: str = "bank", batch: int = BATCH) -> tuple[int, float, int]:
    """Return (decisions, seconds in `step`, finished episodes) until every row has finished a whole episode.

    Observations are full; every decision has at least two open actions, since nobody is asked otherwise; actions are
    random among the open ones, and their sampling is not timed. Drawing the next episode's demand is part of `step`.
    """
    env = gymnasium.make_vec(
        "BlendedCenter-v0",
        num_envs=batch,
        vectorization_mode="vector_entry_point",
        scenario=scenario,
        copy_observations=False,
    )
    assert envs.BlendedCenterVector is type(env.unwrapped)
    generator = np.random.default_rng(0)
    env.reset(seed=0)
    step_seconds, decisions, finished = 0.0, 0, np.zeros(batch, np.int64)
    while finished.min() < 1:
        mask = env.unwrapped.rows.mask
        assert (mask.sum(axis=1) >= 2).all()
        actions = sample_open(mask, generator)
        start = time.perf_counter()
        _, _, terminated, _, _ = env.step(actions)
        step_seconds += time.perf_counter() - start
        decisions += batch
        finished += terminated
    return decisions, step_seconds, int(finished.sum())


def time_training(scenario: str = "bank") -> tuple[int, float]:
    """Return (steps, seconds) of MaskablePPO with the settings of `configs/training/<scenario>.yaml`, one thread."""
    import tempfile
    from pathlib import Path

    import torch

    from experiments.training.train import build_model
    from experiments.training.training_config import load_training

    config = load_training(scenario, ("threads=1", "ppo.staggered=false"))
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        model = build_model(load_scenario(config.scenario), config, torch.device("cpu"), Path(folder))
        model.learn(1, log_interval=None)  # type: ignore[arg-type]
        start = time.perf_counter()
        model.learn(TRAINING_STEPS, log_interval=None)  # type: ignore[arg-type]
        seconds = time.perf_counter() - start
    return model.num_timesteps, seconds


def main() -> None:
    """Print both figures."""
    time_decisions("tiny", 2)  # compiles
    decisions, seconds, finished = time_decisions()
    print(
        f"bank, {BATCH} rows, one thread: {decisions / seconds:,.0f} decisions/s "
        f"({decisions:,} decisions, {finished} whole weeks, {seconds:.1f} s in step)"
    )
    steps, seconds = time_training()
    print(f"training, one thread: {steps / seconds:,.0f} steps/s ({steps:,} steps in {seconds:.1f} s)")


if __name__ == "__main__":
    main()
