"""A run as a training sees it, and the module's functions, which are the active run's.

Knows what may be asked of a run and how it is said in events; how lines reach the disk is `_journal`'s, how a run
begins and ends outside a recorder `_begin`'s.
"""

from __future__ import annotations

import os

from xtrack import _loading, _say
from xtrack._config import Config, Summary
from xtrack._journal import ABSENT, AFTER_THE_END, Journal, random_name
from xtrack._say import XtrackError, describe, guarded, say_once, tell, trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Any, Literal

    from xtrack._begin import Begun, Wanted
    from xtrack._notebook import Cells

    Path = str | os.PathLike[str]

COPY_MAX = 1024 * 1024
THING_MAX = 1024 * 1024


class Run:
    """A run that this process writes to. `xtrack.init()` gives one."""

    def __init__(self, begun: Begun | None) -> None:
        self._begun = begun
        self._is_finished = False
        self._pid = os.getpid()
        self._paths: dict[str, int] = {}
        self._cells: Cells | None = None
        self._rank: int | None = None
        self.defined: set[str] = set()
        """The metrics that something was said of by `define_metric`."""
        if begun is None:
            self._journal: Journal | None = None
            self._points = _nothing
        else:
            from xtrack import _process

            self._rank = _process.number_of(_process.RANKS)
            self._journal = Journal(begun.folder, self._first_line)
            self._points = self._journal.points
        self.config = Config(self._put_params)
        self.summary = Summary(self._put_summary if begun is not None else None)

    # -- what it is

    @property
    def id(self) -> str | None:
        """The run's id; none in disabled mode."""
        return self._begun.id if self._begun else None

    @property
    def attempt(self) -> str | None:
        """The attempt's id, if it is known here."""
        return self._begun.attempt if self._begun else None

    @property
    def name(self) -> str | None:
        """The run's name, if it is known here."""
        return self._begun.name if self._begun else None

    @property
    def dir(self) -> str | None:
        """The folder that holds what is logged while the run is in progress."""
        return self._begun.folder if self._begun else None

    @property
    def url(self) -> None:
        """Always none: there is no server."""
        return None

    @property
    def disabled(self) -> bool:
        """Whether nothing is kept."""
        return self._journal is None

    def __repr__(self) -> str:
        return f"Run({self.id!r}, name={self.name!r})" if self._begun else "Run(disabled)"

    # -- numbers

    def log(self, values: Mapping[str, Any], step: Any = None) -> None:
        """Logs one row of metrics. Without a step: one more than this process's last."""
        self._points(values, step)

    @guarded
    def define_metric(
        self,
        name: str,
        *,
        goal: Literal["min", "max"] | None = None,
        unit: str | None = None,
        x: str | None = None,
        summary: Literal["last", "min", "max"] | None = None,
    ) -> None:
        """Says what a metric is: whether less is better, its unit, the metric that is its x axis, which value sums it up."""
        goals = {"minimize": "min", "maximize": "max", "minimise": "min", "maximise": "max"}
        said = {"goal": goals.get(goal or "", goal), "unit": unit, "x": x, "summary": summary}
        for key, known in (("goal", ("min", "max")), ("summary", ("last", "min", "max"))):
            if said[key] is not None and said[key] not in known:
                trouble(f"define {key} {said[key]}", f"define_metric(): {key} is one of {', '.join(known)}, not '{said[key]}'")
                said[key] = None
        self.defined.add(name)
        self._event("define", {name: {key: value for key, value in said.items() if value is not None}})

    def log_params(self, params: Any = None, /, **named: Any) -> None:
        """Sets params; the same as `config.update`."""
        self.config.update(params, **named)

    # -- words

    @guarded
    def add_tags(self, tags: str | Iterable[str] | Mapping[str, Any], *more: str) -> None:
        """Adds tags: `"baseline"`, `["a", "k=v"]` or `{"k": "v"}`."""
        self._event("tags", [*as_tags(tags), *more])

    def set_tags(self, tags: str | Iterable[str] | Mapping[str, Any], *more: str) -> None:
        """The same as `add_tags`: a tag `k=v` replaces an earlier `k=…`, others stay."""
        self.add_tags(tags, *more)

    @guarded
    def note(self, text: str) -> None:
        """Adds a note."""
        self._event("note", str(text))

    @guarded
    def alert(self, title: str, text: str = "", level: Literal["info", "warn", "error"] = "info") -> None:
        """Notes that something needs a person's eye."""
        levels = {"warning": "warn", "critical": "error"}
        self._thing("alert", "alert", {"title": str(title), "text": str(text), "level": levels.get(level.lower(), level.lower())})

    # -- things

    @guarded
    def log_text(self, name: str, text: str, step: Any = None) -> None:
        """Logs a text: a sample, a prompt with its answer."""
        self._thing(name, "text", str(text), step)

    @guarded
    def log_table(self, name: str, table: Any, step: Any = None, *, columns: Sequence[str] | None = None) -> None:
        """Logs a table: a list of dicts, a dict of lists, a data frame of pandas or polars, or rows with `columns`."""
        from xtrack import _things
        from xtrack._values import dumps

        if self._journal is None:
            return
        value = _things.table(table, columns)
        if len(value["rows"]) * (1 + len(value["columns"])) * 2 > THING_MAX or len(dumps(value)) > THING_MAX:
            self._bytes(f"tables/{name}", ".csv", _things.as_csv(value), step, key=name)
        else:
            self._thing(name, "table", value, step)

    @guarded
    def log_histogram(
        self,
        name: str,
        values: Any = None,
        step: Any = None,
        *,
        bins: int | Sequence[float] = 64,
        edges: Sequence[float] | None = None,
        counts: Sequence[float] | None = None,
    ) -> None:
        """Logs how values are spread; or a histogram that is there already, as `edges` and `counts`."""
        if self._journal is not None:
            from xtrack import _things

            self._thing(name, "histogram", _things.histogram(values, bins, edges, counts), step)

    @guarded
    def log_confusion_matrix(
        self,
        y_true: Any,
        y_pred: Any,
        labels: Sequence[Any] | None = None,
        *,
        name: str = "confusion_matrix",
        step: Any = None,
    ) -> None:
        """Logs how often each true label (row) was predicted as each (column)."""
        if self._journal is not None:
            from xtrack import _things

            self._thing(name, "confusion_matrix", _things.confusion_matrix(y_true, y_pred, labels), step)

    @guarded
    def log_curve(
        self,
        name: str,
        kind: str | None = None,
        *,
        y_true: Any = None,
        y_score: Any = None,
        x: Any = None,
        y: Any = None,
        x_name: str | None = None,
        y_name: str | None = None,
        positive: Any = None,
        step: Any = None,
    ) -> float | None:
        """Logs a curve and returns the area under it: `kind` "roc" or "pr" of `y_true` and `y_score`, or `x` and `y`."""
        from xtrack import _things

        if self._journal is None:
            return None
        kind = kind or (name if name in ("roc", "pr") else "roc" if y_true is not None else "line")
        value, area = _things.curve(kind, y_true, y_score, x, y, x_name, y_name, positive)
        self._thing(name, "curve", value, step)
        return area

    # -- files

    @guarded
    def log_figure(self, name: str, figure: Any, step: Any = None, *, format: str | None = None) -> None:
        """Logs a figure: of matplotlib as PNG (or SVG, PDF), of plotly as HTML (or JSON)."""
        if self._journal is not None:
            from xtrack import _media

            data, suffix = _media.figure_bytes(figure, format)
            self._bytes(f"figures/{name}", suffix, data, step, key=name)

    @guarded
    def log_image(self, name: str, image: Any, step: Any = None) -> None:
        """Logs an image: a path, PIL, encoded bytes, or an array HxW, HxWx3, HxWx4 (0..255, or floats 0..1)."""
        if self._journal is None:
            return
        from xtrack import _media

        if isinstance(image, (str, os.PathLike)):
            path = os.fspath(image)
            with open(path, "rb") as file:
                data, suffix = file.read(), os.path.splitext(path)[1].lower()
        else:
            data, suffix = _media.image_bytes(image)
        self._bytes(f"images/{name}", suffix, data, step, key=name)

    @guarded
    def log_artifact(
        self,
        path: Path,
        name: str | None = None,
        *,
        type: str | None = None,
        step: Any = None,
        key: str | None = None,
        copy: bool | None = None,
    ) -> None:
        """Keeps a file or a folder. Files up to 1 MiB as they are now; larger ones, and folders, as they are when the run ends, unless `copy`."""
        if self._journal is None or self._begun is None:
            return
        source = os.path.abspath(os.fspath(path))
        if not os.path.exists(source):
            trouble(f"artifact: {source}", f"log_artifact(): there is no '{os.fspath(path)}'")
            return
        shown = (name or _shown_path(source)).replace(os.sep, "/").strip("/")
        if copy is None:
            # Whoever takes the folder in elsewhere has not got our files.
            copy = self._begun.is_portable or (os.path.isfile(source) and os.path.getsize(source) <= COPY_MAX)
        if not copy:
            self._artifact(shown, None, source, type, step, key)
        elif os.path.isdir(source):
            self._copy_folder(source, shown, type, step, key)
        else:
            self._artifact(shown, self._copied(source, shown), None, type, step, key)

    @guarded
    def log_input(
        self,
        path: Path | None = None,
        name: str | None = None,
        *,
        sha256: str | None = None,
        digest: str | None = None,
        size: int | None = None,
    ) -> None:
        """Notes what the run read: a file or folder, which is hashed at the end, or a data set by its name and digest."""
        where = os.fspath(path) if path is not None else None
        is_here = where is not None and os.path.exists(where)
        shown = os.path.abspath(where) if where is not None and is_here else where
        value = {
            "name": name or (os.path.basename(where.rstrip("/")) if where else None),
            "path": shown,
            "kind": "dir" if shown and os.path.isdir(shown) else "file" if is_here or where else None,
            "sha256": sha256,
            "digest": digest,
            "size": size if size is not None else os.path.getsize(shown) if shown and os.path.isfile(shown) else None,
            "files": None,
        }
        self._event("input", value)

    # -- the end

    def finish(
        self,
        exit_code: int | None = None,
        *,
        status: Literal["finished", "failed", "killed"] | None = None,
        error: str | None = None,
    ) -> None:
        """Ends the run here. Without it the run ends with the process."""
        failed = bool(exit_code) or error is not None
        self._finish({"status": status or ("failed" if failed else "finished"), "exit_code": exit_code, "error": error})

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self._finish({"status": "finished", "exit_code": 0, "error": None})
        else:
            from xtrack import _exit

            self._finish(_exit.of_exception(error))

    @guarded
    def _finish(self, said: dict[str, Any]) -> None:
        global _active
        if self._is_finished:
            return
        self._is_finished = True
        if _active is self:
            _activate(None)
        journal, begun = self._journal, self._begun
        if journal is None or begun is None:
            return
        if self._cells is not None:
            self._cells.stop()
        if journal.owner_pid == self._pid or journal.is_open:
            journal.event("finish", said)
        is_owner = self._pid == os.getpid() and not begun.is_joined
        lost = journal.close(sync=begun.is_portable)
        if is_owner:
            _leave_environment(begun)
        if lost:
            say_once(f"lost: {begun.folder}", f"{lost} logged events could not be written and are lost")
        if is_owner and not begun.is_portable:
            from xtrack import _begin

            wrong = _begin.finish(begun)
            if wrong is None:
                tell(f"recorded {begun.name or begun.id}: git xtrack show {begun.name or begun.id}")
            else:
                trouble("finish", f"the run is not recorded yet ({wrong}): the next git xtrack command does it")

    # -- how it is said

    def _event(self, kind: str, value: Any, step: Any = ABSENT) -> None:
        if self._journal is not None:
            self._journal.event(kind, value, step)

    def _put_params(self, values: dict[str, Any]) -> None:
        if self._journal is not None:
            from xtrack._values import plain

            self._journal.event("params", plain(values))

    def _put_summary(self, body: str) -> None:
        if self._journal is not None:
            self._journal.put(f'"summary":{body}')

    def _thing(self, name: str, kind: str, value: Any, step: Any = None) -> None:
        self._event("thing", {"name": str(name), "kind": kind, "value": value}, step)

    def _artifact(
        self, path: str, file: str | None, source: str | None, type: str | None, step: Any, key: str | None
    ) -> None:
        from xtrack._media import media_type

        said = {"path": path, "file": file, "source": source, "type": type or media_type(path), "key": key}
        self._event("artifact", said, step)

    def _bytes(self, path: str, suffix: str, data: bytes, step: Any, key: str) -> None:
        """Keeps bytes under a path of its own: with the step in it, and the rank where there are several."""
        if step is not None:
            from xtrack._values import number_text

            path = f"{path}-{number_text(step) or step}"
        if self._rank:
            path = f"{path}-rank{self._rank}"
        place = f"{path}{suffix}"
        seen = self._paths.get(place, 0)
        self._paths[place] = seen + 1
        place = f"{path}-{seen + 1}{suffix}" if seen else place
        file = self._new_file(place)
        assert self._begun is not None
        with open(os.path.join(self._begun.folder, file), "xb") as out:
            out.write(data)
        self._artifact(place, file, None, None, step, key)

    def _new_file(self, path: str) -> str:
        from xtrack._ids import slug

        assert self._begun is not None
        os.makedirs(os.path.join(self._begun.folder, "files"), exist_ok=True)
        return f"files/{random_name()}-{slug(path)}"

    def _copied(self, source: str, path: str) -> str:
        from shutil import copyfile

        assert self._begun is not None
        file = self._new_file(path)
        copyfile(source, os.path.join(self._begun.folder, file))
        return file

    def _copy_folder(self, source: str, shown: str, type: str | None, step: Any, key: str | None) -> None:
        for folder, folders, names in os.walk(source):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                inner = os.path.relpath(path, source).replace(os.sep, "/")
                if os.path.isfile(path):
                    self._artifact(f"{shown}/{inner}", self._copied(path, inner), None, type, step, key)

    # -- its beginning

    def _first_line(self, parent: str | None) -> dict[str, Any]:
        from xtrack import _process

        said = _process.begin(parent, self._rank)
        is_first = self._pid == os.getpid() and self._begun is not None and self._begun.start is not None
        if is_first and self._begun is not None:
            said["start"] = self._begun.start
        return said

    def _open(self) -> None:
        """Writes what is known of this process, and watches for its end."""
        from xtrack import _exit, _notebook, _process

        begun, journal = self._begun, self._journal
        if begun is None or journal is None:
            return
        if not begun.is_joined:
            os.environ["XTRACK_RUN_DIR"] = begun.folder
            if begun.id:
                os.environ["XTRACK_RUN_ID"] = begun.id
            _exit.watch_exit_code()
        _exit.watch(_at_exit)
        if not _process.is_worker():
            journal.open()
            journal.event("environment", _process.environment())
        file = f"files/{random_name()}-cells.py"
        self._cells = _notebook.begin(begun.folder, file, lambda: self._event("code", {"path": "cells.py", "file": file}))


def _nothing(values: Any, step: Any = None) -> None:
    return None


def _shown_path(source: str) -> str:
    """What a file is called in the record: as seen from here, or by its last name."""
    here = os.path.abspath(os.getcwd())
    return os.path.relpath(source, here) if source.startswith(here + os.sep) else os.path.basename(source)


def _leave_environment(begun: Begun) -> None:
    if os.environ.get("XTRACK_RUN_DIR") == begun.folder:
        os.environ.pop("XTRACK_RUN_DIR", None)
        os.environ.pop("XTRACK_RUN_ID", None)


def as_tags(tags: str | Iterable[str] | Mapping[str, Any] | None) -> list[str]:
    """Tags of one text, several, or a dict."""
    if tags is None:
        return []
    if isinstance(tags, str):
        return [tags]
    if hasattr(tags, "items"):
        return [f"{key}={value}" for key, value in tags.items()]
    return [str(tag) for tag in tags]


# -- the active run

_active: Run | None = None
_has_finished = False


def _activate(run: Run | None) -> None:
    global _active, _log, _has_finished
    _has_finished = _has_finished or (run is None and _active is not None)
    _active = run
    _log = _log_first if run is None else run._points


def _log_first(values: Mapping[str, Any], step: Any = None) -> None:
    here()._points(values, step)


_log: Any = _log_first


def active() -> Run | None:
    """The run that this process writes to, if there is one."""
    return _active


def here() -> Run:
    """The active run; without one the surrounding run is joined, or a run begins."""
    if _active is not None:
        return _active
    with _loading.lock:
        if _active is not None:  # Another thread was first.
            return _active
        if _has_finished and not _surrounding():
            trouble("log after finish", AFTER_THE_END)
            return Run(None)
        return init()


def init(
    experiment: str | None = None,
    name: str | None = None,
    config: Any = None,
    tags: str | Iterable[str] | Mapping[str, Any] | None = None,
    notes: str | None = None,
    group: str | None = None,
    resume: str | None = None,
    run_key: str | None = None,
    mode: str | None = None,
    dir: Path | None = None,
) -> Run:
    """Joins the run that surrounds this process, or begins one.

    `mode`, or XTRACK_MODE: `disabled` keeps nothing, `strict` raises what else is only said, `portable` writes a folder
    rather than into the repository. What is not given comes from XTRACK_EXPERIMENT, _NAME, _TAGS, _NOTES, _GROUP,
    _RUN_KEY and _DIR.
    """
    try:
        with _loading.lock:
            return _init(experiment, name, config, as_tags(tags), notes, group, resume, run_key, mode, dir)
    except XtrackError:
        raise
    except Exception as error:
        trouble("init", f"init(): nothing is logged: {describe(error)}", error)
        run = Run(None)
        _activate(run)
        return run


def _init(
    experiment: str | None,
    name: str | None,
    config: Any,
    tags: list[str],
    notes: str | None,
    group: str | None,
    resume: str | None,
    run_key: str | None,
    mode: str | None,
    dir: Path | None,
) -> Run:
    variable = os.environ.get
    modes = _modes(mode if mode is not None else variable("XTRACK_MODE", ""))
    _say.strict = "strict" in modes
    _say.quiet = variable("XTRACK_QUIET", "") not in ("", "0")
    if "disabled" in modes:
        run = Run(None)
        _take_over(run)
        run.config.update(config)
        return run
    import json  # noqa: F401  (loaded now: a fork while a thread loads it would leave the child waiting for ever)

    from xtrack import _process, _values  # noqa: F401
    from xtrack._begin import Wanted

    wanted = Wanted(
        experiment=experiment or variable("XTRACK_EXPERIMENT") or None,
        name=name or variable("XTRACK_NAME") or None,
        tags=[tag.strip() for tag in variable("XTRACK_TAGS", "").split(",") if tag.strip()] + tags,
        notes=notes or variable("XTRACK_NOTES") or None,
        group=group or variable("XTRACK_GROUP") or None,
        resume=resume,
        run_key=run_key or (None if resume else variable("XTRACK_RUN_KEY")) or None,
        directory=os.fspath(dir) if dir is not None else None,
        portable="portable" in modes,
    )
    run = _joined(wanted) or _begun(wanted)
    if config is not None:
        run.config.update(config)
    return run


def _modes(mode: str) -> list[str]:
    known = ("disabled", "strict", "portable", "live")
    modes = [part.strip().lower() for part in mode.split(",") if part.strip()]
    for part in modes:
        if part not in known:
            trouble(f"mode {part}", f"there is no mode '{part}': disabled, strict and portable are")
    return modes


def _surrounding() -> str | None:
    """The folder of the run that surrounds this process, if it is still there."""
    folder = os.environ.get("XTRACK_RUN_DIR")
    return folder if folder and os.path.isdir(folder) else None


def _joined(wanted: Wanted) -> Run | None:
    folder = _surrounding()
    if folder is None:
        return None
    if _active is not None and _active._begun is not None and _active._begun.folder == folder:
        if not _active._begun.is_joined:
            return None  # Our own run, and another is to begin.
        run = _active
    else:
        from xtrack._begin import Begun

        if _has_finished:
            say_once("again", "this process goes on with the run that surrounds it; a run each wants a process each")
        id = os.environ.get("XTRACK_RUN_ID") or os.path.basename(folder)[:24]
        run = Run(Begun(id, None, wanted.name, folder, is_joined=True))
        _take_over(run)
        run._open()
    for kind, value in (("name", wanted.name), ("experiment", wanted.experiment), ("group", wanted.group)):
        if value:
            run._event(kind, value)
    if wanted.tags:
        run._event("tags", wanted.tags)
    if wanted.notes:
        run._event("note", wanted.notes)
    return run


def _begun(wanted: Wanted) -> Run:
    from xtrack import _begin

    if _active is not None:
        _active.finish()
    begun = _begin.begin(wanted)
    run = Run(begun)
    _take_over(run)
    run._open()
    if begun is not None and not begun.is_portable and not begun.is_joined:
        tell(f"recording {begun.name or begun.id}")
    return run


def _take_over(run: Run) -> None:
    if _active is not None and _active is not run:
        _active.finish()
    _activate(run)


def _at_exit() -> None:
    """Ends the active run with the process."""
    run = _active
    if run is None or run._is_finished:
        return
    from xtrack import _exit

    try:
        run._finish(_exit.outcome())
    except XtrackError as error:
        _say.say(str(error))


# -- the module's functions: the active run's


def live_config() -> Config:
    """The active run's params; without a run, params whose first change begins one, so that reading never does."""
    return _active.config if _active is not None else Config(lambda values: here().config.update(values))


def live_summary() -> Summary:
    """The active run's summary; without a run, one whose first change begins one."""
    return _active.summary if _active is not None else Summary(lambda body: here()._put_summary(body))


def log(values: Mapping[str, Any], step: Any = None) -> None:
    """Logs one row of metrics: `log({"train/loss": 0.3}, step=7)`. Without a step: one more than the last."""
    _log(values, step)


def finish(exit_code: int | None = None, *, status: Literal["finished", "failed", "killed"] | None = None) -> None:
    """Ends the active run. Without it the run ends with the process."""
    if _active is not None:
        _active.finish(exit_code, status=status)


def define_metric(
    name: str,
    *,
    goal: Literal["min", "max"] | None = None,
    unit: str | None = None,
    x: str | None = None,
    summary: Literal["last", "min", "max"] | None = None,
) -> None:
    """Says what a metric is: whether less is better, its unit, the metric that is its x axis, which value sums it up."""
    here().define_metric(name, goal=goal, unit=unit, x=x, summary=summary)


def log_params(params: Any = None, /, **named: Any) -> None:
    """Sets params, from anything that holds named values."""
    here().log_params(params, **named)


def add_tags(tags: str | Iterable[str] | Mapping[str, Any], *more: str) -> None:
    """Adds tags: `"baseline"`, `["a", "k=v"]` or `{"k": "v"}`."""
    here().add_tags(tags, *more)


def set_tags(tags: str | Iterable[str] | Mapping[str, Any], *more: str) -> None:
    """The same as `add_tags`: a tag `k=v` replaces an earlier `k=…`, others stay."""
    here().set_tags(tags, *more)


def note(text: str) -> None:
    """Adds a note."""
    here().note(text)


def alert(title: str, text: str = "", level: Literal["info", "warn", "error"] = "info") -> None:
    """Notes that something needs a person's eye."""
    here().alert(title, text, level)


def log_text(name: str, text: str, step: Any = None) -> None:
    """Logs a text."""
    here().log_text(name, text, step)


def log_table(name: str, table: Any, step: Any = None, *, columns: Sequence[str] | None = None) -> None:
    """Logs a table: a list of dicts, a dict of lists, a data frame of pandas or polars, or rows with `columns`."""
    here().log_table(name, table, step, columns=columns)


def log_histogram(
    name: str,
    values: Any = None,
    step: Any = None,
    *,
    bins: int | Sequence[float] = 64,
    edges: Sequence[float] | None = None,
    counts: Sequence[float] | None = None,
) -> None:
    """Logs how values are spread; or a histogram that is there already, as `edges` and `counts`."""
    here().log_histogram(name, values, step, bins=bins, edges=edges, counts=counts)


def log_confusion_matrix(
    y_true: Any,
    y_pred: Any,
    labels: Sequence[Any] | None = None,
    *,
    name: str = "confusion_matrix",
    step: Any = None,
) -> None:
    """Logs how often each true label (row) was predicted as each (column)."""
    here().log_confusion_matrix(y_true, y_pred, labels, name=name, step=step)


def log_curve(
    name: str,
    kind: str | None = None,
    *,
    y_true: Any = None,
    y_score: Any = None,
    x: Any = None,
    y: Any = None,
    x_name: str | None = None,
    y_name: str | None = None,
    positive: Any = None,
    step: Any = None,
) -> float | None:
    """Logs a curve and returns the area under it: `kind` "roc" or "pr" of `y_true` and `y_score`, or `x` and `y`."""
    return here().log_curve(
        name,
        kind,
        y_true=y_true,
        y_score=y_score,
        x=x,
        y=y,
        x_name=x_name,
        y_name=y_name,
        positive=positive,
        step=step,
    )


def log_figure(name: str, figure: Any, step: Any = None, *, format: str | None = None) -> None:
    """Logs a figure: of matplotlib as PNG (or SVG, PDF), of plotly as HTML (or JSON)."""
    here().log_figure(name, figure, step, format=format)


def log_image(name: str, image: Any, step: Any = None) -> None:
    """Logs an image: a path, PIL, encoded bytes, or an array HxW, HxWx3, HxWx4 (0..255, or floats 0..1)."""
    here().log_image(name, image, step)


def log_artifact(
    path: Path,
    name: str | None = None,
    *,
    type: str | None = None,
    step: Any = None,
    key: str | None = None,
    copy: bool | None = None,
) -> None:
    """Keeps a file or a folder. Files up to 1 MiB as they are now; larger ones, and folders, as they are when the run ends, unless `copy`."""
    here().log_artifact(path, name, type=type, step=step, key=key, copy=copy)


def log_input(
    path: Path | None = None,
    name: str | None = None,
    *,
    sha256: str | None = None,
    digest: str | None = None,
    size: int | None = None,
) -> None:
    """Notes what the run read: a file or folder, which is hashed at the end, or a data set by its name and digest."""
    here().log_input(path, name, sha256=sha256, digest=digest, size=size)
