"""The crowd on a status page, in a process of its own: browsers that ask, and clients that hardly read.

Started by :mod:`benchmarks.status_load`. It ends when its standard input does, and then says what it saw. The
clients stand for other machines, so that they are the last ones to get a processor of this one.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections import Counter
from urllib.parse import urlsplit

import aiohttp

_EVERY_SECONDS = 1.0
_SMALL_BYTES = 4096
_NICE = 19


def main() -> None:
    """Crowd the page of the command line until the standard input ends, then print what was seen."""
    url, pollers, slow = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.nice(_NICE)
    print(json.dumps(dict(asyncio.run(_crowd(url, pollers, slow)))), flush=True)


async def _crowd(url: str, pollers: int, slow: int) -> Counter[str]:
    seen: Counter[str] = Counter()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        clients = [
            asyncio.create_task(_poll(session, url, number / pollers, seen)) for number in range(pollers)
        ]
        clients += [asyncio.create_task(_read_slowly(url, seen)) for _ in range(slow)]
        await asyncio.to_thread(sys.stdin.read)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
    return seen


async def _poll(session: aiohttp.ClientSession, url: str, after_seconds: float, seen: Counter[str]) -> None:
    """Ask each second, as the page does in a browser."""
    headers: dict[str, str] = {}
    await asyncio.sleep(after_seconds * _EVERY_SECONDS)
    while True:
        begun = asyncio.get_running_loop().time()
        try:
            async with session.get(f"{url}api/status", headers=headers) as answer:
                await answer.read()
                headers = {"If-None-Match": answer.headers.get("ETag", "")}
                seen[str(answer.status)] += 1
        except aiohttp.ClientError as error:
            seen[type(error).__name__] += 1
        taken = asyncio.get_running_loop().time() - begun
        seen["late"] += taken > _EVERY_SECONDS
        await asyncio.sleep(max(0.0, _EVERY_SECONDS - taken))


async def _read_slowly(url: str, seen: Counter[str]) -> None:
    """Ask for everything, uncompressed, and read a byte a second of it; when thrown out, come again."""
    address = urlsplit(url)
    host = address.hostname or ""
    loop = asyncio.get_running_loop()
    while True:
        with socket.socket() as connection:
            connection.setblocking(False)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BYTES)
            try:
                await loop.sock_connect(connection, (host, address.port))
                request = f"GET /api/status HTTP/1.1\r\nHost: {host}\r\n\r\n"
                await loop.sock_sendall(connection, request.encode())
                seen["slow"] += 1
                while await loop.sock_recv(connection, 1):
                    await asyncio.sleep(_EVERY_SECONDS)
            except OSError:  # thrown out
                await asyncio.sleep(_EVERY_SECONDS)


if __name__ == "__main__":
    main()
