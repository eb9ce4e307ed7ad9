"""Which texts every server takes."""

from __future__ import annotations

from typing import TypeGuard


def is_text(value: object) -> TypeGuard[str]:
    """Whether it is text that UTF-8 can encode."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_plain(value: object) -> TypeGuard[str]:
    """Whether it is text without NUL besides."""
    return is_text(value) and "\0" not in value
