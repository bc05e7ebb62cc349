"""Asks a WebSocket server by which version of HTTP it was reached."""

import asyncio
import sys

from websockets.asyncio.client import connect


async def main():
    async with connect(sys.argv[1], max_size=None, proxy=None, close_timeout=1) as socket:
        await socket.send("which version?")
        version = await socket.recv()
        for message in ["hello", b"w" * (1 << 20)]:
            await socket.send(message)
            assert await socket.recv() == message
    assert socket.close_code == 1000, socket.close_code
    print("reached by", version)


asyncio.run(main())
