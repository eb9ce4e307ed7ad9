"""What tests do to an azurite behind the back of the components."""

from __future__ import annotations

from azure.storage.blob import ContainerClient

from tests.backends.harness.servers import Address, Server

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account that every azurite has, and its key; both are in its documentation."""
CREDENTIAL = {"account_name": ACCOUNT, "account_key": KEY}


def url(server: Address | Server) -> str:
    return f"http://{server.host}:{server.port}/{ACCOUNT}"


def client(server: Address | Server, container: str) -> ContainerClient:
    return ContainerClient(url(server), container, credential=CREDENTIAL)
