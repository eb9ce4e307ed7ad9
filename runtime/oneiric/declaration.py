"""The `@component` declaration. The compiler reads it from the source; at run time it only records itself."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeVar

    Factory = TypeVar("Factory", bound=Callable[..., object])


class Declaration:
    """What one `@component` said: its arguments, under their names."""

    __slots__ = ("arguments", "domain", "key", "provider")

    def __init__(self, domain: str, key: str, provider: str, arguments: Mapping[str, object]) -> None:
        self.domain = domain
        self.key = key
        self.provider = provider
        self.arguments = arguments

    def __repr__(self) -> str:
        return f"Declaration({self.domain}:{self.key}, provider={self.provider!r})"


def component(
    domain: str,
    key: str,
    *,
    provider: str,
    priority: int | None = None,
    stack_level: int = 0,
    capabilities: tuple[str, ...] = (),
    needs: Mapping[str, str | Sequence[str]] | None = None,
    optional: tuple[str, ...] = (),
    lazy: tuple[str, ...] = (),
    layer: bool = False,
    port: str | None = None,
    python_version: str | None = None,
    os_platform: str | tuple[str, ...] | None = None,
    eager: bool = False,
    blocking: bool = True,
    idempotent: bool | Sequence[str] = False,
) -> Callable[[Factory], Factory]:
    """Declare the class or factory below as a candidate for `domain:key`. All arguments must be literals.

    `needs` maps parameters to full keys (`{"database": "adapter:database"}`), to lists of them, or to a pattern
    (`"service:plugin.*"`); `optional` names those that may be lacking, `lazy` those that are activated by their first
    call. `port` is `module:Protocol`, `python_version` a PEP 440 specifier, `os_platform` one or several of linux,
    darwin, windows. Where nothing of it waits, `blocking=False` spares its synchronous methods a thread.
    `idempotent` are the methods, or `True` for all, of which a call can be made again with no other effect.
    The declarations of a class or function are in its own `__oneiric__`, a tuple of `Declaration`.
    """
    declaration = Declaration(
        domain,
        key,
        provider,
        {
            "priority": priority,
            "stack_level": stack_level,
            "capabilities": capabilities,
            "needs": needs or {},
            "optional": optional,
            "lazy": lazy,
            "layer": layer,
            "port": port,
            "python_version": python_version,
            "os_platform": os_platform,
            "eager": eager,
            "blocking": blocking,
            "idempotent": idempotent,
        },
    )

    def declare(factory: Factory) -> Factory:
        earlier: tuple[Declaration, ...] = vars(factory).get("__oneiric__", ())
        setattr(factory, "__oneiric__", (*earlier, declaration))  # noqa: B010
        return factory

    return declare
