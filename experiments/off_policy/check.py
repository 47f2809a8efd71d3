"""Off-policy evaluation against the truth, for `make ope`: many small logs, each valued alone.

Room: `experiments.off_policy`. Records logs into a temporary folder, prints, and writes the file that it is asked for.

Every log is one that a user could have: `blended evaluate SOFTENED.yaml --seed J --episodes N --record DIR`, read back
as `blended ope` reads it. The truth is what a policy costs in expectation: exact where the scenario is a small Markov
chain, else the mean of many test episodes of a seed that no log has. Bias and root mean square error are shares of the
truth; coverage is the share of the intervals that hold it, of those logs in which the estimator said something.
"""

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from agents.catalog import NamedPolicy, load_policy
from agents.episodes import Episodes
from agents.exploration.policy_file import SoftenedRule
from envs.errors import ConfigurationError
from envs.scenario.scenario import Scenario, load_scenario
from experiments.comparison.outcomes import episode_costs_usd, play
from experiments.console import table_console
from experiments.off_policy.estimate import Estimate
from experiments.off_policy.evaluation import estimate_all
from experiments.off_policy.logged_days import read_days
from experiments.off_policy.marginalised import make_cells
from experiments.optimum.certify import edges_of
from experiments.optimum.finite_horizon import expected_cost_usd
from experiments.optimum.markov_chain import explore
from experiments.optimum.markovian_scenario import MarkovianScenario
from experiments.progress import episode_progress
from experiments.records.reading import DecisionFile, find_decisions
from experiments.records.recorder import RecordFolder
from experiments.run_folder import write_json
from experiments.seeds import demand_seeds
from experiments.texts import json_number

N_LOGS = 100
TRUTH_EPISODES = 5_000
TRUTH_SEED = 1_000_000
"""Of the test episodes over which a truth is a mean; logs have the seeds 0, 1, …"""


@dataclass(frozen=True)
class Case:
    """Logs of a softened rule in a scenario, `episodes` each, and the policies that they are to tell of."""

    scenario: str
    overrides: tuple[str, ...]
    of: str
    explore_frac: float
    episodes: int
    policies: tuple[str, ...]


CASES = (
    Case(
        "certify_interrupt",
        ("horizon.days=0.125",),
        "voice_first",
        0.4,
        60,
        ("voice_first", "voice_first_interrupting"),
    ),
    Case("tiny", (), "voice_first_interrupting", 0.3, 60, ("voice_first_interrupting", "expected_loss")),
    Case("two_clients", ("horizon.days=0.375",), "value_first", 0.2, 30, ("value_first", "expected_loss")),
)


@dataclass(frozen=True)
class Verdict:
    """What an estimator's logs said of a policy: truth and errors in USD/day, NaN where it said nothing."""

    case: Case
    policy: str
    truth_usd: float
    truth_error_usd: float
    estimator: str
    found: tuple[Estimate, ...]

    @property
    def said(self) -> list[Estimate]:
        """The estimates that were not refused."""
        return [each for each in self.found if each.refused is None]

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as plain data."""
        errors = np.array([each.cost.mean - self.truth_usd for each in self.said])
        rounding_usd = 1e-9 * self.truth_usd  # where all that agree cost the same, an interval has no length
        holds = [each.cost.low - rounding_usd <= self.truth_usd <= each.cost.high + rounding_usd for each in self.said]
        return {
            "scenario": self.case.scenario,
            "policy": self.policy,
            "estimator": self.estimator,
            "truth_usd": self.truth_usd,
            "truth_standard_error_usd": self.truth_error_usd,
            "logs": len(self.found),
            "said": len(self.said),
            "bias_frac": json_number(float(errors.mean()) / self.truth_usd) if holds else None,
            "rmse_frac": json_number(float(np.sqrt((errors**2).mean())) / self.truth_usd) if holds else None,
            "coverage_frac": float(np.mean(holds)) if holds else None,
            "effective_days": float(np.mean([each.effective_days for each in self.found])),
        }


def find_truth(scenario: Scenario, named: NamedPolicy, case: Case) -> tuple[float, float]:
    """Return the expected cost of a policy and the standard error of that, USD/day: 0 where it is exact."""
    try:
        markovian = MarkovianScenario.model_validate(scenario.model_dump())
    except ValueError:  # of another class: simulated
        costs_usd = episode_costs_usd(
            Episodes(scenario, demand_seeds(TRUTH_SEED).test), named.policy, np.arange(TRUTH_EPISODES)
        )
        return float(costs_usd.mean()), float(costs_usd.std(ddof=1) / math.sqrt(TRUTH_EPISODES))
    chain = explore(markovian)
    edges = edges_of(chain, named.policy.predict(chain.observations))
    horizon_s = scenario.horizon.days * 86_400.0
    return expected_cost_usd(chain, edges, horizon_s) / math.ceil(scenario.horizon.days), 0.0


def check_case(case: Case, n_logs: int, progress: Progress) -> list[Verdict]:
    """Return the verdict on every estimator for every policy of a case."""
    scenario = load_scenario(case.scenario, case.overrides)
    named = [load_policy(text, scenario) for text in case.policies]
    softened = SoftenedRule(rule="softened", of=case.of, explore_frac=case.explore_frac).make(scenario)
    logging = NamedPolicy("softened", softened, deterministic=False)
    task = progress.add_task(f"{scenario.name}: logs", total=n_logs)
    found: dict[str, list[list[Estimate]]] = {each.name: [] for each in named}
    for seed in range(n_logs):
        with TemporaryDirectory() as folder:
            records = RecordFolder(Path(folder) / "records")
            episodes = Episodes(scenario, demand_seeds(seed).test)
            with records.open(scenario, logging, seed) as recorder:
                play(logging, episodes, case.episodes, recorder=recorder)
            logged, counterparts = read_days(DecisionFile(find_decisions(records.folder)), named)
        cells = make_cells(logged.states)
        for counterpart in counterparts:
            found[counterpart.name].append(estimate_all(logged, counterpart, cells))
        progress.advance(task)
    verdicts = []
    for each in named:
        truth = find_truth(scenario, each, case)
        for estimates in zip(*found[each.name], strict=True):
            verdicts.append(Verdict(case, each.name, *truth, estimates[0].estimator, estimates))
    return verdicts


def show(verdicts: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print a row for each scenario, policy and estimator."""
    table = Table(title="off-policy evaluation against the truth")
    for column in ("scenario", "policy", "USD/day", "estimator", "said", "bias", "RMSE", "coverage", "effective days"):
        table.add_column(column, justify="left" if column in ("scenario", "policy", "estimator") else "right")
    for each in verdicts:
        fracs = (each[key] for key in ("bias_frac", "rmse_frac", "coverage_frac"))
        table.add_row(
            each["scenario"],
            each["policy"],
            f"{each['truth_usd']:,.1f}",
            each["estimator"],
            f"{each['said']} of {each['logs']}",
            *("-" if frac is None else f"{100 * frac:.1f} %" for frac in fracs),
            f"{each['effective_days']:.0f}",
        )
    console.print(table)


def main() -> None:
    """Check, print, and write the file that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m experiments.off_policy.check", description=__doc__)
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the table's figures")
    parser.add_argument("--logs", metavar="N", type=int, default=N_LOGS, help=f"logs of each case, default {N_LOGS}")
    parser.add_argument("--scenarios", metavar="NAME", nargs="+", default=[case.scenario for case in CASES])
    arguments = parser.parse_args()
    verdicts = []
    try:
        with episode_progress() as progress:
            for case in CASES:
                if case.scenario in arguments.scenarios:
                    verdicts += [each.as_json() for each in check_case(case, arguments.logs, progress)]
                    if arguments.json is not None:  # case by case, since each takes minutes
                        write_json(arguments.json, {"logs": arguments.logs, "verdicts": verdicts})
    except ConfigurationError as error:
        parser.error(str(error))
    show(verdicts, table_console())


if __name__ == "__main__":
    main()
