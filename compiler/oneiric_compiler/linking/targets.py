"""What a call of a workflow, schedule or subscription reaches: a method, its parameters and what it results in."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from oneiric_compiler.diagnostics.found import Diagnostics, Place, did_you_mean
from oneiric_compiler.linking.entries import called
from oneiric_compiler.model import Bound, Entry, Key
from oneiric_compiler.source.annotations import read_type
from oneiric_compiler.source.modules import Module, Sources
from oneiric_compiler.source.types import Parameter, Scalar, Type, record_in

ANY = Scalar("Any")
TOKEN = "token"
"""The parameter that is handed the idempotency key of its step, where it is annotated `Token`."""


class Target(NamedTuple):
    """What a call reaches. `parameters` are None where they cannot be read, or are any; `token` is whether it has to be
    handed the token of its step, `takes_token` whether it may be."""

    key: Key
    parameters: Mapping[str, Parameter] | None
    result: Type
    place: Place | None
    token: bool = False
    takes_token: bool = False


@dataclass(slots=True)
class Targets:
    """Finds what calls reach, in the bindings of one profile; `workflows` are those that the settings declare."""

    sources: Sources
    bindings: Mapping[Key, Bound]
    same: Mapping[Key, Key]
    workflows: Mapping[str, Entry]
    diagnostics: Diagnostics

    def of(self, call: str, place: Place, by: str) -> Target | None:
        """What a call reaches; what makes it unusable is reported, in words that begin with who makes it."""
        key = called(call)
        key = self.same.get(key, key)
        bound = self.bindings.get(key)
        if bound is None or bound.unbound:
            help = partial(did_you_mean, str(key), [str(each) for each in self.bindings], "declare a component for it")
            self.diagnostics.add("ONE701", f"{by} calls {key}, which nothing serves", place, help=help)
            return None
        if bound.decision.winner.is_declared:
            return self._workflow(key, place)
        symbol = (bound.port and self.sources.find(bound.port)) or bound.decision.winner.signature.made
        if symbol is None or not isinstance(symbol.node, ast.ClassDef):
            return Target(key, None, ANY, None)
        members = self.sources.members(symbol)
        name = call.partition("#")[2] or "__call__"
        if name not in members.by_name:
            if members.complete:
                self._no_method(key, name, [each for each in members.by_name if not each.startswith("_")], place)
                return None
            return Target(key, None, ANY, None)
        module, node = members.by_name[name]
        return self._method(key, name, module, node, place)

    def serves(self, text: str, place: Place, by: str) -> bool:
        """Whether something serves a key; it is reported where nothing does."""
        key = called(text)
        bound = self.bindings.get(self.same.get(key, key))
        if bound is None or bound.unbound:
            help = partial(did_you_mean, text, [str(each) for each in self.bindings], "declare a component for it")
            self.diagnostics.add("ONE701", f"{by} names {key}, which nothing serves", place, help=help)
            return False
        return True

    def type_of(self, reference: str) -> Type:
        """The type that `module:Name` is; `Any` where it is not in sight."""
        symbol = self.sources.find(reference)
        if symbol is None:
            return ANY
        return read_type(self.sources, symbol.module, ast.Name(symbol.name))

    def _workflow(self, key: Key, place: Place) -> Target:
        stated = self.workflows[key.name].fields.get("input")
        record = record_in(self.type_of(stated.value)) if stated else None
        return Target(
            key, {each.name: each for each in record.fields} if record else None, ANY, stated and stated.place
        )

    def _no_method(self, key: Key, name: str, methods: list[str], place: Place) -> None:
        shown = f"#{name}" if name != "__call__" else ""
        help = partial(did_you_mean, name, methods, f"name a method: `{key}#{methods[0]}`" if methods else None)
        what = f"has no method `{name}`" if shown else "cannot be called: it has no `__call__`"
        self.diagnostics.add("ONE702", f"{key} {what}", place, help=help)

    def _method(self, key: Key, name: str, module: Module, node: ast.stmt, place: Place) -> Target | None:
        if not isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
            return Target(key, None, ANY, None)
        related = [("defined here", module.name_span(node))]
        if isinstance(node, ast.FunctionDef):
            message = f"`{name}` of {key} is not async, and a call is awaited"
            self.diagnostics.add("ONE702", message, place, help="make it `async def`", related=related)
            return None
        given = [*node.args.posonlyargs, *node.args.args][1:]
        if given:
            message = f"`{name}` of {key} takes `{given[0].arg}` by position, and a call gives parameters by name"
            self.diagnostics.add("ONE702", message, place, help="put a `*` before its parameters", related=related)
            return None
        parameters = {
            argument.arg: Parameter(argument.arg, read_type(self.sources, module, argument.annotation), default is None)
            for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        }
        token = parameters.pop(TOKEN) if TOKEN in parameters and "Token" in str(parameters[TOKEN].type) else None
        result = read_type(self.sources, module, node.returns)
        pointer = Place(f"{key}", module.name_span(node))
        required = token is not None and token.required
        return Target(key, None if node.args.kwarg else parameters, result, pointer, required, token is not None)
