"""The providers behind a network, for the cases that are the same for all: a row each."""

from __future__ import annotations

from typing import Any, NamedTuple


class Provider(NamedTuple):
    """`unreachable` are settings for a server that is not there, on `port`; `blamed` is the one its error names.

    `secret` is what the variable `PROBE_SECRET` of their references holds; `embedded`: the key has a default to swap
    from.
    """

    key: str
    name: str
    sdk: str
    blamed: str
    unreachable: dict[str, Any]
    secret: str = ""
    embedded: bool = True

    def settings(self, port: int) -> dict[str, Any]:
        """The settings with the port in its places."""
        return {name: _with_port(value, port) for name, value in self.unreachable.items()}


PROVIDERS = [
    Provider("database", "mysql", "aiomysql", "host", {"host": "127.0.0.1", "port": "PORT"}),
    Provider("database", "postgres", "asyncpg", "url", {"url": "postgresql://postgres@127.0.0.1:PORT/postgres"}),
    Provider("cache", "redis", "redis", "host", {"host": "127.0.0.1", "port": "PORT"}),
    Provider("queue", "redis-streams", "redis", "url", {"url": "redis://127.0.0.1:PORT/0"}),
    Provider("queue", "nats", "nats", "servers", {"servers": ["nats://127.0.0.1:PORT"]}),
    Provider(
        "monitoring",
        "sentry",
        "sentry_sdk",
        "dsn",
        {"dsn": "${PROBE_SECRET}"},
        "http://key@127.0.0.1:PORT/1",
        embedded=False,
    ),
    Provider(
        "monitoring",
        "logfire",
        "logfire",
        "base_url",
        {"token": "${PROBE_SECRET}", "base_url": "http://127.0.0.1:PORT"},
        "token",
        embedded=False,
    ),
    Provider(
        "monitoring",
        "otel-otlp",
        "opentelemetry.sdk",
        "endpoint",
        {"endpoint": "http://127.0.0.1:PORT"},
        embedded=False,
    ),
    Provider("http", "httpx", "httpx", "base_url", {"base_url": "http://127.0.0.1:PORT"}),
    Provider(
        "storage",
        "azure-blob",
        "azure",
        "account_url",
        {"container": "objects", "account_url": "http://127.0.0.1:PORT/account"},
    ),
]


def _with_port(value: Any, port: int) -> Any:
    if value == "PORT":
        return port
    if isinstance(value, list):
        return [_with_port(each, port) for each in value]
    return value.replace("PORT", str(port)) if isinstance(value, str) else value
