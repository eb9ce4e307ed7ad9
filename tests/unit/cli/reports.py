"""A report to explain: every rule and filter, tenants, needs in a diamond."""

from __future__ import annotations

from typing import Any


def candidate(provider: str, **facts: Any) -> dict[str, Any]:
    return {
        "provider": provider,
        "factory": f"shop.parts:{provider.capitalize()}",
        "source": "package:shop",
        "declared_at": f"shop/parts.py#{provider.capitalize()}",
        "priority": 0,
        "priority_from": "default",
        "stack_level": 0,
        "order": 0,
        "capabilities": [],
        "won": False,
        **facts,
    }


def binding(provider: str, *losers: dict[str, Any], **facts: Any) -> dict[str, Any]:
    return {
        "provider": provider,
        "factory": f"shop.parts:{provider.capitalize()}",
        "fingerprint": "9f2c11aa",
        "decided_by": "only-candidate",
        "decided_at": f"shop/parts.py#{provider.capitalize()}",
        "because": "the only candidate",
        "candidates": [candidate(provider, won=True), *losers],
        "settings": {},
        "needs": {},
        "tenants": {},
        **facts,
    }


def report(**bindings: dict[str, Any]) -> dict[str, Any]:
    return {
        "format": "oneiric.explain/1",
        "app": "shop",
        "profile": "default",
        "domains": {"adapter": "adapters", "service": "services"},
        "inputs": {
            "settings": ["settings/app.yml", "settings/tenants/idle.yml"],
            "environment": {},
            "plugins": {},
            "manifests": {},
        },
        "bindings": {name.replace("__", ":"): facts for name, facts in bindings.items()},
    }


def shop() -> dict[str, Any]:
    return report(
        adapter__cache=binding(
            "redis",
            candidate("memory", lost_by="selection", compared=["memory", "redis"], stack_level=-10),
            candidate("plain", excluded_by="capability", compared=[["kv"], ["kv", "ttl"]]),
            candidate("newer", excluded_by="python-version", compared=[">=3.13", "3.12"]),
            decided_by="selection",
            decided_at="settings/adapters.yml#/selections/cache",
            because="settings/adapters.yml selects redis",
            port="oneiric.adapters.cache:Cache",
            settings={
                "url": {
                    "value": "redis://user:hunter2@h/0",
                    "from": "settings/adapters.yml#/provider_settings/redis/url",
                },
                "password": {"ref": "${ONEIRIC_SECRET_PW}", "from": "settings/adapters.yml#/x"},
                "token": {"value": "hunter2", "from": "settings/adapters.yml#/x"},
                "options": {"value": {"password": ["hunter2"], "size": 3}, "from": "settings/adapters.yml#/x"},
                "hidden": {"masked": True, "from": "settings/adapters.yml#/x"},
            },
            secrets=["PW"],
            tenants={
                "acme": {
                    **binding("memory"),
                    "decided_by": "tenant-selection",
                    "decided_at": "settings/tenants/acme.yml#/adapters/selections/cache",
                    "because": "settings/tenants/acme.yml selects memory",
                },
            },
        ),
        adapter__secrets=binding(
            "env",
            candidate("file", lost_by="stack-level", compared=[-15, -10]),
            candidate("vault", lost_by="priority", compared=[5, 10]),
            decided_by="priority",
            because="priority 10 beats 5 of vault",
        ),
        service__orders=binding(
            "local",
            candidate("other", lost_by="registration-order", compared=[0, 1]),
            needs={"cache": "adapter:cache", "stock": "service:stock"},
            tenants={
                "acme": {**binding("local"), "rebuilt_for": ["adapter:cache"], "needs": {"cache": "adapter:cache"}}
            },
        ),
        service__stock=binding("shelf", needs={"cache": "adapter:cache"}),
    )
