"""Which manifests are accepted, and by which rule each other is rejected."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from oneiric_compiler.manifests.verify import BadKey, NotAManifest, Pinned, Rejected, verify

from tests.manifests.signers import (
    ADA,
    BOB,
    ENTRY,
    EVE,
    NOW,
    Signer,
    accepted,
    as_bytes,
    document,
    policy,
    signed,
)
from tests.samples import sample

SAMPLE = sample("upstream-sample-manifest.yaml")
HOUR = timedelta(hours=1)


def rule_of(data: dict[str, Any] | bytes, *trusted: Signer, **others: Any) -> str:
    """The rule that rejects it; what is told names nothing of the inside."""
    with pytest.raises(Rejected) as caught:
        accepted(data, *trusted, **others)
    assert caught.value.message
    assert "Traceback" not in caught.value.message
    return caught.value.rule


def at(time: datetime) -> str:
    return time.isoformat()


class TestAccepted:
    def test_what_is_signed_is_what_is_told(self) -> None:
        times = {"signed_at": at(NOW - HOUR), "not_before": at(NOW - HOUR), "expires_at": "2026-07-01T00:00:00Z"}
        data = as_bytes(signed(ADA, BOB, **times))
        manifest = verify(data, policy(BOB, ADA, EVE, threshold=2))
        assert manifest.source == "acme"
        assert manifest.version == 3
        assert manifest.entries == (ENTRY,)
        assert manifest.digest == hashlib.sha256(data).hexdigest()
        assert manifest.signers == tuple(sorted((ADA.public, BOB.public)))
        assert (manifest.signed_at, manifest.not_before) == (NOW - HOUR, NOW - HOUR)
        assert manifest.expires_at == datetime(2026, 7, 1, tzinfo=UTC)

    def test_a_single_signature_at_the_top(self) -> None:
        plain = document()
        for extra in ({"signature_algorithm": "ed25519"}, {}):
            assert accepted({**plain, "signature": ADA.sign(plain), **extra}).signers == (ADA.public,)

    def test_a_single_signature_and_a_list_count_together(self) -> None:
        plain = document()
        both = {**plain, "signature": ADA.sign(plain), "signatures": [BOB.listed(plain)]}
        assert len(accepted(both, ADA, BOB, threshold=2).signers) == 2

    def test_fields_that_nobody_knows_are_signed(self) -> None:
        manifest = signed(ADA, note={"ünï": "😀", "n": 1.5})
        accepted(manifest)
        assert rule_of({**manifest, "note": {}}) == "signature"

    def test_fields_left_empty_are_not_stated(self) -> None:
        plain = {**document(), "expires_at": None, "signed_at": None}
        accepted({**plain, "signature": None, "signatures": [ADA.listed(plain)]})

    def test_a_time_without_an_offset_is_in_utc(self) -> None:
        assert accepted(signed(ADA, expires_at="2026-06-01T13:00:00")).expires_at == NOW + HOUR

    def test_an_unversioned_source_needs_no_version(self) -> None:
        assert accepted(signed(ADA, version=None), unversioned=True).version is None

    def test_any_source_where_none_is_asked_for(self) -> None:
        assert accepted(signed(ADA, source="other"), source=None).source == "other"
        assert accepted(signed(ADA, source=None), source=None).source == ""

    def test_the_sample_of_upstream(self) -> None:
        if not SAMPLE.exists():
            pytest.skip(f"{SAMPLE.name} is not here")
        loaded: dict[str, Any] = yaml.safe_load(SAMPLE.read_bytes())
        text = SAMPLE.read_bytes() + f"\nsignature: {ADA.sign(loaded)}\nsignature_algorithm: ed25519\n".encode()
        manifest = accepted(text, source="sample-demo", unversioned=True)
        assert list(manifest.entries) == loaded["entries"]


class TestSignatures:
    def test_tampered_body(self) -> None:
        for entries in ([], [{**ENTRY, "factory": "evil:Cache"}], [ENTRY, ENTRY]):
            assert rule_of({**signed(ADA), "entries": entries}) == "signature"
        assert rule_of({**signed(ADA), "version": 4}) == "signature"
        assert rule_of({**signed(ADA), "added": None}) == "signature"

    def test_signature_stripped(self) -> None:
        for rest in ({}, {"signatures": []}, {"signatures": None}, {"signature": None}):
            assert rule_of({**document(), **rest}) == "signature"

    def test_wrong_key(self) -> None:
        assert rule_of(signed(EVE)) == "signature"
        assert rule_of(signed(ADA), BOB, EVE) == "signature"

    def test_no_key_is_trusted(self) -> None:
        with pytest.raises(Rejected, match="signature"):
            verify(as_bytes(signed(ADA)), policy())

    @pytest.mark.parametrize(
        "algorithm", ["none", "None", "", "Ed25519", "ed448", "hmac-sha256", 0, False, ["ed25519"]]
    )
    def test_another_algorithm_does_not_count(self, algorithm: object) -> None:
        plain = document()
        assert rule_of({**plain, "signatures": [ADA.listed(plain, algorithm=algorithm)]}) == "signature"
        single = {"signature": ADA.sign(plain), "signature_algorithm": algorithm}
        assert rule_of({**plain, **single}) == "signature"
        two = [ADA.listed(plain, algorithm=algorithm), BOB.listed(plain)]
        assert rule_of({**plain, "signatures": two}, ADA, BOB, threshold=2) == "threshold"

    def test_one_signature_listed_twice_counts_once(self) -> None:
        plain = document()
        twice = {**plain, "signature": ADA.sign(plain), "signatures": [ADA.listed(plain), ADA.listed(plain)]}
        assert rule_of(twice, ADA, BOB, threshold=2) == "threshold"
        named = {**plain, "signatures": [ADA.listed(plain), ADA.listed(plain, key_id=BOB.public)]}
        assert rule_of(named, ADA, BOB, threshold=2) == "threshold"

    def test_one_key_trusted_twice_counts_once(self) -> None:
        keys = (ADA.public, f" {ADA.public}\n", ADA.public)
        with pytest.raises(Rejected, match="threshold"):
            verify(as_bytes(signed(ADA)), policy(keys=keys, threshold=2))

    def test_too_few_of_the_trusted(self) -> None:
        assert rule_of(signed(ADA, EVE), ADA, BOB, threshold=2) == "threshold"
        accepted(signed(EVE, ADA, BOB), ADA, BOB, threshold=2)

    def test_a_signature_of_another_manifest(self) -> None:
        other = ADA.listed(document(version=2))
        assert rule_of({**document(), "signatures": [other]}) == "signature"

    @pytest.mark.parametrize("text", ["", "=", "AAAA", "\u0000", "é", "A" * 88, "not base64!", "\n"])
    def test_what_is_no_signature(self, text: str) -> None:
        plain = document()
        assert rule_of({**plain, "signatures": [ADA.listed(plain, signature=text)]}) == "signature"
        accepted({**plain, "signatures": [ADA.listed(plain, signature=text), ADA.listed(plain)]})

    @pytest.mark.parametrize("wrong", [1, "text", {"a": 1}, [1], ["text"], [None], [{}], [{"signature": 1}], [[]]])
    def test_signatures_of_another_shape(self, wrong: object) -> None:
        assert rule_of({**document(), "signatures": wrong}) == "form"

    def test_a_flood_of_signatures(self) -> None:
        plain = document()
        assert rule_of({**plain, "signatures": [ADA.listed(plain)] * 65}) == "limits"

    @pytest.mark.parametrize("key", ["", "AAAA", "A" * 43 + "=", "not base64", "é", "AQ" + "A" * 41 + "="])
    def test_a_policy_with_what_is_no_key(self, key: str) -> None:
        with pytest.raises(BadKey):
            verify(as_bytes(signed(ADA)), policy(keys=(key,)))


class TestTimes:
    def test_replay_after_expiry(self) -> None:
        manifest = signed(ADA, expires_at=at(NOW))
        accepted(manifest, now=NOW - timedelta(microseconds=1))
        assert rule_of(manifest, now=NOW) == "expired"
        assert rule_of(manifest, now=NOW + 1000 * HOUR) == "expired"

    def test_freeze_ends_with_expiry(self) -> None:
        """An old but valid one served for ever is accepted as long as it said, and no longer."""
        data = as_bytes(signed(ADA, expires_at=at(NOW + HOUR)))
        pinned = Pinned(3, hashlib.sha256(data).hexdigest(), (ADA.public,))
        assert verify(data, policy(ADA, after=pinned)).version == 3
        assert rule_of(data, after=pinned, now=NOW + 2 * HOUR) == "expired"

    def test_future_signed_at(self) -> None:
        assert rule_of(signed(ADA, signed_at=at(NOW + HOUR))) == "signed-at"
        accepted(signed(ADA, signed_at=at(NOW + timedelta(minutes=4))))

    def test_not_before(self) -> None:
        manifest = signed(ADA, not_before=at(NOW))
        assert rule_of(manifest, now=NOW - timedelta(seconds=1)) == "not-yet-valid"
        accepted(manifest, now=NOW)

    def test_offsets_are_heeded(self) -> None:
        manifest = signed(ADA, expires_at="2026-06-01T14:00:00+02:00")
        assert rule_of(manifest) == "expired"

    @pytest.mark.parametrize("name", ["signed_at", "not_before", "expires_at"])
    @pytest.mark.parametrize("wrong", ["", "soon", 1780000000, True, ["2026-01-01"], "2026-13-01", "24:00", "9" * 99])
    def test_what_is_no_time(self, name: str, wrong: object) -> None:
        assert rule_of(signed(ADA, **{name: wrong})) == "form"

    @pytest.mark.parametrize("edge", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
    def test_times_at_the_edge_of_the_calendar(self, edge: str) -> None:
        assert rule_of(signed(ADA, expires_at=edge)) == "form"


class TestVersions:
    PINNED = Pinned(3, "0" * 64, (ADA.public,))

    def test_only_grows(self) -> None:
        accepted(signed(ADA, version=4), after=self.PINNED)
        accepted(signed(ADA, version=2**53 - 1), after=self.PINNED)

    def test_rollback(self) -> None:
        assert rule_of(signed(ADA, version=2), after=self.PINNED) == "version"
        assert rule_of(signed(ADA, version=2), after=self.PINNED, unversioned=True) == "version"

    def test_another_content_of_the_same_version(self) -> None:
        assert rule_of(signed(ADA, version=3), after=self.PINNED) == "version"

    def test_the_same_bytes_again(self) -> None:
        data = as_bytes(signed(ADA))
        accepted(data, after=Pinned(3, hashlib.sha256(data).hexdigest(), (ADA.public,)))

    def test_a_version_that_is_left_out_again(self) -> None:
        assert rule_of(signed(ADA, version=None)) == "version"
        assert rule_of(signed(ADA, version=None), after=self.PINNED, unversioned=True) == "version"

    def test_the_first_version_of_a_source_that_had_none(self) -> None:
        accepted(signed(ADA), after=Pinned(None, "0" * 64, (ADA.public,)))

    @pytest.mark.parametrize("wrong", ["3", 3.0, True, False, -1, 2**53, [3], {}, 10**200])
    def test_what_is_no_version(self, wrong: object) -> None:
        assert rule_of(signed(ADA, version=wrong), unversioned=True) == "version"

    def test_fast_forward_and_recovery_by_other_keys(self) -> None:
        """Who had the key for a day counted up to the end; nothing of that key is believed once it is not trusted."""
        forward = Pinned(2**53 - 1, "0" * 64, (EVE.public,))
        assert rule_of(signed(ADA), ADA, EVE, after=forward) == "version"
        assert accepted(signed(ADA), ADA, after=forward).version == 3

    def test_a_signer_who_stays_keeps_the_version(self) -> None:
        both = Pinned(9, "0" * 64, (ADA.public, EVE.public))
        assert rule_of(signed(ADA), ADA, BOB, after=both) == "version"


class TestSource:
    def test_wrong_name(self) -> None:
        assert rule_of(signed(ADA, source="acme2")) == "source"
        assert rule_of(signed(ADA, source="Acme")) == "source"

    @pytest.mark.parametrize("wrong", [None, "", 1, ["acme"], {"acme": 1}])
    def test_no_name(self, wrong: object) -> None:
        assert rule_of(signed(ADA, source=wrong)) == "source"


class TestShape:
    @pytest.mark.parametrize("wrong", [None, {}, "text", 1, {"a": ENTRY}])
    def test_without_entries_it_is_no_manifest(self, wrong: object) -> None:
        with pytest.raises(NotAManifest):
            accepted(signed(ADA, entries=wrong))

    @pytest.mark.parametrize("wrong", [1, "text", None, [ENTRY]])
    def test_entries_are_mappings(self, wrong: object) -> None:
        assert rule_of(signed(ADA, entries=[ENTRY, wrong])) == "form"

    def test_too_many_entries(self) -> None:
        accepted(signed(ADA, entries=[ENTRY] * 5), max_entries=5)
        assert rule_of(signed(ADA, entries=[ENTRY] * 6), max_entries=5) == "limits"

    def test_too_many_bytes(self) -> None:
        data = as_bytes(signed(ADA))
        accepted(data, max_bytes=len(data))
        assert rule_of(data, max_bytes=len(data) - 1) == "limits"

    def test_a_rejection_says_which_rule(self) -> None:
        with pytest.raises(Rejected, match=r"^expired: expired at 2026-01-01T00:00:00\+00:00$"):
            accepted(signed(ADA, expires_at="2026-01-01"))

    def test_the_order_of_fields_means_nothing(self) -> None:
        manifest = signed(ADA)
        accepted(dict(reversed(manifest.items())))
        accepted(json.dumps(manifest, separators=(",", ":")).encode())
