"""A training under way: what all its stages share, and all that it would need to go on after it died.

Room: `experiments.training.run`. Touches the run folder, and the generators of random numbers of this process.

A run is a row of stages. What is kept is the state of the stage it is in, the network, the choice so far, the log's
sizes, the time that was used, and the random numbers: a run that goes on from there gives the same bits as one that
never stopped, on the same machine at the same number of threads. What was written since is written again. One process
at a time trains in a folder.
"""

import fcntl
import hashlib
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from rich.console import Console

from agents.learning.network import CandidateScorer
from agents.run_files import BEST_FILE, LOCK_FILE, SELECTION_FILE, START_FILE
from envs.errors import ConfigurationError
from envs.scenario.scenario import Scenario
from experiments.training.checkpoint_choice import Selection
from experiments.training.run.kept_states import KeptStates
from experiments.training.run.reference_lines import ReferenceLines
from experiments.training.run.run_log import RunLog, cut_back
from experiments.training.training_config import TrainingConfig

SEARCH, ROLLOUTS, GRADIENTS, EXPORT = STAGES = (
    "policy_search",
    "controlled_learning",
    "gradients",
    "export",
)
"""The stages, in order; a run passes over those that its algorithm does not have."""


FORMAT = 1
"""Of the states; one more whenever what stands in them becomes something else."""


def digest_of(file: Path) -> str:
    """Return the SHA-256 of a file; nothing if there is none."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def _lock(folder: Path) -> TextIO:
    """Return a file of a run that this process alone has locked, until it is closed; raises `ConfigurationError` if
    another one has."""
    stream = (folder / LOCK_FILE).open("w")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        stream.close()
        raise ConfigurationError(f"{folder}: another process is training there") from None
    return stream


class TrainingRun:
    """The training of `config` in `scenario`, in `folder`, new or going on.

    `stage` is where it is; `selection` the choice so far; `lines` the rules beside which the learner is drawn;
    `decisions` those on which the stages that are over have trained.
    """

    lines: ReferenceLines
    decisions: int = 0

    def __init__(
        self, folder: Path, scenario: Scenario, config: TrainingConfig, device: torch.device, console: Console
    ) -> None:
        self.folder, self.scenario, self.config = folder, scenario, config
        self.device, self.console = device, console
        self.selection = Selection()
        self._lock = _lock(folder)
        self._states = KeptStates(folder)
        self._kept = self._states.latest(self.say)
        self._check_state()
        cut_back(folder, {} if self._kept is None else self._kept["sizes"])
        if self._kept is not None:
            self.selection = Selection(**self._kept["selection"])
            self.lines = ReferenceLines(self._kept["lines"])
            self.decisions = self._kept["decisions"]
        self._digests: dict[str, str] | None = None if self._kept is None else self._kept["digests"]
        self.stage: str = STAGES[0] if self._kept is None else self._kept["stage"]
        self.log = RunLog(folder)
        self._used_s = 0.0 if self._kept is None else float(self._kept["seconds"])
        self._start_s = self._last_s = time.monotonic()

    def close(self) -> None:
        """Let other processes go on with the run."""
        self.log.close()
        self._lock.close()

    def _check_state(self) -> None:
        """Raise `ConfigurationError` if the state is of another form than this version keeps; say if the same bits
        cannot be expected of it."""
        if self._kept is None:
            return
        if self._kept.get("format") != FORMAT:
            raise ConfigurationError(
                f"{self.folder}: was kept by another version of this project, which must go on with it"
            )
        for name, now in self._circumstances().items():
            if self._kept["circumstances"].get(name) != now:
                before = self._kept["circumstances"].get(name)
                self.say(f"{name} is {now}, and was {before}: the run goes on, but not bit for bit as it would have")

    def _circumstances(self) -> dict[str, str]:
        """Return on what the bits of a result depend beside the configuration."""
        return {"numpy": np.__version__, "torch": str(torch.__version__), "device": self.device.type}

    def require_chosen(self) -> None:
        """Raise `ConfigurationError` unless the weights and the choice in the folder are those that were kept last."""
        for name, kept in (self._digests or {}).items():
            if digest_of(self.folder / name) != kept:
                raise ConfigurationError(
                    f"{self.folder / name}: is no longer what the training wrote, so it cannot be exported"
                )

    def say(self, text: str) -> None:
        """Print a line of text."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def seconds(self) -> float:
        """Return the seconds that the run has taken so far, without those in which it was not there."""
        return self._used_s + time.monotonic() - self._start_s

    @property
    def goes_on(self) -> bool:
        """True if the run was begun before."""
        return self._kept is not None

    def is_past(self, stage: str) -> bool:
        """Return whether `stage` was over when the state was kept from which the run goes on."""
        return STAGES.index(self.stage) > STAGES.index(stage)

    def own_state(self, stage: str) -> dict[str, Any] | None:
        """Return what `stage` kept of itself if the run goes on in the middle of it; None if it is to begin."""
        if self._kept is None or self._kept["stage"] != stage:
            return None
        state: dict[str, Any] | None = self._kept["own"]
        return state

    def load_network(self, network: CandidateScorer) -> None:
        """Give `network` the weights that were kept, if the run goes on."""
        if self._kept is not None:
            network.load_state_dict(self._kept["network"])

    def restore_random_numbers(self) -> None:
        """Set the generators of this process to where they were when the state was kept; nothing in a new run."""
        if self._kept is None:
            return
        kept = self._kept["random"]
        version, words, gauss = kept["python"]
        random.setstate((version, tuple(words), gauss))
        np.random.set_state(tuple(kept["numpy"]))  # noqa: NPY002  # what Stable-Baselines3 draws from
        torch.set_rng_state(kept["torch"])
        if kept["cuda"] and self.device.type == "cuda":
            torch.cuda.set_rng_state_all(kept["cuda"])

    def is_due(self) -> bool:
        """Return whether it is time to keep a state again."""
        return time.monotonic() - self._last_s >= self.config.checkpoint.every_s

    def keep(self, stage: str, network: CandidateScorer, own: Mapping[str, Any] | None = None) -> None:
        """Keep the run as it is now: in the middle of `stage`, whose state is `own`, or at its beginning."""
        self.stage = stage
        present = [name for name in (BEST_FILE, SELECTION_FILE, START_FILE) if (self.folder / name).is_file()]
        self._digests = {name: digest_of(self.folder / name) for name in present}
        version, words, gauss = random.getstate()
        self._states.keep(
            {
                "format": FORMAT,
                "circumstances": self._circumstances(),
                "digests": self._digests,
                "stage": stage,
                "own": own,
                "network": network.state_dict(),
                "selection": vars(self.selection),
                "lines": self.lines.values,
                "decisions": self.decisions,
                "sizes": self.log.sizes(),
                "seconds": self.seconds(),
                "random": {
                    "python": (version, list(words), gauss),
                    "numpy": np.random.get_state(),  # noqa: NPY002
                    "torch": torch.get_rng_state(),
                    "cuda": torch.cuda.get_rng_state_all() if self.device.type == "cuda" else [],
                },
            }
        )
        self._last_s = time.monotonic()
