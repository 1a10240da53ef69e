"""XGBoost: `xgboost.train(…, callbacks=[XtrackCallback()])`, the same in `xgboost.cv` and in its scikit-learn classes.

Logs the metrics of each round, the booster's settings, and what early stopping found best. Never changes the model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from xtrack._callback import Goals, active, goal_of, guarded, missing, said

try:
    from xgboost import collective
    from xgboost.callback import TrainingCallback
except ImportError as error:
    missing("xgboost", "xgboost", error)

__all__ = ["XtrackCallback"]

# What XGBoost itself maximises when it stops early; all its other metrics are better when smaller.
_LARGER = ("auc", "map", "ndcg", "pre", "interval-regression-accuracy")
_SMALLER = ("rmse", "mae", "mape", "mphe", "logloss", "mlogloss", "error", "merror", "rmsle", "quantile", "expectile")

# The parts of a booster's configuration that hold what was chosen, not what was learnt.
_SETTINGS = ("learner_train_param", "tree_train_param", "dart_train_param", "gblinear_train_param", "reg_loss_param")


class XtrackCallback(TrainingCallback):
    """Logs a training to the run given, or to the one that the process is in.

    `prefix` stands before every metric's name; `params` is the key that the booster's settings go under, None leaves
    them out; `every` logs each n-th round only, and the last.
    """

    def __init__(
        self, run: Any | None = None, *, prefix: str = "", params: str | None = "xgboost", every: int = 1
    ) -> None:
        super().__init__()
        self._run = run
        self._prefix = prefix
        self._params = params
        self._every = max(1, every)
        self._goals = Goals()
        self._unlogged: tuple[int, dict[str, Any]] | None = None

    def before_training(self, model: Any) -> Any:
        """Logs the settings."""
        self._log_settings(model)
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Any]) -> bool:
        """Logs one round; never stops the training."""
        self._log_round(epoch, evals_log)
        return False

    def after_training(self, model: Any) -> Any:
        """Logs the last round, and the best one if the training looked for it."""
        self._log_end(model)
        return model

    @guarded()
    def _log_settings(self, model: Any) -> None:
        if self._params is None or _is_follower():
            return
        booster = model.cvfolds[0].bst if hasattr(model, "cvfolds") else model
        settings = dict(_settings(json.loads(booster.save_config())))
        if settings:
            active(self._run).config.update({self._params: settings})

    @guarded()
    def _log_round(self, round_: int, evals_log: Mapping[str, Any]) -> None:
        if _is_follower():
            return
        points = self._points(evals_log)
        self._unlogged = (round_, points)
        if points and round_ % self._every == 0:
            self._flush()

    @guarded()
    def _log_end(self, model: Any) -> None:
        if _is_follower():
            return
        self._flush()
        best = {}
        for name in ("best_iteration", "best_score"):
            # By its attributes: the properties of these names raise where nothing looked for the best one.
            value = model.attr(name)
            if value is not None:
                best[f"{self._prefix}{name}"] = said(value)
        if best:
            active(self._run).summary.update(best)

    def _flush(self) -> None:
        if self._unlogged is None or not self._unlogged[1]:
            return
        round_, points = self._unlogged
        self._unlogged = None
        run = active(self._run)
        self._goals.say(run, {name: _goal(name) for name in points if not name.endswith("_std")})
        run.log(points, step=round_)

    def _points(self, evals_log: Mapping[str, Mapping[str, list[Any]]]) -> dict[str, Any]:
        points: dict[str, Any] = {}
        for data, metrics in evals_log.items():
            for metric, values in metrics.items():
                name = f"{self._prefix}{data}/{metric}"
                last = values[-1]
                if isinstance(last, tuple):
                    points[name], points[f"{name}_std"] = last[0], last[1]
                else:
                    points[name] = last
        return points


def _is_follower() -> bool:
    return bool(collective.get_rank() > 0)


def _goal(name: str) -> str | None:
    metric = name.rsplit("/", 1)[-1].split("@")[0].rstrip("-")
    if metric.startswith(_LARGER) and metric not in _SMALLER:
        return "max"
    return "min" if metric in _SMALLER or metric.endswith("nloglik") else goal_of(metric)


def _settings(configuration: Any) -> Iterator[tuple[str, Any]]:
    """Every setting of the parts that hold some, wherever those lie in the configuration."""
    if not isinstance(configuration, Mapping):
        return
    for key, value in configuration.items():
        if key in _SETTINGS and isinstance(value, Mapping):
            yield from ((name, said(text) if isinstance(text, str) else text) for name, text in value.items())
        else:
            yield from _settings(value)
