"""What single nodes of a source say: names called, literals, annotated fields."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from oneiric_compiler.source.modules import Module, Sources, Symbol, dotted_name, statements


def fields(cls: Symbol) -> Iterator[tuple[str, ast.AnnAssign]]:
    """The statements of a class's own body that annotate a name, each with the name."""
    assert isinstance(cls.node, ast.ClassDef)
    for statement in statements(cls.node.body):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            yield statement.target.id, statement


def named(sources: Sources, module: Module, node: ast.expr | None) -> str:
    """The qualified name of what a name, a call of it or a subscript of it means; empty where it is something else."""
    while isinstance(node, (ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    name = dotted_name(node) if node is not None else None
    found = sources.resolve_in(module, name) if name else ""
    return found.qualified if isinstance(found, Symbol) else found


def literal(node: ast.expr) -> object:
    """The value of a constant, signed numbers included; the node itself of all else."""
    try:
        value: object = ast.literal_eval(node)
    except ValueError:
        return node
    return value


def unquoted(node: ast.expr | None) -> ast.expr | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return ast.parse(node.value, mode="eval").body
        except SyntaxError:
            return node
    return node
