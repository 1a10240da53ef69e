"""What is logged and is no number, in the shapes of the protocol: tables, histograms, curves, confusion matrices.

Pure: takes values, gives what JSON has. pandas, polars, numpy and torch are known by what their objects can do.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

CURVE_POINTS_MAX = 1000


def listed(values: Any) -> list[Any]:
    """Any sequence, array or tensor as a list."""
    for method in ("detach", "cpu"):
        if callable(getattr(values, method, None)):
            values = getattr(values, method)()
    for method in ("tolist", "to_list", "numpy"):
        if callable(getattr(values, method, None)):
            values = getattr(values, method)()
    if hasattr(values, "tolist"):
        values = values.tolist()
    return list(values)


def _flat(values: Any) -> list[Any]:
    flat: list[Any] = []
    for value in listed(values):
        if isinstance(value, (list, tuple)) or (hasattr(value, "tolist") and bool(getattr(value, "shape", None))):
            flat.extend(_flat(value))
        else:
            flat.append(value)
    return flat


def _number(value: Any) -> float:
    return value if type(value) is float or type(value) is int else float(value)


# -- tables


def table(data: Any, columns: Sequence[str] | None = None) -> dict[str, Any]:
    """`{"columns": […], "rows": [[…], …]}` of a list of dicts, a dict of lists, a data frame, or rows with `columns`."""
    from xtrack._values import plain

    names, rows = _columns_and_rows(data, columns)
    if columns is not None and list(columns) != names:
        places = [names.index(name) for name in columns]
        names, rows = list(columns), [[row[place] for place in places] for row in rows]
    return {"columns": [str(name) for name in names], "rows": [[plain(cell) for cell in row] for row in rows]}


def _columns_and_rows(data: Any, columns: Sequence[str] | None) -> tuple[list[Any], list[list[Any]]]:
    if hasattr(data, "itertuples") and hasattr(data, "columns"):  # pandas
        return list(data.columns), [list(row) for row in data.itertuples(index=False, name=None)]
    if hasattr(data, "iter_rows") and hasattr(data, "columns"):  # polars
        return list(data.columns), [list(row) for row in data.iter_rows()]
    if hasattr(data, "to_pylist"):  # arrow
        data = data.to_pylist()
    if hasattr(data, "items"):
        return _of_columns({key: listed(column) for key, column in data.items()})
    rows = listed(data)
    if any(hasattr(row, "keys") for row in rows):
        names = list(dict.fromkeys(key for row in rows for key in row.keys()))
        return names, [[row.get(name) for name in names] for row in rows]
    matrix = [listed(row) for row in rows]
    width = max((len(row) for row in matrix), default=0)
    return list(columns) if columns is not None else [str(number) for number in range(width)], matrix


def _of_columns(data: dict[Any, list[Any]]) -> tuple[list[Any], list[list[Any]]]:
    height = max((len(column) for column in data.values()), default=0)
    if any(len(column) != height for column in data.values()):
        raise ValueError("the columns have different lengths")
    return list(data), [list(row) for row in zip(*data.values())]


def as_csv(value: dict[str, Any]) -> bytes:
    """A table as CSV."""
    import csv
    from io import StringIO

    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(value["columns"])
    writer.writerows(value["rows"])
    return text.getvalue().encode("utf-8", "replace")


# -- histograms


def histogram(values: Any, bins: Any, edges: Any, counts: Any) -> dict[str, Any]:
    """`{"edges": […], "counts": […]}`: counted here, or as given. What is not finite is not counted."""
    if counts is not None:
        given = edges if edges is not None else bins
        return _given_histogram([_number(edge) for edge in listed(given)], listed(counts))
    if values is None:
        raise ValueError("wants values, or edges and counts")
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None and hasattr(values, "__array__") and not hasattr(values, "detach"):
        return _numpy_histogram(numpy, values, bins, edges)
    numbers = [number for number in map(_number, _flat(values)) if number - number == 0]
    cuts = [_number(edge) for edge in listed(edges)] if edges is not None else _cuts(numbers, bins)
    return {"edges": cuts, "counts": _count(numbers, cuts)}


def _given_histogram(edges: list[float], counts: list[Any]) -> dict[str, Any]:
    if len(edges) != len(counts) + 1:
        raise ValueError(f"{len(counts)} counts want {len(counts) + 1} edges, not {len(edges)}")
    return {"edges": edges, "counts": [_number(count) for count in counts]}


def _numpy_histogram(numpy: Any, values: Any, bins: Any, edges: Any) -> dict[str, Any]:
    array = numpy.asarray(values, dtype="float64").ravel()
    counts, cuts = numpy.histogram(array[numpy.isfinite(array)], bins=bins if edges is None else numpy.asarray(edges))
    return {"edges": cuts.tolist(), "counts": counts.tolist()}


def _cuts(numbers: list[float], bins: Any) -> list[float]:
    if not isinstance(bins, int):
        return [_number(edge) for edge in listed(bins)]
    if bins < 1:
        raise ValueError("wants at least one bin")
    low, high = (min(numbers), max(numbers)) if numbers else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return [low + (high - low) * place / bins for place in range(bins)] + [high]


def _count(numbers: list[float], edges: list[float]) -> list[int]:
    from bisect import bisect_right

    if len(edges) < 2 or any(right < left for left, right in zip(edges, edges[1:])):
        raise ValueError("edges want to be two or more, in order")
    counts = [0] * (len(edges) - 1)
    for number in numbers:
        if edges[0] <= number <= edges[-1]:  # The last bin holds its right edge.
            counts[min(bisect_right(edges, number), len(counts)) - 1] += 1
    return counts


# -- classification


def confusion_matrix(y_true: Any, y_pred: Any, labels: Iterable[Any] | None) -> dict[str, Any]:
    """`{"labels": […], "counts": [[…]]}`: a row for each true label, a column for each predicted one."""
    truth, predicted = listed(y_true), listed(y_pred)
    if len(truth) != len(predicted):
        raise ValueError(f"{len(truth)} true labels and {len(predicted)} predicted ones")
    known = listed(labels) if labels is not None else _labels([*truth, *predicted])
    # Labels may name the classes 0, 1, … that the predictions hold.
    by_place = not set(truth).union(predicted) <= set(known) and all(isinstance(value, int) for value in [*truth, *predicted])
    place = {number: number for number in range(len(known))} if by_place else {label: at for at, label in enumerate(known)}
    counts = [[0] * len(known) for _ in known]
    for true, guess in zip(truth, predicted):
        if true in place and guess in place:
            counts[place[true]][place[guess]] += 1
    return {"labels": [str(label) for label in known], "counts": counts}


def _labels(values: list[Any]) -> list[Any]:
    try:
        return sorted(set(values))
    except TypeError:
        return sorted(set(values), key=str)


def curve(
    kind: str, y_true: Any, y_score: Any, x: Any, y: Any, x_name: str | None, y_name: str | None, positive: Any
) -> tuple[dict[str, Any], float]:
    """A curve and the area under it: of points as given, or the ROC or precision-recall curve of scores."""
    if y_true is not None:
        ranked = _ranked(listed(y_true), [_number(score) for score in _flat(y_score)], positive)
        if kind not in ("roc", "pr"):
            raise ValueError(f"'{kind}' wants x and y; roc and pr are worked out from y_true and y_score")
        xs, ys = _roc(ranked) if kind == "roc" else _precision_recall(ranked)
    elif x is not None and y is not None:
        xs, ys = [_number(value) for value in _flat(x)], [_number(value) for value in _flat(y)]
    else:
        raise ValueError("wants y_true and y_score, or x and y")
    if len(xs) != len(ys):
        raise ValueError(f"{len(xs)} values of x and {len(ys)} of y")
    names = {"roc": ("false positive rate", "true positive rate"), "pr": ("recall", "precision")}.get(kind, ("x", "y"))
    area = _step_area(xs, ys) if kind == "pr" and y_true is not None else _area(xs, ys)
    xs, ys = _thinned(xs, ys)
    return {"kind": kind, "x": xs, "y": ys, "x_name": x_name or names[0], "y_name": y_name or names[1]}, area


def _ranked(truth: list[Any], scores: list[float], positive: Any) -> list[tuple[int, int]]:
    """True and false positives after each distinct score, from the highest down."""
    if len(truth) != len(scores):
        raise ValueError(f"{len(truth)} labels and {len(scores)} scores")
    if positive is None:
        found = set(truth)
        if not found <= {0, 1, -1}:
            raise ValueError("labels other than 0 and 1 want positive=…")
        positive = 1
    order = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
    points, hits, misses = [(0, 0)], 0, 0
    for place, at in enumerate(order):
        is_hit = bool(truth[at] == positive)
        hits, misses = hits + is_hit, misses + (not is_hit)
        if place + 1 == len(order) or scores[order[place + 1]] != scores[at]:
            points.append((hits, misses))
    return points


def _roc(ranked: list[tuple[int, int]]) -> tuple[list[float], list[float]]:
    hits, misses = ranked[-1]
    if not hits or not misses:
        raise ValueError("a ROC curve wants both positive and negative labels")
    return [miss / misses for _, miss in ranked], [hit / hits for hit, _ in ranked]


def _precision_recall(ranked: list[tuple[int, int]]) -> tuple[list[float], list[float]]:
    hits, _ = ranked[-1]
    if not hits:
        raise ValueError("a precision-recall curve wants positive labels")
    points = [(hit / hits, hit / (hit + miss)) for hit, miss in ranked[1:]]
    return [0.0] + [recall for recall, _ in points], [1.0] + [precision for _, precision in points]


def _area(xs: list[float], ys: list[float]) -> float:
    steps = zip(xs, xs[1:], ys, ys[1:])
    return sum((right - left) * (low + high) / 2 for left, right, low, high in steps)


def _step_area(xs: list[float], ys: list[float]) -> float:
    """Average precision: each step at the precision it ends with."""
    return sum((right - left) * high for left, right, high in zip(xs, xs[1:], ys[1:]))


def _thinned(xs: list[float], ys: list[float]) -> tuple[list[float], list[float]]:
    """At most so many points that a plot can show; corners of steps before others."""
    kept = [at for at in range(len(xs)) if at in (0, len(xs) - 1) or not _is_straight(xs, ys, at)]
    if len(kept) > CURVE_POINTS_MAX:
        last = len(kept) - 1
        kept = [kept[place * last // (CURVE_POINTS_MAX - 1)] for place in range(CURVE_POINTS_MAX)]
    return [xs[at] for at in kept], [ys[at] for at in kept]


def _is_straight(xs: list[float], ys: list[float], at: int) -> bool:
    across = (xs[at] - xs[at - 1]) * (ys[at + 1] - ys[at])
    return bool(across == (ys[at] - ys[at - 1]) * (xs[at + 1] - xs[at]))
