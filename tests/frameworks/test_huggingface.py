"""xtrack.huggingface with the real Trainer, on a model made here."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import torch
from sklearn.datasets import load_digits
from support import Case, main
from transformers import EarlyStoppingCallback, PretrainedConfig, PreTrainedModel, Trainer, TrainingArguments, set_seed
from transformers.modeling_outputs import SequenceClassifierOutput
from xtrack.huggingface import XtrackCallback

PIXELS, LABELS = load_digits(return_X_y=True)
DATA = [
    {"pixels": torch.tensor(pixels / 16, dtype=torch.float32), "labels": int(label)}
    for pixels, label in zip(PIXELS[:400], LABELS[:400])
]


class Config(PretrainedConfig):
    model_type = "xtrack-test"

    def __init__(self, width=8, **rest):
        super().__init__(**rest)
        self.width = width


class Model(PreTrainedModel):
    config_class = Config

    def __init__(self, config):
        super().__init__(config)
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(64, config.width), torch.nn.ReLU(), torch.nn.Linear(config.width, 10)
        )
        self.post_init()

    def forward(self, pixels, labels=None):
        logits = self.layers(pixels)
        loss = None if labels is None else torch.nn.functional.cross_entropy(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)


def trainer(callbacks=(), **options):
    set_seed(3)
    arguments = TrainingArguments(
        output_dir="out",
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
        num_train_epochs=2,
        per_device_train_batch_size=16,
        learning_rate=0.01,
        logging_steps=5,
        eval_strategy="epoch",
        seed=3,
        **{"save_strategy": "no", **options},
    )
    return Trainer(
        model=Model(Config()),
        args=arguments,
        train_dataset=DATA[:320],
        eval_dataset=DATA[320:],
        compute_metrics=lambda said: {"accuracy": float((said.predictions.argmax(1) == said.label_ids).mean())},
        callbacks=list(callbacks),
    )


class Trainings(Case):
    def test_what_the_trainer_says_is_logged(self):
        with self.recording() as found:
            made = trainer([XtrackCallback()])
            made.train()
        history = made.state.log_history
        loss = {row["step"]: row["loss"] for row in history if "loss" in row}
        self.assertEqual(found.series("train/loss"), loss)
        self.assertEqual(list(found.series("train/learning_rate")), list(loss))
        accuracy = {row["step"]: row["eval_accuracy"] for row in history if "eval_accuracy" in row}
        self.assertEqual(list(accuracy), [20, 40])
        self.assertEqual(found.series("eval/accuracy"), accuracy)
        self.assertEqual(found.definitions["eval/loss"]["goal"], "min")
        self.assertEqual(found.definitions["eval/accuracy"]["goal"], "max")

    def test_the_last_evaluation_and_the_totals_are_the_summary(self):
        with self.recording() as found:
            made = trainer([XtrackCallback()])
            made.train()
            last = made.evaluate()
        self.assertEqual(found.summary["final/eval_loss"], last["eval_loss"])
        self.assertEqual(found.summary["final/eval_accuracy"], last["eval_accuracy"])
        self.assertGreater(found.summary["train_runtime"], 0)
        self.assertIn("train_loss", found.summary)
        self.assertNotIn("train/train_loss", found.points)

    def test_arguments_and_configuration_are_params(self):
        with self.recording() as found:
            trainer([XtrackCallback()], hub_token="secret-of-mine").train()
        arguments = found.params["args"]
        self.assertEqual(arguments["learning_rate"], 0.01)
        self.assertEqual(arguments["per_device_train_batch_size"], 16)
        self.assertEqual(arguments["lr_scheduler_type"], "linear")
        self.assertNotIn("secret-of-mine", str(found.params))
        self.assertEqual(found.params["model"]["width"], 8)
        self.assertEqual(found.params["model"]["model_type"], "xtrack-test")

    def test_the_best_and_checkpoints(self):
        with self.recording() as found:
            made = trainer(
                [XtrackCallback(checkpoints=True), EarlyStoppingCallback(1)],
                save_strategy="epoch",
                load_best_model_at_end=True,
                metric_for_best_model="accuracy",
                greater_is_better=True,
            )
            made.train()
        self.assertEqual(found.summary["best_metric"], made.state.best_metric)
        self.assertEqual(found.definitions["eval/accuracy"]["goal"], "max")
        paths = {artifact["path"].split("/")[1] for artifact in found.artifacts}
        self.assertEqual(paths, {"checkpoint-20", "checkpoint-40"})

    def test_of_the_checkpoints_those_that_the_trainer_leaves(self):
        with self.recording() as found:
            trainer([XtrackCallback(checkpoints=True)], save_strategy="epoch", save_total_limit=1).train()
        self.assertEqual({artifact["path"].split("/")[1] for artifact in found.artifacts}, {"checkpoint-40"})

    def test_other_processes_of_the_world_log_nothing(self):
        with self.recording() as found:
            made = trainer([XtrackCallback()])
            made.state.is_world_process_zero = False
            callback = XtrackCallback()
            callback.on_train_begin(made.args, made.state, made.control, model=made.model)
            callback.on_log(made.args, made.state, made.control, logs={"loss": 1.0})
            callback.on_evaluate(made.args, made.state, made.control, metrics={"eval_loss": 1.0})
            callback.on_train_end(made.args, made.state, made.control)
        self.assertEqual((found.params, found.points, found.summary), ({}, {}, {}))

    def test_the_model_is_the_same_without_us(self):
        plain = trainer()
        plain.train()
        with self.recording():
            watched = trainer([XtrackCallback()])
            watched.train()
        for one, other in zip(plain.model.parameters(), watched.model.parameters()):
            self.assertTrue(torch.equal(one, other))

    def test_a_run_that_fails_stops_no_training(self):
        self.forgiving()
        made = trainer([XtrackCallback(run=object())])
        made.train()
        self.assertEqual(made.state.global_step, 40)


if __name__ == "__main__":
    main()
