"""Sending by a parcel service."""

from __future__ import annotations

from oneiric import component


@component("service", "shipping", provider="parcels", port="shop.ports:Shipping")
class Parcels:
    def __init__(self, *, base: int = 490, per_piece: int = 50) -> None:
        self._base, self._per_piece = base, per_piece

    async def quote(self, pieces: int) -> int:
        return self._base + self._per_piece * pieces
