#!/usr/bin/env bash
# Minari 0.5.4: `pip install "minari[hdf5,create]"`, the extras for writing and reading HDF5 data sets, brings no Pillow,
# but every data set, also one without pictures, is opened by a module that imports it. So the documented installation
# cannot collect one step of any environment until Pillow is installed besides.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export MINARI_DATASETS_PATH="$folder/datasets"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet gymnasium==1.4.0 "minari[hdf5,create]==0.5.4"
cat > "$folder/collect.py" <<'PYTHON'
from importlib import metadata

import gymnasium
import minari

try:
    collector = minari.DataCollector(gymnasium.make("CartPole-v1"))
    collector.reset(seed=0)
    for _ in range(3):
        collector.step(0)
    outcome = f"{collector.create_dataset('cart/three-v0').total_steps} steps"
except ImportError as error:
    outcome = str(error)
asked = [line for line in metadata.requires("minari") if "pillow" in line.lower()]
print(f"minari {minari.__version__}, requirements that name Pillow: {asked}; observed: {outcome}")
PYTHON
observe() { "$folder/venv/bin/python" -W ignore "$folder/collect.py" | tee "$folder/output"; }
observe
grep -q "name Pillow: \[\]; observed: No module named 'PIL'" "$folder/output" || { echo "FAIL: expected no module PIL"; exit 1; }
"$folder/venv/bin/pip" install --quiet --quiet pillow==13.0.0
observe
grep -q "observed: 3 steps" "$folder/output" || { echo "FAIL: expected three steps with Pillow"; exit 1; }
echo PASS
