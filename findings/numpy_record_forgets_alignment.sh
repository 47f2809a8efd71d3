#!/usr/bin/env bash
# numpy 2.4.6 with numba 0.68.1: an aligned structured type that `np.record` wraps, so that its fields are attributes,
# says that it is aligned but has an alignment of 1. Inside another type that is made with `align=True` it stands anywhere:
# a double at an offset of 4. The outer type says that it is aligned too, numpy reads and writes it, and numba refuses it.
# Offsets of one's own, multiples of the alignment of the plain type, mend it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet numba==0.68.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numba
import numpy as np


@numba.njit
def first(rows):
    return rows[0].inner.x


def takes(outer):
    try:
        return first(np.ones(1, outer)) == 1.0
    except numba.TypingError as error:
        return "not divisible by the field alignment" in str(error) and "refused"


plain = np.dtype([("x", np.float64), ("n", np.int32)], align=True)
record = np.dtype((np.record, plain))
around_plain, around_record = (np.dtype([("head", np.int32), ("inner", kind)], align=True) for kind in (plain, record))
stated = {"names": ["head", "inner"], "formats": [np.int32, record], "offsets": [0, 8], "itemsize": 24}
mended = np.dtype(stated, align=True)
observed = {
    "plain and record are equal": plain == record,
    "both say that they are aligned": plain.isalignedstruct and record.isalignedstruct,
    "alignment of plain and record": (plain.alignment, record.alignment),
    "offset in another, plain and record": (around_plain.fields["inner"][1], around_record.fields["inner"][1]),
    "that says it is aligned": around_record.isalignedstruct,
    "numba takes plain, record, own offsets": (takes(around_plain), takes(around_record), takes(mended)),
}
expected = {
    "plain and record are equal": True,
    "both say that they are aligned": True,
    "alignment of plain and record": (8, 1),
    "offset in another, plain and record": (8, 4),
    "that says it is aligned": True,
    "numba takes plain, record, own offsets": (True, "refused", True),
}
print(f"numpy {np.__version__}, numba {numba.__version__}")
for what, found in observed.items():
    print(f"observed: {what}: {found}")
if observed != expected:
    sys.exit(f"FAIL: expected {expected}")
print("PASS")
PYTHON
