"""Settings as expressions: every value has one or is refused in words; references survive the way to their value."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.convert import convert as convert_text
from oneiric.secret import Secret
from oneiric.tenants.bindings import evaluate
from oneiric_compiler.linking.expressions import convert
from oneiric_compiler.linking.unfit import Unfit
from oneiric_compiler.source.types import AnyOf, Choice, Enumeration, Many, Scalar, Type, Unchecked
from oneiric_compiler.stages.emit import _Body

ENVIRON = {"EMPTY": "", "HOST": "db.example", "PORT": "8080", "FLAG": "yes", "RATE": "0.5"}
SECRETS = {"PW": "hunter2"}


class Color(Enum):
    red = "r"
    blue = "b"


class Scope:
    """What a block may ask for, answered from two dicts."""

    def _env(self, name: str, default: str | None = None) -> str:
        value = ENVIRON.get(name) or default
        if value is None:
            raise LookupError(name)
        return value

    def _env_as(self, converter: Any, name: str, default: str | None = None) -> Any:
        return convert_text(converter, self._env(name, default))

    def _secret(self, name: str) -> Secret:
        return Secret(SECRETS[name])


leaves = st.one_of(
    st.sampled_from([Scalar(name) for name in ("str", "int", "float", "bool", "None", "Path", "Secret", "Any")]),
    st.just(Choice(("red", "blue"))),
    st.just(Choice((1, "1", True, None))),
    st.just(Enumeration(f"{__name__}:Color", ("red", "blue"))),
    st.just(Unchecked("Custom")),
)
types: st.SearchStrategy[Type] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Many, st.sampled_from(("list", "tuple", "set", "frozenset", "dict")), inner),
        st.lists(inner, min_size=1, max_size=3).map(lambda members: AnyOf(tuple(members))),
    ),
    max_leaves=4,
)
texts = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=12),
    st.text(st.sampled_from("${}:-AB_/@ "), max_size=14),
    st.sampled_from(
        (
            "${HOST}",
            "${EMPTY:-x}",
            "$${HOST}",
            "pg://${HOST}:${PORT:-1}/x",
            "${ONEIRIC_SECRET_PW}",
            "u:${ONEIRIC_SECRET_PW}",
            "${PORT}",
            "${FLAG}",
            "${RATE}",
            "${MISSING:-3}",
            "${ONEIRIC_SECRET_}",
            "${ONEIRIC_SECRET_PW:-x}",
            "red",
            "http://u:p@h",
            "${A:-http://u:p@h}",
            "${",
            "${1}",
            "${a b}",
            "\x00",
            "{}",
            "{0}",
            "%s",
        )
    ),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)


@given(value=values, type=types)
def test_every_value_has_an_expression_or_is_refused_in_words(value: Any, type: Type) -> None:
    try:
        converted = convert(value, type)
    except Unfit as refused:
        assert refused.code in ("ONE408", "ONE410", "ONE411")
        assert refused.message
    else:
        assert len(converted.expr) >= 1
        assert not converted.secrets or converted.reads


@given(text=st.text(st.characters(exclude_categories=("Cs",)), max_size=30))
def test_escaped_text_means_itself(text: str) -> None:
    try:
        converted = convert(text.replace("${", "$${"), Scalar("str"))
    except Unfit as refused:
        assert refused.code == "ONE410"
    else:
        assert converted.expr == {"value": text}


@given(
    parts=st.lists(
        st.one_of(
            st.text(st.sampled_from("ab{}%/ "), min_size=1, max_size=4).map(lambda text: (text + "$_",) * 2),
            st.sampled_from((("${HOST}", "db.example"), ("${EMPTY:-or}", "or"), ("${NONE:-}", ""), ("$${", "${"))),
            st.just(("${ONEIRIC_SECRET_PW}", "hunter2")),
        ),
        max_size=5,
    )
)
def test_references_inside_text_are_replaced_where_they_stand(parts: list[tuple[str, str]]) -> None:
    written, meant = "".join(each for each, _ in parts), "".join(each for _, each in parts)
    assert evaluate(convert(written, Scalar("str")).expr, Scope()) == meant


def fitting(type: Type) -> st.SearchStrategy[Any]:
    """Values that a parameter of the type may be given."""
    references = st.sampled_from(("${PORT}", "${FLAG}", "${MISSING:-red}", "${HOST}", "${ONEIRIC_SECRET_PW}"))
    if isinstance(type, Many):
        item = fitting(type.item)
        return st.dictionaries(texts, item, max_size=2) if type.kind == "dict" else st.lists(item, max_size=2)
    if isinstance(type, AnyOf):
        return st.one_of([fitting(member) for member in type.members])
    if isinstance(type, (Choice, Enumeration)):
        members = type.values if isinstance(type, Choice) else type.members
        return st.one_of(st.sampled_from(members), references)
    return st.one_of(values, references)


@given(types.flatmap(lambda type: st.tuples(st.just(type), fitting(type))))
def test_a_tenants_expression_and_the_wirings_code_mean_the_same(given: tuple[Type, Any]) -> None:
    type, value = given
    try:
        expr = convert(value, type).expr
    except Unfit:
        return
    evaluated, emitted = outcome(lambda: evaluate(expr, Scope())), outcome(lambda: run(expr))
    assert evaluated == emitted


@pytest.mark.parametrize("kind", ["list", "tuple", "set", "frozenset", "dict"])
@pytest.mark.parametrize("item", ["int", "str", "Path"])
def test_so_do_those_of_every_kind_of_container(kind: str, item: str) -> None:
    references = ["${PORT}", "8" if item == "Path" else "${PORT}"]
    value = dict(zip("ab", references, strict=True)) if kind == "dict" else references
    expr = convert(value, Many(kind, Scalar(item))).expr
    assert comparable(evaluate(expr, Scope())) == comparable(run(expr))


def run(expr: dict[str, Any]) -> Any:
    """The value of the code that a wiring would hold."""
    body = _Body({}, {})
    code = body.expression(expr)
    names: dict[str, Any] = {"self": Scope()}
    for module, imported in body.imports():
        exec(f"from {module} import {imported}", names)
    return eval(code, names)


def outcome(make: Any) -> object:
    """The value, comparable, or the kind of error."""
    try:
        return comparable(make())
    except (ValueError, LookupError, TypeError) as error:
        return type(error)


def comparable(value: Any) -> object:
    if isinstance(value, Secret):
        return ("secret", value.reveal())
    if isinstance(value, (list, tuple)):
        return (type(value), [comparable(each) for each in value])
    if isinstance(value, (set, frozenset)):
        return (type(value), sorted(repr(comparable(each)) for each in value))
    if isinstance(value, dict):
        return {name: comparable(each) for name, each in value.items()}
    return (type(value), value)


@pytest.mark.parametrize("text", ["${ONEIRIC_SECRET_PW}", "${HOST}", "user:${ONEIRIC_SECRET_PW}"])
def test_a_secret_parameter_is_a_secret_whatever_it_is_made_of(text: str) -> None:
    assert isinstance(evaluate(convert(text, Scalar("Secret")).expr, Scope()), Secret)


@pytest.mark.parametrize(
    ("text", "type", "value"), [("${PORT}", "int", 8080), ("${RATE}", "float", 0.5), ("${FLAG}", "bool", True)]
)
def test_a_reference_is_converted_by_its_parameters_type(text: str, type: str, value: object) -> None:
    assert evaluate(convert(text, Scalar(type)).expr, Scope()) == value


def test_a_path_is_a_path() -> None:
    assert evaluate(convert("${HOST}/x", Scalar("Path")).expr, Scope()) == Path("db.example/x")


marked = st.recursive(
    st.one_of(st.just((Scalar("str"), "x", [])), st.just((Unchecked("Custom"), {"a": [1]}, [()]))),
    lambda inner: st.tuples(
        st.sampled_from(("list", "tuple", "dict")),
        inner,
        st.lists(st.sampled_from(("a", "b/c", "~")), unique=True),
        st.booleans(),
    ).map(lambda drawn: within(*drawn)),
    max_leaves=4,
)


def within(kind: str, inner: Any, names: list[str], optional: bool) -> Any:
    """A collection of one item under several names or indexes, and the paths in it to what has no readable type."""
    type, value, paths = inner
    parts: list[str | int] = list(names) if kind == "dict" else list(range(len(names)))
    values = dict.fromkeys(names, value) if kind == "dict" else [value] * len(names)
    many: Type = Many(kind, type)
    return (
        AnyOf((Scalar("int"), many)) if optional else many,
        values,
        [(part, *path) for part in parts for path in paths],
    )


@given(drawn=marked)
def test_what_has_no_readable_type_is_marked_where_it_stands(drawn: Any) -> None:
    type, value, paths = drawn
    assert convert(value, type).unchecked == set(paths)


def test_what_a_member_of_a_union_could_not_read_is_not_marked_for_another_that_does() -> None:
    type = AnyOf((Many("tuple", AnyOf((Unchecked("Custom"), Scalar("int")))), Many("list", Scalar("Any"))))
    assert convert([1, 2], type).unchecked == set()
    refused_first = AnyOf((Many("dict", Unchecked("Custom")), Many("list", Scalar("int"))))
    assert convert([1], refused_first).unchecked == set()
    half = AnyOf((Many("list", AnyOf((Unchecked("Custom"),))), Scalar("str")))
    assert convert(["a"], half).unchecked == {(0,)}
