"""Who is at the other end of a Unix socket."""

from __future__ import annotations

import os
import pwd
import socket
import struct
import sys
from asyncio.trsock import TransportSocket
from typing import NamedTuple

# Linux, struct ucred
_UCRED = struct.Struct("iII")  # pid, uid, gid
# macOS, sys/un.h and sys/ucred.h: options of level 0 (SOL_LOCAL), a struct xucred
_LOCAL_PEERCRED = 1
_LOCAL_PEERPID = 2
_XUCRED = struct.Struct("=II")  # version, uid; then a count of groups and 16 of them
_XUCRED_BYTES = 76
_XUCRED_VERSION = 0


class Peer(NamedTuple):
    """The process that connected, or that listens; `pid` is 0 where it lives in another container."""

    pid: int
    uid: int


def peer_of(connection: socket.socket | TransportSocket) -> Peer:
    """The other end of a connection, as the system tells it."""
    if sys.platform == "linux":
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        pid, uid, _ = _UCRED.unpack(credentials)
        return Peer(pid, uid)
    (pid,) = struct.unpack("i", connection.getsockopt(0, _LOCAL_PEERPID, 4))
    return Peer(pid, uid_of_xucred(connection.getsockopt(0, _LOCAL_PEERCRED, _XUCRED_BYTES)))


def uid_of_xucred(credentials: bytes) -> int:
    """The user id in a `struct xucred` of macOS. Raises `OSError` for another version of it, or none."""
    if len(credentials) < _XUCRED.size:
        raise OSError("the system does not say which user this connection is of")
    version, uid = _XUCRED.unpack_from(credentials)
    if version != _XUCRED_VERSION:
        raise OSError(f"the system says which user this connection is of in version {version} of struct xucred")
    return int(uid)


def user_of(uid: int) -> str:
    """The name of a user, or its number where it has none here."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def may_operate(uid: int) -> bool:
    """Whether that user may operate this process: its own user, and root."""
    return uid in (os.geteuid(), 0)
