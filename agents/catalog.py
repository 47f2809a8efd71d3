"""The catalog of policies: from what a user writes to an object that predicts.

Room: `agents`. Touches the baselines; onnxruntime only when a file is asked for, and never the training stack.
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from agents.exploration.policy_file import PolicyFile, SoftenedRule
from agents.policy import Policy
from agents.rules.compiled.choice import BASELINES
from agents.rules.registry import RULE_NAMES, default_rule
from agents.rules.rule import Rule
from agents.rules.rule_policy import RulePolicy
from agents.run_files import LEARNED_ROW, STAGE_ROWS
from agents.table_policy import TablePolicy
from agents.user_code import is_file, load_class, telling
from envs.configuration.document import REPOSITORY_FOLDER, load_yaml, validate
from envs.configuration.messages import did_you_mean
from envs.errors import ConfigurationError
from envs.scenario.scenario import Scenario

PRETRAINED = "pretrained"
"""The policy that is shipped for the scenario, `PRETRAINED_FOLDER`/<scenario>.onnx."""
LEARNED_ROWS = (LEARNED_ROW, *STAGE_ROWS, PRETRAINED)
"""Rows of the test of a training that were learned; all others are rules, or policies of the user's own."""
PRETRAINED_FOLDER = REPOSITORY_FOLDER / "agents" / "pretrained"
FORMS = (
    "a rule's name, pretrained, a policy FILE.yaml, an exported FILE.onnx, a table FILE.json, module:Class, "
    "FILE.py:Class or sb3:FILE.zip"
)
STOCK_MODEL = re.compile(r"sb3:(?:(?P<algorithm>\w+):)?(?P<file>.+)", re.DOTALL)
"""A model of Stable-Baselines3, where the file does not tell its algorithm with that before it."""
StockLoader = Callable[[Path, str | None, Scenario], Policy]
"""What makes a policy of such a file, `agents.learning.sb3_policy.load_model`; it runs code that the file holds."""


@dataclass(frozen=True)
class NamedPolicy:
    """A policy, the name of its row in tables and files, how it acts, greedily or by sampling, and the file from which
    it was read, if it was from one."""

    name: str
    policy: Policy
    deterministic: bool = True
    file: Path | None = None


def load_policy(
    text: str | Rule, scenario: Scenario, *, threads: int = 1, load_stock: StockLoader | None = None
) -> NamedPolicy:
    """Return the policy that `text` means, made for `scenario`.

    `text` is a rule as a configuration states it, or one of
    * a baseline's name, such as `fifo`, or that of a rule, such as `cmu`, which then has its defaults;
    * `pretrained`, the policy that is shipped for the scenario;
    * the path of a policy file, `FILE.yaml` (`agents.exploration.policy_file`); its `name` is the row's;
    * the path of an exported policy, `FILE.onnx`; it acts in the mode that stands in the file;
    * the path of a table from state to state, `FILE.json` or `FILE.json.gz` (`agents.table_policy`);
    * `module:Class` or `FILE.py:Class`, a policy of the user's own (`agents.user_code` finds it). It is made as
      `Class(scenario)`, or as `Class()` if it needs no argument, and has `predict` as `agents.checked_policy` reads
      it. If it samples, it may have `seed(seed)`, a number of 32 bits, which a benchmark calls before its first
      episode;
    * `sb3:FILE.zip` or `sb3:ALGORITHM:FILE.zip`, a model of Stable-Baselines3, only with `load_stock`, which is given
      by whoever trusts the file;
    each optionally behind a name of its own, `name=text`; otherwise the text is the name.

    Raises:
        ConfigurationError: there is no such policy, it does not fit the scenario, or the user's own code raises an
            error, which is named with its line and is the cause (`__cause__`).
    """
    if isinstance(text, Rule):
        return NamedPolicy(text.name, text.make(scenario))
    if not isinstance(text, str):
        raise ConfigurationError(
            f"policy = {type(text).__name__} object: must be {FORMS}; wrap an object as NamedPolicy"
        )
    name, source = _split(text)
    if not name or not source:
        raise ConfigurationError(f"policy = {text!r}: must be {FORMS}, or name= and one of these")
    if source in BASELINES:
        return NamedPolicy(name, RulePolicy(source, scenario))
    if source in RULE_NAMES:
        return replace(load_policy(default_rule(source), scenario), name=name)
    if source == PRETRAINED:
        return replace(load_policy(str(_pretrained_file(scenario)), scenario, threads=threads), name=name)
    if source.endswith((".yaml", ".yml")):
        stated = validate(load_yaml(Path(source)), PolicyFile, "policy").root
        name = name if name != source else stated.name
        return NamedPolicy(name, stated.make(scenario), not isinstance(stated, SoftenedRule), file=Path(source))
    if source.endswith((".json", ".json.gz")):
        return NamedPolicy(name, TablePolicy(Path(source), scenario), file=Path(source))
    if source.endswith(".onnx"):
        from agents.exported_policy import ExportedPolicy

        exported = ExportedPolicy(Path(source), scenario, threads=threads)
        return NamedPolicy(name, exported, deterministic=exported.mode == "greedy", file=Path(source))
    if (stock := STOCK_MODEL.fullmatch(source)) is not None:
        return _load_stock(name, stock, scenario, load_stock)
    if ":" in source:
        return NamedPolicy(name, _make_own_policy(source, scenario))
    known = tuple(dict.fromkeys((*BASELINES, *RULE_NAMES, PRETRAINED)))
    hint = did_you_mean(source, known) or f" (known: {', '.join(known)})"
    if source.endswith(".zip"):
        hint = f"; a model of Stable-Baselines3 is sb3:{source}"
    if "=" in source:
        hint = "; a name before the first = must have no / in it, and what follows it is the policy"
    raise ConfigurationError(f"policy = {source!r}: no such policy; must be {FORMS}{hint}")


def locate_policy(text: str, base: Path) -> str:
    """Return a text that `load_policy` understands with the whole path of the file that it names, if any, where
    relative paths begin in `base`. The policy keeps its name; in place of a path that is the name of the file."""
    name, source = _split(text, base)
    name = "" if name == source else name
    before, file, after = _parts(source)
    names_file = file.endswith((".yaml", ".yml", ".json", ".json.gz", ".onnx", ".py", ".zip"))
    if not names_file or Path(file).is_absolute() or base == Path():
        return text
    if not name and not file.endswith((".yaml", ".yml")):  # such a file says itself what its policy is called
        name = f"{before}{Path(file).name}{after}"
    return f"{name}{'=' if name else ''}{before}{base / file}{after}"


def fitting_baselines(scenario: Scenario) -> tuple[str, ...]:
    """Return the names of the baselines that have a meaning in `scenario`."""
    names = []
    for name in BASELINES:
        try:
            RulePolicy(name, scenario)
        except ConfigurationError:
            continue
        names.append(name)
    return tuple(names)


def _split(text: str, base: Path = Path()) -> tuple[str, str]:
    """Return name and source of `name=source`, or twice the text; a file or folder may have a = in its name. Relative
    paths begin in `base`."""
    whole = text.strip()
    if is_file(base / _parts(whole)[1]):
        return whole, whole
    name, equals, source = (part.strip() for part in text.partition("="))
    return (name, source) if equals and "/" not in name else (text.strip(), text.strip())


def _parts(source: str) -> tuple[str, str, str]:
    """Return what stands before the path of a file in `source`, the path, and what stands after it."""
    if (stock := STOCK_MODEL.fullmatch(source)) is not None:
        return source[: stock.start("file")], stock["file"], ""
    file, colon, class_name = source.rpartition(":") if ".py:" in source else (source, "", "")
    return "", file, f"{colon}{class_name}"


def _load_stock(name: str, stock: re.Match[str], scenario: Scenario, load_stock: StockLoader | None) -> NamedPolicy:
    if load_stock is None:
        raise ConfigurationError(
            f"policy = {stock[0]!r}: only benchmark and evaluate load such a model, and only with --trust: loading it "
            "runs code that its file holds (pickle), so give that for files whose makers you trust"
        )
    file = Path(stock["file"])
    return NamedPolicy(name, load_stock(file, stock["algorithm"], scenario), file=file)


def _pretrained_file(scenario: Scenario) -> Path:
    """Return the file of the policy that is shipped for `scenario`; raises `ConfigurationError` if there is none."""
    file = PRETRAINED_FOLDER / f"{scenario.name}.onnx"
    if not file.is_file():
        known = ", ".join(sorted(each.stem for each in PRETRAINED_FOLDER.glob("*.onnx")))
        raise ConfigurationError(
            f"policy = {PRETRAINED!r}: no policy is shipped for scenario {scenario.name} (for: {known}); to train one: "
            "blended train"
        )
    return file


def _make_own_policy(source: str, scenario: Scenario) -> Policy:
    """Return the user's policy, which is given a copy of the scenario: whatever it does to that, nobody sees it."""
    kind = load_class(source)
    class_name = source.rpartition(":")[2]
    try:
        signature = inspect.signature(kind)
    except ValueError:  # of compiled code
        signature = inspect.Signature([inspect.Parameter("scenario", inspect.Parameter.POSITIONAL_ONLY)])
    arguments = (scenario.model_copy(deep=True),) if _takes_scenario(signature) else ()
    try:
        signature.bind(*arguments)
    except TypeError:
        raise ConfigurationError(
            f"policy = {source!r}: cannot be made: must be callable as {class_name}(scenario) or {class_name}(), "
            f"is {class_name}{signature}"
        ) from None
    with telling(f"policy = {source!r}: cannot be made:", kind):
        policy: Policy = kind(*arguments)
    return policy


def _takes_scenario(signature: inspect.Signature) -> bool:
    """Return True if a class is made with a scenario: it has an argument of that name first, or one that must be given;
    what is optional and has another name is a setting."""
    kinds = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.VAR_POSITIONAL,
    )
    first = next((parameter for parameter in signature.parameters.values() if parameter.kind in kinds), None)
    return first is not None and (first.default is inspect.Parameter.empty or first.name == "scenario")
