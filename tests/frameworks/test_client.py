"""The client itself with what people hand it: data frames, figures, arrays, scalars of other libraries."""

import datetime
import io
import json
import math
import unittest

import matplotlib
import numpy
import pandas
import plotly.graph_objects
import polars
import xtrack
from PIL import Image
from sklearn import metrics
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from support import Case, main

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

try:
    import torch
except ImportError:
    torch = None

PIXELS, LABELS = load_digits(return_X_y=True)


class Scalars(Case):
    def test_scalars_of_numpy_are_numbers(self):
        with self.recording() as found:
            xtrack.log(
                {
                    "float64": numpy.float64(0.1),
                    "float32": numpy.float32(0.5),
                    "float16": numpy.float16(0.25),
                    "int64": numpy.int64(2**62),
                    "uint8": numpy.uint8(200),
                    "bool": numpy.bool_(True),
                    "zero_dimensional": numpy.array(1.5),
                    "one_element": numpy.array([2.5]),
                    "nan": numpy.float32("nan"),
                    "infinity": numpy.float64("-inf"),
                    "longdouble": numpy.longdouble(0.75),
                },
                step=numpy.int64(3),
            )
        values = {name: found.series(name)[3] for name in found.points}
        self.assertTrue(math.isnan(values.pop("nan")))
        self.assertEqual(
            values,
            {
                "float64": 0.1,
                "float32": 0.5,
                "float16": 0.25,
                "int64": 2**62,
                "uint8": 200,
                "bool": 1,
                "zero_dimensional": 1.5,
                "one_element": 2.5,
                "infinity": -math.inf,
                "longdouble": 0.75,
            },
        )

    def test_scalars_of_data_frames_are_numbers(self):
        frame = pandas.DataFrame({"a": [1, 2], "b": [0.5, None]})
        other = polars.DataFrame({"a": [1, 2], "b": [0.5, 1.5]})
        with self.recording() as found:
            xtrack.log({"mean": frame["b"].mean(), "at": frame.loc[1, "a"], "polars": other["b"].sum()}, step=0)
        self.assertEqual({name: found.series(name)[0] for name in found.points}, {"mean": 0.5, "at": 2, "polars": 2.0})

    @unittest.skipUnless(torch, "no torch here")
    def test_tensors_are_numbers(self):
        with self.recording() as found:
            xtrack.log(
                {
                    "loss": torch.tensor(0.5, requires_grad=True),
                    "half": torch.tensor(0.25, dtype=torch.bfloat16),
                    "count": torch.tensor([7]),
                },
                step=torch.tensor(2),
            )
            xtrack.log_histogram("weights", torch.arange(10.0), step=2)
            xtrack.log_image("picture", torch.zeros(3, 4, 5), step=2)
        self.assertEqual(
            {name: found.series(name)[2] for name in found.points}, {"loss": 0.5, "half": 0.25, "count": 7}
        )
        self.assertEqual(sum(found.things[0]["value"]["counts"]), 10)

    def test_params_of_numpy_and_pandas(self):
        with self.recording() as found:
            xtrack.config.update(
                {
                    "lr": numpy.float32(0.5),
                    "layers": numpy.array([16, 32]),
                    "seed": numpy.int64(7),
                    "flag": numpy.bool_(False),
                    "when": pandas.Timestamp("2026-01-02T03:04:05"),
                    "type": numpy.dtype("float32"),
                    "large": numpy.zeros((1000, 1000)),
                }
            )
        params = found.params
        self.assertEqual((params["lr"], params["layers"], params["seed"], params["flag"]), (0.5, [16, 32], 7, False))
        self.assertEqual((params["when"], params["type"]), ("2026-01-02T03:04:05", "float32"))
        self.assertLess(len(json.dumps(params)), 1000)


class Tables(Case):
    ROWS = [{"name": "a", "size": 1, "share": 0.5}, {"name": "b", "size": 2, "share": None}]

    def test_a_pandas_frame(self):
        frame = pandas.DataFrame({"name": ["a", "b"], "size": [1, 2], "share": [0.5, None]})
        with self.recording() as found:
            xtrack.log_table("samples", frame, step=4)
        (first, second) = found.table("samples")
        self.assertEqual(first, self.ROWS[0])
        self.assertEqual((second["name"], second["size"]), ("b", 2))
        self.assertTrue(math.isnan(second["share"]), "pandas has NaN where there is nothing")
        self.assertEqual(found.things[0]["step"], 4)

    def test_a_pandas_frame_with_everything(self):
        frame = pandas.DataFrame(
            {
                "when": pandas.to_datetime(["2026-01-02", None]),
                "kind": pandas.Categorical(["x", "y"]),
                "maybe": pandas.array([1, None], dtype="Int64"),
                "text": pandas.array(["a", None], dtype="string"),
                "list": [[1, 2], [3]],
                "flag": [True, False],
            },
            index=["p", "q"],
        )
        with self.recording() as found:
            xtrack.log_table("samples", frame)
        (first, second) = found.table("samples")
        self.assertEqual((first["kind"], first["maybe"], first["text"], first["list"]), ("x", 1, "a", [1, 2]))
        self.assertTrue(first["when"].startswith("2026-01-02"))
        self.assertEqual((second["maybe"], second["text"], second["when"]), (None, None, None))
        self.assertIs(second["flag"], False)

    def test_a_polars_frame(self):
        frame = polars.DataFrame(self.ROWS).with_columns(day=datetime.date(2026, 1, 2), list=[1, 2])
        with self.recording() as found:
            xtrack.log_table("samples", frame)
        expected = [{**row, "day": "2026-01-02", "list": [1, 2]} for row in self.ROWS]
        self.assertEqual(found.table("samples"), expected)

    def test_a_large_frame_is_an_artifact(self):
        frame = polars.DataFrame({"number": range(200_000), "half": numpy.arange(200_000) / 2})
        with self.recording() as found:
            xtrack.log_table("numbers", frame)
        self.assertEqual(found.tables, {})
        (artifact,) = found.artifacts
        self.assertEqual(artifact["path"], "tables/numbers.csv")
        again = pandas.read_csv(self.file(artifact))
        self.assertEqual((len(again), again["half"][3]), (200_000, 1.5))


class Pictures(Case):
    def test_a_figure_of_matplotlib(self):
        figure, axes = pyplot.subplots(figsize=(2, 1), dpi=50)
        axes.plot([1, 2, 3])
        with self.recording() as found:
            xtrack.log_figure("loss", figure, step=7)
            xtrack.log_figure("axes", axes, format="svg")
            xtrack.log_figure("current", pyplot)
        pyplot.close(figure)
        self.assertEqual(
            [artifact["path"] for artifact in found.artifacts],
            ["figures/loss-7.png", "figures/axes.svg", "figures/current.png"],
        )
        with Image.open(self.file(found.artifacts[0])) as image:
            self.assertEqual(image.format, "PNG")
        self.assertIn(b"<svg", self.file(found.artifacts[1]).read_bytes())

    def test_a_figure_of_plotly(self):
        figure = plotly.graph_objects.Figure(data=plotly.graph_objects.Scatter(y=[1, 3, 2]))
        with self.recording() as found:
            xtrack.log_figure("curve", figure)
            xtrack.log_figure("data", figure, format="json")
        page = self.file(found.artifacts[0]).read_text()
        self.assertIn("plotly", page)
        self.assertLess(len(page), 100_000)
        self.assertEqual(list(json.loads(self.file(found.artifacts[1]).read_text())["data"][0]["y"]), [1, 3, 2])

    def test_images_of_arrays(self):
        random = numpy.random.default_rng(0)
        grey = random.integers(0, 256, (6, 9), dtype="uint8")
        color = random.integers(0, 256, (6, 9, 3), dtype="uint8")
        clear = random.integers(0, 256, (6, 9, 4), dtype="uint8")
        cases = {
            "grey": (grey, grey),
            "color": (color, color),
            "clear": (clear, clear),
            "floats": (color / 255, color),
            "channels_first": (color.transpose(2, 0, 1), color),
            "one_channel": (grey[:, :, None], grey),
            "booleans": (grey > 127, numpy.where(grey > 127, 255, 0).astype("uint8")),
            "not_contiguous": (color[::-1, ::2], color[::-1, ::2]),
            "pillow": (Image.fromarray(color), color),
            "lists": (grey.tolist(), grey),
        }
        with self.recording() as found:
            for name, (given, _) in cases.items():
                xtrack.log_image(name, given)
        for artifact, (name, (_, expected)) in zip(found.artifacts, cases.items()):
            with self.subTest(name), Image.open(self.file(artifact)) as image:
                numpy.testing.assert_array_equal(numpy.asarray(image), expected)

    def test_images_of_bytes_and_files(self):
        buffer = io.BytesIO()
        Image.fromarray(numpy.zeros((3, 4, 3), dtype="uint8")).save(buffer, format="JPEG")
        (self.folder / "picture.jpg").write_bytes(buffer.getvalue())
        with self.recording() as found:
            xtrack.log_image("bytes", buffer.getvalue())
            xtrack.log_image("file", self.folder / "picture.jpg")
        for artifact in found.artifacts:
            self.assertEqual(self.file(artifact).read_bytes(), buffer.getvalue())

    def test_what_is_no_picture_is_said_and_stops_nothing(self):
        self.forgiving()
        with self.recording() as found:
            xtrack.log_image("line", numpy.zeros(7))
            xtrack.log_figure("number", 7)
            xtrack.log_table("number", 7)
        self.assertEqual((found.artifacts, found.things), ([], []))


class Evaluations(Case):
    def test_histograms_as_numpy_counts_them(self):
        values = numpy.random.default_rng(1).normal(size=1000)
        counts, edges = numpy.histogram(values, bins=20)
        with self.recording() as found:
            xtrack.log_histogram("array", values, bins=20)
            xtrack.log_histogram("list", values.tolist(), bins=20)
            xtrack.log_histogram("given", edges=edges, counts=counts)
            xtrack.log_histogram("series", pandas.Series(values), bins=20)
        for thing in found.things:
            with self.subTest(thing["name"]):
                self.assertEqual(thing["value"]["counts"], counts.tolist())
                self.assert_near(thing["value"]["edges"], edges.tolist(), 12)

    def test_confusion_as_scikit_learn_counts_it(self):
        guessed = LogisticRegression(max_iter=200).fit(PIXELS[:900] / 16, LABELS[:900]).predict(PIXELS[900:] / 16)
        with self.recording() as found:
            xtrack.log_confusion_matrix(LABELS[900:], guessed)
            names = [f"digit {number}" for number in range(10)]
            xtrack.log_confusion_matrix(LABELS[900:], guessed, names, name="named", step=3)
        expected = metrics.confusion_matrix(LABELS[900:], guessed).tolist()
        self.assertEqual([thing["value"]["counts"] for thing in found.things], [expected, expected])
        self.assertEqual(found.things[1]["value"]["labels"], names)

    def test_curves_as_scikit_learn_draws_them(self):
        truth = (LABELS[900:] == 8).astype(int)
        model = LogisticRegression(max_iter=200).fit(PIXELS[:900] / 16, LABELS[:900] == 8)
        scores = model.predict_proba(PIXELS[900:] / 16)[:, 1]
        with self.recording() as found:
            roc = xtrack.log_curve("roc", y_true=truth, y_score=scores)
            precision = xtrack.log_curve("pr", y_true=truth, y_score=scores)
        self.assertAlmostEqual(roc, metrics.roc_auc_score(truth, scores))
        self.assertAlmostEqual(precision, metrics.average_precision_score(truth, scores))
        curve = found.things[0]["value"]
        x, y, _ = metrics.roc_curve(truth, scores)
        self.assertAlmostEqual(metrics.auc(curve["x"], curve["y"]), metrics.auc(x, y))


if __name__ == "__main__":
    main()
