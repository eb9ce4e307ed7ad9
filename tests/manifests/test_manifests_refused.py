"""Pinned manifests, locks and artifacts that a compile refuses, each told with its code."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project

from tests.golden.signing import PUBLIC, digest, entry, manifest, pin, wheel
from tests.manifests.pinned import (
    ACME,
    NOW,
    compiled,
    pin_of,
    refused,
    remote,
    write_files,
)

pytestmark = pytest.mark.usefixtures("no_builtins")


@pytest.mark.parametrize("name", ["lock", "LOCK", "Lock", "artifacts", "Artifacts", "lock\n"])
def test_no_source_is_called_as_files_beside_it_are(root: Path, name: str) -> None:
    """Some file systems take `Lock.json` for `lock.json`."""
    (root / "settings/remote.yml").write_text(remote(**{name: {}}))
    assert "cannot be" in refused(root, "ONE114")


@pytest.mark.parametrize("caps", [{"bytes": 100}, {"entries": 1}, {"depth": 3}], ids=str)
def test_the_caps_of_a_source_hold_for_what_is_pinned(root: Path, caps: dict[str, int]) -> None:
    entries = [entry("kept", f"p{n}", "shop.parts:Own", metadata={"a": {"b": 1}}) for n in range(2)]
    pin_of(root, "acme", entries)
    beta = {"keys": [PUBLIC["b"]], "allow": ["beta_parts"]}
    (root / "settings/remote.yml").write_text(remote(acme={}, beta=beta))
    assert compiled(root)[0] is not None
    (root / "settings/remote.yml").write_text(remote(acme={"caps": caps}, beta=beta))
    assert "by the rule `limits`" in refused(root, "ONE607")


def test_a_source_without_versions_has_to_be_stated_as_one(root: Path) -> None:
    pin_of(root, "acme", [], version=None)
    assert "by the rule `version`" in refused(root, "ONE607")


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


@pytest.mark.parametrize(
    "altered", [ACME + b"\n", ACME.replace(b"size", b"SIZE"), b""], ids=["longer", "as long", "empty"]
)
def test_an_artifact_altered_after_pinning_is_told(root: Path, altered: bytes) -> None:
    pin_of(root, "acme", [entry("thing", "fast", "acme_parts:Fast", "acme_parts.py", ACME)], {"acme_parts.py": ACME})
    (file,) = (root / "generated/manifests/artifacts").iterdir()
    file.write_bytes(altered)
    assert "not those of its digest" in refused(root, "ONE611")


def test_the_lock_says_how_many_bytes_an_artifact_has(root: Path) -> None:
    pin_of(root, "acme", [entry("thing", "fast", "acme_parts:Fast", "acme_parts.py", ACME)], {"acme_parts.py": ACME})
    lock = root / "generated/manifests/lock.json"
    lock.write_bytes(lock.read_bytes().replace(f'"size": {len(ACME)}'.encode(), b'"size": 1'))
    assert "not as many as the lock says" in refused(root, "ONE611")


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
    assert "no installed distribution has the module `acme_parts`" in refused(root, "ONE213")
