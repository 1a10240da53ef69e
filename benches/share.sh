#!/usr/bin/env bash
# What sharing costs beside plain git: `push` of new runs beside `git push` of the same refs, and `pull` with nothing to do
# beside `git fetch`, turn by turn over the same transport. Prints a table of medians and ratios.
# Usage: benches/share.sh [--rounds N] [PROGRAM] [RUNS]
#   PROGRAM     default: target/release/git-xtrack
#   RUNS        a repository made by `cargo bench --bench repository -- 100000 FOLDER`, which stays as it is; made if not given
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
rounds=7
if [[ ${1:-} = --rounds ]]; then rounds=$2 && shift 2; fi
program=${1:-${CARGO_TARGET_DIR:-$here/target}/release/git-xtrack}
[[ -x $program ]] || { echo "error: no program at $program; cargo build --release --locked" >&2; exit 1; }
program=$(cd "$(dirname "$program")" && pwd)/$(basename "$program")

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HOME=$folder GIT_CONFIG_NOSYSTEM=1 CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE XDG_CONFIG_HOME XDG_CACHE_HOME
runs=${2:-}
[[ $runs ]] || { runs=$folder/runs && (cd "$here" && cargo bench --quiet --bench repository -- 100000 "$runs"); }
git config --global user.name "Ada Bench"
git config --global user.email ada@example.com
git config --global gc.auto 0
git config --global maintenance.auto false
git config --global safe.directory '*'
exec python3 "$here/benches/share.py" "$program" "$runs" "$folder" "$rounds"
