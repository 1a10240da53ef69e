"""Reading runs back: with the real program, and with one that answers what the real one may."""

import json
import math
import os
import shutil
import subprocess
import sys
import unittest

import pandas
import polars
import xtrack
from support import Case, main

HAS_PROGRAM = bool(shutil.which("git-xtrack"))


def git(*arguments):
    """Runs git, which must succeed."""
    subprocess.run(["git", *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@unittest.skipUnless(HAS_PROGRAM, "git-xtrack is not on PATH")
class Recorded(Case):
    def setUp(self):
        super().setUp()
        git("init", "-q", "-b", "main", ".")
        record = ["xtrack", "record"]
        nested = ["-p", "model.depth=3", "-p", "layers=[1, 2]", "-t", "a"]
        git(*record, "--name=first", "-e", "digits", "-p", "lr=0.1", *nested, "-m", "loss=0.5", "--", "true")
        git(*record, "--name=second", "-e", "other", "-p", "lr=0.2", "-m", "loss=nan", "-m", "acc=1", "--", "true")

    def test_runs_are_dicts_the_newest_first(self):
        found = xtrack.runs()
        self.assertEqual([one["name"] for one in found], ["second", "first"])
        self.assertEqual(found[1]["params"], {"lr": 0.1, "model": {"depth": 3}, "layers": [1, 2]})
        self.assertEqual(found[1]["metrics"]["loss"]["last"], 0.5)
        self.assertTrue(math.isnan(found[0]["metrics"]["loss"]["last"]))

    def test_runs_are_selected(self):
        self.assertEqual([one["name"] for one in xtrack.runs(experiment="digits")], ["first"])
        self.assertEqual([one["name"] for one in xtrack.runs(sort="-lr", limit=1)], ["second"])
        (self.folder / "deeper").mkdir()
        os.chdir("/")
        self.assertEqual(len(xtrack.runs(repository=self.folder / "deeper")), 2)

    def test_runs_are_a_table(self):
        frame = xtrack.runs(dataframe=True)
        self.assertIsInstance(frame, pandas.DataFrame)
        self.assertEqual(list(frame["params.lr"]), [0.2, 0.1])
        self.assertEqual(list(frame["name"]), ["second", "first"])
        self.assertEqual(frame["params.model.depth"][1], 3)
        self.assertEqual(frame["params.layers"][1], "[1, 2]")
        self.assertTrue(math.isnan(frame["metrics.loss"][0]))
        other = xtrack.runs().to_dataframe("polars")
        self.assertIsInstance(other, polars.DataFrame)
        self.assertEqual(other["metrics.acc"].to_list(), [1, None])
        with self.assertRaisesRegex(xtrack.XtrackError, "no data frames of 'arrow'"):
            xtrack.runs(dataframe="arrow")

    def test_one_run(self):
        one = xtrack.run("first")
        self.assertEqual((one.name, one.status, one.tags), ("first", "finished", ["a"]))
        self.assertEqual(one.params["model"]["depth"], 3)
        self.assertEqual(one.metrics, {"loss": 0.5})
        self.assertEqual(one.summaries["loss"]["count"], 1)
        self.assertEqual(one.artifacts, [])
        self.assertEqual(one["experiment"], "digits")
        self.assertEqual(xtrack.run().name, "second")
        self.assertEqual(xtrack.run(one.id).name, "first")
        self.assertEqual(repr(one), "<run first: finished>")

    def test_what_there_is_not(self):
        with self.assertRaisesRegex(xtrack.XtrackError, "(?s)firts.*hint: "):
            xtrack.run("firts")
        os.chdir("/")
        with self.assertRaises(xtrack.XtrackError):
            xtrack.runs()

    def test_an_empty_log(self):
        git("init", "-q", "-b", "main", "empty")
        self.assertEqual(xtrack.runs(repository="empty"), [])
        self.assertEqual(len(xtrack.runs(repository="empty", dataframe=True)), 0)


TRAINING = """
import optuna, xgboost, xtrack
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier

xtrack.sklearn.autolog()
features, labels = load_breast_cancer(return_X_y=True)
GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 3]}, cv=2, n_jobs=2).fit(features, labels)
data = xgboost.DMatrix(features, labels)
xgboost.train({"objective": "binary:logistic", "max_depth": 2}, data, 5, evals=[(data, "train")],
              verbose_eval=False, callbacks=[xtrack.xgboost.XtrackCallback()])
study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3, callbacks=[xtrack.optuna.XtrackCallback()])
xtrack.log({"odd": float("nan")}, step=2.5)
"""


@unittest.skipUnless(HAS_PROGRAM, "git-xtrack is not on PATH")
class Trained(Case):
    """A training under `record`, without the client installed, read back."""

    def setUp(self):
        super().setUp()
        del os.environ["XTRACK_MODE"]
        self.addCleanup(os.environ.__setitem__, "XTRACK_MODE", "portable")
        git("init", "-q", "-b", "main", ".")
        (self.folder / "train.py").write_text(TRAINING)

    def check(self, one):
        self.assertEqual(one.status, "finished")
        self.assertEqual(one.params["GridSearchCV"]["best_params"], {"max_depth": 3})
        self.assertEqual(one.params["xgboost"]["max_depth"], 2)
        self.assertEqual(one.params["optuna"]["sampler"], "RandomSampler")
        self.assertIn("GridSearchCV/best_score", one.metrics)
        self.assertEqual(one.summaries["train/logloss"]["count"], 5)
        self.assertEqual([step for step, _, _ in one.series("train/logloss")], list(range(5)))
        ((step, time, value),) = one.series("odd")
        self.assertEqual(step, 2.5)
        self.assertGreater(time, 1.6e9)
        self.assertTrue(math.isnan(value))
        frame = one.series("best_value", dataframe=True)
        self.assertEqual(len(frame), 3)
        self.assertEqual(frame["value"].iloc[-1], one.metrics["best_value"])
        with self.assertRaises(xtrack.XtrackError):
            one.series("no/such")

    def test_under_record(self):
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        ended = subprocess.run(
            ["git", "xtrack", "record", "--", sys.executable, "train.py"],
            capture_output=True,
            text=True,
            env=environment,
        )
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.check(xtrack.run())
        self.assertEqual(len(xtrack.runs()), 1)

    def test_alone(self):
        ended = subprocess.run([sys.executable, "train.py"], capture_output=True, text=True)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.check(xtrack.run())
        self.assertEqual(len(xtrack.runs()), 1)


class Answers(Case):
    """What the program may say, said by a script in its place."""

    RUN = {
        "format": 1,
        "id": "20260102-130000-b1111111",
        "name": "quiet-otter",
        "status": "finished",
        "params": {"limit": "Infinity", "path": {"$bytes": "/wA="}, "$$odd": 1, "deep": {"$json": "[1]"}, "name": "x"},
        "metrics": {"loss": {"last": "NaN", "min": 0.1, "max": "Infinity", "count": 3, "last_step": 2}},
    }

    def answer(self, answers, code=0, error=""):
        """Lets the program answer by the option of the request that a key names."""
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        (folder / "answers.json").write_text(json.dumps(answers))
        script = folder / "git-xtrack"
        script.write_text(
            "#!/usr/bin/env python3\n"
            "import json, sys\n"
            f"answers = json.load(open({str(folder / 'answers.json')!r}))\n"
            f"open({str(folder / 'asked')!r}, 'a').write(json.dumps(sys.argv[1:]) + '\\n')\n"
            f"sys.stderr.write({error!r})\n"
            "for key, answer in answers.items():\n"
            "    if any(key in argument for argument in sys.argv):\n"
            "        print(json.dumps(answer))\n"
            "        break\n"
            f"sys.exit({code})\n"
        )
        script.chmod(0o755)
        before = os.environ["PATH"]
        os.environ["PATH"] = f"{folder}{os.pathsep}{before}"
        self.addCleanup(os.environ.__setitem__, "PATH", before)

    def asked(self):
        """The requests so far."""
        return [json.loads(line) for line in (self.folder / "bin/asked").read_text().splitlines()]

    def test_what_json_lacks(self):
        self.answer({"show": self.RUN})
        one = xtrack.run("quiet-otter")
        expected = {"limit": math.inf, "path": b"\xff\x00", "$odd": 1, "deep": [1], "name": "x"}
        self.assertEqual(one.params, expected)
        self.assertTrue(math.isnan(one.metrics["loss"]))
        self.assertEqual(one.summaries["loss"]["max"], math.inf)

    def test_series(self):
        points = [[0, 1767225600.5, 0.5], [1, None, "NaN"], [None, 1767225602.0, "-Infinity"]]
        self.answer({"--series": points, "show": self.RUN})
        one = xtrack.run("quiet-otter")
        series = one.series("train/loss")
        self.assertEqual(series[0], (0, 1767225600.5, 0.5))
        self.assertEqual(series[2], (None, 1767225602.0, -math.inf))
        self.assertTrue(math.isnan(series[1][2]))
        frame = one.series("train/loss", dataframe=True)
        self.assertEqual(list(frame.columns), ["step", "time", "value"])
        self.assertEqual(frame["value"][0], 0.5)
        other = one.series("train/loss", dataframe="polars")
        self.assertEqual(other["step"].to_list(), [0, 1, None])
        self.assertEqual(self.asked()[1], ["show", "--json", "--series=train/loss", "--", self.RUN["id"]])

    def test_series_of_all_attempts(self):
        self.answer({"--series": [[0, 1.0, 0.5, "nbbbbbbb", 0]], "show": self.RUN})
        one = xtrack.run()
        self.assertEqual(one.series("loss", all=True), [(0, 1.0, 0.5, "nbbbbbbb", 0)])
        frame = one.series("loss", all=True, dataframe="pandas")
        self.assertEqual(list(frame.columns), ["step", "time", "value", "attempt", "writer"])
        self.assertIn("--all", self.asked()[-1])

    def test_conditions_are_passed_on(self):
        self.answer({"log": []})
        self.assertEqual(xtrack.runs("loss < 0.3 and lr > 0.1"), [])
        self.assertEqual(self.asked(), [["log", "--json", "--where=loss < 0.3 and lr > 0.1"]])

    def test_an_older_program_does_not_know_conditions(self):
        self.answer({}, 2, "error: unexpected argument '--where' found\n\nUsage: git xtrack log\n")
        with self.assertRaisesRegex(xtrack.XtrackError, "(?s)does not know --where.*hint: update it"):
            xtrack.runs(where="loss < 0.3")

    def test_complaints_come_with_their_hints(self):
        self.answer({}, 1, "warning: 1 run cannot be read\nerror: no run is called 'x'\nhint: `git xtrack log`\n")
        with self.assertRaises(xtrack.XtrackError) as raised:
            xtrack.run("x")
        self.assertEqual(str(raised.exception), "no run is called 'x'\nhint: `git xtrack log`")

    def test_a_newer_program_is_not_misread(self):
        self.answer({"show": {**self.RUN, "format": 2}})
        with self.assertRaisesRegex(xtrack.XtrackError, "format 2, newer than this client"):
            xtrack.run("x")

    def test_without_the_program(self):
        os.environ["PATH"], before = os.path.dirname(shutil.which("git")), os.environ["PATH"]
        self.addCleanup(os.environ.__setitem__, "PATH", before)
        if shutil.which("git-xtrack"):
            self.skipTest("git-xtrack lies beside git")
        with self.assertRaisesRegex(xtrack.XtrackError, "(?s)not installed here.*hint: "):
            xtrack.runs()


class Names(Case):
    def test_modules_are_loaded_when_asked_for(self):
        script = (
            "import sys, xtrack\n"
            "libraries = ('sklearn', 'xgboost', 'lightgbm', 'optuna', 'numpy', 'pandas')\n"
            "assert not [name for name in libraries if name in sys.modules]\n"
            "assert not [name for name in sys.modules if name.startswith('xtrack.') and name[7] != '_'], sys.modules\n"
            "xtrack.optuna.XtrackCallback\n"
            "assert 'optuna' in sys.modules and 'sklearn' not in sys.modules\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True)

    def test_a_missing_framework_is_named(self):
        packages = {
            "sklearn": "scikit-learn",
            "xgboost": "xgboost",
            "lightgbm": "lightgbm",
            "optuna": "optuna",
            "keras": "keras",
            "huggingface": "transformers",
            "lightning": "lightning",
        }
        for module, package in packages.items():
            script = (
                "import sys\n"
                "class Absent:\n"
                "    def find_spec(self, name, path=None, target=None):\n"
                "        if name.split('.')[0] in ('sklearn', 'xgboost', 'lightgbm', 'optuna', 'keras', 'transformers',"
                " 'lightning', 'pytorch_lightning', 'numpy'):\n"
                "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
                "sys.meta_path.insert(0, Absent())\n"
                "import xtrack\n"
                f"xtrack.{module}\n"
            )
            with self.subTest(module):
                ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
                self.assertEqual(ended.returncode, 1)
                self.assertIn(f"`pip install {package}`", ended.stderr.splitlines()[-1])


if __name__ == "__main__":
    main()
