"""xtrack.optuna with the real library."""

import optuna
import xtrack
from support import Case, main
from xtrack.optuna import XtrackCallback, run_per_trial

optuna.logging.set_verbosity(optuna.logging.WARNING)


def objective(trial):
    x = trial.suggest_float("x", -5, 5)
    kind = trial.suggest_categorical("kind", ["near", "far"])
    extra = trial.suggest_int("extra", 0, 3) if kind == "far" else 0
    return (x - 1) ** 2 + extra


def study(**options):
    return optuna.create_study(sampler=optuna.samplers.TPESampler(seed=3), **options)


class Trials(Case):
    def test_each_trial_is_a_row(self):
        with self.recording() as found:
            one = study(study_name="squares")
            one.optimize(objective, n_trials=15, callbacks=[XtrackCallback()])
        self.assertEqual(found.series("value"), {trial.number: trial.value for trial in one.trials})
        best = list(found.series("best_value").values())
        self.assertEqual(best, sorted(best, reverse=True))
        self.assertEqual(best[-1], one.best_value)
        self.assertEqual(found.series("params/x")[3], one.trials[3].params["x"])
        self.assertEqual(found.definitions["value"]["goal"], "min")
        self.assertEqual(found.definitions["best_value"]["goal"], "min")
        self.assertEqual(found.params["optuna"]["study"], "squares")
        self.assertEqual(found.params["optuna"]["sampler"], "TPESampler")

    def test_the_table_holds_everything(self):
        with self.recording() as found:
            one = study()
            one.optimize(objective, n_trials=6, callbacks=[XtrackCallback()])
        rows = found.table("trials")
        self.assertEqual([row["number"] for row in rows], list(range(6)))
        self.assertEqual([row["params.kind"] for row in rows], [trial.params["kind"] for trial in one.trials])
        self.assertEqual({row["state"] for row in rows}, {"complete"})

    def test_the_best_so_far(self):
        with self.recording() as found:
            one = study(direction="maximize")
            one.optimize(lambda trial: -objective(trial), n_trials=25, callbacks=[XtrackCallback(metric="score")])
        self.assertEqual(found.summary["best_trial"], one.best_trial.number)
        kept = {name: value for name, value in found.params["best_params"].items() if value is not None}
        self.assertEqual(kept, one.best_params)
        self.assertEqual(found.definitions["score"]["goal"], "max")
        self.assertEqual(list(found.series("best_score").values())[-1], one.best_value)

    def test_pruned_and_failed_trials(self):
        def difficult(trial):
            x = trial.suggest_float("x", 0, 1)
            if trial.number == 1:
                raise optuna.TrialPruned
            if trial.number == 2:
                raise RuntimeError("failed")
            return x

        with self.recording() as found:
            study().optimize(difficult, n_trials=4, callbacks=[XtrackCallback()], catch=(RuntimeError,))
        self.assertEqual(list(found.series("value")), [0, 3])
        states = [row["state"] for row in found.table("trials")]
        self.assertEqual(states, ["complete", "pruned", "fail", "complete"])

    def test_several_objectives(self):
        with self.recording() as found:
            one = study(directions=["minimize", "maximize"])
            one.set_metric_names(["loss", "speed"])
            one.optimize(lambda trial: (trial.suggest_float("x", 0, 1), 2.0), n_trials=3, callbacks=[XtrackCallback()])
        self.assertEqual(len(found.series("loss")), 3)
        self.assertEqual(found.definitions["speed"]["goal"], "max")
        self.assertNotIn("best_loss", found.points)

    def test_several_threads(self):
        with self.recording() as found:
            study().optimize(objective, n_trials=40, n_jobs=4, callbacks=[XtrackCallback()])
        self.assertEqual(sorted(found.series("value")), list(range(40)))
        self.assertEqual(sorted(row["number"] for row in found.table("trials")), list(range(40)))

    def test_the_study_is_the_same_without_us(self):
        plain = study()
        plain.optimize(objective, n_trials=15)
        with self.recording():
            watched = study()
            watched.optimize(objective, n_trials=15, callbacks=[XtrackCallback()])
        self.assertEqual([t.params for t in plain.trials], [t.params for t in watched.trials])


class Runs(Case):
    def test_each_trial_is_a_run_of_the_group(self):
        def logged(trial):
            x = trial.suggest_float("x", 0, 1)
            xtrack.log({"loss": x}, step=0)
            if trial.number == 1:
                raise optuna.TrialPruned
            if trial.number == 2:
                raise RuntimeError("failed")
            return x

        one = study(study_name="squares", direction="maximize")
        one.optimize(run_per_trial(logged, experiment="search"), n_trials=4, catch=(RuntimeError,))
        runs = {found.params["optuna"]["trial"]: found for found in self.recorded()}
        self.assertEqual(sorted(runs), [0, 1, 2, 3])
        for number, found in runs.items():
            self.assertEqual((found.start["group"], found.start["experiment"]), ("squares", "search"))
            self.assertEqual(found.params["x"], one.trials[number].params["x"])
            self.assertEqual(found.series("loss"), {0: found.params["x"]})
        self.assertEqual(runs[3].summary, {"value": one.trials[3].value})
        self.assertEqual(runs[3].definitions["value"]["goal"], "max")
        self.assertEqual([runs[n].finish["status"] for n in range(4)], ["finished", "finished", "failed", "finished"])
        self.assertEqual(runs[1].tags, ["pruned"])

    def test_a_run_around_the_study_stays_the_only_one(self):
        with self.recording() as found:
            study().optimize(run_per_trial(objective), n_trials=2)
            xtrack.log({"after": 1.0})
        self.assertEqual(len(self.recorded()), 1)
        self.assertIn("after", found.points)

    def test_threads_get_no_run_but_their_trials(self):
        one = study()
        one.optimize(run_per_trial(objective), n_trials=8, n_jobs=4)
        self.assertEqual(len(one.trials), 8)


if __name__ == "__main__":
    main()
