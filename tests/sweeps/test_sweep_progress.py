"""What a sweep says while it runs: costs so far, and the time left by what finished trials took."""

import io

import pytest
from rich.console import Console

from experiments.sweeps import sweep_progress
from experiments.sweeps.sweep_progress import SweepProgress
from experiments.sweeps.trial_process import TrialEnd
from experiments.sweeps.trials import Outcome, Trial


def trial(algorithm: str, seed: int) -> Trial:
    return Trial(f"tiny-{algorithm}-seed{seed}", "tiny", "tiny", algorithm, seed, (), ())


TRIALS = [trial(algorithm, seed) for algorithm in ("policy_search", "maskable_ppo") for seed in range(3)]


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    now_s = [0.0]
    monkeypatch.setattr(sweep_progress.time, "monotonic", lambda: now_s[0])
    return now_s


def end(place: int, cost_usd: float, wall_s: float) -> TrialEnd:
    return TrialEnd(TRIALS[place], Outcome(cost_usd, "fifo", 100.0, wall_s))


def test_time_left_is_of_the_same_scenario_and_algorithm(clock):
    progress = SweepProgress(TRIALS, [], Console(quiet=True))
    assert progress.time_left_text() == "time left not known yet"
    progress.start(TRIALS[0])
    progress.start(TRIALS[1])
    clock[0] = 100.0
    progress.end(end(0, 90.0, 100.0))
    # Of policy_search one runs since 100 s and should be over, one is left: 100 s by two workers; nothing is known of
    # maskable_ppo.
    assert progress.time_left_text() == "at least 50 s left"
    progress.end(end(1, 90.0, 200.0))
    progress.end(end(3, 110.0, 1000.0))
    progress.start(TRIALS[2])
    clock[0] = 130.0
    # Of policy_search 150 s in the mean, of which 30 s are over: 120 s; of maskable_ppo two of 1,000 s; 2,120 s by two.
    assert progress.time_left_text() == "about 17.7 min left"


def test_on_a_terminal_a_table_shows_trials_and_costs_so_far(clock):
    console = Console(force_terminal=True, width=120, record=True, file=io.StringIO())
    progress = SweepProgress(TRIALS, [end(0, 90.0, 60.0)], console)
    with progress.shown():
        progress.start(TRIALS[1])
        progress.end(end(2, 120.0, 120.0))
        progress.end(TrialEnd(TRIALS[3], None, "killed"))
        console.print(progress._table())
    cells = [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in console.export_text().splitlines() if "│" in line
    ]
    # 90 and 120 USD are 105 in the mean, 60 and 120 s are 90 s.
    assert ["tiny", "policy_search", "2 of 3", "1", "0", "105", "1.5 min"] in cells
    assert ["tiny", "maskable_ppo", "0 of 3", "0", "1", "-", "-"] in cells


def test_elsewhere_a_line_says_how_each_trial_ended(clock, capsys):
    progress = SweepProgress(TRIALS, [end(0, 90.0, 50.0)], Console())
    with progress.shown():
        progress.end(end(1, 120.0, 50.0))
        progress.end(TrialEnd(TRIALS[2], None, "killed by SIGKILL; its log is empty"))
    assert capsys.readouterr().out.splitlines() == [
        "6 trials, 1 of them finished already",
        "[2/6] tiny-policy_search-seed1: 120 USD/day, 20.00 against fifo, 50 s; at least 50 s left",
        "[3/6] tiny-policy_search-seed2: failed, killed by SIGKILL; its log is empty; time left not known yet",
    ]
