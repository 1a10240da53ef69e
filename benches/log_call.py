"""What one `xtrack.log({"loss": x}, step=i)` costs, beside a loop of os.write(json.dumps) and other trackers.

All CPU is counted, user and system, of the process and of every process it starts; the time a tracker needs to begin
is left out, the time to end (flush, close, upload to disk) is not. Each runs in a process of its own, in turn.
"""

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time


def cpu():
    """CPU seconds of this process and of its children that have ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def living_children(pid):
    """CPU seconds of the living descendants of a process: what a service in the background has used so far."""
    ticks, total = os.sysconf("SC_CLK_TCK"), 0.0
    parents, used = {}, {}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(name)] = int(fields[1])
        used[int(name)] = (int(fields[11]) + int(fields[12]) + int(fields[13]) + int(fields[14])) / ticks
    for each in used:
        above = parents[each]
        while above in parents and above != pid:
            above = parents[above]
        total += used[each] if above == pid else 0.0
    return total


def log_xtrack(values):
    os.environ["XTRACK_QUIET"] = "1"
    import xtrack

    os.mkdir("live")
    os.environ["XTRACK_RUN_DIR"] = os.path.abspath("live")
    xtrack.init()
    yield
    for step, value in enumerate(values):
        xtrack.log({"loss": value}, step=step)
    yield
    xtrack.finish()


def log_json(values):
    fd = os.open("loop.jsonl", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    yield
    for step, value in enumerate(values):
        event = {"n": step, "t": time.time(), "step": step, "points": {"loss": value}}
        os.write(fd, json.dumps(event).encode())
    yield
    os.close(fd)


def log_tensorboardx(values):
    from tensorboardX import SummaryWriter

    writer = SummaryWriter("logs")
    yield
    for step, value in enumerate(values):
        writer.add_scalar("loss", value, step)
    yield
    writer.close()


def log_tensorboard(values):
    """The steps of torch.utils.tensorboard's add_scalar, by TensorBoard's own writer."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter("logs")
    yield
    for step, value in enumerate(values):
        summary = Summary(value=[Summary.Value(tag="loss", simple_value=float(value))])
        writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))
    yield
    writer.close()


def log_torch(values):
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter("logs")
    yield
    for step, value in enumerate(values):
        writer.add_scalar("loss", value, step)
    yield
    writer.close()


def log_trackio(values):
    os.environ["TRACKIO_DIR"] = os.path.abspath("trackio")
    import trackio

    trackio.init(project="bench", name="bench", embed=False)
    yield
    for step, value in enumerate(values):
        trackio.log({"loss": value}, step=step)
    yield
    trackio.finish()


def log_wandb(values):
    os.environ["WANDB_MODE"] = "offline"
    os.environ["WANDB_SILENT"] = "true"
    import wandb

    run = wandb.init(project="bench", dir=".", mode="offline")
    yield
    for step, value in enumerate(values):
        run.log({"loss": value}, step=step)
    yield
    run.finish()


KINDS = {
    "xtrack": (log_xtrack, None),
    "json loop": (log_json, None),
    "torch SummaryWriter": (log_torch, "torch"),
    "TensorBoard writer": (log_tensorboard, "tensorboard"),
    "tensorboardX": (log_tensorboardx, "tensorboardX"),
    "Trackio": (log_trackio, "trackio"),
    "W&B offline": (log_wandb, "wandb"),
}


def measure(kind, count):
    """In a process of its own: CPU seconds of the calls and of the end, and wall seconds of the calls."""
    random.seed(1)
    values = [random.random() for _ in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        stages = KINDS[kind][0](values)
        next(stages)
        before, wall = cpu() + living_children(os.getpid()), time.perf_counter()
        next(stages)
        wall = time.perf_counter() - wall
        for _ in stages:
            pass
        # What a service did until here, and what its end adds once it is reaped.
        used = cpu() + living_children(os.getpid()) - before
        os.chdir("/")
    return used, wall


def is_here(module):
    from importlib.util import find_spec

    return module is None or find_spec(module) is not None


def main():
    if len(sys.argv) > 2 and sys.argv[1] == "--one":
        print("RESULT", *measure(sys.argv[2], int(sys.argv[3])))
        return 0
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    kinds = [kind for kind, (_, module) in KINDS.items() if is_here(module)]
    results = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind in kinds:
            ended = subprocess.run(
                [sys.executable, __file__, "--one", kind, str(count)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            lines = [line for line in ended.stdout.decode().splitlines() if line.startswith("RESULT")]
            if lines:
                results[kind].append(tuple(map(float, lines[-1].split()[1:])))
            else:
                print(f"{kind} failed: {ended.stderr.decode()[-300:]}", file=sys.stderr)
    print(f"Python {sys.version.split()[0]}, {count} calls, the median of {rounds} rounds\n")
    print(f"{'':22}{'CPU µs/call':>12}{'wall µs/call':>14}{'x json loop':>13}")
    median = {kind: [sorted(column)[len(column) // 2] for column in zip(*found)] for kind, found in results.items() if found}
    for kind, (used, wall) in median.items():
        ratio = used / median["json loop"][0]
        print(f"{kind:22}{used / count * 1e6:12.2f}{wall / count * 1e6:14.2f}{ratio:13.2f}")
    ours = median["xtrack"][0]
    others = [kind for kind in median if kind != "xtrack"]
    lost = [kind for kind in others if ours > median[kind][0]]
    print(f"\nlimit, the json loop and every other: {'MISSED: ' + ', '.join(lost) if lost else 'kept'}")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
