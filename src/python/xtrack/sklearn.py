"""scikit-learn: after `xtrack.sklearn.autolog()` the fits of a script log their params and scores.

Watches `fit` and `score` of every estimator class, those of other libraries included, and `cross_validate`. What an
estimator fits inside itself (a pipeline's steps, a search's candidates) and what joblib's workers do is not logged.
Never changes what is fitted: the generator that numpy shares is put back after a score of our own.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from xtrack._callback import active, guarded, missing, number_of

try:
    import sklearn.model_selection as _model_selection
    from joblib.parallel import get_active_backend
    from sklearn.base import BaseEstimator
    from sklearn.model_selection import _validation
    from sklearn.model_selection._search import BaseSearchCV
except ImportError as error:
    missing("sklearn", "scikit-learn", error)

import numpy

__all__ = ["autolog", "disable"]

# A loop over thousands of fits is a table of its script's own making, not thousands of params.
_FITS_MAX = 100
# Up to here a training score costs about as much as saying that there is none.
_SCORED_ROWS_MAX = 10_000
_SCORED_CELLS_MAX = 1_000_000
_TABLE_ROWS_MAX = 10_000

_WATCHED = ("fit", "score")


def autolog(*, training_score: bool | None = None, run: Any | None = None) -> None:
    """Logs every fit from here on to the run given, or to the one that the process is in; twice is as once.

    A `training_score` is the estimator's own score of the data it was fitted on: True always, False never, None only
    where the data are small (10,000 rows, a million cells).
    """
    with _lock:
        _watch.training_score, _watch.run = training_score, run
        if not _watch.on:
            _watch.begin()


def disable() -> None:
    """Stops logging; every class is again as it was."""
    with _lock:
        if _watch.on:
            _watch.end()


class _Watch:
    """What is watched, and what was logged so far."""

    def __init__(self) -> None:
        self.on = False
        self.process = 0
        self.run: Any | None = None
        self.training_score: bool | None = None
        self.classes: weakref.WeakSet[type] = weakref.WeakSet()
        self.forget(None)

    def forget(self, run: Any | None) -> None:
        """Begins to count anew, for another run."""
        self.counted_for = run
        self.labels: dict[str, int] = {}
        self.fitted: weakref.WeakKeyDictionary[Any, tuple[str, Any]] = weakref.WeakKeyDictionary()
        self.fits = 0

    def begin(self) -> None:
        """Watches the classes there are, and those still to come."""
        self.on, self.process = True, os.getpid()
        for cls in _with_subclasses(BaseEstimator):
            self.add(cls)
        BaseEstimator.__init_subclass__ = classmethod(_new_class)
        for module in (_validation, _model_selection):
            module.cross_validate = _watched_cross_validate

    def end(self) -> None:
        """Puts everything back."""
        self.on = False
        for module in (_validation, _model_selection):
            module.cross_validate = _cross_validate
        del BaseEstimator.__init_subclass__
        for cls in list(self.classes):
            for name in _WATCHED:
                original = getattr(cls.__dict__.get(name), "_xtrack_original", None)
                if original is not None:
                    setattr(cls, name, original)
        self.classes = weakref.WeakSet()
        self.forget(None)

    def add(self, cls: type) -> None:
        """Watches what a class defines itself; what it inherits is watched where it is defined."""
        for name in _WATCHED:
            method = cls.__dict__.get(name)
            if callable(method) and hasattr(method, "__code__") and not hasattr(method, "_xtrack_original"):
                setattr(cls, name, _watched(name, method))
                self.classes.add(cls)
        # A score may come from a mixin that is no estimator itself.
        for base in cls.__mro__[1:]:
            if base not in self.classes and not issubclass(base, BaseEstimator) and "score" in base.__dict__:
                self.add(base)

    def is_outermost(self) -> bool:
        """Whether the caller is the script, not an estimator, a worker or a process forked since."""
        return (
            self.on and not _inside.depth and self.process == os.getpid() and not get_active_backend()[0].nesting_level
        )

    def label(self, estimator: Any) -> str | None:
        """What an estimator is called in the record: its class, numbered from the second one on; None if too many."""
        with _lock:
            run = active(self.run)
            if run is not self.counted_for:
                self.forget(run)
            known = self.fitted.get(estimator)
            if known is not None:
                return known[0]
            self.fits += 1
            if self.fits > _FITS_MAX:
                return None
            name = type(estimator).__name__
            count = self.labels[name] = self.labels.get(name, 0) + 1
            label = name if count == 1 else f"{name}-{count}"
            self.fitted[estimator] = (label, None)
            return label

    def remember(self, estimator: Any, label: str, data: Any) -> None:
        """Keeps in mind what an estimator was fitted on, so that scoring that again is a training score."""
        with _lock:
            self.fitted[estimator] = (label, _reference(data))


class _Inside(threading.local):
    depth = 0


_lock = threading.RLock()
_watch = _Watch()
_inside = _Inside()
_cross_validate = _validation.cross_validate


def _with_subclasses(cls: type[Any]) -> Iterator[type[Any]]:
    seen: set[type[Any]] = {cls}
    waiting = [cls]
    while waiting:
        one = waiting.pop()
        yield one
        new = [child for child in one.__subclasses__() if child not in seen]
        seen.update(new)
        waiting.extend(new)


def _new_class(cls: type[Any], /, **named: Any) -> None:
    super(BaseEstimator, cls).__init_subclass__(**named)
    _add_class(cls)


@guarded()
def _add_class(cls: type) -> None:
    with _lock:
        if _watch.on:
            _watch.add(cls)


def _watched(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """A method that is watched. It holds nothing but the original: classes of a script are sent to workers whole."""

    @functools.wraps(original)
    def method(self: Any, *arguments: Any, **named: Any) -> Any:
        try:
            from xtrack.sklearn import _around
        except ImportError:
            return original(self, *arguments, **named)
        return _around(name, original, self, arguments, named)

    method._xtrack_original = original  # type: ignore[attr-defined]
    return method


def _around(
    name: str, original: Callable[..., Any], estimator: Any, arguments: tuple[Any, ...], named: dict[str, Any]
) -> Any:
    """Calls the original, and logs the call if it is the script's own."""
    wanted = _is_wanted(estimator)
    begun = time.perf_counter()
    label = _before_fit(estimator) if wanted and name == "fit" else None
    with _deeper():
        result = original(estimator, *arguments, **named)
    if label is not None:
        data, target = _data(arguments, named)
        _after_fit(estimator, label, data, target, named, time.perf_counter() - begun)
    elif wanted and name == "score":
        _after_score(estimator, _data(arguments, named)[0], result)
    return result


@contextlib.contextmanager
def _deeper() -> Iterator[None]:
    _inside.depth += 1
    try:
        yield
    finally:
        _inside.depth -= 1


@guarded(False)
def _is_wanted(estimator: Any) -> bool:
    # Scalers, encoders and the like say nothing by themselves: they show in the pipeline that has them.
    return _watch.is_outermost() and any(
        hasattr(type(estimator), name) for name in ("predict", "fit_predict", "score_samples")
    )


@guarded()
def _before_fit(estimator: Any) -> str | None:
    """Logs the params before the fit, which may fail."""
    label = _watch.label(estimator)
    if label is not None:
        active(_watch.run).config.update({label: _described(estimator)})
    return label


@guarded()
def _after_fit(estimator: Any, label: str, data: Any, target: Any, named: Mapping[str, Any], seconds: float) -> None:
    _watch.remember(estimator, label, data)
    run = active(_watch.run)
    summary: dict[str, Any] = {f"{label}/fit_seconds": seconds}
    if isinstance(estimator, BaseSearchCV):
        _log_search(run, estimator, label, summary)
    elif _scores_training(estimator, data):
        summary.update(_training_score(estimator, label, data, target, named))
    run.summary.update(summary)


@guarded()
def _after_score(estimator: Any, data: Any, result: Any) -> None:
    score = number_of(result)
    label = _watch.label(estimator)
    if label is None or score is None:
        return
    with _lock:
        known = _watch.fitted.get(estimator)
    again = known is not None and known[1] is not None and known[1]() is data
    active(_watch.run).summary.update({f"{label}/{'training_score' if again else 'score'}": score})


def _log_search(run: Any, search: Any, label: str, summary: dict[str, Any]) -> None:
    results = getattr(search, "cv_results_", None)
    if results:
        run.log_table(f"{label}/cv_results", _rows(results))
    best = number_of(getattr(search, "best_score_", None))
    if best is not None:
        summary[f"{label}/best_score"] = best
        run.define_metric(f"{label}/best_score", goal="max")
    if hasattr(search, "best_params_"):
        best_params = {name: _setting(value) for name, value in search.best_params_.items()}
        run.config.update({label: {"best_params": best_params}})


def _watched_cross_validate(estimator: Any, *arguments: Any, **named: Any) -> Any:
    """`cross_validate`, and `cross_val_score`, which calls it."""
    label = _before_fit(estimator) if _is_outermost() else None
    with _deeper():
        results = _cross_validate(estimator, *arguments, **named)
    if label is not None:
        _after_cross_validate(label, results)
    return results


functools.update_wrapper(_watched_cross_validate, _cross_validate)


@guarded(False)
def _is_outermost() -> bool:
    return _watch.is_outermost()


@guarded()
def _after_cross_validate(label: str, results: Mapping[str, Any]) -> None:
    run = active(_watch.run)
    columns = {name: values for name, values in results.items() if name.startswith(("test_", "train_"))}
    times = {name: results[name] for name in ("fit_time", "score_time") if name in results}
    run.log_table(f"{label}/cross_validation", _rows({**columns, **times}))
    summary = {}
    for name, values in columns.items():
        name = name.replace("test_score", "score").replace("train_score", "training_score")
        summary[f"{label}/cv_{name}"] = float(numpy.mean(values))
        summary[f"{label}/cv_{name}_std"] = float(numpy.std(values))
    run.summary.update(summary)


def _rows(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a table of columns; the dict of params, which has a column for each besides, is left out."""
    kept = {name: values for name, values in columns.items() if name != "params"}
    count = min(_TABLE_ROWS_MAX, max((len(values) for values in kept.values()), default=0))
    return [{name: _setting(values[place]) for name, values in kept.items()} for place in range(count)]


def _scores_training(estimator: Any, data: Any) -> bool:
    if _watch.training_score is not None or not hasattr(estimator, "score"):
        return bool(_watch.training_score) and hasattr(estimator, "score")
    shape = getattr(data, "shape", None) or (_length(data),)
    cells = functools.reduce(lambda product, size: product * int(size), shape, 1)
    return 0 < int(shape[0]) <= _SCORED_ROWS_MAX and cells <= _SCORED_CELLS_MAX


def _training_score(estimator: Any, label: str, data: Any, target: Any, named: Mapping[str, Any]) -> dict[str, float]:
    state = numpy.random.get_state()
    try:
        with _deeper():
            weights = {name: named[name] for name in ("sample_weight",) if named.get(name) is not None}
            score = number_of(
                estimator.score(data, **weights) if target is None else estimator.score(data, target, **weights)
            )
    except (TypeError, ValueError, AttributeError):
        # It has no score for such data (no target, weights it does not take): then there is none.
        score = None
    finally:
        numpy.random.set_state(state)
    return {} if score is None else {f"{label}/training_score": score}


def _data(arguments: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Any, Any]:
    data = arguments[0] if arguments else named.get("X")
    target = arguments[1] if len(arguments) > 1 else named.get("y")
    return data, target


def _length(data: Any) -> int:
    try:
        return len(data)
    except TypeError:
        return 0


def _reference(data: Any) -> Callable[[], Any] | None:
    try:
        return weakref.ref(data)
    except TypeError:
        return None


def _described(estimator: Any, depth: int = 0) -> dict[str, Any]:
    """The params of an estimator, those of the estimators within it nested."""
    params = estimator.get_params(deep=False)
    return {str(name): _setting(value, depth) for name, value in params.items()}


def _setting(value: Any, depth: int = 0) -> Any:
    if depth > 8:
        return value
    if hasattr(value, "get_params") and not isinstance(value, type):
        return {"class": type(value).__name__, **_described(value, depth + 1)}
    if isinstance(value, Mapping):
        return {str(name): _setting(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list) and value and all(_is_named_step(item) for item in value):
        return {item[0]: _setting(item[1] if len(item) == 2 else list(item[1:]), depth + 1) for item in value}
    if isinstance(value, (list, tuple)) and len(value) <= 100:
        return [_setting(item, depth + 1) for item in value]
    return None if value is numpy.ma.masked else value


def _is_named_step(item: Any) -> bool:
    return isinstance(item, tuple) and len(item) >= 2 and isinstance(item[0], str) and hasattr(item[1], "get_params")
