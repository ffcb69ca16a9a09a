"""An aiosmtpd server with some mailboxes.

FOLDER is where cert.pem and key.pem are. Prints where it listens, then waits for the end of its
standard input.
"""

import argparse
import asyncio
import itertools
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

USERS = ["user1", "user2", "user.three", "postmaster"]


class Mailboxes:
    """Takes mail for the users, and nobody else, into Maildirs."""

    def __init__(self, folder, domain, users):
        self.folder = folder
        self.domain = domain
        self.users = users
        self.numbers = itertools.count(1)

    async def handle_RCPT(self, server, session, envelope, address, options):
        # RFC 5321 §4.5.1: the postmaster needs no domain.
        if address.lower() == "postmaster":
            address = f"postmaster@{self.domain}"
        name, _, domain = address.rpartition("@")
        if domain.lower() != self.domain:
            return "550 5.7.1 relay not permitted"
        if name.lower() not in self.users:
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


def parse():
    """The arguments."""
    parser = argparse.ArgumentParser(description="An aiosmtpd server with some mailboxes.")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("users", nargs="*", default=USERS)
    parser.add_argument("--size-limit", type=int, default=1048576)
    parser.add_argument("--domain", default="example.test")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="for STARTTLS; 0 for a free one")
    return parser.parse_intermixed_args()


async def main(arguments):
    """Serves until the standard input ends."""
    folder = arguments.folder
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    handler = Mailboxes(folder / "mail", arguments.domain, arguments.users)

    def session(**options):
        return SMTP(
            handler,
            hostname=f"mx.{arguments.domain}",
            data_size_limit=arguments.size_limit,
            enable_SMTPUTF8=True,
            authenticator=authenticate,
            loop=loop,
            **options,
        )

    place = arguments.address, arguments.port
    plain = await loop.create_server(lambda: session(tls_context=context), *place)
    implicit = await loop.create_server(session, place[0], 0, ssl=context)
    print(f"listening on {place[0]}:{plain.sockets[0].getsockname()[1]} (STARTTLS)")
    print(f"listening on {place[0]}:{implicit.sockets[0].getsockname()[1]} (TLS)", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main(parse()))
