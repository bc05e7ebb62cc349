"""A WebSocket server that takes extended CONNECT (RFC 8441): hypercorn with prior knowledge."""

import asyncio
import sys

from hypercorn.asyncio import serve
from hypercorn.config import Config


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({"type": event["type"] + ".complete"})
            if event["type"] == "lifespan.shutdown":
                return
    assert scope["type"] == "websocket", scope
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        if event.get("text") == "which version?":
            version = scope["http_version"]
            await send({"type": "websocket.send", "text": version})
        elif event.get("text") is not None:
            await send({"type": "websocket.send", "text": event["text"]})
        else:
            await send({"type": "websocket.send", "bytes": event["bytes"]})


async def main():
    config = Config()
    address, port = sys.argv[1], sys.argv[2]
    config.bind = [f"[{address}]:{port}" if ":" in address else f"{address}:{port}"]
    config.websocket_max_message_size = 8 << 20
    await serve(application, config)


asyncio.run(main())
