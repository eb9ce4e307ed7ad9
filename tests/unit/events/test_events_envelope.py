"""Envelopes, held against the SDK of CloudEvents."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from oneiric import Envelope, EnvelopeError
from oneiric.envelope import decoded, encoded, read, written

LEAST = {"specversion": "1.0", "id": "1", "source": "shop", "type": "order.placed"}
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
SOURCES = st.from_regex(r"\A[a-z0-9:/.-]{1,20}\Z")
ANY_TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | ANY_TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXTS, inner, max_size=4),
    max_leaves=12,
)
INSTANTS = st.datetimes(
    datetime(1970, 1, 1),  # noqa: DTZ001 - the zone is drawn
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-3, minutes=30))]),
)
EXTENSIONS = st.dictionaries(
    st.from_regex(r"\Ax[a-z0-9]{1,8}\Z"), TEXTS | st.booleans() | st.integers(-(2**31), 2**31 - 1), max_size=3
)
ENVELOPES = st.builds(
    Envelope,
    id=TEXTS,
    source=SOURCES,
    type=TEXTS,
    time=st.none() | INSTANTS,
    subject=st.none() | TEXTS,
    dataschema=st.none() | SOURCES,
    tenant=st.none() | TEXTS,
    extensions=EXTENSIONS,
    data=JSON,
)


@settings(max_examples=40)
@given(ENVELOPES)
def test_what_is_written_is_read_again_here_and_by_the_sdk(envelope: Envelope) -> None:
    document = encoded(envelope)
    assert decoded(document) == envelope
    assert read(written(envelope)) == envelope
    event = JSONFormat().read(CloudEvent, document)
    attributes = {name: value for name, value in written(envelope).items() if name != "data"}
    given = {**event.get_attributes()}
    told = given.pop("time")  # which the SDK sets to now where there is none
    if envelope.time is not None:
        assert told == envelope.time
        del attributes["time"]
    assert given == attributes
    assert event.get_data() == envelope.data


@settings(max_examples=40)
@given(ENVELOPES)
def test_what_the_sdk_writes_is_read(envelope: Envelope) -> None:
    attributes: dict[str, Any] = {name: value for name, value in written(envelope).items() if name != "data"}
    attributes["time"] = envelope.time or datetime(2026, 1, 1, tzinfo=UTC)
    document = JSONFormat().write(CloudEvent(attributes, {"is": envelope.data}))
    found = decoded(document)
    assert found.data == {"is": envelope.data}
    assert found.time == attributes["time"]
    assert found.extensions == envelope.extensions


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"specversion": "0.3"}, "`specversion` is not 1.0"),
        ({"specversion": None}, "`specversion` is missing"),
        ({"id": None}, "`id` is missing"),
        ({"id": ""}, "`id` is a text that is not empty"),
        ({"id": 1}, "`id` is a text that is not empty"),
        ({"source": "a b"}, "`source` is not a URI reference"),
        ({"type": "a\nb"}, "`type` has control characters"),
        ({"time": "yesterday"}, "`time` is not an RFC 3339 timestamp"),
        ({"time": "2026-10-25T00:30:00"}, "`time` is not an RFC 3339 timestamp"),
        ({"subject": ""}, "`subject` is a text that is not empty"),
        ({"Upper": 1}, "`Upper` is not a valid name of an extension"),
        ({"far": 2**31}, "`far` is outside the signed 32-bit range"),
        ({"list": [1]}, "`list` is a text, an integer or a boolean"),
        ({"data": 1, "data_base64": "MQ=="}, "`data_base64` stands beside `data`"),
        ({"data_base64": "MQ==", "datacontenttype": "image/png"}, "`data_base64` is not JSON by `datacontenttype`"),
        ({"data_base64": "%%%"}, "`data_base64` is not JSON in base64"),
    ],
)
def test_what_is_no_event_is_told(change: dict[str, Any], what: str) -> None:
    with pytest.raises(EnvelopeError) as caught:
        decoded(json.dumps({**LEAST, **change}))
    assert str(caught.value).startswith(what)
    assert caught.value.attribute == what.split("`")[1]


@pytest.mark.parametrize("document", [b"", b"{", b"[]", b"3", b"\xff", b"[" * 100_000, "[1] 2"])
def test_what_is_no_object_is_told(document: bytes | str) -> None:
    with pytest.raises(EnvelopeError) as caught:
        decoded(document)
    assert caught.value.attribute is None


def test_null_attributes_are_absent_and_base64_is_read() -> None:
    data = base64.b64encode(b'{"a": 1}').decode()
    found = read({**LEAST, "subject": None, "time": None, "data_base64": data, "datacontenttype": "application/x+json"})
    assert (found.data, found.subject, found.time) == ({"a": 1}, None, None)


@pytest.mark.parametrize("data", [float, {"a": {1, 2}.__iter__()}, object()])
def test_data_that_is_no_json_is_told(data: object) -> None:
    with pytest.raises(EnvelopeError, match="`data` is not JSON"):
        encoded(Envelope(id="1", source="s", type="t", data=data))
