"""Whatever is thrown at the parser and the verifier: a clear word, never a traceback, and no acceptance."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from oneiric_compiler.manifests.document import NotAManifest, Rejected, canonical, parse
from oneiric_compiler.manifests.verify import verify

from tests.manifests.signers import ADA, EVE, as_bytes, policy, signed

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates().map(str) | st.binary().map(repr),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=9), inner, max_size=5),
    max_leaves=20,
)
NAMES = ("source", "version", "entries", "signed_at", "not_before", "expires_at", "signature", "signatures", "other")
PIECES = st.sampled_from(
    [
        *("source: acme\n", "entries:\n", "  - domain: adapter\n", "    key: cache\n", "version: 3\n", "signatures:\n"),
        *("- ", ": ", "? ", "! ", "!!int ", "&a ", "*a", "<<: ", "{", "}", "[", "]", ",", '"', "'", "|\n", ">-\n", "#"),
        *(
            "---\n",
            "...\n",
            "%YAML 1.1\n",
            "\t",
            " ",
            "\n",
            "\r",
            "\x85",
            "\u2028",
            "\ufeff",
            "\x00",
            "\\ud800",
            "=",
            "~",
        ),
        *("2026-01-01", "12:30:45", "0b_", "1e400", ".inf", "NaN", "-Infinity", "9" * 400, "yes", "0x", "[" * 50),
    ]
)

FORMS = {
    "json": as_bytes(signed(ADA, note={"é": [1, 2.5, None, True, "yes"]})),
    "yaml": yaml.safe_dump(
        signed(ADA, note={"é": [1, 2.5, None, True, "yes"]}), sort_keys=False, allow_unicode=True
    ).encode(),
}


def refused(data: bytes) -> None:
    with pytest.raises((NotAManifest, Rejected)) as caught:
        verify(data, policy(ADA, unversioned=True))
    assert len(str(caught.value)) < 400


@given(st.binary(max_size=300))
@settings(max_examples=300)
def test_any_bytes(data: bytes) -> None:
    refused(data)


@given(st.lists(PIECES | st.text(max_size=6), max_size=30).map("".join))
@settings(max_examples=500)
def test_pieces_of_yaml(text: str) -> None:
    refused(text.encode("utf-8", "surrogatepass"))


@given(st.dictionaries(st.sampled_from(NAMES), VALUES), st.booleans())
@settings(max_examples=300)
def test_documents_of_any_shape(document: dict[str, Any], listed: bool) -> None:
    if listed:
        document["signatures"] = [EVE.listed({"source": "acme"})]
    refused(json.dumps(document).encode())
    refused(json.dumps({**document, "entries": []}, ensure_ascii=False).encode("utf-8", "surrogatepass"))


@given(st.fixed_dictionaries({}, optional={name: VALUES for name in NAMES if name not in ("signature", "signatures")}))
@settings(max_examples=300)
def test_what_a_trusted_key_signed_is_told_of_as_clearly(document: dict[str, Any]) -> None:
    """A signature over nonsense makes it no manifest: it is accepted whole, or a rule is named."""
    try:
        data = as_bytes({**document, "signatures": [ADA.listed(document)]})
        manifest = verify(data, policy(ADA, unversioned=True, source=None))
    except (NotAManifest, Rejected, UnicodeEncodeError):
        return
    assert manifest.signers == (ADA.public,)
    assert list(manifest.entries) == document["entries"]


@pytest.mark.parametrize("form", FORMS)
@given(st.data())
@settings(max_examples=400)
def test_a_changed_bit_is_refused_or_means_the_same(form: str, data: st.DataObject) -> None:
    whole = FORMS[form]
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    changed = bytearray(whole)
    changed[bit // 8] ^= 1 << bit % 8
    means_the_same(bytes(changed), whole)


@pytest.mark.parametrize("form", FORMS)
@given(st.data())
@settings(max_examples=300)
def test_a_cut_or_a_splice_is_refused_or_means_the_same(form: str, data: st.DataObject) -> None:
    whole = FORMS[form]
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    middle = data.draw(
        st.binary(max_size=8) | st.sampled_from([whole[start:end], b"\nversion: 4\n", b',"version": 4', b"#"])
    )
    means_the_same(whole[:start] + middle + whole[end:], whole)


def means_the_same(changed: bytes, whole: bytes) -> None:
    try:
        accepted = verify(changed, policy(ADA))
    except (NotAManifest, Rejected):
        return
    assert canonical(parse(changed)) == canonical(parse(whole))
    assert accepted.version == 3


@pytest.mark.parametrize("form", FORMS)
def test_every_byte_left_out(form: str) -> None:
    whole = FORMS[form]
    assert verify(whole, policy(ADA)).version == 3
    for index in range(len(whole)):
        means_the_same(whole[:index] + whole[index + 1 :], whole)
