#!/usr/bin/env bash
# numpy 2.4.6: `np.load` of an array of records with gaps between their fields gives all bytes back from a file, but from a
# stream, such as `io.BytesIO` or a member of an `.npz`, the fields alone: what stands in the gaps is whatever memory held.
# The arrays are equal, their bytes are not, so a checksum over `tobytes()` fails now and then.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet numpy==2.4.6
cat > "$folder/records.py" <<'PYTHON'
import io
import sys

import numpy as np

kind = np.dtype({"names": ["code", "cost"], "formats": ["i1", "f8"], "offsets": [0, 16], "itemsize": 24})
records = np.frombuffer(bytearray(b"\xab" * 24 * 1000), kind).copy()
records.view(np.uint8)[:] = 0xAB
records["code"], records["cost"] = 1, 2.5
np.save(f"{sys.argv[1]}/records.npy", records)
stream = io.BytesIO()
np.save(stream, records)
np.savez(f"{sys.argv[1]}/records.npz", records=records)
found = {
    "file": np.load(f"{sys.argv[1]}/records.npy"),
    "stream": np.load(io.BytesIO(stream.getvalue())),
    "npz": np.load(f"{sys.argv[1]}/records.npz")["records"],
}
print(f"numpy {np.__version__}")
print("observed:", "; ".join(
    f"{name}: equal {bool((array == records).all())}, same bytes {array.tobytes() == records.tobytes()}"
    for name, array in found.items()
))
PYTHON
said=$("$folder/venv/bin/python" "$folder/records.py" "$folder")
echo "$said"
expected="file: equal True, same bytes True; stream: equal True, same bytes False; npz: equal True, same bytes False"
if ! grep -q "$expected" <<< "$said"; then
    echo "FAIL: expected $expected" >&2
    exit 1
fi
echo "PASS"
