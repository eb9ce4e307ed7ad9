"""Signing by one person after another: what each adds, what stays, what falls; and what upstream makes of it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from oneiric_compiler.manifests.document import Rejected, is_json
from oneiric_compiler.manifests.keys import (
    BadKey,
    public_of,
    read_public_key,
    read_seed_file,
    show_key,
    write_seed_file,
)
from oneiric_compiler.manifests.signing import Signed, sign

from tests.manifests.signers import (
    ADA,
    BOB,
    EVE,
    NOW,
    Signer,
    accepted,
    as_bytes,
    document,
    upstream_accepts,
)

YAML = """\
# who we are
source: acme   # our name
signatures: []
version: 3  # counted by hand
entries:
  # the cache
  - domain: adapter
    key: cache
    provider: acme
    factory: "acme.cache:Cache"
    metadata:
      enabled: yes
      since: 2026-01-01
# the end
"""


def by(signer: Signer, data: bytes, **others: Any) -> Signed:
    return sign(data, signer.seed, **{"now": NOW, **others})


def fields(data: bytes) -> dict[str, Any]:
    return dict(json.loads(data) if is_json(data) else yaml.safe_load(data))


@pytest.mark.parametrize("data", [as_bytes(document()), YAML.encode()], ids=["json", "yaml"])
class TestInTurn:
    def test_several_people_in_turn(self, data: bytes) -> None:
        first = by(ADA, data, version=4, expires_at=NOW + timedelta(days=30))
        second = by(BOB, first.data, now=NOW + timedelta(hours=1))
        manifest = accepted(second.data, ADA, BOB, threshold=2)
        assert (manifest.version, manifest.signed_at, manifest.expires_at) == (4, NOW, NOW + timedelta(days=30))
        assert (first.stale, second.stale, second.unchecked) == ((), (), ())
        assert is_json(second.data) == is_json(data)

    def test_signing_again_adds_nothing(self, data: bytes) -> None:
        both = by(BOB, by(ADA, data).data).data
        again = by(ADA, both, now=NOW + timedelta(days=1)).data
        assert len(fields(again)["signatures"]) == 2
        assert by(ADA, again).data == again
        accepted(again, ADA, BOB, threshold=2)

    def test_what_is_signed_anew_is_not_signed_by_others(self, data: bytes) -> None:
        changed = by(BOB, by(ADA, data).data, version=9, now=NOW + timedelta(minutes=1))
        assert changed.stale == (ADA.public,)
        assert [each["key_id"] for each in fields(changed.data)["signatures"]] == [BOB.public]
        assert accepted(changed.data, BOB).signed_at == NOW + timedelta(minutes=1)
        assert by(BOB, by(ADA, data, version=3).data, version=3).stale == ()

    def test_what_was_edited_is_not_signed_by_others(self, data: bytes) -> None:
        edited = by(ADA, data).data.replace(b"acme.cache", b"acme.other")
        signed = by(BOB, edited)
        assert signed.stale == (ADA.public,)
        assert [each["key_id"] for each in fields(signed.data)["signatures"]] == [BOB.public]

    def test_a_signature_whose_key_is_not_known_is_told(self, data: bytes) -> None:
        plain = {name: value for name, value in fields(data).items() if name != "signatures"}
        if not is_json(data):
            plain["entries"][0]["metadata"]["since"] = "2026-01-01"
        theirs = as_bytes({**plain, "signatures": [EVE.listed(plain)], "signature": BOB.sign(plain)})
        kept = by(ADA, theirs)
        assert (kept.stale, kept.unchecked) == ((), ("a key that is not named", "theirs"))
        accepted(kept.data, ADA, BOB, EVE, threshold=3)
        assert by(ADA, theirs, version=7).stale == ("a key that is not named", "theirs")

    def test_ones_own_signature_is_known_by_any_name(self, data: bytes) -> None:
        plain = {name: value for name, value in fields(data).items() if name != "signatures"}
        if not is_json(data):
            plain["entries"][0]["metadata"]["since"] = "2026-01-01"
        theirs = as_bytes({**plain, "signature": ADA.sign(plain), "signature_algorithm": "ed25519"})
        signed = by(ADA, theirs)
        assert (signed.stale, signed.unchecked) == ((), ())
        assert "signature" not in fields(signed.data) and len(fields(signed.data)["signatures"]) == 1

    def test_upstream_accepts_it(self, data: bytes) -> None:
        signed = fields(by(ADA, by(BOB, data, version=5).data).data)
        if not is_json(data):
            signed["entries"][0]["metadata"]["since"] = "2026-01-01"
        assert upstream_accepts(signed, ADA.public) and upstream_accepts(signed, BOB.public)
        assert not upstream_accepts({**signed, "version": 6}, ADA.public)

    def test_nobody_could_accept_it(self, data: bytes) -> None:
        for wrong in ({"expires_at": NOW}, {"version": -1}):
            with pytest.raises(Rejected):
                by(ADA, data, **wrong)


class TestForm:
    def test_comments_and_order_stay(self) -> None:
        text = by(ADA, YAML.encode(), version=4, expires_at=NOW + timedelta(days=1)).data.decode()
        body, _, tail = text.partition("# the end\n")
        assert body == YAML.partition("# the end")[0].replace("signatures: []\n", "").replace(
            "version: 3  # counted by hand", "version: 4"
        )
        assert [line.partition(":")[0] for line in tail.splitlines()][:3] == ["signed_at", "expires_at", "signatures"]

    @pytest.mark.parametrize(
        "text",
        [
            "{source: acme, entries: [], x: yes}\n",
            "source: acme\nentries: []\n...\n",
            "---\nsource: acme\nentries: []",
            "source: acme\r\nentries:\r\n- {domain: a}\r\n",
            "source: acme\nversion:\n  3\nentries: []\nsignatures:\n- signature: x\n\n\n  algorithm: ed25519\n",
            "source: acme\nnote: |\n  signatures: []\n\n  version: 1\nentries: []\n",
            "source: acme\nnote: 'a\n\n  b'\nsigned_at: 'x'\nentries: []\n# end",
            "? source\n: acme\n? version\n: 3\n? entries\n: []\n",
            '"signatures": []\n"source": acme\n"entries":\n- domain: a\n\n  note: "\\u2028"\n',
            "\ufeffsource: acme\nentries: []\n",
        ],
    )
    def test_yaml_of_every_shape(self, text: str) -> None:
        data = by(ADA, text.encode(), version=8).data
        assert not is_json(data)
        assert accepted(by(BOB, data).data, ADA, BOB, threshold=2, unversioned=True).version == 8

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9) | st.text(max_size=12),
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
            max_leaves=12,
        ),
        st.booleans(),
        st.booleans(),
    )
    def test_whatever_it_holds_is_held_after(self, value: Any, as_yaml: bool, flow: bool) -> None:
        """What PyYAML writes is what is read, signed and written again, to the last digit."""
        plain = {**document(), "note": value}
        text = yaml.safe_dump(plain, default_flow_style=flow) if as_yaml else json.dumps(plain)
        once = by(ADA, text.encode())
        twice = by(BOB, once.data)
        accepted(twice.data, ADA, BOB, threshold=2)
        kept = fields(twice.data)["note"]
        assert json.dumps(kept, sort_keys=True) == json.dumps(value, sort_keys=True)


class TestKeys:
    def test_a_private_key_is_for_its_owner_alone_and_never_written_over(self, tmp_path: Path) -> None:
        write_seed_file(tmp_path / "key", ADA.seed)
        assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
        assert read_seed_file(tmp_path / "key") == ADA.seed
        with pytest.raises(FileExistsError):
            write_seed_file(tmp_path / "key", BOB.seed)
        assert show_key(public_of(read_seed_file(tmp_path / "key"))) == ADA.public

    @pytest.mark.parametrize("data", [b"", b"AAAA", b"\xff", ADA.seed, b"A" * 9999, b"A" * 10**6])
    def test_what_is_no_private_key(self, tmp_path: Path, data: bytes) -> None:
        (tmp_path / "key").write_bytes(data)
        with pytest.raises(BadKey) as caught:
            read_seed_file(tmp_path / "key")
        assert "A" * 9 not in str(caught.value)

    def test_keys_under_which_anyone_can_sign_are_none(self) -> None:
        """Every point whose eightfold is the neutral one, in every writing that a library might take for it."""
        found = [encoding for encoding in _encodings() if _is_small(encoding)]
        assert len(found) >= 12
        for encoding in found:
            with pytest.raises(BadKey, match="anyone"):
                read_public_key(show_key(encoding))

    def test_other_keys_are_keys(self) -> None:
        assert read_public_key(ADA.public) == read_public_key(f" {ADA.public}\n")


P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def _encodings() -> list[bytes]:
    """The y of every small point and what differs from it by P, with either sign."""
    points = {(0, 1)}
    eighth = next(point for y in range(2, 60) if (point := _eighth(y)) and _order(point) == 8)
    current = eighth
    for _ in range(8):
        points.add(current)
        current = _add(current, eighth)
    ys = {y + more for _, y in points for more in (0, P) if y + more < 2**255}
    return [(y | sign << 255).to_bytes(32, "little") for y in sorted(ys) for sign in (0, 1)]


def _eighth(y: int) -> tuple[int, int] | None:
    """A point of the curve, times the order of the large subgroup."""
    x = _x(y)
    if x is None:
        return None
    return _times((x, y), 2**252 + 27742317777372353535851937790883648493)


def _x(y: int) -> int | None:
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    for each in (x, x * ROOT % P):
        if each * each % P == square:
            return each
    return None


def _add(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    (x1, y1), (x2, y2) = a, b
    k = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P
    return x, y


def _times(point: tuple[int, int], factor: int) -> tuple[int, int]:
    result = (0, 1)
    while factor:
        if factor & 1:
            result = _add(result, point)
        point, factor = _add(point, point), factor >> 1
    return result


def _order(point: tuple[int, int]) -> int:
    current, order = point, 1
    while current != (0, 1):
        current, order = _add(current, point), order + 1
        if order > 8:
            return 0
    return order


def _is_small(encoding: bytes) -> bool:
    y = (int.from_bytes(encoding, "little") & (2**255 - 1)) % P
    x = _x(y)
    return x is not None and _times((x, y), 8) == (0, 1)
