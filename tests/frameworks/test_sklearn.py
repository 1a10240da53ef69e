"""xtrack.sklearn.autolog with the real library."""

import os
import pickle
import subprocess
import sys
import threading
import warnings

import joblib
import numpy
import xtrack.sklearn
from sklearn import model_selection
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier, StackingClassifier
from sklearn.feature_selection import RFE
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from support import Case, main

DIGITS = load_digits(return_X_y=True)
TRAIN, TEST, TRAIN_LABELS, TEST_LABELS = model_selection.train_test_split(*DIGITS, random_state=0)


class Autolog(Case):
    def setUp(self):
        super().setUp()
        xtrack.sklearn.autolog()
        self.addCleanup(xtrack.sklearn.disable)


class Fits(Autolog):
    def test_params_and_scores(self):
        with self.recording() as found:
            tree = DecisionTreeClassifier(max_depth=5, random_state=1).fit(TRAIN, TRAIN_LABELS)
            score = tree.score(TEST, TEST_LABELS)
        self.assertEqual(list(found.params), ["DecisionTreeClassifier"])
        params = found.params["DecisionTreeClassifier"]
        self.assertEqual((params["max_depth"], params["criterion"], params["min_samples_leaf"]), (5, "gini", 1))
        self.assertEqual(params, {**tree.get_params(), "random_state": 1})
        self.assertEqual(found.summary["DecisionTreeClassifier/score"], score)
        xtrack.sklearn.disable()
        training = tree.score(TRAIN, TRAIN_LABELS)
        self.assertEqual(found.summary["DecisionTreeClassifier/training_score"], training)
        self.assertGreater(found.summary["DecisionTreeClassifier/fit_seconds"], 0)
        self.assertEqual(found.points, {}, "what has no steps takes none from the training")

    def test_scoring_the_training_data_again_is_a_training_score(self):
        xtrack.sklearn.autolog(training_score=False)
        with self.recording() as found:
            tree = DecisionTreeClassifier(max_depth=3, random_state=1).fit(TRAIN, TRAIN_LABELS)
            score = tree.score(TRAIN, TRAIN_LABELS)
        self.assertEqual(found.summary["DecisionTreeClassifier/training_score"], score)
        self.assertNotIn("DecisionTreeClassifier/score", found.summary)

    def test_a_second_estimator_is_numbered_and_a_refit_is_not(self):
        with self.recording() as found:
            first = KNeighborsClassifier(3)
            first.fit(TRAIN, TRAIN_LABELS)
            first.fit(TEST, TEST_LABELS)
            KNeighborsClassifier(7).fit(TRAIN, TRAIN_LABELS)
        self.assertEqual(
            {name: held["n_neighbors"] for name, held in found.params.items()},
            {"KNeighborsClassifier": 3, "KNeighborsClassifier-2": 7},
        )

    def test_a_training_score_of_large_data_only_on_demand(self):
        many = numpy.zeros((10_001, 2))
        with self.recording() as found:
            LinearRegression().fit(many, many[:, 0])
        self.assertNotIn("LinearRegression/training_score", found.summary)
        xtrack.sklearn.autolog(training_score=True)
        with self.recording() as found:
            LinearRegression().fit(many, many[:, 0])
        self.assertTrue(any(name.endswith("/training_score") for name in found.summary))

    def test_without_labels(self):
        with self.recording() as found:
            KMeans(3, n_init=1, random_state=0).fit(TRAIN)
            NearestNeighbors().fit(TRAIN)
        self.assertEqual(found.params["KMeans"]["n_clusters"], 3)
        self.assertLess(found.summary["KMeans/training_score"], 0)

    def test_transformers_alone_say_nothing(self):
        with self.recording() as found:
            StandardScaler().fit(TRAIN)
        self.assertEqual(found.params, {})

    def test_sample_weights_and_keywords(self):
        weights = numpy.linspace(0, 1, len(TRAIN))
        with self.recording() as found:
            tree = DecisionTreeClassifier(max_depth=2).fit(X=TRAIN, y=TRAIN_LABELS, sample_weight=weights)
        xtrack.sklearn.disable()
        expected = tree.score(TRAIN, TRAIN_LABELS, sample_weight=weights)
        self.assertAlmostEqual(found.summary["DecisionTreeClassifier/training_score"], expected)

    def test_a_fit_that_fails_fails_as_before(self):
        with self.recording() as found:
            with self.assertRaisesRegex(ValueError, "does not match number of samples"):
                DecisionTreeClassifier(max_depth=4).fit(TRAIN, TRAIN_LABELS[:10])
            DecisionTreeClassifier(max_depth=5).fit(TRAIN, TRAIN_LABELS)
        self.assertEqual(found.params["DecisionTreeClassifier"]["max_depth"], 4)
        self.assertIn("DecisionTreeClassifier-2/training_score", found.summary)

    def test_settings_that_are_no_scalars(self):
        with self.recording() as found:
            SVC(kernel=lambda one, other: one @ other.T, class_weight={0: 2.0}).fit(TRAIN[:50], TRAIN_LABELS[:50])
        self.assertIsInstance(found.params["SVC"]["kernel"], str)
        self.assertEqual(found.params["SVC"]["class_weight"], {"0": 2.0})

    def test_thousands_of_fits_do_not_flood_the_params(self):
        with self.recording() as found:
            for _ in range(150):
                LinearRegression().fit(TRAIN[:9, :2], TRAIN_LABELS[:9])
        self.assertEqual(len(found.params), 100)


class Nested(Autolog):
    def test_a_pipeline_is_one_estimator(self):
        with self.recording() as found:
            make_pipeline(StandardScaler(), LogisticRegression(C=0.5, max_iter=50)).fit(TRAIN, TRAIN_LABELS)
        self.assertEqual(list(found.params), ["Pipeline"])
        steps = found.params["Pipeline"]["steps"]
        self.assertEqual(steps["standardscaler"]["class"], "StandardScaler")
        self.assertEqual(steps["logisticregression"]["C"], 0.5)

    def test_columns(self):
        columns = ColumnTransformer([("scaled", StandardScaler(), [0, 1])], remainder="passthrough")
        with self.recording() as found:
            Pipeline([("columns", columns), ("tree", DecisionTreeClassifier())]).fit(TRAIN, TRAIN_LABELS)
        scaled = found.params["Pipeline"]["steps"]["columns"]["transformers"]["scaled"]
        self.assertEqual(scaled[0]["class"], "StandardScaler")
        self.assertEqual(scaled[1], [0, 1])

    def test_what_meta_estimators_fit_is_theirs(self):
        tree = DecisionTreeClassifier(max_depth=3)
        for estimator in (
            BaggingClassifier(tree, n_estimators=3),
            StackingClassifier([("tree", tree), ("knn", KNeighborsClassifier())], cv=2),
            OneVsRestClassifier(tree),
            RFE(tree, n_features_to_select=5, step=0.5),
            RandomForestClassifier(3),
        ):
            with self.subTest(type(estimator).__name__), self.recording() as found:
                estimator.fit(TRAIN, TRAIN_LABELS)
            self.assertEqual(list(found.params), [type(estimator).__name__])

    def test_inherited_fits_count_once(self):
        class Deeper(DecisionTreeClassifier):
            def fit(self, X, y):
                return super().fit(X, y)

        with self.recording() as found:
            Deeper().fit(TRAIN, TRAIN_LABELS)
        self.assertEqual(list(found.params), ["Deeper"])

    def test_classes_made_later_are_watched(self):
        class Majority(ClassifierMixin, BaseEstimator):
            def fit(self, X, y):
                self.classes_, counts = numpy.unique(y, return_counts=True)
                self.winner_ = self.classes_[counts.argmax()]
                return self

            def predict(self, X):
                return numpy.full(len(X), self.winner_)

        with self.recording() as found:
            score = Majority().fit(TRAIN, TRAIN_LABELS).score(TEST, TEST_LABELS)
        self.assertEqual(found.params, {"Majority": {}})
        self.assertEqual(found.summary["Majority/score"], score)

    def test_boosters_with_scikit_learn_classes(self):
        import lightgbm
        import xgboost

        features, labels = load_breast_cancer(return_X_y=True)
        with self.recording() as found:
            xgboost.XGBClassifier(n_estimators=3, max_depth=2).fit(features, labels)
            lightgbm.LGBMClassifier(n_estimators=3, verbosity=-1).fit(features, labels)
        self.assertEqual(found.params["XGBClassifier"]["max_depth"], 2)
        self.assertEqual(found.params["LGBMClassifier"]["n_estimators"], 3)
        self.assertIn("XGBClassifier/training_score", found.summary)


class Searches(Autolog):
    def search(self, **options):
        grid = {"max_depth": [2, 4, None], "criterion": ["gini", "entropy"]}
        return GridSearchCV(DecisionTreeClassifier(random_state=0), grid, cv=3, **options)

    def test_a_grid(self):
        with self.recording() as found:
            search = self.search().fit(TRAIN, TRAIN_LABELS)
        self.assertEqual(list(found.params), ["GridSearchCV"])
        params = found.params["GridSearchCV"]
        self.assertEqual(params["best_params"], search.best_params_)
        self.assertEqual(params["estimator"]["class"], "DecisionTreeClassifier")
        self.assertEqual(params["param_grid"]["max_depth"], [2, 4, None])
        self.assertAlmostEqual(found.summary["GridSearchCV/best_score"], search.best_score_)
        self.assertEqual(found.definitions["GridSearchCV/best_score"]["goal"], "max")
        rows = found.table("GridSearchCV/cv_results")
        self.assertEqual(len(rows), 6)
        self.assert_near([row["mean_test_score"] for row in rows], list(search.cv_results_["mean_test_score"]))
        self.assertEqual([row["param_criterion"] for row in rows], list(search.cv_results_["param_criterion"]))
        self.assertIn(None, [row["param_max_depth"] for row in rows])

    def test_a_random_search_over_several_subgrids(self):
        space = [{"kernel": ["linear"], "C": [1, 10]}, {"kernel": ["rbf"], "gamma": [0.001, 0.01]}]
        with self.recording() as found:
            search = RandomizedSearchCV(SVC(), space, n_iter=3, cv=2, random_state=0).fit(TRAIN, TRAIN_LABELS)
        rows = found.table("RandomizedSearchCV/cv_results")
        self.assertEqual(len(rows), 3)
        for row, params in zip(rows, search.cv_results_["params"]):
            self.assertEqual(row["param_C"], params.get("C"))

    def test_workers_do_not_log(self):
        for backend in ("loky", "threading", "multiprocessing"):
            with self.subTest(backend), self.recording() as found, joblib.parallel_config(backend=backend):
                self.search(n_jobs=2).fit(TRAIN, TRAIN_LABELS)
            self.assertEqual(list(found.params), ["GridSearchCV"])
            self.assertEqual(found.writers, 1)

    def test_parallel_fits_of_the_script_itself_do_not_log(self):
        with self.recording() as found:
            joblib.Parallel(2, backend="threading")(
                joblib.delayed(DecisionTreeClassifier(max_depth=depth).fit)(TRAIN, TRAIN_LABELS) for depth in (1, 2, 3)
            )
        self.assertEqual(found.params, {})

    def test_cross_validation(self):
        tree = DecisionTreeClassifier(max_depth=4, random_state=0)
        with self.recording() as found:
            scores = cross_val_score(tree, TRAIN, TRAIN_LABELS, cv=4)
            full = model_selection.cross_validate(
                tree, TRAIN, TRAIN_LABELS, cv=3, scoring=["accuracy", "f1_macro"], return_train_score=True
            )
        self.assertEqual(found.params["DecisionTreeClassifier"]["max_depth"], 4)
        self.assertAlmostEqual(found.summary["DecisionTreeClassifier/cv_score"], scores.mean())
        self.assertAlmostEqual(found.summary["DecisionTreeClassifier/cv_score_std"], scores.std())
        rows = found.table("DecisionTreeClassifier/cross_validation")
        self.assert_near([row["test_score"] for row in rows if row.get("test_score") is not None], list(scores))
        # The same object: one estimator, two ways to ask how good it is.
        self.assertAlmostEqual(found.summary["DecisionTreeClassifier/cv_test_f1_macro"], full["test_f1_macro"].mean())


class Outside(Case):
    def test_results_are_the_same_without_us(self):
        def work():
            numpy.random.seed(7)
            forest = RandomForestClassifier(5).fit(TRAIN, TRAIN_LABELS)
            search = RandomizedSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2, 3]}, n_iter=2, cv=2)
            search.fit(TRAIN, TRAIN_LABELS)
            scores = cross_val_score(DecisionTreeClassifier(), TRAIN, TRAIN_LABELS, cv=3)
            return forest.predict(TEST), search.cv_results_["mean_test_score"], scores, numpy.random.rand(3)

        plain = work()
        xtrack.sklearn.autolog(training_score=True)
        with self.recording():
            watched = work()
        xtrack.sklearn.disable()
        for one, other in zip(plain, watched):
            numpy.testing.assert_array_equal(one, other)

    def test_disable_puts_everything_back(self):
        def watched():
            classes = [DecisionTreeClassifier, Pipeline, GridSearchCV, ClassifierMixin, BaseEstimator]
            names = [(cls, name) for cls in classes for name in ("fit", "score", "__init_subclass__")]
            return [cls.__dict__.get(name) for cls, name in names] + [model_selection.cross_validate]

        before = watched()
        xtrack.sklearn.autolog()
        once = watched()
        xtrack.sklearn.autolog()
        self.assertEqual(once, watched(), "twice is as once")
        self.assertNotEqual(before, once)
        xtrack.sklearn.disable()
        self.assertEqual(before, watched())
        xtrack.sklearn.disable()
        with self.recording() as found:
            DecisionTreeClassifier().fit(TRAIN, TRAIN_LABELS)
        self.assertEqual(found.params, {})

    def test_estimators_pickle_and_clone(self):
        xtrack.sklearn.autolog()
        self.addCleanup(xtrack.sklearn.disable)
        with self.recording():
            tree = clone(DecisionTreeClassifier(random_state=0)).fit(TRAIN, TRAIN_LABELS)
        again = pickle.loads(pickle.dumps(tree))
        numpy.testing.assert_array_equal(tree.predict(TEST), again.predict(TEST))

    def test_several_threads(self):
        xtrack.sklearn.autolog()
        self.addCleanup(xtrack.sklearn.disable)

        def fit(depth):
            DecisionTreeClassifier(max_depth=depth).fit(TRAIN, TRAIN_LABELS)

        with self.recording() as found:
            threads = [threading.Thread(target=fit, args=(depth,)) for depth in range(1, 9)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(sorted(held["max_depth"] for held in found.params.values()), list(range(1, 9)))

    def test_a_run_that_fails_stops_no_training(self):
        self.forgiving()
        xtrack.sklearn.autolog(run=object())
        self.addCleanup(xtrack.sklearn.disable)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tree = DecisionTreeClassifier().fit(TRAIN, TRAIN_LABELS)
            self.assertGreater(tree.score(TEST, TEST_LABELS), 0.5)

    def test_a_class_of_the_script_goes_to_workers(self):
        """Such classes are pickled whole, watched methods included."""
        script = self.folder / "script.py"
        script.write_text(
            "import sys\n"
            "import xtrack.sklearn\n"
            "from sklearn.datasets import load_iris\n"
            "from sklearn.model_selection import GridSearchCV\n"
            "from sklearn.neighbors import KNeighborsClassifier\n"
            "class Mine(KNeighborsClassifier):\n"
            "    def fit(self, X, y):\n"
            "        return super().fit(X, y)\n"
            "    def score(self, X, y):\n"
            "        return super().score(X, y)\n"
            "xtrack.sklearn.autolog()\n"
            "search = GridSearchCV(Mine(), {'n_neighbors': [1, 5]}, cv=2, n_jobs=2, error_score='raise')\n"
            "search.fit(*load_iris(return_X_y=True))\n"
            "print(search.best_score_)\n"
        )
        ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=dict(os.environ))
        self.assertEqual(ended.returncode, 0, ended.stderr)
        found = self.only()
        self.assertEqual(list(found.params), ["GridSearchCV"])
        self.assertAlmostEqual(found.summary["GridSearchCV/best_score"], float(ended.stdout))


if __name__ == "__main__":
    main()
