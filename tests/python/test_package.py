"""The package as it is installed: its version, its types, and what importing it costs."""

import os
import re
import resource
import subprocess
import sys
import unittest
from importlib.util import find_spec

from processes import CLIENT, Case

import xtrack


def text(path):
    with open(os.path.join(CLIENT, path), encoding="utf-8") as file:
        return file.read()


class Package(Case):
    def test_the_version_is_one(self):
        (project,) = re.findall(r'^version = "(.*)"', text("pyproject.toml"), re.M)
        self.assertEqual(project, xtrack.__version__)
        cargo = os.path.join("..", "..", "Cargo.toml")
        if os.path.exists(os.path.join(CLIENT, cargo)):
            self.assertEqual(re.findall(r'^version = "(.*)"', text(cargo), re.M)[0], project)

    def test_importing_it_loads_nothing(self):
        code = "import sys; before = set(sys.modules); import xtrack; print(*sorted(set(sys.modules) - before))"
        output, _ = self.script(code)
        self.assertEqual(set(output.split()) - {"__future__"}, {"xtrack", "xtrack._version", "xtrack._loading"})
        code = "import sys; before = set(sys.modules); from xtrack import log; print(*sorted(set(sys.modules) - before))"
        output, _ = self.script(code)
        heavy = {"json", "subprocess", "threading", "dataclasses", "inspect", "typing", "re", "socket", "logging", "tempfile"}
        self.assertEqual(set(output.split()) & heavy, set())

    def test_importing_it_costs_less_than_20_ms(self):
        # CPU rather than the clock, and the best of several: the machine has other work.
        def cost(code):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": CLIENT, "PYTHONDONTWRITEBYTECODE": "1"})
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

        bare, loaded = (min(cost(code) for _ in range(8)) for code in ("pass", "import xtrack"))
        self.assertLess(loaded - bare, 0.020)

    def test_all_that_it_promises_is_there(self):
        self.assertEqual(len(set(xtrack.__all__)), len(xtrack.__all__))
        for name in xtrack.__all__:
            self.assertTrue(getattr(xtrack, name) is not None and (name == "__version__" or getattr(xtrack, name).__doc__), name)
        self.assertLessEqual(set(xtrack.__all__), set(dir(xtrack)))
        with self.assertRaises(AttributeError):
            xtrack.nothing
        self.assertTrue(os.path.exists(os.path.join(CLIENT, "xtrack", "py.typed")))

    def test_each_file_says_what_it_knows(self):
        for name in os.listdir(os.path.join(CLIENT, "xtrack")):
            if name.endswith(".py"):
                self.assertTrue(text(os.path.join("xtrack", name)).startswith('"""'), name)

    @unittest.skipUnless(find_spec("mypy"), "mypy is not installed")
    def test_its_types_are_sound(self):
        ended = subprocess.run(
            [sys.executable, "-m", "mypy", "--config-file", os.path.join(CLIENT, "pyproject.toml"), "-p", "xtrack", "--cache-dir", self.folder],
            cwd=CLIENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.assertEqual(ended.returncode, 0, ended.stdout.decode())

    def test_one_call_costs_less_than_a_json_loop(self):
        """A rough form of benches/log_call.sh, with room for a busy machine."""
        output, _ = self.script(
            """
            import json, os, time, xtrack
            def cost(function):
                before = time.process_time()
                for step in range(20000): function(step, step / 7)
                return time.process_time() - before
            fd = os.open("loop.jsonl", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
            def loop(step, value):
                os.write(fd, json.dumps({"n": step, "t": time.time(), "step": step, "points": {"loss": value}}).encode())
            def ours(step, value):
                xtrack.log({"loss": value}, step=step)
            xtrack.init()
            print(min(cost(ours) / cost(loop) for _ in range(5)))
            """,
            joined=True,
        )
        self.assertLess(float(output), 1.0)


if __name__ == "__main__":
    unittest.main()
