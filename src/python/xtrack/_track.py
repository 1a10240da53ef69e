"""`@xtrack.track`: a function whose arguments are params and whose returned dict is the summary.

Knows functions; all else is the run's.
"""

from __future__ import annotations

import functools
import inspect

from xtrack import _run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])


def tracked(function: F, options: Mapping[str, Any]) -> F:
    """The function, each call of which is a run, or part of the run that is active."""

    @functools.wraps(function)
    def inner(*arguments: Any, **named: Any) -> Any:
        given = _arguments(function, arguments, named)
        if _run.active() is not None:
            return _called(_run.here(), function, given, arguments, named)
        with _run.init(**options) as run:
            return _called(run, function, given, arguments, named)

    return inner  # type: ignore[return-value]


def _called(run: _run.Run, function: Any, given: dict[str, Any], arguments: Any, named: Any) -> Any:
    run.config.update(given)
    result = function(*arguments, **named)
    if isinstance(result, dict):
        run.summary.update(result)
    return result


def _arguments(function: Any, arguments: Any, named: Any) -> dict[str, Any]:
    """The arguments by name, defaults included; nothing of a call that the function itself will refuse."""
    try:
        bound = inspect.signature(function).bind(*arguments, **named)
    except (TypeError, ValueError):
        return {}
    bound.apply_defaults()
    found: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            found.update(value)
        elif name not in ("self", "cls") and not (kind is inspect.Parameter.VAR_POSITIONAL and not value):
            found[name] = value
    return found
