"""One lock, held while our modules are loaded and while a run begins, and by whoever forks.

A child that is forked while another thread loads a module would wait for that thread for ever: it is not there.
"""

from __future__ import annotations

import os
from _thread import RLock

WAIT_SECONDS = 2.0

lock = RLock()
_is_held = False


def _before_fork() -> None:
    global _is_held
    _is_held = lock.acquire(timeout=WAIT_SECONDS)


def _after_fork_here() -> None:
    if _is_held:
        lock.release()


def _after_fork_in_child() -> None:
    global lock
    lock = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_here, after_in_child=_after_fork_in_child)
