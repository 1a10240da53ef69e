"""Python values as the protocol's JSON: numbers of metrics, and params of any kind.

Knows numpy, torch, OmegaConf, pydantic and others by what their objects can do, and imports none of them.
"""

from __future__ import annotations

import sys

from xtrack._say import describe, trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

DEPTH_MAX = 64
ARRAY_MAX = 1000
TEXT_MAX = 1000

_INT_LIMIT = 2**127


def dumps(value: Any) -> str:
    """JSON text of what `plain` gives; never with halves of surrogate pairs, which no UTF-8 holds."""
    import json

    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=plain)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-8", "replace").decode()
    return text


# -- numbers


def step_text(step: Any) -> str:
    """The step as a key of an event; nothing if it is no number."""
    if step is None:
        return ',"step":null'
    number = number_text(step)
    if number is None or number.startswith('"'):
        trouble("log: step", f"log(): the step {step!r:.80} is no number: passed over")
        return ""
    return f',"step":{number}'


def numbers(values: Any, prefix: str = "", depth: int = 0) -> dict[str, str]:
    """The numbers of a dict as JSON text, nested ones by names joined with `/`. What is none is said once and left out."""
    found: dict[str, str] = {}
    if not hasattr(values, "items"):
        values = mapping_of(values)
    if values is None:
        trouble("log: no dict", "log(): wants a dict of numbers, as in log({'loss': 0.1})")
        return found
    for key, value in values.items():
        name = f"{prefix}{key}"
        number = number_text(value)
        if number is not None:
            found[name] = number
        elif hasattr(value, "items") and depth < DEPTH_MAX and not hasattr(value, "dtype"):
            found.update(numbers(value, f"{name}/", depth + 1))
        else:
            refuse(name, value)
    return found


def refuse(name: str, value: Any) -> None:
    """Says once for each metric why its value is not logged."""
    if value is None:
        reason = "None is no number"
    elif isinstance(value, (str, bytes)):
        reason = "it is text; log_text() keeps it"
    elif hasattr(value, "savefig") or hasattr(value, "to_plotly_json"):
        reason = "it is a figure; log_figure() keeps it"
    elif hasattr(value, "shape") or isinstance(value, (list, tuple)):
        reason = "it is more than one number; log_histogram() or log_table() keeps it"
    else:
        reason = f"a {type(value).__name__} is no number"
    trouble(f"log: value of {name}", f"log(): '{name}' is passed over: {reason}")


def number_text(value: Any) -> str | None:
    """A number in JSON as metrics have it: true is 1, what is not finite is a string. None for what is no number."""
    if isinstance(value, float):
        return _float_text(float(value))  # numpy's own subtraction would warn of infinities.
    if isinstance(value, int):
        return _int_text(int(value))
    if value is None or isinstance(value, (str, bytes, bytearray, complex, dict, list, tuple)):
        return None
    return _foreign_number_text(value)


def _float_text(value: float) -> str:
    if value - value == 0.0:
        return float.__repr__(value)
    return '"NaN"' if value != value else '"Infinity"' if value > 0 else '"-Infinity"'


def _int_text(value: int) -> str | None:
    if -_INT_LIMIT <= value < _INT_LIMIT:
        return int.__repr__(value)
    try:
        return _float_text(float(value))
    except OverflowError:
        return None


def _foreign_number_text(value: Any) -> str | None:
    """A number of numpy, torch, jax, tensorflow, decimal, fractions, …: anything that is one number."""
    try:
        item = getattr(value, "item", None)
        if callable(item):
            value = item()
            if not isinstance(value, (int, float)):
                value = float(value)  # numpy's longdouble, decimals held in arrays
        elif callable(getattr(value, "numpy", None)):
            value = value.numpy().item()
        elif hasattr(value, "__float__"):
            value = float(value)
        else:
            return None
    except Exception:
        return None  # More than one element, or no number after all.
    if isinstance(value, float):
        return _float_text(value)
    return _int_text(int(value)) if isinstance(value, int) else None


# -- params


def mapping_of(value: Any) -> dict[Any, Any] | None:
    """What holds named values, as a dict: dict, Namespace, dataclass, OmegaConf, pydantic, attrs, named tuple."""
    kind = type(value)
    if kind is dict:
        return value  # type: ignore[no-any-return]
    if isinstance(value, type) or value is None or isinstance(value, (str, bytes, int, float)):
        return None
    module = kind.__module__ or ""
    if module.startswith("omegaconf"):
        omegaconf: Any = sys.modules.get("omegaconf")
        found = omegaconf.OmegaConf.to_container(value, resolve=True) if omegaconf else None
        return found if isinstance(found, dict) else None
    for method in ("model_dump", "to_container", "_asdict"):
        if callable(getattr(kind, method, None)):
            found = getattr(value, method)()
            return found if isinstance(found, dict) else None
    fields = getattr(kind, "__dataclass_fields__", None)
    if fields is not None:
        return {name: getattr(value, name) for name in fields if hasattr(value, name)}
    attributes = getattr(kind, "__attrs_attrs__", None)
    if attributes is not None:
        return {field.name: getattr(value, field.name) for field in attributes}
    if hasattr(value, "keys") and hasattr(value, "__getitem__") and not hasattr(value, "dtype"):
        return {key: value[key] for key in value.keys()}
    if kind.__name__ in ("Namespace", "SimpleNamespace") or module == "types":
        return dict(vars(value)) if hasattr(value, "__dict__") else None
    return None


def plain(value: Any, depth: int = 0) -> Any:
    """The value in what JSON has. What JSON lacks is written as the protocol says, or as the text people would write."""
    kind = type(value)
    if value is None or kind is str or kind is bool or kind is float:
        return value
    if kind is int:
        return _plain_int(value)
    if depth > DEPTH_MAX:
        return f"{value!r:.{TEXT_MAX}}" if isinstance(value, (str, int, float)) else f"<{kind.__name__}>"
    if kind is list or kind is tuple:
        return [plain(each, depth + 1) for each in value]
    if kind is dict:
        return {_plain_key(key): plain(each, depth + 1) for key, each in value.items()}
    if isinstance(value, (bytes, bytearray, memoryview)):
        from base64 import b64encode

        return {"$bytes": b64encode(bytes(value)).decode()}
    try:
        return _plain_foreign(value, depth)
    except Exception as error:
        trouble(f"params: {kind.__name__}", f"cannot read a param of type {kind.__name__}: {describe(error)}")
        return f"<{kind.__name__}>"


def _plain_int(value: int) -> Any:
    try:
        int.__repr__(value)
        return value
    except ValueError:  # Longer than this Python agrees to print.
        return hex(value)


def _plain_key(key: Any) -> str:
    """A key as text; one that begins with `$` gets one more, so that it is not taken for ours."""
    text = key if type(key) is str else str(plain(key))
    return f"${text}" if text.startswith("$") else text


def _plain_foreign(value: Any, depth: int) -> Any:
    kind = type(value)
    enumeration: Any = sys.modules.get("enum")
    if enumeration is not None and isinstance(value, enumeration.Enum):
        member = value.value
        return plain(member, depth + 1) if isinstance(member, (str, int, float)) else value.name
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool):
        return bool(value)
    if isinstance(value, int):
        return _plain_int(int(value))
    if isinstance(value, float):
        return float(value)
    if kind.__name__ in ("NAType", "NaTType"):
        return None  # pandas: nothing is there
    if isinstance(value, type) or callable(value) and hasattr(value, "__qualname__"):
        return _qualified(value)
    if hasattr(value, "__fspath__"):
        path = value.__fspath__()
        return path if isinstance(path, str) else plain(path, depth + 1)
    mapping = mapping_of(value)
    if mapping is not None:
        return {_plain_key(key): plain(each, depth + 1) for key, each in mapping.items()}
    if (kind.__module__ or "").startswith("omegaconf"):
        omegaconf: Any = sys.modules["omegaconf"]
        return plain(omegaconf.OmegaConf.to_container(value, resolve=True), depth + 1)
    if isinstance(value, (set, frozenset)):
        return [plain(each, depth + 1) for each in sorted(value, key=repr)]
    if isinstance(value, (list, tuple, range)):
        return [plain(each, depth + 1) for each in value]
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        return _plain_array(value, depth)
    if callable(getattr(value, "isoformat", None)):
        return value.isoformat()
    return _described(value)


def _plain_array(value: Any, depth: int) -> Any:
    size = 1
    for length in getattr(value, "shape", ()):
        size *= int(length)
    if size <= ARRAY_MAX:
        return plain(value.tolist(), depth + 1)
    shape = "x".join(str(int(length)) for length in value.shape)
    return f"<{type(value).__name__} {shape} {value.dtype}>"


def _qualified(value: Any) -> str:
    module = getattr(value, "__module__", None)
    name = str(value.__qualname__)
    return name if module in (None, "builtins", "__main__") else f"{module}.{name}"


def _described(value: Any) -> str:
    """Its text if it has one of its own; the default one names a place in memory, which says nothing."""
    kind = type(value)
    has_own = any("__str__" in base.__dict__ or "__repr__" in base.__dict__ for base in kind.__mro__[:-1])
    if not has_own:
        return f"<{_qualified(kind)}>"
    return str(value)[:TEXT_MAX]
