"""References in each other, against a model of its own that reads no text."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.errors import VariableError
from oneiric.lifecycle.inputs import Inputs, context
from oneiric.secret import Secret
from oneiric.tenants.bindings import evaluate
from oneiric.wiring import bind
from oneiric_compiler.linking.expressions import convert
from oneiric_compiler.linking.unfit import Unfit
from oneiric_compiler.source.types import Scalar, Type
from oneiric_compiler.stages.emit import _Body
from oneiric_compiler.text.redact import masked, redacted
from oneiric_compiler.verify.expressions import Expressions

NAMES = "ABCDE"


@dataclass(frozen=True)
class Ref:
    """A variable, with the text that stands in for it, or why it has to be there."""

    name: str
    default: Text | None = None
    why: str | None = None


Text: TypeAlias = "tuple[str | Ref, ...]"
literals = st.lists(st.sampled_from(["a", ":-", "{x}", "$ ", "$${", "'", '"', "\\", "%s", "é"]), max_size=3).map(
    "".join
)


def references(names: str) -> st.SearchStrategy[Ref]:
    """References to these names, in whose defaults stand only the others."""

    def named(name: str) -> st.SearchStrategy[Ref]:
        others = names.replace(name, "")
        default = st.none() | (texts(others) if others else literals.map(lambda each: (each,)))
        return st.builds(Ref, st.just(name), default) | st.builds(Ref, st.just(name), why=literals)

    return st.sampled_from(names).flatmap(named)


def texts(names: str) -> st.SearchStrategy[Text]:
    return st.lists(literals | references(names), max_size=3).map(tuple)


def written(text: Text) -> str:
    found: list[str] = []
    for part in text:
        if isinstance(part, str):
            found.append(part)
        elif part.why is not None:
            found.append(f"${{{part.name}:?{part.why}}}")
        else:
            default = "" if part.default is None else f":-{written(part.default)}"
            found.append(f"${{{part.name}{default}}}")
    return "".join(found)


class Missing(Exception):
    """The variable that is missing, and why it has to be there."""


def meant(text: Text, environ: dict[str, str]) -> str:
    return "".join(part.replace("$${", "${") if isinstance(part, str) else looked_up(part, environ) for part in text)


def looked_up(ref: Ref, environ: dict[str, str]) -> str:
    if environ.get(ref.name):
        return environ[ref.name]
    if ref.default is not None:
        return meant(ref.default, environ)
    if ref.name in environ and ref.why is None:
        return ""
    raise Missing(ref.name, (ref.why or "").replace("$${", "${"))


def outcomes(text: str, type: Type, environ: dict[str, str]) -> list[Any]:
    """The value, or the error: of a tenant's line, of the wiring's code, of that code read back."""
    expr = convert(text, type).expr
    body = _Body({}, {})
    code = body.expression(expr)
    names: dict[str, Any] = {"self": domain(environ)}
    for module, imported in body.imports():
        exec(f"from {module} import {imported}", names)
    imports = {local: origin for origin, local in body._names.items()}
    again = Expressions(imports).read(ast.parse(code, mode="eval").body)
    return [
        outcome(lambda: evaluate(expr, domain(environ))),
        outcome(lambda: eval(code, names)),
        outcome(lambda: evaluate(again, domain(environ))),
    ]


def domain(environ: dict[str, str]) -> Any:
    binding: Any = bind("adapter:p", "", provider="p")
    scope: Any = type("Scope", (), {"wiring": None})()
    return context(scope, Inputs(binding, environ, {"PW": Secret("hunter2")}))


def outcome(make: Any) -> Any:
    try:
        return make()
    except VariableError as error:
        return str(error)


environs = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["", "1", "v ${A}", "{}"]))


@given(texts(NAMES), environs)
def test_references_within_references_mean_what_a_model_says(text: Text, environ: dict[str, str]) -> None:
    try:
        found = meant(text, environ)
    except Missing as missing:
        name, why = missing.args
        for said in outcomes(written(text), Scalar("str"), environ):
            assert f"needs the environment variable {name}, which is" in said
            assert not why or said.endswith(f": {why}")
    else:
        assert outcomes(written(text), Scalar("str"), environ) == [found] * 3


@given(references(NAMES), environs)
def test_the_whole_is_converted_where_a_number_is_wanted(ref: Ref, environ: dict[str, str]) -> None:
    try:
        expr = convert(written((ref,)), Scalar("int")).expr
    except Unfit as refused:
        assert "is not int" in refused.message
        with pytest.raises(ValueError, match="invalid literal"):
            int(meant((ref,), {}))
        return
    assert expr["as"] == "int"
    try:
        found = int(meant((ref,), environ))
    except Missing as missing:
        assert all(
            f"variable {missing.args[0]}, which" in said for said in outcomes(written((ref,)), Scalar("int"), environ)
        )
    except ValueError:
        assert all("expected a whole number" in said for said in outcomes(written((ref,)), Scalar("int"), environ))
    else:
        assert outcomes(written((ref,)), Scalar("int"), environ) == [found] * 3


@given(st.lists(st.sampled_from(NAMES), min_size=2, max_size=5), literals)
def test_a_variable_never_stands_in_for_itself(names: list[str], literal: str) -> None:
    text = literal
    for name in reversed(names):
        text = f"{literal}${{{name}:-{text}}}"
    if len({*names}) == len(names):
        convert(text, Scalar("str"))
    else:
        with pytest.raises(Unfit, match="stands in its own default"):
            convert(text, Scalar("str"))


@given(texts("BC"), environs)
def test_a_secret_in_a_default_is_no_text_of_the_settings(text: Text, environ: dict[str, str]) -> None:
    both = f"${{A:-${{ONEIRIC_SECRET_PW}}}}{written(text)}"
    assert convert(both, Scalar("str")).secrets == {"PW"}
    hidden = f"${{ONEIRIC_SECRET_A:-{written(text)}hunter2}} ${{A_SECRET:-${{B:-hunter2}}}}"
    assert "hunter2" not in masked(hidden)
    assert "hunter2" not in str(redacted("text", hidden))
    assert "hunter2" not in str(redacted("password", f"${{A:-${{B:-hunter2}}{written(text)}}}"))
