"""A WebSocket server of the library `websockets`: repeats messages, and closes when asked to."""

import asyncio
import sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

closes = []


async def talk(socket):
    try:
        async for message in socket:
            if message == "close":
                await socket.close(4001, "as you wish")
            elif message == "how did the others end?":
                await socket.send(" ".join(closes))
            elif message == "vanish":
                socket.transport.abort()
            else:
                await socket.send(message)
    except ConnectionClosed:
        pass
    finally:
        closes.append(str(socket.close_code))


async def main():
    address, port = sys.argv[1], int(sys.argv[2])
    async with serve(talk, address, port, max_size=None):
        print("ready", flush=True)
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
