"""Services of pushes, by their documentation: they check what they are sent, and read it as the device would.

`faults` are answers to the next pushes instead: a status, a body and headers, or None for a connection that is closed.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeAlias, cast
from uuid import UUID

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from h2.exceptions import ProtocolError
from joserfc import jwt
from joserfc.jwk import ECKey
from oneiric.adapters.push import Device, Push

from tests.backends import google
from tests.backends.harness.receivers import Answering, HTTPReceiver, Receiver

Answer: TypeAlias = tuple[int, bytes, Mapping[str, str]]
Arrived: TypeAlias = "list[tuple[Device, Push]]"
CURVE = ec.SECP256R1()


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def pem_of(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def point_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def claims_of(token: str, public: ec.EllipticCurvePublicKey) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token that this key signed by ES256."""
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    checked = jwt.decode(token, ECKey.import_key(pem), algorithms=["ES256"])
    return dict(checked.header), dict(checked.claims)


# browsers


class Browser:
    """A subscription, and what reads its pushes; RFC 8291 from the side of the receiver."""

    def __init__(self, url: str, number: int) -> None:
        self.key = ec.generate_private_key(CURVE)
        self.auth = bytes([number]) * 16
        self.path = f"/push/{number}"
        keys = {"p256dh": encoded(point_of(self.key)), "auth": encoded(self.auth)}
        self.device: dict[str, Any] = {"endpoint": url + self.path, "expirationTime": None, "keys": keys}

    def read(self, body: bytes) -> bytes:
        salt, record, length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
        sender, sealed = body[21 : 21 + length], body[21 + length :]
        assert (record, length) == (4096, 65)
        assert len(body) <= 4096
        shared = self.key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(CURVE, sender))
        between = _mac(_mac(self.auth, shared), b"WebPush: info\0" + point_of(self.key) + sender + b"\1")
        secret = _mac(salt, between)
        key = _mac(secret, b"Content-Encoding: aes128gcm\0\1")[:16]
        nonce = _mac(secret, b"Content-Encoding: nonce\0\1")[:12]
        text = AESGCM(key).decrypt(nonce, sealed, None).rstrip(b"\0")
        assert text.endswith(b"\2")
        return text[:-1]


def _mac(key: bytes, data: bytes) -> bytes:
    made = hmac.HMAC(key, hashes.SHA256())
    made.update(data)
    return made.finalize()


class Handler(Answering):
    def do_POST(self) -> None:
        service = cast("PushService", self.server.receiver)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        service.attempts += 1
        answer = service.faults.pop(0) if service.faults else service.take(self.path, self.headers, body)
        if answer is None:
            self.hang_up()
        else:
            self.say(*answer)


class PushService(HTTPReceiver):
    """A push service with three browsers, which subscribed with the key of `application`."""

    handler = Handler
    subject = "mailto:ops@shop.example"

    def __init__(self) -> None:
        super().__init__()
        self.application = ec.generate_private_key(CURVE)
        self.browsers = [Browser(self.url, number) for number in range(3)]
        self.arrived: Arrived = []
        self.attempts = 0
        self.faults: list[Answer | None] = []
        self.origin = self.url

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        token, public = re.fullmatch(r"vapid t=([\w.-]+), k=([\w-]+)", headers["authorization"]).groups()  # type: ignore[union-attr]
        if public != encoded(point_of(self.application)):
            return 403, b"not the key of the subscription: " + public.encode(), {}
        _, claims = claims_of(token, self.application.public_key())
        assert (claims["sub"], re.sub(r"\d+\Z", "", claims["aud"])) == (self.subject, "http://127.0.0.1:")
        assert time.time() < claims["exp"] <= time.time() + 24 * 3600
        found = [browser for browser in self.browsers if browser.path == path]
        if not found:
            return 404, b"no such subscription", {}
        assert headers["content-encoding"] == "aes128gcm"
        told = json.loads(found[0].read(body))
        urgent = {"high": True, "normal": False}[headers["urgency"]]
        push = Push(**told, ttl=int(headers["ttl"]), urgent=urgent, collapse=headers.get("topic"))
        self.arrived.append((found[0].device, push))
        return 201, b"", {"Location": f"{self.url}/message/{len(self.arrived)}"}


# Firebase


class FcmHandler(google.Handler):
    def do_POST(self) -> None:
        fcm = cast("Fcm", self.server.receiver)
        if self.path == "/token":
            super().do_POST()
            return
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers.get("Authorization", "").removeprefix("Bearer ") not in fcm.valid:
            self.say(401, {"error": {"status": "UNAUTHENTICATED"}})
        elif body.get("validate_only"):
            assert self.path == f"/v1/projects/{google.PROJECT}/messages:send"
            self.say(200, {"name": f"projects/{google.PROJECT}/messages/fake_message_id"})
        else:
            fcm.attempts += 1
            answer = fcm.faults.pop(0) if fcm.faults else fcm.take(self.path, body["message"])
            if answer is None:
                self.hang_up()
            else:
                self.say(*answer)


class Fcm(google.Google):
    """The API v1 for a project of tests, whose devices are `device-0:x` to `device-2:x`."""

    handler = FcmHandler

    def __init__(self) -> None:
        super().__init__()
        self.arrived: Arrived = []
        self.attempts = 0
        self.faults: list[Answer | None] = []

    def take(self, path: str, message: Any) -> Answer:
        assert path == f"/v1/projects/{google.PROJECT}/messages:send"
        assert set(message) <= {"token", "notification", "data", "android", "apns", "webpush"}
        if not re.fullmatch(r"device-[012]:x", message["token"]):
            return self.error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT")
        data, android, apple, web = message["data"], message["android"], message["apns"], message["webpush"]
        shown = message.get("notification", {})
        assert all(isinstance(each, str) for each in (*data.values(), *shown.values()))
        assert sum(len(part.encode()) for part in (*data, *data.values(), *shown.values())) <= 4096
        ttl = int(re.fullmatch(r"(\d+)s", android["ttl"])[1])  # type: ignore[index]
        urgent = {"HIGH": True, "NORMAL": False}[android["priority"]]
        collapse = android.get("collapse_key")
        assert web["headers"]["TTL"] == str(ttl)
        assert web["headers"]["Urgency"] == ("high" if urgent else "normal")
        assert web["headers"].get("Topic") == collapse
        check_apple(apple["headers"], apple["payload"]["aps"], bool(shown))
        assert apple["headers"].get("apns-collapse-id") == collapse
        push = Push(shown.get("title", ""), shown.get("body", ""), data, ttl, urgent, collapse)
        self.arrived.append((message["token"], push))
        return 200, json.dumps({"name": f"projects/{google.PROJECT}/messages/{len(self.arrived)}"}).encode(), {}

    def error(self, status: int, says: str, code: str = "", *, field: str = "", wait: str = "") -> Answer:
        details: list[dict[str, Any]] = []
        if code:
            kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
            details.append({"@type": kind, "errorCode": code})
        if field:
            kind = "type.googleapis.com/google.rpc.BadRequest"
            details.append({"@type": kind, "fieldViolations": [{"field": field, "description": says}]})
        error = {"code": status, "message": f"hunter2-canary {says}", "status": says, "details": details}
        return status, json.dumps({"error": error}).encode(), {"Retry-After": wait} if wait else {}


def check_apple(headers: Mapping[str, str], aps: Mapping[str, Any], is_shown: bool) -> None:
    """What Apple wants of an alert, and of what only the app gets."""
    assert headers["apns-push-type"] == ("alert" if is_shown else "background")
    assert headers["apns-priority"] in (("5", "10") if is_shown else ("5",))
    assert aps.get("content-available") == (None if is_shown else 1)
    assert int(headers["apns-expiration"]) == 0 or int(headers["apns-expiration"]) > time.time() - 60


# Apple


class Apns(Receiver):
    """Apple's service by HTTP/2, for an app, a team and a key of tests; devices are `DEVICES`."""

    topic, team_id, key_id = "shop.example.app", "TEAM012345", "KEY0123456"

    def __init__(self, *, certificate: tuple[Any, Any] | None = None) -> None:
        super().__init__(certificate=certificate)
        self.key = ec.generate_private_key(CURVE)
        self.arrived: Arrived = []
        self.attempts = 0
        self.faults: list[Answer | None] = []
        self.tokens: set[str] = set()
        self.voided: set[str] = set()
        self.connections: set[socket.socket] = set()

    def device(self, number: int) -> str:
        return f"{number:064x}"

    @property
    def url(self) -> str:
        return f"{'http' if self.certificate is None else 'https'}://{self.host}:{self.port}"

    def start(self) -> None:
        self._listening = socket.create_server((self.host, self.port), backlog=128)
        threading.Thread(target=self._accept, args=(self._listening,), name="receiver", daemon=True).start()

    def kill(self) -> None:
        for each in (self._listening, *self.connections):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), name="receiver", daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        connection = accepted
        try:
            if self.certificate is not None:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*self.certificate)
                context.set_alpn_protocols(["h2"])
                connection = context.wrap_socket(connection, server_side=True)
                assert connection.selected_alpn_protocol() == "h2"  # type: ignore[attr-defined]
            self._talk(connection)
        except (OSError, ProtocolError):
            pass  # a client that goes away, or makes no sense, is not an error of the service
        finally:
            self.connections.discard(accepted)
            connection.close()

    def _talk(self, connection: socket.socket) -> None:
        talk = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        talk.initiate_connection()
        connection.sendall(talk.data_to_send())
        asked: dict[int, tuple[dict[str, str], bytearray]] = {}
        while data := connection.recv(65536):
            for event in talk.receive_data(data):
                match event:
                    case RequestReceived():
                        asked[event.stream_id] = (dict(event.headers), bytearray())  # type: ignore[arg-type]
                    case DataReceived():
                        asked[event.stream_id][1].extend(event.data)
                        talk.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    case StreamEnded():
                        answer = self._answer(*asked.pop(event.stream_id))
                        if answer is None:
                            return
                        with suppress(ProtocolError):  # of a call that was given up
                            self._say(talk, event.stream_id, answer)
                    case _:
                        pass
            connection.sendall(talk.data_to_send())

    def _say(self, talk: H2Connection, stream: int, answer: Answer) -> None:
        status, body, headers = answer
        talk.send_headers(stream, [(":status", str(status)), *headers.items()], end_stream=not body)
        if body:
            talk.send_data(stream, body, end_stream=True)

    def _answer(self, headers: dict[str, str], body: bytes | bytearray) -> Answer | None:
        if headers[":method"] != "POST":
            return self.error(405, "MethodNotAllowed")
        self.attempts += 1
        return self.faults.pop(0) if self.faults else self.take(headers, bytes(body))

    def take(self, headers: dict[str, str], body: bytes) -> Answer:
        if wrong := self._wrong_token(headers["authorization"].removeprefix("bearer ")):
            return self.error(403, wrong)
        if headers["apns-topic"] != self.topic:
            return self.error(400, "TopicDisallowed")
        found = re.fullmatch(r"/3/device/(0{63}[012])", headers[":path"])
        if found is None:
            return self.error(400, "BadDeviceToken")
        if len(body) > 4096:
            return self.error(413, "PayloadTooLarge")
        payload = json.loads(body)
        aps = payload.pop("aps")
        shown = aps.get("alert", {})
        check_apple(headers, aps, bool(shown))
        UUID(headers["apns-id"])
        until = int(headers["apns-expiration"])
        ttl = round(until - time.time()) if until else 0
        collapse = headers.get("apns-collapse-id")
        push = Push(
            shown.get("title", ""), shown.get("body", ""), payload, ttl, headers["apns-priority"] == "10", collapse
        )
        self.arrived.append((found[1], push))
        return 200, b"", {"apns-id": headers["apns-id"]}

    def _wrong_token(self, token: str) -> str:
        if token in self.voided:
            return "ExpiredProviderToken"
        if token not in self.tokens:
            try:
                header, claims = claims_of(token, self.key.public_key())
            except Exception:
                return "InvalidProviderToken"
            if (header["kid"], claims["iss"]) != (self.key_id, self.team_id) or abs(time.time() - claims["iat"]) > 60:
                return "InvalidProviderToken"
            self.tokens.add(token)
        return ""

    def error(self, status: int, reason: str, **headers: str) -> Answer:
        return status, json.dumps({"reason": reason}).encode(), headers
