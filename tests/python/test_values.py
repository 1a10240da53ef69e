"""Which Python values are numbers and params, and how each is said."""

import argparse
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import io
import json
import pathlib
import sys
import types
import unittest
from contextlib import redirect_stderr

from processes import Case  # noqa: F401  (puts the client on the path)

from xtrack import _say
from xtrack._values import dumps, mapping_of, number_text, numbers, plain


class Array:
    """What can be asked of numpy, torch and jax arrays."""

    def __init__(self, values, shape, dtype="float32"):
        self.values, self.shape, self.dtype = values, shape, dtype

    def item(self):
        if len(self.values) != 1:
            raise ValueError("can only convert an array of size 1")
        return self.values[0]

    def tolist(self):
        return self.values


class Color(enum.Enum):
    RED = "red"
    MIXED = (1, 2)


@dataclasses.dataclass
class Model:
    depth: int = 3
    act: type = int


@dataclasses.dataclass
class Settings:
    lr: float
    model: Model = dataclasses.field(default_factory=Model)


class Numbers(unittest.TestCase):
    def test_numbers_of_all_kinds(self):
        class Float64(float):
            def __repr__(self):
                return f"np.float64({float(self)})"

        cases = [
            (1, "1"), (True, "1"), (False, "0"), (0.1, "0.1"), (Float64(0.5), "0.5"), (Array([0.25], ()), "0.25"),
            (Array([3], (1, 1)), "3"), (Array([float("nan")], ()), '"NaN"'), (decimal.Decimal("1.5"), "1.5"),
            (fractions.Fraction(1, 4), "0.25"), (-(2**63), str(-(2**63))), (2**63, "9223372036854775808"),
            (10**400, None), ("1", None), (None, None), (b"1", None), (1j, None), ([1], None), (Array([1, 2], (2,)), None),
            (object(), None), (Color.RED, None),
        ]  # fmt: skip
        for value, text in cases:
            self.assertEqual(number_text(value), text, repr(value))

    def test_what_is_no_number_is_said_once_and_passed_over(self):
        said = io.StringIO()
        with redirect_stderr(said):
            for _ in range(3):
                self.assertEqual(numbers({"text": "hello", "ok": 1, "none": None, "many": Array([1, 2], (2,))}), {"ok": "1"})
        lines = said.getvalue().splitlines()
        self.assertEqual(len(lines), 3, lines)
        self.assertIn("log_text", lines[0])
        self.assertIn("log_histogram", lines[2])

    @unittest.skipUnless(__import__("importlib.util").util.find_spec("numpy"), "numpy is not installed")
    def test_numpy(self):
        import numpy

        for value, text in [
            (numpy.float64(0.1), "0.1"), (numpy.float32(0.5), "0.5"), (numpy.int64(-7), "-7"), (numpy.bool_(True), "1"),
            (numpy.array(2.5), "2.5"), (numpy.array([[4]]), "4"), (numpy.float16("nan"), '"NaN"'), (numpy.arange(3), None),
            (numpy.uint64(2**64 - 1), "1.8446744073709552e+19"),
        ]:  # fmt: skip
            self.assertEqual(number_text(value), text)
        self.assertEqual(plain({"a": numpy.arange(3), "b": numpy.float32(0.5), "c": numpy.dtype("int8")}), {"a": [0, 1, 2], "b": 0.5, "c": "int8"})
        self.assertEqual(plain(numpy.zeros((100, 100))), "<ndarray 100x100 float64>")


class Params(unittest.TestCase):
    def test_values_of_all_kinds(self):
        Point = collections.namedtuple("Point", "x y")
        cases = [
            (None, None), (True, True), (3, 3), (0.5, 0.5), ("text", "text"), ((1, 2), [1, 2]), ({3, 1}, [1, 3]),
            (range(3), [0, 1, 2]), (b"\x00\xff", {"$bytes": "AP8="}), ({"$int": 1}, {"$$int": 1}), ({1: {None: 2}}, {"1": {"None": 2}}),
            (pathlib.PurePosixPath("a/b"), "a/b"), (Color.RED, "red"), (Color.MIXED, "MIXED"), (datetime.date(2026, 7, 1), "2026-07-01"),
            (Point(1, 2), {"x": 1, "y": 2}), (dict, "dict"), (json.dumps, "json.dumps"), (decimal.Decimal("0.10"), "0.10"),
            (argparse.Namespace(lr=1), {"lr": 1}), (types.SimpleNamespace(a=1), {"a": 1}), (Settings(0.1), {"lr": 0.1, "model": {"depth": 3, "act": "int"}}),
            (Array([1, 2], (2,)), [1, 2]), (Array([0], (2000,)), "<Array 2000 float32>"), (2**80, 2**80),
            ({"a.b": 1, "a": {"b": 2}}, {"a.b": 1, "a": {"b": 2}}), ([], []), ({}, {}),
        ]  # fmt: skip
        for value, expected in cases:
            self.assertEqual(plain(value), expected, repr(value))
            json.loads(dumps(plain(value)))
        self.assertNotIn("0x", plain(object()))

    def test_integers_of_any_size_are_exact(self):
        self.assertEqual(json.loads(dumps(plain({"n": 2**200}))), {"n": 2**200})
        if hasattr(sys, "set_int_max_str_digits"):
            self.assertTrue(plain(10**5000).startswith("0x"))

    def test_what_holds_itself_ends(self):
        loop = []
        loop.append(loop)
        dumps(plain(loop))
        loop = {}
        loop["self"] = loop
        dumps(plain(loop))

    def test_a_value_that_raises_is_named(self):
        class Bad:
            def __str__(self):
                raise RuntimeError("no")

        with redirect_stderr(io.StringIO()):
            self.assertEqual(plain(Bad()), "<Bad>")

    def test_objects_that_hold_named_values(self):
        class Pydantic:
            def model_dump(self):
                return {"lr": 0.1}

        class Attrs:
            __attrs_attrs__ = (types.SimpleNamespace(name="lr"),)
            lr = 0.1

        class Omega:
            def to_container(self):
                return {"lr": 0.1}

        for value in (Pydantic(), Attrs(), Omega(), collections.OrderedDict(lr=0.1), types.MappingProxyType({"lr": 0.1})):
            self.assertEqual(mapping_of(value), {"lr": 0.1}, type(value))
        for value in (None, 3, "text", [1], dict, Settings):
            self.assertIsNone(mapping_of(value))

    @unittest.skipUnless(__import__("importlib.util").util.find_spec("omegaconf"), "omegaconf is not installed")
    def test_omegaconf(self):
        from omegaconf import OmegaConf

        conf = OmegaConf.create({"lr": 0.1, "model": {"depth": "${layers}"}, "layers": 3, "list": [1, {"a": 2}]})
        expected = {"lr": 0.1, "model": {"depth": 3}, "layers": 3, "list": [1, {"a": 2}]}
        self.assertEqual(mapping_of(conf), expected)
        self.assertEqual(plain({"conf": conf, "list": conf.list}), {"conf": expected, "list": [1, {"a": 2}]})


class Strict(unittest.TestCase):
    def test_strict_raises_what_else_is_said(self):
        _say.strict = True
        try:
            with self.assertRaisesRegex(_say.XtrackError, "log_text"):
                numbers({"another": "text"})
        finally:
            _say.strict = False


if __name__ == "__main__":
    unittest.main()
