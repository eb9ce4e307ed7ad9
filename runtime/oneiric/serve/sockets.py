"""The sockets that a process listens on."""

from __future__ import annotations

import os
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from weakref import WeakSet

LOOPBACK = "127.0.0.1"
_listening: WeakSet[socket.socket] = WeakSet()


def _let_go() -> None:
    """In a child process: it would keep the addresses taken, and never answer, when its parent is gone."""
    for listening in list(_listening):
        listening.close()


os.register_at_fork(after_in_child=_let_go)


@contextmanager
def control_socket(path: str) -> Generator[socket.socket]:
    """A Unix socket of mode 0600 from its first moment, in the place of one that a killed process left; its file is
    removed at the end. Only for who has the folder's lock. Raises `OSError`."""
    _remove(path)
    listening = socket.socket(socket.AF_UNIX)
    _listening.add(listening)
    owner = os.getpid()
    before = os.umask(0o177)
    try:
        listening.bind(path)
    except BaseException:
        listening.close()
        raise
    finally:
        os.umask(before)
    try:
        yield listening
    finally:
        if os.getpid() == owner:
            _remove(path)


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def bound(host: str, port: int) -> socket.socket:
    """A TCP socket at an address or name of this machine, at any port for 0. Raises `OSError` that names the two."""
    version_6 = ":" in host
    both = host == "::" and socket.has_dualstack_ipv6()
    try:
        family = socket.AF_INET6 if version_6 else socket.AF_INET
        listening = socket.create_server((host, port), family=family, dualstack_ipv6=both)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise OSError(error.errno, reason, address_of(host, port)) from error
    _listening.add(listening)
    return listening


def address_of(host: str, port: int) -> str:
    """`HOST:PORT`, as in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
