"""Text of others made safe to show: characters that are not seen, spelled out."""

from __future__ import annotations

import unicodedata


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
