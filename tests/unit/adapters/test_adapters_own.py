"""The adapter of docs/write-your-own-adapter.md passes the contract, as the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

WITHOUT_ITS_TABLE = """
import asyncio

import pytest
from oneiric.adapters.cache import CacheUnavailable
from oneiric.adapters.database.sqlite import SQLiteDatabase
from oneiric.testing.contracts import started
from shop.table_cache import TableCache


def test_on_a_database_without_its_table_it_is_not_healthy():
    async def main():
        async with started(SQLiteDatabase()) as database, started(TableCache(database=database)) as cache:
            assert await cache.health()
            await database.execute("DROP TABLE cache")
            assert not await cache.health()
            with pytest.raises(CacheUnavailable, match=r"^adapter:cache \\(table\\): .*no such table"):
                await cache.get("a")

    asyncio.run(main())
"""
PAGE = Path(__file__).parents[3] / "docs" / "write-your-own-adapter.md"


def test_the_adapter_of_the_page_passes_the_contract(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n# (\S+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert [name for name, _ in blocks] == ["shop/table_cache.py", "test_table_cache.py"]
    for name, code in blocks:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(code, encoding="utf-8")
    (tmp_path / "test_without_its_table.py").write_text(WITHOUT_ITS_TABLE, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\nfilterwarnings = error\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
