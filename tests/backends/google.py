"""What of Google's clouds the tests ask, by its documentation: who gives tokens, and the Secret Manager.

A token is given to whoever signs a claim with the key of the service account, as RFC 7523 has it, and is good for
`lifetime` seconds; `forget` makes all of them void. `status` is answered to every request of the API instead.
"""

from __future__ import annotations

import base64
import json
import re
import time
from pathlib import Path
from typing import cast
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.backends.harness.receivers import Answering, HTTPReceiver

PROJECT, EMAIL = "shop-1", "tests@shop-1.iam.gserviceaccount.com"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
KEY = RSAKey.generate_key(2048)
_PATH = re.compile(rf"/v1/projects/{PROJECT}/secrets/([\w-]+)/versions/(\w+):access")


class Handler(Answering):
    def do_POST(self) -> None:
        google = cast("Google", self.server.receiver)
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        try:
            claims = jwt.decode(form["assertion"][0], google.key, algorithms=["RS256"]).claims
        except Exception:
            self.say(400, {"error": "invalid_grant", "error_description": "no signature of this account"})
            return
        assert (self.path, form["grant_type"]) == ("/token", [GRANT])
        assert (claims["iss"], claims["aud"]) == (EMAIL, "https://oauth2.googleapis.com/token")
        assert claims["iat"] - 60 < time.time() < claims["exp"]
        token = f"ya29.{len(google.given)}"
        google.given.append(token)
        google.valid.add(token)
        self.say(200, {"access_token": token, "expires_in": google.lifetime, "token_type": "Bearer"})

    def do_GET(self) -> None:
        google = cast("Google", self.server.receiver)
        google.asked.append(self.path)
        if google.status:
            self.say(google.status, {"error": {"status": "SOMETHING"}})
        elif self.headers.get("Authorization", "").removeprefix("Bearer ") not in google.valid:
            self.say(401, {"error": {"status": "UNAUTHENTICATED"}})
        elif self.path == f"/v1/projects/{PROJECT}/secrets?pageSize=1":
            self.say(403, {"error": {"status": "PERMISSION_DENIED"}})  # as to whoever may only read them
        elif (found := _PATH.fullmatch(self.path)) is None:
            self.say(404, {"error": {"status": "NOT_FOUND"}})
        else:
            self.say(*google.version(*found.groups()))


class Google(HTTPReceiver):
    """Secrets by name are texts, bytes, or the status and document that reading them is answered with."""

    handler = Handler

    def __init__(self) -> None:
        super().__init__()
        self.key = KEY
        self.secrets: dict[str, str | bytes | tuple[int, object]] = {}
        self.given: list[str] = []
        self.valid: set[str] = set()
        self.asked: list[str] = []
        self.lifetime = 3600
        self.status = 0

    @property
    def token_url(self) -> str:
        return f"{self.url}/token"

    def forget(self) -> None:
        self.valid.clear()

    def version(self, name: str, version: str) -> tuple[int, object]:
        found = self.secrets.get(name)
        if found is None or version not in ("latest", "7"):
            return 404, {"error": {"status": "NOT_FOUND", "message": f"no {name}"}}
        if isinstance(found, tuple):
            return found
        data = found.encode() if isinstance(found, str) else found
        payload = {"data": base64.b64encode(data).decode()} if data else {}
        return 200, {"name": f"projects/1/secrets/{name}/versions/1", "payload": payload}

    def credentials(self, folder: Path, key: RSAKey = KEY, **more: str) -> Path:
        """The file of the service account's key, as the console gives it out."""
        private = key.as_pem(private=True).decode()
        document = {"type": "service_account", "project_id": PROJECT, "client_email": EMAIL, "private_key": private}
        path = folder / f"{len([*folder.iterdir()])}.json"
        path.write_text(json.dumps({**document, "token_uri": self.token_url, **more}))
        return path
