"""What is taken for a secret, by the name of what holds it or by the shape of a text; and what is not."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.secrecy.names import secret_name
from oneiric.secrecy.shapes import UNKNOWN, secrets_in
from oneiric_compiler.linking.plain_secrets import plain_secrets
from oneiric_compiler.text.redact import masked, redacted

SECRET = "hunter2"


@pytest.mark.parametrize(
    "name",
    [
        "passwort", "pasword", "passwrod", "passwordd", "passphrse", "credentails", "tokn", "tokne", "secrte", "sercet",
        "dbpassword", "db_pass", "smtp.pw", "APIKey", "clientSecret", "password2", "password_prod", "token_v2",
        "AccountKey",
        "SharedAccessKey", "x-api-key", "access_token", "secret_key_base", "password_hash", "--password", "1password",
        "DB_PASSWORD", "hmac_key", "master_key", "new_password_again",
    ],
)  # fmt: skip
def test_names_of_secrets_misspelt_ones_too(name: str) -> None:
    assert secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "token_url", "password_field", "public_key", "password_file", "secret_store", "token_ttl", "password_policy",
        "max_tokens", "num_tokens", "token_type", "passport", "compass", "taken", "taken_at", "broken", "passthrough",
        "pass_through", "passed", "bypass", "keyring", "key_prefix", "partition_key", "author", "authority",
        "tokenizer_path",
        "credentials_file", "secret_id", "token_bucket", "passwordless", "password_reset_url", "access_key_id",
        "passenger",
        "", "___", "123",
    ],
)  # fmt: skip
def test_names_that_lead_elsewhere(name: str) -> None:
    assert not secret_name(name)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        (f"db://ada:{SECRET}@host/x", "url"),
        (f"db://:{SECRET}@host", "url"),
        (f"see db://ada:{SECRET}@host and more", "url"),
        (f"https://host/?page=1&access_token={SECRET}", "url"),
        (f"db://host/x?sslpassword={SECRET}#f", "url"),
        (f"db://ada:{SECRET}{UNKNOWN}@host", "url"),
        (f"Server=a;User ID=ada;Password={SECRET};", "connection"),
        (f"AccountName=a;AccountKey={SECRET}==", "connection"),
        (f"host=a password={SECRET} user=b", "connection"),
        (f"password='{SECRET} {SECRET}'", "connection"),
        (f"PWD={{{SECRET}@}};Server=a", "connection"),
        (f"Authorization: Bearer {SECRET}", "authorization"),
        (f"curl -H 'authorization: {SECRET}' https://host", "authorization"),
        (f"Bearer {SECRET}{SECRET}", "authorization"),
        (f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n", "private-key"),
        (f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}", "private-key"),
        (f"call it with password={SECRET}, please", "pair"),
        (f'{{"client_secret": "{SECRET}"}}', "pair"),
        ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "token"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefg", "token"),
    ],
)
def test_secrets_by_shape(text: str, shape: str) -> None:
    found = secrets_in(text)
    assert shape in {each.shape for each in found}
    assert SECRET not in masked(text)
    assert SECRET not in str(redacted("x", {"deep": [text]}))
    assert len(masked(text)) == len(text)


@pytest.mark.parametrize(
    "text",
    [
        "db://ada@host/x", f"db://ada:{UNKNOWN}@host/x", "http://host:8080/@ada", "http://[::1]:80/",
        "ssh://git@host/x",
        "https://host/?token_type=bearer", "https://host/?token={token}",
        f"Server=a;Password={UNKNOWN};", f"password={UNKNOWN}", "password=", "password=%s", "password=?",
        "token=:token",
        "password=%(password)s", "password=<password>", "PASSWORD=$PASSWORD", "fetch(token=token)", "password == given",
        "grant_type=password&client_id=x", "use_token=true", "the password: ask for it",
        "Bearer token required", "Basic authentication", f"Bearer {UNKNOWN}", f"Authorization: Bearer {UNKNOWN}",
        f"-----BEGIN PRIVATE KEY-----\n{UNKNOWN}\n-----END PRIVATE KEY-----",
        "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----", "-----BEGIN CERTIFICATE-----\nMIIB",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "550e8400-e29b-41d4-a716-446655440000",
        "", " ", "://", "=",
    ],
)  # fmt: skip
def test_innocent_texts(text: str) -> None:
    assert secrets_in(text) == []


def test_what_holds_a_text_tells_what_it_is() -> None:
    """A word under `authorization` is a mode; credentials behind a scheme are credentials."""
    assert plain_secrets("authorization", "required", named=True) == []
    assert [each.refused for each in plain_secrets("authorization", "abcdefgh", named=True)] == [None]
    [found] = plain_secrets("options", {"headers": {"Authorization": "Bearer abcdefgh"}}, named=True)
    assert (found.path, found.refused) == (("headers", "Authorization"), "an Authorization value is written out")


def test_names_within_a_setting_count_and_what_stands_beside_a_secret_does_not() -> None:
    value = {"tokens": {"ada": "abc", "issuer": "https://issuer"}, "size": 3, "keys": ["abc"], "api_keys": ["abc"]}
    assert [each.path for each in plain_secrets("x", value, named=True)] == [("tokens", "ada"), ("api_keys", 0)]
    assert plain_secrets("x", value, named=False) == []


@pytest.mark.parametrize("text", ["${PW}", "${PW:-}", "a${PW}b", "${ONEIRIC_SECRET_PW}", "$${", "${1bad"])
def test_a_reference_is_no_secret(text: str) -> None:
    assert plain_secrets("password", text, named=True) == [] or text == "$${"


def test_a_default_is_written_out_as_much_as_a_value() -> None:
    assert [each.refused for each in plain_secrets("password", "${PW:-abc}", named=True)] == [None]
    assert [each.refused for each in plain_secrets("x", "${URL:-db://ada:abc@host}", named=True)] == [
        "a URL holds a password"
    ]


names = st.text(string.ascii_letters + "_-.", min_size=1, max_size=12)


@given(st.text(), names)
def test_masking_keeps_the_length_of_any_text(text: str, name: str) -> None:
    shown = masked(text)
    assert len(shown) == len(text)
    assert all(one in ("*", other) for one, other in zip(shown, text, strict=True))
    assert all(0 <= each.start < each.end <= len(text) for each in secrets_in(text, name))


@given(
    st.sampled_from(["db://u:{}@h/p", "a=b;Password={};c=d", "host=h password={}", "Authorization: Bearer {}"]),
    st.data(),
)
def test_no_text_beside_lets_a_secret_through(shape: str, data: st.DataObject) -> None:
    """Whatever stands before and behind."""
    around = st.text(st.sampled_from(" \t\n/:@?&=;'\"{}<>$%ab1.-"), max_size=8)
    text = f"{data.draw(around)} {shape.format(SECRET)} {data.draw(around)}"
    assert SECRET not in masked(text), text
