"""Lightning, as `lightning` or as `pytorch_lightning`: `Trainer(logger=XtrackLogger(experiment="digits"))`.

A logger of the first process only. It asks for no folder: checkpoints go where the Trainer puts them.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any

import xtrack
from xtrack._callback import Goals, goal_of, guarded, missing, numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

# Whichever of the two the training has imported already; the other one may not be installed.
if "pytorch_lightning" in sys.modules and "lightning.pytorch" not in sys.modules:
    from pytorch_lightning.loggers.logger import Logger, rank_zero_experiment
    from pytorch_lightning.utilities.rank_zero import rank_zero_only
else:
    try:
        from lightning.pytorch.loggers.logger import Logger, rank_zero_experiment
        from lightning.pytorch.utilities.rank_zero import rank_zero_only
    except ImportError as error:
        if error.name not in ("lightning", "lightning.pytorch"):
            raise
        try:
            from pytorch_lightning.loggers.logger import Logger, rank_zero_experiment
            from pytorch_lightning.utilities.rank_zero import rank_zero_only
        except ImportError:
            missing("lightning", "lightning", error)

__all__ = ["XtrackLogger"]


class XtrackLogger(Logger):
    """Logs a training to the run given, to the one that the process is in, or to a new one.

    `experiment`, `run_name`, `tags` and `config` go to `xtrack.init`; a run that is active already takes the last two.
    `checkpoints` keeps as artifacts: "best" the best one when a training ends, "all" each as it is saved, None none.
    The run is not finished with the Trainer, which may go on to test: it ends with the process, or by
    `logger.experiment.finish()`.
    """

    def __init__(
        self,
        run: Any | None = None,
        *,
        experiment: str | None = None,
        run_name: str | None = None,
        tags: Any | None = None,
        config: Any | None = None,
        checkpoints: str | None = None,
        prefix: str = "",
        save_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        if checkpoints not in (None, "best", "all"):
            raise ValueError(f"checkpoints is 'best', 'all' or None, not {checkpoints!r}")
        self._run = run
        asked = {"experiment": experiment, "name": run_name, "tags": tags, "config": config}
        self._asked = {name: value for name, value in asked.items() if value is not None}
        self._checkpoints = checkpoints
        self._prefix = prefix
        self._save_dir = None if save_dir is None else os.fspath(save_dir)
        self._goals = Goals()
        self._kept: dict[str, float] = {}
        self._latest: Any | None = None

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The run; on other processes than the first something that takes every call and does nothing."""
        if self._run is None:
            self._run = self._joined() or xtrack.init(**self._asked)
        return self._run

    @property
    def name(self) -> str:
        """The experiment: the folder that checkpoints go to."""
        return str(self._asked.get("experiment") or "xtrack")

    @property
    def version(self) -> str | None:
        """The run's id: the folder below. None on other processes than the first, which are told it."""
        return self._version()

    @property
    def save_dir(self) -> str | None:
        """The folder asked for; None leaves it to the Trainer."""
        return self._save_dir

    @rank_zero_only
    @guarded()
    def log_hyperparams(self, params: Mapping[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Logs hyper-parameters as params."""
        self.experiment.config.update(vars(params) if isinstance(params, Namespace) else dict(params))

    @rank_zero_only
    @guarded()
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Logs one row of metrics."""
        points = numbers(metrics, self._prefix)
        if points:
            run = self.experiment
            self._goals.say(run, {name: goal_of(name) for name in points})
            run.log(points) if step is None else run.log(points, step=step)

    @rank_zero_only
    @guarded()
    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Keeps the checkpoint just saved, if all were asked for and the Trainer removes none."""
        self._latest = checkpoint_callback
        if self._checkpoints == "all" and checkpoint_callback.save_top_k == -1:
            self._keep_all(checkpoint_callback)

    @rank_zero_only
    @guarded()
    def finalize(self, status: str) -> None:
        """Keeps the checkpoints asked for that are there."""
        if self._latest is None:
            return
        if self._checkpoints == "best":
            self._keep(self._latest.best_model_path or self._latest.last_model_path)
        elif self._checkpoints == "all":
            self._keep_all(self._latest)

    def _keep_all(self, checkpoint_callback: Any) -> None:
        paths = [*checkpoint_callback.best_k_models, checkpoint_callback.best_model_path]
        for path in dict.fromkeys([*paths, checkpoint_callback.last_model_path]):
            self._keep(path)

    def _joined(self) -> Any | None:
        """The run that is active already, with what was asked for; `init` would begin another."""
        run = xtrack.active()
        if run is not None:
            run.config.update(self._asked.get("config"))
            run.add_tags(self._asked.get("tags", ()))
        return run

    @guarded()
    def _version(self) -> str | None:
        return self.experiment.id if rank_zero_only.rank == 0 else None

    def _keep(self, path: str) -> None:
        if not path or not os.path.exists(path):
            return
        changed = os.stat(path).st_mtime
        if self._kept.get(path) != changed:
            self._kept[path] = changed
            self.experiment.log_artifact(path, name=f"checkpoints/{os.path.basename(path)}")

    def __getstate__(self) -> dict[str, Any]:
        # A spawned process joins the run by itself; what this one holds open is of no use there.
        return {**self.__dict__, "_run": None, "_latest": None}
