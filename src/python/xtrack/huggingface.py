"""Hugging Face Transformers: `Trainer(…, callbacks=[XtrackCallback()])`, with `report_to="none"` or beside others.

Logs what the Trainer logs, over its global steps, from the first process of the world only.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from xtrack._callback import Goals, active, goal_of, guarded, missing, numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

try:
    from transformers import TrainerCallback
except ImportError as error:
    missing("transformers", "transformers", error)

__all__ = ["XtrackCallback"]

# What the Trainer says once, at the end, about the training as a whole.
_TOTALS = frozenset(
    ("train_runtime", "train_samples_per_second", "train_steps_per_second", "total_flos", "train_loss",
     "train_tokens_per_second")
)  # fmt: skip


class XtrackCallback(TrainerCallback):
    """Logs a training to the run given, or to the one that the process is in.

    The training arguments become params under `args`, the model's configuration under `model`; `params=False` leaves
    both out. `checkpoints=True` keeps the checkpoint folders as artifacts.
    """

    def __init__(
        self, run: Any | None = None, *, prefix: str = "", params: bool = True, checkpoints: bool = False
    ) -> None:
        self._run = run
        self._prefix = prefix
        self._params = params
        self._checkpoints = checkpoints
        self._training = False
        self._evaluated: dict[str, Any] = {}
        self._saved: list[tuple[str, str]] = []
        self._goals = Goals()

    @guarded()
    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Logs the arguments and the model's configuration."""
        self._training = True
        if not state.is_world_process_zero:
            return
        run = active(self._run)
        if self._params:
            run.config.update(_settings(args, model))
        metric = getattr(args, "metric_for_best_model", None)
        if metric and args.greater_is_better is not None:
            name = metric if metric.startswith("eval_") else f"eval_{metric}"
            self._goals.say(run, {self._name(name): "max" if args.greater_is_better else "min"})

    @guarded()
    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
        """Logs what the Trainer says, at its global step."""
        if not state.is_world_process_zero or not logs:
            return
        run = active(self._run)
        totals = {name: value for name, value in logs.items() if name in _TOTALS}
        rest = {self._name(name): value for name, value in logs.items() if name not in _TOTALS}
        points = numbers(rest)
        self._goals.say(run, {name: goal_of(name) for name in points})
        # The epoch alone is said along with the totals; it was logged already.
        if points and not totals:
            run.log(points, step=state.global_step)
        if totals:
            run.summary.update({f"{self._prefix}{name}": value for name, value in numbers(totals).items()})

    @guarded()
    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: Mapping[str, Any] | None = None, **_: Any
    ) -> None:
        """Remembers the latest evaluation: the last one is the training's result."""
        if state.is_world_process_zero and metrics:
            self._evaluated = dict(metrics)
            if not self._training:
                self._keep_evaluation()

    @guarded()
    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Keeps a checkpoint, if those were asked for; where old ones are removed, those that are left at the end."""
        if self._checkpoints and state.is_world_process_zero:
            self._saved.append((f"checkpoint-{state.global_step}", args.output_dir))
            if not args.save_total_limit:
                self._keep_checkpoints()

    @guarded()
    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Keeps the last evaluation, and the best one if the Trainer looked for it."""
        self._training = False
        if not state.is_world_process_zero:
            return
        self._keep_evaluation()
        self._keep_checkpoints()
        best = numbers({"best_metric": state.best_metric, "best_step": getattr(state, "best_global_step", None)})
        if "best_metric" in best:
            active(self._run).summary.update({f"{self._prefix}{name}": value for name, value in best.items()})

    def _keep_checkpoints(self) -> None:
        saved, self._saved = self._saved, []
        for name, folder in saved:
            path = os.path.join(folder, name)
            if os.path.isdir(path):
                active(self._run).log_artifact(path, name=f"checkpoints/{name}")

    def _keep_evaluation(self) -> None:
        # Under names of its own: a summary under the name of the series would hide its smallest and largest.
        found = numbers({name: value for name, value in self._evaluated.items() if name != "epoch"})
        if found:
            active(self._run).summary.update({f"{self._prefix}final/{name}": value for name, value in found.items()})

    def _name(self, name: str) -> str:
        """`eval_loss` as `eval/loss`, `test_loss` as `test/loss`, all else of a training as `train/…`."""
        if name == "epoch":
            return f"{self._prefix}epoch"
        evaluated = re.match(r"(eval|test)_(.+)", name)
        return f"{self._prefix}{evaluated[1]}/{evaluated[2]}" if evaluated else f"{self._prefix}train/{name}"


def _settings(args: Any, model: Any) -> dict[str, Any]:
    settings = {"args": _without_empty(args.to_dict())}
    configuration: Any = getattr(model, "config", None)
    if hasattr(configuration, "to_dict"):
        settings["model"] = _without_empty(configuration.to_dict())
    return settings


def _without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None and value != {} and value != []}
