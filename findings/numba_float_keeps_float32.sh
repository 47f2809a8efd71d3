#!/usr/bin/env bash
# numba 0.68.1: `float(x)` of a float32 stays a float32 in compiled code, where Python and numpy make it a double. So the
# usual way to compute in double precision from a float32 array does nothing once compiled: the same function rounds
# otherwise than its own `py_func`. `np.float64(x)` makes the double in both.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet numba==0.68.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numba
import numpy as np
from numba import types


@numba.njit
def square(values):
    return float(values[0]) * float(values[0])


@numba.njit
def square_of_double(values):
    return np.float64(values[0]) * np.float64(values[0])


tenth = np.array([0.1], np.float32)
# 0.1 as a float32 is 0.100000001490116…; its square needs more digits than a float32 has.
observed = {
    "interpreted equals the double's square": square.py_func(tenth) == float(tenth[0]) ** 2,
    "compiled float(x) equals it": square(tenth) == float(tenth[0]) ** 2,
    "type that compiled float(x) * float(x) returns": str(square.nopython_signatures[0].return_type),
    "compiled np.float64(x) equals it": square_of_double(tenth) == float(tenth[0]) ** 2,
}
expected = {
    "interpreted equals the double's square": True,
    "compiled float(x) equals it": False,
    "type that compiled float(x) * float(x) returns": str(types.float32),
    "compiled np.float64(x) equals it": True,
}
print(f"numba {numba.__version__}, numpy {np.__version__}")
for what, found in observed.items():
    print(f"observed: {what}: {found}")
if observed != expected:
    sys.exit(f"FAIL: expected {expected}")
print("PASS")
PYTHON
