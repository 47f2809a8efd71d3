"""The processors that this process may use.

Room: `experiments`. Touches the operating system only.
"""

import os

MOST_THREADS = 1024
"""Threads that a command may be asked to use."""


def usable_cpus() -> int:
    """Return the CPUs that this process may use, which a container or a batch system may have limited."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
