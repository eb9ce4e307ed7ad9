"""Bytes and texts made otherwise, with no idea of what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

ODD = (
    *(
        "",
        " ",
        "\n",
        "\n\n",
        "\t",
        "\r\n",
        "\r",
        "\x00",
        "\x0c",
        "\x1b[31m",
        "\x7f",
        "\x85",
        "\u2028",
        "\u202e",
        "\ufeff",
    ),
    *("\u0301", "\u212a", "\ud7ff", "\U0001f600", "\uff41", "é", "ﬁ", "ª", "İ", "ß"),
    *(
        "-",
        "- ",
        "? ",
        ": ",
        ":",
        "#",
        " #",
        "&a ",
        "*a",
        "<<: *a",
        "!x ",
        "!!int ",
        "|\n",
        ">-\n",
        "---\n",
        "...\n",
        "%YAML 1.1\n",
    ),
    *(
        "{",
        "}",
        "[",
        "]",
        ",",
        "'",
        '"',
        '"""',
        "\\",
        "\\u",
        "\\N{x}",
        "(",
        ")",
        "=",
        ":=",
        "->",
        "*",
        "**",
        "@",
        ".",
        "..",
        "/",
    ),
    *(
        "${",
        "${A}",
        "${A:-b}",
        "$${A}",
        "${ONEIRIC_SECRET_X}",
        "${ONEIRIC_SECRET_X:-y}",
        "${é}",
        "${A:-${B}}",
        "${A:?",
        ":?",
        "${A:-",
        "}",
    ),
    *(
        "0",
        "-1",
        "1e400",
        "-0.0",
        "0x10",
        "0o7",
        "1_000",
        "nan",
        ".inf",
        "9" * 30,
        "9" * 5000,
        "true",
        "null",
        "~",
        "NO",
    ),
    *("[" * 100, "{" * 100, "(" * 100, "a" * 300, "a." * 300, "../" * 40, "<<<<<<< HEAD\n", "=======\n"),
    *(">>>>>>> x\n"),
    *(
        "class ",
        "def ",
        "async def ",
        "lambda: ",
        "yield ",
        "await ",
        "import os\n",
        "from x import *\n",
        "if 1:\n    ",
        "pass\n",
    ),
)
"""What stands for something, or for nothing, in YAML, JSON, Python or a reference."""


def damaged(choose: Random, text: str, words: Sequence[str]) -> bytes:
    """The text with one to three changes, the last of them perhaps to its bytes."""
    for _ in range(choose.choice((1, 1, 1, 2, 3))):
        text = choose.choice((_lines, _lines, _spliced, _spliced, _indented))(choose, text, words)
    data = text.encode("utf-8", "surrogatepass")
    if choose.random() < 0.15:
        data = flipped(choose, data)
    elif choose.random() < 0.05:
        data = choose.choice(
            (b"\xef\xbb\xbf" + data, data.replace(b"\n", b"\r\n"), text.encode("utf-16", "replace"), data[:-1])
        )
    return data


def flipped(choose: Random, data: bytes) -> bytes:
    """A bit, a byte or a stretch of bytes is another, gone, or there twice."""
    if not data:
        return bytes([choose.randrange(256)])
    at = choose.randrange(len(data))
    end = min(len(data), at + choose.choice((1, 1, 2, 8, 64)))
    way = choose.randrange(5)
    if way == 0:
        return data[:at] + bytes([data[at] ^ 1 << choose.randrange(8)]) + data[at + 1 :]
    if way == 1:
        return data[:at] + bytes([choose.randrange(256)]) + data[at + 1 :]
    if way == 2:
        return data[:at] + data[end:]
    return data[:at] + data[at:end] * 2 + data[end:] if way == 3 else data[:at]


def smaller_bytes(before: bytes | None, now: bytes) -> Iterator[bytes]:
    """The same with fewer lines, those first that were there before it was damaged."""
    lines = now.splitlines(keepends=True)
    size = len(lines)
    while size:
        for start in range(0, len(lines), size):
            yield b"".join((*lines[:start], *lines[start + size :]))
        size //= 2
    if before is not None and len(before) < len(now):
        yield before
    if len(lines) < 3:
        size = len(now) // 2
        while size:
            for start in range(0, len(now), size):
                yield now[:start] + now[start + size :]
            size //= 2


def _lines(choose: Random, text: str, words: Sequence[str]) -> str:
    lines = text.splitlines(keepends=True) or [""]
    at, other = choose.randrange(len(lines)), choose.randrange(len(lines))
    way = choose.randrange(4)
    if way == 0:
        del lines[at]
    elif way == 1:
        lines.insert(at, lines[other])
    elif way == 2:
        lines[at], lines[other] = lines[other], lines[at]
    else:
        del lines[min(at, other) : max(at, other)]
    return "".join(lines)


def _spliced(choose: Random, text: str, words: Sequence[str]) -> str:
    at = choose.randrange(len(text) + 1)
    end = min(len(text), at + choose.choice((0, 0, 1, 2, 5)))
    put = choose.choice(ODD) if choose.random() < 0.6 else choose.choice(words)
    return text[:at] + put + text[end:]


def _indented(choose: Random, text: str, words: Sequence[str]) -> str:
    lines = text.splitlines(keepends=True) or [""]
    at = choose.randrange(len(lines))
    lines[at] = choose.choice(("  ", " ", "\t", "    ")) + lines[at] if choose.random() < 0.5 else lines[at].lstrip()
    return "".join(lines)
