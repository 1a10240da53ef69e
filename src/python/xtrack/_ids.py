"""How runs, attempts and files are named: the same ids, names and slugs as the program makes.

Pure but for the random bytes and the clock.
"""

from __future__ import annotations

import os
import time

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def run_id(started: float) -> str:
    """The id of a run that starts at that Unix time."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(started))}-{suffix(os.urandom(8))}"


def attempt_id() -> str:
    """An attempt's id."""
    return suffix(os.urandom(8))


def keyed_run_id(key: str) -> str:
    """The id of a keyed run, all of it drawn from the key, so that every machine computes the same."""
    from hashlib import sha256

    digest = sha256(key.encode("utf-8", "surrogateescape")).digest()
    number = int.from_bytes(digest[8:12], "big") % 1_000_000
    return f"00000000-{number:06d}-{suffix(digest[:8])}"


def suffix(drawn: bytes) -> str:
    """Eight characters, the first of them a letter."""
    return ALPHABET[10 + drawn[0] % 22] + "".join([ALPHABET[byte % 32] for byte in drawn[1:8]])


def is_run_id(text: str) -> bool:
    """Whether the text is the whole id of a run."""
    import re

    return re.fullmatch(r"[0-9]{8}-[0-9]{6}-[a-z][0-9a-z]{7}", text) is not None


def moment(at: float) -> str:
    """RFC 3339 in UTC with microseconds."""
    micros = round(at * 1_000_000)
    seconds, rest = divmod(micros, 1_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:06d}Z"


def slug(path: str) -> str:
    """A file name that is harmless on every system."""
    kept = b"abcdefghijklmnopqrstuvwxyz0123456789._-"
    letters: list[str] = []
    was_kept = True
    for byte in path.encode("utf-8", "surrogateescape").lower():
        if byte in kept:
            letters.append(chr(byte))
        elif was_kept or not letters:
            letters.append("_")
        was_kept = byte in kept
    text = "".join(letters)[-60:]
    return (text[:-1] + "_" if text.endswith(".") else text) or "_"


def pet_name() -> str:
    """A made-up name: quiet-otter."""
    first, second = os.urandom(2)
    adjectives, animals = ADJECTIVES.split(), ANIMALS.split()
    return f"{adjectives[first % len(adjectives)]}-{animals[second % len(animals)]}"


ADJECTIVES = """
amber bold brave bright brisk calm clever cosmic crisp daring deep eager early fair fleet fresh gentle glad
golden grand happy hardy honest humble keen kind late light lively lucky mellow mild misty modest neat nimble
noble patient plain polite proud quick quiet rapid ready rosy rustic sandy sharp shy silent silver sly smooth
snowy solid steady still sunny swift tidy vivid warm wise
"""

ANIMALS = """
badger bear beaver bison bobcat camel crane crow curlew deer dingo dolphin dove eagle egret elk falcon ferret
finch fox gecko gibbon goose hare hawk heron ibex ibis jackal jay kestrel kiwi koala lark lemur lion llama
lynx magpie marmot marten mole moose newt orca osprey otter owl panda pika plover puffin quail raven robin
seal stoat stork swan tapir tern thrush vole wren
"""
