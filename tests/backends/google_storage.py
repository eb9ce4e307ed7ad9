"""What fake-gcs-server lacks of Google, in front of one: tokens, signed links, conditions of large uploads, faults."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import threading
import time
import urllib.request
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Literal
from urllib.parse import parse_qs, quote
from uuid import uuid4

import aiohttp
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from yarl import URL

from tests.backends.harness.servers import Address, Server

EMAIL = "tests@shop.iam.gserviceaccount.com"
_SENT = ("content-type", "content-range", "range", "accept-encoding")
_TOLD = ("content-type", "content-range", "range", "location", "x-goog-generation", "content-encoding")

Fault = int | tuple[int, str, str] | Literal["truncated"]
"""What is answered instead: a status, with a reason and a message; or half of what was asked for."""


def url(server: Address | Server) -> str:
    return f"http://{server.host}:{server.port}"


def ask(server: Address | Server, method: str, path: str, body: object = None) -> Any:
    """What the fake answers behind the back of the components."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url(server) + path, data=data, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"null")


def make_bucket(server: Address | Server, name: str) -> None:
    ask(server, "POST", "/storage/v1/b?project=tests", {"name": name})


def empty_bucket(server: Address | Server, name: str) -> None:
    """Drop its objects, which the fake has in memory."""
    for each in ask(server, "GET", f"/storage/v1/b/{name}/o").get("items", ()):
        ask(server, "DELETE", f"/storage/v1/b/{name}/o/{quote(each['name'], safe='')}")


class Google:
    """Gives tokens for the account `EMAIL`, whose key it has, and lets requests pass that have one, or are signed."""

    def __init__(self, server: Address, folder: Path) -> None:
        self._folder = folder
        self.key = rsa.generate_private_key(65537, 1024)  # small: every component checks it
        self.tokens: set[str] = set()
        self.issued = 0
        self.lasts = 3600
        self.withdrawn = False
        self.faults: list[Fault] = []
        """The next answers to requests with a token; those for tokens are `for_tokens`."""
        self.for_tokens: list[int] = []
        self.requests: list[tuple[str, str]] = []
        self.uploads: dict[str, tuple[str, str]] = {}
        """The paths of objects that are being uploaded, with the generation that is expected, by upload."""
        self.keeps = 0
        """How many bytes of the next part it keeps; 0: all."""
        self._target = server
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="google", daemon=True)
        self._lock = asyncio.Lock()

    def __enter__(self) -> Google:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def account(self, **facts: Any) -> Path:
        """The file of the account's key, as Google gives it out."""
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        known = {"type": "service_account", "client_email": EMAIL, "private_key_id": "1", "private_key": pem}
        file = self._folder / f"{uuid4().hex}.json"
        file.write_text(json.dumps({**known, "token_uri": f"{self.url}/token", **facts}))
        return file

    # tokens

    async def _token(self, request: web.Request) -> web.Response:
        if self.for_tokens:
            return web.json_response({}, status=self.for_tokens.pop(0))
        form = {name: values[0] for name, values in parse_qs(await request.text()).items()}
        fits = form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer" and self._asserts(form["assertion"])
        if not fits or self.withdrawn:
            said = {"error": "invalid_grant", "error_description": f"It was {await request.text()}"}
            return web.json_response(said, status=400)
        await asyncio.sleep(0.02)
        token = f"ya29.{uuid4().hex}"
        self.tokens.add(token)
        self.issued += 1
        return web.json_response({"access_token": token, "expires_in": self.lasts, "token_type": "Bearer"})

    def _asserts(self, assertion: str) -> bool:
        signed, _, signature = assertion.rpartition(".")
        head, claims = (json.loads(_decoded(part)) for part in signed.split("."))
        now = time.time()
        return (
            self._signed(signed.encode(), _decoded(signature))
            and head == {"alg": "RS256", "typ": "JWT", "kid": "1"}
            and (claims["iss"], claims["aud"]) == (EMAIL, "https://oauth2.googleapis.com/token")
            and "devstorage.read_write" in claims["scope"]
            and now - 60 < claims["iat"] <= now < claims["exp"] <= claims["iat"] + 3600
        )

    def _signed(self, text: bytes, signature: bytes) -> bool:
        try:
            self.key.public_key().verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True

    # the storage

    async def _storage(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path_qs))
        if "X-Goog-Signature" in request.query:
            status = self._link_status(request)
            return await self._passed_on(request) if status == 200 else web.Response(status=status)
        given = request.headers.get("authorization", "")
        if given.removeprefix("Bearer ") not in self.tokens:
            return _failed(401, "authError", f"Invalid Credentials: {given}")
        match self.faults.pop(0) if self.faults else 0:
            case (int(status), str(reason), str(message)):
                return _failed(status, reason, message)
            case "truncated":
                return await self._half(request)
            case 0:
                pass
            case status:
                return _failed(status, "", "")
        if "upload_id" in request.query and request.method == "PUT":
            return await self._part(request)
        answer = await self._passed_on(request)
        if request.query.get("uploadType") == "resumable" and request.method == "POST":
            name = (await request.json())["name"]
            upload = answer.headers["location"].rpartition("upload_id=")[2]
            bucket = request.path.split("/")[5]
            place = f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}"
            self.uploads[upload] = place, request.query.get("ifGenerationMatch", "")
        if request.method == "DELETE":
            self.uploads.pop(request.query.get("upload_id", ""), None)
        return answer

    def _link_status(self, request: web.Request) -> int:
        """Whether a signed request is what was signed, as Google documents its signature V4."""
        path, _, query = request.raw_path.partition("?")
        query, _, signature = query.rpartition("&X-Goog-Signature=")
        made = request.query["X-Goog-Date"]
        canonical = [request.method, path, "&".join(sorted(query.split("&")))]
        canonical += [f"host:{request.headers['host']}", "", "host", "UNSIGNED-PAYLOAD"]
        email, _, scope = request.query["X-Goog-Credential"].partition("/")
        digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
        text = "\n".join(("GOOG4-RSA-SHA256", made, scope, digest))
        if email != EMAIL or scope != f"{made[:8]}/auto/storage/goog4_request":
            return 403
        if not self._signed(text.encode(), bytes.fromhex(signature)):
            return 403
        begun = datetime.strptime(made, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        over = begun + timedelta(seconds=int(request.query["X-Goog-Expires"])) < datetime.now(UTC)
        return 400 if over else 200

    async def _part(self, request: web.Request) -> web.Response:
        """A part of an upload, the last one with its condition, which the fake does not look at."""
        data, spread = await request.read(), request.headers["content-range"]
        if self.keeps:
            begin = int(spread.removeprefix("bytes ").partition("-")[0])
            data, spread = data[: self.keeps], f"bytes {begin}-{begin + self.keeps - 1}/*"
            self.keeps = 0
        upload = request.query["upload_id"]
        place, expected = self.uploads[upload]
        if spread.endswith("/*"):
            assert len(data) % (256 * 1024) == 0, "Google keeps only so much"
            return await self._passed_on(request, data, spread)
        async with self._lock:
            if expected:
                found = await self._fake("GET", place)
                generation = json.loads(found.text or "")["generation"] if found.status == 200 else "0"
                if generation != expected:
                    return _failed(412, "conditionNotMet", "At least one of the pre-conditions you specified…")
            del self.uploads[upload]
            return await self._passed_on(request, data, spread)

    async def _half(self, request: web.Request) -> web.StreamResponse:
        whole = await self._passed_on(request)
        assert isinstance(whole.body, bytes)
        answer = web.StreamResponse(status=whole.status, headers=whole.headers)
        answer.content_length = len(whole.body)
        await answer.prepare(request)
        await answer.write(whole.body[: len(whole.body) // 2])
        assert request.transport is not None
        request.transport.close()
        return answer

    async def _passed_on(self, request: web.Request, data: bytes | None = None, spread: str = "") -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() in _SENT}
        if spread:
            headers["content-range"] = spread
        return await self._fake(
            request.method, request.raw_path, await request.read() if data is None else data, headers
        )

    async def _fake(
        self, method: str, path: str, data: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> web.Response:
        target = URL(url(self._target) + path, encoded=True)
        async with self._session.request(
            method, target, data=BytesIO(data), headers=headers, allow_redirects=False
        ) as answer:
            told = {name: answer.headers[name] for name in _TOLD if name in answer.headers}
            return web.Response(status=answer.status, headers=told, body=await answer.read())

    # its thread

    async def _listen(self) -> None:
        self._session = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application(client_max_size=2**30)
        app.router.add_post("/token", self._token)
        app.router.add_route("*", "/{path:.*}", self._storage)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.host, self.port = self._runner.addresses[0][:2]
        self.url = f"http://{self.host}:{self.port}"

    async def _close(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


def _failed(status: int, reason: str, message: str) -> web.Response:
    errors = [{"domain": "global", "reason": reason, "message": message}]
    return web.json_response({"error": {"code": status, "message": message, "errors": errors}}, status=status)


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
