"""security.secure: tokens, passwords, and comparing; what a payload may not ask for."""

from __future__ import annotations

import asyncio
import sys
from base64 import urlsafe_b64decode
from contextlib import AbstractAsyncContextManager
from hashlib import pbkdf2_hmac
from typing import Any

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.actions import ActionMisconfigured, ActionMissingExtra, InvalidPayload
from oneiric.actions.secure import Security, equal, hash_password, token, verify_password
from oneiric.testing.contracts import ActionContract, started

from tests.unit.actions.payloads import HOSTILE, refused

CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
OLD = pbkdf2_hmac("sha256", "é".encode(), b"salt", 100_000).hex()


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """One real hash is made below; the others cost next to nothing."""
    monkeypatch.setattr(argon2, "PasswordHasher", lambda: CHEAP)


class TestSecurity(ActionContract):
    def fresh(self) -> AbstractAsyncContextManager[Any]:
        return started(Security(password_iterations=1))

    def payloads(self) -> list[dict[str, Any]]:
        return [
            {},
            {"mode": "token", "length": 1},
            {"mode": "compare", "a": "é", "b": ""},
            {"mode": "password-hash", "password": "p"},
            {"mode": "password-verify", "password": "p", "hash": CHEAP.hash("p")},
            {"mode": "password-verify", "password": "p", "hash": "00", "salt": "s"},
        ]

    def refused(self) -> list[dict[str, Any]]:
        return [
            {"mode": "guess"},
            {"length": 0},
            {"length": True},
            {"length": 1025},
            {"mode": "compare", "a": "é"},
            {"mode": "compare", "a": 1, "b": 1},
            {"mode": "password-hash"},
            {"mode": "password-hash", "password": ""},
            {"mode": "password-hash", "password": "p", "salt": "s"},
            {"mode": "password-hash", "password": "p", "iterations": 1},
            {"mode": "password-verify", "password": "p"},
            {"mode": "password-verify", "password": "p", "hash": "00"},
            {"mode": "password-verify", "password": "p", "hash": "00", "salt": "s", "iterations": 10**9},
            {"mode": "password-verify", "password": "p", "hash": CHEAP.hash("p"), "salt": "s"},
        ]


def test_a_token_has_so_many_bytes_and_is_no_other() -> None:
    assert len(urlsafe_b64decode(token(30))) == 30
    assert len({token(16) for _ in range(1000)}) == 1000

    async def story() -> None:
        made = await Security(token_length=9)()
        assert (made["status"], made["length"], len(made["token"])) == ("token", 9, 12)
        assert (await Security()(length=3))["length"] == 3

    asyncio.run(story())


def test_a_real_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    async def story() -> None:
        action = Security()
        made = await action(mode="password-hash", password="é" * 100)
        assert made["hash"].startswith("$argon2id$v=19$m=65536,t=3,p=4$")
        assert made["salt"] == made["hash"].split("$")[4] and made["iterations"] == 3
        told = await action(mode="password-verify", password="é" * 100, hash=made["hash"])
        assert told == {"status": "password-verify", "valid": True, "outdated": False}
        cheap = CHEAP.hash("p")
        assert (await action(mode="password-verify", password="p", hash=cheap))["outdated"]

    asyncio.run(story())


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30))
def test_a_password_fits_its_hash_alone(password: str, other: str) -> None:
    hash = hash_password(password)
    assert hash != hash_password(password)
    assert verify_password(password, hash)
    assert verify_password(other, hash) == (other == password)


def test_old_hashes_are_verified_and_outdated() -> None:
    assert verify_password("é", OLD, salt="salt")
    assert verify_password("é", OLD.upper(), salt="salt")
    assert not verify_password("e", OLD, salt="salt")
    assert not verify_password("é", OLD, salt="salt", iterations=99_999)
    assert not verify_password("é", "é", salt="salt", iterations=1)

    async def story() -> None:
        told = await Security()(mode="password-verify", password="é", hash=OLD, salt="salt")
        assert told == {"status": "password-verify", "valid": True, "outdated": True}
        wrong = await Security()(mode="password-verify", password="e", hash=OLD, salt="salt")
        assert wrong == {"status": "password-verify", "valid": False, "outdated": False}
        assert (await Security(password_iterations=9)(mode="password-verify", password="é", hash=OLD, salt="salt"))[
            "valid"
        ] is False

    asyncio.run(story())


@pytest.mark.parametrize(
    "hash",
    [
        "$",
        "$argon2id$x",
        "$argon2id$v=19$m=65536,t=3,p=4$salt$hash",
        "$argon2id$v=19$m=-1,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo",
        "$argon2id$v=19$m=8,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo",
        "$argon2id$v=19$m=4194304,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo",
        "$argon2id$v=19$m=64,t=4294967295,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo",
        "$argon2id$v=19$m=64,t=1,p=16777215$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo",
        "$argon2id$v=19$m=99999999999999999999,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo",
        "$2b$12$abc",
        "$argon2id$é",
        "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$\0",
        "",
    ],
)
def test_a_hash_that_is_none_or_costs_too_much_is_refused(hash: str) -> None:
    refused("hash", lambda: verify_password("p", hash))


def test_what_is_compared_is_text() -> None:
    assert equal("é", "é") and not equal("é", "e\N{COMBINING ACUTE ACCENT}") and equal("", "")
    for hostile in HOSTILE:
        refused("a", lambda hostile=hostile: equal(hostile, "x"))
        refused("b", lambda hostile=hostile: equal("x", hostile))
        refused("password", lambda hostile=hostile: hash_password(hostile))
        refused("hash", lambda hostile=hostile: verify_password("x", hostile))
        refused("salt", lambda hostile=hostile: verify_password("x", "00", salt=hostile))
    refused("password", lambda: hash_password("é" * 2049))
    for length in (0, -1, True, 1.0, "8", 10**5000):
        refused("length", lambda length=length: token(length))


def test_argon2_that_is_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "argon2", None)
    for call in (lambda: hash_password("p"), lambda: verify_password("p", "$argon2id$")):
        with pytest.raises(ActionMissingExtra) as caught:
            call()
        assert caught.value.extra == "action-security"
    assert verify_password("é", OLD, salt="salt"), "old ones need no library"


def test_settings_have_bounds_and_no_error_shows_a_password() -> None:
    for settings in ({"token_length": 0}, {"password_iterations": 10**8}, {"token_length": True}):
        with pytest.raises(ActionMisconfigured):
            Security(**settings)
    with pytest.raises(InvalidPayload) as caught:
        verify_password("hunter2", "$nonsense")
    assert "hunter2" not in repr(caught.value) and "nonsense" not in str(caught.value)
