"""The errors that a user of the project can cause and mend.

Room: `envs`. Touches nothing else.
"""

from __future__ import annotations


class ConfigurationError(Exception):
    """A mistake in a file, an option or a name that the user gave.

    `str(error)` is the whole message, ready to be printed: what is wrong, where it stands, what is allowed.
    The command line prints it and ends with exit code 2; a traceback would only hide it.
    """


class ArgumentError(ConfigurationError, ValueError):
    """An argument of an environment that it cannot take, raised before anything has moved."""


class NotRunningError(ArgumentError, RuntimeError):
    """A step without an episode to step in: before `reset`, or after the end."""


class RenderModeError(ConfigurationError, TypeError):
    """A render mode that the environment does not have.

    A `TypeError` too, as of an environment that takes no `render_mode` at all: helpers such as Stable-Baselines3's
    `make_vec_env` ask everybody for pictures first, and only then go on without them.
    """


class InvalidValueError(ValueError):
    """Raised by a model's validator about one value below the model, so that the message can name its line.

    A plain `ValueError` from a validator is reported at the model itself; this one at the value:

        raise InvalidValueError(("groups", 2, "skills", 0), f"no such channel (known: {known})")

    Attributes:
        path: keys and indices from the model to the value.
        problem: what is wrong with the value, or what it must be.
    """

    def __init__(self, path: tuple[str | int, ...], problem: str) -> None:
        super().__init__(problem)
        self.path = path
        self.problem = problem
