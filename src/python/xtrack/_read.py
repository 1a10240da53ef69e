"""Reads recorded runs back, by asking `git xtrack` for JSON. It opens no repository itself and writes nothing."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xtrack._say import XtrackError, describe

__all__ = ["RecordedRun", "Runs", "run", "runs"]

# The version of the JSON contract that this reads.
_FORMAT = 1

_NOT_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def runs(
    where: str | None = None,
    *,
    experiment: str | None = None,
    limit: int | None = None,
    sort: str | None = None,
    dataframe: bool | str | None = None,
    repository: str | None = None,
) -> Any:
    """The recorded runs, the newest first: dicts as `git xtrack log --json` prints them, or a row each of a table.

    `where` keeps the runs that a condition holds for; `dataframe` is True or "pandas", or "polars"; `repository` is
    any folder in it, here if not given.
    """
    arguments = ["log", "--json"]
    if experiment is not None:
        arguments += ["--experiment", experiment]
    if limit is not None:
        arguments += ["-n", str(limit)]
    if sort is not None:
        arguments.append(f"--sort={sort}")
    if where is not None:
        arguments.append(f"--where={where}")
    found = Runs(_as_run(one) for one in _ask(arguments, repository))
    return found.to_dataframe("pandas" if dataframe is True else dataframe) if dataframe else found


def run(name: str = "@", *, repository: str | None = None) -> RecordedRun:
    """One recorded run: by id, short id, name, a unique prefix of one, `@` (the latest), `@~1` (the one before)."""
    return RecordedRun(_as_run(_ask(["show", "--json", "--", name], repository)), repository)


class Runs(list[dict[str, Any]]):
    """Runs as dicts."""

    def to_dataframe(self, library: str = "pandas") -> Any:
        """A row a run: `id`, `name`, `status`, …, `params.lr`, `metrics.loss`, `metrics.loss.min`, …"""
        return _dataframe(library, [_row(one) for one in self])


class RecordedRun(Mapping[str, Any]):
    """One run as it is recorded; every key of `git xtrack show --json` is an item of it."""

    def __init__(self, answer: dict[str, Any], repository: str | None = None) -> None:
        self._answer = answer
        self._repository = repository

    def __getitem__(self, key: str) -> Any:
        return self._answer[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._answer)

    def __len__(self) -> int:
        return len(self._answer)

    def __repr__(self) -> str:
        return f"<run {self.name or self.id}: {self.status}>"

    @property
    def id(self) -> str:
        """The run's id."""
        return str(self._answer["id"])

    @property
    def name(self) -> str | None:
        """What people call it."""
        return self._answer["name"]  # type: ignore[no-any-return]

    @property
    def status(self) -> str:
        """`running`, `finished`, `failed`, `killed`, `crashed` or `unknown`."""
        return str(self._answer["status"])

    @property
    def params(self) -> dict[str, Any]:
        """The params, nested as given."""
        return self._answer["params"]  # type: ignore[no-any-return]

    @property
    def metrics(self) -> dict[str, Any]:
        """Each metric's last value."""
        return {name: summary["last"] for name, summary in self._answer["metrics"].items()}

    @property
    def summaries(self) -> dict[str, dict[str, Any]]:
        """Each metric's last, smallest and largest value, with their steps, and how many there are."""
        return self._answer["metrics"]  # type: ignore[no-any-return]

    @property
    def tags(self) -> list[str]:
        """The tags."""
        return self._answer["tags"]  # type: ignore[no-any-return]

    @property
    def notes(self) -> list[str]:
        """The texts of the notes."""
        return [note["text"] for note in self._answer["notes"]]

    @property
    def artifacts(self) -> list[dict[str, Any]]:
        """The artifacts: path, sha256, size, and whether the bytes are in the record."""
        return self._answer["artifacts"]  # type: ignore[no-any-return]

    def series(self, metric: str, *, all: bool = False, dataframe: bool | str | None = None) -> Any:
        """The points of a metric: (step, time, value), or a row each of a table.

        `all` gives also those that a later attempt logged again, with attempt and writer.
        """
        arguments = ["show", "--json", f"--series={metric}", *(["--all"] if all else []), "--", self.id]
        points = [tuple(_number(item) for item in point) for point in _ask(arguments, self._repository)]
        if not dataframe:
            return points
        columns = ("step", "time", "value", "attempt", "writer")
        rows = [dict(zip(columns, point)) for point in points]
        return _dataframe("pandas" if dataframe is True else dataframe, rows, columns[: 5 if all else 3])


def _ask(arguments: Sequence[str], repository: str | None) -> Any:
    """What `git xtrack` answers; what it complains of is raised as it says it."""
    where = [] if repository is None else ["-C", str(repository)]
    # -C belongs behind the command.
    command = ["git", "xtrack", arguments[0], *where, *arguments[1:]]
    try:
        answer = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise XtrackError(f"cannot run git: {describe(error)}") from error
    if answer.returncode != 0:
        raise XtrackError(_complaint(answer.stderr.decode("utf-8", "replace"), arguments))
    try:
        return json.loads(answer.stdout)
    except ValueError as error:
        raise XtrackError(f"cannot read what git xtrack says: {error}") from error


def _complaint(said: str, arguments: Sequence[str]) -> str:
    """The message and its hints, as the program wrote them."""
    if "is not a git command" in said:
        return "git-xtrack is not installed here\nhint: put the program git-xtrack on PATH"
    for option in ("--where", "--series", "--all"):
        if f"unexpected argument '{option}" in said:
            return f"this git xtrack does not know {option}\nhint: update it, or leave that out"
    lines = [line for line in said.strip().splitlines() if not line.startswith(("warning:", "For more information"))]
    text = "\n".join(lines).strip()
    return text[len("error: ") :] if text.startswith("error: ") else text or f"git xtrack {arguments[0]} failed"


def _as_run(answer: dict[str, Any]) -> dict[str, Any]:
    if answer.get("format") != _FORMAT:
        raise XtrackError(f"git xtrack answers in format {answer.get('format')}, newer than this client reads")
    for summary in answer["metrics"].values():
        summary.update({name: _number(value) for name, value in summary.items()})
    answer["params"] = _value(answer["params"])
    return answer


def _number(value: Any) -> Any:
    return _NOT_FINITE.get(value, value) if isinstance(value, str) else value


def _value(value: Any) -> Any:
    """A param as it was given: what JSON lacks is written as text or under a key of its own."""
    if isinstance(value, list):
        return [_value(item) for item in value]
    if not isinstance(value, dict):
        return _number(value)
    if len(value) == 1:
        ((key, held),) = value.items()
        if key == "$bytes":
            return base64.b64decode(held)
        if key == "$json":
            return json.loads(held)
    return {(key[1:] if key.startswith("$") else key): _value(item) for key, item in value.items()}


def _row(one: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: one[name] for name in ("id", "name", "experiment", "status", "started", "ended", "user", "host")}
    row.update({"group": one["group"], "commit": (one["code"] or {}).get("commit"), "tags": ",".join(one["tags"])})
    row.update(_flat("params", one["params"]))
    for name, summary in one["metrics"].items():
        row[f"metrics.{name}"] = summary["last"]
        if summary["count"] > 1:
            row.update({f"metrics.{name}.min": summary["min"], f"metrics.{name}.max": summary["max"]})
    return row


def _flat(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, dict) and value:
        return {key: item for own, held in value.items() for key, item in _flat(f"{name}.{own}", held).items()}
    if isinstance(value, list):
        value = json.dumps(value, default=str)
    return {} if name == "params" else {name: value}


def _dataframe(library: str, rows: list[dict[str, Any]], columns: Sequence[str] | None = None) -> Any:
    names = list(columns) if columns is not None else list(dict.fromkeys(name for row in rows for name in row))
    if library == "pandas":
        import pandas

        return pandas.DataFrame(rows, columns=names)
    if library == "polars":
        import polars

        return polars.DataFrame({name: [row.get(name) for row in rows] for name in names}, strict=False)
    raise XtrackError(f"no data frames of '{library}'\nhint: pandas or polars")
