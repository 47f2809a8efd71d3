"""What `make bench` measures, one figure a call, each in a process of its own.

Room: `experiments.speed`. Plays and trains; writes nothing. One thread unless the figure is about two; everything is
compiled before the clock starts, but for the cold start.

The file also runs by itself, as `python measures.py KEY`, with the packages of another commit on the path: it imports
of the project only what that had too.
"""

import inspect
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

TRAINING_STEPS = 60_000
EPISODES = 16
REPEATS = 3


class Measure(NamedTuple):
    """One figure: what it is, its unit, how it is found, and the library that it is of, if it is none of this project's
    own."""

    meaning: str
    unit: str
    find: Callable[[], float]
    library: str = ""


def decisions_per_second(batch: int, scenario: str = "bank") -> float:
    """Return decisions a second of the vector environment, until every row has finished a whole episode.

    Observations are full; actions are random among the open ones, at least two, and their sampling is not timed.
    Drawing the next episode's demand is part of `step`.
    """
    import gymnasium

    import envs  # noqa: F401 (registers the environment)

    env = gymnasium.make_vec(
        "BlendedCenter-v0",
        num_envs=batch,
        vectorization_mode="vector_entry_point",
        scenario=scenario,
        copy_observations=False,
    )
    generator = np.random.default_rng(0)
    env.reset(seed=0)
    env.step(np.zeros(batch, np.int64))  # compiles
    env.reset(seed=0)
    seconds, decisions, finished = 0.0, 0, np.zeros(batch, np.int64)
    while finished.min() < 1:
        mask = env.unwrapped.rows.mask  # type: ignore[attr-defined]
        actions = (generator.random(mask.shape) * (mask != 0)).argmax(axis=1)
        start = time.perf_counter()
        _, _, terminated, _, _ = env.step(actions)
        seconds += time.perf_counter() - start
        decisions += batch
        finished += terminated
    return decisions / seconds


def episodes_per_second(policy: str, scenario: str = "bank", threads: int = 1) -> float:
    """Return episodes a second of a policy by its name, or of the tuned form of `expected_loss` for `tuned`, their
    demand included; the best of `REPEATS`."""
    from agents.catalog import load_policy
    from agents.episodes import Episodes
    from agents.policy import Policy
    from envs.scenario.scenario import load_scenario
    from experiments.comparison.tuned_rules import load_tuned

    center = load_scenario(scenario)
    tuned = {rule.rule: rule for rule in load_tuned(scenario).rules}
    is_tuned = policy == "tuned"
    player: Policy = tuned["expected_loss"].make(center) if is_tuned else load_policy(policy, center).policy
    times = []
    for repeat in range(1 + REPEATS):  # the first compiles
        start = time.perf_counter()
        Episodes(center, 1 + repeat, threads=threads).play(player, np.arange(EPISODES))
        times.append(time.perf_counter() - start)
    return EPISODES / min(times[1:])


def state_bytes(scenario: str = "bank") -> float:
    """Return the bytes of the state of one environment after an episode of the rule `expected_loss`."""
    from agents.rules.rule_policy import RulePolicy
    from envs.center_rows import CenterRows
    from envs.scenario.scenario import load_scenario

    center = load_scenario(scenario)
    rows = CenterRows(center, 1)
    rows.start(rows.all_rows, np.zeros(1, np.int64), np.zeros(1, np.int64))
    RulePolicy("expected_loss", center).play_until(rows, rows.all_rows, np.array([np.inf]))
    return float(rows.states.dtype.itemsize)


def training_steps_per_second(scenario: str = "bank", *, is_stock: bool = False) -> float:
    """Return steps a second of MaskablePPO as `blended train` has it in that scenario; `is_stock`: with
    `MultiInputPolicy` and SB3's own buffer, on the same rows, batch and epochs."""
    import torch
    from sb3_contrib import MaskablePPO

    from agents.learning.training_env import TrainingVecEnv
    from envs.scenario.scenario import load_scenario
    from experiments.training.train import build_model
    from experiments.training.training_config import load_training

    config = load_training(scenario, ("threads=1", "ppo.staggered=false"))
    center, ppo = load_scenario(config.scenario), config.ppo
    assert ppo is not None
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SB3_LOGDIR"] = folder  # else SB3 leaves a folder of its own among all temporary files
        if is_stock:
            model = MaskablePPO(
                "MultiInputPolicy",
                TrainingVecEnv(center, ppo.environments, 0, reward_scale_usd=ppo.reward_scale_usd),
                n_steps=ppo.rollout_steps,
                batch_size=ppo.batch_size,
                n_epochs=ppo.epochs,
                learning_rate=ppo.learning_rate,
                device="cpu",
            )
        else:
            given: tuple[Any, ...] = (
                center,
                config,
                torch.device("cpu"),
                Path(folder),
            )  # of which other commits take all four
            model = build_model(*given[: len(inspect.signature(build_model).parameters)])
        model.learn(1, log_interval=None)  # type: ignore[arg-type]
        start = time.perf_counter()
        model.learn(TRAINING_STEPS, log_interval=None)  # type: ignore[arg-type]
        return model.num_timesteps / (time.perf_counter() - start)


def crowded_ns(reps: int, waiting: int) -> float:
    """Return nanoseconds a decision of the rule `fifo` in a center of so many reps with so many e-mails waiting at the
    start, and a call every 20 seconds for each 20 reps; the best of `REPEATS`."""
    from agents.rules.rule_policy import RulePolicy
    from envs.center_rows import CenterRows
    from envs.scenario.scenario import Scenario

    voice = {"name": "voice", "kind": "real_time", "handle_time": 300, "arrivals": {"rate_per_hour": 9 * reps}}
    email = {"name": "email", "kind": "deferred", "handle_time": 600, "arrivals": {"rate_per_hour": reps}}
    email["initial_backlog"] = {"mean_contacts": waiting, "max_age_s": 3600}
    center = Scenario.model_validate(
        {
            "name": "crowded",
            "horizon": {"days": 0.1},
            "channels": [voice, email],
            "groups": [{"name": "all", "count": reps, "skills": ["voice", "email"]}],
        }
    )
    rows, rule = CenterRows(center, 1), RulePolicy("fifo", center)
    times = []
    for repeat in range(1 + REPEATS):
        rows.start(rows.all_rows, np.array([repeat]), np.zeros(1, np.int64))
        start = time.perf_counter()
        rule.play_until(rows, rows.all_rows, np.array([7200.0]))  # not the end, where all that is open is charged
        times.append((time.perf_counter() - start) / float(rows.states[0]["center_count"]["decisions"]))
    return 1e9 * min(times[1:])


def cold_start_s() -> float:
    """Return the seconds from nothing compiled to the first table of `blended benchmark bank`."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"BLENDED_CACHE_FOLDER": folder}
        code = "from experiments.cli.main import main; main()"
        start = time.perf_counter()
        command = [sys.executable, "-c", code, "benchmark", "bank"]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start


QUEUE_DAYS, CALLS_PER_MIN, QUEUE_REPS, CALL_S = 10, 1.0, 3, 150.0
"""The model of the yardsticks: M/M/3, calls of 150 seconds that nobody gives up, load 0.83."""


def queue_calls_per_second() -> float:
    """Return calls a second of the yardsticks' model in this center, by the rule `fifo` in the compiled loop, the
    calls' drawing included; the best of `REPEATS`."""
    from agents.episodes import Episodes
    from agents.rules.rule_policy import RulePolicy
    from envs.scenario.scenario import Scenario

    voice = {"name": "voice", "kind": "real_time", "arrivals": {"rate_per_hour": 60 * CALLS_PER_MIN}}
    voice["handle_time"] = {"distribution": "exponential", "mean_s": CALL_S}
    groups = [{"name": "all", "count": QUEUE_REPS, "skills": ["voice"]}]
    center = Scenario.model_validate(
        {"name": "queue", "horizon": {"days": QUEUE_DAYS}, "channels": [voice], "groups": groups}
    )
    rule = RulePolicy("fifo", center)

    def play(repeat: int) -> float:
        (counts,) = Episodes(center, repeat).play(rule, np.arange(1))
        return float(counts["queue_count"]["arrived"].sum())

    return _best_per_second(play)


def queue_calls_per_second_simpy() -> float:
    """Return the same in SimPy, a process for each call."""
    import simpy

    def play(repeat: int) -> float:
        generator = np.random.default_rng(repeat)
        environment = simpy.Environment()
        reps = simpy.Resource(environment, capacity=QUEUE_REPS)
        came = 0

        def call() -> Generator[Any, Any, Any]:
            with reps.request() as turn:
                yield turn
                yield environment.timeout(generator.exponential(CALL_S))

        def arrivals() -> Generator[Any, Any, Any]:
            nonlocal came
            while True:
                yield environment.timeout(generator.exponential(60 / CALLS_PER_MIN))
                came += 1
                environment.process(call())

        environment.process(arrivals())
        environment.run(until=QUEUE_DAYS * 86_400)
        return came

    return _best_per_second(play)


def queue_calls_per_second_ciw() -> float:
    """Return the same in Ciw."""
    import ciw

    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(CALLS_PER_MIN)],
        service_distributions=[ciw.dists.Exponential(60 / CALL_S)],
        number_of_servers=[QUEUE_REPS],
    )

    def play(repeat: int) -> float:
        ciw.seed(repeat)
        simulation = ciw.Simulation(network)
        simulation.simulate_until_max_time(QUEUE_DAYS * 1440)
        return len(simulation.get_all_records())

    return _best_per_second(play)


def _best_per_second(play: Callable[[int], float]) -> float:
    """Return the most that `play`, which is given a seed and returns how much it has played, plays a second; the first
    of its runs compiles."""
    rates = []
    for repeat in range(1 + REPEATS):
        start = time.perf_counter()
        played = play(repeat)
        rates.append(played / (time.perf_counter() - start))
    return max(rates[1:])


def _steps_per_second(env: Any, actions: NDArray[np.integer[Any]]) -> float:
    """Return steps a second of a vector environment that takes `actions` (steps, rows)."""

    def play(repeat: int) -> float:
        for chosen in actions:
            env.step(chosen)
        return float(actions.size)

    return _best_per_second(play)


def cartpole_steps_per_second(batch: int = 256, steps: int = 200) -> float:
    """Return steps a second of Gymnasium's own vector form of CartPole, random actions."""
    import gymnasium

    env = gymnasium.make_vec("CartPole-v1", num_envs=batch, vectorization_mode="vector_entry_point")
    actions = np.random.default_rng(0).integers(2, size=(steps, batch))
    env.reset(seed=0)
    return _steps_per_second(env, actions)


def cartpole_steps_per_second_envpool(batch: int = 256, steps: int = 200) -> float:
    """Return the same in EnvPool, on one thread."""
    import envpool

    env = envpool.make_gymnasium("CartPole-v1", num_envs=batch, num_threads=1)
    actions = np.random.default_rng(0).integers(2, size=(steps, batch)).astype(np.int32)
    env.reset()
    return _steps_per_second(env, actions)


MEASURES = {
    "decisions_per_second_per_core": Measure(
        "decisions, bank, 256 rows, full observation", "1/s", lambda: decisions_per_second(256)
    ),
    "decisions_per_second_16_rows": Measure("the same, 16 rows", "1/s", lambda: decisions_per_second(16)),
    "rule_episodes_per_second": Measure(
        "weeks of bank, tuned expected_loss", "1/s", lambda: episodes_per_second("tuned")
    ),
    "rule_episodes_per_second_retail_peak": Measure(
        "episodes of retail_peak, tuned expected_loss", "1/s", lambda: episodes_per_second("tuned", "retail_peak")
    ),
    "network_episodes_per_second": Measure(
        "weeks of bank, exported policy", "1/s", lambda: episodes_per_second("pretrained")
    ),
    "two_thread_speedup": Measure(
        "weeks of bank, tuned rule, two threads against one",
        "",
        lambda: episodes_per_second("tuned", threads=2) / episodes_per_second("tuned"),
    ),
    "state_bytes": Measure("state of one environment, bank", "bytes", state_bytes),
    "state_bytes_retail_peak": Measure("the same, retail_peak", "bytes", lambda: state_bytes("retail_peak")),
    "state_bytes_tiny": Measure("the same, tiny", "bytes", lambda: state_bytes("tiny")),
    "training_steps_per_second": Measure("steps of MaskablePPO, bank", "1/s", training_steps_per_second),
    "training_speedup_over_stock": Measure(
        "the same against stock MaskablePPO with MultiInputPolicy",
        "",
        lambda: training_steps_per_second() / training_steps_per_second(is_stock=True),
    ),
    "growth_reps": Measure(
        "time of a decision, 1,000 reps against 20", "", lambda: crowded_ns(1000, 0) / crowded_ns(20, 0)
    ),
    "growth_backlog": Measure(
        "the same, 100,000 e-mails waiting against 100",
        "",
        lambda: crowded_ns(20, 100_000) / crowded_ns(20, 100),
    ),
    "queue_calls_per_second": Measure(
        "calls of an M/M/3 queue, fifo in the compiled loop", "1/s", queue_calls_per_second
    ),
    "queue_calls_per_second_simpy": Measure("the same in SimPy", "1/s", queue_calls_per_second_simpy, "simpy"),
    "queue_calls_per_second_ciw": Measure("the same in Ciw", "1/s", queue_calls_per_second_ciw, "ciw"),
    "cartpole_steps_per_second": Measure(
        "CartPole of Gymnasium, 256 rows", "1/s", cartpole_steps_per_second, "gymnasium"
    ),
    "cartpole_steps_per_second_envpool": Measure(
        "the same of EnvPool, where it is installed", "1/s", cartpole_steps_per_second_envpool, "envpool"
    ),
    "cold_start_s": Measure("nothing compiled to the first table of bank", "s", cold_start_s),
}
"""The figures, by key."""


if __name__ == "__main__":
    print(json.dumps(MEASURES[sys.argv[1]].find()))
