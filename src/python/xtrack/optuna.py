"""Optuna: `study.optimize(objective, callbacks=[XtrackCallback()])`, or `study.optimize(run_per_trial(objective))`.

Logs each trial as a row of the surrounding run, or as a run of its own. Never changes what the sampler does.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from xtrack import _run, _say
from xtrack._callback import Goals, active, guarded, missing, number_of, numbers

try:
    import optuna
except ImportError as error:
    missing("optuna", "optuna", error)

__all__ = ["XtrackCallback", "run_per_trial"]


class XtrackCallback:
    """Logs the trials of a study to the run given, or to the one that the process is in.

    Each trial is a row over the trials' numbers: its value, the best one so far, its numeric params; and a row of the
    table `trials`, with everything. The best params so far are the run's params under `best_params`.
    With `metric` the value has that name instead of `value`.
    """

    def __init__(self, run: Any | None = None, *, prefix: str = "", metric: str = "value") -> None:
        self._run = run
        self._prefix = prefix
        self._metric = metric
        self._goals = Goals()
        self._best_number: int | None = None
        self._best_params: list[str] = []
        self._described = False
        # `optimize(n_jobs=…)` calls from several threads.
        self._lock = threading.Lock()

    @guarded()
    def __call__(self, study: optuna.study.Study, trial: optuna.trial.FrozenTrial) -> None:
        """Logs one trial that has ended."""
        with self._lock:
            run = active(self._run)
            names = self._names(study)
            self._describe(run, study, names)
            values = dict(zip(names, trial.values or ()))
            row: dict[str, Any] = dict(numbers(values))
            row.update(numbers(trial.params, f"{self._prefix}params/"))
            if len(names) == 1:
                row.update(self._keep_best(run, study, names[0]))
            if row:
                run.log(row, step=trial.number)
            self._log_row(run, trial, values)

    def _names(self, study: Any) -> list[str]:
        """What the values are called: as the study says, or by their place."""
        if study.metric_names:
            return [f"{self._prefix}{name}" for name in study.metric_names]
        count = len(study.directions)
        if count == 1:
            return [f"{self._prefix}{self._metric}"]
        return [f"{self._prefix}{self._metric}_{place}" for place in range(count)]

    def _describe(self, run: Any, study: Any, names: list[str]) -> None:
        if self._described:
            return
        self._described = True
        directions = [direction.name.lower() for direction in study.directions]
        goals = {name: "max" if way == "maximize" else "min" for name, way in zip(names, directions)}
        if len(names) == 1:
            goals[f"{self._prefix}best_{self._own(names[0])}"] = goals[names[0]]
        self._goals.say(run, goals)
        settings = {
            "study": study.study_name,
            "directions": directions,
            "sampler": type(study.sampler).__name__,
            "pruner": type(study.pruner).__name__,
        }
        run.config.update({"optuna": settings})

    def _keep_best(self, run: Any, study: Any, name: str) -> dict[str, Any]:
        try:
            best = study.best_trial
        except ValueError:
            # No trial is complete yet.
            return {}
        if best.number != self._best_number:
            self._best_number = best.number
            # Params that only an earlier best had would stay without this: params are laid over one another.
            gone = {key: None for key in self._best_params if key not in best.params}
            self._best_params = list(best.params)
            run.config.update({"best_params": {**gone, **best.params}})
            run.summary.update({f"{self._prefix}best_trial": best.number})
        value = number_of(best.value)
        return {} if value is None else {f"{self._prefix}best_{self._own(name)}": value}

    def _log_row(self, run: Any, trial: Any, values: dict[str, Any]) -> None:
        seconds = trial.duration.total_seconds() if trial.duration is not None else None
        row: dict[str, Any] = {"number": trial.number, "state": trial.state.name.lower(), "seconds": seconds}
        row.update({self._own(name): number_of(value) for name, value in values.items()})
        row.update({f"params.{name}": value for name, value in trial.params.items()})
        row.update({f"attributes.{name}": value for name, value in trial.user_attrs.items()})
        run.log_table(f"{self._prefix}trials", [row], step=trial.number)

    def _own(self, name: str) -> str:
        return name[len(self._prefix) :]


def run_per_trial(objective: Callable[..., Any], *, metric: str = "value", **options: Any) -> Callable[..., Any]:
    """An objective each of whose trials is a run of its own, in the study's group; what it logs goes there.

    `options` go to `xtrack.init`. Wants no run around it, and one trial at a time: `optimize(n_jobs=1)`, in as many
    processes as there are to be.
    """

    @functools.wraps(objective)
    def inner(trial: Any) -> Any:
        with _one_at_a_time() as is_alone:
            if not is_alone:
                return objective(trial)
            run = _begin_trial(trial, options)
            try:
                value = objective(trial)
            except BaseException as error:
                _end_trial(run, trial, metric, None, error)
                raise
            _end_trial(run, trial, metric, value, None)
            return value

    return inner


_trial_lock = threading.Lock()


@contextmanager
def _one_at_a_time() -> Iterator[bool]:
    """Whether a run may begin here: the active run is the whole process'."""
    if not _trial_lock.acquire(blocking=False):
        _say.say_once("optuna: threads", "run_per_trial(): trials side by side want a process each: some get no run")
        yield False
        return
    try:
        is_alone = _run.active() is None and not _run._surrounding()
        if not is_alone:
            _say.say_once("optuna: around", "run_per_trial(): there is a run around the study: the trials get none")
        yield is_alone
    finally:
        _trial_lock.release()


@guarded()
def _begin_trial(trial: Any, options: dict[str, Any]) -> Any:
    run = _run.init(**{"group": trial.study.study_name, **options})
    run.config.update({"optuna": {"study": trial.study.study_name, "trial": trial.number}})
    return run


@guarded()
def _end_trial(run: Any, trial: Any, metric: str, value: Any, error: BaseException | None) -> None:
    if run is None:
        return
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    numbered = [f"{metric}_{place}" for place in range(len(values))]
    names = trial.study.metric_names or ([metric] if len(values) == 1 else numbered)
    goals = ["max" if way.name == "MAXIMIZE" else "min" for way in trial.study.directions]
    Goals().say(run, dict(zip(names, goals)))
    run.config.update(trial.params)
    run.summary.update(numbers(dict(zip(names, values))))
    if isinstance(error, optuna.TrialPruned):
        run.add_tags("pruned")
        run.finish(status="finished")
    elif error is not None:
        run.finish(status="failed", error=f"{type(error).__name__}: {error}")
    else:
        run.finish(0)
