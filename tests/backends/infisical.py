"""An Infisical of the tests, by the sources of its server: universal auth, and the secrets of one folder.

`expire` lets all tokens expire, `revoke` takes them back; `status` is answered to every request for secrets instead.
"""

from __future__ import annotations

import json
from typing import cast
from urllib.parse import parse_qs, unquote, urlsplit

from tests.backends.harness.receivers import Answering, HTTPReceiver

PROJECT, CLIENT_ID, CLIENT_SECRET = "7f0c-shop", "c1d2-tests", "st.a secret of tests"
_FOLDER = {"projectId": [PROJECT], "environment": ["prod"], "secretPath": ["/shop"]}


class Handler(Answering):
    def do_POST(self) -> None:
        there = cast("Infisical", self.server.receiver)
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert (self.path, {*asked}) == ("/api/v1/auth/universal-auth/login", {"clientId", "clientSecret"})
        there.log_ins += 1
        if there.log_in_status:
            self.fail(there.log_in_status, "SomeError")
        elif asked != {"clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET}:
            self.fail(401, "UnauthorizedError", f"Invalid credentials {asked['clientSecret']}")
        else:
            token = f"eyJ.{there.log_ins}"
            there.tokens[token] = "good"
            limits = {"expiresIn": 7200, "accessTokenMaxTTL": 43200, "tokenType": "Bearer"}
            self.say(200, {"accessToken": token, **limits})

    def do_GET(self) -> None:
        there = cast("Infisical", self.server.receiver)
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        name = unquote(parts.path).removeprefix("/api/v4/secrets").removeprefix("/")
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        there.asked.append(name)
        if there.status:
            self.fail(there.status, "SomeError")
        elif there.tokens.get(token) != "good":
            self.fail(*((403, "TokenError") if token in there.tokens else (401, "UnauthorizedError")), token)
        elif not _FOLDER.items() <= query.items():
            self.fail(404, "NotFound", "Folder not found")
        elif not name:
            assert query["viewSecretValue"] == ["false"]
            self.say(*there.listed)
        elif (kept := there.secrets.get(name)) is None:
            self.fail(404, "NotFound", f"Secret with name '{name}' not found")
        elif isinstance(kept, tuple):
            self.say(*kept)
        else:
            self.say(200, {"secret": {"secretKey": name, "secretValue": kept, "secretValueHidden": False}})

    def fail(self, status: int, error: str, message: str = "") -> None:
        self.say(status, {"reqId": "r", "statusCode": status, "message": message, "error": error})


class Infisical(HTTPReceiver):
    """Secrets by name are texts, or the status and document that reading them is answered with."""

    handler = Handler

    def __init__(self) -> None:
        super().__init__()
        self.secrets: dict[str, str | tuple[int, object]] = {}
        self.tokens: dict[str, str] = {}
        self.asked: list[str] = []
        self.log_ins = 0
        self.status = self.log_in_status = 0
        self.listed: tuple[int, object] = (200, {"secrets": []})

    def expire(self) -> None:
        self.tokens = dict.fromkeys(self.tokens, "expired")

    def revoke(self) -> None:
        self.tokens.clear()
