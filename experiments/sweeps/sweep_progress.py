"""How far a sweep is: a table that changes on a terminal, elsewhere a line a trial.

Room: `experiments.sweeps`. Writes to the terminal only; asks the clock.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import fmean

from rich.console import Console
from rich.live import Live
from rich.table import Table

from experiments.sweeps.trial_process import TrialEnd
from experiments.sweeps.trials import Trial
from experiments.texts import amount_text, duration_text

Group = tuple[str, str]
"""Scenario and algorithm, whose trials are taken to last equally long."""


def group_of(trial: Trial) -> Group:
    """Return the scenario and the algorithm of a trial."""
    return trial.label, trial.algorithm


class SweepProgress:
    """What is known while a sweep runs.

    Args:
        trials: all of the sweep.
        finished: how those ended that are not run again.
        console: where to say it.
    """

    def __init__(self, trials: Sequence[Trial], finished: Sequence[TrialEnd], console: Console) -> None:
        self._trials = trials
        self._ends = {end.trial: end for end in finished}
        self._running: dict[Trial, float] = {}
        self._most_running = 1
        self._console = console

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the table on a terminal for the block; elsewhere say how many trials are to be run."""
        if self._console.is_terminal:
            with Live(get_renderable=self._table, console=self._console, transient=True, refresh_per_second=2):
                yield
            return
        finished, total = len(self._ends), len(self._trials)
        self._console.print(f"{total} trials, {finished} of them finished already", highlight=False)
        yield

    def start(self, trial: Trial) -> None:
        """Note that a trial runs; one that is tried again goes on counting from its first start."""
        self._running.setdefault(trial, time.monotonic())
        self._most_running = max(self._most_running, len(self._running))

    def end(self, end: TrialEnd) -> None:
        """Note how a trial ended, and say it where there is no table."""
        self._running.pop(end.trial, None)
        self._ends[end.trial] = end
        if not self._console.is_terminal:
            counted = f"[{len(self._ends)}/{len(self._trials)}] {end.trial.name}: "
            text = f"{counted}{_end_text(end)}; {self.time_left_text()}"
            self._console.print(text, highlight=False, soft_wrap=True)

    def time_left_text(self) -> str:
        """Return how long the trials that are left may take, by what finished ones of the same scenario and algorithm
        took; groups without a finished trial are not in it."""
        left = [trial for trial in self._trials if trial not in self._ends]
        known_s = [(trial, self._duration_s(group_of(trial))) for trial in left]
        now_s = time.monotonic()
        work_s = [
            max(duration_s - (now_s - self._running.get(trial, now_s)), 0.0)
            for trial, duration_s in known_s
            if duration_s is not None
        ]
        if not left:
            return "nothing left"
        if not work_s:
            return "time left not known yet"
        at_least = "about" if len(work_s) == len(left) else "at least"
        return f"{at_least} {duration_text(sum(work_s) / self._most_running)} left"

    def _duration_s(self, group: Group) -> float | None:
        """Return what finished trials of a group took, seconds in the mean; None without one."""
        took_s = [
            end.outcome.wall_s
            for end in self._ends.values()
            if end.outcome is not None and group_of(end.trial) == group
        ]
        return fmean(took_s) if took_s else None

    def _table(self) -> Table:
        columns = ("scenario", "algorithm", "finished", "running", "failed", "cost so far, USD/day", "time of a trial")
        table = Table(caption=self.time_left_text())
        for column in columns:
            table.add_column(column, justify="left" if column in columns[:2] else "right")
        for group in dict.fromkeys(map(group_of, self._trials)):
            own = [trial for trial in self._trials if group_of(trial) == group]
            outcomes = [self._ends[trial].outcome for trial in own if trial in self._ends]
            costs_usd = [found.cost_usd for found in outcomes if found is not None and found.cost_usd is not None]
            failed = sum(found is None for found in outcomes)
            duration_s = self._duration_s(group)
            table.add_row(
                *group,
                f"{len(outcomes) - failed} of {len(own)}",
                str(sum(trial in self._running for trial in own)),
                str(failed),
                amount_text(fmean(costs_usd)) if costs_usd else "-",
                "-" if duration_s is None else duration_text(duration_s),
            )
        return table


def _end_text(end: TrialEnd) -> str:
    outcome = end.outcome
    if outcome is None:
        return f"failed, {end.problem}"
    cost = "finished" if outcome.cost_usd is None else f"{amount_text(outcome.cost_usd)} USD/day"
    if outcome.difference_usd is not None:
        cost += f", {amount_text(outcome.difference_usd)} against {outcome.best_rule}"
    return f"{cost}, {duration_text(outcome.wall_s)}"
