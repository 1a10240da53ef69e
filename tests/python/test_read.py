"""Reading runs back, by the program itself."""

import importlib.util
import os
import subprocess
import sys
import tempfile
import unittest

import processes  # noqa: F401 - puts the client on the path
import xtrack

PROGRAM = os.environ.get("XTRACK_TEST_PROGRAM")


@unittest.skipUnless(PROGRAM, "XTRACK_TEST_PROGRAM names no program")
class Reading(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.repository = folder.name
        path = os.pathsep.join([os.path.dirname(PROGRAM), os.environ.get("PATH", "")])
        before = os.environ["PATH"] if "PATH" in os.environ else ""
        os.environ["PATH"] = path
        self.addCleanup(os.environ.__setitem__, "PATH", before)
        subprocess.run(["git", "init", "-q", folder.name], check=True)
        for name, rate, accuracy in (("a", 0.1, 0.9), ("b", 0.01, 0.7), ("c", 0.1, 0.95)):
            given = ["-p", f"lr={rate}", "-m", f"accuracy={accuracy}"]
            command = [PROGRAM, "-C", folder.name, "record", "--name", name, *given]
            subprocess.run(command, check=True, capture_output=True)

    def names(self, *arguments, **options):
        return [run["name"] for run in xtrack.runs(*arguments, repository=self.repository, **options)]

    def test_a_question_keeps_the_runs_that_it_holds_of(self):
        self.assertEqual(self.names("params.lr = 0.1"), ["c", "a"])
        self.assertEqual(self.names("lr = 0.1 and accuracy > 0.92"), ["c"])
        self.assertEqual(self.names("lr = 0.1", sort="accuracy", limit=1), ["a"])
        self.assertEqual(self.names("metrics.accuracy > 1"), [])
        found = xtrack.runs("lr = 0.01", repository=self.repository)
        self.assertEqual((found[0]["params"], found[0]["metrics"]["accuracy"]["last"]), ({"lr": 0.01}, 0.7))

    def test_what_cannot_be_meant_is_told_with_the_nearest(self):
        with self.assertRaises(xtrack.XtrackError) as raised:
            self.names("acuracy > 0.9")
        self.assertIn("accuracy", str(raised.exception))

    @unittest.skipUnless(importlib.util.find_spec("pandas"), "no pandas is here")
    def test_a_question_answers_as_a_table_too(self):
        frame = xtrack.runs("lr = 0.1", dataframe=True, repository=self.repository)
        self.assertEqual(list(frame["name"]), ["c", "a"])
        self.assertEqual(list(frame["params.lr"]), [0.1, 0.1])
        self.assertEqual(list(frame["metrics.accuracy"]), [0.95, 0.9])


if __name__ == "__main__":
    sys.exit(unittest.main())
