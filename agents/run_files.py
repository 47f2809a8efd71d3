"""The names of the files in a run folder: what a training or a tuning writes, and what reads it again.

Room: `agents`. Constants only; imports nobody. Names are relative to the folder of the run (`experiments.run_folder`).
"""

# Of every run.
PROVENANCE_FILE = "provenance.json"
"""Command, versions, date and commit."""

# Of a training (`experiments.training.train`).
TRAINING_FILE = "training.yaml"
"""The configuration, resolved."""
SCENARIO_FILE = "scenario.yaml"
KEYS_WITHOUT_EFFECT = ("description", "threads", "checkpoint")
"""Keys of the configuration that make no other training. Another number of `threads` changes the last bits of
gradients, whose sums are then made in another order, and nothing of a search."""
NETWORK_FILE = "network.json"
"""The settings of the network, which its weights need."""
CHECKPOINTS_FOLDER = "checkpoints"
START_FILE = f"{CHECKPOINTS_FOLDER}/start.pt"
"""Weights before anything was learned."""
SEARCH_FILE = "search.csv"
"""Every generation of the policy search: episodes played, costs, and the step size of the search."""
ADJUSTED_RULE_FILE = "adjusted.yaml"
"""The best adjustments of the policy search so far, a policy file."""
ADJUSTED_FILE = f"{CHECKPOINTS_FOLDER}/adjusted.pt"
"""Weights after the prior was adjusted."""
CLASSIFICATION_FILE = "classification.csv"
"""Every pass of controlled learning over the rollouts: its loss, and what the network then saves a decision."""
CLASSIFIED_FILE = f"{CHECKPOINTS_FOLDER}/classified.pt"
"""Weights after controlled learning."""
BEST_FILE = f"{CHECKPOINTS_FOLDER}/best.pt"
"""Weights that cost least on validation episodes."""
VALIDATION_FILE = "validation.csv"
"""What each validation cost, in both modes."""
SELECTION_FILE = "selection.json"
"""Which checkpoint and mode were chosen, and what they cost on validation episodes."""
CHOICE_KEYS = ("mode", "validation_cost_usd", "provenance")
"""What `SELECTION_FILE` says of the policy that was chosen."""
TENSORBOARD_FOLDER = "tensorboard"
METRICS_FILE = "metrics.csv"
"""What TensorBoard shows of policy and rules, a row a number: `run`, `tag`, `step` (decisions trained on so far; of
`classification/…` the pass) and `seconds` of training so far, `value`."""
METRICS_COLUMNS = ("run", "tag", "step", "seconds", "value")
LEARNED_ROW = "learned"
"""The name of the trained policy, everywhere: in the log, in tables and as a row of the test."""
LEARNED_AT_START_ROW = "learned_at_start"
"""The row of the network before its first update."""
ADJUSTED_RULE_ROW = "adjusted_rule"
"""The row of what policy search had found, where more came after it."""
STAGE_ROWS = (LEARNED_AT_START_ROW, ADJUSTED_RULE_ROW)
"""Rows of the test that are earlier stages of the same training."""
COST_TAG = "cost/total_usd"
"""The tag of what counts: the total cost a day on the validation episodes, acting greedily."""
STATE_FOLDER = "state"
"""Checkpoints of everything, from which the training can go on."""
POLICY_FILE = "policy.onnx"
"""The chosen policy, exported."""
LOCK_FILE = "lock"
"""Empty; locked by the process that trains."""
FINISHED_FILE = "finished"
"""Empty; there once nothing is left to do."""
BENCHMARK_JSON_FILE = "benchmark.json"
BENCHMARK_CSV_FILE = "benchmark.csv"
"""The test of the chosen policy."""

# Of a tuning (`experiments.tuning.tune`).
TUNING_FILE = "tuning.yaml"
"""The configuration, resolved."""
SCENARIOS_FOLDER = "scenarios"
STUDIES_FILE = "studies.journal"
"""Optuna's studies."""
RESULT_FILE = "result.json"
"""Costs before and after."""


def checkpoint_file(steps: int) -> str:
    """Return the file of the weights after `steps` decisions."""
    return f"{CHECKPOINTS_FOLDER}/step_{steps:09d}.pt"


def state_file(number: int) -> str:
    """Return the file of the whole state of a training when it was kept for the `number`-th time."""
    return f"{STATE_FOLDER}/{number:06d}.pt"
