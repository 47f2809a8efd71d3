#!/usr/bin/env bash
# Stable-Baselines3 2.9.2: `learn` of a model that logs nothing (no `tensorboard_log`, `verbose=0`, the defaults) makes an
# empty folder SB3-<time> in the system's folder of temporary files, and nobody removes it: one for each call, as a sweep of
# a thousand short trainings finds out. With `SB3_LOGDIR` in the environment all use that one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet --quiet torch==2.13.0 gymnasium==1.4.0 stable-baselines3==2.9.2
mkdir "$folder/temporary" "$folder/stated"
cat > "$folder/train.py" <<'PYTHON'
from stable_baselines3 import A2C

model = A2C("MlpPolicy", "CartPole-v1", device="cpu")
for _ in range(3):
    model.learn(5)
PYTHON
TMPDIR="$folder/temporary" "$folder/venv/bin/python" "$folder/train.py"
left=$(find "$folder/temporary" -mindepth 1 -maxdepth 1 -type d -name 'SB3-*' | wc -l)
files=$(find "$folder/temporary" -path '*SB3-*' -type f | wc -l)
rm -rf "$folder/temporary" && mkdir "$folder/temporary"
SB3_LOGDIR="$folder/stated" TMPDIR="$folder/temporary" "$folder/venv/bin/python" "$folder/train.py"
with_variable=$(find "$folder/temporary" -mindepth 1 -maxdepth 1 -type d -name 'SB3-*' | wc -l)

"$folder/venv/bin/python" -c 'import stable_baselines3; print(f"Stable-Baselines3 {stable_baselines3.__version__}")'
echo "observed: folders left by three calls of learn, with files in them: $left, $files; with SB3_LOGDIR: $with_variable"
if [ "$left $files $with_variable" != "3 0 0" ]; then
    echo "FAIL: expected 3, 0; 0" >&2
    exit 1
fi
echo "PASS"
