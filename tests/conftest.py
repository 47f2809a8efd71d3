"""What all tests share: numba threads to test parallel rows with, and repeatable hypothesis examples.

Compiled code is kept in numba's cache folder of the repository (`envs.simulator.machine.compilation`), so only the
first run compiles.
"""

import os
from collections.abc import Iterator

# Before numba is imported: rows in parallel are only in parallel with two threads or more, whatever this machine has.
_threads = os.environ.get("NUMBA_NUM_THREADS") or str(os.cpu_count() or 1)
os.environ["NUMBA_NUM_THREADS"] = str(max(2, int(_threads)))

# Threads that spin while they wait take the cores from each other where others work on them too: a parallel step
# then takes milliseconds instead of 0.1.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import pytest  # noqa: E402 (numba may be imported by what follows)
from hypothesis import settings  # noqa: E402

settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def sb3_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let models without a log make their empty folders among those of the tests: SB3 makes one for each in the folder
    of all temporary files, and leaves it there."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("SB3_LOGDIR", str(tmp_path_factory.mktemp("sb3")))
        yield
