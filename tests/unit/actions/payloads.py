"""Payloads that anybody may send, and what a call says of those that it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st
from oneiric.actions import InvalidPayload

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
HOSTILE: tuple[Any, ...] = (True, 0, 1.5, 10**5000, float("nan"), b"bytes", bytearray(b"x"), [], {}, object(), "\ud800")
"""What is not a text, or is none that can be written."""


def refused(field: str, call: Callable[..., Any], **payload: Any) -> str:
    """See that a call refuses a payload because of this field, and by no error of a library; why it does."""
    with pytest.raises(InvalidPayload) as caught:
        call(**payload)
    assert caught.value.field == field, caught.value
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return caught.value.what
