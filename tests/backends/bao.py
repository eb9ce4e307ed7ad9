"""What tests do to an OpenBao behind the back of the components."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from tests.backends.harness.servers import Address, Server

ROOT = "root"
PATH = "shop/prod"
ROLE, SECRET_ID = "role-of-the-shop", "a-secret-id-of-the-shop"
POLICY = 'path "secret/data/shop/*" { capabilities = ["read"] }'


class Bao:
    """Its root, at one server. Being in development mode it forgets everything when it is killed."""

    def __init__(self, server: Address | Server) -> None:
        self.url = f"http://{server.host}:{server.port}"

    def ask(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(
            f"{self.url}/v1/{path}", data=data, method=method, headers={"x-vault-token": ROOT}
        )
        end = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    text = answer.read()
                    return json.loads(text) if text else {}
            except OSError as error:  # it listens before it is ready
                if time.monotonic() > end or (isinstance(error, urllib.error.HTTPError) and error.code != 503):
                    raise
                time.sleep(0.05)

    def keep(self, fields: Mapping[str, object], path: str = PATH) -> None:
        self.ask("POST", f"secret/data/{path}", data=fields)

    def forget(self, path: str = PATH) -> None:
        self.ask("DELETE", f"secret/metadata/{path}")

    def let_in(self, *, ttl: str = "1h", policies: str = "shop", num_uses: int = 0) -> None:
        """Have the role `ROLE`, which may read what is below `shop/`."""
        if "approle/" not in self.ask("GET", "sys/auth")["data"]:
            self.ask("POST", "sys/auth/approle", type="approle")
        self.ask("PUT", "sys/policies/acl/shop", policy=POLICY)
        facts = {"token_policies": policies, "token_ttl": ttl, "token_max_ttl": ttl, "token_num_uses": num_uses}
        self.ask("POST", "auth/approle/role/shop", **facts)
        self.ask("POST", "auth/approle/role/shop/role-id", role_id=ROLE)
        with suppress(urllib.error.HTTPError):  # it has it already
            self.ask("POST", "auth/approle/role/shop/custom-secret-id", secret_id=SECRET_ID)

    def token(self, **facts: Any) -> str:
        token: str = self.ask("POST", "auth/token/create", **{"policies": ["shop"], **facts})["auth"]["client_token"]
        return token

    def revoke_log_ins(self) -> None:
        """Have every token expire that somebody logged in for."""
        for accessor in self.ask("LIST", "auth/token/accessors")["data"]["keys"]:
            with suppress(urllib.error.HTTPError):  # it has expired since it was listed
                found = self.ask("POST", "auth/token/lookup-accessor", accessor=accessor)["data"]
                if found["path"] == "auth/approle/login":
                    self.ask("POST", "auth/token/revoke-accessor", accessor=accessor)

    def log_ins(self) -> int:
        """How many tokens there are besides root's."""
        return len(self.ask("LIST", "auth/token/accessors")["data"]["keys"])
