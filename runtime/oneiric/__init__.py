"""The runtime: loads a generated wiring, manages the lifecycles of its components.

Importing it imports nothing else: each name loads when it is first used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oneiric.application import Application
    from oneiric.artifacts.contents import ArtifactError
    from oneiric.calls import PayloadError
    from oneiric.declaration import component
    from oneiric.declared import RunHandle
    from oneiric.envelope import Delivered, Emitted, Envelope, EnvelopeError, EventError
    from oneiric.errors import (
        ActivationError,
        CloseError,
        DrainExpired,
        EngineError,
        LoadError,
        MissingExtra,
        NotActive,
        NotInRun,
        NotProvided,
        NurseryEnded,
        OneiricError,
        Paused,
        PortalError,
        PortError,
        PreflightError,
        RemovedKey,
        ReplacementError,
        RunFailed,
        RuntimeClosed,
        RuntimeForked,
        RuntimeNotRunning,
        ShutdownError,
        StateError,
        TenantsError,
        UnboundKey,
        UnknownKey,
        UnknownProfile,
        UnknownRole,
        UnknownTenant,
        VariableError,
    )
    from oneiric.fitting import Bare
    from oneiric.lifecycle.health import Health
    from oneiric.lifecycle.nursery import Nursery
    from oneiric.loading import load
    from oneiric.portal import Portal
    from oneiric.preflight.check import Preflight
    from oneiric.preflight.missing import Missing, Want
    from oneiric.reload.outcome import Event, Outcome, Plan
    from oneiric.runtime import Runtime
    from oneiric.secret import Secret
    from oneiric.slot import Deadlines, Slot
    from oneiric.snapshot import Snapshot
    from oneiric.stepping import Token, steps, token
    from oneiric.trust.signature import Trust, TrustError
    from oneiric.wiring import Domain, Wiring

_MODULES = {
    "Application": "application",
    "ArtifactError": "artifacts.contents",
    "Bare": "fitting",
    "Deadlines": "slot",
    "Domain": "wiring",
    "Delivered": "envelope",
    "Emitted": "envelope",
    "Envelope": "envelope",
    "EnvelopeError": "envelope",
    "EventError": "envelope",
    "Event": "reload.outcome",
    "Health": "lifecycle.health",
    "Missing": "preflight.missing",
    "Nursery": "lifecycle.nursery",
    "Outcome": "reload.outcome",
    "PayloadError": "calls",
    "Plan": "reload.outcome",
    "Portal": "portal",
    "Preflight": "preflight.check",
    "RunHandle": "declared",
    "Runtime": "runtime",
    "Secret": "secret",
    "Slot": "slot",
    "Snapshot": "snapshot",
    "Token": "stepping",
    "Trust": "trust.signature",
    "TrustError": "trust.signature",
    "Want": "preflight.missing",
    "Wiring": "wiring",
    "component": "declaration",
    "load": "loading",
    "steps": "stepping",
    "token": "stepping",
}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name.startswith("_") or name not in __all__:
            raise AttributeError(f"module 'oneiric' has no attribute {name!r}")
        module = __import__(f"oneiric.{_MODULES.get(name, 'errors')}", None, None, (name,))
        return getattr(module, name)


__all__ = [
    "ActivationError",
    "Application",
    "ArtifactError",
    "Bare",
    "CloseError",
    "Deadlines",
    "Delivered",
    "Domain",
    "DrainExpired",
    "Emitted",
    "EngineError",
    "Envelope",
    "EnvelopeError",
    "Event",
    "EventError",
    "Health",
    "LoadError",
    "Missing",
    "MissingExtra",
    "NotActive",
    "NotInRun",
    "NotProvided",
    "Nursery",
    "NurseryEnded",
    "OneiricError",
    "Outcome",
    "Paused",
    "PayloadError",
    "Plan",
    "PortError",
    "Portal",
    "PortalError",
    "Preflight",
    "PreflightError",
    "RemovedKey",
    "ReplacementError",
    "RunFailed",
    "RunHandle",
    "Runtime",
    "RuntimeClosed",
    "RuntimeForked",
    "RuntimeNotRunning",
    "Secret",
    "ShutdownError",
    "Slot",
    "Snapshot",
    "StateError",
    "TenantsError",
    "Token",
    "Trust",
    "TrustError",
    "UnboundKey",
    "UnknownKey",
    "UnknownProfile",
    "UnknownRole",
    "UnknownTenant",
    "VariableError",
    "Want",
    "Wiring",
    "component",
    "load",
    "steps",
    "token",
]
