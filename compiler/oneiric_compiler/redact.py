"""Text of others made safe to show: secrets as asterisks of the same length, control characters visible."""

from __future__ import annotations

import re
import unicodedata

_WORDS = (
    r"passw(?:or)?ds?|passphrases?|passwd|pwd|secrets?|tokens?|credentials?|"
    r"(?:api|private|access|signing|encryption|auth|secret)[_-]?keys?"
)
_SECRET_NAME = re.compile(rf"(?:^|[_\-./]|(?<=[a-z0-9])(?=[A-Z]))(?i:{_WORDS})(?=$|[_\-./]|[A-Z0-9])")
_NAMED = re.compile(r"""(?P<name>[A-Za-z_][\w.\-/]*)(?:["']\s*:|\s*:(?=\s|$)|\s*=(?!=))\s*""")
_URL_PASSWORD = re.compile(r"""(?<=://)(?P<user>[^\s:/@"']*:)(?P<password>[^\s"']*)(?=@)""")
_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
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
    text = _URL_PASSWORD.sub(lambda found: found["user"] + mask(found["password"]), text)
    return _SECRET_DEFAULT.sub(lambda found: found[1] + mask(found[2]), text)


def mask_settings_line(lines: list[str], number: int) -> str:
    """Line `number` (from 1) of a settings text, with what stands at or under secret-looking names masked."""
    line = lines[number - 1]
    if any(_first_secret(above) is not None for above in _lines_above(lines, number - 1)):
        found = _NAMED.search(line)
        start = found.end() if found else len(line) - len(line.lstrip(" -"))
        return line[:start] + mask(line[start:])
    own = _first_secret(line)
    return mask_urls(line if own is None else line[:own] + mask(line[own:]))


def mask_python_line(line: str) -> str:
    """A line of Python with the strings after secret-looking names masked."""
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


def _lines_above(lines: list[str], index: int) -> list[str]:
    """The lines that contain line `index` by indentation, innermost first."""
    depth, item = _depth(lines[index])
    above: list[str] = []
    for line in reversed(lines[:index]):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        its_depth, its_item = _depth(line)
        if its_depth < depth or (its_depth == depth and item and not its_item):
            above.append(line)
            depth, item = its_depth, its_item
        if depth == 0 and not item:
            break
    return above


def _depth(line: str) -> tuple[int, bool]:
    body = line.lstrip(" ")
    return len(line) - len(body), body.startswith("- ")
