"""`run.config` and `run.summary`: dicts whose every change is logged.

What is set is laid over what was there, deep, as the record will have it; nothing is ever taken away.
"""

from __future__ import annotations

from xtrack._say import guarded, trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping
    from typing import Any

    _Mapping = MutableMapping[str, Any]
else:
    # `collections.abc` under the name by which the interpreter has loaded it at its start.
    from _collections_abc import MutableMapping as _Mapping


class Config(_Mapping):
    """Params: `config["lr"]`, `config.lr`, `config.model.depth`, `config.update(anything that holds named values)`."""

    __slots__ = ("_data", "_put")
    _data: dict[str, Any]
    _put: Callable[[dict[str, Any]], None]

    def __init__(self, put: Callable[[dict[str, Any]], None], data: dict[str, Any] | None = None) -> None:
        object.__setattr__(self, "_data", {} if data is None else data)
        object.__setattr__(self, "_put", put)

    def __getitem__(self, key: str) -> Any:
        value = self._data[key]
        return Config(self._putter(key), value) if type(value) is dict else value

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        trouble("config: delete", f"config: '{key}' stays: params are only added to")

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no param '{name}'") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    @guarded
    def update(self, values: Any = None, /, **named: Any) -> None:
        """Sets what a dict, Namespace, dataclass, OmegaConf, pydantic or attrs object holds."""
        from xtrack._values import mapping_of

        said = {} if values is None else as_dict(mapping_of(values))
        if said is None:
            trouble("config: no dict", f"config: cannot read params from a {type(values).__name__}")
            return
        said.update(named)
        if said:
            lay_over(self._data, said)
            self._put(said)

    def as_dict(self) -> dict[str, Any]:
        """A copy as plain dicts."""
        copy = as_dict(self._data)
        assert copy is not None
        return copy

    def _putter(self, key: str) -> Callable[[dict[str, Any]], None]:
        put = self._put
        return lambda values: put({key: values})

    def __repr__(self) -> str:
        return f"Config({self._data!r})"


def as_dict(values: Any) -> dict[str, Any] | None:
    """Named values, nested ones included, as dicts of our own; other values as they are."""
    from xtrack._values import mapping_of

    if not isinstance(values, dict):
        return None
    copy: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Config):
            value = value._data
        inner = None if isinstance(value, tuple) else mapping_of(value)
        copy[key if type(key) is str else str(key)] = value if inner is None else as_dict(inner)
    return copy


def lay_over(base: dict[str, Any], over: dict[str, Any]) -> None:
    """Sets what `over` holds; dicts on both sides are joined."""
    for key, value in over.items():
        below = base.get(key)
        if type(value) is dict and type(below) is dict:
            lay_over(below, value)
        else:
            base[key] = as_dict(value) if type(value) is dict else value


class Summary(_Mapping):
    """Values without a step: `summary["best"] = 0.93`. It reads back what was set, not what was logged."""

    __slots__ = ("_data", "_put")

    def __init__(self, put: Callable[[str], None] | None) -> None:
        self._data: dict[str, Any] = {}
        self._put = put

    def __getitem__(self, key: str) -> Any:
        return self._data[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        trouble("summary: delete", f"summary: '{key}' stays: values are only set")

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    @guarded
    def update(self, values: Any = None, /, **named: Any) -> None:
        """Sets several; nested ones get names joined with `/`."""
        from xtrack._values import dumps, numbers

        said = {**(dict(values) if values is not None else {}), **named}
        self._data.update(said)
        if self._put is None:
            return
        found = numbers(said)
        if found:
            self._put("{" + ",".join([f"{dumps(name)}:{number}" for name, number in found.items()]) + "}")

    def __repr__(self) -> str:
        return f"Summary({self._data!r})"
