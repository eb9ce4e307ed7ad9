"""What a compile makes of pinned manifests: whose entries take part, how far, and what is refused; and no network."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from oneiric_compiler.diagnostics import Diagnostics
from oneiric_compiler.model import RemoteSource
from oneiric_compiler.pipeline import Outputs, Project, compile_project
from oneiric_compiler.read import read
from oneiric_compiler.write import check, write

from tests.golden.signing import PUBLIC, digest, entry, manifest, pin, wheel

SAMPLE = Path(__file__).parents[2] / ".." / "shared" / "data" / "upstream-sample-manifest.yaml"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
MODULE = """
from typing import Protocol


class Cache(Protocol):
    async def get(self, key: str) -> str | None: ...


class Local:
    def __init__(self, *, size: int = 10) -> None:
        self.size = size

    async def get(self, key: str) -> str | None:
        return None


class Fast(Local):
    pass
"""
ACME = MODULE.encode()
LOCAL = "from oneiric import component\n\n\n@component('adapter', 'kept', provider='own')\nclass Own:\n    pass\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project that trusts Acme (key a) and Beta (key b)."""
    write_files(
        tmp_path,
        {
            "settings/app.yml": "name: shop\npackages: [shop]\n",
            "settings/remote.yml": remote(acme={}, beta={"keys": [PUBLIC["b"]], "allow": ["beta_parts"]}),
            "shop/__init__.py": "",
            "shop/parts.py": LOCAL,
        },
    )
    pin_of(tmp_path, "acme", [])
    pin_of(tmp_path, "beta", [], by="b")
    return tmp_path


def remote(**sources: Mapping[str, Any]) -> str:
    """A remote.yml in which each source is as Acme's, but for what is stated."""
    usual = {"keys": [PUBLIC["a"]], "allow": ["acme", "acme_parts"]}
    listed = [
        {"name": name, "address": f"https://cdn.example/{name}.yaml", **usual, **own} for name, own in sources.items()
    ]
    return json.dumps({"sources": listed})


def write_files(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def pin_of(
    root: Path, source: str, entries: list[dict[str, Any]], artifacts: Mapping[str, bytes] | None = None, **fields: Any
) -> None:
    pin(root, source, manifest(source, entries, **fields), artifacts)


def compiled(root: Path, **more: Any) -> tuple[Outputs | None, dict[str, str], Diagnostics]:
    """The outputs, the codes told with one message of each, and all that was told."""
    diagnostics = Diagnostics()
    project = replace(Project.at(root, {}), evaluated_at=NOW, **more)
    outputs = compile_project(project, diagnostics)
    return outputs, {each.code: each.message for each in diagnostics}, diagnostics


def report(root: Path, **more: Any) -> Any:
    outputs, told, _ = compiled(root, **more)
    assert outputs is not None, told
    return json.loads(outputs.profiles["default"][1]["explain.json"])


def wiring(root: Path) -> str:
    outputs, told, _ = compiled(root)
    assert outputs is not None, told
    return outputs.profiles["default"][1]["wiring.py"].decode()


def refused(root: Path, code: str) -> str:
    outputs, told, diagnostics = compiled(root)
    assert outputs is None
    assert set(told) == {code}, list(diagnostics)
    assert all(each.help for each in diagnostics)
    return told[code]


def fates(report: Any, key: str) -> dict[str, str]:
    found = report["bindings"][key]["candidates"]
    return {each["provider"]: each.get("excluded_by") or each.get("lost_by") or "won" for each in found}


# What takes part ---------------------------------------------------------------------------------------------


def test_a_single_module_and_a_wheel_are_read_and_named_by_digest(root: Path) -> None:
    name, data = wheel("acme", "1.0", {"acme/__init__.py": "", "acme/cache.py": MODULE})
    entries = [
        entry("thing", "fast", "acme_parts:Fast", "acme_parts.py", ACME),
        entry("thing2", "wheel", "acme.cache:Fast", name, data, port="acme.cache:Cache"),
    ]
    pin_of(root, "acme", entries, {"acme_parts.py": ACME, name: data})
    (root / "settings/adapters.yml").write_text("provider_settings: {fast: {size: 3}, wheel: {size: 4}}\n")
    found = report(root)["bindings"]
    assert found["adapter:thing"]["artifact"] == f"{digest(ACME)} acme_parts.py"
    assert found["adapter:thing2"]["artifact"] == f"{digest(data)} {name}"
    assert found["adapter:thing2"]["settings"]["size"]["value"] == 4
    text = wiring(root)
    assert f'artifact="{digest(data)} {name}"' in text
    assert text.count(digest(ACME)) == 1
    assert 'import_module("acme.cache").Fast(' in text


def test_settings_of_a_remote_candidate_are_checked_against_its_source(root: Path) -> None:
    pin_of(root, "acme", [entry("thing", "fast", "acme_parts:Fast", "acme_parts.py", ACME)], {"acme_parts.py": ACME})
    (root / "settings/adapters.yml").write_text("provider_settings: {fast: {size: big}}\n")
    assert "`size` of `fast`" in refused(root, "ONE408")


def test_the_fingerprint_tells_another_artifact_of_the_same_factory(root: Path) -> None:
    seen: set[str] = set()
    for content in (ACME, ACME + b"\n# 2\n"):
        pin_of(
            root, "acme", [entry("thing", "f", "acme_parts:Fast", "acme_parts.py", content)], {"acme_parts.py": content}
        )
        seen.add(report(root)["bindings"]["adapter:thing"]["fingerprint"])
    assert len(seen) == 2


def test_a_candidate_of_a_manifest_tells_why_it_is_believed(root: Path) -> None:
    pin_of(root, "acme", [entry("kept", "own", "shop.parts:Own")], version=7)
    (root / "settings/remote.yml").write_text(remote(acme={"allow": ["shop"]}))
    found = report(root)
    (candidate,) = [
        each for each in found["bindings"]["adapter:kept"]["candidates"] if each["source"] == "manifest:acme"
    ]
    data = (root / "generated/manifests/acme.yaml").read_bytes()
    want = {
        "source": "acme",
        "digest": digest(data),
        "keys": [PUBLIC["a"]],
        "version": 7,
        "expires_at": "2030-01-01T00:00:00Z",
    }
    assert candidate["trust"] == want
    assert found["inputs"]["manifests"] == {"acme": want}
    assert candidate["declared_at"] == "generated/manifests/acme.yaml#/entries/kept~1own"


def test_manifests_come_last_in_registration_order_source_by_source(root: Path) -> None:
    every = {"allow": ["shop"], "ceiling": {"stack_level": 0}}
    (root / "settings/remote.yml").write_text(remote(beta={**every, "keys": [PUBLIC["b"]]}, acme=every))
    for source, by in (("acme", "a"), ("beta", "b")):
        pin_of(root, source, [entry("kept", f"{source}{n}", "shop.parts:Own") for n in (2, 1)], by=by)
    found = report(root)["bindings"]["adapter:kept"]
    order = sorted(found["candidates"], key=lambda each: each["order"])
    assert [each["provider"] for each in order] == ["own", "beta2", "beta1", "acme2", "acme1"]
    assert (found["provider"], found["decided_by"]) == ("acme1", "registration-order")


def test_the_compile_opens_no_socket(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    pin_of(root, "acme", [entry("thing", "fast", "acme_parts:Fast", "acme_parts.py", ACME)], {"acme_parts.py": ACME})

    def never(*_: object) -> None:
        raise AssertionError("a socket")

    monkeypatch.setattr(socket, "socket", never)
    assert report(root)["bindings"]["adapter:thing"]["provider"] == "fast"


def test_a_project_without_sources_loads_nothing_that_verifies(root: Path) -> None:
    (root / "settings/remote.yml").unlink()
    code = """
import atexit, sys
from oneiric_compiler.cli import main
atexit.register(lambda: print(*sys.modules))
main()
"""
    command = [sys.executable, "-c", code, "compile"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "oneiric_compiler.catalog" in loaded
    rooms = tuple(f"oneiric_compiler.manifests.{name}" for name in ("document", "verify", "lock", "pinned", "offers"))
    assert not {name for name in loaded if name.startswith(("cryptography", "httpx", "oneiric.artifacts", *rooms))}


def test_upstreams_sample_is_read_whole_and_takes_part_as_far_as_it_is_allowed(root: Path) -> None:
    if not SAMPLE.exists():
        pytest.skip(f"{SAMPLE.name} is not here")
    sample = yaml.safe_load(SAMPLE.read_bytes())
    address = "https://cdn.example/sample-demo.yaml"
    source = {"name": "sample-demo", "address": address, "keys": [PUBLIC["a"]], "unversioned": True}
    (root / "settings/remote.yml").write_text(json.dumps({"sources": [source]}))
    pin_of(root, "sample-demo", sample["entries"], version=None, expires_at=None)
    found = report(root)
    assert len(found["barred"]["sample-demo"]) == len(sample["entries"])
    assert found["inputs"]["manifests"]["sample-demo"]["unversioned"] is True
    source["allow"] = ["oneiric.actions.workflow"]
    (root / "settings/remote.yml").write_text(json.dumps({"sources": [source]}))
    assert "module `oneiric.actions.workflow` is not found" in refused(root, "ONE206")


# How far it is believed --------------------------------------------------------------------------------------


def test_an_entry_above_its_ceiling_is_held_and_told(root: Path) -> None:
    (root / "settings/remote.yml").write_text(remote(acme={"allow": ["shop"]}))
    pin_of(root, "acme", [entry("kept", "greedy", "shop.parts:Own", priority=1000, stack_level=100)])
    found = report(root)["bindings"]["adapter:kept"]
    assert found["provider"] == "own"
    greedy = found["candidates"][1]
    assert (greedy["priority"], greedy["priority_from"], greedy["stack_level"]) == (0, "ceiling", -5)
    assert greedy["held"] == {"priority": 1000, "stack_level": 100}


def test_a_ceiling_holds_what_is_inferred_from_a_path_or_the_stack_order(root: Path) -> None:
    (root / "settings/app.yml").write_text("name: shop\npackages: [shop]\nstack_order: {shop: 700}\n")
    (root / "settings/remote.yml").write_text(remote(acme={"allow": ["shop"], "ceiling": {"priority": 3}}))
    pin_of(root, "acme", [entry("kept", "greedy", "shop.parts:Own")])
    (greedy,) = [each for each in report(root)["bindings"]["adapter:kept"]["candidates"] if not each["won"]]
    assert (greedy["priority"], greedy["priority_from"], greedy["held"]) == (3, "ceiling", {"priority": 700})


def test_what_is_below_the_ceiling_stays(root: Path) -> None:
    (root / "settings/remote.yml").write_text(remote(acme={"allow": ["shop"], "ceiling": {"stack_level": 50}}))
    pin_of(root, "acme", [entry("kept", "modest", "shop.parts:Own", priority=-3, stack_level=20)])
    (modest,) = [each for each in report(root)["bindings"]["adapter:kept"]["candidates"] if not each["won"]]
    assert (modest["priority"], modest["priority_from"], modest["stack_level"]) == (-3, "declared", 20)
    assert "held" not in modest


@pytest.mark.parametrize(
    "factory", ["shop.parts:Own", "acmex:Fast", "acme_parts_more:Fast", "oneiric.adapters.cache.memory:MemoryCache"]
)
def test_a_factory_outside_the_allowlist_takes_no_part_and_is_told(root: Path, factory: str) -> None:
    pin_of(root, "acme", [entry("kept", "sly", factory, priority=5), entry("new", "sly", factory, eager=True)])
    found = report(root)
    assert fates(found, "adapter:kept") == {"own": "won", "sly": "allowlist"}
    assert "adapter:new" not in found["bindings"]
    told = found["barred"]["acme"]["adapter:new/sly"]
    assert told == {
        "factory": factory,
        "excluded_by": "allowlist",
        "compared": [factory.partition(":")[0], ["acme", "acme_parts"]],
    }


@pytest.mark.parametrize("module", ["os", "subprocess", "importlib", "builtins", "xml.dom", "__main__", "distutils"])
def test_modules_of_python_itself_are_barred_whatever_is_allowed(root: Path, module: str) -> None:
    (root / "settings/remote.yml").write_text(remote(acme={"allow": [module.partition(".")[0]]}))
    pin_of(root, "acme", [entry("kept", "sly", f"{module}:system")])
    assert fates(report(root), "adapter:kept") == {"own": "won", "sly": "allowlist"}


def test_an_artifact_with_a_module_beside_the_allowed_ones_takes_no_part(root: Path) -> None:
    name, data = wheel("acme", "1.0", {"acme/__init__.py": "class Fast: ...", "yaml.py": ""})
    pin_of(root, "acme", [entry("kept", "sly", "acme:Fast", name, data)], {name: data})
    assert report(root)["barred"]["acme"]["adapter:kept/sly"]["compared"] == [["yaml"], ["acme", "acme_parts"]]


def test_selecting_what_is_barred_is_an_error(root: Path) -> None:
    pin_of(root, "acme", [entry("kept", "sly", "shop.parts:Own")])
    (root / "settings/adapters.yml").write_text("selections: {kept: sly}\n")
    assert "outside the allowlist of manifest:acme" in refused(root, "ONE302")


def test_a_barred_entry_promises_no_port_and_needs_nothing(root: Path) -> None:
    pin_of(root, "acme", [entry("kept", "sly", "no.such:Thing", port="no.such:Port", needs={"x": "adapter:none"})])
    found = report(root)["bindings"]["adapter:kept"]
    assert (found["provider"], found["needs"], found.get("port")) == ("own", {}, None)


@pytest.mark.parametrize(
    ("fields", "fate"),
    [
        ({"requires": ["oneiric>=0.1"]}, "won"),
        ({"requires": ["oneiric>=99"]}, "requires"),
        ({"requires": ["nobody-knows"]}, "requires"),
        ({"requires": ["acme==1.0"]}, "won"),
        ({"requires": ["ACME>1.0"]}, "requires"),
        ({"conflicts_with": ["oneiric<99"]}, "conflicts"),
        ({"conflicts_with": ["acme<2"]}, "conflicts"),
        ({"conflicts_with": ["nobody-knows"]}, "won"),
    ],
)
def test_requirements_are_held_against_what_a_compile_knows(root: Path, fields: dict[str, Any], fate: str) -> None:
    name, data = wheel("acme", "1.0", {"acme/__init__.py": "class Fast: ..."})
    (root / "settings/remote.yml").write_text(remote(acme={"allow": ["acme", "shop"], "ceiling": {"priority": 1}}))
    entries = [
        entry("other", "fast", "acme:Fast", name, data),
        entry("kept", "far", "shop.parts:Own", priority=1, **fields),
    ]
    pin_of(root, "acme", entries, {name: data})
    assert fates(report(root), "adapter:kept")["far"] == fate


@pytest.mark.parametrize(
    ("fields", "fate"), [({"python_version": ">=3.13"}, "python-version"), ({"os_platform": ["darwin"]}, "os-platform")]
)
def test_the_target_filters_as_it_does_everywhere(root: Path, fields: dict[str, Any], fate: str) -> None:
    (root / "settings/app.yml").write_text("name: shop\npackages: [shop]\ntarget: {python: '3.12', os: linux}\n")
    (root / "settings/remote.yml").write_text(remote(acme={"allow": ["shop"]}))
    pin_of(root, "acme", [entry("kept", "far", "shop.parts:Own", **fields)])
    assert fates(report(root), "adapter:kept") == {"own": "won", "far": fate}


# What is refused ---------------------------------------------------------------------------------------------


def test_a_manifest_of_one_source_pinned_as_another_is_rejected(root: Path) -> None:
    pin(root, "beta", manifest("acme", [], by="b"))
    assert "by the rule `source`" in refused(root, "ONE607")


def test_the_bytes_of_one_source_under_the_name_of_another_are_rejected(root: Path) -> None:
    folder = root / "generated/manifests"
    acme, beta = folder / "acme.yaml", folder / "beta.yaml"
    one, other = acme.read_bytes(), beta.read_bytes()
    acme.write_bytes(other)
    beta.write_bytes(one)
    assert "no signature of a trusted key holds" in refused(root, "ONE607")


@pytest.mark.parametrize("both", [False, True])
def test_swapped_entries_of_the_lock_are_told(root: Path, both: bool) -> None:
    lock = root / "generated/manifests/lock.json"
    document = json.loads(lock.read_bytes())
    sources = document["sources"]
    sources["acme"], sources["beta"] = sources["beta"], sources["acme"] if both else sources["beta"]
    lock.write_text(json.dumps(document))
    outputs, told, _ = compiled(root)
    assert outputs is None
    assert set(told) <= {"ONE606", "ONE607"}


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": None},
        {"digest": "0" * 64},
        {"signers": [PUBLIC["c"], PUBLIC["a"]]},
        {"signers": [PUBLIC["b"]]},
        {"expires_at": None},
        {"expires_at": "2040-01-01T00:00:00Z"},
        {"signed_at": "2026-01-01T00:00:00Z"},
        {"not_before": "2026-01-01T00:00:00Z"},
        {"address": "https://elsewhere.example/acme.yaml"},
        {"file": "beta.yaml"},
        {"file": "../acme.yaml"},
        {"artifacts": {"0" * 64: {"file": "../../settings/app.yml", "uri": "x", "size": 1}}},
        {"artifacts": []},
        {"surprise": 1},
    ],
    ids=str,
)
def test_a_lock_that_was_edited_is_told(root: Path, change: dict[str, Any]) -> None:
    (root / "settings/remote.yml").write_text(remote(acme={"keys": [PUBLIC["a"], PUBLIC["b"], PUBLIC["c"]]}))
    lock = root / "generated/manifests/lock.json"
    document = json.loads(lock.read_bytes())
    document["sources"]["acme"] |= change
    lock.write_text(json.dumps(document))
    outputs, told, _ = compiled(root)
    assert outputs is None
    assert set(told) <= {"ONE606", "ONE607"}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": "oneiric.lock/2", "sources": {}}', "[" * 100_000, "\x00", '{"a": 1e999}']
)
def test_a_lock_that_is_none_is_told(root: Path, text: str) -> None:
    (root / "generated/manifests/lock.json").write_text(text)
    assert "cannot be read" in refused(root, "ONE606")


@pytest.mark.parametrize("where", [0, 40, -40, -1])
def test_pinned_bytes_altered_after_pinning_are_told(root: Path, where: int) -> None:
    file = root / "generated/manifests/acme.yaml"
    data = bytearray(file.read_bytes())
    data[where] ^= 1
    file.write_bytes(data)
    outputs, told, _ = compiled(root)
    assert outputs is None
    assert set(told) <= {"ONE606", "ONE607"}


def test_a_comment_added_after_pinning_is_told(root: Path) -> None:
    """The signature still holds: the canonical form has no comments. The digest of the lock does not."""
    file = root / "generated/manifests/acme.yaml"
    file.write_bytes(file.read_bytes() + b"# more\n")
    assert "another digest" in refused(root, "ONE606")


@pytest.mark.parametrize("file", ["acme.yaml", "lock.json"])
def test_what_is_missing_is_told(root: Path, file: str) -> None:
    (root / "generated/manifests" / file).unlink()
    refused(root, "ONE606" if file == "acme.yaml" else "ONE604")


def test_expiry_is_an_error_and_a_time_of_evaluation_never_changes_a_byte(root: Path) -> None:
    pin_of(root, "acme", [], expires_at="2026-07-01T00:00:00Z")
    outputs, _, _ = compiled(root)
    earlier, _, _ = compiled(root)
    assert outputs is not None
    assert earlier is not None
    assert outputs.profiles == earlier.profiles
    diagnostics = Diagnostics()
    late = replace(Project.at(root, {}), evaluated_at=datetime(2026, 7, 1, tzinfo=UTC))
    assert compile_project(late, diagnostics) is None
    assert [each.code for each in diagnostics] == ["ONE608"]


@pytest.mark.parametrize(
    ("until", "told"), [(None, False), (NOW + timedelta(days=29), False), (NOW + timedelta(days=31), True)]
)
def test_expiry_is_told_ahead(root: Path, until: datetime | None, told: bool) -> None:
    pin_of(root, "acme", [], expires_at="2026-07-01T00:00:00Z")
    outputs, found, _ = compiled(root, valid_until=until)
    assert outputs is not None
    assert ("ONE609" in found) is told


def test_within_two_weeks_expiry_is_told_without_being_asked(root: Path) -> None:
    pin_of(root, "acme", [], expires_at="2026-06-10T00:00:00Z")
    outputs, told, _ = compiled(root)
    assert outputs is not None
    assert "ONE609" in told


def test_an_artifact_altered_after_pinning_is_told(root: Path) -> None:
    pin_of(root, "acme", [entry("thing", "fast", "acme_parts:Fast", "acme_parts.py", ACME)], {"acme_parts.py": ACME})
    (file,) = (root / "generated/manifests/artifacts").iterdir()
    file.write_bytes(ACME + b"\n")
    assert "not those of its digest" in refused(root, "ONE611")


def test_an_artifact_that_is_missing_is_told(root: Path) -> None:
    pin_of(root, "acme", [entry("thing", "fast", "acme_parts:Fast", "acme_parts.py", ACME)])
    assert "is not pinned" in refused(root, "ONE611")


def test_one_bad_entry_keeps_the_whole_manifest_out(root: Path) -> None:
    """Nothing of a manifest is used when a later entry of it cannot be: here an artifact without digest."""
    good = entry("thing", "fast", "acme_parts:Fast", "acme_parts.py", ACME)
    bad = {**entry("other", "fast", "acme_parts:Fast"), "uri": "https://cdn.example/acme_parts.py"}
    pin_of(root, "acme", [good, bad], {"acme_parts.py": ACME})
    assert "an artifact without digest" in refused(root, "ONE610")


def test_a_digest_that_does_not_match_in_a_later_entry_keeps_everything_out(root: Path) -> None:
    good = entry("thing", "fast", "acme_parts:Fast", "acme_parts.py", ACME)
    pin_of(root, "acme", [good, {**good, "key": "other", "sha256": "0" * 64}], {"acme_parts.py": ACME})
    assert "is not pinned" in refused(root, "ONE611")


def test_two_artifacts_of_one_name_are_refused(root: Path) -> None:
    other = ACME + b"# another\n"
    entries = [
        entry("thing", p, "acme_parts:Fast", "acme_parts.py", data) for p, data in (("one", ACME), ("two", other))
    ]
    pin(root, "acme", manifest("acme", entries), {"acme_parts.py": ACME})
    pin(root, "acme", manifest("acme", entries), {"acme_parts.py": other})
    document = json.loads((root / "generated/manifests/lock.json").read_bytes())
    file = {"file": f"artifacts/{digest(ACME)}.py", "uri": "https://cdn.example/acme_parts.py", "size": len(ACME)}
    document["sources"]["acme"]["artifacts"][digest(ACME)] = file
    (root / "generated/manifests/lock.json").write_text(json.dumps(document))
    assert "is in two artifacts" in refused(root, "ONE612")


def test_two_versions_of_one_distribution_are_refused_across_sources(root: Path) -> None:
    first, second = (
        wheel("acme", version, {f"acme{n}.py": "class A: ..."}) for n, version in enumerate(("1.0", "2.0"))
    )
    (root / "settings/remote.yml").write_text(
        remote(acme={"allow": ["acme0"]}, beta={"keys": [PUBLIC["b"]], "allow": ["acme1"]})
    )
    pin_of(root, "acme", [entry("x", "one", "acme0:A", *first)], {first[0]: first[1]})
    pin_of(root, "beta", [entry("y", "two", "acme1:A", *second)], {second[0]: second[1]}, by="b")
    assert "the distribution `acme` is in two artifacts" in refused(root, "ONE612")


def test_an_artifact_may_not_stand_in_for_a_module_of_the_project(root: Path) -> None:
    (root / "settings/remote.yml").write_text(remote(acme={"allow": ["shop"]}))
    pin_of(root, "acme", [entry("thing", "sly", "shop:Fast", "shop.py", ACME)], {"shop.py": ACME})
    assert "and outside of it" in refused(root, "ONE612")


def test_a_factory_must_be_in_the_artifact_that_its_entry_names(root: Path) -> None:
    (root / "settings/remote.yml").write_text(remote(acme={"allow": ["acme_parts", "shop"]}))
    pin_of(root, "acme", [entry("thing", "sly", "shop.parts:Own", "acme_parts.py", ACME)], {"acme_parts.py": ACME})
    assert "is not in its artifact" in refused(root, "ONE206")


def test_an_artifact_serves_the_entries_that_name_it_alone(root: Path) -> None:
    entries = [
        entry("thing", "fast", "acme_parts:Fast", "acme_parts.py", ACME),
        entry("other", "sly", "acme_parts:Fast"),
    ]
    pin_of(root, "acme", entries, {"acme_parts.py": ACME})
    assert "which its entry does not name" in refused(root, "ONE206")


def test_settings_and_overlays_cannot_name_what_is_in_an_artifact(root: Path) -> None:
    pin_of(root, "acme", [entry("thing", "fast", "acme_parts:Fast", "acme_parts.py", ACME)], {"acme_parts.py": ACME})
    component = "components: [{key: kept, provider: sly, factory: 'acme_parts:Fast'}]"
    (root / "settings/app.yml").write_text("name: shop\npackages: [shop]\nallow: [acme_parts]\nprofiles: [busy]\n")
    write_files(root, {"settings/profiles/busy.yml": f"adapters:\n  {component}\n"})
    assert "module `acme_parts` is not found" in refused(root, "ONE206")


def test_no_trace_of_a_secret_or_of_the_machine_is_written(root: Path) -> None:
    auth = {"header": "Authorization", "value": "Bearer ${ONEIRIC_SECRET_ACME}"}
    (root / "settings/remote.yml").write_text(remote(acme={"auth": auth}))
    outputs, told, _ = compiled(root)
    assert outputs is not None, told
    said = b"".join(data for _, files in outputs.profiles.values() for data in files.values())
    assert b"ONEIRIC_SECRET_ACME" not in said
    assert str(root).encode() not in said


def test_the_settings_page_shows_sources_that_can_be_used(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/settings.md").read_text("utf-8")
    (text,) = re.findall(r"```yaml\n(# settings/remote.yml\n.*?)```", page, re.S)
    write_files(tmp_path, {"settings/app.yml": "name: shop\n", "settings/remote.yml": text})
    write_files(tmp_path, {"keys/partner.pub": f"{PUBLIC['a']}\n# Bob\n{PUBLIC['b']}\n"})
    diagnostics = Diagnostics()
    settings = read(Project.at(tmp_path, {}), diagnostics)
    assert settings is not None
    assert not list(diagnostics)
    acme, partner = settings.remote.sources
    usual = RemoteSource("", "", (), acme.place)
    assert replace(acme, name="", address="", keys=(), allow=()) == usual
    assert partner.keys == tuple(sorted((PUBLIC["a"], PUBLIC["b"])))
    assert (partner.priority_ceiling, partner.stack_level_ceiling, partner.max_entries) == (10, 5, 20_000)
    assert (partner.auth_header, partner.max_depth, partner.total) == ("Authorization", 32, 60)


# --check -----------------------------------------------------------------------------------------------------


def checked(root: Path, **environ: str) -> set[str]:
    diagnostics = Diagnostics()
    check(replace(Project.at(root, environ), evaluated_at=NOW), diagnostics)
    return {each.code for each in diagnostics}


def test_newer_pins_make_the_outputs_stale_until_they_are_compiled(root: Path) -> None:
    outputs, _, _ = compiled(root)
    assert outputs is not None
    assert write(outputs, Diagnostics())
    pinned = sorted((root / "generated/manifests").rglob("*"))
    assert checked(root) == set()
    pin_of(root, "acme", [], version=2)
    assert checked(root) == {"ONE502"}
    outputs, _, _ = compiled(root)
    assert outputs is not None
    assert write(outputs, Diagnostics())
    assert checked(root) == set()
    assert sorted((root / "generated/manifests").rglob("*")) == pinned


def test_a_check_trusts_the_keys_that_the_report_recorded(root: Path) -> None:
    (root / "settings/remote.yml").write_text(
        '{"sources": [{"name": "acme", "address": "https://cdn.example/acme.yaml"}]}'
    )
    diagnostics = Diagnostics()
    keys = f" {PUBLIC['c']}, {PUBLIC['a']} ,"
    outputs = compile_project(
        replace(Project.at(root, {"ONEIRIC_TRUSTED_PUBLIC_KEYS": keys}), evaluated_at=NOW), diagnostics
    )
    assert outputs is not None, list(diagnostics)
    assert write(outputs, diagnostics)
    recorded = json.loads((root / "generated/explain.json").read_bytes())["inputs"]["environment"]
    assert recorded == {"ONEIRIC_TRUSTED_PUBLIC_KEYS": ",".join(sorted((PUBLIC["a"], PUBLIC["c"])))}
    assert checked(root) == set()
    assert checked(root, ONEIRIC_TRUSTED_PUBLIC_KEYS=PUBLIC["b"]) == set()
