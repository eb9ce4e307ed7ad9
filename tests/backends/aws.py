"""What tests do to moto behind the back of the components: one user, whose signatures it checks, and what is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from urllib.request import Request, urlopen

import botocore.session
from botocore.loaders import create_loader
from oneiric import Secret
from oneiric.testing.contracts.networked import SECRET

from tests.backends.harness.servers import Address, Server

_LOADER = create_loader()
_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class Moto:
    """An account on a server that has forgotten all it had; unless it `checks`, any key is good."""

    def __init__(self, server: Address | Server, *, checks: bool = True) -> None:
        self.url = f"http://{server.host}:{server.port}"
        self._post("reset-auth", b"inf")
        self._post("reset", b"")
        self.key, self.secret = "nobody", "no secret"
        if checks:
            self._check()

    def _check(self) -> None:
        iam = self.client("iam")
        iam.create_user(UserName="tests")
        made = iam.create_access_key(UserName="tests")["AccessKey"]
        iam.put_user_policy(UserName="tests", PolicyName="all", PolicyDocument=json.dumps(_ALL))
        self.key, self.secret = made["AccessKeyId"], made["SecretAccessKey"]
        self._post("reset-auth", b"0")  # after so many requests they have to be signed

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "endpoint_url": self.url,
            "region": "us-east-1",
            "access_key_id": self.key,
            "secret_access_key": Secret(self.secret),
        }

    def client(self, service: str) -> Any:
        session = cast("Any", botocore.session.get_session())
        session.register_component("data_loader", _LOADER)
        key = {"aws_access_key_id": self.key, "aws_secret_access_key": self.secret}
        return session.create_client(service, region_name="us-east-1", endpoint_url=self.url, **key)

    def _post(self, path: str, body: bytes) -> None:
        headers = {"content-type": "text/plain"}
        with urlopen(Request(f"{self.url}/moto-api/{path}", data=body, headers=headers, method="POST")) as answer:
            assert answer.status == 200


class Refilled:
    """A server that forgets everything when it is killed, and has what `fill` puts there when it is started again."""

    def __init__(self, server: Server, fill: Callable[[Moto], object]) -> None:
        self.host, self.port, self.kill = server.host, server.port, server.kill
        self._server, self._fill = server, fill
        fill(Moto(server, checks=False))

    def start(self) -> None:
        self._server.start()
        self._fill(Moto(self._server, checks=False))


def senseless(new: Callable[..., Callable[[], Any]]) -> list[tuple[str, Callable[[], Any]]]:
    """Settings of a component of an account that make no sense, each with the one told; `new` has the rest."""
    return [
        ("region", new(region="")),
        ("endpoint_url", new(endpoint_url="localhost")),
        ("endpoint_url", new(endpoint_url=f"http://u:{SECRET}@x")),
        ("access_key_id", new(secret_access_key=Secret(SECRET))),
        ("secret_access_key", new(access_key_id="k")),
        ("profile_name", new(profile_name="p", access_key_id="k", secret_access_key=Secret(SECRET))),
        ("ca_file", new(ca_file=Path("/no/such/ca.pem"))),
        ("timeout", new(timeout=0)),
        ("healthcheck_timeout", new(healthcheck_timeout=float("nan"))),
        ("max_connections", new(max_connections=0)),
    ]
