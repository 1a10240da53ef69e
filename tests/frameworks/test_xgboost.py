"""xtrack.xgboost with the real library."""

import numpy
import xgboost
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from support import Case, main
from xtrack.xgboost import XtrackCallback

SETTINGS = {"objective": "binary:logistic", "eval_metric": ["logloss", "auc"], "max_depth": 3, "eta": 0.3, "seed": 1}


def data():
    features, labels = load_breast_cancer(return_X_y=True)
    parts = train_test_split(features, labels, random_state=0)
    return xgboost.DMatrix(parts[0], parts[2]), xgboost.DMatrix(parts[1], parts[3])


def train(rounds=12, **options):
    training, validation = data()
    evaluations = {}
    model = xgboost.train(
        SETTINGS,
        training,
        rounds,
        evals=[(training, "train"), (validation, "valid")],
        evals_result=evaluations,
        verbose_eval=False,
        **options,
    )
    return model, evaluations


class Training(Case):
    def test_every_round_is_logged(self):
        with self.recording() as found:
            _, evaluations = train(callbacks=[XtrackCallback()])
        for part in ("train", "valid"):
            for metric in ("logloss", "auc"):
                logged = found.series(f"{part}/{metric}")
                self.assertEqual(list(logged), list(range(12)))
                self.assert_near(list(logged.values()), evaluations[part][metric], 12)
        self.assertEqual(found.definitions["valid/auc"]["goal"], "max")
        self.assertEqual(found.definitions["valid/logloss"]["goal"], "min")

    def test_the_settings_are_params(self):
        with self.recording() as found:
            train(callbacks=[XtrackCallback()])
        params = found.params["xgboost"]
        self.assertEqual(params["max_depth"], 3)
        self.assertAlmostEqual(params["eta"], 0.3, 6)
        self.assertEqual(params["objective"], "binary:logistic")
        self.assertEqual(params["booster"], "gbtree")

    def test_settings_go_elsewhere_or_nowhere(self):
        with self.recording() as found:
            train(callbacks=[XtrackCallback(params=None, prefix="model/")])
        self.assertEqual(found.params, {})
        self.assertIn("model/valid/auc", found.points)

    def test_every_nth_round_and_the_last(self):
        with self.recording() as found:
            train(callbacks=[XtrackCallback(every=5)])
        self.assertEqual(list(found.series("valid/auc")), [0, 5, 10, 11])

    def test_early_stopping_gives_the_best(self):
        stop = xgboost.callback.EarlyStopping(rounds=3, metric_name="auc", data_name="valid")
        with self.recording() as found:
            model, _ = train(rounds=200, callbacks=[stop, XtrackCallback()])
        self.assertEqual(found.summary["best_iteration"], model.best_iteration)
        self.assertAlmostEqual(found.summary["best_score"], model.best_score)

    def test_cross_validation_has_means_and_deviations(self):
        with self.recording() as found:
            table = xgboost.cv(SETTINGS, data()[0], 5, nfold=3, seed=1, callbacks=[XtrackCallback()])
        self.assert_near(list(found.series("test/auc").values()), list(table["test-auc-mean"]))
        self.assert_near(list(found.series("test/auc_std").values()), list(table["test-auc-std"]))
        self.assertEqual(found.params["xgboost"]["max_depth"], 3)

    def test_the_scikit_learn_classes(self):
        features, labels = load_breast_cancer(return_X_y=True)
        with self.recording() as found:
            model = xgboost.XGBClassifier(n_estimators=6, max_depth=2, callbacks=[XtrackCallback()])
            model.fit(features, labels, eval_set=[(features, labels)], verbose=False)
        self.assertEqual(list(found.series("validation_0/logloss")), list(range(6)))

    def test_the_model_is_the_same_without_us(self):
        plain, _ = train()
        with self.recording():
            watched, _ = train(callbacks=[XtrackCallback()])
        self.assertEqual(plain.save_raw("json"), watched.save_raw("json"))

    def test_a_run_that_fails_stops_no_training(self):
        self.forgiving()

        class Broken:
            def __getattr__(self, name):
                raise RuntimeError("broken")

        _, evaluations = train(callbacks=[XtrackCallback(run=Broken())])
        self.assertEqual(len(evaluations["valid"]["auc"]), 12)

    def test_values_are_plain_numbers(self):
        with self.recording() as found:
            XtrackCallback().after_iteration(None, 0, {"valid": {"auc": [numpy.float32(0.5)]}})
        self.assertEqual(found.series("valid/auc"), {0: 0.5})


if __name__ == "__main__":
    main()
