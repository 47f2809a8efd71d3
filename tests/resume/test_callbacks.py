"""Callbacks of Stable-Baselines3 in a training, by name and as objects."""

import pytest
from faults import no_export, small_training
from pydantic import ValidationError
from stable_baselines3.common.callbacks import BaseCallback

from envs.errors import ConfigurationError
from experiments.training import train as trainings
from experiments.training.training_config import load_training


class Counts(BaseCallback):
    """Counts steps, and stops after some decisions."""

    def __init__(self, most: int = 10**9) -> None:
        super().__init__()
        self.most, self.steps = most, 0

    def _on_step(self) -> bool:
        self.steps += 1
        return self.num_timesteps < self.most


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(trainings, "export_policy", no_export)


@pytest.mark.parametrize("algorithm", ["maskable_ppo", "masked_dqn", "masked_qrdqn"])
def test_an_object_meets_every_step(algorithm, tmp_path):
    counts = Counts()
    config = small_training(algorithm)
    trainings.train(config, experiment="x", runs_folder=tmp_path, device="cpu", callbacks=[counts], progress_bar=False)
    assert counts.steps == config.gradient_steps / 4  # four environments


def test_one_that_returns_false_ends_the_learning_with_the_best_so_far(tmp_path):
    found = trainings.train(
        small_training("maskable_ppo"),
        experiment="x",
        runs_folder=tmp_path,
        device="cpu",
        callbacks=[Counts(most=300)],
        progress_bar=False,
    )
    assert found.selection.validations[-1]["steps"] == 300
    assert trainings.is_finished(found.folder)


def test_a_file_names_classes_of_a_file_beside_it(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from stable_baselines3.common.callbacks import BaseCallback\n"
        "class Early(BaseCallback):\n"
        "    def _on_step(self):\n"
        "        return self.num_timesteps < 100\n"
    )
    (tmp_path / "mine.yaml").write_text("scenario: tiny\nppo: {}\ncallbacks: ['mine.py:Early']\n")
    config = load_training(tmp_path / "mine.yaml")
    assert config.callbacks == (f"{tmp_path / 'mine.py'}:Early",)
    (callback,) = trainings.load_callbacks(config)
    assert isinstance(callback, BaseCallback)


def test_what_is_no_callback_is_named_before_the_run_is_made(tmp_path):
    (tmp_path / "mine.py").write_text("class Early:\n    pass\n")
    config = small_training("maskable_ppo", callbacks=(f"{tmp_path / 'mine.py'}:Early",))
    with pytest.raises(ConfigurationError, match=r"callback = '.*mine\.py:Early': must be a class with on_step\(\)"):
        trainings.train(config, experiment="x", runs_folder=tmp_path / "runs", device="cpu")
    assert not (tmp_path / "runs").exists()


def test_an_algorithm_without_steps_of_a_learner_takes_none():
    with pytest.raises(ValidationError, match="policy_search has no step of a learner"):
        small_training("policy_search", callbacks=("mine.py:Early",))
