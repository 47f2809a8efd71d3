"""The command `blended transfer`: policies moved as they are, against rules moved with them and rules tuned anew there.

Room: `experiments.transfer`. Plays the scenario and its moves (`experiments.transfer.moves`); needs the extra `tune` if
rules are to be tuned anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from agents.catalog import PRETRAINED, NamedPolicy, load_policy
from agents.episodes import Episodes
from agents.rules.rule import Rule
from envs.arguments import check_whole
from envs.errors import ConfigurationError
from envs.scenario.scenario import Scenario
from experiments.comparison.comparison import require_different, run_benchmark
from experiments.comparison.tuned_rules import BEST_TUNED, CHOSEN_ROWS, choose_best, load_tuned, rules_of
from experiments.progress import episode_progress
from experiments.seeds import LARGEST_SEED, MOST_EPISODES, demand_seeds
from experiments.transfer.moves import MOVES, Move, moved
from experiments.transfer.transfer_result import RETUNED, TransferResult
from experiments.tuning.tuning_config import TuningConfig

DEFAULT_POLICIES = (PRETRAINED, BEST_TUNED, "fifo")


def transfer(
    scenario: Scenario,
    policies: Sequence[str] = DEFAULT_POLICIES,
    *,
    moves: Mapping[str, Move] = MOVES,
    episodes: int = 64,
    validation_episodes: int = 64,
    seed: int = 0,
    retune: int = 0,
    threads: int = 1,
) -> TransferResult:
    """Play `policies` in `scenario` after each of `moves`, on the same test episodes of each.

    Args:
        scenario: where the policies are at home; its name finds tuned and pretrained ones.
        policies: as `run_benchmark` takes them; the first is compared with the others. `best_tuned` and
            `best_published` are chosen at home, and move as they are.
        moves: by name.
        episodes: test episodes of each.
        validation_episodes: on which rules are chosen.
        seed: the user's.
        retune: trials of each tuned rule of the scenario in each moved center, from its values at home; the row
            `retuned` has the one that costs least on validation episodes there. 0: no such row.
        threads: on which rules, and exported policies, play.

    Raises:
        ConfigurationError: the scenario cannot move, has no policy of that name, or has no tuned rules.
    """
    seed = check_whole("seed", seed, high=LARGEST_SEED)
    episodes = check_whole("episodes", episodes, 2, MOST_EPISODES)
    retune = check_whole("retune", retune)
    if not policies:
        raise ConfigurationError("a transfer needs a policy at least")
    centers = {name: moved(scenario, move, f"{scenario.name}.{name}") for name, move in moves.items()}
    own = load_tuned(scenario.name).rules if retune else ()
    if own:
        _require_tuning()
    entrants = _load_all(policies, scenario, list(centers.values()))
    chosen = {}
    for place, entrant in enumerate(entrants):
        if entrant.rules:
            rules = [load_policy(rule, scenario) for rule in entrant.rules]
            best = choose_best(rules, scenario, seed=seed, episodes=validation_episodes, threads=threads)
            chosen[entrant.row] = best
            entrants[place] = entrant._replace(source=next(rule for rule in entrant.rules if rule.name == best))
    found, retuned = {}, {}
    for name, center in centers.items():
        line_up = [_in_center(entrant, center, threads) for entrant in entrants]
        if own:
            retuned[name] = tune_anew(own, center, retune, validation_episodes, seed, threads)
            line_up.append(NamedPolicy(RETUNED, retuned[name].make(center)))
        benchmark = run_benchmark(
            center, line_up, episodes=episodes, seed=seed, threads=threads, reference=line_up[0].name
        )
        found[name] = replace(benchmark.scenarios[center.name], chosen=chosen)
    return TransferResult(scenario.name, found, retuned)


class _Entrant(NamedTuple):
    """Who takes part.

    Attributes:
        row: its name in tables.
        source: what it is wherever it moves: a rule, or a text for `load_policy`.
        rules: of a row that validation at home fills, those among which it chooses.
    """

    row: str
    source: str | Rule
    rules: tuple[Rule, ...] = ()


def _load_all(policies: Sequence[str], scenario: Scenario, centers: list[Scenario]) -> list[_Entrant]:
    """Return who takes part; all that can be wrong with them, anywhere, is found here, before anything is played."""
    entrants = []
    for text in policies:
        row = text.strip()
        if row in CHOSEN_ROWS:
            entrants.append(_Entrant(row, row, rules_of(scenario.name, row)))
        else:
            loaded = load_policy(text, scenario)
            entrants.append(_Entrant(loaded.name, text if loaded.file is None else str(loaded.file)))
    require_different("policy", [entrant.row for entrant in entrants], "takes part twice: names must differ")
    if any(entrant.row == RETUNED for entrant in entrants):
        raise ConfigurationError(f"policy {RETUNED!r}: is the row of rules that are tuned anew: --retune TRIALS")
    for center in centers:
        for entrant in entrants:
            for source in entrant.rules or (entrant.source,):
                load_policy(source, center)
    return entrants


def _in_center(entrant: _Entrant, center: Scenario, threads: int) -> NamedPolicy:
    """Return the policy in one center, under the name of its row."""
    return replace(load_policy(entrant.source, center, threads=threads), name=entrant.row)


def _require_tuning() -> None:
    from experiments.extras import require_extra

    with require_extra("tune", "--retune"):
        import experiments.tuning.search  # noqa: F401 (whether it can be)


def tune_anew(
    rules: Sequence[Rule], center: Scenario, trials: int, validation_episodes: int, seed: int, threads: int
) -> Rule:
    """Return the best on validation episodes of `rules` and what `trials` trials of each find on training episodes; a
    trial plays as many, and so many trials are judged, as by default in `blended tune`."""
    from experiments.tuning.search import free_parameters, search

    tuning = TuningConfig()
    seeds = demand_seeds(seed)
    training = Episodes(center, seeds.train, threads=threads)
    found: dict[str, Rule] = {}
    with episode_progress() as progress:
        for rule in rules:
            found[f"{rule.name}.0"] = rule
            bounds = free_parameters(rule, center)  # which the size of a center moves
            if not bounds:
                continue
            values = rule.values_of(bounds)
            start = rule.with_values({free.key: min(max(values[free.key], free.low), free.high) for free in bounds})
            task = progress.add_task(f"{center.name}: {rule.name}", total=trials)
            tuned = search(
                start,
                training,
                n_episodes=tuning.episodes,
                seed=seeds.train,
                trials=trials,
                minutes=float("inf"),
                shortlist=tuning.shortlist,
                progress=lambda count, task=task: progress.advance(task, count),  # type: ignore[misc]
            )
            progress.remove_task(task)
            found |= {f"{rule.name}.{place}": form for place, form in enumerate(tuned.rules, start=1)}
        played = [NamedPolicy(name, rule.make(center)) for name, rule in found.items()]
        best = choose_best(played, center, seed=seed, episodes=validation_episodes, threads=threads, progress=progress)
    return found[best]
