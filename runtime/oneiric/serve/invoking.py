"""Single calls of an application's actions, as documents: by the process that runs, and by a command of none."""

from __future__ import annotations

from typing import Any

from oneiric.actions import InvalidPayload
from oneiric.documents import parse
from oneiric.errors import Paused
from oneiric.flows.model import Unserved
from oneiric.host import Host
from oneiric.tenants.scope import scope_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oneiric.calls import PayloadError

FORMAT = "oneiric.action-invoke/1"


class Invoking:
    """Of one application."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def invoke(self, *, key: str, payload: str, tenant: str | None) -> dict[str, Any]:
        """Make a call with a JSON object in `payload`. Its `state` is `completed`, `failed` where what was called
        raised, `refused` where the payload is none that it takes, `unserved` where the wiring has nothing of that name.

        Raises `Misfit` for what is no JSON, `UnknownTenant`, `Paused`.
        """
        from oneiric.calls import (
            PayloadError,
            invoke_traced,
            served,
        )  # which a process that is asked for nothing does not pay for

        given: Any = parse(payload.encode(errors="surrogateescape"), {})
        scope = self._host.base if tenant is None else scope_of(self._host, tenant)
        try:
            slot = served(scope, key)
        except Unserved as error:
            return _ended(key, "unserved", error)
        try:
            result = await invoke_traced(scope, key, given)
        except (PayloadError, InvalidPayload) as error:
            own = key == error.call if isinstance(error, PayloadError) else slot.key == f"action:{error.key}"
            return _ended(key, "refused" if own else "failed", error, _faults(error) if own else [])
        except Paused:
            raise
        except Exception as error:
            return _ended(key, "failed", error)
        return {**_ended(key, "completed"), "result": result}


def _faults(error: PayloadError | InvalidPayload) -> list[dict[str, Any]]:
    if isinstance(error, InvalidPayload):
        return [{"field": error.field or "", "what": error.what.removeprefix(f"`{error.field}` ")}]
    return [fault._asdict() for fault in error.faults]


def _ended(
    key: str, state: str, error: Exception | None = None, faults: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    told = None
    if error is not None:
        told = {"type": type(error).__name__, "message": str(error), "faults": faults or []}
    return {"format": FORMAT, "key": key, "state": state, "result": None, "error": told}
