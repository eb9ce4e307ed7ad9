"""What an entry says of its candidate besides who it is, and the layers that manifests offer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from oneiric_compiler.verify import verify

from tests.golden.signing import digest, entry
from tests.manifests.pinned import ACME, compiled, fates, pin_of, refused, remote, report, wiring

LAYERS = b"""
from typing import Protocol


class Cache(Protocol):
    async def get(self, key: str) -> str | None: ...


class Counted:
    def __init__(self, *, inner: Cache, most: int = 3) -> None:
        self.inner = inner

    async def get(self, key: str) -> str | None:
        return await self.inner.get(key)
"""
PORT = "acme_parts:Cache"


def offers(root: Path, *layers: dict[str, Any], content: bytes = ACME + LAYERS) -> None:
    """Acme serves `thing`, and offers these layers of it, all in one module."""
    named = ("acme_parts.py", content)
    served = entry("thing", "fast", "acme_parts:Fast", *named, port=PORT)
    usual = {**served, "provider": "counted", "factory": "acme_parts:Counted", "layer": True}
    pin_of(root, "acme", [served, *({**usual, **each} for each in layers)], dict([named]))


def place(root: Path, *layers: str, **settings: Any) -> None:
    text = {"layers": {"thing": list(layers)}, **({"provider_settings": settings} if settings else {})}
    (root / "settings/adapters.yml").write_text(json.dumps(text))


# Idempotent --------------------------------------------------------------------------------------------------


def reported(root: Path, **fields: Any) -> Any:
    pin_of(
        root,
        "acme",
        [entry("thing", "fast", "acme_parts:Fast", "acme_parts.py", ACME, **fields)],
        {"acme_parts.py": ACME},
    )
    (candidate,) = report(root)["bindings"]["adapter:thing"]["candidates"]
    return candidate.get("idempotent")


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"side_effect_free": True}, True),
        ({"side_effect_free": False}, None),
        ({"side_effect_free": None}, None),
        ({"side_effect_free": True, "idempotent": True}, True),
        ({"side_effect_free": False, "idempotent": True}, True),
        ({"side_effect_free": False, "idempotent": ["get"]}, ["get"]),
        ({"": True}, None),
    ],
)
def test_what_upstream_calls_side_effect_free_is_idempotent(root: Path, fields: dict[str, Any], wanted: object) -> None:
    assert reported(root, **fields) == wanted


@pytest.mark.parametrize("idempotent", [False, ["get"]])
def test_an_entry_that_says_two_things_of_it_is_refused(root: Path, idempotent: object) -> None:
    stated = {"side_effect_free": True, "idempotent": idempotent}
    pin_of(
        root,
        "acme",
        [entry("thing", "fast", "acme_parts:Fast", "acme_parts.py", ACME, **stated)],
        {"acme_parts.py": ACME},
    )
    said = refused(root, "ONE610")
    assert "entry 0 (thing/fast): `idempotent` and `side_effect_free` say different things" in said


def test_a_retry_after_a_timeout_of_what_is_side_effect_free_is_no_note(root: Path) -> None:
    for stated, told in (({}, {"ONE445"}), ({"side_effect_free": True}, set[str]())):
        served = entry("thing", "fast", "acme_parts:Fast", "acme_parts.py", ACME, port=PORT, **stated)
        pin_of(root, "acme", [served], {"acme_parts.py": ACME})
        place(root, "retry", retry={"errors": ["TimeoutError"]})
        assert set(compiled(root)[1]) == told


# Layers ------------------------------------------------------------------------------------------------------


def test_a_layer_of_a_manifest_is_placed_by_settings_alone(root: Path) -> None:
    offers(root, {})
    assert "layers" not in report(root)["bindings"]["adapter:thing"]
    assert fates(report(root), "adapter:thing") == {"fast": "won"}
    place(root, "counted:outer", "counted", counted={"most": 5})
    found = report(root)
    layers = found["bindings"]["adapter:thing"]["layers"]
    assert [*layers] == ["adapter:thing/counted:outer", "adapter:thing/counted"]
    for layer in layers.values():
        assert layer["source"] == "manifest:acme"
        assert layer["artifact"] == f"{digest(ACME + LAYERS)} acme_parts.py"
        assert layer["settings"]["most"]["value"] == 5
    assert wiring(root).count('import_module("acme_parts").Counted(') == 2


def test_what_is_written_of_a_layer_of_a_manifest_is_verified(root: Path) -> None:
    offers(root, {})
    place(root, "counted")
    outputs, told, _ = compiled(root)
    assert outputs is not None, told
    files = outputs.profiles["default"][1]
    assert not [*verify(json.loads(files["explain.json"]), files["wiring.py"], files.get("tenants.jsonl", b""))]


def test_a_layer_outside_what_its_source_may_bring_takes_no_part(root: Path) -> None:
    offers(root, {"provider": "outside", "factory": "subprocess:run"})
    assert compiled(root)[1] == {}
    assert report(root)["barred"]["acme"]["adapter:thing/outside"]["excluded_by"] == "allowlist"
    place(root, "outside")
    assert refused(root, "ONE440") == "adapter:thing has no layer `outside`"


def test_a_layer_whose_requirements_are_not_met_takes_no_part(root: Path) -> None:
    offers(root, {"requires": ["nobody-knows>=1"]})
    place(root, "counted")
    assert refused(root, "ONE440") == "adapter:thing has no layer `counted`"


def test_a_layer_of_a_manifest_takes_the_place_of_no_other(root: Path) -> None:
    """One of the project's own, or that comes with Oneiric, has the name: what settings place stays what it was."""
    offers(root, {"provider": "timeout"}, {})
    with (root / "shop/parts.py").open("a") as parts:
        parts.write("\n\n@component('adapter', 'thing', provider='counted', layer=True)\ndef counted(*, inner): ...\n")
    place(root, "timeout", "counted", timeout={"timeout": 1})
    layers = report(root)["bindings"]["adapter:thing"]["layers"]
    factories = {name: layer["factory"] for name, layer in layers.items()}
    assert factories == {
        "adapter:thing/timeout": "oneiric.layers.timeout:timeout",
        "adapter:thing/counted": "shop.parts:counted",
    }


def test_the_ceiling_of_a_source_leaves_its_layers_where_settings_place_them(root: Path) -> None:
    (root / "settings/remote.yml").write_text(remote(acme={"ceiling": {"stack_level": -5, "priority": 0}}))
    offers(root, {"stack_level": 50, "priority": 90})
    place(root, "counted")
    found = report(root)["bindings"]["adapter:thing"]
    assert [*found["layers"]] == ["adapter:thing/counted"]
    assert found["provider"] == "fast"


def test_a_layer_of_a_manifest_is_no_candidate(root: Path) -> None:
    offers(root, {})
    (root / "settings/adapters.yml").write_text("selections: {thing: counted}\n")
    outputs, told, diagnostics = compiled(root)
    assert outputs is None
    assert any("layers: {thing: [counted]}" in (each.help or "") for each in diagnostics), told
