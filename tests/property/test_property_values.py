"""Types whose values are texts: what a setting or a variable says is the value that a model of its own says."""

from __future__ import annotations

import ast
import base64
import json
import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.convert import convert as convert_text
from oneiric.tenants.bindings import evaluate
from oneiric.texts import duration, signed_duration
from oneiric_compiler.linking.bounds import broken
from oneiric_compiler.linking.expressions import convert
from oneiric_compiler.linking.unfit import Unfit
from oneiric_compiler.source.types import (
    AnyOf,
    Bounded,
    Choice,
    Enumeration,
    Fixed,
    Many,
    Named,
    Parameter,
    Record,
    Scalar,
    Type,
)
from oneiric_compiler.stages.emit import _Body
from oneiric_compiler.verify.expressions import Expressions


class Level(IntEnum):
    LOW = 1
    HIGH = 20


class Colour(Enum):
    RED = "r"
    BLUE = "RED"


class Perm(Flag):
    READ = 1
    WRITE = 2
    RUN = 4


class Point(NamedTuple):
    x: int
    y: timedelta = timedelta(0)


def UserId(text: str) -> tuple[str, str]:
    """As a NewType would be, and seen to have been called."""
    return ("user", text)


class Scope:
    """What a block may ask for: one variable."""

    def __init__(self, text: str) -> None:
        self.text = text

    def _env(self, name: str, default: Any = None) -> str:
        return self.text if name == "X" else default() if callable(default) else default or ""

    def _env_as(self, converter: Any, name: str, default: Any = None) -> Any:
        return convert_text(converter, self._env(name, default))


LEVEL = Enumeration(f"{__name__}:Level", ("LOW", "HIGH"), (1, 20), whole=True)
COLOUR = Enumeration(f"{__name__}:Colour", ("RED", "BLUE"), ("r", "RED"))
PERM = Enumeration(f"{__name__}:Perm", ("READ", "WRITE", "RUN"), (1, 2, None), flag=True)
_SIZES = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}


def durations() -> st.SearchStrategy[tuple[str, timedelta]]:
    counts = st.lists(st.none() | st.integers(0, 999), min_size=6, max_size=6).filter(
        lambda each: any(c is not None for c in each)
    )

    def short(counted: list[int | None]) -> tuple[str, timedelta]:
        found = [(count, unit) for count, unit in zip(counted, _SIZES, strict=True) if count is not None]
        milliseconds = sum(count * _SIZES[unit] for count, unit in found)
        return "".join(f"{count}{unit}" for count, unit in found), timedelta(milliseconds=milliseconds)

    def iso(count: int) -> tuple[str, timedelta]:
        return f"P{count}DT{count}H{count}.5S", timedelta(days=count, hours=count, seconds=count + 0.5)

    return (
        counts.map(short)
        | st.integers(0, 999).map(iso)
        | st.integers(0, 10**6).map(lambda n: (str(n), timedelta(seconds=n)))
    )


def plain(text: str) -> bool:
    return "$" not in text and not text.startswith("base64:")


def texts_of(values: st.SearchStrategy[Any], text: Callable[[Any], str] = str) -> st.SearchStrategy[tuple[str, Any]]:
    return values.map(lambda value: (text(value), value))


offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
CASES: dict[str, tuple[Type, st.SearchStrategy[tuple[str, Any]]]] = {
    "timedelta": (Scalar("timedelta"), durations()),
    "datetime": (Scalar("datetime"), texts_of(st.datetimes(timezones=st.none() | offsets), datetime.isoformat)),
    "date": (Scalar("date"), texts_of(st.dates(), date.isoformat)),
    "time": (Scalar("time"), texts_of(st.times(), time.isoformat)),
    "Decimal": (Scalar("Decimal"), texts_of(st.decimals(allow_nan=False, allow_infinity=False))),
    "bytes": (Scalar("bytes"), texts_of(st.text().filter(plain)).map(lambda each: (each[0], each[1].encode()))),
    "base64": (Scalar("bytes"), texts_of(st.binary(), lambda value: "base64:" + base64.b64encode(value).decode())),
    "UUID": (Scalar("UUID"), texts_of(st.uuids())),
    "IPv4Address": (Scalar("IPv4Address"), texts_of(st.ip_addresses(v=4))),
    "IPv6Address": (Scalar("IPv6Address"), texts_of(st.ip_addresses(v=6))),
    "Pattern": (
        Scalar("Pattern"),
        texts_of(st.text().filter(plain).map(re.escape).map(re.compile), lambda value: value.pattern),
    ),
    "whole enum": (LEVEL, st.sampled_from([("LOW", Level.LOW), ("20", Level.HIGH)])),
    "enum": (COLOUR, st.sampled_from([("RED", Colour.RED), ("r", Colour.RED), ("BLUE", Colour.BLUE)])),
    "flag": (PERM, st.sampled_from([("READ", Perm.READ), ("READ | RUN", Perm.READ | Perm.RUN), ("2|1", Perm(3))])),
}


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_a_text_means_the_same_in_a_setting_a_default_and_a_variable(name: str, data: st.DataObject) -> None:
    type, drawn = CASES[name]
    text, value = data.draw(drawn)
    assert outcomes(text, type, "") == [value] * 3
    if not {"{", "}"} & {*text} and text:
        assert outcomes("${Y:-" + text + "}", type, "") == [value] * 3
        assert outcomes("${Y:-${Z:-" + text + "}}", type, "") == [value] * 3
        assert outcomes("${Y:-${X}}", type, text) == [value] * 3
    if text:
        assert outcomes("${X}", type, text) == [value] * 3


POINT = Record(
    f"{__name__}:Point", (Parameter("x", Scalar("int"), True), Parameter("y", Scalar("timedelta"), False)), True
)
words = st.text(st.characters(codec="utf-8", exclude_characters="${}"), max_size=6)
fitting: dict[Type, st.SearchStrategy[Any]] = {
    Scalar("str"): words,
    Scalar("int"): st.integers(),
    Scalar("float"): st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    Scalar("bool"): st.booleans(),
    Scalar("Path"): words,
    Scalar("timedelta"): durations().map(lambda each: each[0]) | st.integers(0, 999),
    Scalar("bytes"): words.filter(plain),
    COLOUR: st.sampled_from(["RED", "r", "BLUE"]),
    LEVEL: st.sampled_from(["LOW", 20, "1"]),
    Choice((1, "a", None, True)): st.sampled_from([1, "a", None, True]),
    Named(f"{__name__}:UserId", Scalar("str")): words,
    POINT: st.fixed_dictionaries({"x": st.integers()}, optional={"y": durations().map(lambda each: each[0])}),
    Scalar("Any"): st.recursive(
        st.none() | st.booleans() | st.integers() | words,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
        max_leaves=3,
    ),
}
typed = st.recursive(
    st.sampled_from([*fitting]).map(lambda type: (type, fitting[type])),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(("list", "tuple")), inner).map(
            lambda each: (Many(each[0], each[1][0]), st.lists(each[1][1], max_size=3))
        ),
        inner.map(lambda each: (Many("dict", each[0]), st.dictionaries(words, each[1], max_size=3))),
        st.lists(inner, min_size=1, max_size=3).map(
            lambda each: (Fixed(tuple(type for type, _ in each)), st.tuples(*(values for _, values in each)).map(list))
        ),
        inner.map(lambda each: (AnyOf((each[0], Scalar("None"))), st.none() | each[1])),
    ),
    max_leaves=4,
)


@given(typed.map(lambda each: (Many("list", each[0]), st.lists(each[1], max_size=3))), st.data(), st.booleans())
def test_a_collection_means_the_same_in_a_setting_a_default_and_a_variable(
    drawn: tuple[Type, st.SearchStrategy[Any]], data: st.DataObject, ascii: bool
) -> None:
    type, values = drawn
    value = data.draw(values)
    text = json.dumps(value, ensure_ascii=ascii)
    found = outcomes(value, type, "")
    assert outcomes("${Y:-" + text + "}", type, "") == found
    assert outcomes("${Y:-${X}}", type, text) == found
    assert outcomes("${X}", type, f" {text}\n") == found
    assert outcomes("${X}", AnyOf((type, Scalar("None"))), text) == found
    assert outcomes("${X}", AnyOf((type, Scalar("None"))), "null") == [None] * 3


@given(st.sampled_from([name for name in CASES if name != "Pattern"]), st.data())
def test_items_with_commas_between_mean_what_each_means_alone(name: str, data: st.DataObject) -> None:
    type, drawn = CASES[name]
    pairs = data.draw(
        st.lists(drawn.filter(lambda each: "," not in each[0] and each[0].strip() == each[0] != ""), max_size=3)
    )
    text = " , ".join(each for each, _ in pairs)
    if not text.startswith("["):
        values = [value for _, value in pairs]
        assert outcomes("${X}", Many("list", type), text) == [values] * 3
        if not {"{", "}"} & {*text}:
            assert outcomes("${Y:-" + text + "}", Many("list", type), "") == [values] * 3


def outcomes(written: Any, type: Type, variable: str) -> list[Any]:
    """The value of the setting: as a tenant's line, as the wiring's code, as the code read back."""
    expr = convert(written, type).expr
    code, names = emitted(expr)
    names["self"] = Scope(variable)
    imports: dict[str, str] = names.pop("imports")
    again = Expressions(imports).read(ast.parse(code, mode="eval").body)
    return [evaluate(expr, Scope(variable)), eval(code, names), evaluate(again, Scope(variable))]


def emitted(expr: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    body = _Body({}, {})
    code = body.expression(expr)
    names: dict[str, Any] = {}
    for module, imported in body.imports():
        exec(f"from {module} import {imported}", names)
    return code, {**names, "imports": {local: origin for origin, local in body._names.items()}}


@given(st.lists(durations(), max_size=3), st.integers())
def test_what_is_made_of_others_holds_them(drawn: list[tuple[str, timedelta]], number: int) -> None:
    point = Record(
        f"{__name__}:Point", (Parameter("x", Scalar("int"), True), Parameter("y", Scalar("timedelta"), False)), True
    )
    type = Fixed((Many("list", AnyOf((Scalar("None"), point))), Named(f"{__name__}:UserId", Scalar("str"))))
    written = [[{"y": text, "x": number} for text, _ in drawn] + [None, {"x": 1}], "${X}"]
    value = ([Point(number, each) for _, each in drawn] + [None, Point(1)], ("user", "me"))
    assert outcomes(written, type, "me") == [value] * 3


@given(st.text(st.sampled_from("0123456789wdhms.-PTYM "), max_size=9))
def test_a_duration_is_of_the_grammar_or_refused_in_words(text: str) -> None:
    try:
        found = signed_duration(text)
    except ValueError as error:
        assert "duration" in str(error)
    else:
        sign, body = re.fullmatch(r"\s*(-?)(.*?)\s*", text).groups()  # type: ignore[union-attr]
        assert re.fullmatch(r"[0-9.]+|([0-9.]+(w|d|h|ms|m|s))+|P[0-9.WDTHMS]+", body)
        assert (found < timedelta(0)) <= (sign == "-")
        assert sign or duration(text) == found


@pytest.mark.parametrize(
    "text",
    ["", "-", "s", "1s1h", "1h1h", "1M", "P", "PT", "P1DT", "P1Y", "P1M", "1e3", "٣s", "1 h", "--1s", ".s", "1.s"],
)
def test_what_is_close_to_a_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        duration(text)


@given(
    st.sampled_from(("ge", "gt", "le", "lt")),
    st.integers(-5, 5),
    st.one_of(st.integers(-5, 5), st.floats(-5, 5), st.decimals(-5, 5, allow_nan=False)),
)
def test_a_bound_is_kept_as_python_compares(name: str, bound: int, value: Any) -> None:
    kept = {"ge": value >= bound, "gt": value > bound, "le": value <= bound, "lt": value < bound}[name]
    assert (broken(((name, bound),), value) is None) == kept
    seconds = timedelta(seconds=int(value))
    kept = broken(((name, bound),), seconds) is None
    assert kept == (broken(((name, bound),), int(value)) is None)


def test_a_number_keeps_the_digits_of_its_source() -> None:
    digits = {(0,): "1.10", (1,): "0.30000000000000000001"}
    found = convert([1.1, 0.3], Many("list", Scalar("Decimal")), written=lambda path, value: digits[path]).expr
    assert evaluate(found, Scope("")) == [Decimal("1.10"), Decimal("0.30000000000000000001")]
    with pytest.raises(Unfit):
        convert(1.1, Bounded(Scalar("Decimal"), (("gt", 1.1),)), written=lambda path, value: "1.10")
