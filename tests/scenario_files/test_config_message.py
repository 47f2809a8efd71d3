"""The wording of mistakes: one line each, with the path that the user wrote and the place where."""

import textwrap
from typing import Annotated, Any, Literal

import pytest
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WrapValidator,
    field_validator,
    model_validator,
)

from envs.configuration.document import apply_overrides, load_yaml, validate
from envs.errors import ConfigurationError, InvalidValueError


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Exponential(Part):
    distribution: Literal["exponential"]
    mean_s: float = Field(gt=0)


class Lognormal(Part):
    distribution: Literal["lognormal"]
    mean_s: float = Field(gt=0)
    cv: float = Field(ge=0, allow_inf_nan=False)


class Fixed(Part):
    distribution: Literal["fixed"]
    # Named like its own tag, which a location of pydantic then holds twice.
    fixed: float = Field(ge=0)
    value_s: float = Field(default=0, ge=0)


def read_duration(value: Any) -> Any:
    return {"distribution": "fixed", "fixed": 0, "value_s": value} if isinstance(value, int) else value


Duration = Annotated[
    Annotated[Exponential | Lognormal | Fixed, Field(discriminator="distribution")],
    BeforeValidator(read_duration),
]


class Channel(Part):
    name: str
    kind: Literal["real_time", "deferred"] = "real_time"
    patience: Duration | None = None
    handle_time: Duration | None = None
    rate_per_hour: Annotated[float, Field(ge=0)] | list[Annotated[float, Field(ge=0)]] = 0.0
    accept_prob: float = Field(default=0.5, ge=0, le=1)
    retention_frac: float = Field(default=0.5, gt=0, le=1)
    fee_usd: float = Field(default=1, ge=0)
    fee_usd_per_hour: float = Field(default=1, le=500)
    lines: int = Field(default=1, ge=1)
    promised: bool = False

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not name.isidentifier():
            raise ValueError("must be letters, digits and underscores")
        return name

    @model_validator(mode="after")
    def _check(self) -> "Channel":
        if self.kind == "deferred" and self.patience is not None:
            raise ValueError("patience has no meaning on a deferred channel")
        return self


class Center(Part):
    channels: list[Channel] = Field(min_length=1)
    weights: dict[Literal["wait", "lateness"], float] = {}
    skills: list[str] = Field(default=[], max_length=2)

    @model_validator(mode="after")
    def _check(self) -> "Center":
        names = [channel.name for channel in self.channels]
        for index, skill in enumerate(self.skills):
            if skill not in names:
                raise InvalidValueError(("skills", index), f"no such channel (known: {', '.join(names)})")
        return self


@pytest.fixture
def complaint(tmp_path, monkeypatch):
    """Return what is said about a file that is not in order."""
    monkeypatch.chdir(tmp_path)

    def complain(text: str, *overrides: str, model: type[BaseModel] = Center) -> str:
        (tmp_path / "x.yaml").write_text(textwrap.dedent(text), encoding="utf-8")
        document = apply_overrides(load_yaml("x.yaml"), overrides)
        with pytest.raises(ConfigurationError) as caught:
            validate(document, model, root="scenario")
        return str(caught.value)

    return complain


def test_a_file_in_order_becomes_the_model(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("channels:\n  - {name: voice, patience: {distribution: exponential, mean_s: 1e2}}\n")
    center = validate(load_yaml(path), Center, root="scenario")
    assert center == Center(
        channels=[Channel(name="voice", patience=Exponential(distribution="exponential", mean_s=100))]
    )


def test_the_documented_form(complaint):
    text = """\
        channels:
          - name: voice
          - name: email
          - name: chat
            patience:
              distribution: exponential
              mean_s: -5
        """
    expected = "scenario.channels[2].patience.mean_s = -5: must be > 0 seconds (x.yaml:7)"
    assert complaint(text) == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("patiense: 60", ".patiense: unknown key; did you mean 'patience'?"),
        ("accept_prob: 1.5", ".accept_prob = 1.5: must be a probability between 0 and 1"),
        ("accept_prob: -1", ".accept_prob = -1: must be a probability between 0 and 1"),
        ("retention_frac: 0", ".retention_frac = 0: must be > 0 (a fraction between 0 and 1)"),
        ("fee_usd: -2.5", ".fee_usd = -2.5: must be >= 0 USD"),
        ("fee_usd_per_hour: 501", ".fee_usd_per_hour = 501: must be <= 500 USD per hour"),
        ("lines: 0", ".lines = 0: must be >= 1"),
        ("lines: 1.5", ".lines = 1.5: must be a whole number"),
        ("lines: many", ".lines = 'many': must be a whole number"),
        ("fee_usd: true story", ".fee_usd = 'true story': must be a number (USD)"),
        ("fee_usd: null", ".fee_usd = null: must be a number (USD)"),
        ("fee_usd: [1]", ".fee_usd: must be a number (USD)"),
        ("promised: maybe", ".promised = 'maybe': must be true or false"),
        (
            "kind: realtime",
            ".kind = 'realtime': must be one of real_time, deferred; did you mean 'real_time'?",
        ),
        ("rate_per_hour: -1", ".rate_per_hour = -1: must be >= 0 per hour"),
        ("rate_per_hour: [1, -1]", ".rate_per_hour[1] = -1: must be >= 0 per hour"),
        ("rate_per_hour: all", ".rate_per_hour = 'all': must be a number (per hour) or a list"),
        ("patience: -3", ".patience = -3: must be >= 0 seconds"),
        ("patience: {distribution: exponential}", ".patience.mean_s: missing key"),
        (
            "patience: {mean_s: 3}",
            ".patience.distribution: missing key; must be one of exponential, fixed, lognormal",
        ),
        (
            "patience: {distribution: lognorml, mean_s: 3, cv: 1}",
            ".patience.distribution = 'lognorml': must be one of exponential, lognormal, fixed; "
            "did you mean 'lognormal'?",
        ),
        ("patience: {distribution: fixed, fixed: -1}", ".patience.fixed = -1: must be >= 0"),
        (
            "patience: {distribution: lognormal, mean_s: 1, cv: .inf}",
            ".patience.cv = .inf: must be a finite number",
        ),
        (
            "patience: {distribution: lognormal, mean_s: 1, cv: 1, men_s: 3}",
            ".patience.men_s: unknown key; did you mean 'mean_s'?",
        ),
        (
            "patience: {distribution: exponential, mean_s: 1, q: 3}",
            ".patience.q: unknown key; known keys: distribution, mean_s",
        ),
        ("{kind: deferred, patience: 3}", ": patience has no meaning on a deferred channel"),
    ],
)
def test_one_mistake_in_a_channel(complaint, settings, message):
    given = settings[1:-1] if settings.startswith("{kind") else settings
    said = complaint(f"channels:\n  - {{name: voice, {given}}}\n")
    assert said == f"scenario.channels[0]{message} (x.yaml:2)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("channels: []\n", "scenario.channels: must have at least 1 item, has 0 (x.yaml:1)"),
        ("# nothing\n", "scenario.channels: missing key (x.yaml:1)"),
        ("- 1\n", "scenario: must be a mapping (x.yaml:1)"),
        ("channels: 7\n", "scenario.channels = 7: must be a list (x.yaml:1)"),
        ("channels:\n  - voice\n", "scenario.channels[0] = 'voice': must be a mapping (x.yaml:2)"),
        ("channels:\n  - name: 3\n", "scenario.channels[0].name = 3: must be text (x.yaml:2)"),
        (
            "channels:\n  - name: on hold\n",
            "scenario.channels[0].name = 'on hold': must be letters, digits and underscores (x.yaml:2)",
        ),
        (
            "channels: [{name: a}]\nweights:\n  waiting: 1\n",
            "scenario.weights.waiting: unknown key; did you mean 'wait'? (x.yaml:3)",
        ),
        (
            "channels: [{name: a}]\nskills:\n  - a\n  - b\n",
            "scenario.skills[1] = 'b': no such channel (known: a) (x.yaml:4)",
        ),
        (
            "channels: [{name: a}]\nskills: [a, a, a]\n",
            "scenario.skills: must have at most 2 items, has 3 (x.yaml:2)",
        ),
        (
            "channels: [{name: a}]\nskills: [" + "x" * 80 + "]\n",
            f"scenario.skills[0] = '{'x' * 57}...': no such channel (known: a) (x.yaml:2)",
        ),
    ],
)
def test_one_mistake_in_the_center(complaint, text, message):
    assert complaint(text) == message


def test_an_override_is_named_as_the_origin(complaint):
    text = "channels:\n  - name: voice\n"
    assert complaint(text, "channels.voice.lines=0") == "scenario.channels[0].lines = 0: must be >= 1 (--set)"
    said = complaint(text, "chanels.voice.lines=2")
    assert said == "scenario.chanels: unknown key; did you mean 'channels'? (--set)"
    said = complaint(text, "channels.0.kind=deferred", "channels.0.patience=3")
    assert said == "scenario.channels[0]: patience has no meaning on a deferred channel (x.yaml:2 and --set)"


def test_each_mistake_has_a_line_and_ten_are_shown(complaint):
    several = complaint("channels:\n  - name: a\n    lines: 0\n  - fee_usd: -1\n").splitlines()
    assert several == [
        "scenario.channels[0].lines = 0: must be >= 1 (x.yaml:3)",
        "scenario.channels[1].name: missing key (x.yaml:4)",
        "scenario.channels[1].fee_usd = -1: must be >= 0 USD (x.yaml:4)",
    ]
    many = complaint("channels:\n" + "  - {name: a, lines: 0}\n" * 13).splitlines()
    assert len(many) == 11
    assert many[9].endswith("(x.yaml:11)")
    assert many[10] == "... and 3 more"


def test_a_model_without_a_json_form_still_gives_its_paths(complaint):
    class Opaque:
        pass

    class Odd(Part):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        thing: Annotated[Opaque, WrapValidator(lambda value, _: Opaque())]
        mean_s: float = Field(gt=0)

    assert complaint("thing: 1\nmean_s: 0\nmore: 1\n", model=Odd).splitlines() == [
        "scenario.mean_s = 0: must be > 0 (x.yaml:2)",
        "scenario.more: unknown key (x.yaml:3)",
    ]
