"""Many messages at once, a kill in the middle, and one very large message."""

import hashlib
import random
import re
import shutil
import subprocess
import threading
import time

from message import TRACE
from report import expect
from wire import Closed, Wire

SENDER = "sender@client.example"
USER = "you@localhost"
# Resident memory that a message of any size may cost, in octets.
MEMORY = 64 << 20


def smtp_source():
    """The path of Postfix's load generator, if it is here."""
    return shutil.which("smtp-source") or shutil.which("smtp-source", path="/usr/sbin")


def generate(port, count, kept, to):
    """smtp-source sends `count` messages over 20 connections; gives the seconds that it took."""
    began = time.monotonic()
    command = [smtp_source(), "-s", "20", "-m", str(count), "-l", "4096", "-C", "20",
               "-M", "client.example", "-f", SENDER, "-t", to]  # fmt: skip
    if kept:
        command.append("-d")
    command.append(f"127.0.0.1:{port}")
    result = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    took = time.monotonic() - began
    expect(result.returncode == 0, f"smtp-source ended with {result.returncode}: {result.stderr}")
    return took


def source(server, count, kept):
    """`count` messages over 20 connections, kept open or new for each message."""
    server.clear()
    took = generate(server.port, count, kept, USER)
    server.wait_for(count)
    messages = server.messages()
    server.clear()
    names = {re.search(rb"(?im)^message-id: *(\S+)", message)[1] for message in messages}
    expect(len(messages) == count, f"{len(messages)} of {count} are stored")
    expect(len(names) == count, f"{count - len(names)} are stored twice")
    return f"{count} messages in {took:.1f} s, {count / took:.0f} a second"


class Sender(threading.Thread):
    """Sends messages over one connection until it breaks, and notes each 250 it got."""

    def __init__(self, port, name, to):
        super().__init__(daemon=True)
        self.port = port
        self.to = to
        self.label = name
        self.sent = 0
        self.acknowledged = []

    def run(self):
        try:
            with Wire(self.port) as wire:
                wire.greet()
                while True:
                    self.one(wire)
        except (OSError, Closed):
            pass  # the server was killed

    def one(self, wire):
        """One message."""
        name = f"{self.label}-{self.sent}"
        self.sent += 1
        wire.envelope(self.to)
        code = wire.command(b"DATA")
        text = f"Message-ID: <{name}>\r\n\r\n".encode() + b"z" * random.randrange(100, 200_000)
        wire.send(text + b"\r\n.\r\n")
        if code == 354 and wire.reply() == 250:
            self.acknowledged.append((name, len(text) + 2))


def kill_often(server, times, to):
    """kill -9 in the middle of it, again and again; gives the messages that were acknowledged, with
    their lengths, and how many were begun."""
    acknowledged = {}
    sent = 0
    for round_ in range(times):
        senders = [Sender(server.port, f"{round_}-{number}", to) for number in range(10)]
        for sender in senders:
            sender.start()
        time.sleep(random.uniform(0.5, 1.5))
        server.kill()
        for sender in senders:
            sender.join(30)
            expect(not sender.is_alive(), "a client hangs although the server is gone")
            acknowledged.update(sender.acknowledged)
            sent += sender.sent
        server.start()
        # It serves again.
        with Wire(server.port) as wire:
            wire.greet()
    expect(len(acknowledged) >= 10 * times, f"only {len(acknowledged)} were acknowledged")
    return acknowledged, sent


def stored(server):
    """The names of the stored messages, with their lengths."""
    found = {}
    for message in server.messages():
        name = re.match(rb"Message-ID: <([^>]*)>", message)
        expect(name, f"a stored message has no name: {message[:80]!r}")
        name = name[1].decode()
        expect(name not in found, f"{name} is stored twice")
        found[name] = len(message)
    return found


def kill(server, times):
    """Behind all kills, what was acknowledged is there, once, whole."""
    server.clear()
    acknowledged, sent = kill_often(server, times, USER.encode())
    until = time.monotonic() + 30
    while True:
        # Messages whose 250 was cut off are stored as well: their number says nothing.
        found = stored(server)
        lost = sorted(acknowledged.keys() - found.keys())
        if not lost or time.monotonic() > until:
            break
        time.sleep(0.1)
    server.clear()
    expect(not lost, f"{len(lost)} acknowledged messages are lost, such as {lost[:5]}")
    cut = [name for name, size in acknowledged.items() if found[name] != size]
    expect(not cut, f"{len(cut)} acknowledged messages are not whole, such as {cut[:5]}")
    return f"{times} kills, {sent} begun, {len(acknowledged)} acknowledged, all there"


def large(server, megabytes):
    """One message of `megabytes` MiB by curl, from a pipe; the server's memory stays small."""
    server.clear()
    room = shutil.disk_usage(server.path).free >> 20
    expect(room > 3 * megabytes, f"the disk has only {room} MiB free")
    head = b"From: <sender@client.example>\r\nSubject: large\r\n\r\n"
    began = time.monotonic()
    envelope = ["--mail-from", SENDER, "--mail-rcpt", USER]
    sent, size = upload(server.port, head, megabytes, *envelope)
    took = time.monotonic() - began

    server.wait_for(1, seconds=120)
    paths = server.files()
    expect(len(paths) == 1, f"{len(paths)} messages are stored:\n{server.log()[-2000:]}")
    stored = digest(paths[0], server.trace)
    server.clear()
    expect(stored == sent, "it was changed on the way")
    peak = server.peak_memory()
    expect(peak < MEMORY, f"{peak >> 20} MiB resident")
    return f"{size >> 20} MiB in {took:.1f} s, {peak / (1 << 20):.1f} MiB resident at most"


def upload(port, head, megabytes, *options):
    """Has curl send `head` and a body of `megabytes` MiB from a pipe; their SHA-256 and size."""
    line = b"0123456789abcdef" * 4 + b"0123456789.\r\n"
    block = line * ((1 << 20) // len(line))
    blocks = (megabytes << 20) // len(block) + 1
    sent = hashlib.sha256(head)
    command = ["curl", "--silent", "--show-error", "--max-time", "900", *options,
               "--upload-file", "-", f"smtp://127.0.0.1:{port}/client.example"]  # fmt: skip
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as curl:
        try:
            curl.stdin.write(head)
            for _ in range(blocks):
                curl.stdin.write(block)
                sent.update(block)
            curl.stdin.close()
        except BrokenPipeError:
            pass  # curl says why
        errors = curl.stderr.read().decode(errors="replace")
    expect(curl.returncode == 0, f"curl ended with {curl.returncode}: {errors}")
    return sent.hexdigest(), len(head) + blocks * len(block)


def digest(path, trace):
    """The SHA-256 of a stored message without its trace headers, read in pieces."""
    result = hashlib.sha256()
    with open(path, "rb") as file:
        first = file.read(65536)
        skip = TRACE.match(first).end() if trace else 0
        result.update(first[skip:])
        while piece := file.read(1 << 20):
            result.update(piece)
    return result.hexdigest()


def check_load(report, make, full):
    """All of it, each on a fresh server of `make`."""
    name = "smtp-mta"

    def fresh(function, *arguments):
        with make() as server:
            figures = function(server, *arguments)
            server.stop()
            return figures

    if smtp_source():
        count = 5000 if full else 1000
        report.check(f"{name}: smtp-source, connections kept", fresh, source, count, True)
        report.check(f"{name}: smtp-source, new connections", fresh, source, count, False)
    else:
        report.skip(f"{name}: smtp-source", "Postfix is not installed")
    report.check(f"{name}: kill -9", fresh, kill, 5)
    if shutil.which("curl"):
        megabytes = 2048 if full else 64
        report.check(f"{name}: a message of {megabytes} MiB", fresh, large, megabytes)
    else:
        report.skip(f"{name}: a large message", "curl is not installed")
