"""Tenants: own instances where the file has a line, the base's elsewhere; found by bisection."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

import oneiric
import pytest
from oneiric import LoadError, NotActive, Runtime, Secret, TenantsError, UnknownTenant
from oneiric.lifecycle.closing import drain
from oneiric.lifecycle.order import close_in_order
from oneiric.lines import Lines
from oneiric.reload.commit import Switch
from oneiric.runtime import host_of
from oneiric.slot import Held
from oneiric.tenants.bindings import evaluate

import tests.unit.runtime.shop.wiring as shop
from tests.unit.runtime.listed import with_tenants
from tests.unit.runtime.making import Part, key, run, wiring_of
from tests.unit.runtime.shop.parts import Color, Sqlite, Store, Tracked
from tests.unit.runtime.shop.wiring import Wiring

pytestmark = pytest.mark.usefixtures("nothing_leaks")


def test_a_tenant_has_its_own_instance_where_it_differs_and_shares_the_rest() -> None:
    async def day() -> None:
        async with Runtime(Wiring, environ={"HOST": "h"}) as runtime:
            acme, zoo = runtime.tenant("acme"), runtime.tenant("zoo")
            await acme.services.check_out.live.total("x")
            store = acme.adapters.cache.current
            assert isinstance(store, Store)
            assert (store.url, store.port, store.color) == ("redis://h:acme-PW-value", 1, Color.BLUE)
            assert store.password == Secret("x-acme-PW-value")
            assert acme.adapters.database.current is runtime.wiring.adapters.database.current
            assert runtime.wiring.adapters.cache.state == "inactive"
            assert await zoo.adapters.database.live.fetch("q") == ["q"]
            own = zoo.adapters.database.current
            assert isinstance(own, Sqlite)
            assert own.path == Path("/tmp/zoo.db")
            assert own is not runtime.wiring.adapters.database.current
            assert zoo.adapters.cache.home is runtime.wiring.adapters.cache
            with pytest.raises(AttributeError):
                _ = zoo.adapters.nothing  # type: ignore[attr-defined]

    run(day())


def test_tenants_are_those_that_are_listed() -> None:
    runtime = Runtime(Wiring)
    assert runtime.tenants() == ("acme", "plain", "zoo")
    assert runtime.tenant("acme") is runtime.tenant("acme")
    assert runtime.tenant("acme").adapters is not runtime.wiring.adapters
    for unknown in ("nobody", "acm", "acme2", "", 'acme"', "Acme"):
        with pytest.raises(UnknownTenant):
            runtime.tenant(unknown)
    assert Runtime(Wiring, unknown_tenant="base").tenant("nobody").adapters.cache.tenant is None


def test_an_application_without_tenants_has_none() -> None:
    runtime = Runtime(wiring_of(part=key(lambda domain: Part([]))))
    assert runtime.tenants() == ()
    with pytest.raises(UnknownTenant):
        runtime.tenant("acme")


def test_a_tenant_that_differs_in_nothing_shares_everything() -> None:
    async def day() -> None:
        async with Runtime(Wiring) as runtime:
            base, plain = runtime.wiring.adapters.database, runtime.tenant("plain").adapters.database
            assert await base.live.fetch("q") == ["q"]
            with pytest.raises(NotActive):  # nobody has seen yet whether the tenant's lines are whole
                _ = plain.current
            kept = plain.live
            assert await kept.fetch("q") == ["q"]
            assert plain.current is base.current
            assert plain.home is base
            assert len(Tracked.made) == 1

    run(day())


LOST = {
    "all of it": lambda lines: [],
    "the list": lambda lines: [line for line in lines if '"key"' in line],
    "a tenant of the list": lambda lines: [line for line in lines if line != '{"tenant": "plain"}'],
    "the lines of a key": lambda lines: [line for line in lines if "adapter:secrets" not in line],
    "the last line": lambda lines: lines[:-1],
    "the end of a line": lambda lines: [*lines[:-1], lines[-1][:-9]],
    "its place": lambda lines: [lines[1], lines[0], *lines[2:]],
    "one for another": lambda lines: [*lines[:1], lines[1].replace("redis://", "other://"), *lines[2:]],
    "nothing: one is there twice": lambda lines: [*lines[:2], *lines[1:]],
    "nothing: one is added": lambda lines: [*lines[:1], lines[2].replace("secrets", "aaa"), *lines[1:]],
}


@pytest.fixture(params=LOST)
def damaged(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The shop's wiring, with a `tenants.jsonl` that lost something; where all is lost, without the file."""
    source = Path(shop.__file__)
    lines = LOST[request.param](source.with_name("tenants.jsonl").read_text().splitlines())
    (tmp_path / "wiring.py").write_text(source.read_text())
    if lines:
        (tmp_path / "tenants.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return tmp_path / "wiring.py"


def test_a_wiring_whose_tenants_have_lost_a_line_is_not_loaded(damaged: Path) -> None:
    with pytest.raises(LoadError, match=r"tenants\.jsonl"):
        oneiric.load(damaged)


def test_no_tenant_of_an_imported_wiring_is_served_without_its_lines(damaged: Path) -> None:
    spec = importlib.util.spec_from_file_location("damaged_shop", damaged)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["damaged_shop"] = module
    spec.loader.exec_module(module)

    async def day() -> None:
        async with Runtime(module.Wiring) as runtime:
            assert await runtime.wiring.adapters.database.live.fetch("q") == ["q"]
            for tenant in ("acme", "plain", "zoo"):
                for domain, name in (("adapter", "cache"), ("adapter", "database"), ("service", "check-out")):
                    with pytest.raises((LoadError, TenantsError)):
                        await runtime.use(domain, name, tenant=tenant)
            with pytest.raises(LoadError):
                runtime.tenants()
            assert await runtime.wiring.adapters.database.live.fetch("q") == ["q"]

    try:
        run(day())
    finally:
        del sys.modules["damaged_shop"]


def test_a_wiring_of_a_release_that_listed_no_tenants_is_to_be_compiled_again(tmp_path: Path) -> None:
    source = Path(shop.__file__)
    lines = [line for line in source.with_name("tenants.jsonl").read_text().splitlines() if '"key"' in line]
    text = re.sub(r'tenants="[^"]*", |    __listed__ = .*\n', "", source.read_text())
    (tmp_path / "wiring.py").write_text(text)
    (tmp_path / "tenants.jsonl").write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(LoadError, match="compile again") as caught:
        oneiric.load(tmp_path / "wiring.py")
    assert caught.value.code == "shape"


def test_tenants_are_found_whatever_they_are_called(tmp_path: Path) -> None:
    """Also names that are the beginning of others, or sort otherwise in JSON than in Python."""
    names = ("a", "a b", "a-b", "a.b", "ab", "acme-corp", "42", "é", "日本", "\U0001f600", 'q"q', "a}", "a,", "~")
    entries = [
        {"tenant": name, "key": "adapter:database", "provider": "sqlite", "fingerprint": name}
        | {"factory": "tests.unit.runtime.shop.parts:Sqlite", "arguments": {"path": {"path": f"/{name}"}}}
        | {"port": "tests.unit.runtime.shop.parts:Database"}
        for name in names
    ]
    path = tmp_path / "wiring.py"
    path.write_text(re.sub(r'tenants="[^"]*", |    __listed__ = .*\n', "", Path(shop.__file__).read_text()))
    loaded: Any = oneiric.load(with_tenants(path, *entries))

    async def day() -> None:
        async with Runtime(loaded) as runtime:
            assert sorted(runtime.tenants()) == sorted(names)
            for name in names:
                await runtime.use("adapter", "database", tenant=name)
                assert runtime.tenant(name).adapters.database.current.path == Path(f"/{name}")

    run(day())


def test_an_idle_tenant_is_closed_and_comes_back_when_called() -> None:
    async def day() -> None:
        async with Runtime(Wiring, tenant_idle=0.05) as runtime:
            database = runtime.tenant("zoo").adapters.database
            await database.live.fetch("q")
            async with database.lease():
                await asyncio.sleep(0.2)
                assert database.state == "active"
            while database.state != "inactive":
                await asyncio.sleep(0.01)
            assert len(Tracked.closed) == 1
            assert await database.live.fetch("q") == ["q"]
            await runtime.wiring.adapters.database.live.fetch("q")
            await asyncio.sleep(0.2)
            assert runtime.wiring.adapters.database.state == "active"

    run(day())


def test_an_idle_tenants_instance_that_a_reload_replaced_meanwhile_is_closed_once() -> None:
    async def day() -> None:
        made: list[Part] = []
        wiring = wiring_of(one=key(lambda _: Part(made)), two=key(lambda _: Part(made), needs=("adapter:one",)))
        async with Runtime(wiring) as runtime:
            one, two = runtime.wiring.adapters.one, runtime.wiring.adapters.two
            async with two.lease():
                old = one.held
                assert old is not None
                loop = asyncio.get_running_loop()
                until, hurry = loop.time() + 5, loop.create_future()
                idle = asyncio.ensure_future(close_in_order([two.held, old], until, hurry))
                await asyncio.sleep(0)
                replacement = Held(one, Part(made))
                host_of(runtime).fill(replacement)  # as a commit does, which drains what it replaced
                assert await drain(old, until, hurry) == []
            assert await idle == []
            assert one.held is replacement
        assert [part.closes for part in made] == [1, 1, 1]

    run(day())


def relisted(folder: Path, *listed: str) -> Path:
    """The shop's wiring with these tenants listed besides those that have lines."""
    source = Path(shop.__file__)
    text = re.sub(r' *__listed__ = ".*"\n', "", re.sub(r', tenants="[^"]*"', "", source.read_text()))
    lines = [json.loads(line) for line in source.with_name("tenants.jsonl").read_text().splitlines()]
    folder.mkdir()
    (folder / "wiring.py").write_text(text)
    return with_tenants(folder / "wiring.py", *(line for line in lines if "key" in line), listed=listed)


def test_a_commit_looks_for_no_tenant_and_forgets_who_is_no_longer_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = relisted(tmp_path / "old", "gone", "plain"), relisted(tmp_path / "new", "plain")
    looked: list[bytes] = []
    find, run_switch = Lines.find, Switch.run

    def counted(lines: Lines, start: bytes) -> bytes | None:
        looked.append(start)
        return find(lines, start)

    def commit(switch: Switch) -> None:
        runtimes[0].tenant("gone")  # asked for when all was planned
        looked.clear()
        run_switch(switch)
        assert looked == []

    runtimes: list[Runtime[Any]] = []
    monkeypatch.setattr(Lines, "find", counted)
    monkeypatch.setattr(Switch, "run", commit)

    async def day() -> None:
        async with Runtime(oneiric.load(old)) as runtime:
            runtimes.append(runtime)
            runtime.tenant("plain")
            assert (await runtime.reload(new)).accepted
            assert runtime.tenant("plain")
            with pytest.raises(UnknownTenant):
                runtime.tenant("gone")

    run(day())


@pytest.mark.parametrize("count", [0, 1, 2, 3, 100])
def test_every_line_is_found_and_nothing_else(tmp_path: Path, count: int) -> None:
    lines = sorted(
        json.dumps({"tenant": f"t{number}", "key": "adapter:é", "n": "x" * (number % 7 * 50)}).encode()
        for number in range(count)
    )
    path = tmp_path / "tenants.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    found = Lines(str(path))
    for line in lines:
        prefix = line[: line.index(b', "n"')]
        assert found.find(prefix + b",") == line
    for absent in (b"a", b'{"tenant": "t0"x', b"~", b'{"tenant": "t100", '):
        expected = next((line for line in lines if line.startswith(absent)), None)
        assert found.find(absent) == expected


def test_expressions_become_arguments() -> None:
    class Domain:
        def _env(self, name: str, default: Any = None, why: str | None = None) -> str:
            return why or (default() if callable(default) else default) or name

        def _env_as(self, convert: Any, name: str, default: Any = None) -> Any:
            return convert(self._env(name, default))

        def _secret(self, name: str) -> Secret:
            return Secret(name)

    color = "tests.unit.runtime.shop.parts:Color"
    for expression, value in (
        ({"value": None}, None),
        ({"value": {"a": [1]}}, {"a": [1]}),
        ({"env": "X"}, "X"),
        ({"env": "X", "why": "told"}, "told"),
        ({"env": "X", "default": "1.5", "as": "float"}, 1.5),
        ({"env": "X", "default": {"env": "Y", "default": "2"}, "as": "int"}, 2),
        ({"env": "X", "default": {"text": ["a", {"env": "Y", "default": {"env": "Z"}}]}}, "aZ"),
        ({"env": "X", "default": {"secret": "S", "reveal": True}}, "S"),
        ({"env": "X", "default": "no", "as": "bool"}, False),
        ({"env": "X", "default": "b", "as": {"one_of": ["a", "b"]}}, "b"),
        ({"env": "X", "default": "red", "as": {"enum": color}}, Color.RED),
        ({"secret": "S"}, Secret("S")),
        ({"secret": "S", "reveal": True}, "S"),
        ({"text": ["a", {"env": "X"}, {"secret": "S"}]}, "aXS"),
        ({"text": ["a", {"env": "X"}], "as": "path"}, Path("aX")),
        ({"text": ["a", {"secret": "S"}], "as": "secret"}, Secret("aS")),
        ({"list": [{"value": 1}, {"path": "p"}]}, [1, Path("p")]),
        ({"tuple": [{"value": 1}]}, (1,)),
        ({"set": [{"value": 1}]}, {1}),
        ({"dict": {"k": {"value": 1}}}, {"k": 1}),
        ({"enum": color, "name": "BLUE"}, Color.BLUE),
    ):
        assert evaluate(expression, Domain()) == value
    with pytest.raises(ValueError, match="unknown kind: oops"):
        evaluate({"oops": 1}, Domain())
