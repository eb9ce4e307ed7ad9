"""Secrets that a setting writes out, at any depth: by the shape of a text, or by the name of what holds it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias, cast

from oneiric.convert import Unshown
from oneiric.secrecy.names import authorization_name, leads_elsewhere, secret_name
from oneiric.secrecy.shapes import Shape, is_written, secrets_in
from oneiric.structures import natural, read

from oneiric_compiler.linking.expressions import told
from oneiric_compiler.linking.unfit import Unfit
from oneiric_compiler.settings.documents import Value

Path: TypeAlias = tuple[str | int, ...]

_REFUSED: dict[Shape, str] = {
    "url": "a URL holds a password",
    "connection": "a connection text holds a password",
    "authorization": "an Authorization value is written out",
    "private-key": "a private key is written out",
}


class Suspect(NamedTuple):
    """A text at a path in a setting's value: refused for its shape, or what only looks like a secret."""

    path: Path
    refused: str | None


def plain_secrets(name: str, value: Value, *, named: bool) -> list[Suspect]:
    """What a setting's value writes out; with `named` also what is secret by a name alone, the setting's or one within.

    A text with a reference in it is not a secret for its name: what matters of it may be there. A default is.
    """
    found: list[Suspect] = []
    for path, text in _texts(value, ()):
        names = [name, *(part for part in path if isinstance(part, str))]
        try:
            literal, own, reasons = told(text)
        except Unfit:
            continue
        shapes = [each.shape for each in secrets_in(literal, names[-1])]
        shapes += [each.shape for reason in reasons for each in secrets_in(reason)]
        defaults = own if "${" in text else []
        within = [each for default in defaults for each in plain_secrets(names[-1], _structure(default), named=named)]
        refused = [_REFUSED[shape] for shape in shapes if shape in _REFUSED]
        refused += [each.refused for each in within if each.refused]
        if shapes or within or (named and _is_secret(names) and any(map(is_written, own))):
            found.append(Suspect(path, refused[0] if refused else None))
    return found


def _structure(text: str) -> Value:
    """The list or mapping that a text is, where it is one."""
    if not text.lstrip().startswith(("[", "{")):
        return None
    try:
        return cast("Value", natural(read(text.strip())))
    except Unshown:
        return None


def _texts(value: Value, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _texts(each, (*path, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts(each, (*path, index))


def _is_secret(names: list[str]) -> bool:
    """Whether what has the last name, in what has the others, looks like a secret."""
    if len(names) > 1 and leads_elsewhere(names[-1]):
        return False
    return any(secret_name(each) for each in names) or authorization_name(names[-1])
