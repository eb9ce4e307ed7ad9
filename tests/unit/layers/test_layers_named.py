"""Layers beside aliases, and errors of a layer's own settings, by the names and places that a person knows."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from oneiric.errors import ActivationError, Unavailable

from tests.unit.runtime.projects import made, of

PARTS = """\
from typing import Protocol

from oneiric import component
from oneiric.errors import Unavailable


class Mail(Protocol):
    async def send(self, text: str) -> str: ...


@component("service", "mail", provider="first", port="naming.parts:Mail")
class First:
    async def send(self, text: str) -> str:
        raise Unavailable("away")


@component("service", "spare", provider="second", port="naming.parts:Mail")
class Second:
    async def send(self, text: str) -> str:
        return f"sent {text}"
"""
SERVICES = """\
aliases: {other: spare}
layers: {mail: [fallback]}
provider_settings:
  mail/fallback: {to: "service:other", errors: [Unavailable]}
"""
FILES = {
    "settings/app.yml": "name: naming\npackages: [naming]\n",
    "settings/services.yml": SERVICES,
    "naming/__init__.py": "",
    "naming/parts.py": PARTS,
}


def test_a_fallback_may_name_an_alias(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = made(tmp_path, monkeypatch, "naming", FILES)

    async def main() -> None:
        async with of(root) as application:
            assert await application.wiring.services.mail.live.send("x") == "sent x"

    asyncio.run(main())


def test_a_variable_that_a_layer_lacks_is_told_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = "layers: {mail: [timeout]}\nprovider_settings:\n  mail/timeout: {timeout: '${MAIL_TIMEOUT}'}\n"
    root = made(tmp_path, monkeypatch, "naming", {**FILES, "settings/services.yml": settings})

    async def main() -> None:
        async with of(root, environ={}) as application:
            with pytest.raises(ActivationError, match="MAIL_TIMEOUT") as raised:
                await application.wiring.services.mail.live.send("x")
            told = f"{raised.value} {raised.value.__cause__}"
            assert "settings/services.yml#/provider_settings/mail~1timeout/timeout" in told

    asyncio.run(main())


def test_errors_of_python_may_come_from_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = (
        "aliases: {other: spare}\nlayers: {mail: [fallback]}\n"
        "provider_settings:\n  mail/fallback: {to: 'service:other', errors: '${ERRORS}'}\n"
    )
    root = made(tmp_path, monkeypatch, "naming", {**FILES, "settings/services.yml": settings})

    async def main(errors: str, answer: str | None) -> None:
        async with of(root, environ={"ERRORS": errors}) as application:
            if answer is None:
                with pytest.raises(Unavailable):
                    await application.wiring.services.mail.live.send("x")
            else:
                assert await application.wiring.services.mail.live.send("x") == answer

    asyncio.run(main('["TimeoutError", "Unavailable"]', "sent x"))
    asyncio.run(main('["TimeoutError"]', None))
