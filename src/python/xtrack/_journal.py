"""A journal: one process's own append-only file in a run's folder, one JSON object a line, one write a call.

Knows the protocol's lines, and what to do when a disk refuses them; nothing of runs, params or git. What a call
returned from is in the kernel's hands, or in a bounded buffer that every later call tries again, or counted.
"""

from __future__ import annotations

import os
import sys
from _thread import LockType, RLock, allocate_lock, start_new_thread
from itertools import count
from time import sleep, time_ns
from zlib import crc32

from xtrack._say import describe, say_once, trouble

try:
    from _thread import get_native_id
except ImportError:  # Where the system numbers no threads.
    get_native_id = None  # type: ignore[assignment]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

PROTOCOL = 1
BUFFER_EVENTS = 10_000
BUFFER_BYTES = 8 * 1024 * 1024
SYNC_SECONDS = 5.0
NAMES_MAX = 10_000
AFTER_THE_END = "the run has finished: what is logged now is not kept; xtrack.init() begins another"

_INT_MIN = -(2**63)
_INT_MAX = 2**63 - 1

ABSENT: Any = object()
"""No step is said: one more than this writer's last, from 0."""


class Journal:
    """The file that this process appends to. It is made with the first event, and anew in each forked child."""

    __slots__ = (
        "folder", "name", "parent", "owner_pid", "is_open", "torn", "dropped", "pending", "pending_bytes",
        "_begin", "_fd", "_lock", "_next", "_write", "_names", "_retrying", "_synced", "_alert_number",
    )  # fmt: skip

    def __init__(self, folder: str, begin: Callable[[str | None], dict[str, Any]]) -> None:
        self.folder = folder
        self._begin = begin
        self._names: dict[Any, str] = {}
        self._reset(None)
        _journals.append(self)

    def _reset(self, parent: str | None) -> None:
        self.name: str | None = None
        self.parent = parent
        self.owner_pid = os.getpid()
        self.is_open = False
        self.torn = False
        self.dropped = 0
        self.pending: list[bytes] = []
        self.pending_bytes = 0
        self._fd = -1
        self._lock = RLock()
        # 0 is the line that begins the file. One call takes a number, so that no signal handler gets the same.
        self._next = count(1).__next__
        self._alert_number: int | None = None
        self._write: Callable[[int, bytes], int] = self._open_and_write
        self._retrying = False
        self._synced = -1

    # -- writing

    def points(self, values: Mapping[str, Any], step: Any = None) -> None:
        """Logs one row of metrics. Every other way to say a number leads to `_points_of_any_kind`."""
        names = self._names
        text = ""
        try:
            for name, value in values.items():
                if type(value) is float:
                    if value - value != 0.0:  # inf or nan
                        return self._points_of_any_kind(values, step)
                elif type(value) is not int or not _INT_MIN <= value <= _INT_MAX:
                    return self._points_of_any_kind(values, step)
                text += f"{names[name]}{value!r}"
        except Exception:
            return self._points_of_any_kind(values, step)
        if not text:
            return None
        if type(step) is int:
            text = f',"step":{step},"points":{{{text[1:]}}}'
        elif step is None:
            text = f',"points":{{{text[1:]}}}'
        else:
            return self._points_of_any_kind(values, step)
        # From here on as in `put`, whose call would cost a twentieth more.
        with self._lock:
            stamp = str(time_ns())
            line = f'{{"n":{self._next()},"t":{stamp[:-9]}.{stamp[-9:-3]}{text}'
            data = f'{line},"crc":{crc32(line.encode())}}}\n'.encode()
            try:
                written = self._write(self._fd, data)
            except OSError as error:
                return self._refused(data, 0, error)
            if written != len(data):
                self._refused(data, written, None)
        return None

    def put(self, body: str, step: str = "") -> None:
        """Appends an event: `body` is `"kind":value` in JSON, `step` empty or `,"step":…`."""
        with self._lock:
            stamp = str(time_ns())
            line = f'{{"n":{self._next()},"t":{stamp[:-9]}.{stamp[-9:-3]}{step},{body}'
            data = f'{line},"crc":{crc32(line.encode())}}}\n'.encode()
            try:
                written = self._write(self._fd, data)
            except OSError as error:
                return self._refused(data, 0, error)
            if written != len(data):
                self._refused(data, written, None)
        return None

    def event(self, kind: str, value: Any, step: Any = ABSENT) -> None:
        """Appends an event of any kind."""
        from xtrack._values import dumps, step_text

        self.put(f'"{kind}":{dumps(value)}', "" if step is ABSENT else step_text(step))

    def _points_of_any_kind(self, values: Mapping[str, Any], step: Any) -> None:
        from xtrack._say import XtrackError
        from xtrack._values import dumps, numbers, step_text

        try:
            said = numbers(values)
            place = "" if step is None else step_text(step)
            names = self._names
            if len(names) > NAMES_MAX:
                names.clear()
            for name in values:
                if type(name) is str:
                    names[name] = f",{dumps(name)}:"
        except XtrackError:
            raise
        except Exception as error:
            trouble("log: values", f"log(): cannot read the values: {describe(error)}", error)
            return
        if said:
            body = ",".join([f"{dumps(name)}:{number}" for name, number in said.items()])
            self.put(f'"points":{{{body}}}', place)

    # -- opening and closing

    def open(self) -> bool:
        """Makes the file and writes its first line, unless that is done."""
        with self._lock:
            if not self.is_open and self._write == self._open_and_write:
                self._open()
            return self.is_open

    def _open_and_write(self, fd: int, data: bytes) -> int:
        if self._open():
            return self._write(self._fd, data)
        return self._drop(fd, data)

    def _open(self) -> bool:
        # A signal handler may log meanwhile: that waits until the first line is written.
        self._write = self._write_later
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            name = random_name()
            self._fd = os.open(os.path.join(self.folder, f"{name}.jsonl"), flags, 0o666)
        except OSError as error:
            self._write = self._drop
            self.dropped += len(self.pending)
            self.pending, self.pending_bytes = [], 0
            trouble("journal: open", f"cannot write to '{self.folder}': {describe(error)}; nothing is kept", error)
            return False
        from xtrack._values import dumps

        self.name = name
        stamp = str(time_ns())
        begin = dumps(self._begin(self.parent))
        line = f'{{"n":0,"t":{stamp[:-9]}.{stamp[-9:-3]},"begin":{begin}'
        data = f'{line},"crc":{crc32(line.encode())}}}\n'.encode()
        error: OSError | None = None
        written = 0
        try:
            written = os.write(self._fd, data)
        except OSError as refusal:
            error = refusal
        self.is_open = True
        if written == len(data):
            self._retry()
        else:
            waiting, self.pending = self.pending, []
            self._refused(data, written, error)
            self.pending += waiting
        _start_syncing()
        return True

    def close(self, sync: bool = False) -> int:
        """Tries once more what is pending and closes the file. How many events could not be kept."""
        with self._lock:
            if self.pending or self.dropped:
                self._retry()
            lost = len(self.pending) + self.dropped
            self.pending.clear()
            self.pending_bytes = 0
            fd, self._fd = self._fd, -1
            self._write = self._drop_after_close
            was_open, self.is_open = self.is_open, False
            if self in _journals:
                _journals.remove(self)
        if was_open:
            try:
                if os.fstat(fd).st_size == 0:
                    # Nothing could ever be written; an empty file would pass for that of a process about to write.
                    os.unlink(os.path.join(self.folder, f"{self.name}.jsonl"))
                if sync:
                    os.fsync(fd)
                os.close(fd)
            except OSError as error:
                trouble("journal: close", f"cannot write to '{self.folder}': {describe(error)}", error)
        if not _journals:
            _end_syncing()  # A thread that is left when the interpreter goes may take the process down with it.
        return lost

    def _drop(self, fd: int, data: bytes) -> int:
        self.dropped += 1
        return len(data)

    def _drop_after_close(self, fd: int, data: bytes) -> int:
        trouble("log after finish", AFTER_THE_END)
        return len(data)

    # -- a disk that refuses

    def _refused(self, data: bytes, written: int, error: OSError | None) -> None:
        """Keeps the line for later; from now on every line waits behind it."""
        self.torn = self.torn or written > 0
        self._write = self._write_later
        self._keep(data)
        reason = describe(error) if error else "only a part was written"
        trouble(f"journal: {reason}", f"cannot write to '{self.folder}': {reason}; it is tried again", error)

    def _write_later(self, fd: int, data: bytes) -> int:
        self._keep(data)
        self._retry()
        return len(data)

    def _keep(self, data: bytes) -> None:
        if len(self.pending) >= BUFFER_EVENTS or self.pending_bytes + len(data) > BUFFER_BYTES:
            self.dropped += 1
            return
        self.pending.append(data)
        self.pending_bytes += len(data)

    def _retry(self) -> None:
        if self._retrying or not self.is_open:  # A signal handler that logs while this is under way.
            return
        self._retrying = True
        try:
            done = 0
            for data in self.pending:
                if not self._append(data):
                    break
                done += 1
                self.pending_bytes -= len(data)
            if done:
                del self.pending[:done]
            if not self.pending and self.dropped:
                self._tell_dropped()
            if not self.pending and not self.dropped:
                self._write = os.write
        finally:
            self._retrying = False

    def _append(self, data: bytes) -> bool:
        """Writes a whole line, after ending one that was cut short. Whether that worked."""
        whole = b"\n" + data if self.torn else data
        try:
            written = os.write(self._fd, whole)
        except OSError:
            return False
        if written == len(whole):
            self.torn = False
            return True
        # Of the newline alone, nothing is torn any more.
        self.torn = written > 1 if self.torn else written > 0
        return False

    def _tell_dropped(self) -> None:
        """Writes down how many lines there was no room for; the gap in the numbers says the same."""
        text = f"{self.dropped} logged events could not be written and are lost"
        value = f'{{"title":"events lost","text":"{text}","level":"warn"}}'
        stamp = str(time_ns())
        if self._alert_number is None:
            self._alert_number = self._next()
        line = (
            f'{{"n":{self._alert_number},"t":{stamp[:-9]}.{stamp[-9:-3]},"step":null,'
            f'"thing":{{"name":"xtrack","kind":"alert","value":{value}}}'
        )
        if self._append(f'{line},"crc":{crc32(line.encode())}}}\n'.encode()):
            self._alert_number = None
            trouble("journal: dropped", text)
            self.dropped = 0

    # -- durability beyond the kernel

    def sync(self) -> None:
        """Makes durable what was written since the last time."""
        with self._lock:
            if not self.is_open:
                return
            fd = os.dup(self._fd)  # So that nobody waits for the disk, and a close meanwhile does no harm.
        try:
            size = os.fstat(fd).st_size
            if size != self._synced:
                os.fsync(fd)
                self._synced = size
        finally:
            os.close(fd)


def random_name() -> str:
    """16 characters of 0-9a-z."""
    letters = "0123456789abcdefghijklmnopqrstuvwxyz"
    return "".join([letters[byte % 36] for byte in os.urandom(16)])


# -- the thread that makes journals durable, and forks

_journals: list[Journal] = []
_stop: LockType | None = None  # Released to end the thread.
_ended: LockType | None = None  # Released by the thread when it ends.
_thread = 0


def _start_syncing() -> None:
    global _stop, _ended
    if _stop is not None:
        return
    try:
        _stop, _ended = allocate_lock(), allocate_lock()
        _stop.acquire()
        _ended.acquire()
        start_new_thread(_sync_now_and_then, (_stop, _ended))
    except Exception:
        _stop = _ended = None  # No thread is to be had: the lines are with the kernel all the same.


def _sync_now_and_then(stop: LockType, ended: LockType) -> None:
    """Runs beside the training; not by `threading`, so that nothing ever waits for it."""
    global _thread
    _thread = get_native_id() if get_native_id is not None else 0
    try:
        while not stop.acquire(timeout=SYNC_SECONDS):
            for journal in tuple(_journals):
                try:
                    journal.sync()
                except OSError as error:
                    # Not `trouble`: nobody would catch it here.
                    say_once("journal: sync", f"cannot sync the journal in '{journal.folder}': {describe(error)}")
    finally:
        ended.release()


def _end_syncing() -> None:
    """Ends the thread, before a fork too: Python warns of forks of a process that has several, and it would be ours that it warns of."""
    global _stop, _ended
    if _stop is None or _ended is None:
        return
    _stop.release()
    if _ended.acquire(timeout=0.05) and sys.version_info >= (3, 12):
        for _ in range(20):
            if not os.path.exists(f"/proc/self/task/{_thread}"):
                break
            sleep(0.0002)
    _stop = _ended = None


def _after_fork_here() -> None:
    if any(journal.is_open for journal in _journals):
        _start_syncing()


def _after_fork() -> None:
    """In a forked child: each journal begins a file of its own with the next event."""
    global _stop, _ended
    _stop = _ended = None
    for journal in _journals:
        fd, name = journal._fd, journal.name or journal.parent
        was_open = journal.is_open
        journal._reset(name)
        if was_open:
            try:
                os.close(fd)
            except OSError:
                pass


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_end_syncing, after_in_parent=_after_fork_here, after_in_child=_after_fork)
