"""A line between processes and a broker: `python -m perf.trust_relay PORT` passes on all that comes.

It is cut by taking all time from this process (`trust_bus.suspended`): nobody is told anything, what was on
the way stays there, and arrives late when the line is whole again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys

from perf.children import end_with_parent, say

_CHUNK = 1 << 16


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(_CHUNK):
            sink.write(data)
            await sink.drain()
    sink.close()


async def _relay(target: int) -> None:
    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))

    server = await asyncio.start_server(take, "127.0.0.1", 0, backlog=256)
    say(pid=os.getpid(), port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


if __name__ == "__main__":
    end_with_parent()
    asyncio.run(_relay(int(sys.argv[1])))
