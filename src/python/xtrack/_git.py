"""What commit the work tree stands at, read from the files of a repository where there may be no git.

Knows HEAD, loose and packed refs, and worktrees; no objects, so nothing of changed files.
"""

from __future__ import annotations

import os

from xtrack._process import read


def find(start: str) -> tuple[str, str] | None:
    """The top of the work tree around a folder, and its git folder."""
    folder = os.path.abspath(start)
    while True:
        path = os.path.join(folder, ".git")
        if os.path.isdir(path):
            return folder, path
        pointer = read(path) if os.path.isfile(path) else None
        if pointer and pointer.startswith("gitdir:"):
            return folder, os.path.normpath(os.path.join(folder, pointer[len("gitdir:") :].strip()))
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def code(git: str) -> dict[str, str]:
    """`commit` and `branch`, as far as they can be read."""
    head = (read(os.path.join(git, "HEAD")) or "").strip()
    if _is_id(head):
        return {"commit": head}
    if not head.startswith("ref:"):
        return {}
    name = head[len("ref:") :].strip()
    commit = _resolve(git, name)
    branch = name[len("refs/heads/") :] if name.startswith("refs/heads/") else ""
    found = {"commit": commit, "branch": branch}
    return {key: value for key, value in found.items() if value} if commit else {}


def _resolve(git: str, name: str) -> str:
    """The id a ref holds. Linked work trees keep shared refs in the common folder."""
    common = (read(os.path.join(git, "commondir")) or "").strip()
    folders = [git, os.path.normpath(os.path.join(git, common))] if common else [git]
    for folder in folders:
        value = (read(os.path.join(folder, *name.split("/"))) or "").strip()
        if _is_id(value):
            return value
        for line in (read(os.path.join(folder, "packed-refs")) or "").splitlines():
            commit, _, ref = line.partition(" ")
            if ref == name and _is_id(commit):
                return commit
    return ""


def _is_id(text: str) -> bool:
    return len(text) in (40, 64) and all(letter in "0123456789abcdef" for letter in text)
