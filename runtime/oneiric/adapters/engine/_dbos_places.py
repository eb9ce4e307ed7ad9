"""Where the engine `dbos` keeps runs: a file, or a PostgreSQL server."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from psycopg.conninfo import make_conninfo
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError

from oneiric import Secret
from oneiric.adapters._common.network import Faults
from oneiric.adapters._common.sqlite import set_pragma
from oneiric.adapters.engine import EngineMisconfigured, EngineRefused, EngineUnavailable

FAULTS = Faults("dbos", EngineUnavailable, EngineRefused, EngineMisconfigured)
_IDLE = 5  # seconds after which PostgreSQL ends a transaction in which nothing happens


def _unixepoch(*_: object) -> float:
    return datetime.now(UTC).timestamp()


def sqlite_engine(path: str, wait: float) -> sa.Engine:
    """Connections to a file: with a log of its own for writing, and what DBOS wants of a connection."""
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=path), connect_args={"check_same_thread": False, "timeout": wait}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        for name, value in (("busy_timeout", int(wait * 1000)), ("journal_mode", "WAL"), ("foreign_keys", "ON")):
            set_pragma(connection, name, value, wait)
        # DBOS asks for `unixepoch('subsec')`, which SQLite has from 3.42 on
        connection.create_function("unixepoch", -1, _unixepoch)

    return engine


def address(url: str, password: Secret | None, tls: bool, ca_file: Path | None, timeout: float) -> sa.URL:
    try:
        parts = sa.make_url(url)
    except (ArgumentError, ValueError):
        raise FAULTS.no_sense("is not a URL", "url") from None
    if parts.drivername not in ("postgresql", "postgres") or parts.query or not parts.host:
        raise FAULTS.no_sense("is not of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE", "url")
    if parts.password and password:
        raise FAULTS.no_sense("has a password, and the setting password does too", "url")
    if ca_file is not None and not ca_file.is_file():
        raise FAULTS.no_sense(f"{ca_file} is not a file of certificates", "ca_file")
    query = {
        "connect_timeout": str(max(2, round(timeout))),
        "sslmode": "verify-full" if tls else "prefer",
        "keepalives": "1", "keepalives_idle": "5", "keepalives_interval": "2", "keepalives_count": "3",
        "tcp_user_timeout": "10000",
        **({"sslrootcert": str(ca_file or "system")} if tls else {}),
    }  # fmt: skip
    parts = parts.set(drivername="postgresql+psycopg", database=parts.database or "postgres", query=query)
    return parts if password is None else parts.set(password=password.reveal())


def dsn(url: sa.URL) -> str:
    """The address as libpq wants it: words, since SQLAlchemy leaves spaces of a password as they are in a URL."""
    named = url.translate_connect_args(username="user", database="dbname")
    return make_conninfo("", **named, **{name: str(value) for name, value in url.query.items()})


def postgres_engine(url: sa.URL, most: int, timeout: float) -> sa.Engine:
    return sa.create_engine(
        url,
        pool_size=most,
        max_overflow=0,
        pool_timeout=timeout,
        pool_pre_ping=True,
        connect_args={"options": f"-c idle_in_transaction_session_timeout={_IDLE * 1000}"},
    )
