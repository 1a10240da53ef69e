"""What is said to people: one line on standard error, once per cause; an exception only where that is asked for.

Knows nothing of runs. Nothing here may raise unless `strict` is on.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])

strict = False
quiet = False

_said: set[str] = set()


class XtrackError(Exception):
    """What went wrong, raised only in strict mode."""


def say(message: str) -> None:
    """Writes a line to standard error, as far as there is one."""
    try:
        if sys.stderr is not None:
            sys.stderr.write(f"xtrack: {message}\n")
            sys.stderr.flush()
    except Exception:
        pass  # A closed standard error is no reason to stop a training.


def say_once(cause: str, message: str) -> None:
    """Says it unless the same cause was told before."""
    if cause not in _said:
        _said.add(cause)
        say(message)


def tell(message: str) -> None:
    """Says what is no trouble, unless XTRACK_QUIET is set."""
    if not quiet:
        say(message)


def trouble(cause: str, message: str, error: BaseException | None = None) -> None:
    """Something is not as asked: an exception in strict mode, else said once per cause."""
    if strict:
        raise XtrackError(message) from error
    say_once(cause, message)


def guarded(function: F) -> F:
    """Keeps what goes wrong inside from the training, unless strict."""
    name = function.__name__

    def inner(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except XtrackError:
            raise
        except Exception as error:
            trouble(f"{name}: {type(error).__name__}", f"{name}(): {describe(error)}", error)
            return None

    inner.__name__ = name
    inner.__qualname__ = function.__qualname__
    inner.__doc__ = function.__doc__
    inner.__module__ = function.__module__
    inner.__wrapped__ = function  # type: ignore[attr-defined]
    return inner  # type: ignore[return-value]


def describe(error: BaseException) -> str:
    """An exception in one line."""
    if isinstance(error, OSError) and error.strerror:
        where = f" '{error.filename}'" if error.filename is not None else ""
        return f"{error.strerror}{where}"
    text = str(error).strip().split("\n", 1)[0][:500]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
