"""Receipts, kept as files."""

from __future__ import annotations

from oneiric import component
from oneiric.adapters.storage import Storage


@component("service", "receipts", provider="text", needs={"storage": "adapter:storage"}, port="shop.ports:Receipts")
class TextReceipts:
    def __init__(self, *, storage: Storage) -> None:
        self._storage = storage

    async def write(self, order: int, text: str) -> str:
        name = f"receipts/{order}.txt"
        await self._storage.put(name, text.encode(), content_type="text/plain")
        return name


@component(
    "service",
    "receipts",
    provider="template-strings",
    stack_level=10,
    needs={"storage": "adapter:storage"},
    port="shop.ports:Receipts",
    python_version=">=3.14",
)
class TemplateReceipts(TextReceipts):
    """For interpreters with template strings, which the target is not."""


@component(
    "service",
    "receipts",
    provider="print-centre",
    stack_level=10,
    needs={"storage": "adapter:storage"},
    port="shop.ports:Receipts",
    os_platform=("darwin",),
)
class PrintCentreReceipts(TextReceipts):
    """Hands receipts to a printer of a platform that the target is not."""
