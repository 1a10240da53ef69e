"""Log machine-learning runs into git: the Python client of `git xtrack`.

    import xtrack

    run = xtrack.init(experiment="digits", config={"lr": 0.1})
    xtrack.log({"train/loss": 0.3}, step=7)
    run.summary["best"] = 0.93

Nothing here raises into a training (unless `XTRACK_MODE=strict`), and nothing talks to a network.
"""

from __future__ import annotations

from xtrack import _loading
from xtrack._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, overload

    from xtrack._config import Config, Summary
    from xtrack._run import (
        Run as Run,
        active as active,
        add_tags as add_tags,
        alert as alert,
        define_metric as define_metric,
        finish as finish,
        init as init,
        log as log,
        log_artifact as log_artifact,
        log_confusion_matrix as log_confusion_matrix,
        log_curve as log_curve,
        log_figure as log_figure,
        log_histogram as log_histogram,
        log_image as log_image,
        log_input as log_input,
        log_params as log_params,
        log_table as log_table,
        log_text as log_text,
        note as note,
        set_tags as set_tags,
    )
    from xtrack._say import XtrackError as XtrackError

    F = TypeVar("F", bound=Callable[..., Any])

    config: Config
    summary: Summary
else:

    def overload(function: Any) -> None:
        """Says something to type checkers only."""


__all__ = [
    "XtrackError",
    "__version__",
    "track",
    "Run",
    "active",
    "add_tags",
    "alert",
    "define_metric",
    "finish",
    "init",
    "log",
    "log_artifact",
    "log_confusion_matrix",
    "log_curve",
    "log_figure",
    "log_histogram",
    "log_image",
    "log_input",
    "log_params",
    "log_table",
    "log_text",
    "note",
    "set_tags",
]

_LIVE = ("config", "summary")
_READING = ("run", "runs")
_INTEGRATIONS = ("huggingface", "keras", "lightgbm", "lightning", "optuna", "sklearn", "xgboost")


@overload
def track(function: F, /) -> F: ...
@overload
def track(**options: Any) -> Callable[[F], F]: ...
def track(function: Any = None, /, **options: Any) -> Any:
    """Makes each call of a function a run: its arguments are the params, the dict it returns the summary.

    `@xtrack.track` or `@xtrack.track(experiment="digits")`, with the arguments of `init`.
    """
    from xtrack._track import tracked

    return tracked(function, options) if function is not None else lambda inner: tracked(inner, options)


def __getattr__(name: str) -> Any:
    """Loads what is asked for: `import xtrack` alone costs a script nothing. `config` and `summary` are the active run's."""
    if not name.startswith("_"):
        with _loading.lock:
            return _loaded(name)
    raise AttributeError(f"module 'xtrack' has no attribute '{name}'")


def _loaded(name: str) -> Any:
    from importlib import import_module

    if name in _LIVE:
        return getattr(import_module("xtrack._run"), f"live_{name}")()
    if name in _INTEGRATIONS:
        return import_module(f"xtrack.{name}")
    if name in _READING:
        home = "xtrack._read"
    elif name in __all__:
        home = "xtrack._run"
    else:
        raise AttributeError(f"module 'xtrack' has no attribute '{name}'")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_READING, *_INTEGRATIONS})
