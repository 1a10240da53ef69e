"""How this process ends: an exception that nobody caught, an exit code, or its last line.

Knows `sys.excepthook`, `sys.exit` and `atexit`; nothing of runs but what to call.
"""

from __future__ import annotations

import atexit
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, NoReturn

_error: BaseException | None = None
_exit_code: Any = None
_is_watching = False


class _Exit(SystemExit):
    """What `sys.exit` raises while we watch. Its end tells whether somebody caught it."""

    def __del__(self) -> None:
        global _exit_code
        try:
            sys._getframe(1)
        except ValueError:
            return  # No frame is left: the interpreter itself took it, and this is the end.
        except Exception:
            return
        _exit_code = None


def _exit(status: Any = None, /) -> NoReturn:
    global _exit_code
    _exit_code = 0 if status is None else status
    raise _Exit(status)


def watch(at_end: Callable[[], None]) -> None:
    """Calls `at_end` when the interpreter ends, and notes which exception ended it."""
    global _is_watching
    if _is_watching:
        return
    _is_watching = True
    atexit.register(at_end)
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> Any:
        global _error
        _error = error
        return before(kind, error, traceback)

    sys.excepthook = hook


def watch_exit_code() -> None:
    """Notes the exit code too. For a run of our own only: a recorder around us sees the true one."""
    if sys.exit is _sys_exit:
        _exit.__doc__ = sys.exit.__doc__
        sys.exit = _exit


_sys_exit = sys.exit


def outcome() -> dict[str, Any]:
    """How it ends, as a `finish` event says it."""
    if _error is not None:
        return of_exception(_error)
    if _exit_code is not None:
        return of_exit(_exit_code)
    return {"status": "finished", "exit_code": None, "error": None}


def of_exception(error: BaseException) -> dict[str, Any]:
    """What an exception that ends the process comes to."""
    if isinstance(error, SystemExit):
        return of_exit(0 if error.code is None else error.code)
    text = f"{type(error).__name__}: {error}"[:2000].rstrip(": \n")
    if isinstance(error, KeyboardInterrupt):
        return {"status": "killed", "exit_code": None, "error": text}
    return {"status": "failed", "exit_code": 1, "error": text}


def of_exit(code: Any) -> dict[str, Any]:
    """What an argument of `sys.exit` comes to; a text is printed, and is 1."""
    if isinstance(code, int):
        number = int(code) & 0xFF
        return {"status": "failed" if number else "finished", "exit_code": number, "error": None}
    return {"status": "failed", "exit_code": 1, "error": str(code)[:2000]}
