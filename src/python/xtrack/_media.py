"""Pictures and figures as bytes: PNG from arrays, and what matplotlib, plotly and PIL draw.

Knows those by what their objects can do, and imports none of them. Nothing here writes to a run.
"""

from __future__ import annotations

import os
import struct
import sys
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
    ".pdf": "application/pdf",
    ".html": "text/html",
    ".json": "application/json",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".txt": "text/plain",
    ".log": "text/plain",
    ".md": "text/markdown",
    ".py": "text/x-python",
    ".toml": "application/toml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".npy": "application/x-npy",
    ".npz": "application/x-npz",
    ".parquet": "application/vnd.apache.parquet",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".zip": "application/zip",
    ".gz": "application/gzip",
}

SIGNATURES = ((b"\x89PNG", ".png"), (b"\xff\xd8\xff", ".jpg"), (b"GIF8", ".gif"), (b"RIFF", ".webp"), (b"<svg", ".svg"))


def media_type(path: str) -> str | None:
    """The media type that a file's name tells."""
    return TYPES.get(os.path.splitext(path)[1].lower())


# -- figures


def figure_bytes(figure: Any, format: str | None) -> tuple[bytes, str]:
    """A figure of matplotlib or plotly, or anything that can say itself in HTML: its bytes and its suffix."""
    if hasattr(figure, "gcf"):  # pyplot itself
        figure = figure.gcf()
    if not hasattr(figure, "savefig") and hasattr(getattr(figure, "figure", None), "savefig"):
        figure = figure.figure  # an Axes, or what seaborn returns
    if hasattr(figure, "savefig"):
        return _savefig(figure, format or "png")
    if hasattr(figure, "to_plotly_json"):
        return _plotly(figure, format or "html")
    if hasattr(figure, "to_html"):
        return str(figure.to_html()).encode("utf-8", "replace"), ".html"
    raise TypeError(f"a {type(figure).__name__} is no figure of matplotlib or plotly")


def _savefig(figure: Any, format: str) -> tuple[bytes, str]:
    from io import BytesIO

    buffer = BytesIO()
    figure.savefig(buffer, format=format, bbox_inches="tight")
    return buffer.getvalue(), f".{format}"


def _plotly(figure: Any, format: str) -> tuple[bytes, str]:
    if format == "json":
        return str(figure.to_json()).encode("utf-8", "replace"), ".json"
    if format == "html":
        # The library itself is 4 MB a figure: it is named, not held.
        return str(figure.to_html(include_plotlyjs="cdn")).encode("utf-8", "replace"), ".html"
    return bytes(figure.to_image(format=format)), f".{format}"


# -- images


def image_bytes(image: Any) -> tuple[bytes, str]:
    """An image as bytes with their suffix: encoded bytes, PIL, or an array HxW, HxWx1, HxWx3 or HxWx4."""
    if isinstance(image, (bytes, bytearray, memoryview)):
        data = bytes(image)
        for start, suffix in SIGNATURES:
            if data.startswith(start):
                return data, suffix
        raise ValueError("the bytes are no PNG, JPEG, GIF, WebP or SVG")
    if hasattr(image, "savefig") or hasattr(image, "to_plotly_json"):
        return figure_bytes(image, None)
    if hasattr(image, "save") and hasattr(image, "mode"):
        return _pil(image)
    return array_png(image), ".png"


def _pil(image: Any) -> tuple[bytes, str]:
    from io import BytesIO

    buffer = BytesIO()
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"):
        image = image.convert("RGB")
    image.save(buffer, format="PNG")
    return buffer.getvalue(), ".png"


def array_png(image: Any) -> bytes:
    """An array as PNG: bytes as they are, booleans black and white, floats from 0 to 1 (or to 255 if any is greater)."""
    for method in ("detach", "cpu"):  # torch
        if callable(getattr(image, method, None)):
            image = getattr(image, method)()
    if not hasattr(image, "tobytes") and hasattr(image, "numpy"):
        image = image.numpy()
    if hasattr(image, "__array__") and "numpy" in sys.modules:
        return _numpy_png(sys.modules["numpy"].asarray(image))
    if hasattr(image, "tolist"):
        image = image.tolist()
    return _rows_png(image)


def _numpy_png(array: Any) -> bytes:
    if array.ndim == 3 and array.shape[2] not in (1, 2, 3, 4) and array.shape[0] in (1, 2, 3, 4):
        array = array.transpose(1, 2, 0)  # channels first, as torch has them
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 2, 3, 4)) or 0 in array.shape:
        raise ValueError(f"an array of shape {tuple(array.shape)} is no image")
    kind = array.dtype.kind
    if kind == "b":
        array = array.astype("uint8") * 255
    elif kind == "f":
        numpy: Any = sys.modules["numpy"]
        array = numpy.nan_to_num(array.astype("float64"), nan=0.0, posinf=0.0, neginf=0.0)
        scale = 255.0 if array.max() <= 1.0 else 1.0
        array = (array * scale).round().clip(0, 255).astype("uint8")
    elif array.dtype.name != "uint8":
        array = array.clip(0, 255).astype("uint8")
    height, width = array.shape[:2]
    channels = array.shape[2] if array.ndim == 3 else 1
    return png(width, height, channels, array.tobytes())


def _rows_png(rows: Any) -> bytes:
    """Nested lists: rows of numbers, or of lists of one to four."""
    rows = [list(row) for row in rows]
    height, width = len(rows), len(rows[0]) if rows else 0
    if not width or any(len(row) != width for row in rows):
        raise ValueError("rows of different lengths, or none, are no image")
    first = rows[0][0]
    channels = len(first) if hasattr(first, "__len__") else 1
    if channels not in (1, 2, 3, 4):
        raise ValueError(f"{channels} channels are no image")
    flat = [value for row in rows for pixel in row for value in (pixel if hasattr(pixel, "__len__") else (pixel,))]
    if any(isinstance(value, (bool, float)) for value in flat) and max(flat) <= 1:
        flat = [value * 255 for value in flat]
    return png(width, height, channels, bytes([min(255, max(0, round(value))) for value in flat]))


def png(width: int, height: int, channels: int, data: bytes) -> bytes:
    """A PNG of 8 bits: grey, grey and alpha, RGB or RGBA, rows one after the other."""
    stride = width * channels
    if len(data) != stride * height:
        raise ValueError(f"{len(data)} bytes are no {width}x{height} image of {channels} channels")
    rows = b"".join([b"\0" + data[at : at + stride] for at in range(0, len(data), stride)])
    color = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join([_chunk(kind, part) for kind, part in parts])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
