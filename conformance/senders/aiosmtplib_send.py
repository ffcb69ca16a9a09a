#!/usr/bin/env python3
"""Sends one message with aiosmtplib: exit status 0 if it was sent to all, 75 if it may be tried
again, 69 if not."""

import argparse
import asyncio
import pathlib
import sys

import aiosmtplib

SENT, PERMANENT, TEMPORARY = 0, 69, 75


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--helo")
    parser.add_argument("--timeout", type=float, default=30)
    parser.add_argument("--ca", help="require STARTTLS, and trust this certificate only")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--utf8", action="store_true")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("message")
    parser.add_argument("sender")
    parser.add_argument("recipients", nargs="+")
    return parser.parse_args()


async def send(options):
    server = aiosmtplib.SMTP(
        hostname=options.host,
        port=options.port,
        local_hostname=options.helo,
        timeout=options.timeout,
        start_tls=bool(options.ca),
        cert_bundle=options.ca,
        username=options.user,
        password=options.password,
    )
    message = pathlib.Path(options.message).read_bytes()
    parameters = ["SMTPUTF8"] if options.utf8 else []
    async with server:
        refused, _ = await server.sendmail(
            options.sender, options.recipients, message, mail_options=parameters
        )
    return refused


def status(code):
    return PERMANENT if 500 <= code < 600 else TEMPORARY


def main():
    try:
        refused = asyncio.run(send(parse()))
    except aiosmtplib.SMTPResponseException as error:
        print(error, file=sys.stderr)
        return status(error.code)
    except aiosmtplib.SMTPRecipientsRefused as error:
        print(error, file=sys.stderr)
        return max(status(one.code) for one in error.recipients)
    except (aiosmtplib.SMTPNotSupported, ValueError) as error:
        print(error, file=sys.stderr)
        return PERMANENT
    except (aiosmtplib.SMTPException, OSError) as error:
        print(repr(error), file=sys.stderr)
        return TEMPORARY
    if refused:
        print(f"refused: {refused}", file=sys.stderr)
        return max(status(reply.code) for reply in refused.values())
    return SENT


if __name__ == "__main__":
    sys.exit(main())
