"""How a run begins and ends where no recorder surrounds it: by the program, or in a folder."""

import os
import subprocess
import sys
import unittest

from processes import Case, kinds

from xtrack import _git, _ids


class ByTheProgram(Case):
    def setUp(self):
        super().setUp()
        self.program = self.fake_program()

    def run_folder(self, number=0):
        return os.path.join(self.program, "live", str(number))

    def test_it_begins_and_finishes(self):
        output, said = self.script(
            """
            import os, subprocess, sys, xtrack
            run = xtrack.init(experiment="e", name="n", tags=["a", "k=v"], notes="why", group="g", run_key="key", resume="r", config={"lr": 1})
            assert (run.id, run.attempt, run.name) == ("20260701-091502-q7d3k9ma", "k7f3q2ab", "quiet-otter")
            xtrack.log({"a": 1.0})
            print(os.getpid())
            # A process that it starts joins.
            subprocess.run([sys.executable, "-c", "import xtrack; xtrack.log({'child': 1.0})"], check=True)
            """
        )
        begin, finish = self.calls()
        pid = output.strip()
        self.assertEqual(
            begin,
            ["begin", "--json", f"--owner={pid}", "--name=n", "--experiment=e", "--group=g", "--note=why", "--run-key=key", "--resume=r", "--tag=a", "--tag=k=v"],
        )  # fmt: skip
        self.assertEqual(finish, ["finish", self.run_folder(), "--json"])
        journals = list(self.journals(self.run_folder()).values())
        self.assertEqual(len(journals), 2)
        names = {name for events in journals for point in kinds(events, "points") for name in point}
        self.assertEqual(names, {"a", "child"})
        self.assertTrue(all("start" not in events[0]["begin"] for events in journals))
        self.assertEqual([params for events in journals for params in kinds(events, "params")], [{"lr": 1}])
        self.assertEqual(said, "xtrack: recording quiet-otter\nxtrack: recorded quiet-otter: git xtrack show quiet-otter\n")

    def test_how_a_process_ends_is_how_the_run_ends(self):
        cases = [
            ("pass", 0, {"status": "finished", "exit_code": None, "error": None}),
            ("sys.exit(3)", 3, {"status": "failed", "exit_code": 3, "error": None}),
            ("sys.exit()", 0, {"status": "finished", "exit_code": 0, "error": None}),
            ("sys.exit('no data')", 1, {"status": "failed", "exit_code": 1, "error": "no data"}),
            ("raise ValueError('bad')", 1, {"status": "failed", "exit_code": 1, "error": "ValueError: bad"}),
            ("raise KeyboardInterrupt", -2, {"status": "killed", "exit_code": None, "error": "KeyboardInterrupt"}),
            # Somebody caught it, and the process went on.
            ("try: sys.exit(3)\nexcept SystemExit: pass", 0, {"status": "finished", "exit_code": None, "error": None}),
            (
                "import threading; t = threading.Thread(target=sys.exit, args=(5,)); t.start(); t.join()",
                0,
                {"status": "finished", "exit_code": None, "error": None},
            ),
        ]
        for number, (text, code, expected) in enumerate(cases):
            self.script(f"import sys, xtrack\nxtrack.log({{'a': 1.0}})\n{text}\n", code=code)
            self.assertEqual(kinds(self.events(self.run_folder(number)), "finish"), [expected], text)
        self.assertEqual(len(self.calls()), 2 * len(cases))

    def test_a_forked_child_does_not_finish_the_run(self):
        self.script("import os, sys, xtrack\nxtrack.init()\nif os.fork() == 0: xtrack.log({'c': 1}); sys.exit(0)\nos.wait()\nxtrack.log({'a': 1})\n")
        self.assertEqual([call[0] for call in self.calls()], ["begin", "finish"])
        journals = self.journals(self.run_folder())
        self.assertEqual(len(journals), 2)

    def test_one_run_after_the_other(self):
        self.script(
            """
            import os, xtrack
            for lr in (1, 2):
                with xtrack.init(config={"lr": lr}): xtrack.log({"a": lr})
                assert "XTRACK_RUN_DIR" not in os.environ
            first = xtrack.init()
            second = xtrack.init()  # ends the first
            assert first is not second
            second.finish()
            xtrack.log({"late": 1})
            first.log({"late": 1})
            """
        )
        self.assertEqual([call[0] for call in self.calls()], ["begin", "finish"] * 4)
        for number in range(2):
            self.assertEqual(kinds(self.events(self.run_folder(number)), "params"), [{"lr": number + 1}])

    def test_a_program_that_fails_stops_nothing(self):
        open(os.path.join(self.program, "broken"), "w").close()
        output, said = self.script("import xtrack\nxtrack.log({'a': 1.0})\nprint('trained')\n")
        self.assertEqual(output, "trained\n")
        self.assertIn("this repository is broken", said)
        self.assertEqual(len(os.listdir(os.path.join(self.folder, "xtrack-runs"))), 2)  # .gitignore, the run

    def test_a_finish_that_fails_is_said(self):
        text = f"import xtrack\nxtrack.log({{'a': 1.0}})\nopen({os.path.join(self.program, 'broken')!r}, 'w')\n"
        _, said = self.script(text, XTRACK_QUIET="1")
        self.assertIn("not recorded yet (this repository is broken): the next git xtrack command does it", said)

    def test_a_folder_that_is_gone_is_not_joined(self):
        self.script("import xtrack\nxtrack.log({'a': 1.0})\n", XTRACK_RUN_DIR="/nowhere/live/x", XTRACK_RUN_ID="x")
        self.assertEqual([call[0] for call in self.calls()], ["begin", "finish"])

    def test_ranks_of_one_launcher_share_a_run(self):
        self.script(
            """
            import os, subprocess, sys
            train = "import os, time, xtrack; r = int(os.environ['RANK']); time.sleep(0 if r else 0.3); xtrack.init(); xtrack.log({f'rank{r}': 1.0}, step=0); time.sleep(0 if r else 1)"
            ranks = [subprocess.Popen([sys.executable, "-c", train], env=dict(os.environ, RANK=str(r), LOCAL_RANK=str(r), WORLD_SIZE="3", MASTER_PORT="1")) for r in (2, 1, 0)]
            sys.exit(max(rank.wait() for rank in ranks))
            """
        )
        self.assertEqual([call[0] for call in self.calls()], ["begin", "finish"])
        journals = self.journals(self.run_folder())
        self.assertEqual(sorted(events[0]["begin"]["rank"] for events in journals.values()), [0, 1, 2])

    def test_a_notebook_keeps_its_cells(self):
        self.script(
            """
            import sys, types
            hooks = []
            class Events:
                def register(self, name, hook): hooks.append(hook)
                def unregister(self, name, hook): hooks.remove(hook)
            cells = ["", "a = 1", "import xtrack"]
            shell = types.SimpleNamespace(user_ns={"In": cells}, events=Events())
            sys.modules["IPython"] = types.SimpleNamespace(get_ipython=lambda: shell)
            import xtrack
            xtrack.init()
            cells.append("xtrack.log({'ä': 1})")
            hooks[0](None)
            cells.append("last")
            xtrack.finish()
            """
        )
        (code,) = kinds(self.events(self.run_folder()), "code")
        self.assertEqual(code["path"], "cells.py")
        with open(os.path.join(self.run_folder(), code["file"]), encoding="utf-8") as file:
            self.assertEqual(file.read(), "# In[1]\na = 1\n\n# In[2]\nimport xtrack\n\n# In[3]\nxtrack.log({'ä': 1})\n\n# In[4]\nlast\n\n")


class InAFolder(Case):
    """No program is on PATH here."""

    def setUp(self):
        super().setUp()
        # Only what the tests themselves need: no git.
        self.path = os.path.join(self.folder, "empty")
        os.mkdir(self.path)

    def runs(self, base):
        return [os.path.join(base, name) for name in sorted(os.listdir(base)) if name != ".gitignore"]

    def test_the_folder_says_how_it_began(self):
        git = os.path.join(self.folder, ".git")
        os.makedirs(os.path.join(git, "refs/heads"))
        for name, text in (("HEAD", "ref: refs/heads/main\n"), ("packed-refs", f"# pack-refs\n{'a' * 40} refs/heads/main\n")):
            with open(os.path.join(git, name), "w") as file:
                file.write(text)
        output, said = self.script(
            "import xtrack\nrun = xtrack.init(experiment='e', tags=['t'], notes='why', config={'lr': 1})\nxtrack.log({'a': 1.0})\nprint(run.id, run.name, run.attempt)\n",
            arguments=["--depth", "3"],
            USER="ada",
        )
        (folder,) = self.runs(os.path.join(self.folder, "xtrack-runs"))
        self.assertIn(f"git xtrack adopt {folder}", said)
        self.assertEqual(said.count("xtrack:"), 1)
        events = self.events(folder)
        start = events[0]["begin"]["start"]
        id, name, attempt = output.split()
        self.assertEqual((start["id"], start["name"], start["attempt"]), (id, name, attempt))
        self.assertRegex(id, r"^\d{8}-\d{6}-[a-z][0-9a-z]{7}$")
        self.assertEqual(os.path.basename(folder), id)
        self.assertRegex(start["started"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        self.assertEqual(start["started"][:19].replace("-", "").replace(":", "").replace("T", "-"), id[:15])
        self.assertEqual((start["format"], start["experiment"], start["tags"], start["notes"]), (1, "e", ["t"], ["why"]))
        self.assertEqual((start["cwd"], start["code"]), (".", {"commit": "a" * 40, "branch": "main"}))
        self.assertEqual(start["command"][-3:], [os.path.join(self.folder, "script.py"), "--depth", "3"])
        self.assertTrue(start["user"].startswith("ada@"))
        self.assertEqual(events[-1]["finish"]["status"], "finished")

    def test_its_place_can_be_given(self):
        self.script("import xtrack\nxtrack.log({'a': 1.0})\n", XTRACK_DIR=os.path.join(self.folder, "by variable"))
        self.assertEqual(len(self.runs(os.path.join(self.folder, "by variable"))), 1)
        self.script("import xtrack\nxtrack.init(dir='given')\n", XTRACK_DIR="/nowhere")
        self.assertEqual(len(self.runs(os.path.join(self.folder, "given"))), 1)

    def test_artifacts_come_along(self):
        self.script("import xtrack\nopen('big.bin', 'wb').write(bytes(2_000_000))\nxtrack.log_artifact('big.bin')\n")
        (folder,) = self.runs(os.path.join(self.folder, "xtrack-runs"))
        (artifact,) = kinds(self.events(folder), "artifact")
        self.assertEqual((artifact["path"], artifact["source"]), ("big.bin", None))
        self.assertEqual(os.path.getsize(os.path.join(folder, artifact["file"])), 2_000_000)

    def test_keyed_and_resumed_runs_have_a_folder_for_each_attempt(self):
        for _ in range(2):
            self.script("import xtrack\nxtrack.log({'a': 1.0})\n", XTRACK_RUN_KEY="job-1")
        folders = self.runs(os.path.join(self.folder, "xtrack-runs"))
        starts = [self.events(folder)[0]["begin"]["start"] for folder in folders]
        for folder, start in zip(folders, starts):
            self.assertEqual((start["id"], start["key"]), ("00000000-522259-caps2xra", "job-1"))
            self.assertEqual(os.path.basename(folder), f"{start['id']}-{start['attempt']}")
        self.script("import xtrack\nxtrack.init(resume='20260701-091502-q7d3k9ma', dir='again')\n")
        (folder,) = self.runs(os.path.join(self.folder, "again"))
        start = self.events(folder)[0]["begin"]["start"]
        self.assertEqual((start["id"], os.path.basename(folder)), ("20260701-091502-q7d3k9ma", f"20260701-091502-q7d3k9ma-{start['attempt']}"))
        _, said = self.script("import xtrack\nxtrack.init(resume='quiet-otter', dir='third')\n")
        self.assertIn("give the run's whole id", said)

    def test_children_write_into_the_same_folder(self):
        self.script("import os, xtrack\nxtrack.init()\nif os.fork() == 0: xtrack.log({'c': 1.0}); os._exit(0)\nos.wait()\n")
        (folder,) = self.runs(os.path.join(self.folder, "xtrack-runs"))
        begins = [events[0]["begin"] for events in self.journals(folder).values()]
        self.assertEqual(sorted("start" in begin for begin in begins), [False, True])

    def test_without_a_place_a_temporary_one_and_without_that_none(self):
        blocked = os.path.join(self.folder, "file")
        open(blocked, "w").close()
        _, said = self.script("import xtrack\nxtrack.log({'a': 1.0})\nprint(xtrack.active().dir)\n", XTRACK_DIR=blocked)
        (temporary,) = [name for name in os.listdir(self.folder) if name.startswith("xtrack-")]
        self.assertIn(temporary, said)
        output, said = self.script(
            "import tempfile\ndef broken(*a, **k): raise OSError(30, 'read-only')\ntempfile.mkdtemp = broken\n"
            "import xtrack\nxtrack.log({'a': 1.0})\nprint(xtrack.active().disabled)\n",
            XTRACK_DIR=blocked,
        )
        self.assertEqual(output, "True\n")
        self.assertEqual(said.count("xtrack:"), 1)
        self.assertIn("nothing is logged", said)

    def test_sigkill_leaves_a_folder_that_reads(self):
        self.script("import os, xtrack\nfor i in range(100): xtrack.log({'a': 1.0}, step=i)\nos.kill(os.getpid(), 9)\n", code=-9)
        (folder,) = self.runs(os.path.join(self.folder, "xtrack-runs"))
        self.assertEqual(len(kinds(self.events(folder), "points")), 100)


class Names(Case):
    def test_ids_and_slugs_are_the_programs(self):
        self.assertEqual(_ids.keyed_run_id("job-1"), "00000000-522259-caps2xra")
        self.assertEqual(_ids.suffix(bytes(range(8))), "a1234567")
        self.assertTrue(_ids.is_run_id(_ids.run_id(0.0)))
        self.assertEqual(_ids.moment(1700000000.123456), "2023-11-14T22:13:20.123456Z")
        self.assertEqual(_ids.moment(1.9999999), "1970-01-01T00:00:02.000000Z")
        for path, slug in (("plots/Loss curve.PNG", "plots_loss_curve.png"), ("a__b", "a__b"), ("é/ü", "_"), ("x.", "x_"), ("", "_"), ("a" * 100, "a" * 60)):
            self.assertEqual(_ids.slug(path), slug)
        self.assertRegex(_ids.pet_name(), r"^[a-z]+-[a-z]+$")
        self.assertEqual((len(_ids.ADJECTIVES.split()), len(_ids.ANIMALS.split())), (64, 64))

    def test_the_commit_is_read_without_git(self):
        def git(*arguments):
            environment = {"PATH": self.path, "HOME": self.folder, "GIT_CONFIG_NOSYSTEM": "1"}
            for role in ("AUTHOR", "COMMITTER"):
                environment.update({f"GIT_{role}_NAME": "Ada Test", f"GIT_{role}_EMAIL": "ada@example.com"})
            ended = subprocess.run(["git", *arguments], cwd=self.live, env=environment, stdout=subprocess.PIPE, check=True)
            return ended.stdout.decode().strip()

        git("init", "-q", "-b", "main")
        self.assertEqual(_git.code(os.path.join(self.live, ".git")), {})
        git("commit", "-q", "--allow-empty", "-m", "one")
        commit = git("rev-parse", "HEAD")
        folder, path = _git.find(os.path.join(self.live, ".git", ".."))
        self.assertEqual((folder, _git.code(path)), (self.live, {"commit": commit, "branch": "main"}))
        git("pack-refs", "--all")
        self.assertEqual(_git.code(path), {"commit": commit, "branch": "main"})
        git("worktree", "add", "-q", "-b", "side", os.path.join(self.folder, "side"))
        folder, path = _git.find(os.path.join(self.folder, "side"))
        self.assertEqual(_git.code(path), {"commit": commit, "branch": "side"})
        git("checkout", "-q", "--detach")
        self.assertEqual(_git.code(os.path.join(self.live, ".git")), {"commit": commit})


class ByTheRealProgram(Case):
    """Runs where the test harness names a program that has `begin`."""

    def setUp(self):
        super().setUp()
        program = os.environ.get("XTRACK_TEST_PROGRAM", "")
        if not program or subprocess.run([program, "begin", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE).returncode:
            self.skipTest("no program that begins runs")
        self.path = os.path.dirname(program) + os.pathsep + self.path
        self.environment = {"PATH": self.path, "HOME": os.path.join(self.folder, "home"), "GIT_CONFIG_NOSYSTEM": "1"}
        self.git("init", "-q", "-b", "main", ".")
        self.git("config", "user.name", "Ada Test")
        self.git("config", "user.email", "ada@example.com")
        with open(os.path.join(self.folder, ".gitignore"), "w") as file:
            file.write("home\nlive-run\n")
        self.git("add", ".")
        self.git("commit", "-q", "-m", "one")

    def git(self, *arguments):
        ended = subprocess.run(["git", *arguments], cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(ended.returncode, 0, ended.stderr.decode())
        return ended.stdout.decode()

    def test_a_run_is_recorded(self):
        self.script(
            """
            import xtrack
            with xtrack.init(experiment="digits", name="one", tags=["t"], config={"lr": 0.1, "model": {"depth": 3}}) as run:
                for step in range(10): xtrack.log({"loss": 1 / (step + 1)}, step=step)
                run.summary["best"] = 0.5
                xtrack.log_image("sample", [[0, 255]], step=3)
            """
        )
        (ref,) = self.git("for-each-ref", "--format=%(refname)", "refs/runs").split()
        facts = self.git("show", f"{ref}:run.toml")
        for part in ('name = "one"', 'experiment = "digits"', 'status = "finished"', "lr = 0.1", "depth = 3", "best = 0.5"):
            self.assertIn(part, facts)

    def test_a_folder_is_adopted(self):
        self.script("import xtrack\nxtrack.init(mode='portable', name='away')\nfor i in range(5): xtrack.log({'a': 1.0})\n")
        self.assertNotIn("xtrack-runs", self.git("status", "--short"))
        for _ in range(2):
            self.git("xtrack", "adopt", "xtrack-runs")
            (ref,) = self.git("for-each-ref", "--format=%(refname)", "refs/runs").split()
            self.assertIn('name = "away"', self.git("show", f"{ref}:run.toml"))

    def test_a_recorded_script_needs_no_installation(self):
        with open(os.path.join(self.folder, "train.py"), "w") as file:
            file.write("import sys, xtrack\nassert '/xtrack/python/' in xtrack.__file__\nxtrack.log({'a': 0.25})\n")
        self.git("xtrack", "record", "--", sys.executable, "train.py")
        (ref,) = self.git("for-each-ref", "--format=%(refname)", "refs/runs").split()
        self.assertIn("0.25", self.git("show", f"{ref}:run.toml"))

    def test_an_error_is_a_failed_run(self):
        self.script("import xtrack\nxtrack.log({'a': 1.0})\nraise ValueError('bad')\n", code=1)
        (ref,) = self.git("for-each-ref", "--format=%(refname)", "refs/runs").split()
        self.assertIn('status = "failed"', self.git("show", f"{ref}:run.toml"))


if __name__ == "__main__":
    unittest.main()
