"""An aiosmtpd server with some mailboxes: `aio.py FOLDER [SIZE_LIMIT USER...]`.

FOLDER is where cert.pem and key.pem are. Prints where it listens, then waits for the end of its
standard input.
"""

import asyncio
import itertools
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

SIZE_LIMIT = int(sys.argv[2]) if sys.argv[2:] else 1048576
USERS = set(sys.argv[3:]) or {"user1", "user2", "user.three", "postmaster"}


class Mailboxes:
    """Takes mail for the users, and nobody else, into Maildirs."""

    def __init__(self, folder):
        self.folder = folder
        self.numbers = itertools.count(1)

    async def handle_RCPT(self, server, session, envelope, address, options):
        # RFC 5321 §4.5.1: the postmaster needs no domain.
        if address.lower() == "postmaster":
            address = "postmaster@example.test"
        name, _, domain = address.rpartition("@")
        if domain.lower() != "example.test":
            return "550 5.7.1 relay not permitted"
        if name.lower() not in USERS:
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        for recipient in envelope.rcpt_tos:
            mailbox = self.folder / recipient.rpartition("@")[0].lower()
            (mailbox / "new").mkdir(parents=True, exist_ok=True)
            (mailbox / "tmp").mkdir(exist_ok=True)
            name = str(next(self.numbers))
            (mailbox / "tmp" / name).write_bytes(envelope.original_content)
            (mailbox / "tmp" / name).rename(mailbox / "new" / name)
        return "250 2.0.0 OK"


def authenticate(server, session, envelope, mechanism, data):
    """Whether name and password are right."""
    right = data.login in (b"user1", b"user2") and data.password == b"secret1"
    return AuthResult(success=right, handled=False)


async def main(folder):
    """Serves until the standard input ends."""
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    handler = Mailboxes(folder / "mail")

    def session(**options):
        return SMTP(
            handler,
            hostname="mx.example.test",
            data_size_limit=SIZE_LIMIT,
            enable_SMTPUTF8=True,
            authenticator=authenticate,
            loop=loop,
            **options,
        )

    plain = await loop.create_server(lambda: session(tls_context=context), "127.0.0.1", 0)
    implicit = await loop.create_server(session, "127.0.0.1", 0, ssl=context)
    print(f"listening on 127.0.0.1:{plain.sockets[0].getsockname()[1]} (STARTTLS)")
    print(f"listening on 127.0.0.1:{implicit.sockets[0].getsockname()[1]} (TLS)", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main(pathlib.Path(sys.argv[1])))
