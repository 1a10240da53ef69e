"""Times sharing beside plain git; benches/share.sh calls it and says what it measures."""

import os
import shutil
import statistics
import subprocess
import sys
import time

program, runs, folder, rounds = sys.argv[1], os.path.abspath(sys.argv[2]), sys.argv[3], int(sys.argv[4])


def git(*arguments, at, given=None):
    return subprocess.run(["git", *arguments], cwd=at, input=given, check=True, capture_output=True, text=True).stdout


def clone(name, bare=False):
    """A repository with the objects and nothing else; no alternate, whose refs git would look through each time."""
    path = os.path.join(folder, name)
    git("init", "-q", *(["--bare"] if bare else []), path, at=folder)
    packs = os.path.join(path if bare else os.path.join(path, ".git"), "objects/pack")
    source = git("rev-parse", "--path-format=absolute", "--git-common-dir", at=runs).strip()
    for pack in os.scandir(os.path.join(source, "objects/pack")):
        shutil.copy(pack.path, packs)
    return path


def timed(command, at):
    began = time.perf_counter()
    done = subprocess.run(command, cwd=at, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    took = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{command} failed: {done.stderr}")
    return took


def told(what, ours, theirs, limit):
    a, b = statistics.median(ours), statistics.median(theirs)
    pairs = statistics.median(x / y for x, y in zip(ours, theirs))
    print(f"| {what} | {a * 1000:.0f} ms | {b * 1000:.0f} ms | {pairs:.2f} | {limit} |", flush=True)


def refs():
    listed = git("for-each-ref", "--format=%(objectname) %(refname)", "refs/runs", at=runs)
    return [line.split(" ") for line in listed.splitlines()]


def put(path, tips, *prefixes):
    """Makes many refs, packed, as they lie after git's maintenance."""
    place = git("rev-parse", "--path-format=absolute", "--git-dir", at=path).strip()
    refs = sorted((prefix + name.rsplit("/", 1)[1], tip) for prefix in prefixes for tip, name in tips)
    with open(os.path.join(place, "packed-refs"), "w") as packed:
        packed.write("# pack-refs with: peeled fully-peeled sorted \n")
        packed.writelines(f"{tip} {name}\n" for name, tip in refs)


def push_of_new(tips):
    """Runs that a bare repository does not have, whose objects are sent."""
    work = clone("push")
    put(work, tips, "refs/runs/")
    url = f"file://{folder}/bare.git"
    ours, theirs = [], []
    for number in range(rounds + 1):
        commands = ([program, "push", url], ours), (["git", "push", "-q", url, "refs/runs/*:refs/runs/*"], theirs)
        for command, into in commands:
            bare = os.path.join(folder, "bare.git")
            shutil.rmtree(bare, ignore_errors=True)
            git("init", "-q", "--bare", bare, at=folder)
            took = timed(command, work)
            there = git("for-each-ref", "--format=%(refname)", "refs/runs", at=bare).splitlines()
            assert len(there) == len(tips), "not all of them arrived"
            # The first round warms up.
            if number:
                into.append(took)
    return ours, theirs


def pull_of_nothing(tips, settings, spec):
    """Everything is here already, and noted as the remote's."""
    bare = clone(f"pull-{settings}.git", bare=True)
    put(bare, tips, "refs/runs/")
    work = clone(f"pull-{settings}")
    put(work, tips, "refs/runs/", "refs/xtrack/remotes/origin/runs/")
    git("remote", "add", "origin", f"file://{bare}", at=work)
    ours, theirs = [], []
    for number in range(rounds + 1):
        ours_took = timed([program, "pull"], work)
        theirs_took = timed(["git", "fetch", "-q", "--no-tags", "--no-auto-maintenance", "origin", spec], work)
        if number:
            ours.append(ours_took)
            theirs.append(theirs_took)
    return ours, theirs


def first_pull(tips):
    """Into a repository that has none of the runs; the answer is made anew each time, and once only, since it is long."""
    bare = clone("first.git", bare=True)
    put(bare, tips, "refs/runs/")
    spec = "+refs/runs/*:refs/runs/*"
    commands = [program, "pull", "origin"], ["git", "fetch", "-q", "--no-tags", "--no-auto-maintenance", "origin", spec]
    took = []
    for command in commands:
        work = os.path.join(folder, "first")
        git("init", "-q", work, at=folder)
        git("remote", "add", "origin", f"file://{bare}", at=work)
        took.append([timed(command, work)])
        there = git("for-each-ref", "--format=%(objectname)", "refs/runs", at=work).splitlines()
        assert len(there) == len(tips), "not all of them arrived"
        shutil.rmtree(work)
    return took


def among_many(tips, count, ours_command, theirs_command, from_there):
    """`count` new runs, chosen or all, to or from a repository that holds all others already."""
    bare, work = clone("many.git", bare=True), clone("many")
    new, old = tips[:count], tips[count:]
    here, there = (old, tips) if from_there else (tips, old)
    ours, theirs = [], []
    for number in range(rounds + 1):
        for command, into in (ours_command, ours), (theirs_command, theirs):
            for path, held in (bare, there), (work, here):
                shutil.rmtree(os.path.join(git("rev-parse", "--absolute-git-dir", at=path).strip(), "refs/runs"), ignore_errors=True)
                put(path, held, "refs/runs/")
            git("config", "remote.origin.url", f"file://{bare}", at=work)
            took = timed(command(new), work)
            arrived = git("for-each-ref", "--format=%(refname)", "refs/runs", at=work if from_there else bare).splitlines()
            assert len(arrived) == len(tips), f"{len(arrived)} of {len(tips)} arrived"
            if number:
                into.append(took)
    for path in bare, work:
        shutil.rmtree(path)
    return ours, theirs


def named(new):
    return [name.rsplit("/", 1)[1] for _, name in new]


tips = refs()
print("| what | ours | git | ratio | limit |\n|---|---|---|---|---|")
told("`push` of 1,000 new runs", *push_of_new(tips[:1000]), "1.3")
count = f"{len(tips):,}"
spec = "+refs/runs/*:refs/xtrack/remotes/origin/runs/*"
told(f"`pull` with nothing to do, {count} runs", *pull_of_nothing(tips, "all", spec), "1.2")
told("the same, 1,000 runs", *pull_of_nothing(tips[:1000], "few", spec), "")
told(f"the first `pull`, {count} runs", *first_pull(tips), "")
specs = lambda new: [f"refs/runs/{run}:refs/runs/{run}" for run in named(new)]
fetch = ["git", "fetch", "-q", "--no-tags", "--no-auto-maintenance", "origin"]
pulled = among_many(tips, 100, lambda new: [program, "pull"], lambda new: [*fetch, "+refs/runs/*:refs/runs/*"], True)
told(f"`pull` of 100 new runs among {count}", *pulled, "")
pushed = among_many(tips, 10, lambda new: [program, "push", *named(new)], lambda new: ["git", "push", "-q", "origin", *specs(new)], False)
told(f"`push` of 10 chosen runs to a remote of {count}", *pushed, "")
