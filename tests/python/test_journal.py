"""What lies on disk: lines, numbers, files of forks, and what a disk that refuses costs."""

import os
import signal
import subprocess
import sys
import unittest

from processes import CLIENT, Case, kinds, whole

from xtrack import _journal
from xtrack._journal import Journal


def journal(folder):
    return Journal(folder, lambda parent: {"protocol": 1})


class Lines(Case):
    def log(self, *calls):
        written = journal(self.live)
        for values, step in calls:
            written.points(values, step)
        written.close()
        return [{k: v for k, v in event.items() if k not in ("n", "t", "crc")} for event in self.events()[1:]]

    def test_a_call_is_a_line(self):
        self.assertEqual(
            self.log(({"loss": 0.5, "n": 3}, 7), ({"a": {"b": 1.0, "c": {"d": 2}}}, 1.5), ({"x": 1}, None)),
            [
                {"step": 7, "points": {"loss": 0.5, "n": 3}},
                {"step": 1.5, "points": {"a/b": 1.0, "a/c/d": 2}},
                {"points": {"x": 1}},
            ],
        )

    def test_floats_are_exact_and_what_is_not_finite_is_text(self):
        values = {"a": 0.1 + 0.2, "b": 1e300, "c": -0.0, "d": 5e-324, "e": 1e22, "f": 123456789012345680.0}
        more = {"nan": float("nan"), "inf": float("inf"), "low": float("-inf"), "yes": True, "big": 2**70}
        first, second = self.log((values, 0), (more, -3))
        self.assertEqual(first["points"], values)
        self.assertEqual(str(first["points"]["c"]), "-0.0")
        self.assertEqual(
            second, {"step": -3, "points": {"nan": "NaN", "inf": "Infinity", "low": "-Infinity", "yes": 1, "big": 2.0**70}}
        )

    def test_names_of_any_kind(self):
        names = ['q"uote', "back\\slash", "new\nline", "ümläut", "dotted.name", "", "\ud800half", 7]
        (event,) = self.log(({name: 1.0 for name in names}, 1))
        self.assertEqual(list(event["points"]), [*names[:6], "?half", "7"])
        again = journal(self.live)
        again.points({"ümläut": 1.0}, 1)
        again.points({"ümläut": 2.0}, 2)
        again.close()

    def test_steps_are_kept_as_they_come(self):
        steps = [5, 5, 3, 2**70, 0.5, True]
        events = self.log(*[({"a": 1.0}, step) for step in steps])
        self.assertEqual([event["step"] for event in events], [5, 5, 3, 2.0**70, 0.5, 1])

    def test_times_are_the_clock(self):
        import time

        before = time.time()
        self.log(({"a": 1.0}, 1))
        (event,) = [event for event in self.events() if "points" in event]
        self.assertTrue(before - 0.001 <= event["t"] <= time.time() + 0.001)

    def test_each_call_is_one_write(self):
        written = journal(self.live)
        written.open()
        sizes, write = [], os.write
        written._write = lambda fd, data: sizes.append(len(data)) or write(fd, data)
        for step in range(5):
            written.points({"loss": 0.25, "acc": 1}, step)
            written.event("note", "x" * 100_000)
        written.close()
        self.assertEqual(len(sizes), 10)
        self.assertEqual(len(self.events()), 11)

    def test_threads_write_side_by_side(self):
        import threading

        written = journal(self.live)

        def work(name):
            for step in range(500):
                written.points({name: float(step)}, step)

        threads = [threading.Thread(target=work, args=(f"m{number}",)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        written.close()
        points = kinds(self.events(), "points")
        self.assertEqual(len(points), 4000)
        for number in range(8):
            own = [value for point in points for name, value in point.items() if name == f"m{number}"]
            self.assertEqual(own, [float(step) for step in range(500)])

    def test_a_signal_handler_may_log_while_the_file_is_made(self):
        def begin(parent):
            written.points({"signal": 1.0}, 0)
            return {"protocol": 1}

        written = Journal(self.live, begin)
        written.points({"loss": 0.5}, 1)
        self.assertEqual(written.close(), 0)
        (name,) = os.listdir(self.live)
        with open(os.path.join(self.live, name), "rb") as file:
            events = [whole(line) for line in file.read().splitlines()]
        self.assertEqual([event["n"] for event in events], [0, 2, 1])
        self.assertIn("begin", events[0])

    def test_a_signal_handler_may_log(self):
        written = journal(self.live)
        before = signal.signal(signal.SIGALRM, lambda *_: written.points({"signal": 1.0}, 0))
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        try:
            for step in range(20000):
                written.points({"loss": 0.5}, step)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        written.close()
        (name,) = os.listdir(self.live)
        with open(os.path.join(self.live, name), "rb") as file:
            numbers = sorted(whole(line)["n"] for line in file.read().splitlines())
        self.assertEqual(numbers, list(range(len(numbers))))
        self.assertGreaterEqual(len(numbers), 20001)


class Forks(Case):
    def test_a_fork_gets_a_file_of_its_own(self):
        self.script(
            """
            import os, sys, warnings
            warnings.simplefilter("error")
            import xtrack
            xtrack.log({"a": 1.0}, step=0)
            for number in range(3):
                if os.fork() == 0:
                    if number != 2:  # The third has nothing to say.
                        for step in range(100):
                            xtrack.log({"child": step}, step=step)
                    os._exit(0)
                os.wait()
                xtrack.log({"a": 2.0}, step=number)
            """,
            joined=True,
            RANK="3",
        )
        journals = self.journals()
        self.assertEqual(len(journals), 3)
        (parent,) = [name for name, events in journals.items() if "parent" not in events[0]["begin"]]
        for name, events in journals.items():
            begin = events[0]["begin"]
            if name == parent:
                self.assertEqual((begin["rank"], begin["role"]), (3, None))
                self.assertEqual(len(kinds(events, "points")), 4)
                self.assertEqual(len(kinds(events, "finish")), 1)
            else:
                self.assertEqual((begin["rank"], begin["role"], begin["parent"]), (None, "worker", parent))
                self.assertEqual([point["child"] for point in kinds(events, "points")], list(range(100)))
                self.assertNotEqual(begin["owner"]["pid"], journals[parent][0]["begin"]["owner"]["pid"])

    def test_a_fork_while_other_threads_log(self):
        self.script(
            """
            import os, threading, warnings
            warnings.simplefilter("ignore")
            import xtrack
            stop = False
            def work():
                while not stop: xtrack.log({"a": 1.0}, step=0)
            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads: thread.start()
            for _ in range(10):
                pid = os.fork()
                if pid == 0:
                    xtrack.log({"child": 1.0})
                    os._exit(0)
                assert os.waitpid(pid, 0)[1] == 0
            stop = True
            for thread in threads: thread.join()
            """,
            joined=True,
        )
        self.assertEqual(len(self.journals()), 11)

    def test_processes_that_are_spawned_join(self):
        self.script(
            """
            import multiprocessing, xtrack
            def work(number):
                xtrack.log({f"worker{number}": 1.0}, step=number)
            if __name__ == "__main__":
                xtrack.init(config={"a": 1})
                context = multiprocessing.get_context("spawn")
                with context.Pool(2) as pool:
                    pool.map(work, range(4), chunksize=2)
                process = context.Process(target=work, args=(9,))
                process.start(); process.join()
                xtrack.log({"main": 1.0})
            """,
            joined=True,
        )
        journals = self.journals().values()
        names = sorted(name for events in journals for point in kinds(events, "points") for name in point)
        self.assertEqual(names, ["main", "worker0", "worker1", "worker2", "worker3", "worker9"])
        roles = {name: events[0]["begin"]["role"] for events in journals for p in kinds(events, "points") for name in p}
        self.assertEqual([roles["main"], roles["worker0"], roles["worker9"]], [None, "worker", None])


class Refusals(Case):
    """A limit on the size of files stands for a disk that is full: writes come back short, then fail."""

    def test_what_a_full_disk_refuses_is_written_later(self):
        output, said = self.script(
            """
            import os, resource, xtrack
            def limit(size): resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            xtrack.log({"a": 0.0}, step=0)
            limit(4000)
            for step in range(1, 1000): xtrack.log({"a": step / 7}, step=step)
            limit(resource.RLIM_INFINITY)
            for step in range(1000, 1100): xtrack.log({"a": step / 7}, step=step)
            """,
            joined=True,
        )
        self.assertEqual(said.count("xtrack:"), 1, said)
        (name,) = os.listdir(self.live)
        with open(os.path.join(self.live, name), "rb") as file:
            lines = file.read().splitlines()
        sound = []
        for line in lines:
            try:
                sound.append(whole(line))
            except ValueError:
                pass
        self.assertEqual(len(lines) - len(sound), 1)  # the one that was cut short, and was written again
        self.assertEqual([event["n"] for event in sound], list(range(len(sound))))
        steps = [event["step"] for event in sound if "points" in event]
        self.assertEqual(steps, list(range(1100)))

    def test_what_finds_no_room_is_counted_exactly(self):
        output, said = self.script(
            """
            import os, resource, xtrack
            from xtrack import _journal
            _journal.BUFFER_EVENTS = 100
            def limit(size): resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            xtrack.log({"a": 0.0}, step=0)
            limit(os.path.getsize(next(os.scandir(os.environ["XTRACK_RUN_DIR"])).path))
            for step in range(1, 1001): xtrack.log({"a": 1.0}, step=step)
            limit(resource.RLIM_INFINITY)
            for step in range(1001, 1011): xtrack.log({"a": 1.0}, step=step)
            """,
            joined=True,
        )
        # 1000 while it was full, 100 of them kept; the first one after it is behind the full buffer.
        self.assertIn("901 logged events could not be written and are lost", said)
        (name,) = os.listdir(self.live)
        with open(os.path.join(self.live, name), "rb") as file:
            events = [whole(line) for line in file.read().splitlines()]
        numbers = {event["n"] for event in events}
        self.assertEqual(max(numbers) + 1 - len(numbers), 901)
        (alert,) = kinds(events, "thing")
        self.assertEqual(alert["value"]["level"], "warn")
        self.assertEqual(len(kinds(events, "points")), 1 + 100 + 9)

    def test_a_disk_that_stays_full_stops_nothing(self):
        output, said = self.script(
            """
            import resource, xtrack
            xtrack.init()
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
            for step in range(20000): xtrack.log({"a": step / 7}, step=step)
            xtrack.log_image("image", [[0]])
            print("trained")
            """,
            joined=True,
        )
        self.assertEqual(output, "trained\n")
        self.assertRegex(said, r"\d+ logged events could not be written and are lost")

    def test_a_folder_that_is_gone_stops_nothing(self):
        output, said = self.script(
            """
            import os, shutil, xtrack
            from xtrack import _process
            _process.is_worker = lambda: True  # so that nothing is opened yet
            xtrack.init()
            shutil.rmtree(os.environ["XTRACK_RUN_DIR"])
            for step in range(10): xtrack.log({"a": 1.0}, step=step)
            print("trained")
            """,
            joined=True,
        )
        self.assertEqual(output, "trained\n")
        self.assertIn("cannot write to", said)
        self.assertIn("logged events could not be written", said)

    def test_what_a_call_returned_from_survives_sigkill(self):
        path = os.path.join(self.folder, "train.py")
        with open(path, "w") as file:
            file.write(
                "import os, xtrack\nxtrack.init()\nstep = 0\nwhile True:\n"
                "    xtrack.log({'loss': step / 3}, step=step)\n    os.write(1, b'%d\\n' % step)\n    step += 1\n"
            )
        environment = {"PATH": self.path, "PYTHONPATH": CLIENT, "XTRACK_RUN_DIR": self.live}
        for delay in (200, 1000, 3000):
            child = subprocess.Popen([sys.executable, path], stdout=subprocess.PIPE, env=environment)
            acknowledged = -1
            for line in child.stdout:
                acknowledged = int(line)
                if acknowledged == delay:
                    child.send_signal(signal.SIGKILL)
            child.wait()
            child.stdout.close()
            (name,) = os.listdir(self.live)
            with open(os.path.join(self.live, name), "rb") as file:
                steps = [event["step"] for event in map(whole, file.read().splitlines()) if "points" in event]
            self.assertGreaterEqual(acknowledged, delay)
            self.assertIn(steps, (list(range(acknowledged + 1)), list(range(acknowledged + 2))))
            os.unlink(os.path.join(self.live, name))

    def test_it_is_synced_now_and_then(self):
        written = journal(self.live)
        written.points({"a": 1.0}, 1)
        _journal._end_syncing()  # Ends the thread that would do it meanwhile.
        calls, sync = [], os.fsync
        os.fsync = lambda fd: calls.append(fd) or sync(fd)
        try:
            written.sync()
            written.sync()
            written.points({"a": 1.0}, 2)
            written.sync()
        finally:
            os.fsync = sync
            written.close()
        self.assertEqual(len(calls), 2)
        written.sync()


if __name__ == "__main__":
    unittest.main()
