"""LightGBM: `lightgbm.train(…, callbacks=[xtrack.lightgbm.callback()])`, the same in `lightgbm.cv` and in `fit`.

Logs the metrics of each round and the settings given. Never changes the model.
"""

from __future__ import annotations

from typing import Any

from xtrack._callback import Goals, active, guarded, missing

try:
    import lightgbm as _lightgbm  # noqa: F401 - told here that it is missing, not in the middle of a training
except ImportError as error:
    missing("lightgbm", "lightgbm", error)

__all__ = ["callback"]


def callback(run: Any | None = None, *, prefix: str = "", params: str | None = "lightgbm", every: int = 1) -> _Callback:
    """A callback that logs to the run given, or to the one that the process is in.

    `prefix` stands before every metric's name; `params` is the key that the settings go under, None leaves them out;
    `every` logs each n-th round only, and the last.
    """
    return _Callback(run, prefix, params, max(1, every))


class _Callback:
    # Before early stopping, which is 30 and ends the round by raising: what it stops at is to be logged too.
    order = 25
    before_iteration = False

    def __init__(self, run: Any | None, prefix: str, params: str | None, every: int) -> None:
        self._run = run
        self._prefix = prefix
        self._params = params
        self._every = every
        self._goals = Goals()

    @guarded()
    def __call__(self, environment: Any) -> None:
        if environment.iteration == environment.begin_iteration and self._params is not None:
            settings = dict(environment.params)
            active(self._run).config.update({self._params: settings})
        last = environment.iteration == environment.end_iteration - 1
        if environment.iteration % self._every == 0 or last:
            self._log_round(environment)

    def _log_round(self, environment: Any) -> None:
        points: dict[str, Any] = {}
        goals: dict[str, str | None] = {}
        for result in environment.evaluation_result_list or ():
            # (data set, metric, value, is larger better, and in `cv` the deviation over the folds).
            data, metric, value, larger = tuple(result)[:4]
            name = f"{self._prefix}{data}/{metric}"
            points[name] = value
            goals[name] = "max" if larger else "min"
            deviation = _deviation(result)
            if deviation is not None:
                points[f"{name}_std"] = deviation
        if points:
            run = active(self._run)
            self._goals.say(run, goals)
            run.log(points, step=environment.iteration)


def _deviation(result: Any) -> float | None:
    rest = tuple(result)[4:]
    return rest[0] if rest and rest[0] is not None else None
