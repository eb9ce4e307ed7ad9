"""What a compile makes of pinned manifests: whose entries take part, and how far; and no network."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from oneiric_compiler.checking import check
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project, RemoteSource
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.stages.read import read
from oneiric_compiler.stages.write import write

from tests.golden.signing import PUBLIC, digest, entry, wheel
from tests.manifests.pinned import (
    ACME,
    MODULE,
    NOW,
    compiled,
    fates,
    pin_of,
    refused,
    remote,
    report,
    wiring,
    write_files,
)
from tests.samples import sample

SAMPLE = sample("upstream-sample-manifest.yaml")


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
    assert "oneiric_compiler.stages.catalog" in loaded
    rooms = tuple(f"oneiric_compiler.manifests.{name}" for name in ("document", "verify", "lock", "pinned", "offers"))
    assert not {
        name for name in loaded if name.startswith(("cryptography", "httpx", "oneiric.artifacts.contents", *rooms))
    }


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
    assert (partner.ceilings, partner.max_entries) == ({"priority": 10, "stack_level": 5}, 20_000)
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
