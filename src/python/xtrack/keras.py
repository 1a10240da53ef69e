"""Keras 3, on any of its backends: `model.fit(…, callbacks=[XtrackCallback()])`.

Logs the metrics of each epoch under Keras' own names, the optimiser's settings, and what `evaluate` found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xtrack._callback import Goals, active, goal_of, guarded, missing, numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

try:
    import keras
except ImportError as error:
    missing("keras", "keras", error)

__all__ = ["XtrackCallback"]


class XtrackCallback(keras.callbacks.Callback):
    """Logs a training to the run given, or to the one that the process is in.

    `prefix` stands before every metric's name; `params` is the key that the settings go under, None leaves them out;
    `batches` logs each n-th batch too, as `batch/…` over the batches of all epochs.
    """

    def __init__(
        self,
        run: Any | None = None,
        *,
        prefix: str = "",
        params: str | None = "keras",
        batches: int | None = None,
    ) -> None:
        super().__init__()
        self._run = run
        self._prefix = prefix
        self._params = params
        self._batches = batches
        self._batch = 0
        self._fitting = False
        self._goals = Goals()

    @guarded()
    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Logs the settings."""
        self._fitting = True
        if self._params is not None:
            active(self._run).config.update({self._params: self._settings()})

    @guarded()
    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Logs a batch, if those were asked for."""
        if self._batches and self._batch % self._batches == 0:
            self._log(numbers(logs or {}, f"{self._prefix}batch/"), self._batch)
        self._batch += 1

    @guarded()
    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Logs an epoch, with the learning rate it ended with."""
        points = numbers(logs or {}, self._prefix)
        if "learning_rate" not in (logs or {}):
            points.update(numbers({"learning_rate": self._learning_rate()}, self._prefix))
        self._log(points, epoch)

    @guarded()
    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Keeps what `evaluate` found; the validation within `fit` is part of its epoch."""
        found = numbers(logs or {}, f"{self._prefix}test/")
        if found and not self._fitting:
            run = active(self._run)
            self._goals.say(run, {name: goal_of(name) for name in found})
            run.summary.update(found)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Takes what comes after for an evaluation of its own."""
        self._fitting = False

    def _log(self, points: dict[str, Any], step: int) -> None:
        if points:
            run = active(self._run)
            self._goals.say(run, {name: goal_of(name) for name in points})
            run.log(points, step=step)

    def _settings(self) -> dict[str, Any]:
        settings = {name: value for name, value in (self.params or {}).items() if name != "verbose"}
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is not None:
            # Keras counts the optimisers of a process: `adam_7` is named so by chance.
            named = {name: value for name, value in optimizer.get_config().items() if name != "name"}
            settings["optimizer"] = {"class": type(optimizer).__name__, **named}
        loss = getattr(self.model, "loss", None)
        if loss is not None:
            settings["loss"] = getattr(loss, "name", loss)
        if self.model.built:
            settings["weights"] = self.model.count_params()
        settings["backend"] = keras.backend.backend()
        return settings

    def _learning_rate(self) -> Any:
        optimizer = getattr(self.model, "optimizer", None)
        rate = getattr(optimizer, "learning_rate", None)
        return None if rate is None else keras.ops.convert_to_numpy(rate)
