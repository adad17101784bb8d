"""websockets on asyncio. A request is a text ("bytes N S") or what is to be hashed."""

import asyncio
import time

import websockets

from agent import LIMIT, arguments, digest, rounds, tell


async def main():
    address, port, base, operations, seconds = arguments()
    url = f"ws://{address}:{port}/"
    async with websockets.connect(url, max_size=16 << 20, compression=None, proxy=None, ping_interval=None) as socket:
        for verb, size, seed in rounds(operations, seconds):
            data = base[seed:seed + size]
            start = time.monotonic()
            try:
                await socket.send(data if verb == "post" else f"bytes {size} {seed}")
                got = await asyncio.wait_for(socket.recv(), LIMIT)
            except Exception as error:  # Whatever it is, the harness compares it with what plain TCP gives.
                print(f"bad {type(error).__name__}: {error}".replace("\n", " "), flush=True)
                return
            got = got.encode() if isinstance(got, str) else got
            tell(start, got, digest(data) if verb == "post" else data)


asyncio.run(main())
