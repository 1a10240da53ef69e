"""How a run begins and ends where no recorder surrounds it: by the program, or as a folder that is taken in later.

Knows `git xtrack begin` and `finish`, and the portable folder; nothing of journals' lines.
"""

from __future__ import annotations

import os
import time

from xtrack import _git, _ids, _process
from xtrack._say import describe, say_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BEGIN_SECONDS = 120.0
FINISH_SECONDS = 600.0
RANKS_SECONDS = 10.0
DEFAULT_PLACE = "xtrack-runs"


class Wanted:
    """What is asked of a run that begins."""

    __slots__ = ("experiment", "name", "tags", "notes", "group", "resume", "run_key", "directory", "portable")

    def __init__(
        self,
        experiment: str | None,
        name: str | None,
        tags: list[str],
        notes: str | None,
        group: str | None,
        resume: str | None,
        run_key: str | None,
        directory: str | None,
        portable: bool,
    ) -> None:
        self.experiment = experiment
        self.name = name
        self.tags = tags
        self.notes = notes
        self.group = group
        self.resume = resume
        self.run_key = run_key
        self.directory = directory
        self.portable = portable


class Begun:
    """A run that began: where it is written, and what its first journal must say."""

    __slots__ = ("id", "attempt", "name", "folder", "start", "is_portable", "is_joined")

    def __init__(
        self,
        id: str,
        attempt: str | None,
        name: str | None,
        folder: str,
        start: dict[str, Any] | None = None,
        is_joined: bool = False,
    ) -> None:
        self.id = id
        self.attempt = attempt
        self.name = name
        self.folder = folder
        self.start = start
        self.is_portable = start is not None
        self.is_joined = is_joined


def begin(wanted: Wanted) -> Begun | None:
    """Begins a run: in the repository, else in a folder, else in a temporary one, else not at all."""
    leader = _wait_for_leader(wanted)
    if leader is not None:
        return leader if leader.id else None
    if wanted.portable:
        begun = _portable(wanted, "as asked")
    else:
        found = _by_program(wanted)
        begun = found if isinstance(found, Begun) else _portable(wanted, found)
    if begun is not None:
        _announce_to_ranks(begun)
    return begun


# -- by the program


def program(arguments: list[str], seconds: float) -> Any:
    """Runs `git xtrack …`: what it answered in JSON, or a text that says why there is no answer."""
    import json
    import subprocess

    try:
        ended = subprocess.run(
            ["git", "xtrack", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=seconds,
        )
    except FileNotFoundError:
        return "there is no git here"
    except subprocess.TimeoutExpired:
        return f"git xtrack {arguments[0]} took longer than {seconds:.0f} s"
    except OSError as error:
        return f"git cannot be run: {describe(error)}"
    said = ended.stderr.decode("utf-8", "replace").strip()
    if ended.returncode != 0:
        if "not a git command" in said:
            return "git-xtrack is not installed here"
        first = said.splitlines()[0] if said else f"it ended with exit code {ended.returncode}"
        return first[len("error: ") :] if first.startswith("error: ") else first
    try:
        answer = json.loads(ended.stdout.decode("utf-8"))
    except ValueError:
        return f"git xtrack {arguments[0]} gave no JSON"
    for line in said.splitlines():
        if line.startswith("warning: "):
            say_once(line, line)
    return answer if isinstance(answer, dict) else f"git xtrack {arguments[0]} gave another JSON than expected"


def _by_program(wanted: Wanted) -> Begun | str:
    arguments = ["begin", "--json", f"--owner={os.getpid()}"]
    named = [
        ("name", wanted.name),
        ("experiment", wanted.experiment),
        ("group", wanted.group),
        ("note", wanted.notes),
        ("run-key", wanted.run_key),
        ("resume", wanted.resume),
    ]
    arguments += [f"--{option}={value}" for option, value in named if value]
    arguments += [f"--tag={tag}" for tag in wanted.tags]
    answer = program(arguments, BEGIN_SECONDS)
    if isinstance(answer, str):
        return answer
    folder = answer.get("folder")
    if not isinstance(folder, str) or not os.path.isdir(folder):
        return "git xtrack begin named no folder"
    return Begun(str(answer.get("id")), answer.get("attempt"), answer.get("name"), os.path.abspath(folder))


def finish(begun: Begun) -> str | None:
    """Makes the record of a run that the program began. What went wrong, if something did."""
    answer = program(["finish", begun.folder, "--json"], FINISH_SECONDS)
    return answer if isinstance(answer, str) else None


# -- as a folder that is taken in later


def _portable(wanted: Wanted, reason: str) -> Begun | None:
    started = time.time()
    attempt = _ids.attempt_id()
    resumed = wanted.resume if wanted.resume and _ids.is_run_id(wanted.resume) else None
    if wanted.resume and resumed is None:
        say_once("resume", f"cannot find '{wanted.resume}' without the repository: give the run's whole id; this is a new run")
    if wanted.run_key:
        id = _ids.keyed_run_id(wanted.run_key)
    else:
        id = resumed or _ids.run_id(started)
    is_shared = bool(wanted.run_key or resumed)
    name = f"{id}-{attempt}" if is_shared else id
    for base in _places(wanted):
        try:
            place = base() if callable(base) else base
            folder = os.path.join(place, name)
            os.makedirs(folder)
        except OSError as error:
            reason = f"{reason}; {describe(error)}"
            continue
        if os.path.basename(place) == DEFAULT_PLACE:
            _hide(place)
        from shlex import quote

        say_once(
            f"portable: {folder}",
            f"this run is written to '{folder}', not into the repository ({reason});"
            f" take it in with: git xtrack adopt {quote(folder)}",
        )
        start = _start(wanted, id, attempt, started, is_resumed=resumed is not None)
        return Begun(id, attempt, start.get("name"), folder, start)
    say_once("nowhere", f"nothing is logged: there is no place to write to ({reason})")
    return None


def _places(wanted: Wanted) -> list[Any]:
    given = wanted.directory or os.environ.get("XTRACK_DIR")
    here = os.path.abspath(given) if given else os.path.join(os.path.abspath(os.getcwd()), DEFAULT_PLACE)

    def temporary() -> str:
        from tempfile import mkdtemp

        return mkdtemp(prefix="xtrack-")

    return [here, temporary]


def _hide(place: str) -> None:
    """Keeps the folder out of commits, and of the snapshots of later runs."""
    try:
        with open(os.path.join(place, ".gitignore"), "x") as file:
            file.write("*\n")
    except OSError:
        pass  # It is there already.


def _start(wanted: Wanted, id: str, attempt: str, started: float, is_resumed: bool) -> dict[str, Any]:
    """The facts that are known at the start, named as in run.toml."""
    here = os.path.abspath(os.getcwd())
    repository = _git.find(here)
    inside = os.path.relpath(os.path.realpath(here), os.path.realpath(repository[0])) if repository else here
    name = wanted.name or (None if is_resumed else _ids.pet_name())
    user = os.environ.get("USER") or os.environ.get("LOGNAME")
    facts: dict[str, Any] = {
        "format": 1,
        "id": id,
        "key": wanted.run_key,
        "name": name,
        "experiment": wanted.experiment,
        "attempt": attempt,
        "started": _ids.moment(started),
        "command": _process.command(),
        "cwd": inside.replace(os.sep, "/"),
        "user": f"{user}@{_process.host()}" if user else None,
        "host": _process.host(),
        "group": wanted.group,
        "tags": wanted.tags,
        "notes": [wanted.notes] if wanted.notes else [],
        "code": _git.code(repository[1]) if repository else {},
    }
    return {key: value for key, value in facts.items() if value not in (None, [], {}, "")}


# -- several ranks without a recorder around them


def _wait_for_leader(wanted: Wanted) -> Begun | None:
    """What the first rank on this machine began, for the others of the same launcher; one without id if it did not."""
    world, rank = _process.number_of(_process.WORLD_SIZES), _process.number_of(_process.RANKS)
    if not world or world < 2 or not rank:
        return None
    local = _process.number_of(_process.LOCAL_RANKS)
    if local == 0 and wanted.run_key:
        return None  # Another machine's leader: its attempt joins the keyed run.
    if local != 0:
        path = _meeting_place()
        until = time.monotonic() + RANKS_SECONDS
        while time.monotonic() < until:
            lines = (_process.read(path) or "").splitlines()
            if len(lines) == 2 and os.path.isdir(lines[1]):
                return Begun(lines[0], None, None, lines[1], is_joined=True)
            time.sleep(0.02)
    say_once(
        "rank",
        f"rank {rank} logs nothing: no run began on this machine's first rank; `git xtrack record -- …` around the"
        " launcher, or XTRACK_RUN_KEY, gives all ranks one run",
    )
    return Begun("", None, None, "")


def _announce_to_ranks(begun: Begun) -> None:
    world = _process.number_of(_process.WORLD_SIZES)
    if not world or world < 2:
        return
    path = _meeting_place()
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        temporary = f"{path}.{os.getpid()}"
        with open(temporary, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f"{begun.id}\n{begun.folder}\n")
        os.replace(temporary, path)
    except OSError as error:
        say_once("ranks: meet", f"the other ranks cannot be told of this run: {describe(error)}")


def _meeting_place() -> str:
    """A file that the processes of one launcher on one machine agree on."""
    from hashlib import sha256
    from tempfile import gettempdir

    parent = str(os.getppid())
    names = ("MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT", "SLURM_JOB_ID", "SLURM_STEP_ID")
    known = [parent, str(_process.start_ticks(parent)), *(os.environ.get(name, "") for name in names)]
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    return os.path.join(gettempdir(), f"xtrack-{user}", sha256("\0".join(known).encode()).hexdigest()[:16])


