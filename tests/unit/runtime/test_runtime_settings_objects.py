"""A pydantic model and a msgspec struct as settings: compiled from their source, and made as what they are."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pydantic
import pytest
from oneiric import ActivationError, Runtime
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.stages.write import write

PARTS = """
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from oneiric import Secret, component
from pydantic import BaseModel, ConfigDict, Field


class Limits(BaseModel):
    rate: int = Field(default=10, ge=1, le=100)
    price: Decimal = Decimal("1.5")


class Gateway(BaseModel):
    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)
    mode: Literal["live", "test"] = "test"
    limits: Limits = Limits()
    key: Secret = Field(alias="apiKey")


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    size: Annotated[int, msgspec.Meta(ge=1)] = 100


class Queues(msgspec.Struct):
    first: Queue
    others: list[Queue] = []


@component("adapter", "pay", provider="p")
class Pay:
    def __init__(self, *, gateway: Gateway, queues: Queues) -> None:
        self.gateway, self.queues = gateway, queues
"""
SETTINGS = """
selections: {secrets: env}
provider_settings:
  p:
    gateway: {mode: live, apiKey: "${ONEIRIC_SECRET_KEY}", limits: {rate: "${RATE:-7}", price: 2.50}}
    queues:
      first: {name: "${FIRST}"}
      others: [{name: b, size: "${SIZE:-3}"}]
"""
PACKAGE = "shop_of_models"
ENVIRONMENT = {"ONEIRIC_SECRET_KEY": "hunter2", "FIRST": "a"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any]]:
    """The project's module of components, and its wiring."""
    root = tmp_path_factory.mktemp("models")
    output = "generated_of_models"
    files = {
        "settings/app.yml": f"name: shop\npackages: [{PACKAGE}]\noutput: {output}\n",
        "settings/adapters.yml": SETTINGS,
        f"{PACKAGE}/__init__.py": "",
        f"{PACKAGE}/parts.py": PARTS,
    }
    for name, text in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, "utf-8")
    _compile(root)
    sys.path.insert(0, str(root))
    try:
        wiring = importlib.import_module(f"{output}.wiring").Wiring
        yield importlib.import_module(f"{PACKAGE}.parts"), wiring
    finally:
        sys.path.remove(str(root))
        for name in [each for each in sys.modules if each.partition(".")[0] in (PACKAGE, output)]:
            del sys.modules[name]


def _compile(root: Path) -> None:
    diagnostics = Diagnostics()
    outputs = compile_project(Project.at(root, {}), diagnostics)
    assert outputs is not None, [*diagnostics]
    assert not [*diagnostics]
    write(outputs, diagnostics)


def made(wiring: Any, environment: dict[str, str]) -> Any:
    async def activated() -> Any:
        async with Runtime(wiring, environ=environment) as runtime:
            await runtime.use("adapter", "pay")
            return runtime.wiring.adapters.pay.current

    return asyncio.run(activated())


def test_both_are_made_of_what_the_settings_say(project: tuple[Any, Any]) -> None:
    parts, wiring = project
    pay = made(wiring, ENVIRONMENT)
    gateway, queues = pay.gateway, pay.queues
    assert type(gateway) is parts.Gateway
    assert (gateway.mode, gateway.key.reveal()) == ("live", "hunter2")
    assert gateway.limits == parts.Limits(rate=7, price=Decimal("2.50"))
    assert str(gateway.limits.price) == "2.50"
    assert queues == parts.Queues(parts.Queue(name="a"), [parts.Queue(name="b", size=3)])
    assert (isinstance(gateway, pydantic.BaseModel), isinstance(queues, msgspec.Struct)) == (True, True)


def test_variables_are_converted_as_the_fields_are_typed(project: tuple[Any, Any]) -> None:
    pay = made(project[1], {**ENVIRONMENT, "RATE": "100", "SIZE": "12"})
    assert (pay.gateway.limits.rate, pay.queues.others[0].size) == (100, 12)


def test_what_a_model_refuses_of_a_variable_is_told_and_no_secret(project: tuple[Any, Any]) -> None:
    """The bounds are the model's: what a variable says is known at activation only."""
    with pytest.raises(ActivationError, match="adapter:pay") as caught:
        made(project[1], {**ENVIRONMENT, "RATE": "101"})
    assert "hunter2" not in f"{caught.value!r} {caught.value}"
