#!/usr/bin/env bash
# What live recording costs: the import of the client, `record` around nothing, and the end of a run of a million rows.
#
# usage: benches/live.sh [PROGRAM]
set -euo pipefail
program=$(realpath "${1:-$(dirname "$0")/../target/release/git-xtrack}")
client=$(realpath "$(dirname "$0")/../src/python")
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
export HOME=$place GIT_CONFIG_NOSYSTEM=1 PATH="$(dirname "$program"):$PATH"
git init -q . && git -c user.name=bench -c user.email=bench@example.com commit -q --allow-empty -m first

cat > compare.py <<'PYTHON'
"""Runs commands turn by turn; the median of each, in milliseconds."""
import statistics, subprocess, sys, time

commands = [line.split("\t") for line in sys.stdin.read().splitlines()]
times = {label: [] for label, _ in commands}
for _ in range(int(sys.argv[1])):
    for label, command in commands:
        begin = time.perf_counter()
        subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        times[label].append((time.perf_counter() - begin) * 1e3)
base = None
for label, found in times.items():
    median = statistics.median(found)
    base = median if label.startswith("-") else base
    print(f"{label:<44} {median:8.1f} ms   {median - base:+8.1f} ms")
PYTHON

python=$(python3 -c 'import sys; print(sys.executable)')
export PYTHONPATH=$client
printf '%s\t%s\n' "- python3 -c pass" "$python -c pass" "import xtrack" "$python -c 'import xtrack'" \
    "import xtrack; xtrack.log" "$python -c 'import xtrack; xtrack.log'" | "$python" compare.py 40
printf '%s\t%s\n' "- true" "exec true" "record -- true" "exec git-xtrack record -- true" \
    "record --no-console --no-system -- true" "exec git-xtrack record --no-console --no-system -- true" |
    "$python" compare.py 40

cat > rows.py <<'PYTHON'
"""A million rows of ten metrics, as a training leaves them."""
import os, random, zlib

numbers = random.Random(1)
with open(os.environ["XTRACK_RUN_DIR"] + "/abcdefghjkmnpqrs.jsonl", "wb", 1 << 20) as journal:
    journal.write(b'{"n":0,"begin":{"protocol":1}}\n')
    for row in range(1_000_000):
        values = ",".join('"metric/%d":%r' % (metric, numbers.random()) for metric in range(10))
        line = ('{"n":%d,"t":%r,"step":%d,"points":{%s}' % (row + 1, 1782897301.25 + row / 1000, row, values)).encode()
        journal.write(line + b',"crc":%d}\n' % zlib.crc32(line))
PYTHON
XTRACK_RUN_DIR=$(git-xtrack begin --name rows) && export XTRACK_RUN_DIR
"$python" rows.py
"$python" - <<'PYTHON'
import resource, subprocess, time

begin = time.perf_counter()
subprocess.run(["git-xtrack", "finish"], check=True, stderr=subprocess.DEVNULL)
took = time.perf_counter() - begin
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"finish, 1,000,000 rows of 10 metrics: {took:.1f} s, {used.ru_utime + used.ru_stime:.1f} s CPU, {used.ru_maxrss / 1024:.0f} MiB")
begin = time.perf_counter()
lines = subprocess.run(["git-xtrack", "show", "rows", "--series", "metric/3", "--csv"], check=True, capture_output=True)
print(f"show --series, one metric of it: {time.perf_counter() - begin:.2f} s, {lines.stdout.count(10) - 1} points")
PYTHON
