"""What the framework modules share: which run they log to, that they never raise into a training, what is better.

Knows no framework. Each of those is known by the module that carries its name, which is imported only when asked for.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar, cast

from xtrack._say import XtrackError, describe, trouble

F = TypeVar("F", bound=Callable[..., Any])

# Words in names of metrics that say which way is better. Whole words only: "classes" is no "loss".
_SMALLER = frozenset(
    "loss logloss mlogloss nll nloglik perplexity error err merror rmse rmsle mse mae mape mphe smape l1 l2 wer cer "
    "deviance hinge kld".split()
)
_LARGER = frozenset(
    "acc accuracy auc aucpr auroc f1 fbeta precision recall map ndcg r2 iou dice jaccard bleu rouge mcc kappa".split()
)


def missing(framework: str, package: str, error: ImportError) -> NoReturn:
    """Says that a framework is not installed, and how to get it; an error inside the framework stays as it is."""
    if error.name and error.name.split(".")[0] != framework.split(".")[0]:
        raise error
    raise ImportError(f"{framework} is not installed; `pip install {package}`", name=error.name) from error


def guarded(result: Any = None) -> Callable[[F], F]:
    """Decorates a hook that a framework calls: whatever goes wrong is told once, and the training goes on."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def hook(*arguments: Any, **named: Any) -> Any:
            try:
                return function(*arguments, **named)
            except XtrackError:
                raise
            except Exception as error:
                where = f"{function.__module__}.{function.__qualname__.lstrip('_')}"
                trouble(f"{where}: {type(error).__name__}", f"{where}(): {describe(error)}", error)
                return result

        return cast("F", hook)

    return decorate


def active(run: Any | None) -> Any:
    """The run given, or the one that this process is in; begins one if there is none."""
    if run is not None:
        return run
    from xtrack import _run

    return _run.here()


def numbers(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Those of the values that are single numbers, under their names after the prefix."""
    found = {}
    for name, value in values.items():
        number = number_of(value)
        if number is not None:
            found[f"{prefix}{name}"] = number
    return found


def number_of(value: Any) -> Any | None:
    """The plain number that a value is: int, float, or a scalar of numpy, torch, jax or TensorFlow."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return None
    if isinstance(value, (int, float)):
        return value
    try:
        item = value.item()
    except Exception:  # noqa: BLE001 - more than one element, or no scalar at all
        return None
    return item if isinstance(item, (int, float)) and not isinstance(item, bool) else None


def goal_of(metric: str) -> str | None:
    """Which way of a metric is better, "min" or "max", where its name says so and nothing else."""
    words = set(re.split(r"[^a-z0-9]+", metric.lower()))
    smaller, larger = bool(words & _SMALLER), bool(words & _LARGER)
    return None if smaller == larger else "min" if smaller else "max"


class Goals:
    """Says of each metric once which way is better, and leaves alone what the training itself has said."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def say(self, run: Any, goals: Mapping[str, str | None]) -> None:
        """Defines those of the metrics that have a goal and were not defined before."""
        for name, goal in goals.items():
            if name in self._said:
                continue
            self._said.add(name)
            if goal is not None and name not in run.defined:
                run.define_metric(name, goal=goal)


def said(text: str) -> Any:
    """What a framework wrote as text: a number, true or false where it reads as one."""
    for read in (int, float):
        try:
            number = read(text)
        except ValueError:
            continue
        return number if not isinstance(number, float) or math.isfinite(number) else text
    return {"true": True, "false": False}.get(text.lower(), text)
