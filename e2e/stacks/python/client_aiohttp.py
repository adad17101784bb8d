"""aiohttp: asyncio's selector loop, level-triggered epoll, one recv of 256 KiB an event."""

import asyncio
import time

import aiohttp

from agent import LIMIT, arguments, digest, rounds, tell


async def call(session, url, verb, seed, data):
    if verb == "post":
        async with session.post(f"{url}/hash", data=data) as answer:
            return await answer.read()
    async with session.get(f"{url}/bytes/{len(data)}?seed={seed}") as answer:
        if verb == "abort":
            await answer.content.read(1000)
            answer.close()
            return b""
        return await answer.read()


async def main():
    address, port, base, operations, seconds = arguments()
    url = f"http://{address}:{port}"
    limit = aiohttp.ClientTimeout(total=LIMIT)
    async with aiohttp.ClientSession(timeout=limit, raise_for_status=True) as session:
        for verb, size, seed in rounds(operations, seconds):
            data = base[seed:seed + size]
            start = time.monotonic()
            try:
                got = await call(session, url, verb, seed, data)
            except Exception as error:  # Whatever it is, the harness compares it with what plain TCP gives.
                print(f"bad {type(error).__name__}: {error}".replace("\n", " "), flush=True)
                return
            tell(start, got, digest(data) if verb == "post" else data if verb == "get" else b"")


asyncio.run(main())
