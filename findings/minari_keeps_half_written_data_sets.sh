#!/usr/bin/env bash
# Minari 0.5.4: `create_dataset_from_buffers` that ends in an error half-way, as when the third of three buffers cannot be made,
# leaves the data set behind: it is listed as a local one and loads, with no episode, though two had been handed over, and the
# same call, mended, is refused since the data set exists.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet minari==0.5.4 gymnasium==1.4.0 h5py==3.14.0 pillow==12.0.0
cat > "$folder/write.py" <<'PYTHON'
import warnings

import gymnasium
import minari
import numpy as np
from minari.data_collector.episode_buffer import EpisodeBuffer

warnings.simplefilter("ignore")


def buffers(fails):
    for number in range(3):
        if fails and number == 2:
            raise RuntimeError("the third episode cannot be read")
        yield EpisodeBuffer(
            id=number,
            observations=np.zeros((3, 4), np.float32),
            actions=np.zeros(2, np.int64),
            rewards=np.zeros(2),
            terminations=np.array([False, True]),
            truncations=np.zeros(2, bool),
            infos={},
        )


def write(fails):
    env = gymnasium.make("CartPole-v1")
    try:
        minari.create_dataset_from_buffers("probe/half-v0", buffers(fails), env=env)
        return "written"
    except Exception as error:
        return type(error).__name__


first = write(True)
listed = "probe/half-v0" in minari.list_local_datasets()
episodes = minari.load_dataset("probe/half-v0").total_episodes if listed else None
print(first, listed, episodes, write(False))
PYTHON
found=$(MINARI_DATASETS_PATH="$folder/data" "$folder/venv/bin/python" "$folder/write.py")

"$folder/venv/bin/python" -c 'from importlib.metadata import version; print("Minari", version("minari"))'
echo "observed: error of the first call, data set listed, its episodes, the same call without a fault: $found"
if [ "$found" != "RuntimeError True 0 ValueError" ]; then
    echo "FAIL: expected RuntimeError True 0 ValueError" >&2
    exit 1
fi
echo "PASS"
