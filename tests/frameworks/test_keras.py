"""xtrack.keras with the real library, on the backend that KERAS_BACKEND names."""

import keras
import numpy
from sklearn.datasets import load_digits
from support import Case, main
from xtrack.keras import XtrackCallback

PIXELS, LABELS = load_digits(return_X_y=True)
PIXELS = (PIXELS / 16).astype("float32")


def model():
    keras.utils.set_random_seed(1)
    made = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(10, activation="softmax")]
    )
    made.compile(
        optimizer=keras.optimizers.Adam(0.01),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return made


def fit(callbacks=(), epochs=3):
    made = model()
    history = made.fit(
        PIXELS, LABELS, batch_size=64, epochs=epochs, validation_split=0.2, verbose=0, callbacks=list(callbacks)
    )
    return made, history.history


class Fits(Case):
    def test_every_epoch_is_logged(self):
        with self.recording() as found:
            _, history = fit([XtrackCallback()])
        for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
            self.assertEqual(list(found.series(name)), [0, 1, 2])
            self.assert_near(list(found.series(name).values()), history[name])
        self.assertAlmostEqual(found.series("learning_rate")[2], 0.01)
        self.assertEqual(found.definitions["val_loss"]["goal"], "min")
        self.assertEqual(found.definitions["val_accuracy"]["goal"], "max")
        self.assertEqual(found.summary, {}, "the validation within a fit is no evaluation of its own")

    def test_the_settings_are_params(self):
        with self.recording() as found:
            fit([XtrackCallback()], epochs=1)
        params = found.params["keras"]
        self.assertEqual(params["optimizer"]["class"], "Adam")
        self.assertAlmostEqual(params["optimizer"]["learning_rate"], 0.01)
        self.assertEqual(params["loss"], "sparse_categorical_crossentropy")
        self.assertEqual(params["epochs"], 1)
        self.assertEqual(params["weights"], 64 * 16 + 16 + 16 * 10 + 10)
        self.assertEqual(params["backend"], keras.backend.backend())

    def test_batches_on_demand(self):
        with self.recording() as found:
            fit([XtrackCallback(batches=10, prefix="net/")], epochs=2)
        # 1437 images of training in batches of 64: 23 a epoch.
        self.assertEqual(list(found.series("net/batch/loss")), [0, 10, 20, 30, 40])
        self.assertEqual(list(found.series("net/loss")), [0, 1])

    def test_an_evaluation_is_a_summary(self):
        with self.recording() as found:
            made, _ = fit([XtrackCallback()], epochs=1)
            loss, accuracy = made.evaluate(PIXELS, LABELS, verbose=0, callbacks=[XtrackCallback()])
        self.assert_near(found.summary, {"test/loss": loss, "test/accuracy": accuracy})

    def test_a_schedule_of_the_learning_rate(self):
        schedule = keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 / (epoch + 1))
        with self.recording() as found:
            fit([XtrackCallback(), schedule])
        self.assert_near(list(found.series("learning_rate").values()), [0.01, 0.005, 0.01 / 3])

    def test_the_model_is_the_same_without_us(self):
        plain, _ = fit()
        with self.recording():
            watched, _ = fit([XtrackCallback(batches=1)])
        for one, other in zip(plain.get_weights(), watched.get_weights()):
            numpy.testing.assert_array_equal(one, other)

    def test_a_run_that_fails_stops_no_training(self):
        self.forgiving()
        _, history = fit([XtrackCallback(run=object())])
        self.assertEqual(len(history["loss"]), 3)


if __name__ == "__main__":
    main()
