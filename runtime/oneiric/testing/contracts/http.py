"""The contract of the port `http`."""

from __future__ import annotations

from oneiric.adapters.http import HttpClient, HttpError, HttpMisconfigured, HttpRefused, HttpUnavailable, Response
from oneiric.testing.contracts.http_attempts import HttpAttempts
from oneiric.testing.contracts.http_requests import HttpRequests
from oneiric.testing.contracts.networked import NetworkedContract


class HttpContract(HttpRequests, HttpAttempts):
    """Cases for an HTTP client, which they give servers of their own: subclass it and override `client`."""


class NetworkedHttpContract(NetworkedContract[HttpClient]):
    """Cases for an HTTP client whose server is away or talks badly, besides those of `HttpContract`.

    The servers are those of `oneiric.testing.http_server`.
    """

    base = HttpError
    unavailable = HttpUnavailable
    refusal = HttpRefused
    misconfigured = HttpMisconfigured

    async def use(self, component: HttpClient, number: int = 0) -> None:
        body = b"body %d " % number * 50
        response: Response = await component.request("PUT", "echo", body=body)
        assert (response.status, response.body) == (200, body)
