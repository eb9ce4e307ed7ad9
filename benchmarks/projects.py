"""Generated projects: as many components as asked for, of the sort that people write."""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from oneiric import Wiring

from benchmarks.measure import Finished, child

PER_MODULE = 5
COMMAND = "from oneiric_compiler.cli import main; main()"

_STORE_PORT = """\
class Store{i}(Protocol):
    async def get(self, key: str) -> bytes | None: ...
    async def put(self, key: str, value: bytes, *, ttl: float | None = None) -> None: ...


"""
_STORE = '''\
@component("adapter", "store-{i}", provider="{provider}{i}", stack_level={level}, capabilities=("ttl",){port})
class {cls}{i}:
    """Keeps what area {i} needs."""

    def __init__(
        self,
        *,
        url: str = "store://localhost/{i}",
        timeout: float = 5.0,
        mode: Literal["fast", "safe"] = "safe",
        token: Secret | None = None,
{pool}    ) -> None:
        self.url, self.timeout, self.mode, self.token = url, timeout, mode, token

    async def get(self, key: str) -> bytes | None:
        return None

    async def put(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        return None


'''
_POOLS = """\
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge
from oneiric import Secret


@dataclass
class Host:
    name: str
    port: Annotated[int, Ge(1)] = 5432


@dataclass
class Login:
    user: str = "shop"
    password: Secret | None = None


@dataclass
class Pool:
    size: int = 4
    hosts: list[Host] = field(default_factory=list)
    login: Login = field(default_factory=Login)
"""
_POOL_SETTINGS = """\
    pool:
      size: ${{POOL_SIZE:-10}}
      hosts: [{{name: a{i}}}, {{name: b{i}, port: 5433}}]
      login: {{user: area{i}, password: "${{ONEIRIC_SECRET_POOL_{i}}}"}}
"""
_SERVICE = '''\
@component("service", "desk-{i}", provider="{provider}{i}", stack_level={level}, needs={{"store": "adapter:store-{i}"}})
class {cls}{i}:
    """Serves area {i}."""

    def __init__(self, *, store: Store{i}, limit: int = 100, folder: Path = Path("."), tags: list[str] = []) -> None:
        self.store, self.limit, self.folder, self.tags = store, limit, folder, tags

    async def serve(self, order: str) -> bool:
        return await self.store.get(order) is not None


'''
_HEAD = '''\
"""Components {first} to {last}."""

from __future__ import annotations

{imports}
from oneiric import {names}


'''


def write_project(folder: Path, components: int, *, tenants: int = 0, objects: bool = False) -> int:
    """Write a project of about that many components into `folder`; the number of its keys.

    Six components serve four keys: two stores and two services, one of each with an alternative that a selection
    or a stack level leaves out; each service needs its store. Each tenant overrides five services. With `objects` every
    store takes a settings object, two deep, and a third of all components have one.
    """
    areas = round(components / 6) * 2
    _write(folder / "shop/__init__.py", "")
    for first in range(0, areas, PER_MODULE):
        numbers = range(first, min(first + PER_MODULE, areas))
        _write(folder / f"shop/stores{first // PER_MODULE}.py", _stores(numbers, objects))
        _write(folder / f"shop/desks{first // PER_MODULE}.py", _desks(numbers))
    _write(folder / "settings/app.yml", "name: shop\npackages: [shop]\n")
    if objects:
        _write(folder / "shop/pools.py", _POOLS)
    _write(folder / "settings/adapters.yml", "".join(_adapter_settings(areas, objects)))
    _write(folder / "settings/services.yml", "".join(_service_settings(areas)))
    for tenant in range(tenants):
        _write(folder / f"settings/tenants/t{tenant:05}.yml", "".join(_tenant_settings(tenant, areas)))
    return areas * 2


def compile_project(folder: Path, *options: str, python: str = sys.executable) -> Finished:
    """`oneiric compile` in a fresh process, with this interpreter or another one."""
    return child(["-c", COMMAND, "compile", *options], folder, python=python)


@contextmanager
def compiled(components: int, *, tenants: int = 0) -> Generator[Path, None, None]:
    """A compiled project in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_project(folder, components, tenants=tenants)
        compile_project(folder)
        yield folder


def wiring_of(folder: Path) -> type[Wiring]:
    """The project's generated wiring, imported into this process."""
    sys.path.insert(0, str(folder))
    wiring: type[Wiring] = importlib.import_module("generated.wiring").Wiring
    return wiring


def _stores(numbers: range, objects: bool) -> str:
    imports = "from typing import Literal, Protocol\n" + ("\nfrom shop.pools import Pool\n" if objects else "")
    pool = "        pool: Pool | None = None,\n" if objects else ""
    text = [_HEAD.format(first=numbers[0], last=numbers[-1], imports=imports, names="Secret, component")]
    for i in numbers:
        port = f', port="shop.stores{i // PER_MODULE}:Store{i}"'
        text.append(_STORE_PORT.format(i=i))
        text.append(_STORE.format(i=i, provider="table", cls="Table", level=2, port=port, pool=pool))
        if i % 2 == 0:
            text.append(_STORE.format(i=i, provider="tree", cls="Tree", level=3, port="", pool=pool))
    return "".join(text).rstrip("\n") + "\n"


def _desks(numbers: range) -> str:
    stores = ", ".join(f"Store{i}" for i in numbers)
    imports = f"from pathlib import Path\n\nfrom shop.stores{numbers[0] // PER_MODULE} import {stores}\n"
    text = [_HEAD.format(first=numbers[0], last=numbers[-1], imports=imports, names="component")]
    for i in numbers:
        text.append(_SERVICE.format(i=i, provider="plain", cls="Plain", level=2))
        if i % 2 == 0:
            text.append(_SERVICE.format(i=i, provider="grand", cls="Grand", level=1))
    return "".join(text).rstrip("\n") + "\n"


def _adapter_settings(areas: int, objects: bool) -> Iterator[str]:
    yield "selections:\n"
    yield from (f"  store-{i}: table{i}\n" for i in range(0, areas, 2))
    yield "provider_settings:\n"
    for i in range(0, areas, 2):
        yield f"  table{i}:\n    url: store://${{STORE_HOST:-localhost}}/{i}\n    timeout: 2.5\n"
        yield f"    token: ${{ONEIRIC_SECRET_TOKEN_{i}}}\n" if i % 8 == 6 else ""
        yield _POOL_SETTINGS.format(i=i) if objects else ""
    yield from (f"  table{i}:\n{_POOL_SETTINGS.format(i=i)}" for i in range(1, areas if objects else 0, 2))


def _service_settings(areas: int) -> Iterator[str]:
    yield "provider_settings:\n"
    yield from (f"  plain{i}: {{limit: {i + 10}, tags: [area, a{i}]}}\n" for i in range(0, areas, 2))


def overridden(tenant: int, areas: int) -> list[int]:
    """The areas whose service is the tenant's own."""
    return [(tenant + step * 2) % areas // 2 * 2 for step in range(5)]


def _tenant_settings(tenant: int, areas: int) -> Iterator[str]:
    chosen = overridden(tenant, areas)
    yield "services:\n  selections:\n"
    yield from (f"    desk-{i}: grand{i}\n" for i in chosen[:2])
    yield "  provider_settings:\n"
    yield from (f"    plain{i}: {{limit: {tenant + 1000}}}\n" for i in chosen[2:])


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
