"""The contract of the port `queue`."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from oneiric.adapters.queue import (
    MAX_BODY,
    MAX_HEADERS,
    InvalidMessage,
    Message,
    Queue,
    QueueError,
    QueueMisconfigured,
    QueueRefused,
    QueueUnavailable,
)
from oneiric.testing.contracts.networked import NetworkedContract
from oneiric.testing.contracts.running import Contract, cancelled_at_every_step, close, health, run, started

ACK_WAIT = 0.5
"""Seconds; what `ack_wait` of a fresh queue must be."""
MAX_DELIVERIES = 3
"""What `max_deliveries` of a fresh queue must be."""
SOON = 20.0


class Oops(Exception):
    """What a consumer of the cases raises."""


@asynccontextmanager
async def taken(queue: Queue, *, dead: bool = False) -> AsyncGenerator[Message, None]:
    """The next message, which must come."""
    async with queue.consume(wait=SOON, dead=dead) as message:
        assert message is not None, "there is no message"
        yield message


async def bodies(queue: Queue, number: int, *, dead: bool = False) -> list[bytes]:
    """The bodies of the next messages, done one by one."""
    found: list[bytes] = []
    for _ in range(number):
        async with taken(queue, dead=dead) as message:
            found.append(message.body)
    return found


async def nothing(queue: Queue, *, dead: bool = False) -> bool:
    """Whether no message is there now."""
    async with queue.consume(wait=0, dead=dead) as message:
        return message is None


async def fail(queue: Queue, *, dead: bool = False) -> Message:
    """Take the next message and fail with it."""
    message: Message | None = None
    with pytest.raises(Oops):
        async with taken(queue, dead=dead) as message:
            raise Oops
    assert message is not None
    return message


class QueueContract(Contract[Queue]):
    """Cases for a queue: subclass it and override `fresh`, with `ACK_WAIT` and `MAX_DELIVERIES` as settings."""

    def test_a_fresh_queue_is_healthy_and_empty(self) -> None:
        async def case(queue: Queue) -> None:
            assert await health(queue)
            assert await nothing(queue)
            assert await nothing(queue, dead=True)

        self.check(case)

    def test_a_message_is_got_as_it_was_published(self) -> None:
        async def case(queue: Queue) -> None:
            identity = await queue.publish(b"body", headers={"trace-id": "a b", "kind": "order"})
            assert isinstance(identity, str)
            async with taken(queue) as message:
                assert (message.body, dict(message.headers), message.attempt) == (
                    b"body",
                    {"trace-id": "a b", "kind": "order"},
                    1,
                )
                assert type(message.body) is bytes
                assert message.id
            assert await nothing(queue)

        self.check(case)

    def test_every_message_has_an_id_of_its_own(self) -> None:
        async def case(queue: Queue) -> None:
            assert len({await queue.publish(b"same") for _ in range(20)}) == 20

        self.check(case)

    @pytest.mark.parametrize("body", [b"", b"\0", bytes(range(256)), "héllo \N{SNOWMAN}".encode(), b"\r\nPING\r\n"])
    def test_every_byte_survives(self, body: bytes) -> None:
        async def case(queue: Queue) -> None:
            await queue.publish(body)
            assert await bodies(queue, 1) == [body]

        self.check(case)

    @pytest.mark.parametrize("value", ["", " ", " a  b ", "ключ \N{SNOWMAN}", "a:b\\c%20\"'", "x" * (MAX_HEADERS - 4)])
    def test_every_printable_text_can_be_a_header(self, value: str) -> None:
        async def case(queue: Queue) -> None:
            await queue.publish(b"", headers={"name": value})
            async with taken(queue) as message:
                assert dict(message.headers) == {"name": value}

        self.check(case)

    def test_a_body_as_big_as_may_be_with_headers_as_big_as_may_be(self) -> None:
        async def case(queue: Queue) -> None:
            body, value = bytes(range(256)) * (MAX_BODY // 256), "\N{SNOWMAN}" * ((MAX_HEADERS - 4) // 3)
            await queue.publish(body, headers={"name": value})
            async with taken(queue) as message:
                assert message.body == body
                assert message.headers["name"] == value

        self.check(case)

    @pytest.mark.parametrize("body", ["text", None, 1, bytearray(b"x"), memoryview(b"x"), bytes(MAX_BODY + 1)])
    def test_what_is_no_body_is_refused(self, body: Any) -> None:
        async def case(queue: Queue) -> None:
            with pytest.raises(InvalidMessage):
                await queue.publish(body)
            assert await nothing(queue)

        self.check(case)

    @pytest.mark.parametrize(
        "headers",
        [
            *({name: "x"} for name in ("", "Name", "a b", "é", 1)),
            *({"a": value} for value in (1, b"x", "x\ny", "\ud800", "x" * MAX_HEADERS)),
        ],
    )
    def test_what_are_no_headers_is_refused(self, headers: Any) -> None:
        async def case(queue: Queue) -> None:
            with pytest.raises(InvalidMessage):
                await queue.publish(b"x", headers=headers)
            assert await nothing(queue)

        self.check(case)

    @pytest.mark.parametrize("wait", [-1, math.nan, math.inf, "1", None, True])
    def test_what_is_no_waiting_time_is_refused(self, wait: Any) -> None:
        async def case(queue: Queue) -> None:
            await queue.publish(b"x")
            with pytest.raises(InvalidMessage):
                async with queue.consume(wait=wait):
                    pass
            assert await bodies(queue, 1) == [b"x"]

        self.check(case)

    def test_messages_come_in_the_order_they_were_published(self) -> None:
        async def case(queue: Queue) -> None:
            published = [str(number).encode() for number in range(100)]
            for body in published:
                await queue.publish(body)
            assert await bodies(queue, 100) == published

        self.check(case)

    def test_a_consumer_waits_for_a_message(self) -> None:
        async def case(queue: Queue) -> None:
            consumer = asyncio.ensure_future(bodies(queue, 1))
            await asyncio.sleep(0.05)
            assert not consumer.done()
            await queue.publish(b"late")
            assert await consumer == [b"late"]

        self.check(case)

    def test_a_consumer_waits_no_longer_than_it_says(self) -> None:
        async def case(queue: Queue) -> None:
            patient = asyncio.ensure_future(bodies(queue, 1))
            await asyncio.sleep(0.02)
            async with queue.consume(wait=0.05) as message:
                assert message is None
            assert not patient.done()
            await queue.publish(b"x")
            await patient

        self.check(case)

    def test_a_consumer_who_comes_as_others_change_turns_waits_no_longer_either(self) -> None:
        async def twice(queue: Queue) -> None:
            for _ in range(2):
                async with queue.consume(wait=0.05) as message:
                    assert message is None

        async def case(queue: Queue) -> None:
            brief = asyncio.ensure_future(twice(queue))
            await asyncio.sleep(0)
            patient = asyncio.ensure_future(bodies(queue, 1))
            await brief
            assert not patient.done()
            await queue.publish(b"x")
            await patient

        self.check(case)

    def test_a_message_goes_to_one_consumer(self) -> None:
        async def case(queue: Queue) -> None:
            await queue.publish(b"one")
            async with taken(queue):
                assert await nothing(queue)
            assert await nothing(queue)

        self.check(case)

    def test_fifty_publishers_and_fifty_consumers_lose_nothing(self) -> None:
        async def case(queue: Queue) -> None:
            consumers = [asyncio.ensure_future(bodies(queue, 4)) for _ in range(50)]
            published = {f"{publisher}/{number}".encode() for publisher in range(50) for number in range(4)}
            await asyncio.gather(*(queue.publish(body) for body in published))
            found = [body for part in await asyncio.gather(*consumers) for body in part]
            assert sorted(found) == sorted(published)
            assert await nothing(queue)

        self.check(case)

    def test_a_message_whose_consumer_fails_comes_again_at_once(self) -> None:
        async def case(queue: Queue) -> None:
            await queue.publish(b"hard", headers={"a": "b"})
            first = await fail(queue)
            async with taken(queue) as second:
                assert (second.body, second.headers, second.attempt) == (b"hard", {"a": "b"}, 2)
                assert second.id == first.id
            assert await nothing(queue)

        self.check(case)

    def test_a_message_whose_consumer_is_cancelled_comes_again(self) -> None:
        async def case(queue: Queue) -> None:
            async def forever() -> None:
                async with taken(queue):
                    begun.set()
                    await asyncio.sleep(2 * SOON)

            begun = asyncio.Event()
            await queue.publish(b"hard")
            consumer = asyncio.ensure_future(forever())
            await begun.wait()
            consumer.cancel()
            await asyncio.wait({consumer})
            assert consumer.cancelled()
            async with taken(queue) as message:
                assert (message.body, message.attempt) == (b"hard", 2)

        self.check(case)

    def test_a_message_whose_consumer_takes_too_long_goes_to_another(self) -> None:
        async def case(queue: Queue) -> None:
            await queue.publish(b"slow")
            async with taken(queue), taken(queue) as message:
                assert (message.body, message.attempt) == (b"slow", 2)
            await asyncio.sleep(2 * ACK_WAIT)
            assert await nothing(queue)

        self.check(case)

    def test_a_consumer_that_fails_too_late_disturbs_nobody(self) -> None:
        async def case(queue: Queue) -> None:
            await queue.publish(b"slow")
            with pytest.raises(Oops):
                async with taken(queue):
                    async with taken(queue):
                        pass
                    raise Oops
            await asyncio.sleep(2 * ACK_WAIT)
            assert await nothing(queue)

        self.check(case)

    def test_a_message_that_fails_does_not_hold_up_the_others(self) -> None:
        async def case(queue: Queue) -> None:
            await queue.publish(b"hard")
            await queue.publish(b"easy")
            assert (await fail(queue)).body == b"hard"
            assert sorted(await bodies(queue, 2)) == [b"easy", b"hard"]

        self.check(case)

    def test_after_so_many_failures_a_message_is_a_dead_letter(self) -> None:
        async def case(queue: Queue) -> None:
            await queue.publish(b"impossible", headers={"a": "b"})
            assert [(await fail(queue)).attempt for _ in range(MAX_DELIVERIES)] == [*range(1, MAX_DELIVERIES + 1)]
            assert await nothing(queue)
            async with taken(queue, dead=True) as message:
                assert (message.body, dict(message.headers)) == (b"impossible", {"a": "b"})
            assert await nothing(queue, dead=True)
            await asyncio.sleep(2 * ACK_WAIT)
            assert await nothing(queue)

        self.check(case)

    def test_a_message_that_nobody_finishes_in_time_is_a_dead_letter_in_the_end(self) -> None:
        async def overdue(queue: Queue, levels: int) -> None:
            async with taken(queue) as message:
                assert message.attempt == MAX_DELIVERIES + 1 - levels
                if levels > 1:
                    await overdue(queue, levels - 1)
                else:
                    async with queue.consume(wait=3 * ACK_WAIT) as none:
                        assert none is None
                    assert await bodies(queue, 1, dead=True) == [b"endless"]

        async def case(queue: Queue) -> None:
            await queue.publish(b"endless")
            await overdue(queue, MAX_DELIVERIES)
            assert await nothing(queue)

        self.check(case)

    def test_a_dead_letter_that_is_given_back_stays_one(self) -> None:
        async def case(queue: Queue) -> None:
            await queue.publish(b"impossible")
            for _ in range(MAX_DELIVERIES):
                await fail(queue)
            for _ in range(MAX_DELIVERIES + 2):
                assert (await fail(queue, dead=True)).body == b"impossible"
            assert await nothing(queue)
            assert await bodies(queue, 1, dead=True) == [b"impossible"]

        self.check(case)

    def test_a_dead_letter_can_be_published_again(self) -> None:
        async def case(queue: Queue) -> None:
            await queue.publish(b"second chance")
            for _ in range(MAX_DELIVERIES):
                await fail(queue)
            async with taken(queue, dead=True) as letter:
                await queue.publish(letter.body, headers=letter.headers)
            async with taken(queue) as message:
                assert (message.body, message.attempt) == (b"second chance", 1)

        self.check(case)

    def test_a_consumer_cancelled_at_any_moment_loses_no_message(self) -> None:
        async def look(queue: Queue, *, dead: bool = False) -> bool:
            with suppress(Oops):
                async with queue.consume(wait=0, dead=dead) as message:
                    if message is not None:
                        assert message.body == b"precious"
                        raise Oops
                    return False
            return True

        async def case(queue: Queue) -> None:
            await queue.publish(b"precious")
            async for _ in cancelled_at_every_step(lambda: look(queue)):
                pass
            while not await look(queue) and not await look(queue, dead=True):
                await asyncio.sleep(ACK_WAIT / 10)

        self.check(case)

    def test_a_publisher_cancelled_at_any_moment_publishes_whole_messages(self) -> None:
        async def case(queue: Queue) -> None:
            attempts = 1
            async for _ in cancelled_at_every_step(lambda: queue.publish(b"whole", headers={"a": "b"})):
                attempts += 1
            await queue.publish(b"last")
            found: list[Message] = []
            while not found or found[-1].body != b"last":
                async with taken(queue) as message:
                    found.append(message)
            assert 1 <= len(found) - 1 <= attempts
            assert {(each.body, each.headers["a"]) for each in found[:-1]} == {(b"whole", "b")}

        self.check(case)

    def test_a_cancelled_consumer_takes_no_message_with_it(self) -> None:
        async def case(queue: Queue) -> None:
            consumers = [asyncio.ensure_future(bodies(queue, 1)) for _ in range(5)]
            await asyncio.sleep(0.02)
            for consumer in consumers:
                consumer.cancel()
            await asyncio.wait(consumers)
            await queue.publish(b"x")
            assert await bodies(queue, 1) == [b"x"]

        self.check(case)

    def test_closing_twice_is_fine(self) -> None:
        async def case(queue: Queue) -> None:
            await close(queue)
            await close(queue)

        self.check(case)

    def test_closing_ends_those_who_wait(self) -> None:
        async def case(queue: Queue) -> None:
            consumers = [asyncio.ensure_future(bodies(queue, 1)) for _ in range(3)]
            await asyncio.sleep(0.05)
            await close(queue)
            outcomes = await asyncio.gather(*consumers, return_exceptions=True)
            assert all(isinstance(outcome, QueueError) for outcome in outcomes), outcomes

        self.check(case)

    def test_a_closed_queue_refuses_every_call(self) -> None:
        async def case(queue: Queue) -> None:
            await close(queue)
            with pytest.raises(QueueError):
                await queue.publish(b"x")
            for dead in (False, True):
                with pytest.raises(QueueError):
                    async with queue.consume(dead=dead):
                        pass

        self.check(case)


class FanoutContract(Contract[Any]):
    """Cases for a queue of the capability `fanout`: subclass it and override `fresh`."""

    def test_all_who_listen_hear_all_in_order(self) -> None:
        async def case(queue: Any) -> None:
            async with queue.listen() as one, queue.listen() as other:
                for number in range(50):
                    await queue.broadcast(str(number).encode(), headers={"kind": "a b"})
                for listener in (one, other):
                    heard = [await listener.next(wait=SOON) for _ in range(50)]
                    assert [(each.body, dict(each.headers), each.id, each.attempt) for each in heard] == [
                        (str(number).encode(), {"kind": "a b"}, "", 1) for number in range(50)
                    ]
                    assert await listener.next(wait=0) is None

        self.check(case)

    def test_nothing_is_kept_for_who_comes_later(self) -> None:
        async def case(queue: Any) -> None:
            async with queue.listen() as gone:
                pass
            await queue.broadcast(b"nobody")
            async with queue.listen() as listener:
                assert await listener.next(wait=0.05) is None
                await queue.broadcast(b"now")
                heard = await listener.next(wait=SOON)
                assert heard is not None and heard.body == b"now"
            assert gone is not listener

        self.check(case)

    def test_it_is_apart_from_what_is_published(self) -> None:
        async def case(queue: Any) -> None:
            async with queue.listen() as listener:
                await queue.publish(b"one")
                await queue.broadcast(b"all")
                heard = await listener.next(wait=SOON)
                assert heard is not None and heard.body == b"all"
                assert await listener.next(wait=0.05) is None
            assert await bodies(queue, 1) == [b"one"]
            assert await nothing(queue)

        self.check(case)

    @pytest.mark.parametrize("body", [b"", b"\0", bytes(range(256)), b"{}\n", b"\r\nPING\r\n", b"x" * MAX_BODY])
    def test_every_byte_and_header_is_heard(self, body: bytes) -> None:
        async def case(queue: Any) -> None:
            async with queue.listen() as listener:
                await queue.broadcast(body, headers={"name": "ключ: \N{SNOWMAN} %20"})
                heard = await listener.next(wait=SOON)
                assert (heard.body, dict(heard.headers)) == (body, {"name": "ключ: \N{SNOWMAN} %20"})
                assert type(heard.body) is bytes

        self.check(case)

    def test_what_is_no_message_is_refused(self) -> None:
        async def case(queue: Any) -> None:
            for body, headers in ((b"x" * (MAX_BODY + 1), {}), ("text", {}), (b"", {"No Name": "x"})):
                with pytest.raises(InvalidMessage):
                    await queue.broadcast(body, headers=headers)
            async with queue.listen() as listener:
                with pytest.raises(InvalidMessage):
                    await listener.next(wait=-1)

        self.check(case)

    def test_who_stops_waiting_misses_nothing(self) -> None:
        async def case(queue: Any) -> None:
            async with queue.listen() as listener:
                heard: list[bytes] = []
                for number in range(20):
                    waiting = asyncio.ensure_future(listener.next(wait=SOON))
                    await asyncio.sleep(0.001)
                    await queue.broadcast(b"%d" % number)
                    waiting.cancel()
                    await asyncio.wait([waiting])
                    if not waiting.cancelled():
                        heard.append(waiting.result().body)
                while len(heard) < 20:
                    heard.append((await listener.next(wait=SOON)).body)
                assert heard == [b"%d" % number for number in range(20)]

        self.check(case)

    def test_a_queue_that_closes_is_told_to_who_listens(self) -> None:
        async def case(queue: Any) -> None:
            async with queue.listen() as listener:
                waiting = asyncio.ensure_future(listener.next(wait=SOON))
                await asyncio.sleep(0.02)
                await close(queue)
                with pytest.raises(QueueError):
                    await waiting

        self.check(case)


class NetworkedQueueContract(NetworkedContract[Queue]):
    """Cases for a queue behind a network, besides those of `QueueContract`."""

    base = QueueError
    unavailable = QueueUnavailable
    refusal = QueueRefused
    misconfigured = QueueMisconfigured

    async def use(self, component: Queue, number: int = 0) -> None:
        """Publish and consume; what is consumed may be another's, or come again, and is whole all the same."""
        await component.publish(f"message {number} ".encode() * 50, headers={"number": str(number)})
        async with component.consume(wait=SOON) as message:
            assert message is not None
            assert message.body == f"message {message.headers['number']} ".encode() * 50

    def test_two_components_share_a_queue(self) -> None:
        async def main() -> None:
            one, other = (self.component(server.host, server.port) for _ in range(2))
            async with started(one), started(other):
                await one.publish(b"first")
                assert await bodies(other, 1) == [b"first"]
                await other.publish(b"second")
                assert (await fail(one)).attempt == 1
                async with taken(other) as message:
                    assert (message.body, message.attempt) == (b"second", 2)

        with self.shared() as server:
            run(main())

    def test_what_a_component_had_when_it_ended_goes_to_another(self) -> None:
        async def main() -> None:
            one, other = (self.component(server.host, server.port) for _ in range(2))
            async with started(one), started(other):
                await one.publish(b"orphan")
                with pytest.raises(QueueError):
                    async with taken(one):
                        await close(one)
                async with taken(other) as message:
                    assert (message.body, message.attempt) == (b"orphan", 2)

        with self.shared() as server:
            run(main())

    def test_messages_outlive_a_crash_of_the_server(self) -> None:
        async def main() -> None:
            queue = self.component(server.host, server.port)
            async with started(queue):
                for number in range(20):
                    await queue.publish(str(number).encode())
                assert await bodies(queue, 1) == [b"0"]
                server.kill()
                with pytest.raises(QueueUnavailable):
                    async with queue.consume(wait=0):
                        pass
                server.start()
                await self.eventually(queue)
                assert await bodies(queue, 19) == [str(number).encode() for number in range(1, 20)]
                assert await nothing(queue)

        with self.private() as server:
            run(main())

    def test_an_acknowledgement_that_fails_is_an_error_and_the_message_comes_again(self) -> None:
        async def main() -> None:
            queue = self.component(server.host, server.port)
            async with started(queue):
                await queue.publish(b"twice")
                with pytest.raises(QueueUnavailable):
                    async with taken(queue):
                        server.kill()
                server.start()
                await self.eventually(queue)
                async with taken(queue) as message:
                    assert (message.body, message.attempt > 1) == (b"twice", True)

        with self.private() as server:
            run(main())

    def test_components_hear_each_other_until_the_server_dies(self) -> None:
        async def main() -> None:
            one, other = (self.component(server.host, server.port) for _ in range(2))
            fans: Any = one
            async with started(one), started(other):
                if not hasattr(one, "broadcast"):
                    return
                heard: Any = other
                async with heard.listen() as listener:
                    await fans.broadcast(b"all")
                    told = await listener.next(wait=SOON)
                    assert told is not None and told.body == b"all"
                    server.kill()
                    with pytest.raises(QueueUnavailable):
                        while await listener.next(wait=SOON) is None:
                            pass
                    with pytest.raises(QueueUnavailable):
                        await fans.broadcast(b"nobody")
                server.start()
                await self.eventually(other)
                await self.eventually(one)
                async with heard.listen() as listener:
                    await fans.broadcast(b"again")
                    told = await listener.next(wait=SOON)
                    assert told is not None and told.body == b"again"

        with self.private() as server:
            run(main())

    async def eventually(self, queue: Queue) -> None:
        """Wait until the queue answers again, and take no message meanwhile."""
        while not await health(queue):
            await asyncio.sleep(0.02)
