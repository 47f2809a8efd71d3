"""What all tests share: numba threads to test parallel rows with, and repeatable hypothesis examples.

Compiled code is kept in numba's cache folder of the repository (`envs.simulator.machine.compilation`), so only the
first run compiles.
"""

import os

# Before numba is imported: rows in parallel are only in parallel with two threads or more, whatever this machine has.
_threads = os.environ.get("NUMBA_NUM_THREADS") or str(os.cpu_count() or 1)
os.environ["NUMBA_NUM_THREADS"] = str(max(2, int(_threads)))

# Threads that spin while they wait take the cores from each other where others work on them too: a parallel step
# then takes milliseconds instead of 0.1.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from hypothesis import settings  # noqa: E402 (numba may be imported by what follows)

settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("repeatable")
