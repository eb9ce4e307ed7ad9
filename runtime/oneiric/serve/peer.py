"""Who is at the other end of a Unix socket."""

from __future__ import annotations

import os
import socket
import struct
import sys
from asyncio.trsock import TransportSocket

_LOCAL_PEERCRED = 1  # macOS: option of level 0, a struct xucred: version, uid, groups


def peer_uid(connection: socket.socket | TransportSocket) -> int:
    """The user id of the process that connected, as the system tells it."""
    if sys.platform == "linux":
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII"))
        _, uid, _ = struct.unpack("iII", credentials)
    else:
        _, uid = struct.unpack("II", connection.getsockopt(0, _LOCAL_PEERCRED, 128)[:8])
    return int(uid)


def may_operate(uid: int) -> bool:
    """Whether that user may operate this process: its own user, and root."""
    return uid in (os.geteuid(), 0)
