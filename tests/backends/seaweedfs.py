"""What tests do to a server of S3 behind the back of the components."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

from aiobotocore.session import get_session
from botocore.exceptions import ClientError
from botocore.loaders import create_loader

from tests.backends.harness.kinds import S3_KEY, S3_SECRET
from tests.backends.harness.servers import Address, Server

LOADER = create_loader()
"""Shared, since it is what takes long to make."""


def url(server: Address | Server) -> str:
    return f"http://{server.host}:{server.port}"


async def made_bucket(server: Address | Server, name: str) -> None:
    """Make a bucket that answers at once: a server listens before it makes any, and a first put takes long."""
    async with client(server) as s3:
        for work in (s3.create_bucket, partial(s3.put_object, Key="first", Body=b"data")):
            while True:
                try:
                    await work(Bucket=name)
                except ClientError:
                    await asyncio.sleep(0.05)
                else:
                    break
        await s3.delete_object(Bucket=name, Key="first")


def client(server: Address | Server, **settings: Any) -> AbstractAsyncContextManager[Any]:
    session = get_session()
    session.register_component("data_loader", LOADER)
    given = {"aws_access_key_id": S3_KEY, "aws_secret_access_key": S3_SECRET, "region_name": "us-east-1", **settings}
    return session.create_client("s3", endpoint_url=url(server), **given)
