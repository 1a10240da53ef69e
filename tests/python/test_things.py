"""Tables, histograms, curves, confusion matrices and pictures."""

import struct
import types
import unittest
import zlib
from importlib.util import find_spec

from processes import Case  # noqa: F401  (puts the client on the path)

from xtrack import _media, _things


def decoded(data):
    """Size, channels and rows of a PNG of ours."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, parts = 8, {}
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + body)
        parts[kind] = body
        at += 12 + length
    width, height, depth, color, *_ = struct.unpack(">IIBBBBB", parts[b"IHDR"])
    assert depth == 8 and b"IEND" in parts
    channels = {0: 1, 4: 2, 2: 3, 6: 4}[color]
    rows, stride = zlib.decompress(parts[b"IDAT"]), width * channels + 1
    return width, height, channels, [list(rows[row * stride + 1 : (row + 1) * stride]) for row in range(height)]


class Tables(unittest.TestCase):
    def test_tables_of_all_kinds(self):
        expected = {"columns": ["a", "b"], "rows": [[1, "x"], [2, None]]}
        frame = types.SimpleNamespace(columns=["a", "b"], itertuples=lambda index, name: iter([(1, "x"), (2, None)]))
        polar = types.SimpleNamespace(columns=["a", "b"], iter_rows=lambda: iter([(1, "x"), (2, None)]))
        for table in ([{"a": 1, "b": "x"}, {"a": 2}], {"a": [1, 2], "b": ["x", None]}, frame, polar):
            self.assertEqual(_things.table(table), expected)
        self.assertEqual(_things.table([[1, "x"], [2, None]], ["a", "b"]), expected)
        self.assertEqual(_things.table([[1, 2]]), {"columns": ["0", "1"], "rows": [[1, 2]]})
        self.assertEqual(_things.table({"a": [1], "b": [2]}, ["b"]), {"columns": ["b"], "rows": [[2]]})
        self.assertEqual(_things.table([]), {"columns": [], "rows": []})
        with self.assertRaises(ValueError):
            _things.table({"a": [1], "b": []})

    @unittest.skipUnless(find_spec("pandas"), "pandas is not installed")
    def test_pandas(self):
        import pandas

        frame = pandas.DataFrame({"a": [1, 2], "b": ["x", None], "c": pandas.to_datetime(["2026-07-01", "2026-07-02"])})
        table = _things.table(frame)
        self.assertEqual(table["columns"], ["a", "b", "c"])
        self.assertEqual(table["rows"][0], [1, "x", "2026-07-01T00:00:00"])
        self.assertEqual(_things.table(frame.groupby("b").size().reset_index(name="n"))["rows"], [["x", 1]])

    @unittest.skipUnless(find_spec("polars"), "polars is not installed")
    def test_polars(self):
        import polars

        table = _things.table(polars.DataFrame({"a": [1, 2], "b": ["x", None]}))
        self.assertEqual(table, {"columns": ["a", "b"], "rows": [[1, "x"], [2, None]]})


class Histograms(unittest.TestCase):
    def test_each_value_is_in_one_bin(self):
        value = _things.histogram([0, 1, 2, 3, 4, float("nan"), float("inf")], 4, None, None)
        self.assertEqual(value, {"edges": [0.0, 1.0, 2.0, 3.0, 4], "counts": [1, 1, 1, 2]})
        self.assertEqual(_things.histogram([1, 1], 2, None, None)["counts"], [0, 2])
        self.assertEqual(_things.histogram([], 2, None, None)["counts"], [0, 0])
        self.assertEqual(_things.histogram([[0.5], [1.5, 9]], 9, [0, 1, 2], None), {"edges": [0, 1, 2], "counts": [1, 1]})

    def test_given_ones_are_kept(self):
        self.assertEqual(_things.histogram(None, 64, [0, 1, 2], [5, 6]), {"edges": [0, 1, 2], "counts": [5, 6]})
        for edges, counts in (([0, 1], [5, 6]), (None, [1])):
            with self.assertRaises((ValueError, TypeError)):
                _things.histogram(None, 64, edges, counts)

    @unittest.skipUnless(find_spec("numpy"), "numpy is not installed")
    def test_numpy_counts_alike(self):
        import numpy

        values = numpy.array([[0.0, 1.0, 2.0], [3.0, 4.0, numpy.nan]])
        ours = _things.histogram(values.tolist(), 4, None, None)
        self.assertEqual(_things.histogram(values, 4, None, None), ours)


class Classification(unittest.TestCase):
    def test_confusion(self):
        matrix = _things.confusion_matrix(["cat", "dog", "dog"], ["cat", "cat", "dog"], None)
        self.assertEqual(matrix, {"labels": ["cat", "dog"], "counts": [[1, 0], [1, 1]]})
        named = _things.confusion_matrix([0, 1, 1], [0, 0, 1], ["cat", "dog"])
        self.assertEqual(named, matrix)
        self.assertEqual(_things.confusion_matrix([1, 2], [2, 2], [2, 1])["counts"], [[1, 0], [1, 0]])
        with self.assertRaises(ValueError):
            _things.confusion_matrix([1], [], None)

    def test_curves_and_the_area_under_them(self):
        truth, scores = [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]
        roc, area = _things.curve("roc", truth, scores, None, None, None, None, None)
        self.assertEqual(area, 0.75)
        self.assertEqual((roc["x"], roc["y"]), ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0]))
        pr, precision = _things.curve("pr", truth, scores, None, None, None, None, None)
        self.assertAlmostEqual(precision, 0.8333333333333333)
        self.assertEqual((pr["x"][0], pr["y"][0], pr["x_name"]), (0.0, 1.0, "recall"))
        line, area = _things.curve("line", None, None, [0, 1, 2], [0, 1, 0], "t", None, None)
        self.assertEqual((line["x"], area, line["x_name"], line["y_name"]), ([0, 1, 2], 1.0, "t", "y"))
        named, _ = _things.curve("roc", ["no", "yes"], [0.1, 0.9], None, None, None, None, "yes")
        self.assertEqual(named["y"], [0.0, 1.0, 1.0])
        for arguments in (("roc", [1, 1], [0.1, 0.2]), ("roc", ["a", "b"], [0, 1]), ("pr", [0], [1]), ("x", [0, 1], [0, 1])):
            with self.assertRaises(ValueError):
                _things.curve(*arguments, None, None, None, None, None)

    def test_long_curves_are_thinned(self):
        xs = [number / 9999 for number in range(10000)]
        ys = [x * x for x in xs]
        value, _ = _things.curve("line", None, None, xs, ys, None, None, None)
        self.assertLessEqual(len(value["x"]), 1000)
        self.assertEqual((value["x"][0], value["x"][-1]), (0.0, 1.0))


class Pictures(unittest.TestCase):
    def test_rows_become_a_png(self):
        self.assertEqual(decoded(_media.array_png([[0, 255, 7]])), (3, 1, 1, [[0, 255, 7]]))
        self.assertEqual(decoded(_media.array_png([[0.0, 1.0], [0.5, 0.25]])), (2, 2, 1, [[0, 255], [128, 64]]))
        self.assertEqual(decoded(_media.array_png([[[1, 2, 3, 4]]])), (1, 1, 4, [[1, 2, 3, 4]]))
        self.assertEqual(decoded(_media.array_png([[True, False]])), (2, 1, 1, [[255, 0]]))
        for wrong in ([], [[1], [1, 2]], [[[1, 2, 3, 4, 5]]]):
            with self.assertRaises(ValueError):
                _media.array_png(wrong)

    def test_encoded_bytes_stay_as_they_are(self):
        data = _media.png(1, 1, 1, b"\x07")
        self.assertEqual(_media.image_bytes(data), (data, ".png"))
        self.assertEqual(_media.image_bytes(b"\xff\xd8\xff\xe0")[1], ".jpg")
        with self.assertRaises(ValueError):
            _media.image_bytes(b"plain text")

    @unittest.skipUnless(find_spec("numpy"), "numpy is not installed")
    def test_arrays(self):
        import numpy

        grey = numpy.array([[0, 255], [1, 2]], dtype="uint8")
        self.assertEqual(decoded(_media.array_png(grey)), (2, 2, 1, [[0, 255], [1, 2]]))
        color = numpy.zeros((2, 3, 3))
        color[0, 0] = [1.0, 0.5, numpy.nan]
        self.assertEqual(decoded(_media.array_png(color))[:3], (3, 2, 3))
        self.assertEqual(decoded(_media.array_png(color))[3][0][:3], [255, 128, 0])
        self.assertEqual(decoded(_media.array_png(numpy.zeros((3, 8, 9), "uint8")))[:3], (9, 8, 3))
        self.assertEqual(decoded(_media.array_png(numpy.array([[300, -5]])))[3], [[255, 0]])
        self.assertEqual(decoded(_media.array_png(numpy.array([[True, False]])))[3], [[255, 0]])
        for shape in ((2,), (5, 5, 5), (0, 3)):
            with self.assertRaises(ValueError):
                _media.array_png(numpy.zeros(shape))

    @unittest.skipUnless(find_spec("PIL"), "PIL is not installed")
    def test_pil_reads_ours_and_we_take_its(self):
        import io

        from PIL import Image

        with Image.open(io.BytesIO(_media.array_png([[[1, 2, 3], [4, 5, 6]]]))) as image:
            self.assertEqual((image.mode, image.size, image.getpixel((1, 0))), ("RGB", (2, 1), (4, 5, 6)))
            self.assertEqual(_media.image_bytes(image)[1], ".png")
        self.assertEqual(_media.image_bytes(Image.new("CMYK", (1, 1)))[1], ".png")

    def test_figures(self):
        class Figure:
            def savefig(self, file, format, **options):
                file.write(format.encode())

        axes = types.SimpleNamespace(figure=Figure())
        plotly = types.SimpleNamespace(to_plotly_json=None, to_json=lambda: "{}", to_html=lambda include_plotlyjs: "<html>")
        self.assertEqual(_media.figure_bytes(Figure(), None), (b"png", ".png"))
        self.assertEqual(_media.figure_bytes(axes, "svg"), (b"svg", ".svg"))
        self.assertEqual(_media.figure_bytes(plotly, None), (b"<html>", ".html"))
        self.assertEqual(_media.figure_bytes(plotly, "json"), (b"{}", ".json"))
        with self.assertRaises(TypeError):
            _media.figure_bytes(3, None)

    @unittest.skipUnless(find_spec("matplotlib"), "matplotlib is not installed")
    def test_matplotlib(self):
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as pyplot

        figure, axes = pyplot.subplots()
        axes.plot([1, 2])
        self.assertTrue(_media.figure_bytes(pyplot, None)[0].startswith(b"\x89PNG"))
        self.assertIn(b"<svg", _media.figure_bytes(axes, "svg")[0])
        pyplot.close(figure)


if __name__ == "__main__":
    unittest.main()
