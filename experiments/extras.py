"""The optional parts of the installation, and what to say when one is missing.

Room: `experiments`. Touches nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from envs.errors import ConfigurationError


@contextmanager
def require_extra(extra: str, command: str) -> Iterator[None]:
    """Turn a failed import of a library in the block into a `ConfigurationError` that says how to install `extra`."""
    try:
        yield
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] in {"agents", "envs", "experiments"}:
            raise  # a mistake of ours, not a missing extra
        raise ConfigurationError(
            f"{command} needs {error.name}: pip install -c constraints.txt -e '.[{extra}]'"
        ) from error
