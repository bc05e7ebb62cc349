"""A WebSocket client of the library `websockets`; says how each of its conversations went."""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

URL = sys.argv[1]


def options():
    return {"max_size": None, "proxy": None}


async def repeats():
    async with connect(URL, **options()) as socket:
        for message in ["hello", b"\x00\x01\xff", "w" * (4 << 20), b"w" * (1 << 20)]:
            await socket.send(message)
            assert await socket.recv() == message
        latency = await (await socket.ping())
        assert latency > 0
    # The default code of whoever closes first.
    assert socket.close_code == 1000, socket.close_code
    print("repeats")


async def many_at_once():
    async def one(number):
        async with connect(URL, **options()) as socket:
            for turn in range(20):
                await socket.send(f"{number} {turn}")
                assert await socket.recv() == f"{number} {turn}"

    await asyncio.gather(*(one(number) for number in range(50)))
    print("many at once")


async def closed_by_the_server():
    async with connect(URL, **options()) as socket:
        await socket.send("close")
        try:
            await socket.recv()
        except ConnectionClosedError as end:
            assert (end.rcvd.code, end.rcvd.reason) == (4001, "as you wish"), end
        else:
            raise AssertionError("it did not close")
    print("closed by the server")


async def closed_by_the_client():
    async with connect(URL, **options()) as socket:
        await socket.close(4002, "enough")
    async with connect(URL, **options()) as socket:
        await socket.send("how did the others end?")
        told = await socket.recv()
        assert told.split()[-1] == "4002", told
    print("closed by the client")


async def cut_off():
    async with connect(URL, **options()) as socket:
        await socket.send("vanish")
        try:
            await socket.recv()
        except ConnectionClosedError as end:
            # No frame that says why: the connection just ended.
            assert end.rcvd is None, end
        else:
            raise AssertionError("it did not end")
    print("cut off")


async def main():
    for story in [repeats, many_at_once, closed_by_the_server, closed_by_the_client, cut_off]:
        await asyncio.wait_for(story(), 60)


asyncio.run(main())
