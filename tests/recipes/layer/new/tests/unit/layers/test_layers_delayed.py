"""The layer `delayed`: what is awaited waits first."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from oneiric.layers import LayerMisconfigured
from oneiric.layers.delayed import delayed

from tests.unit.layers.layered import Scripted, handles
from tests.unit.layers.virtual import run


def test_a_call_waits_first() -> None:
    async def main() -> None:
        served = Scripted("fine")
        async with handles(served=served) as (inner,):
            begun = asyncio.get_running_loop().time()
            assert await delayed(inner, by=timedelta(seconds=3)).get("a") == "fine"
            assert asyncio.get_running_loop().time() - begun == pytest.approx(3)

    run(main())


def test_no_time_is_a_mistake() -> None:
    async def main() -> None:
        async with handles(served=Scripted()) as (inner,):
            with pytest.raises(LayerMisconfigured, match="setting by"):
                delayed(inner, by=timedelta())

    run(main())
