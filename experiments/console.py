"""The console on which commands print their tables, and what they say beside them.

Room: `experiments`. Touches rich, scenarios and policies. Names and paths are the user's own: brackets in them are no
markup.
"""

from collections.abc import Iterable

from rich.console import Console

from agents.catalog import NamedPolicy
from envs.inputs.record_doubts import record_doubts
from envs.scenario.scenario import Scenario


def table_console() -> Console:
    """Return a console for tables; where the output is a file or a pipe it is wide, so that nothing is
    folded."""
    console = Console(markup=False)
    return console if console.is_terminal else Console(width=160, markup=False)


def message_console() -> Console:
    """Return a console for what is said beside a result, on standard error."""
    return Console(stderr=True, markup=False)


def say_doubts(scenarios: Iterable[Scenario], console: Console | None = None) -> None:
    """Print what of the scenarios' records disagrees with their laws, on standard error unless a console is given."""
    console = console or message_console()
    for scenario in scenarios:
        for doubt in record_doubts(scenario):
            console.print(f"{scenario.name}: {doubt}", highlight=False, soft_wrap=True, markup=False)


def say_policy_doubts(policies: Iterable[NamedPolicy], console: Console | None = None) -> None:
    """Print what is doubtful of the files of policies, as `agents.exported_policy.ExportedPolicy.doubt` says, on
    standard error unless a console is given."""
    console = console or message_console()
    for named in policies:
        doubt = getattr(named.policy, "doubt", None) if named.file is not None else None
        if doubt is not None:
            console.print(f"policy {named.name}: {doubt}", highlight=False, soft_wrap=True, markup=False)
