#!/usr/bin/env bash
# How long `git xtrack log -n 20 --sort -accuracy` takes over many packed runs, whole process.
# The runs are one real record each, its id, times, names and numbers replaced, written by `git fast-import`.
# Usage: benches/log.sh [PROGRAM] [RUNS]      default: target/release/git-xtrack, 10000
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
program=${1:-${CARGO_TARGET_DIR:-$here/target}/release/git-xtrack}
runs=${2:-10000}
[[ -x $program ]] || { echo "error: no program at $program; cargo build --release --locked" >&2; exit 1; }
program=$(cd "$(dirname "$program")" && pwd)/$(basename "$program")

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HOME=$folder GIT_CONFIG_NOSYSTEM=1
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE XDG_CONFIG_HOME
git config --global user.name "Ada Bench"
git config --global user.email ada@example.com
git config --global init.defaultBranch main
git config --global gc.auto 0
git config --global maintenance.auto false

git init -q "$folder/work"
cd "$folder/work"
echo "print('hello')" >train.py
git add .
git commit -q -m "a file"
"$program" record --name template -p lr=0.111111 -p model.depth=12 -p optimizer=adam -p seed=777777 \
    -m accuracy=0.987654 -m loss=0.123456 -t sweep >/dev/null
template=$(git for-each-ref --format='%(refname)' refs/runs)

# Replaces, in the real bytes, what differs from run to run; each is a value that stands nowhere else.
cat >"$folder/many.py" <<'END'
import random, re, subprocess, sys
git = lambda *arguments: subprocess.run(["git", *arguments], check=True, capture_output=True).stdout
ref = git("for-each-ref", "--format=%(refname)", "refs/runs").decode().split()[0]
template, count, out = ref.rsplit("/", 1)[1], int(sys.argv[1]), sys.stdout.buffer
paths = git("ls-tree", "-r", "--name-only", ref).decode().split()
files = {path: git("cat-file", "blob", f"{ref}:{path}").decode() for path in paths}
facts = files["run.toml"]
attempt = re.search(r'^attempt = "(\w{8})"$', facts, re.M)[1]
stamps = re.findall(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", facts)
letters, chance = "0123456789abcdefghjkmnpqrstvwxyz", random.Random(1)
suffix = lambda: chance.choice(letters[10:]) + "".join(chance.choices(letters, k=7))
def blob(text):
    data = text.encode()
    return b"data %d\n%s\n" % (len(data), data)
for number in range(count):
    day, second = divmod(number * 600, 86400)
    date = f"2025-{1 + day // 28 % 12:02}-{1 + day % 28:02}"
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    identity = f"{date.replace('-', '')}-{clock.replace(':', '')}-{suffix()}"
    words = {template: identity, attempt: suffix(), '"template"': f'"run-{number}"',
             "0.111111": f"0.{chance.randrange(1, 9999):04}1", "777777": str(number),
             "0.987654": f"0.{chance.randrange(5000, 9999)}1", "0.123456": f"0.{chance.randrange(1, 9999):04}1"}
    words |= {stamp: f"{date}T{clock}.{stamp[20:]}" for stamp in stamps}
    pattern = re.compile("|".join(map(re.escape, words)))
    out.write(f"commit refs/runs/{identity}\ncommitter Ada Bench <ada@example.com> {1735689600 + number * 600} +0000\n".encode())
    out.write(blob(f"record {identity}\n"))
    for path, text in files.items():
        path = pattern.sub(lambda found: words[found[0]], path)
        out.write(f"M 100644 inline {path}\n".encode() + blob(pattern.sub(lambda found: words[found[0]], text)))
    out.write(b"\n")
END
python3 "$folder/many.py" "$runs" >"$folder/stream"
git fast-import --quiet <"$folder/stream"
git update-ref -d "$template"
git pack-refs --all --prune
git repack -adq
rm -f "$folder/stream"

listed=$("$program" log --oneline 2>"$folder/damage" | wc -l)
echo "$runs runs in $(du -sh .git | cut -f1), $listed listed"
if [[ -s $folder/damage ]]; then head -n 3 "$folder/damage" >&2; exit 1; fi
[[ $listed = "$runs" ]] || { echo "error: not all were listed" >&2; exit 1; }

if command -v hyperfine >/dev/null; then
    hyperfine -N --warmup 2 --runs 10 "'$program' log -n 20 --sort -accuracy" "'$program' log -n 20"
fi
python3 - "$program" <<'END'
import subprocess, sys, time
times = []
for _ in range(9):
    began = time.perf_counter()
    subprocess.run([sys.argv[1], "log", "-n", "20", "--sort", "-accuracy"], check=True, stdout=subprocess.DEVNULL)
    times.append(time.perf_counter() - began)
middle = sorted(times)[4]
print(f"log -n 20 --sort -accuracy   {1000 * middle:7.1f} ms   limit 500 ms: {'kept' if middle < 0.5 else 'MISSED'}")
END
