"""What the tests stand on: scripts in processes of their own, with an environment that nothing of the machine reaches,
and journals read back strictly."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import unittest
import zlib

CLIENT = os.environ.get("XTRACK_TEST_CLIENT") or os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "python"
)
CLIENT = os.path.abspath(CLIENT)
if CLIENT not in sys.path:
    sys.path.insert(0, CLIENT)

FAKE = '''#!{python}
"""Stands for the program: notes how it was called, and makes the folder of a run."""
import json, os, sys
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "calls.jsonl"), "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
if os.path.exists(os.path.join(here, "broken")):
    sys.exit("error: this repository is broken")
if sys.argv[1] == "begin":
    folder = os.path.join(here, "live", str(len(os.listdir(os.path.join(here, "live")))))
    os.makedirs(folder)
    print(json.dumps({{"id": "20260701-091502-q7d3k9ma", "attempt": "k7f3q2ab", "folder": folder, "name": "quiet-otter"}}))
elif sys.argv[1] == "finish":
    print(json.dumps({{"id": "20260701-091502-q7d3k9ma"}}))
'''


class Case(unittest.TestCase):
    """A test with a folder of its own."""

    maxDiff = None

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = os.path.realpath(holder.name)
        self.live = os.path.join(self.folder, "live-run")
        os.mkdir(self.live)
        os.mkdir(os.path.join(self.folder, "home"))
        self.path = os.environ["PATH"]

    def fake_program(self):
        """A `git xtrack` that notes its calls, first on PATH."""
        folder = os.path.join(self.folder, "bin")
        os.makedirs(os.path.join(folder, "live"))
        program = os.path.join(folder, "git-xtrack")
        with open(program, "w") as file:
            file.write(FAKE.format(python=sys.executable))
        os.chmod(program, 0o755)
        self.path = folder + os.pathsep + self.path
        return folder

    def calls(self):
        """How the program was called."""
        with open(os.path.join(self.folder, "bin", "calls.jsonl")) as file:
            return [json.loads(line) for line in file]

    def script(self, text, code=0, joined=False, check=True, arguments=(), **environment):
        """Runs a script; its standard output and error."""
        variables = {"PATH": self.path, "HOME": os.path.join(self.folder, "home"), "PYTHONPATH": CLIENT}
        variables.update(GIT_CONFIG_NOSYSTEM="1", LC_ALL="C.UTF-8", PYTHONDONTWRITEBYTECODE="1", TMPDIR=self.folder)
        if joined:
            variables["XTRACK_RUN_DIR"] = self.live
            variables["XTRACK_RUN_ID"] = "20260701-091502-q7d3k9ma"
        variables.update(environment)
        path = os.path.join(self.folder, "script.py")
        with open(path, "w") as file:
            file.write(textwrap.dedent(text))
        started = subprocess.Popen(
            [sys.executable, path, *arguments],
            cwd=self.folder,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            output, said = (part.decode() for part in started.communicate(timeout=60))
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)  # What it forked as well.
            raise
        if check:
            self.assertEqual(started.returncode, code, said)
        return output, said

    def events(self, folder=None):
        """All events of a run's folder, which holds one journal."""
        (events,) = self.journals(folder).values()
        return events

    def journals(self, folder=None):
        """The events of each journal of a folder, by its name: every line whole and in place, its crc right."""
        folder = folder or self.live
        found = {}
        for name in sorted(os.listdir(folder)):
            if name.endswith(".jsonl"):
                self.assertRegex(name, r"^[0-9a-z]{16}\.jsonl$")
                found[name[:-6]] = [event for event in self.lines(os.path.join(folder, name))]
        return found

    def lines(self, path):
        with open(path, "rb") as file:
            data = file.read()
        self.assertTrue(data.endswith(b"\n") or not data, data[-100:])
        events = [whole(line) for line in data.split(b"\n")[:-1]]
        self.assertEqual([event["n"] for event in events], list(range(len(events))))
        return events


def whole(line):
    """A line's event; it must be whole."""
    body, _, crc = line.rpartition(b',"crc":')
    if not body or int(crc[:-1]) != zlib.crc32(body):
        raise ValueError(f"the crc of {line!r} is wrong")
    return json.loads(line)


def kinds(events, kind):
    """What the events of one kind say."""
    return [event[kind] for event in events if kind in event]
