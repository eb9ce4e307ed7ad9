"""What tests do to a Redis server behind the back of the components."""

from __future__ import annotations

from redis import Redis

from tests.backends.harness.servers import Address, Server


def client_of(address: Address | Server) -> Redis:
    return Redis(host=address.host, port=address.port)


def set_password(server: Server, password: str) -> None:
    with client_of(server) as client:
        client.config_set("requirepass", password)
