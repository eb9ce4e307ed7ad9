"""Text of others made safe to show: secrets as asterisks of the same length, control characters visible."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache

from oneiric.report import Json

MASK = "****"
_WORDS = (
    r"passw(?:or)?ds?|passphrases?|passwd|pwd|secrets?|tokens?|credentials?|"
    r"(?:api|private|access|signing|encryption|auth|secret)[_-]?keys?"
)
_SECRET_NAME = re.compile(rf"(?:^|[_\-./]|(?<=[a-z0-9])(?=[A-Z]))(?i:{_WORDS})(?=$|[_\-./]|[A-Z0-9])")
_NAMED = re.compile(r"""(?P<name>[A-Za-z_][\w.\-/]*)(?:["']\s*:|\s*:(?=\s|$)|\s*=(?!=))\s*""")
_URL_PASSWORD = re.compile(r"""(?<=://)(?P<user>[^\s:/@"']*:)(?P<password>[^\s"']*)(?=@)""")
_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_PARTS = re.compile(rf"({_REFERENCE.pattern})")
_SECRET_DEFAULT = re.compile(r"(\$\{\w*SECRET\w*:-)([^}]*)")
_PYTHON_STRING = re.compile(r""""(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?""")


def secret_name(name: str) -> bool:
    """Whether a setting of this name suggests a secret. The key `secrets` itself does not."""
    return name != "secrets" and _SECRET_NAME.search(name) is not None


def mask(text: str) -> str:
    """As many asterisks as the text has characters; spaces and references without default stay."""
    kept = {index for found in _REFERENCE.finditer(text) for index in range(*found.span())}
    return "".join(char if index in kept or char.isspace() else "*" for index, char in enumerate(text))


def mask_urls(text: str) -> str:
    """The text with passwords in URLs, and defaults of references to secrets, masked."""
    return _masked_urls(text, mask)


def redacted(name: str, value: Json) -> Json:
    """The value of a setting with what a secret-looking name holds, and passwords in URLs, masked.

    A mask tells nothing of the length of what it hides.
    """
    if isinstance(value, Mapping):
        return {each: redacted(name if secret_name(name) else each, inner) for each, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [redacted(name, inner) for inner in value]
    if secret_name(name) and value is not None:
        return _hidden(value if isinstance(value, str) else json.dumps(value))
    return _masked_urls(value, _hidden) if isinstance(value, str) else value


def _masked_urls(text: str, masked: Callable[[str], str]) -> str:
    text = _URL_PASSWORD.sub(lambda found: found["user"] + masked(found["password"]), text)
    return _SECRET_DEFAULT.sub(lambda found: found[1] + masked(found[2]), text)


def _hidden(text: str) -> str:
    """A mask of one length for each stretch of the text between references without default, which stay."""
    return "".join(part if _REFERENCE.fullmatch(part) else MASK for part in _PARTS.split(text) if part)


def settings_line(text: str, number: int) -> str:
    """Line `number` (from 1) of a settings text, with what stands at or under secret-looking names masked."""
    lines, parents = _outline(text)
    line = lines[number - 1]
    parent = parents[number - 1]
    while parent is not None:
        if _first_secret(lines[parent]) is not None:
            found = _NAMED.search(line)
            start = found.end() if found else len(line) - len(line.lstrip(" -"))
            return line[:start] + mask(line[start:])
        parent = parents[parent]
    own = _first_secret(line)
    return mask_urls(line if own is None else line[:own] + mask(line[own:]))


def python_line(text: str, number: int) -> str:
    """Line `number` (from 1) of a Python text, with the strings after secret-looking names masked."""
    line = _outline(text)[0][number - 1]
    start = _first_secret(line)
    if start is None:
        return mask_urls(line)
    return line[:start] + _PYTHON_STRING.sub(lambda found: mask(found[0]), line[start:])


def visible(text: str) -> str:
    """The text with control, bidirectional and other unseen characters spelled out; newlines and tabs too."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(visible_character, text))


def visible_character(char: str) -> str:
    if char.isprintable() or char == " ":
        return char
    if ord(char) < 0x20:
        return chr(0x2400 + ord(char))
    if unicodedata.category(char) == "Zs":
        return " "
    return f"<U+{ord(char):04X}>"


def _first_secret(line: str) -> int | None:
    """Where the value of the first secret-looking name of a line starts."""
    return next((found.end() for found in _NAMED.finditer(line) if secret_name(found["name"])), None)


@lru_cache(maxsize=4)
def _outline(text: str) -> tuple[list[str], list[int | None]]:
    """The lines of a text, and for each the index of the line that contains it by indentation."""
    lines = [line.rstrip("\r") for line in text.split("\n")]
    parents: list[int | None] = []
    open_lines: list[tuple[int, bool, int]] = []
    for index, line in enumerate(lines):
        depth, item = _depth(line)
        if line.strip():
            while open_lines and not (open_lines[-1][0] < depth or (open_lines[-1][:2] == (depth, False) and item)):
                open_lines.pop()
        parents.append(open_lines[-1][2] if open_lines else None)
        if line.strip() and not line.lstrip().startswith("#"):
            open_lines.append((depth, item, index))
    return lines, parents


def _depth(line: str) -> tuple[int, bool]:
    body = line.lstrip(" ")
    return len(line) - len(body), body.startswith("- ")
