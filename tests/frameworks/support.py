"""What the tests of the framework modules share: a run of its own for each test, and what its journals say.

Runs without the program and without a repository, so that a run is a folder under XTRACK_DIR. The journals are read
here by the protocol alone, not with the client's own code.
"""

import contextlib
import json
import math
import os
import shutil
import tempfile
import unittest
import zlib
from pathlib import Path

import xtrack
from xtrack import _say


class Recorded:
    """What one run's journals come to."""

    def __init__(self):
        self.params = {}
        self.points = {}
        self.summary = {}
        self.definitions = {}
        self.tables = {}
        self.things = []
        self.artifacts = []
        self.inputs = []
        self.start = {}
        self.finish = {}
        self.tags = []
        self.writers = 0

    def series(self, name):
        """The values of a metric in the order logged, by step."""
        return dict(self.points[name])

    def table(self, name):
        """All rows logged to a table, as dicts."""
        return self.tables[name]


def read(folder):
    """What the journals of a run's folder say."""
    found = Recorded()
    for path in sorted(Path(folder).glob("*.jsonl")):
        found.writers += 1
        for number, line in enumerate(path.read_bytes().splitlines()):
            event = json.loads(line)
            assert event["n"] == number, f"{path.name}: line {number} says {event['n']}"
            if "crc" in event:
                body = line[: line.rindex(b',"crc":')]
                assert zlib.crc32(body) == event["crc"], f"{path.name}: line {number} is torn"
            _take(found, event)
    return found


def _take(found, event):
    step = event.get("step")
    for name, value in event.get("points", {}).items():
        found.points.setdefault(name, []).append((step, _number(value)))
    _lay_over(found.params, event.get("params", {}))
    found.summary.update({name: _number(value) for name, value in event.get("summary", {}).items()})
    for name, definition in event.get("define", {}).items():
        found.definitions.setdefault(name, {}).update(definition)
    if "artifact" in event:
        found.artifacts.append(event["artifact"])
    if "input" in event:
        found.inputs.append(event["input"])
    found.tags += event.get("tags", [])
    found.finish.update(event.get("finish", {}))
    if "begin" in event:
        found.start.update(event["begin"].get("start") or {})
    if "thing" in event:
        thing = event["thing"]
        found.things.append({**thing, "step": step})
        if thing["kind"] == "table":
            columns, rows = thing["value"]["columns"], thing["value"]["rows"]
            found.tables.setdefault(thing["name"], []).extend(dict(zip(columns, row)) for row in rows)


def _number(value):
    if isinstance(value, str):
        return {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}[value]
    return value


def _lay_over(params, more):
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(params.get(name), dict):
            _lay_over(params[name], value)
        else:
            params[name] = value


class Case(unittest.TestCase):
    """A test with a folder of its own, in which it runs, and where runs go."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="xtrack-frameworks-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.before = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, self.before)
        os.environ["XTRACK_DIR"] = str(self.folder / "runs")
        # What a hook keeps from a training would be kept from these tests too.
        os.environ["XTRACK_MODE"] = "portable,strict"
        _say.strict = True

    @contextlib.contextmanager
    def recording(self, **options):
        """Begins a run; after the block, what it recorded is in the object given."""
        found = Recorded()
        run = xtrack.init(**options)
        try:
            yield found
        finally:
            run.finish()
            found.__dict__.update(self.only().__dict__)

    def forgiving(self):
        """From here on nothing is raised, as in a training."""
        os.environ["XTRACK_MODE"] = "portable"
        _say.strict = False

    def recorded(self):
        """What all runs so far recorded, one after another."""
        folders = sorted(path for path in (self.folder / "runs").glob("*") if path.is_dir())
        return [read(folder) for folder in sorted(folders, key=lambda path: path.stat().st_ctime_ns)]

    def only(self):
        """What the latest run recorded."""
        return self.recorded()[-1]

    def file(self, artifact):
        """Where the bytes of an artifact lie."""
        (path,) = (self.folder / "runs").glob(f"*/{artifact['file']}")
        return path

    def assert_near(self, one, other, places=6):
        """That two dicts or lists of numbers are the same but for rounding."""
        if isinstance(one, dict):
            self.assertEqual(set(one), set(other))
            one, other = [one[key] for key in sorted(one)], [other[key] for key in sorted(other)]
        self.assertEqual(len(one), len(other))
        for left, right in zip(one, other):
            self.assertAlmostEqual(left, right, places)


def main():
    """Runs the tests of the file that calls this."""
    unittest.main(module="__main__", verbosity=1)
