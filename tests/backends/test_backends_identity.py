"""Identities: the contracts, and what is their own. The issuer's documents are files of a server."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import OctKey, RSAKey
from oneiric.adapters.identity import (
    Identities,
    IdentityMisconfigured,
    IdentityRefused,
    IdentityUnavailable,
    InvalidToken,
)
from oneiric.adapters.identity.auth0 import Auth0Identities
from oneiric.adapters.identity.cloudflare import CloudflareIdentities
from oneiric.adapters.identity.oidc import OidcIdentities
from oneiric.testing.contracts import IdentityContract, NetworkedIdentityContract, started
from oneiric.testing.contracts.identity import refused
from oneiric.testing.contracts.networked import SECRET, TIMEOUT
from oneiric.testing.contracts.running import health, run

from tests.backends.activation import ActivationCases, Provider, UnreachableCases
from tests.backends.harness.certificates import Authority
from tests.backends.harness.kinds import FILES
from tests.backends.harness.servers import Server, private
from tests.backends.issuer import ALGORITHMS, AUDIENCE, DISCOVERY, KEYS, Files, pem, public, sign


@pytest.fixture(scope="module", name="server")
def server_of_files() -> Generator[Server, None, None]:
    with private(FILES) as server:
        yield server


def files_of(server: Server) -> Files:
    return Files(f"http://{server.host}:{server.port}", server.folder / "files", server.folder / "log")


@pytest.fixture(name="issuer")
def issuer_of(server: Server) -> Files:
    return files_of(server)


def oidc(of: Files, **settings: Any) -> OidcIdentities:
    return OidcIdentities(**{"issuer": of.url, "audience": AUDIENCE, "algorithms": ALGORITHMS, **settings})


class TestOidc(IdentityContract):
    @pytest.fixture(autouse=True)
    def server_of(self, issuer: Files) -> None:
        self.issuer = issuer

    def fresh(self) -> AbstractAsyncContextManager[Identities]:
        return started(oidc(self.issuer))

    def claims(self) -> dict[str, Any]:
        return self.issuer.claims()

    def token(self, claims: Mapping[str, Any] | bytes, **header: Any) -> str:
        return sign(claims, **header)

    def public_pem(self) -> bytes:
        return pem("rsa-0")


class TestOidcFaults(NetworkedIdentityContract):
    @pytest.fixture(autouse=True)
    def server_of(self, server: Server, issuer: Files) -> None:
        self.server, self.issuer = server, issuer
        self.token = lambda subject: sign(issuer.claims(sub=subject))

    @contextmanager
    def shared(self) -> Generator[Server, None, None]:
        yield self.server

    @contextmanager
    def private(self) -> Generator[Server, None, None]:
        with private(FILES) as server:
            files_of(server)
            yield server

    def component(self, host: str, port: int) -> OidcIdentities:
        return oidc(
            self.issuer,
            jwks_url=f"http://{host}:{port}/jwks.json",
            cache_ttl=0,
            stale_ttl=0,
            timeout=TIMEOUT,
            healthcheck_timeout=TIMEOUT,
        )

    @contextmanager
    def refused(self) -> Generator[OidcIdentities, None, None]:
        class Forbidding(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_error(403, SECRET)

        with serving(Forbidding) as port:
            yield oidc(self.issuer, jwks_url=f"http://127.0.0.1:{port}/jwks.json")

    def senseless(self) -> Sequence[tuple[str, Callable[[], OidcIdentities]]]:
        given: list[tuple[str, Any]] = [
            *(("issuer", url) for url in ("", "issuer.example", "ftp://x", "http://[::1", "http://x:99999999")),
            *(("issuer", url) for url in (f"http://u:{SECRET}@x", f"http://x#{SECRET}", "http://x y", "http://ü")),
            ("jwks_url", "jwks.json"),
            *(("audience", audience) for audience in ("", (), ("shop", ""))),
            *(("algorithms", names) for names in ((), ("none",), ("RS256", "HS256"), ("rs256",), "RS256")),
            *((name, value) for name in ("leeway", "cache_ttl", "stale_ttl") for value in (-1, float("nan"))),
            ("stale_ttl", float("inf")),
            ("ca_file", Path("/no/such/ca.pem")),
            ("timeout", 0),
            ("healthcheck_timeout", float("nan")),
        ]
        return [(name, partial(oidc, self.issuer, **{name: value})) for name, value in given]


class TestOidcActivation(ActivationCases):
    provider = Provider("identity", "oidc", "joserfc", "issuer", {"issuer": "http://127.0.0.1:PORT", "audience": "a"})


class TestAuth0Activation(UnreachableCases):
    provider = Provider("identity", "auth0", "", "domain", {"domain": "127.0.0.1:PORT", "audience": "a"})


class TestCloudflareActivation(UnreachableCases):
    provider = Provider(
        "identity", "cloudflare", "", "team_domain", {"team_domain": "127.0.0.1:PORT", "audience": ["a"]}
    )


@contextmanager
def serving(handler: Any, context: ssl.SSLContext | None = None) -> Generator[int, None, None]:
    """A server in a thread, on the port that is given out."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_every_algorithm_takes_the_keys_that_are_for_it(issuer: Files) -> None:
    issuer.have(public("rsa-0"), public("p256"), public("p384"), public("ed"), public("rsa-1", alg="RS256"))
    signed = {"rsa-0": ("RS256", "PS256"), "p256": ("ES256",), "p384": ("ES384",), "ed": ("EdDSA",)}

    async def main() -> None:
        async with started(oidc(issuer)) as identities, started(oidc(issuer, algorithms=("ES256",))) as few:
            for key, names in signed.items():
                for alg in names:
                    token = issuer.token(key, alg)
                    assert (await identities.verify(token)).subject == "user-1"
                    assert (await identities.verify(issuer.token(key, alg, kid=None))).subject == "user-1"
                    if alg != "ES256":
                        assert await refused(few, token) == "algorithm"
            assert await refused(identities, issuer.token("rsa-1", "PS256")) == "key", "the set says RS256"
            assert await refused(identities, issuer.token("p256", "ES256", kid="p384")) == "key"
            await few.verify(issuer.token("p256", "ES256"))

    run(main())


def test_keys_that_cannot_be_used_spoil_no_others(issuer: Files, recwarn: pytest.WarningsRecorder) -> None:
    weak = RSAKey.generate_key(1024, {"kid": "weak"})
    recwarn.clear()
    shared_secret = OctKey.import_key(b"x" * 32, {"kid": "oct"})
    for_others: list[dict[str, Any]] = [
        {"use": "enc"},
        {"use": 7},
        {"key_ops": ["encrypt"]},
        {"key_ops": "verify"},
        {"alg": "RSA-OAEP"},
    ]
    other_kinds: list[dict[str, Any]] = [{"x": "AAAA"}, {"crv": "P-384"}, {"crv": []}]
    broken: list[Any] = [
        *(None, 7, "a", [], {}, {"kty": "RSA"}, {"kty": []}, {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
        *({**public("rsa-2"), **change} for change in ({"n": "!"}, {"n": 7}, {"e": "AA"}, {"kid": 7}, {"kty": "EC"})),
        *({**public("rsa-2"), **change} for change in for_others),
        *({**public("p256"), "kid": "rsa-2", **change} for change in other_kinds),
        {**public("rsa-2"), "n": "A" * 100_000},
        {**weak.as_dict(private=False), "use": "sig"},
        shared_secret.as_dict(private=True),
    ]
    issuer.have(*broken, public("rsa-0"), {**public("p256"), "kid": "rsa-0"}, public("rsa-1", kid="rsa-0"))

    async def main() -> None:
        async with started(oidc(issuer)) as identities:
            await identities.verify(issuer.token())
            await identities.verify(issuer.token("rsa-1", kid="rsa-0"))
            assert await refused(identities, issuer.token("rsa-2", kid="rsa-0")) == "signature"
            assert await refused(identities, issuer.token("rsa-2")) == "key"
            assert await refused(identities, issuer.token(weak)) == "key"
            assert await refused(identities, issuer.token(shared_secret, "HS256")) == "algorithm"

    run(main())
    assert not recwarn.list, "a weak key of an issuer is no warning to users"


def test_a_private_key_in_the_set_is_taken_as_the_public_one_it_has(issuer: Files) -> None:
    issuer.have({**KEYS["rsa-0"].as_dict(private=True), "use": "sig"})

    async def main() -> None:
        async with started(oidc(issuer)) as identities:
            await identities.verify(issuer.token())

    run(main())


def test_keys_that_a_token_brings_along_are_not_looked_at(issuer: Files) -> None:
    own = RSAKey.generate_key(2048, {"kid": "rsa-0"})
    issuer.have({**own.as_dict(private=False), "use": "sig"}, path="evil.json")

    async def main() -> None:
        async with started(oidc(issuer)) as identities:
            for header in (
                {"jwk": own.as_dict(private=False)},
                {"jku": f"{issuer.url}/evil.json"},
                {"x5u": f"{issuer.url}/evil.json"},
                {"jku": f"{issuer.url}/evil.json", "kid": None},
            ):
                assert await refused(identities, issuer.token(own, **header)) in ("signature", "malformed")
            assert not issuer.requests("/evil.json")

    run(main())


def test_a_flood_of_unknown_keys_is_one_request_whatever_comes_of_it(issuer: Files) -> None:
    async def main() -> None:
        async with started(oidc(issuer)) as identities:
            before = issuer.requests()
            for each in range(3):
                made_up = [refused(identities, issuer.token(kid=f"{each}-{number}")) for number in range(30)]
                assert set(await asyncio.gather(*made_up)) == {"key"}
            assert issuer.requests() == before + 1
            await identities.verify(issuer.token())
        issuer.write("jwks.json", "[]")
        async with started(oidc(issuer, jwks_url=f"{issuer.url}/some.json")) as identities:
            issuer.write("some.json", "no JSON")
            before = issuer.requests("/some.json")
            for _ in range(20):
                with pytest.raises(IdentityUnavailable):
                    await identities.verify(issuer.token(kid="made-up"))
            assert issuer.requests("/some.json") == before + 1
            await identities.verify(issuer.token())  # what is known goes on

    issuer.have(public("rsa-0"), path="some.json")
    run(main())


def test_keys_that_are_new_are_found_at_once_and_those_that_are_gone_stop(issuer: Files) -> None:
    async def main() -> None:
        async with started(oidc(issuer, cache_ttl=0.2)) as identities:
            await identities.verify(issuer.token())
            issuer.have(public("rsa-1"))
            await asyncio.sleep(0.25)
            assert await refused(identities, issuer.token()) == "key"
            await identities.verify(issuer.token("rsa-1"))
        async with started(oidc(issuer)) as identities:
            issuer.have(public("rsa-1"), public("rsa-2"))
            await asyncio.gather(*(identities.verify(issuer.token("rsa-2")) for _ in range(30)))
            issuer.have(public("rsa-2"))
            await identities.verify(issuer.token("rsa-1"))  # it is kept for `cache_ttl`
            assert await health(identities)  # which has read the keys
            assert await refused(identities, issuer.token("rsa-1")) == "key"

    run(main())


def test_while_the_issuer_is_away_old_keys_do_for_so_long_and_no_longer(issuer: Files) -> None:
    async def main() -> None:
        url = f"{issuer.url}/some.json"
        async with (
            started(oidc(issuer, jwks_url=url, cache_ttl=0.1, stale_ttl=600)) as patient,
            started(oidc(issuer, jwks_url=url, cache_ttl=0.1, stale_ttl=0.1)) as strict,
        ):
            (issuer.folder / "some.json").unlink()
            await asyncio.sleep(0.3)
            await patient.verify(issuer.token())
            assert not await health(patient)
            for _ in range(2):
                with pytest.raises(IdentityUnavailable, match=r"it answered 404 \(setting jwks_url\)"):
                    await strict.verify(issuer.token())
            issuer.have(public("rsa-1"), path="some.json")
            await asyncio.sleep(0.15)
            assert await refused(patient, issuer.token()) == "key"
            await strict.verify(issuer.token("rsa-1"))

    issuer.have(public("rsa-0"), path="some.json")
    run(main())


def test_a_cancelled_call_takes_the_reading_from_nobody_else(issuer: Files) -> None:
    async def main() -> None:
        async with started(oidc(issuer, cache_ttl=0)) as identities:
            before = issuer.requests()
            calls = [asyncio.ensure_future(identities.verify(issuer.token())) for _ in range(5)]
            await asyncio.sleep(0)
            calls[0].cancel()
            assert [(await call).subject for call in calls[1:]] == ["user-1"] * 4
            assert issuer.requests() == before + 1

    run(main())


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({"issuer": "https://other.example", "jwks_uri": "http://127.0.0.1/"}, IdentityMisconfigured),
        ({"jwks_uri": "http://127.0.0.1/"}, IdentityMisconfigured),
        ({"jwks_uri": "ftp://127.0.0.1/jwks.json"}, IdentityUnavailable),
        ({"jwks_uri": 7}, IdentityUnavailable),
        ([], IdentityUnavailable),
        ("[" * 100_000, IdentityUnavailable),
        ("{" + " " * 2_000_000 + "}", IdentityUnavailable),
    ],
)
def test_what_an_issuer_says_of_itself_without_sense(issuer: Files, document: Any, error: type[Exception]) -> None:
    if isinstance(document, dict) and error is IdentityUnavailable:
        document = {"issuer": issuer.url, **document}
    issuer.write(DISCOVERY, document)

    async def main() -> None:
        with pytest.raises(error) as caught:
            async with started(oidc(issuer)):
                pass
        assert getattr(caught.value, "setting", None) == "issuer"

    run(main())


@pytest.fixture(scope="module", name="secure")
def with_tls(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Files, Path], None, None]:
    """An issuer with TLS, and the file of the certificates to trust."""
    folder = tmp_path_factory.mktemp("secure")
    authority = Authority()
    authority.write(folder / "ca.pem")
    authority.write_for("127.0.0.1", folder / "server.pem", folder / "server.key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    with serving(partial(Quiet, directory=str(folder / "files")), context) as port:
        yield Files(f"https://127.0.0.1:{port}", folder / "files", folder / "log"), folder / "ca.pem"


def test_auth0_and_cloudflare_know_where_their_issuer_and_its_keys_are(secure: tuple[Files, Path]) -> None:
    issuer, ca_file = secure
    domain = issuer.url.removeprefix("https://")
    issuer.have(public("rsa-0"), path=".well-known/jwks.json")
    issuer.have(public("rsa-1"), path="cdn-cgi/access/certs")

    async def main() -> None:
        async with started(Auth0Identities(domain=domain, audience=AUDIENCE, ca_file=ca_file)) as auth0:
            token = sign(issuer.claims(iss=f"{issuer.url}/", sub="auth0|1", aud=[AUDIENCE, "userinfo"]))
            assert (await auth0.verify(token)).subject == "auth0|1"
            assert await refused(auth0, sign(issuer.claims())) == "issuer"
        async with started(
            CloudflareIdentities(team_domain=issuer.url, audience=(AUDIENCE,), ca_file=ca_file)
        ) as access:
            assert (await access.verify(sign(issuer.claims(), "rsa-1"))).subject == "user-1"
            service = sign(issuer.claims(sub="", common_name="id.access"), "rsa-1")
            assert (await access.verify(service)).subject == "id.access"
            assert await refused(access, sign(issuer.claims(sub=""), "rsa-1")) == "claims"

    run(main())


def test_a_certificate_that_is_not_trusted_and_keys_without_tls_are_refused(secure: tuple[Files, Path]) -> None:
    issuer, ca_file = secure

    async def main() -> None:
        for setting, component in (
            ("ca_file", oidc(issuer)),
            ("ca_file", Auth0Identities(domain=issuer.url, audience=AUDIENCE)),
            ("issuer", oidc(issuer, ca_file=ca_file)),
        ):
            with pytest.raises(IdentityRefused) as caught:
                async with started(component):
                    pass
            assert caught.value.setting == setting

    issuer.write(DISCOVERY, {"issuer": issuer.url, "jwks_uri": "http://127.0.0.1/jwks.json"})
    run(main())


@pytest.mark.parametrize("domain", ["", "http://x", "x/y", "x@y", "x?y", "-x", "x y", "x:0", "a" * 300])
def test_what_is_no_domain_is_refused(domain: str) -> None:
    makers: list[tuple[Any, str]] = [(Auth0Identities, "domain"), (CloudflareIdentities, "team_domain")]
    for make, setting in makers:
        with pytest.raises(IdentityMisconfigured) as caught:
            make(**{setting: domain, "audience": "a"})
        assert caught.value.setting == setting


def test_an_error_says_why_and_names_the_provider(issuer: Files) -> None:
    async def main() -> None:
        async with started(oidc(issuer)) as identities:
            with pytest.raises(InvalidToken) as caught:
                await identities.verify(sign(issuer.claims(exp=1)))
            assert str(caught.value) == "adapter:identity (oidc): the token is not accepted: it has expired"

    run(main())
