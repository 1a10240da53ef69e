"""xtrack.lightgbm with the real library."""

import lightgbm
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from support import Case, main
from xtrack.lightgbm import callback

SETTINGS = {
    "objective": "binary",
    "metric": ["binary_logloss", "auc"],
    "num_leaves": 7,
    "learning_rate": 0.2,
    "verbosity": -1,
    "deterministic": True,
    "num_threads": 1,
}


def data():
    features, labels = load_breast_cancer(return_X_y=True)
    parts = train_test_split(features, labels, random_state=0)
    training = lightgbm.Dataset(parts[0], parts[2])
    return training, training.create_valid(parts[1], parts[3])


def train(rounds=10, callbacks=()):
    training, validation = data()
    evaluations = {}
    model = lightgbm.train(
        SETTINGS,
        training,
        rounds,
        valid_sets=[training, validation],
        valid_names=["train", "valid"],
        callbacks=[lightgbm.record_evaluation(evaluations), *callbacks],
    )
    return model, evaluations


class Training(Case):
    def test_every_round_is_logged(self):
        with self.recording() as found:
            _, evaluations = train(callbacks=[callback()])
        for metric in ("binary_logloss", "auc"):
            logged = found.series(f"valid/{metric}")
            self.assertEqual(list(logged), list(range(10)))
            self.assert_near(list(logged.values()), evaluations["valid"][metric], 12)
        self.assertEqual(found.definitions["valid/auc"]["goal"], "max")
        self.assertEqual(found.definitions["train/binary_logloss"]["goal"], "min")

    def test_the_settings_are_params(self):
        with self.recording() as found:
            train(callbacks=[callback()])
        self.assertEqual(found.params["lightgbm"]["num_leaves"], 7)
        self.assertEqual(found.params["lightgbm"]["metric"], ["binary_logloss", "auc"])

    def test_the_round_that_early_stopping_ends_is_logged(self):
        with self.recording() as found:
            model, evaluations = train(200, [lightgbm.early_stopping(3, verbose=False), callback(every=1)])
        self.assertEqual(len(found.series("valid/auc")), len(evaluations["valid"]["auc"]))
        self.assertLess(len(evaluations["valid"]["auc"]), 200)
        best = model.best_score["valid"]["auc"]
        self.assertAlmostEqual(found.series("valid/auc")[model.best_iteration - 1], best)

    def test_every_nth_round_and_the_last(self):
        with self.recording() as found:
            train(callbacks=[callback(every=4, prefix="gbm/")])
        self.assertEqual(list(found.series("gbm/valid/auc")), [0, 4, 8, 9])

    def test_cross_validation_has_means_and_deviations(self):
        with self.recording() as found:
            table = lightgbm.cv(SETTINGS, data()[0], 5, nfold=3, seed=1, callbacks=[callback()])
        self.assert_near(list(found.series("valid/auc").values()), list(table["valid auc-mean"]))
        self.assert_near(list(found.series("valid/auc_std").values()), list(table["valid auc-stdv"]))

    def test_the_scikit_learn_classes(self):
        features, labels = load_breast_cancer(return_X_y=True)
        with self.recording() as found:
            model = lightgbm.LGBMClassifier(n_estimators=4, verbosity=-1)
            model.fit(features, labels, eval_X=features[:99], eval_y=labels[:99], callbacks=[callback()])
        self.assertEqual(len(found.series("valid_0/binary_logloss")), 4)
        self.assertEqual(found.params["lightgbm"]["learning_rate"], 0.1)

    def test_the_model_is_the_same_without_us(self):
        plain, _ = train()
        with self.recording():
            watched, _ = train(callbacks=[callback()])
        self.assertEqual(plain.model_to_string(), watched.model_to_string())

    def test_a_run_that_fails_stops_no_training(self):
        self.forgiving()
        _, evaluations = train(callbacks=[callback(run=object())])
        self.assertEqual(len(evaluations["valid"]["auc"]), 10)


if __name__ == "__main__":
    main()
