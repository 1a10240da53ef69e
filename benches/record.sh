#!/usr/bin/env bash
# How long recording takes, whole processes, against what it is made of:
#   1. `git xtrack record` with 10 params, 5 metrics and a tag, against the five plain git commands that write the
#      same commit without syncing it, and against the syncs alone, which are what durability costs on this disk;
#   2. `git xtrack record -- true` against `true`.
# Usage: benches/record.sh [PROGRAM]      default: target/release/git-xtrack
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
program=${1:-${CARGO_TARGET_DIR:-$here/target}/release/git-xtrack}
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

# A repository of ten files, and the same for plain git, so that neither works among the other's objects.
for name in ours plain; do
    git init -q "$folder/$name"
    for n in 0 1 2 3 4 5 6 7 8 9; do echo "file $n" >"$folder/$name/file$n.py"; done
    git -C "$folder/$name" add .
    git -C "$folder/$name" commit -q -m "ten files"
done

arguments=()
for n in 0 1 2 3 4 5 6 7 8 9; do arguments+=(-p "param$n=$n.5"); done
for n in 0 1 2 3 4; do arguments+=(-m "metric$n=0.$n"); done
cat >"$folder/ours.sh" <<END
cd '$folder/ours' && exec '$program' record ${arguments[*]} -t a >/dev/null
END

# The record it writes, as files for plain git to write again.
sh "$folder/ours.sh"
ref=$(git -C "$folder/ours" for-each-ref --count=1 --format='%(refname)' refs/runs)
paths=$(git -C "$folder/ours" ls-tree -r --name-only "$ref")
mkdir "$folder/record"
for path in $paths; do
    mkdir -p "$folder/record/$(dirname "$path")"
    git -C "$folder/ours" cat-file blob "$ref:$path" >"$folder/record/$path"
done
objects=$(git -C "$folder/ours" rev-list --objects "$ref" | wc -l)
echo "the record: $(echo "$paths" | wc -l) files, $objects objects"

# Five commands: HEAD, which a record must know too, then blobs in one, tree, commit, ref. The shell starts nothing
# else, so that only git is measured. Each time other bytes, or git would find the objects there; nothing is synced.
flat=() names=()
for path in $paths; do
    name=${path//\//_}
    names+=("$name") flat+=("../flat-$name")
    cp "$folder/record/$path" "$folder/flat-$name"
done
echo 0 >"$folder/count"
cat >"$folder/plain.sh" <<END
cd '$folder/plain' || exit
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=core.fsync GIT_CONFIG_VALUE_0=none
read -r count <../count
echo \$((count + 1)) >../count
for file in ${flat[*]}; do echo "# \$count" >>\$file; done
head=\$(git rev-parse HEAD) || exit
blobs=\$(git hash-object -w ${flat[*]}) || exit
set -- \$blobs
for name in ${names[*]}; do printf '100644 blob %s\t%s\n' "\$1" "\$name"; shift; done >../tree
tree=\$(git mktree <../tree) || exit
commit=\$(git commit-tree -m record "\$tree") || exit
git update-ref "refs/runs/plain-\$count" "\$commit" ""
END

# The syncs of one record: each object's file and its folder, the ref's file and its folder.
cat >"$folder/syncs.py" <<END
import os, tempfile, time
def once(folder):
    began = time.perf_counter()
    for number in range($objects + 1):
        inner = os.path.join(folder, f"{number:02x}-{time.perf_counter_ns()}")
        os.mkdir(inner)
        with open(os.path.join(inner, "object"), "wb") as file:
            file.write(os.urandom(400)); file.flush(); os.fsync(file.fileno())
        handle = os.open(inner, os.O_RDONLY); os.fsync(handle); os.close(handle)
        handle = os.open(folder, os.O_RDONLY); os.fsync(handle); os.close(handle)
    return time.perf_counter() - began
with tempfile.TemporaryDirectory(dir="$folder") as folder:
    times = sorted(once(folder) for _ in range(30))
    print(f"{1000 * times[len(times) // 2]:.1f}")
END

cat >"$folder/wrapped.sh" <<END
cd '$folder/ours' && exec '$program' record -- true 2>/dev/null
END
cat >"$folder/bare.sh" <<END
cd '$folder/ours' && exec true
END

# The median of 30 whole runs in milliseconds, by hyperfine or, where there is none, a timer in Python.
cat >"$folder/timer.py" <<'END'
import subprocess, sys, time
def once(script):
    began = time.perf_counter()
    subprocess.run(["sh", script], check=True)
    return time.perf_counter() - began
# Turn by turn, so that whatever else the machine does is shared out.
scripts = sys.argv[1:]
for script in scripts: once(script)
times = {script: [] for script in scripts}
for _ in range(30):
    for script in scripts: times[script].append(once(script))
print(*(f"{1000 * sorted(times[script])[15]:.1f}" for script in scripts))
END
medians() {
    if command -v hyperfine >/dev/null; then
        local scripts=() script
        for script; do scripts+=("sh '$script'"); done
        hyperfine -N --warmup 3 --runs 30 --export-json "$folder/times.json" "${scripts[@]}" >&2
        python3 -c 'import json,sys; print(*("%.1f" % (1000 * r["median"]) for r in json.load(open(sys.argv[1]))["results"]))' "$folder/times.json"
    else
        python3 "$folder/timer.py" "$@"
    fi
}

read -r ours plain <<<"$(medians "$folder/ours.sh" "$folder/plain.sh")"
read -r wrapped bare <<<"$(medians "$folder/wrapped.sh" "$folder/bare.sh")"
syncs=$(python3 "$folder/syncs.py")
python3 - "$ours" "$plain" "$syncs" "$wrapped" "$bare" <<'END'
import sys
ours, plain, syncs, wrapped, bare = map(float, sys.argv[1:])
limit = 0.8 * plain + syncs
print(f"""
record -p x10 -m x5 -t a     {ours:7.1f} ms   (durable)
five plain git commands      {plain:7.1f} ms   (not synced)
the syncs alone              {syncs:7.1f} ms
limit, 0.8 x plain + syncs   {limit:7.1f} ms   {"kept" if ours <= limit else "MISSED"}

record -- true               {wrapped:7.1f} ms
true                         {bare:7.1f} ms
difference                   {wrapped - bare:7.1f} ms   limit 25 ms: {"kept" if wrapped - bare <= 25 else "MISSED"}""")
END
dangling=$(git -C "$folder/ours" fsck --strict --no-progress 2>&1 | grep -v '^notice' || true)
[[ -z $dangling ]] && echo "git fsck: sound, nothing dangling" || { echo "git fsck: $dangling"; exit 1; }
