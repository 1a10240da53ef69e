#!/usr/bin/env python3
"""Writes the first inputs of each target into `fuzz/corpus`, from the fixtures that the tests read."""

from pathlib import Path

here = Path(__file__).resolve().parent
fixtures = here.parent / "fixtures"


def seed(target, inputs):
    folder = here / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(inputs):
        (folder / f"seed-{number:04}").write_bytes(data)


def files(*patterns):
    return [path.read_bytes() for pattern in patterns for path in sorted(fixtures.glob(pattern)) if path.is_file()]


def lines(*patterns):
    return [line for data in files(*patterns) for line in data.splitlines() if line.strip()]


def record(folder):
    """One copy of a record as `record.rs` reads it: an edit may keep its path, which is right for its bytes."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return b"\x1e".join(path.relative_to(folder).as_posix().encode() + b"\n" + path.read_bytes() for path in paths)


def records():
    for folder in sorted(fixtures.glob("format/v1/fold/*/record")):
        yield record(folder)
    for folder in sorted(fixtures.glob("format/v1/join/*")):
        sides = sorted(side for side in folder.iterdir() if side.is_dir() and side.name != "joined")
        yield b"\x1d".join(record(side) for side in sides[:2])


seed("query", lines("query/questions.txt"))
seed("facts", files("format/v1/facts/*.toml", "format/v1/values/*.toml", "format/v1/environment/*.toml", "format/v1/hostile/*.toml"))
seed("edit", files("format/v1/edit/*.toml", "format/v1/hostile/edit-*.toml"))
seed("series", files("format/v1/series/metrics/*.tsv", "format/v1/hostile/*.tsv"))
seed("whole", files("format/v1/whole/*.parquet"))
seed("journal_line", lines("protocol/v1/**/*.jsonl"))
seed("record", records())
