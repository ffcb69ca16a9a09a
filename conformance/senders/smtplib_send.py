#!/usr/bin/env python3
"""Sends one message with smtplib: exit status 0 if it was sent to all, 75 if it may be tried again,
69 if not."""

import argparse
import smtplib
import ssl
import sys

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


def send(options):
    with open(options.message, "rb") as file:
        message = file.read()
    where = dict(local_hostname=options.helo, timeout=options.timeout)
    with smtplib.SMTP(options.host, options.port, **where) as server:
        if options.ca:
            server.starttls(context=ssl.create_default_context(cafile=options.ca))
        if options.user:
            server.login(options.user, options.password)
        parameters = []
        server.ehlo_or_helo_if_needed()
        if options.utf8:
            parameters.append("SMTPUTF8")
        if server.has_extn("8bitmime"):
            parameters.append("BODY=8BITMIME")
        return server.sendmail(options.sender, options.recipients, message, parameters)


def status(code):
    return PERMANENT if 500 <= code < 600 else TEMPORARY


def main():
    try:
        refused = send(parse())
    except smtplib.SMTPResponseException as error:
        print(error, file=sys.stderr)
        return status(error.smtp_code)
    except smtplib.SMTPRecipientsRefused as error:
        print(error, file=sys.stderr)
        return max(status(code) for code, _ in error.recipients.values())
    except (smtplib.SMTPNotSupportedError, ValueError) as error:
        print(error, file=sys.stderr)
        return PERMANENT
    except (smtplib.SMTPException, OSError) as error:
        print(repr(error), file=sys.stderr)
        return TEMPORARY
    if refused:
        print(f"refused: {refused}", file=sys.stderr)
        return max(status(code) for code, _ in refused.values())
    return SENT


if __name__ == "__main__":
    sys.exit(main())
