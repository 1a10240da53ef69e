"""What a training may say of its run, in a run that surrounds it, in none, and in the modes."""

import os
import unittest

from processes import Case, kinds


class Joined(Case):
    def run_and_read(self, text, **environment):
        _, said = self.script(text, joined=True, **environment)
        self.assertEqual(said, "")
        return self.events()

    def test_everything_that_can_be_said(self):
        events = self.run_and_read(
            """
            import argparse, xtrack
            run = xtrack.init(experiment="digits", name="one", group="g", notes="why", tags={"k": "v"}, config=argparse.Namespace(lr=0.1))
            assert xtrack.init() is run and xtrack.active() is run
            assert run.id == "20260701-091502-q7d3k9ma" and run.url is None and run.dir and not run.disabled
            run.config["model"] = {"depth": 3, "act": "relu"}
            run.config.model.depth = 4
            run.config["a.b"] = 1
            xtrack.config.update({"x": 1}, y=2)
            assert run.config.lr == 0.1 and run.config["model"]["depth"] == 4 and "y" in run.config and len(run.config) == 5
            assert dict(run.config.model) == {"depth": 4, "act": "relu"}
            xtrack.log_params(z=None)
            run.summary["best"] = 0.93
            xtrack.summary.update({"nested": {"a": 1}})
            xtrack.define_metric("loss", goal="minimize", unit="nats", x="epoch", summary="min")
            xtrack.add_tags("a"); xtrack.set_tags(["b", "c"])
            xtrack.note("a note")
            xtrack.alert("loss is nan", "look", level="warning")
            xtrack.log_text("sample", "text", step=3)
            xtrack.log_table("table", [{"a": 1}], step=0.5)
            xtrack.log_histogram("hist", [1, 2, 3], bins=2)
            xtrack.log_confusion_matrix([0, 1], [0, 1])
            assert xtrack.log_curve("roc", y_true=[0, 1], y_score=[0.1, 0.9]) == 1.0
            xtrack.log_input("script.py")
            xtrack.log_input(name="digits", digest="md5:abc")
            xtrack.finish()
            """
        )
        self.assertEqual(kinds(events, "experiment") + kinds(events, "name") + kinds(events, "group"), ["digits", "one", "g"])
        self.assertEqual(kinds(events, "note"), ["why", "a note"])
        self.assertEqual(kinds(events, "tags"), [["k=v"], ["a"], ["b", "c"]])
        self.assertEqual(
            kinds(events, "params"),
            [{"lr": 0.1}, {"model": {"depth": 3, "act": "relu"}}, {"model": {"depth": 4}}, {"a.b": 1}, {"x": 1, "y": 2}, {"z": None}],
        )
        self.assertEqual(kinds(events, "summary"), [{"best": 0.93}, {"nested/a": 1}])
        self.assertEqual(kinds(events, "define"), [{"loss": {"goal": "min", "unit": "nats", "x": "epoch", "summary": "min"}}])
        things = [(event["thing"]["kind"], event["thing"]["name"], event["step"]) for event in events if "thing" in event]
        self.assertEqual(
            things,
            [
                ("alert", "alert", None), ("text", "sample", 3), ("table", "table", 0.5), ("histogram", "hist", None),
                ("confusion_matrix", "confusion_matrix", None), ("curve", "roc", None),
            ],
        )  # fmt: skip
        file, data = kinds(events, "input")
        self.assertEqual((file["name"], file["path"], file["kind"]), ("script.py", os.path.join(self.folder, "script.py"), "file"))
        self.assertEqual((data["name"], data["path"], data["digest"]), ("digits", None, "md5:abc"))
        environment = kinds(events, "environment")[0]
        self.assertEqual(sorted(environment), ["executable", "implementation", "prefix", "python", "site_packages"])
        self.assertEqual(events[-1]["finish"], {"status": "finished", "exit_code": None, "error": None})

    def test_log_without_init_joins(self):
        events = self.run_and_read("import xtrack\nfor i in range(3): xtrack.log({'a': i})\n", RANK="1", LOCAL_RANK="1", WORLD_SIZE="4", SLURM_PROCID="1", SLURM_JWT="secret")
        begin = events[0]["begin"]
        self.assertEqual((begin["rank"], begin["local_rank"], begin["world_size"]), (1, 1, 4))
        self.assertEqual(begin["slurm"], {"SLURM_PROCID": "1"})
        self.assertEqual(kinds(events, "points"), [{"a": 0}, {"a": 1}, {"a": 2}])
        self.assertEqual(begin["owner"]["pid"] > 0, True)

    def test_defaults_come_from_the_environment(self):
        events = self.run_and_read(
            "import xtrack\nxtrack.init(name='given')\n",
            XTRACK_NAME="n", XTRACK_EXPERIMENT="e", XTRACK_TAGS="a, k=v,,", XTRACK_GROUP="g", XTRACK_NOTES="why",
        )  # fmt: skip
        self.assertEqual(kinds(events, "name"), ["given"])
        self.assertEqual(kinds(events, "experiment") + kinds(events, "group") + kinds(events, "note"), ["e", "g", "why"])
        self.assertEqual(kinds(events, "tags"), [["a", "k=v"]])

    def test_reading_what_is_set_begins_nothing(self):
        self.script("import xtrack\nfrom xtrack import *\nxtrack.config.get('a'); 'b' in xtrack.summary; dir(xtrack)\n", joined=True)
        self.assertEqual(self.journals(), {})
        events = self.run_and_read("import xtrack\nxtrack.config.lr = 1\nxtrack.summary['a'] = 2\nassert xtrack.config.lr == 1\n")
        self.assertEqual((kinds(events, "params"), kinds(events, "summary")), ([{"lr": 1}], [{"a": 2}]))

    def test_a_log_after_the_end_is_kept_all_the_same(self):
        _, said = self.script("import xtrack\nxtrack.log({'a': 1}); xtrack.finish(); xtrack.log({'b': 1})\n", joined=True)
        self.assertEqual(len(self.journals()), 2)
        self.assertIn("goes on with the run", said)

    def test_how_it_ends(self):
        cases = [
            ("with xtrack.init(): raise ValueError('bad')", ("failed", 1, "ValueError: bad"), 1),
            ("with xtrack.init(): raise SystemExit(3)", ("failed", 3, None), 3),
            ("with xtrack.init(): pass", ("finished", 0, None), 0),
            ("xtrack.init(); raise KeyError('x')", ("failed", 1, "KeyError: 'x'"), 1),
            ("xtrack.init(); raise KeyboardInterrupt()", ("killed", None, "KeyboardInterrupt"), -2),
            ("xtrack.init().finish(exit_code=4)", ("failed", 4, None), 0),
            ("xtrack.init().finish(status='killed', error='timeout')", ("killed", None, "timeout"), 0),
        ]
        for text, (status, code, error), exit in cases:
            for name in os.listdir(self.live):
                os.unlink(os.path.join(self.live, name))
            self.script(f"import xtrack\n{text}\n", code=exit, joined=True)
            self.assertEqual(kinds(self.events(), "finish"), [{"status": status, "exit_code": code, "error": error}], text)

    def test_a_hook_that_was_there_is_called(self):
        _, said = self.script(
            """
            import sys
            sys.excepthook = lambda kind, error, trace: sys.stderr.write("mine\\n")
            import xtrack
            xtrack.init()
            raise ValueError
            """,
            joined=True,
            code=1,
        )
        self.assertIn("mine", said)
        self.assertEqual(kinds(self.events(), "finish")[0]["error"], "ValueError")


class Files(Case):
    def test_images_figures_and_big_tables(self):
        self.script(
            """
            import xtrack
            class Figure:
                def savefig(self, file, format, **options): file.write(b"picture")
            for step in (0, 1): xtrack.log_image("sample", [[0, 255]], step=step)
            xtrack.log_figure("roc", Figure(), format="svg")
            xtrack.log_figure("roc", Figure(), format="svg")
            xtrack.log_image("made/Elsewhere", "p.JPG")
            xtrack.log_table("big", {"text": ["x" * 1000] * 2000})
            """.replace("import xtrack\n", "import xtrack\n            open('p.JPG', 'wb').write(b'jpeg')\n", 1),
            joined=True,
            RANK="2",
        )
        events = [event for event in self.events() if "artifact" in event]
        shown = [(event["artifact"]["path"], event["artifact"]["type"], event["artifact"]["key"], event["step"]) for event in events]
        self.assertEqual(
            shown,
            [
                ("images/sample-0-rank2.png", "image/png", "sample", 0),
                ("images/sample-1-rank2.png", "image/png", "sample", 1),
                ("figures/roc-rank2.svg", "image/svg+xml", "roc", None),
                ("figures/roc-rank2-2.svg", "image/svg+xml", "roc", None),
                ("images/made/Elsewhere-rank2.jpg", "image/jpeg", "made/Elsewhere", None),
                ("tables/big-rank2.csv", "text/csv", "big", None),
            ],
        )
        for event in events:
            self.assertRegex(event["artifact"]["file"], r"^files/[0-9a-z]{16}-[a-z0-9._-]+$")
            self.assertTrue(os.path.getsize(os.path.join(self.live, event["artifact"]["file"])))

    def test_small_artifacts_are_kept_as_they_are_now_and_large_ones_by_their_place(self):
        _, said = self.script(
            """
            import os, xtrack
            os.makedirs("out/deep")
            open("out/small.txt", "w").write("now")
            open("out/deep/large.bin", "wb").write(bytes(2_000_000))
            xtrack.log_artifact("out/small.txt")
            open("out/small.txt", "w").write("later")
            xtrack.log_artifact("out/deep/large.bin", name="model.bin", step=7)
            xtrack.log_artifact("out")
            xtrack.log_artifact("out", copy=True)
            xtrack.log_artifact("missing.txt")
            """,
            joined=True,
        )
        self.assertIn("there is no 'missing.txt'", said)
        small, large, folder, *copies = kinds(self.events(), "artifact")
        self.assertEqual((small["path"], small["source"], small["type"]), ("out/small.txt", None, "text/plain"))
        with open(os.path.join(self.live, small["file"])) as file:
            self.assertEqual(file.read(), "now")
        self.assertEqual((large["path"], large["file"], large["source"]), ("model.bin", None, os.path.join(self.folder, "out/deep/large.bin")))
        self.assertEqual((folder["path"], folder["source"]), ("out", os.path.join(self.folder, "out")))
        self.assertEqual([copy["path"] for copy in copies], ["out/small.txt", "out/deep/large.bin"])


class Modes(Case):
    def test_disabled_keeps_nothing_and_says_nothing(self):
        text = """
            import sys
            before = set(sys.modules)
            import xtrack
            run = xtrack.init(config={"lr": 0.1}, mode=%s)
            assert run.config.lr == 0.1 and run.disabled and run.id is None and run.dir is None
            xtrack.log({"a": object()}); run.log({"a": 1}); xtrack.log_image("a", None); xtrack.log_table("t", 3)
            xtrack.log_histogram("h", []); xtrack.log_curve("roc"); xtrack.log_artifact("none"); xtrack.log_figure("f", 3)
            run.summary["a"] = 1; xtrack.alert("a"); xtrack.note("b"); xtrack.add_tags("c"); run.define_metric("a")
            xtrack.finish()
            assert not {"subprocess", "threading", "json"} & (set(sys.modules) - before)
            """
        for arguments, variables in (("'disabled'", {}), ("None", {"XTRACK_MODE": "disabled"})):
            output, said = self.script(text % arguments, joined=True, **variables)
            self.assertEqual((output, said), ("", ""))
        self.assertEqual(self.journals(), {})

    def test_strict_raises(self):
        _, said = self.script("import xtrack\nxtrack.log({'a': 'text'})\n", code=1, joined=True, XTRACK_MODE="strict")
        self.assertIn("xtrack._say.XtrackError: log(): 'a' is passed over", said)

    def test_nothing_raises_else(self):
        _, said = self.script(
            """
            import xtrack
            class Bad:
                def __getattr__(self, name): raise RuntimeError("never")
            xtrack.init(config=Bad(), tags=3, mode="wrong")
            xtrack.init(config=Bad())
            for wrong in (None, 3, "text", [1], Bad(), {"a": Bad()}, {"a": 1, "b": [1, 2]}):
                xtrack.log(wrong); xtrack.log({"a": 1}, step=wrong)
                xtrack.log_table("t", wrong); xtrack.log_image("i", wrong); xtrack.log_figure("f", wrong)
                xtrack.log_histogram("h", wrong); xtrack.log_curve("c", y_true=wrong, y_score=wrong)
                xtrack.log_confusion_matrix(wrong, wrong); xtrack.log_artifact(wrong); xtrack.log_params(wrong)
                xtrack.log_text(wrong, wrong); xtrack.log_input(wrong); xtrack.define_metric(wrong, goal=wrong)
                xtrack.summary.update(wrong); xtrack.alert(wrong, wrong, wrong); xtrack.add_tags(wrong); xtrack.note(wrong)
            for _ in range(5): xtrack.log(None)
            """,
            joined=True,
        )
        lines = said.splitlines()
        self.assertTrue(all(line.startswith("xtrack: ") for line in lines), said)
        self.assertEqual(len(lines), len(set(lines)), "each cause is said once")

    def test_a_stderr_that_is_closed_stops_nothing(self):
        self.script("import sys, xtrack\nsys.stderr = None\nxtrack.log(None)\nxtrack.log({'a': 1})\n", joined=True)


class Track(Case):
    def test_arguments_are_params_and_the_result_the_summary(self):
        self.script(
            """
            import xtrack
            @xtrack.track(experiment="digits", tags=["t"])
            def train(data, lr=0.1, *more, depth: int = 3, **extra):
                "Trains."
                xtrack.log({"loss": 1.0})
                return {"best": 0.5}
            assert train.__name__ == "train" and train.__doc__ == "Trains."
            assert train([1], 0.2, width=9) == {"best": 0.5}
            @xtrack.track
            def plain(): return 3
            with xtrack.init(): assert plain() == 3
            """,
            joined=True,
        )
        journals = list(self.journals().values())
        (events,) = [events for events in journals if kinds(events, "points")]
        self.assertEqual(kinds(events, "params"), [{"data": [1], "lr": 0.2, "depth": 3, "width": 9}])
        self.assertEqual(kinds(events, "summary"), [{"best": 0.5}])
        self.assertEqual(kinds(events, "finish")[0]["status"], "finished")

    def test_an_error_goes_through(self):
        text = "import xtrack\n@xtrack.track\ndef train(lr): raise ValueError('bad')\n"
        self.script(text + "try: train(0.1)\nexcept ValueError: pass\n", joined=True)
        events = self.events()
        self.assertEqual(kinds(events, "finish"), [{"status": "failed", "exit_code": 1, "error": "ValueError: bad"}])
        self.script(text + "train()\n", joined=True, code=1)


if __name__ == "__main__":
    unittest.main()
