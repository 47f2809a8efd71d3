"""Compiled code and plain Python agree in every event, mask and action, and in every float."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tracing import trace_episode, traced_scenarios

PROGRAM = Path(__file__).parents[1] / "tracing.py"
EXACT = ("subject", "events", "mask", "action")
"""What must be equal; everything else to 1e-9, observations (float32) to 1e-6."""


@pytest.fixture(scope="module")
def plain_folder(tmp_path_factory) -> Path:
    """Play the scenarios in a process without numba's compiler, and return the folder of the traces."""
    folder = tmp_path_factory.mktemp("plain")
    settings = {"NUMBA_DISABLE_JIT": "1", "BLENDED_CACHE_FOLDER": str(folder / "cache")}
    result = subprocess.run(
        [sys.executable, PROGRAM, "save", folder],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert not list((folder / "cache").rglob("*.nb?")), "nothing was to be compiled"
    return folder


@pytest.mark.parametrize("name", ["tiny", "bank"])
def test_plain_python_plays_the_same_episode(plain_folder, name):
    plain = np.load(plain_folder / f"{name}.npz")
    compiled = trace_episode(traced_scenarios()[name], "random", 3)
    assert set(plain.files) == set(compiled)
    for key in compiled:
        if key in EXACT:
            np.testing.assert_array_equal(plain[key], compiled[key], err_msg=key)
        else:
            tolerance = 1e-6 if compiled[key].dtype == np.float32 else 1e-9
            np.testing.assert_allclose(plain[key], compiled[key], rtol=tolerance, atol=1e-12, err_msg=key)
    assert len(compiled["action"]) > (1000 if name == "bank" else 5)
