"""What it costs to find runs among many, whole processes; `find.sh` makes the repository and calls this.

Commands that are compared run in turn, in rounds, so that whatever else the machine does is shared out; figures are
medians over all rounds.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time

DOCUMENT = pathlib.Path(__file__).parent.parent / "docs/performance.md"
SORT = ["log", "-n", "20", "--sort", "-metrics.acc"]
WHERE = ["log", "--where", "params.lr = 0.1 and metrics.acc > 0.9"]
SORT_SQL = """select r.id, r.name, r.status, r.started, m.value from metrics m join runs r on r.id = m.run
    where m.name = 'acc' and not r.deleted order by m.value desc limit 20"""
WHERE_SQL = """select r.id, r.name, r.status, r.started, m.value from runs r
    join params p on p.run = r.id and p.name = 'lr' and p.value = 0.1
    join metrics m on m.run = r.id and m.name = 'acc' and m.value > 0.9
    where not r.deleted order by r.started desc"""

# The same, put to the tables below the views as SQLite answers it quickest.
SORT_TABLES = """select run.id, run.name, status, started, shown from metric join run using (run)
    where metric.name = (select name from name where kind = 1 and text = 'acc') and not deleted
    order by shown desc limit 20"""
WHERE_TABLES = """select run.id, run.name, status, started, metric.shown from metric join run using (run)
    join param on param.run = run.run and param.name = (select name from name where kind = 0 and text = 'lr')
    where metric.name = (select name from name where kind = 1 and text = 'acc') and metric.shown > 0.9
    and param.value = 0.1 and not deleted order by started desc"""


class Bench:
    def __init__(self, program, folder, rounds):
        self.program, self.folder, self.rounds = os.path.realpath(program), pathlib.Path(folder), rounds
        self.repository = self.folder / "runs"
        self.rows = []

    def ours(self, *arguments):
        return [self.program, *arguments]

    def git(self, *arguments, cwd=None):
        ended = subprocess.run(["git", *arguments], cwd=cwd or self.repository, check=True, capture_output=True)
        return ended.stdout.decode().strip()

    def run(self, *arguments, cwd=None, **options):
        """The program's output; nothing if it fails, which is said."""
        ended = subprocess.run(self.ours(*arguments), cwd=cwd or self.repository, capture_output=True, **options)
        if ended.returncode != 0:
            print(f"{arguments} failed: {ended.stderr.decode().strip()}", file=sys.stderr)
            return None
        return ended.stdout.decode(errors="replace")

    def time(self, commands, cwd=None, runs=6, rounds=None, prepare=None, warmup=1):
        """The median of each command in milliseconds."""
        found = [[] for _ in commands]
        for _ in range(rounds or self.rounds):
            hyperfine = ["hyperfine", "-N", "--warmup", str(warmup), "--runs", str(runs), "--export-json"]
            hyperfine += [str(self.folder / "times.json")]
            if prepare:
                hyperfine += ["--prepare", f"sh -c {quoted(prepare)}"]
            hyperfine += [" ".join(map(quoted, command)) for command in commands]
            subprocess.run(hyperfine, cwd=cwd or self.repository, check=True, capture_output=True)
            results = json.loads((self.folder / "times.json").read_text())["results"]
            for times, result in zip(found, results):
                times += result["times"]
        return [1000 * statistics.median(times) for times in found]

    def row(self, what, measured, limit="", is_kept=None):
        word = {True: "kept", False: "**missed**", None: ""}[is_kept]
        self.rows.append((what, measured, limit, word))
        print(f"{what:<86} {measured:>34}   {limit:<28} {word.strip('*')}", flush=True)


def quoted(text):
    return "'" + str(text).replace("'", "'\\''") + "'"


def ms(value):
    return f"{value:.1f} ms" if value < 1000 else f"{value / 1000:.2f} s"


def settle():
    """Waits until no file is so young that it could still change within the same tick of the clock."""
    time.sleep(3)


def copied(source, target):
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-r", "--reflink=auto", source, target], check=True)
    settle()


def warm(bench):
    """The two queries, each beside sqlite3 on the same file and `git rev-parse HEAD`."""
    index = ".git/xtrack/index.sqlite"
    for arguments, views, tables, limit in [(SORT, SORT_SQL, SORT_TABLES, 80), (WHERE, WHERE_SQL, WHERE_TABLES, 120)]:
        if bench.run(*arguments) is None:
            continue
        shown = "`" + " ".join(a if " " not in a else f"'{a}'" for a in arguments) + "`"
        bare = [["sqlite3", "-readonly", index, re.sub(r"\s+", " ", sql)] for sql in (views, tables)]
        ours, views, tables, git = bench.time([bench.ours(*arguments), *bare, ["git", "rev-parse", "HEAD"]])
        bench.row(f"{shown}, warm", ms(ours), f"{limit} ms", ours < limit)
        for sqlite, what in [(views, "the documented views"), (tables, "the tables themselves")]:
            ratio = ours / (sqlite + git)
            against = f"{ratio:.2f} × ({ms(sqlite)} + {ms(git)})"
            bench.row(f"– against `sqlite3` asking {what}, plus `git rev-parse HEAD`", against, "3 ×", ratio <= 3)
    lines = bench.run(*WHERE, "--oneline")
    if lines is not None:
        bench.row("– runs that it lists", str(len(lines.splitlines())))


def loose(bench):
    """The first query after 100 new runs, whose objects and refs are files; five times a hundred."""
    copied(bench.repository, bench.folder / "loose")
    cwd = bench.folder / "loose"
    if bench.run(*SORT, cwd=cwd) is None:
        return
    settle()
    given = [part for n in range(10) for part in ("-p", f"p{n}={n}.5")]
    given += [part for n in range(5) for part in ("-m", f"m{n}=0.{n}")] + ["-t", "a", "-t", "b", "-t", "c"]
    first, after = [], []
    for _ in range(5):
        for _ in range(100):
            bench.run("record", *given, cwd=cwd)
        first += bench.time([bench.ours(*SORT)], cwd=cwd, runs=1, rounds=1, warmup=0)
        settle()
        after += bench.time([bench.ours(*SORT)], cwd=cwd, rounds=1, warmup=2)
    added = statistics.median(first) - statistics.median(after)
    bench.row("– the first after 100 new loose runs, over a warm one", f"{added:+.1f} ms", "60 ms", added < 60)
    shutil.rmtree(cwd)


def reftable(bench):
    """The same where refs are kept in a reftable."""
    copied(bench.repository, bench.folder / "reftable")
    cwd = bench.folder / "reftable"
    try:
        # Git does not migrate reflogs yet.
        shutil.rmtree(cwd / ".git/logs", ignore_errors=True)
        bench.git("refs", "migrate", "--ref-format=reftable", cwd=cwd)
    except subprocess.CalledProcessError:
        bench.row("reftable", "this git cannot migrate refs")
        return
    files = bench.run(*SORT, "--oneline", cwd=bench.repository)
    if bench.run(*SORT, "--oneline", cwd=cwd) != files:
        bench.row("reftable", "another answer than with files", "the same", False)
    settle()
    for arguments in (SORT, WHERE):
        shown = " ".join(a if " " not in a else f"'{a}'" for a in arguments)
        (ours,) = bench.time([bench.ours(*arguments)], cwd=cwd, warmup=2)
        bench.row(f"`{shown}`, warm, reftable", ms(ours))
    record = f"{quoted(bench.program)} record -m acc=0.5 >/dev/null 2>&1"
    (first,) = bench.time([bench.ours(*SORT)], cwd=cwd, prepare=record, warmup=0, runs=3)
    bench.row("– the first after a new run, reftable", ms(first))
    shutil.rmtree(cwd)


def cold(bench):
    """The index built from nothing, beside git reading the same objects."""
    tips = bench.git("for-each-ref", "--format=%(objectname)", "refs/runs").splitlines()
    names = "".join(f"{tip}\n{tip}^{{tree}}\n{tip}:run.toml\n" for tip in tips)
    check = ["git", "cat-file", "--batch-check=%(objectname)", "--buffer"]
    objects = subprocess.run(check, cwd=bench.repository, input=names.encode(), capture_output=True, check=True).stdout
    listed = bench.folder / "objects"
    listed.write_bytes(objects)
    read = ["sh", "-c", f"exec git cat-file --batch <{quoted(listed)} >/dev/null"]
    buffered = ["sh", "-c", f"exec git cat-file --batch --buffer <{quoted(listed)} >/dev/null"]
    forget = "rm -f .git/xtrack/index.*"
    build = bench.ours("log", "-n", "1")
    times = bench.time([read, buffered, build], runs=1, rounds=3, prepare=forget, warmup=0)
    git, quick, ours = times
    bench.row(f"index of {len(tips)} runs from nothing, `log -n 1`", ms(ours))
    bench.row("– against `git cat-file --batch` reading the same objects", f"{ours / git:.2f} × {ms(git)}", "4 ×", ours <= 4 * git)
    bench.row("– against the same with `--buffer`", f"{ours / quick:.2f} × {ms(quick)}")
    for file in (bench.repository / ".git/xtrack").glob("index.*"):
        file.unlink()
    whole, own = peak(build, bench.repository)
    bench.row("– peak memory, and what of it is no page of a mapped file", f"{whole:.0f} MiB, {own:.0f} MiB", "256 MiB", whole < 256)
    size = (bench.repository / ".git/xtrack/index.sqlite").stat().st_size / (1 << 20)
    pack = sum(file.stat().st_size for file in (bench.repository / ".git/objects/pack").iterdir()) / (1 << 20)
    bench.row("– size of the index, and of the pack", f"{size:.0f} MiB, {pack:.0f} MiB")


def peak(command, cwd):
    """The largest memory of a process in MiB, by the system's account, and what of it is no file's page."""
    child = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    own = [0]

    def watch():
        while True:
            try:
                with open(f"/proc/{child.pid}/status") as status:
                    own[0] = max(own[0], int(re.search(r"RssAnon:\s+(\d+)", status.read())[1]))
            except (OSError, TypeError):
                return
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, _, usage = os.wait4(child.pid, 0)
    watcher.join()
    child.returncode = 0
    return usage.ru_maxrss / 1024, own[0] / 1024


def single(bench):
    """One run among many: shown, its series, its name completed, one more recorded."""
    ids = [ref.rsplit("/", 1)[1] for ref in bench.git("for-each-ref", "--format=%(refname)", "refs/runs").splitlines()]
    middle, name = ids[len(ids) // 2], f"sweep-{len(ids) // 2}"
    bench.run(*SORT)
    (series,) = bench.time([bench.ours("show", middle, "--series", "loss", "--csv")], warmup=2)
    bench.row("`show ID --series loss --csv`, 20 points", ms(series), "20 ms", series < 20)
    for what, asked in [("ID", middle), ("SUFFIX", middle[-8:]), ("NAME", name), ("@", "@")]:
        if bench.run("show", asked) is not None:
            (shown,) = bench.time([bench.ours("show", asked)], warmup=2)
            bench.row(f"`show {what}`", ms(shown))
    complete = bench.ours("complete", "--", "git-xtrack", "show", "sweep-5")
    if subprocess.run(complete, cwd=bench.repository, capture_output=True).stdout:
        (completed,) = bench.time([complete], warmup=2)
        bench.row("completing `show sweep-5…`", ms(completed))
    plain, recorded = bench.time([["true"], bench.ours("record", "--", "true")], warmup=1)
    bench.row("`record -- true` over `true`", f"{recorded - plain:.1f} ms", "25 ms", recorded - plain <= 25)


def many(bench):
    """What concerns all runs at once."""
    for arguments in (["importance", "acc"], ["experiments"], ["log", "--group-by", "params.lr"], ["log", "--json"]):
        (took,) = bench.time([["sh", "-c", f"exec {quoted(bench.program)} {' '.join(arguments)} >/dev/null"]], runs=1, rounds=1)
        bench.row(f"`{' '.join(arguments)}`", ms(took))


ROWS = '''
import os, random, sys, zlib
numbers, metrics = random.Random(1), int(sys.argv[1])
with open(os.environ["XTRACK_RUN_DIR"] + "/abcdefghjkmnpqrs.jsonl", "wb", 1 << 20) as journal:
    journal.write(b'{"n":0,"begin":{"protocol":1}}\\n')
    for row in range(1_000_000):
        values = ",".join('"metric/%d":%r' % (metric, numbers.random()) for metric in range(metrics))
        line = ('{"n":%d,"t":%r,"step":%d,"points":{%s}' % (row + 1, 1782897301.25 + row / 1000, row, values)).encode()
        journal.write(line + b',"crc":%d}\\n' % zlib.crc32(line))
'''


def plots(bench):
    """A series of a million points, as text and, beside nine others, as Parquet."""
    for metrics, kept in [(1, "as text"), (10, "as Parquet, one of ten")]:
        name = f"million-{metrics}"
        live = bench.run("begin", "--name", name)
        if live is None:
            return
        environment = os.environ | {"XTRACK_RUN_DIR": live.strip()}
        subprocess.run([sys.executable, "-c", ROWS, str(metrics)], env=environment, check=True)
        bench.run("finish", env=environment)
        bench.run("log", "-n", "1")
        drawn = {kind: str(bench.folder / f"plot.{kind}") for kind in ("png", "svg")}
        ways = {"in a terminal": [], "`--png`": ["--png", drawn["png"]], "`--svg`": ["--svg", drawn["svg"]]}
        for way, options in ways.items():
            command = ["plot", "metric/0", name, *options]
            if bench.run(*command) is None:
                return
            (took,) = bench.time([bench.ours(*command)], runs=3)
            bench.row(f"`plot` of 1,000,000 points {kept}, {way}", ms(took), "0.5 s", took < 500)


MLFLOW_WRITE = '''
import random, mlflow
from mlflow.entities import Metric, Param, RunTag
chance, client = random.Random(1), mlflow.MlflowClient("sqlite:///mlflow.db")
experiment = client.create_experiment("many")
for number in range(1000):
    run = client.create_run(experiment).info.run_id
    params = [Param("lr", str(chance.choice([1.0, 0.3, 0.1, 0.03])))] + [Param(f"p{n}", str(n)) for n in range(9)]
    points = [Metric(name, chance.random(), 0, step) for step in range(20) for name in ("acc", "loss", "a", "b", "c")]
    client.log_batch(run, points, params, [RunTag(f"t{n}", "x") for n in range(3)])
    client.set_terminated(run)
'''
MLFLOW_SORT = '''
import mlflow
client = mlflow.MlflowClient("sqlite:///mlflow.db")
experiment = client.get_experiment_by_name("many").experiment_id
print(len(client.search_runs([experiment], order_by=["metrics.acc DESC"], max_results=20)))
'''
MLFLOW_WHERE = MLFLOW_SORT.replace('order_by=["metrics.acc DESC"], max_results=20', '"params.lr = \'0.1\' and metrics.acc > 0.9"')


def peers(bench):
    """MLflow on SQLite beside ours, each with 1,000 runs."""
    folder, cwd = bench.folder / "peer", bench.folder / "few"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = str(folder / "bin/python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "mlflow-skinny", "sqlalchemy", "alembic", "pandas"]
    if subprocess.run(install).returncode != 0:
        bench.row("MLflow", "does not install here")
        return
    os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    subprocess.run([python, "-c", MLFLOW_WRITE], cwd=folder, check=True, capture_output=True)
    version = subprocess.run([python, "-c", "import mlflow; print(mlflow.__version__)"], capture_output=True).stdout
    bench.run(*SORT, cwd=cwd)
    settle()
    for arguments, code, what in [(SORT, MLFLOW_SORT, "top 20 by a metric"), (WHERE, MLFLOW_WHERE, "a param and a metric")]:
        (theirs,) = bench.time([[python, "-c", code]], cwd=folder, runs=3, rounds=1)
        (ours,) = bench.time([bench.ours(*arguments)], cwd=cwd)
        bench.row(f"1,000 runs, {what}: MLflow {version.decode().strip()} on SQLite, beside ours", f"{ms(theirs)}, {ms(ours)}")


def machine(bench):
    """What was measured on, without its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    found = subprocess.run(["stat", "-f", "-c", "%T", bench.folder], capture_output=True).stdout.decode().strip()
    git = bench.git("--version").replace("git version ", "git ")
    cores = len(os.sched_getaffinity(0))
    return f"{cores} {platform.machine()} cores, {memory:.0f} GiB of memory, {found}, {platform.system()}, {git}"


def write(bench, when, loads):
    """Puts the table between its marks in the document."""
    lines = [f"{when}, {machine(bench)}; load {loads}. `benches/find.sh --rounds {bench.rounds}`, medians of whole processes:", ""]
    lines += ["| what | measured | limit | |", "|---|---|---|---|"]
    lines += ["| " + " | ".join(row) + " |" for row in bench.rows]
    text = DOCUMENT.read_text()
    marks = "<!-- find.sh -->\n", "<!-- /find.sh -->\n"
    begin, end = text.index(marks[0]) + len(marks[0]), text.index(marks[1])
    DOCUMENT.write_text(text[:begin] + "\n".join(lines) + "\n" + text[end:])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("folder")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", default=[])
    asked = parser.parse_args()
    bench = Bench(asked.program, asked.folder, asked.rounds)
    begun = os.getloadavg()[0]
    settle()
    parts = [cold, warm, loose, single, many, plots, reftable] + [peers] * asked.peers
    for part in parts:
        if not asked.only or part.__name__ in asked.only:
            part(bench)
    loads = f"{begun:.1f} at the beginning, {os.getloadavg()[0]:.1f} at the end"
    print(f"\n{machine(bench)}; load {loads}")
    if asked.write:
        write(bench, datetime.date.today().isoformat(), loads)
    return 1 if any(row[3] == "**missed**" for row in bench.rows) else 0


if __name__ == "__main__":
    sys.exit(main())
