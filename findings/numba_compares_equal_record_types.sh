#!/usr/bin/env bash
# numba 0.68.1 with numpy 2.4.6: which compiled form a call takes is looked up by the type object of a structured array.
# Another object that is equal, made by the same expression a second time, finds the same form, and nothing is compiled;
# but at each call numpy compares the two types field by field. A function that does nothing takes 0.4 us with an array of
# the first object and some 30 us with one of the second (400 fields), for as long as the process lives. One type object
# for all that are equal, from a cached constructor, avoids it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet numba==0.68.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import timeit

import numba
import numpy as np


@numba.njit
def nothing(rows):
    return 0


def make_type():
    return np.dtype([(f"field_{i}", np.float64) for i in range(400)])


def microseconds(rows):
    nothing(rows)
    return min(timeit.repeat(lambda: nothing(rows), number=1000, repeat=5)) * 1e3


first, second = make_type(), make_type()
fast, slow, plain = (microseconds(np.zeros(1, kind)) for kind in (first, second, np.float64))
again = microseconds(np.zeros(1, first))
observed = {
    "equal, and equal hashes": first == second and hash(first) == hash(second),
    "compiled forms for both": len({form for form in nothing.signatures if "Record" in str(form)}),
    "the first type costs about what plain numbers do": fast < 5 * plain and again < 5 * plain,
    "the second at least ten times the first": slow > 10 * fast,
}
expected = {
    "equal, and equal hashes": True,
    "compiled forms for both": 1,
    "the first type costs about what plain numbers do": True,
    "the second at least ten times the first": True,
}
print(f"numpy {np.__version__}, numba {numba.__version__}")
print(f"a call with float64 {plain:.2f} us, with the first record type {fast:.2f}, with the second {slow:.2f}")
for what, found in observed.items():
    print(f"observed: {what}: {found}")
if observed != expected:
    sys.exit(f"FAIL: expected {expected}")
print("PASS")
PYTHON
