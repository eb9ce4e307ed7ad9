"""The application with payments of its own."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from oneiric import Runtime

from generated.wiring import Wiring
from shop.web import make_app


class Free:
    async def charge(self, customer: str, cents: int, *, order: str) -> str:
        return "free"


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(make_app(Runtime(Wiring, replace={"service:payments": Free()}))) as client:
        yield client


def test_an_order_is_paid(client: TestClient) -> None:
    order = client.post("/orders", params={"customer": "ada", "cents": 1200}).json()
    assert order["payment"] == "free"
    assert client.get(f"/receipts/{order['order']}").json() == "paid: free"


def test_the_shop_is_ready(client: TestClient) -> None:
    assert client.get("/readyz").json() == {"ok": True}
