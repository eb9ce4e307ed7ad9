"""security.signature: HMAC as everybody makes it, Standard Webhooks as their own library reads and writes them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from base64 import b64encode
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from time import time
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric import Secret
from oneiric.actions import ActionMisconfigured, InvalidPayload
from oneiric.actions.signature import Algorithm, Signature, sign, sign_webhook, verify, verify_webhook
from oneiric.testing.contracts import ActionContract, started
from standardwebhooks import Webhook, WebhookVerificationError

from tests.unit.actions.payloads import HOSTILE, refused

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class TestSignature(ActionContract):
    pure = True

    def fresh(self) -> AbstractAsyncContextManager[Any]:
        return started(Signature(secret=Secret(SECRET), include_timestamp=False, tolerance=10.0**8))

    def payloads(self) -> list[dict[str, Any]]:
        return [
            {"message": ""},
            {"body": {"b": 1, "a": "é"}, "algorithm": "blake2b", "encoding": "base64", "secret": "s"},
            {"data": 0, "scheme": "standard-webhooks", "id": "msg_1", "timestamp": int(time())},
            {"mode": "verify", "message": "x", "signature": "no"},
        ]

    def refused(self) -> list[dict[str, Any]]:
        return [
            {},
            {"message": "a", "data": "a"},
            {"message": "a", "secret": ""},
            {"message": "a", "secret": "no base64", "scheme": "standard-webhooks"},
            {"message": "a", "secret": "whsec_", "scheme": "standard-webhooks"},
            {"message": "a", "id": "a.b", "scheme": "standard-webhooks"},
            {"message": "a", "timestamp": -1, "scheme": "standard-webhooks"},
            {"message": "a", "timestamp": True, "scheme": "standard-webhooks"},
            {"mode": "verify", "message": "a"},
            {"mode": "verify", "message": "a", "signature": "v1,x", "scheme": "standard-webhooks"},
            {"mode": "verify", "message": "a", "signature": "v1,x", "scheme": "standard-webhooks", "id": "a"},
            {"message": float("nan")},
        ]


@pytest.mark.parametrize("algorithm", get_args(Algorithm))
@given(message=st.binary(max_size=50), secret=st.text(min_size=1, max_size=20))
def test_a_signature_is_the_hmac(algorithm: Algorithm, message: bytes, secret: str) -> None:
    wanted = hmac.new(secret.encode(), message, getattr(hashlib, algorithm))
    assert sign(message, Secret(secret), algorithm=algorithm) == wanted.hexdigest()
    assert sign(message, secret, algorithm=algorithm, encoding="base64") == b64encode(wanted.digest()).decode()
    assert verify(message, wanted.hexdigest().upper(), secret, algorithm=algorithm)
    assert not verify(message + b"x", wanted.hexdigest(), secret, algorithm=algorithm)


@given(st.text(max_size=80))
def test_what_is_no_signature_is_wrong_and_no_error(shown: str) -> None:
    assert not verify(b"message", shown, "secret")
    assert not verify(b"message", shown, "secret", encoding="base64")
    headers = sign_webhook(b"message", SECRET, id="msg")
    for name in headers:
        assert not verify_webhook(b"message", {**headers, name: shown}, SECRET)
    assert not verify_webhook(b"message", {}, SECRET)


def test_headers_may_hold_what_no_text_does() -> None:
    headers = sign_webhook(b"message", SECRET, id="msg")
    for name in headers:
        assert not verify_webhook(b"message", {**headers, name: "\udcff"}, SECRET)


@given(
    body=st.text(max_size=60),
    key=st.binary(min_size=1, max_size=64),
    id=st.from_regex(r"[!-\-/-~]{1,20}", fullmatch=True),
)
def test_the_library_of_standard_webhooks_agrees(body: str, key: bytes, id: str) -> None:
    secret = "whsec_" + b64encode(key).decode()
    theirs, now = Webhook(secret), int(time())
    headers = sign_webhook(body.encode(), secret, id=id, timestamp=now)
    assert headers["webhook-signature"] == theirs.sign(id, datetime.fromtimestamp(now, UTC), body)
    theirs.verify(body, headers, json_parse=False)
    assert verify_webhook(body.encode(), {name.upper(): value for name, value in headers.items()}, secret)
    with pytest.raises(WebhookVerificationError):
        theirs.verify(body + "x", headers, json_parse=False)
    assert not verify_webhook((body + "x").encode(), headers, secret)


def test_the_published_vector() -> None:
    """The example of the specification, which all libraries share."""
    body = b'{"test": 2432232314}'
    headers = sign_webhook(body, SECRET, id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_one_of_several_signatures_is_enough_and_other_versions_are_not_read() -> None:
    old, new = (sign_webhook(b"x", "whsec_" + b64encode(key * 24).decode(), id="msg") for key in (b"a", b"b"))
    both = f"v1a,abc {old['webhook-signature']} {new['webhook-signature']} v1,"
    for key in (b"a", b"b"):
        assert verify_webhook(b"x", {**old, "webhook-signature": both}, "whsec_" + b64encode(key * 24).decode())
    assert not verify_webhook(
        b"x", {**old, "webhook-signature": old["webhook-signature"].replace("v1,", "v2,")}, SECRET
    )


def test_a_time_that_is_off_is_wrong() -> None:
    headers = sign_webhook(b"x", SECRET, id="msg", timestamp=1_000_000)
    for now, valid in ((999_700, True), (999_699, False), (1_000_300, True), (1_000_301, False)):
        assert verify_webhook(b"x", headers, SECRET, now=now) is valid
    for timestamp in ("", "-1", "1e6", "٣", "9" * 13, "1000000.0", " 1000000"):
        assert not verify_webhook(b"x", {**headers, "webhook-timestamp": timestamp}, SECRET, now=1_000_000)


def test_the_action_signs_what_its_functions_do() -> None:
    async def story() -> None:
        action = Signature(secret=Secret("s"))
        made = await action(message={"b": 1, "a": "é"})
        canonical = json.dumps({"a": "é", "b": 1}, separators=(",", ":"))
        assert made["signature"] == sign(canonical, "s")
        assert (made["status"], made["header"]) == ("signed", "X-Oneiric-Signature")
        assert datetime.fromisoformat(made["timestamp"]).tzinfo is not None
        assert "timestamp" not in await action(message="a", include_timestamp=False)
        assert (await action(message="a", header="X-Mine", secret="t"))["header"] == "X-Mine"
        valid = await action(mode="verify", body={"a": "é", "b": 1}, signature=made["signature"])
        assert valid == {"status": "verified", "algorithm": "sha256", "encoding": "hex", "valid": True}

    asyncio.run(story())


def test_the_action_signs_webhooks_and_verifies_them() -> None:
    async def story() -> None:
        action = Signature(secret=Secret(SECRET), scheme="standard-webhooks")
        made = await action(message='{"a": 1}')
        Webhook(SECRET).verify('{"a": 1}', made["headers"])
        again = await action(message='{"a": 1}')
        assert made["headers"]["webhook-id"] != again["headers"]["webhook-id"]
        given = {"message": '{"a": 1}', "id": made["headers"]["webhook-id"], "signature": made["signature"]}
        when = int(made["headers"]["webhook-timestamp"])
        assert (await action(mode="verify", timestamp=when, **given))["valid"]
        assert not (await action(mode="verify", timestamp=when - 301, **given))["valid"]
        assert not (await action(mode="verify", timestamp=when, **{**given, "id": "other"}))["valid"]

    asyncio.run(story())


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for secret in ("hunter2 \ud800", b"hunter2"):
        assert "hunter2" not in refused("secret", lambda secret=secret: sign("x", secret))
    assert "hunter2" not in refused("secret", lambda: sign_webhook(b"x", "whsec_hunter2!", id="m"))
    assert refused("secret", lambda: asyncio.run(Signature()(message="x"))) == (
        "`secret` is missing: neither the payload nor the settings have one"
    )
    for hostile in HOSTILE:
        refused("signature", lambda hostile=hostile: verify("x", hostile, "secret"))
        refused("message", lambda hostile=hostile: sign(hostile, "secret")) if not isinstance(hostile, bytes) else None
    for settings in (
        {"algorithm": "crc"},
        {"encoding": "utf"},
        {"scheme": "jws"},
        {"tolerance": -1},
        {"header_name": ""},
    ):
        with pytest.raises(ActionMisconfigured) as caught:
            Signature(**settings)  # type: ignore[arg-type]
        assert [caught.value.setting] == list(settings)
    with pytest.raises(InvalidPayload):
        sign_webhook(b"x", SECRET, id="a b")
