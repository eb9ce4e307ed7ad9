"""Orders over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from oneiric import Portal, Runtime, UnknownTenant
from oneiric.integrations.fastapi import health_routes, lifespan, live, portal, wiring
from starlette.requests import HTTPConnection

from generated.wiring import Wiring
from shop.ports import Orders, PaymentRefused

router = APIRouter()


@router.post("/orders")
async def place(
    customer: str, cents: int, orders: Annotated[Orders, Depends(live("service:orders"))]
) -> dict[str, str | None]:
    try:
        number = await orders.place(customer, cents)
    except PaymentRefused as error:
        raise HTTPException(402, str(error)) from error
    return {"order": number, "payment": await orders.payment(number)}


@router.get("/orders/{number}")
async def payment(number: str, shop: Annotated[Wiring, Depends(wiring)]) -> str | None:
    return await shop.services.orders.live.payment(number)


@router.get("/receipts/{number}")
def receipt(
    number: str,
    shop: Annotated[Wiring, Depends(wiring)],
    loop: Annotated[Portal[Wiring], Depends(portal)],
) -> str:
    return f"paid: {loop.call(shop.services.orders.live.payment, number)}"


def tenant_of(connection: HTTPConnection) -> str | None:
    return connection.headers.get("x-tenant")


async def unknown(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 404)


def make_app(runtime: Runtime[Wiring] | None = None) -> FastAPI:
    runtime = runtime or Runtime(Wiring, follow=".oneiric/shop")
    app = FastAPI(
        lifespan=lifespan(runtime, tenant=tenant_of),
        routes=[*health_routes],
        exception_handlers={UnknownTenant: unknown},
    )
    app.include_router(router)
    return app
