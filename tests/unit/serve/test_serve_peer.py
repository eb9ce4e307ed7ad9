"""Who is at the other end of a socket, as each system tells it."""

from __future__ import annotations

import os
import socket
import struct

import pytest
from oneiric.serve.peer import may_operate, peer_of, uid_of_xucred


def xucred(uid: int, *, version: int = 0) -> bytes:
    """What macOS answers: version, uid, the number of groups, and room for sixteen of them."""
    return struct.pack("=IIhxx16I", version, uid, 2, 20, 12, *([0] * 14))


def test_the_system_tells_the_user_of_a_connection() -> None:
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        assert peer_of(one) == (os.getpid(), os.geteuid())
    assert may_operate(os.geteuid())
    assert may_operate(0)


@pytest.mark.parametrize("uid", [0, 501, 2**32 - 2])
def test_the_user_in_what_macos_answers(uid: int) -> None:
    assert len(xucred(uid)) == 76
    assert uid_of_xucred(xucred(uid)) == uid


@pytest.mark.parametrize("answer", [b"", xucred(0)[:7], xucred(0, version=1)])
def test_an_answer_that_is_not_understood_is_never_a_user(answer: bytes) -> None:
    with pytest.raises(OSError, match="user this connection is of"):
        uid_of_xucred(answer)
