#!/usr/bin/env python3
"""Hands a message to an smtp-mta of its own, in a folder that is there for it, and ends when that has
nothing more to do, or after a minute of silence."""

import argparse
import json
import os
import pathlib
import re
import select
import smtplib
import subprocess
import sys

# Nothing is to come when nothing was logged for so long, in seconds: at all, and behind an attempt.
LIFE = 60
QUIET = 4


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--helo")
    parser.add_argument("--ca", help="require STARTTLS, and trust this certificate only")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--dns", help="find the host by MX, asking this name server")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("message", type=pathlib.Path)
    parser.add_argument("sender")
    parser.add_argument("recipients", nargs="+")
    return parser.parse_args()


def configure(options, folder):
    """Its configuration: all mail goes to the judge, and once more soon."""
    smarthost = {"host": options.host, "port": options.port, "tls": "off"}
    if options.ca:
        smarthost |= {"tls": "required", "ca_file": options.ca}
    if options.user:
        (folder / "password").write_text(options.password)
        smarthost |= {"login": options.user, "password_file": "password"}
    inline = ", ".join(f"{key} = {json.dumps(value)}" for key, value in smarthost.items())
    if options.dns:
        route = (
            f'name_servers = ["{options.dns}"]\n'
            f"[[route]]\nloopback = true\nport = {options.port}\n"
            # Where the message goes when it is given back.
            f'[[route]]\nrecipients = ["client.example"]\nsmarthost = {{ {inline} }}\n'
        )
    else:
        route = f"[[route]]\nsmarthost = {{ {inline} }}\n"
    (folder / "smtp-mta.toml").write_text(
        f"hostname = {json.dumps(options.helo)}\n"
        'relay_networks = ["127.0.0.0/8"]\n'
        f"{route}"
        '[[listener]]\naddress = "127.0.0.1:0"\ntls = "off"\n'
        '[[domain]]\nname = "elsewhere.example"\nmailboxes = []\n'
        '[queue.retry]\nafter = "2s 1h*"\n'
    )


def hand_over(options, port):
    """Gives it the message."""
    parameters = ["BODY=8BITMIME"]
    if not all(map(str.isascii, [options.sender, *options.recipients])):
        parameters.append("SMTPUTF8")
    with smtplib.SMTP("127.0.0.1", port) as session:
        message = options.message.read_bytes()
        session.sendmail(options.sender, options.recipients, message, parameters)


def main():
    options = parse()
    configure(options, options.folder)
    command = ["smtp-mta", "--config", "smtp-mta.toml"]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=options.folder, **pipe) as server:
        for line in server.stdout:
            listening = re.search(rb"listening on 127\.0\.0\.1:(\d+)", line)
            if not listening:
                continue
            try:
                hand_over(options, int(listening[1]))
            except smtplib.SMTPException as refused:
                server.terminate()
                return f"it does not take the message: {refused}"
            break
        # It keeps connections for the next message, which does not come.
        quiet = LIFE
        while True:
            if not select.select([server.stderr], [], [], quiet)[0]:
                server.terminate()
                quiet = None
            # To its end: it says QUIT where it has a connection.
            log = os.read(server.stderr.fileno(), 65536)
            if not log:
                return 0
            if quiet and b" delivery " in log:
                quiet = QUIET
            os.write(2, log)


if __name__ == "__main__":
    sys.exit(main())
