#!/usr/bin/env bash
# How fast runs are found among 100,000: `log`, `show`, `plot`, `record` and completions, warm and cold, beside plain
# sqlite3 and git doing the same reading. Prints a table; --write puts it into docs/performance.md.
# Usage: benches/find.sh [--write] [--peers] [--rounds N] [PROGRAM] [REPOSITORY]
#   PROGRAM     default: target/release/git-xtrack
#   REPOSITORY  made by `cargo bench --bench repository -- 100000 FOLDER`, copied before it is written to; made if not given
#   --peers     MLflow too, at 1,000 runs, installed from the package index into a folder that is thrown away
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
options=()
while [[ ${1:-} = --* ]]; do
    if [[ $1 = --rounds ]]; then options+=("$1" "$2") && shift; else options+=("$1"); fi
    shift
done
program=${1:-${CARGO_TARGET_DIR:-$here/target}/release/git-xtrack}
[[ -x $program ]] || { echo "error: no program at $program; cargo build --release --locked" >&2; exit 1; }
for needed in hyperfine sqlite3 git python3; do
    command -v "$needed" >/dev/null || { echo "error: no $needed: apt install hyperfine sqlite3" >&2; exit 1; }
done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HOME=$folder GIT_CONFIG_NOSYSTEM=1 CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE XDG_CONFIG_HOME XDG_CACHE_HOME XTRACK_RUN_DIR
make() { (cd "$here" && cargo bench --quiet --bench repository -- "$@"); }
if [[ ${2:-} ]]; then cp -r "$2" "$folder/runs"; else make 100000 "$folder/runs"; fi
if [[ " ${options[*]-} " = *" --peers "* ]]; then make 1000 "$folder/few"; fi
python3 "$here/benches/find.py" "${options[@]}" "$program" "$folder"
