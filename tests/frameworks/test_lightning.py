"""xtrack.lightning with the real Trainer; the first argument says which of the two packages."""

import importlib
import logging
import os
import pickle
import sys
import warnings

os.environ["CUDA_VISIBLE_DEVICES"] = ""

import torch
from sklearn.datasets import load_digits
from support import Case, main

PACKAGE = sys.argv.pop(1) if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else "lightning.pytorch"
lightning = importlib.import_module(PACKAGE)

from xtrack.lightning import XtrackLogger  # noqa: E402

warnings.filterwarnings("ignore")
for name in ("lightning", "lightning.pytorch", "pytorch_lightning"):
    logging.getLogger(name).setLevel(logging.ERROR)

PIXELS, LABELS = load_digits(return_X_y=True)
DATA = torch.utils.data.TensorDataset(torch.tensor(PIXELS[:320] / 16, dtype=torch.float32), torch.tensor(LABELS[:320]))


class Module(lightning.LightningModule):
    def __init__(self, width=8, rate=0.01):
        super().__init__()
        self.save_hyperparameters()
        self.layers = torch.nn.Sequential(torch.nn.Linear(64, width), torch.nn.ReLU(), torch.nn.Linear(width, 10))

    def loss(self, batch):
        return torch.nn.functional.cross_entropy(self.layers(batch[0]), batch[1])

    def training_step(self, batch, _):
        loss = self.loss(batch)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch, _):
        self.log("val_loss", self.loss(batch))

    def test_step(self, batch, _):
        self.log("test_loss", self.loss(batch))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), self.hparams.rate)


def fit(logger, epochs=2, **options):
    lightning.seed_everything(2, verbose=False)
    module = Module()
    loader = torch.utils.data.DataLoader(DATA, batch_size=32)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        logger=logger,
        accelerator="cpu",
        log_every_n_steps=5,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )
    trainer.fit(module, loader, loader)
    return trainer, module, loader


class Trainings(Case):
    def test_metrics_are_logged_over_the_steps_of_the_trainer(self):
        with self.recording() as found:
            trainer, _, _ = fit(XtrackLogger(), enable_checkpointing=False)
        self.assertEqual(list(found.series("train_loss_step")), [4, 9, 14, 19])
        self.assertEqual(list(found.series("val_loss")), [9, 19])
        self.assertAlmostEqual(found.series("val_loss")[19], float(trainer.callback_metrics["val_loss"]), 6)
        self.assertEqual(found.series("epoch")[19], 1)
        self.assertEqual(found.definitions["val_loss"]["goal"], "min")

    def test_hyperparameters_are_params(self):
        with self.recording() as found:
            fit(XtrackLogger(config={"data": "digits"}), enable_checkpointing=False)
        self.assertEqual((found.params["width"], found.params["rate"]), (8, 0.01))

    def test_it_begins_a_run_if_there_is_none(self):
        logger = XtrackLogger(experiment="digits", config={"data": "digits"})
        fit(logger, epochs=1, enable_checkpointing=False)
        logger.experiment.finish()
        found = self.only()
        self.assertEqual(found.params["data"], "digits")
        self.assertIn("val_loss", found.points)
        self.assertEqual(logger.name, "digits")

    def test_it_goes_on_with_a_test(self):
        with self.recording() as found:
            trainer, module, loader = fit(XtrackLogger(), epochs=1, enable_checkpointing=False)
            (said,) = trainer.test(module, loader, verbose=False)
        self.assertAlmostEqual(list(found.series("test_loss").values())[-1], said["test_loss"], 6)

    def test_checkpoints_go_where_the_trainer_puts_them(self):
        with self.recording() as found:
            logger = XtrackLogger()
            self.assertIsNone(logger.save_dir)
            trainer, _, _ = fit(logger)
            expected = f"xtrack/{logger.version}/checkpoints"
        self.assertIn(expected, trainer.checkpoint_callback.best_model_path)
        self.assertEqual(found.artifacts, [])

    def test_the_best_checkpoint_on_demand(self):
        checkpoint = lightning.callbacks.ModelCheckpoint(monitor="val_loss", save_top_k=2, filename="{epoch}")
        with self.recording() as found:
            fit(XtrackLogger(checkpoints="best", save_dir="kept"), callbacks=[checkpoint])
        self.assertEqual([artifact["path"] for artifact in found.artifacts], ["checkpoints/epoch=1.ckpt"])
        self.assertTrue(checkpoint.best_model_path.startswith("kept/xtrack/"))

    def test_all_checkpoints_on_demand(self):
        checkpoint = lightning.callbacks.ModelCheckpoint(save_top_k=-1, filename="{epoch}")
        with self.recording() as found:
            fit(XtrackLogger(checkpoints="all"), callbacks=[checkpoint])
        paths = [artifact["path"] for artifact in found.artifacts]
        self.assertEqual(sorted(paths), ["checkpoints/epoch=0.ckpt", "checkpoints/epoch=1.ckpt"])
        self.assertRaises(ValueError, XtrackLogger, checkpoints="some")

    def test_of_all_checkpoints_those_that_the_trainer_leaves(self):
        checkpoint = lightning.callbacks.ModelCheckpoint(monitor="val_loss", save_top_k=1, filename="{epoch}")
        with self.recording() as found:
            fit(XtrackLogger(checkpoints="all"), epochs=3, callbacks=[checkpoint])
        self.assertEqual([artifact["path"] for artifact in found.artifacts], ["checkpoints/epoch=2.ckpt"])

    def test_other_processes_log_nothing(self):
        utilities = importlib.import_module(f"{PACKAGE}.utilities.rank_zero")
        with self.recording() as found:
            logger = XtrackLogger()
            before = utilities.rank_zero_only.rank
            utilities.rank_zero_only.rank = 1
            try:
                logger.log_metrics({"loss": 1.0}, 0)
                logger.log_hyperparams({"rate": 1})
                logger.experiment.log({"loss": 1.0})
                self.assertIsNone(logger.version)
            finally:
                utilities.rank_zero_only.rank = before
        self.assertEqual((found.points, found.params), ({}, {}))

    def test_it_is_a_logger_and_goes_to_other_processes(self):
        base = importlib.import_module(f"{PACKAGE}.loggers.logger").Logger
        with self.recording():
            logger = XtrackLogger(experiment="digits", prefix="net/")
            logger.log_metrics({"loss": 1.0}, 0)
            again = pickle.loads(pickle.dumps(logger))
        self.assertIsInstance(logger, base)
        self.assertEqual(again.name, "digits")

    def test_the_model_is_the_same_without_us(self):
        _, plain, _ = fit(False, enable_checkpointing=False)
        with self.recording():
            _, watched, _ = fit(XtrackLogger(), enable_checkpointing=False)
        for one, other in zip(plain.parameters(), watched.parameters()):
            self.assertTrue(torch.equal(one, other))

    def test_a_run_that_fails_stops_no_training(self):
        self.forgiving()
        trainer, _, _ = fit(XtrackLogger(run=object()), epochs=1)
        self.assertEqual(trainer.global_step, 10)


if __name__ == "__main__":
    main()
