"""What is sent in several requests, since a server takes only so much in one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec


def batches(documents: Iterable[object], amount: int, size: int) -> Iterator[list[msgspec.Raw]]:
    """These as JSON, at most so many together and of so many bytes; one that has more by itself is alone."""
    batch: list[msgspec.Raw] = []
    room = size
    for document in documents:
        encoded = msgspec.json.encode(document)
        if batch and (len(batch) == amount or len(encoded) > room):
            yield batch
            batch, room = [], size
        batch.append(msgspec.Raw(encoded))
        room -= len(encoded) + 1
    if batch:
        yield batch
