"""The cells of a notebook are its code: kept in a file of the run that grows with every cell run.

Knows IPython's kernel by what it has loaded; imports nothing.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def shell() -> Any:
    """The IPython session that this is, if it is one."""
    module = sys.modules.get("IPython")
    return module.get_ipython() if module is not None and hasattr(module, "get_ipython") else None


class Cells:
    """Keeps the cells that were run, beginning with those before the run began."""

    def __init__(self, shell: Any, path: str, said: Callable[[], None]) -> None:
        self.shell = shell
        self.path = path
        self.said = said
        self.kept = 0
        self.keep()
        shell.events.register("post_run_cell", self.keep)

    def keep(self, *_: Any) -> None:
        """Appends the cells that are not in the file yet."""
        try:
            cells = list(self.shell.user_ns.get("In") or [])
            new = [f"# In[{number}]\n{cell}\n\n" for number, cell in enumerate(cells) if number > self.kept and cell]
            if new:
                with open(self.path, "a", encoding="utf-8", errors="replace") as file:
                    file.write("".join(new))
                if not self.kept:
                    self.said()
                self.kept = len(cells) - 1
        except Exception:
            pass  # The cells are not worth an error in a notebook.

    def stop(self) -> None:
        """Keeps the last ones."""
        self.keep()
        try:
            self.shell.events.unregister("post_run_cell", self.keep)
        except Exception:
            pass


def begin(folder: str, file: str, said: Callable[[], None]) -> Cells | None:
    """Begins to keep the cells, if this is a notebook."""
    session = shell()
    if session is None:
        return None
    os.makedirs(os.path.join(folder, "files"), exist_ok=True)
    return Cells(session, os.path.join(folder, file), said)
