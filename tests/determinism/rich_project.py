"""A project with something of everything whose order or text might depend on the machine."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

SETTINGS: dict[str, Any] = {
    "app.yml": {
        "name": "rich",
        "packages": ["shop", "lib"],
        "plugins": ["acme-oneiric"],
        "allow": ["vendored"],
        "stack_order": {"shop": 50, "lib": 20, "vendored": -3},
        "profiles": ["production", "calm"],
        "domains": ["probe", "gadget"],
    },
    "adapters.yml": {
        "selections": {"cache": "memory", "database": "sqlite"},
        "requires": {"cache": ["ttl", "kv"]},
        "provider_settings": {
            "sqlite": {"path": "${DB:-:memory:}", "pragmas": {"journal_mode": "wal", "cache_size": -2000}},
            "cache/memory": {"default_ttl": 0.1, "max_entries": 10},
        },
    },
    "services.yml": {
        "selections": {"mail": "smtp"},
        "ports": {"mail": "shop.ports:Mail"},
        "components": [
            {"key": "mail", "provider": "smtp", "factory": "shop.mail:Smtp", "needs": {"store": "adapter:storage"}},
            {"key": "mail", "provider": "vendored", "factory": "vendored.mail:make", "priority": 7},
            {"key": "mail", "provider": "print", "factory": "shop.mail:Print", "capabilities": ["x", "b", "a"]},
        ],
        "provider_settings": {
            "smtp": {
                "host": "mäil.example \U0001f4ee",
                "password": "${ONEIRIC_SECRET_SMTP}",
                "headers": {"x-b": "2", "x-a": "${HEADER:-é}", "x-c": "3"},
                "color": "red",
                "ratio": 1e-07,
                "tags": ["b", "a", "b"],
                "spool": "var/${SPOOL:-mail}",
            },
        },
    },
    "probe.yml": {"components": [{"key": "one", "provider": "p", "factory": "shop.mail:Print"}]},
    "gadget.yml": None,
    "profiles/production.yml": {
        "services": {"selections": {"mail": "vendored"}, "requires": {"audit": ["trail"]}},
        "adapters": {"selections": {"secrets": "file"}, "provider_settings": {"file": {"path": "/run/secrets.json"}}},
    },
    "profiles/calm.yml": {
        "services": {"components": [{"key": "mail", "provider": "late", "factory": "shop.mail:Print"}]}
    },
    "tenants/zeta.yml": {"adapters": {"provider_settings": {"local": {"base_path": "zeta"}}}},
    "tenants/acme.yml": {"services": {"selections": {"mail": "print"}}, "probe": {}},
}
SOURCES = {
    "shop/__init__.py": "",
    "shop/ports.py": """from typing import Protocol
class Mail(Protocol):
    async def send(self, to: str) -> None: ...
""",
    "shop/mail.py": """from collections.abc import Callable
from enum import Enum
from pathlib import Path
from oneiric import Secret, component
from oneiric.adapters.storage import Storage
class Color(Enum):
    red = 1
    blue = 2
class Smtp:
    def __init__(self, *, host: str, password: Secret, store: Storage, headers: dict[str, str], color: Color,
                 ratio: float = 1.0, tags: frozenset[str] = frozenset(), spool: Path = Path("."),
                 hook: Callable[[int], "str | None"] | None = None) -> None: ...
    async def send(self, to: str) -> None: ...
class Print:
    async def send(self, to: str) -> None: ...
@component("service", "audit", provider="dear", capabilities=("trail", "cheap"), needs={"mail": "service:mail"})
class Dear:
    def __init__(self, *, mail: object) -> None: ...
@component("service", "audit", provider="new", python_version=">=3.12", os_platform=("linux", "darwin"))
class New: ...
""",
    "lib/deep/__init__.py": "",
    "lib/deep/z.py": 'from oneiric import component\n@component("service", "audit", provider="z")\nclass Z: ...\n',
    "lib/deep/a.py": 'from oneiric import component\n@component("service", "audit", provider="a")\nclass A: ...\n',
    "lib/b.py": 'from oneiric import component\n@component("task", "sweep", provider="b")\nclass B: ...\n',
    "vendored/mail.py": "from shop.ports import Mail\nasync def make(**rest: object) -> Mail: ...\n",
    "installed/acme/parts.py": """from oneiric import component
@component("service", "audit", provider="acme", stack_level=2)
class Audit: ...
""",
    "installed/acme_oneiric-1.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: acme-oneiric\nVersion: 1.2\n",
    "installed/acme_oneiric-1.2.dist-info/entry_points.txt": "[oneiric.components]\nacme = acme.parts\n",
}


def make(root: Path, *, shuffled: int | None = None) -> Path:
    """Writes the project; with `shuffled`, files and the keys of mappings in the order that this seed gives."""
    dice = random.Random(shuffled)
    files = {
        f"settings/{name}": json.dumps(_shuffle(value, dice if shuffled else None), ensure_ascii=False)
        for name, value in SETTINGS.items()
    }
    everything = list({**files, **SOURCES}.items())
    if shuffled:
        dice.shuffle(everything)
    for name, text in everything:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def _shuffle(value: Any, dice: random.Random | None) -> Any:
    if isinstance(value, dict):
        items = list(value.items())
        if dice:
            dice.shuffle(items)
        return {name: _shuffle(item, dice) for name, item in items}
    return [_shuffle(item, dice) for item in value] if isinstance(value, list) else value
