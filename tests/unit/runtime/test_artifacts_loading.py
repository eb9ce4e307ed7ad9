"""A wiring's artifacts: checked against their digest, unpacked, importable, and of one version for a process."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import oneiric
import pytest
from oneiric import ActivationError, ArtifactError, LoadError, Runtime

from tests.unit.runtime.listed import with_tenants
from tests.unit.runtime.making import run
from tests.unit.runtime.wheels import block, distribution, pin, write_wiring

ROOT = Path(__file__).parents[3]
_numbers = itertools.count()


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A store of the test's own, bytecode written as usual; what the test put on the path is taken from there."""
    monkeypatch.setenv("ONEIRIC_ARTIFACTS", str(tmp_path / "store"))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    before = list(sys.path)
    yield tmp_path / "store"
    sys.path[:] = before


@pytest.fixture
def name() -> str:
    """A package that no other test loads."""
    return f"acme_{os.getpid()}_{next(_numbers)}"


def served(generated: Path, *blocks: str) -> Runtime[Any]:
    return Runtime(oneiric.load(write_wiring(generated, *blocks)))


async def answer(runtime: Runtime[Any], tenant: str | None = None) -> str:
    said: str = await (await runtime.use("adapter", "a", tenant=tenant)).ping()
    return said


def in_store(store: Path) -> list[str]:
    return sorted(path.relative_to(store).parts[0] for path in store.glob("*"))


def test_a_wheel_is_imported_from_the_store_and_from_nowhere_else(tmp_path: Path, store: Path, name: str) -> None:
    named = pin(tmp_path, *distribution(name, "one"))

    async def story() -> None:
        async with served(tmp_path, block(f"{name}.parts", named)) as runtime:
            assert await answer(runtime) == "one"

    run(story())
    folder = store / named.partition(" ")[0]
    assert sys.modules[f"{name}.parts"].__file__ == str(folder / name / "parts.py")
    assert in_store(store) == [folder.name]
    assert not list(store.rglob("__pycache__"))
    assert store.stat().st_mode & 0o777 == folder.stat().st_mode & 0o777 == 0o700


def test_a_single_module_is_imported_by_its_name(tmp_path: Path, name: str) -> None:
    source = "class Part:\n    async def ping(self): return 'alone'\n"
    named = pin(tmp_path, f"{name}.py", source.encode())

    async def story() -> None:
        async with served(tmp_path, block(name, named)) as runtime:
            assert await answer(runtime) == "alone"

    run(story())


def test_a_second_start_uses_what_the_first_unpacked(tmp_path: Path, store: Path, name: str) -> None:
    path = write_wiring(tmp_path, block(f"{name}.parts", pin(tmp_path, *distribution(name, "one"))))
    starts(path)
    before = {each: each.stat().st_mtime_ns for each in store.rglob("*")}
    starts(path)
    assert {each: each.stat().st_mtime_ns for each in store.rglob("*")} == before


def starts(path: Path, *, expected: str = "one", environ: dict[str, str] | None = None) -> None:
    """A process of its own loads the wiring and calls its component."""
    done = subprocess.run(
        [sys.executable, "-c", START, str(path)],
        cwd=ROOT,
        env={**os.environ, **(environ or {})},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == (expected, 0), done.stderr


START = """
import asyncio, sys, oneiric
async def main():
    async with oneiric.Runtime(oneiric.load(sys.argv[1])) as runtime:
        print(await (await runtime.use("adapter", "a")).ping())
try:
    asyncio.run(main())
except oneiric.LoadError as error:
    print(f"{error.code}: {error}")
"""


def test_profiles_and_tenants_find_the_pinned_artifacts_of_the_base(tmp_path: Path, name: str) -> None:
    base, own = (pin(tmp_path, *distribution(f"{name}{kind}", kind)) for kind in ("base", "own"))
    path = write_wiring(tmp_path / "busy", block(f"{name}base.parts", base))
    path.write_text(path.read_text().replace('profile="default"', 'profile="busy"'))
    line = {"tenant": "t", "key": "adapter:a", "provider": "p", "fingerprint": "2", "factory": f"{name}own.parts:Part"}
    line |= {"port": "tests.faults.reloading:Pinging", "needs": [], "artifact": own}
    line["arguments"] = {"says": {"text": ["own"]}, "notes": {"value": {"artifact": "no artifact, a setting"}}}
    with_tenants(path, line)

    async def story() -> None:
        async with Runtime(oneiric.load(path)) as runtime:
            assert (await answer(runtime), await answer(runtime, "t")) == ("base", "own")

    run(story())


def test_a_tenant_gets_nothing_of_the_name_of_an_artifact_that_was_not_loaded(tmp_path: Path, name: str) -> None:
    path = write_wiring(tmp_path, block("tests.unit.runtime.making"))
    line = {"tenant": "t", "key": "adapter:a", "provider": "p", "fingerprint": "2", "artifact": f"{'0' * 64} {name}.py"}
    line |= {"factory": "tests.faults.reloading:Counted", "arguments": {}, "needs": []}
    line["port"] = "tests.faults.reloading:Pinging"
    with_tenants(path, line)

    async def story() -> None:
        async with Runtime(oneiric.load(path)) as runtime:
            with pytest.raises(ActivationError) as caught:
                await answer(runtime, "t")
            assert isinstance(caught.value.__cause__, ArtifactError)

    run(story())


@pytest.mark.parametrize("how", ["altered", "missing", "badly-named", "no-artifact"])
def test_a_start_without_the_very_bytes_that_were_pinned_is_refused(
    tmp_path: Path, store: Path, name: str, how: str
) -> None:
    named = pin(tmp_path, *distribution(name, "one"))
    file = tmp_path / "manifests" / "artifacts" / f"{named.partition(' ')[0]}.whl"
    if how == "altered":
        file.write_bytes(distribution(name, "other")[1])
    elif how == "missing":
        file.unlink()
    elif how == "badly-named":
        named = f"../{named}"
    else:
        named = pin(tmp_path, f"{name}-1.0-py3-none-any.whl", b"no wheel")
    before = list(sys.path)
    with pytest.raises(ArtifactError):
        served(tmp_path, block(f"{name}.parts", named))
    assert sys.path == before
    assert not store.exists()


def test_modules_that_are_there_already_are_not_shadowed(tmp_path: Path) -> None:
    named = pin(tmp_path, *distribution("tests", "evil"))
    with pytest.raises(ArtifactError, match="brings the module tests, which is there already"):
        served(tmp_path, block("tests.parts", named))


def test_two_artifacts_of_one_module_or_distribution_are_refused(tmp_path: Path, name: str) -> None:
    one, two = (pin(tmp_path, *distribution(name, says, version=says)) for says in ("1.0", "2.0"))
    with pytest.raises(ArtifactError, match=f"both bring the module {name}"):
        served(tmp_path, block(f"{name}.parts", one), block(f"{name}.parts", two, key="b"))
    assert name not in sys.modules


def test_another_version_of_a_loaded_artifact_needs_a_restart(tmp_path: Path, name: str) -> None:
    one, two = (pin(tmp_path, *distribution(name, says, version=says)) for says in ("1.0", "2.0"))

    async def story() -> None:
        async with served(tmp_path, block(f"{name}.parts", one)) as runtime:
            assert await answer(runtime) == "1.0"
            before, path = runtime.generation, list(sys.path)
            newer = write_wiring(tmp_path, block(f"{name}.parts", two, fingerprint="2"))
            for plan_only in (True, False):
                outcome = await runtime.reload(newer, plan_only=plan_only)
                assert (outcome.accepted, outcome.code, outcome.generation) == (False, "restart-needed", before)
                assert outcome.reason is not None and outcome.reason.startswith("restart needed")
            assert sys.path == path
            assert await answer(runtime) == "1.0"
        starts(newer, expected="2.0")

    run(story())


def test_a_reload_brings_a_new_artifact_and_a_plan_does_not(tmp_path: Path, name: str) -> None:
    async def story() -> None:
        async with served(tmp_path, block("tests.unit.runtime.making")) as runtime:
            named = pin(tmp_path, *distribution(name, "new"))
            newer, before = write_wiring(tmp_path, block(f"{name}.parts", named, fingerprint="2")), list(sys.path)
            assert (await runtime.reload(newer, plan_only=True)).accepted
            assert sys.path == before
            assert (await runtime.reload(newer)).accepted
            assert await answer(runtime) == "new"
            again = write_wiring(tmp_path, block(f"{name}.parts", named, fingerprint="3"))
            assert (await runtime.reload(again)).accepted
            assert await answer(runtime) == "new"

    run(story())


def test_generations_in_a_state_folder_find_what_is_pinned_beside_the_baseline(tmp_path: Path, name: str) -> None:
    named = pin(tmp_path / "generated", *distribution(name, "one"))
    path = write_wiring(tmp_path / "generated", block(f"{name}.parts", named))

    async def story() -> None:
        for fingerprint in ("1", "2"):
            write_wiring(tmp_path / "generated", block(f"{name}.parts", named, fingerprint=fingerprint))
            async with Runtime(oneiric.load(path), state=tmp_path / "state") as runtime:
                assert await answer(runtime) == "one"
        assert list((tmp_path / "generated").rglob("*")) != []

    run(story())


def test_a_module_of_the_store_runs_only_as_it_was_checked(tmp_path: Path, store: Path, name: str) -> None:
    """Whoever changes the store after the start gets nothing run: no changed source, no bytecode, no native code."""
    named = pin(tmp_path, *distribution(name, "one"))
    runtime = served(tmp_path, block(f"{name}.parts", named))
    package = store / named.partition(" ")[0] / name
    (package / "planted.py").write_text("raise SystemExit('planted')")
    (package / "native.so").write_bytes(b"\x7fELF")
    (package / "parts.py").chmod(0o600)
    (package / "parts.py").write_text((package / "parts.py").read_text() + "raise SystemExit('altered')\n")

    async def story() -> None:
        async with runtime:
            with pytest.raises(ActivationError) as caught:
                await runtime.use("adapter", "a")
            assert "is not what was checked" in str(caught.value.__cause__)
            for module, why in (("planted", "is not what was checked"), ("native", "No module named")):
                with pytest.raises(ImportError, match=why):
                    __import__(f"{name}.{module}")

    run(story())


@pytest.mark.parametrize("how", ["changed", "extra", "bytecode", "missing", "link", "all-a-link"])
def test_an_altered_store_is_refused(tmp_path: Path, store: Path, name: str, how: str) -> None:
    named = pin(tmp_path, *distribution(name, "one"))
    path = write_wiring(tmp_path, block(f"{name}.parts", named))
    starts(path)
    folder = store / named.partition(" ")[0]
    file = folder / name / "parts.py"
    if how == "changed":
        file.chmod(0o600)
        file.write_text(file.read_text() + "\n")
    elif how == "extra":
        (folder / "json.py").touch()
    elif how == "bytecode":
        (file.parent / "__pycache__").mkdir()
        (file.parent / "__pycache__" / f"parts.{sys.implementation.cache_tag}.pyc").touch()
    elif how == "missing":
        file.unlink()
    elif how == "link":
        file.rename(tmp_path / "elsewhere.py")
        file.symlink_to(tmp_path / "elsewhere.py")
    else:
        folder.rename(tmp_path / "elsewhere")
        folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LoadError, match="the store was altered"):
        Runtime(oneiric.load(path))
    assert name not in sys.modules


@pytest.mark.parametrize("how", ["a-file", "others-may-write"])
def test_where_there_can_be_no_store_a_private_folder_is_used_and_removed(tmp_path: Path, name: str, how: str) -> None:
    path = write_wiring(tmp_path, block(f"{name}.parts", pin(tmp_path, *distribution(name, "one"))))
    place, temporary = tmp_path / "place", tmp_path / "temporary"
    temporary.mkdir()
    if how == "a-file":
        place.touch()
    else:
        place.mkdir()
        place.chmod(0o777)
    starts(path, environ={"ONEIRIC_ARTIFACTS": str(place), "TMPDIR": str(temporary)})
    assert list(temporary.iterdir()) == []
    assert how == "a-file" or list(place.iterdir()) == []


def test_what_another_user_may_change_is_not_imported(
    tmp_path: Path, store: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = pin(tmp_path, *distribution(name, "one"))
    starts(write_wiring(tmp_path, block(f"{name}.parts", named)))
    if os.geteuid() == 0:
        os.chown(store / named.partition(" ")[0], 1, 1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 1)

    async def story() -> None:
        async with served(tmp_path, block(f"{name}.parts", named)) as runtime:
            assert await answer(runtime) == "one"

    run(story())
    assert not str(sys.modules[f"{name}.parts"].__file__).startswith(str(store))


def test_without_artifacts_nothing_of_them_is_imported(tmp_path: Path) -> None:
    path = write_wiring(tmp_path, block("tests.unit.runtime.making"))
    code = (
        "import sys, oneiric; oneiric.Runtime(oneiric.load(sys.argv[1]));"
        "late = {'oneiric.artifacts.contents', 'oneiric.artifacts.path', 'oneiric.trust.signature', 'zipfile'};"
        "print(*late & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.split() == []
