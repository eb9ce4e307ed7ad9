"""What tests do to moto behind the back of the components: one user, whose signatures it checks, and what is kept."""

from __future__ import annotations

import json
from typing import Any, cast
from urllib.request import Request, urlopen

import botocore.session
from botocore.loaders import create_loader
from oneiric import Secret

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
