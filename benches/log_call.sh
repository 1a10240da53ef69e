#!/usr/bin/env bash
# What a log call costs: ours beside a loop of os.write(json.dumps) and, with --peers, other trackers, which are
# installed from the package index into a folder that is thrown away.
# Usage: benches/log_call.sh [--peers] [PYTHON] [CALLS] [ROUNDS]      default: python3 100000 5
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
peers=
if [[ ${1:-} = --peers ]]; then peers=1; shift; fi
python=${1:-python3}
if [[ $peers ]]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    "$python" -m venv "$folder/venv"
    python=$folder/venv/bin/python
    "$python" -m pip install --quiet --disable-pip-version-check tensorboard tensorboardX wandb setuptools
    # Trackio brings much, and not for every Python.
    "$python" -m pip install --quiet --disable-pip-version-check trackio || echo "trackio does not install here"
fi
export PYTHONPATH=$here/src/python
unset XTRACK_RUN_DIR XTRACK_RUN_ID XTRACK_MODE
"$python" "$here/benches/log_call.py" "${2:-100000}" "${3:-5}"
