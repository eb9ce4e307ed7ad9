"""What a component is handed otherwise than one key at once: several, in order; what may be lacking; what is lazy."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial

from oneiric_compiler.diagnostics.found import Diagnostics, Place, did_you_mean
from oneiric_compiler.model import RUNTIME, SECRETS, Candidate, Key, Stated
from oneiric_compiler.source.modules import Module, Sources
from oneiric_compiler.source.types import AnyOf, Many, Parameter, Scalar, Type, Unchecked

_ANYTHING = Scalar("Any")
_EVERY_OTHER = "*"


def matched(pattern: str, keys: Iterable[Key]) -> list[Key]:
    """The keys that `domain:prefix*` matches, sorted."""
    return sorted(key for key in keys if str(key).startswith(pattern[:-1]))


def ordered(members: Sequence[Key], order: Sequence[str]) -> tuple[Key, ...]:
    """The members as an order of their names says: those that it does not name stand, sorted, where its `*` does, else
    at the end."""
    by_name = {key.name: key for key in members}
    others = [key for key in members if key.name not in order]
    if _EVERY_OTHER not in order:
        order = (*order, _EVERY_OTHER)
    found: list[Key] = []
    for name in order:
        found += others if name == _EVERY_OTHER else [by_name[name]] if name in by_name else []
    return tuple(found)


def container(candidate: Candidate, name: str) -> str | None:
    """What a parameter takes several components in: list, tuple or dict; None where it cannot take several."""
    parameter = (candidate.signature.parameters or {}).get(name)
    return "list" if parameter is None else next(_containers(parameter.type), None)


def _containers(type: Type) -> Iterator[str]:
    if isinstance(type, AnyOf):
        yield from (found for each in type.members for found in _containers(each))
    elif isinstance(type, Many) and type.kind in ("list", "tuple", "dict"):
        yield type.kind
    elif type == _ANYTHING or (isinstance(type, Unchecked) and not type.reference and not type.is_protocol):
        yield "list"


def check_handed(candidate: Candidate, sources: Sources, diagnostics: Diagnostics) -> None:
    """Reports optional and lazy needs that cannot be, and parameters that cannot take several components."""
    for option, names in (("optional", candidate.optional), ("lazy", candidate.lazy)):
        for name in names:
            if name not in candidate.handed:
                message = f"`{option}` of `{candidate.provider}` names `{name}`, which is not one of its needs"
                near = partial(did_you_mean, name, candidate.handed, "name a parameter of `needs`")
                diagnostics.add("ONE420", message, candidate.place, help=near)
    parameters = candidate.signature.parameters or {}
    for name, stated in candidate.needs.items():
        parameter = parameters.get(name)
        if name in candidate.optional and parameter is not None and parameter.required:
            message = f"`{name}` of `{candidate.provider}` is an optional need, and the parameter has no default"
            help = f"give it one, such as `{name}: {parameter.type} | None = None`"
            related = _related(parameter)
            diagnostics.add("ONE420", message, stated.place, help=help, related=related)
    for name, gathered in candidate.gathers.items():
        if container(candidate, name) is None:
            taken = parameters[name]
            message = f"`{name}` of `{candidate.provider}` needs several components, and the parameter is {taken.type}"
            help = "annotate it as `list[P]`, `tuple[P, ...]`, `Sequence[P]` or `Mapping[str, P]`, P the port of each"
            diagnostics.add("ONE422", message, gathered.place, help=help, related=_related(taken))
        elif container(candidate, name) == "dict" and len(_names(gathered.value)) < len({*gathered.value}):
            message = f"`{name}` of `{candidate.provider}` is a mapping by name, and two of its needs have one name"
            diagnostics.add("ONE422", message, gathered.place, help="annotate the parameter as a list of them")
        if not isinstance(gathered.value, str) and str(RUNTIME) in gathered.value:
            message = f"`{name}` of `{candidate.provider}` lists {RUNTIME}, which is no component"
            help = f'let a parameter of its own need it: `"application": "{RUNTIME}"`'
            diagnostics.add("ONE435", message, gathered.place, help=help)
    if candidate.key == SECRETS and candidate.lazy:
        message = f"{SECRETS} ({candidate.provider}) has a lazy need, and secrets are fetched before anything else runs"
        diagnostics.add("ONE420", message, candidate.place, help="let it be a need like any other")
    for name, place in _called_while_made(candidate, sources):
        message = f"`{name}` of `{candidate.provider}` is lazy, and is called while `{candidate.provider}` is made"
        help = f"call it later, such as in a method, or leave `{name}` out of `lazy`"
        diagnostics.add("ONE421", message, place, help=help)


def check_order(
    pattern: str,
    order: Stated[tuple[str, ...]],
    gathered: Mapping[str, Collection[Key]],
    diagnostics: Diagnostics,
) -> None:
    """Reports the order of a pattern that nothing gathers, and names in it that no member has."""
    domain, _, names = pattern.partition(":")
    if pattern not in gathered:
        known = [name for each in gathered for of, _, name in (each.partition(":"),) if of == domain]
        message = f"`gather_order` is stated for {pattern}, which no component needs"
        near = partial(did_you_mean, names, known, f'let one need it, as in `needs: {{all: "{pattern}"}}`')
        diagnostics.add("ONE423", message, order.name_place or order.place, help=near)
        return
    members = [key.name for key in gathered[pattern]]
    for index, name in enumerate(order.value):
        if name not in (*members, _EVERY_OTHER):
            place = order.within(index) if order.within else order.place
            near = partial(did_you_mean, name, members, "name what is bound and matches, or `*` for all others")
            diagnostics.add("ONE423", f"{pattern} gathers no `{name}`", place, help=near)


def _names(needs: str | tuple[str, ...]) -> Collection[str]:
    return needs if isinstance(needs, str) else {need.rpartition(":")[2] for need in needs}


def _related(parameter: Parameter) -> list[tuple[str, Place]]:
    return [("the parameter", parameter.place)] if parameter.place else []


def _called_while_made(candidate: Candidate, sources: Sources) -> Iterator[tuple[str, Place]]:
    """The lazy needs that the factory, or the class's `__init__`, calls a method of, where that is plain to see."""
    factory = sources.find(candidate.factory) if candidate.lazy else None
    if factory is None:
        return
    module: Module = factory.module
    node: ast.AST = factory.node
    members = sources.members(factory).by_name if isinstance(node, ast.ClassDef) else {}
    if "__init__" in members:
        module, node = members["__init__"]
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        each = waiting.pop()
        match each:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda() | ast.ClassDef():
                continue
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name))) if name in candidate.lazy:
                yield name, Place(f"{module.source.path}#{name}", module.span(each))
            case _:
                pass
        waiting += ast.iter_child_nodes(each)
