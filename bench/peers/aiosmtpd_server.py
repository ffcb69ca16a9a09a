"""aiosmtpd, discarding: `aiosmtpd_server.py PORT`."""

import asyncio
import sys

from aiosmtpd.smtp import SMTP


class Discard:
    async def handle_DATA(self, server, session, envelope):
        return "250 Ok"


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(Discard(), hostname="mx.example"), "127.0.0.1", int(sys.argv[1]), backlog=4096
    )
    await server.serve_forever()


asyncio.run(main())
