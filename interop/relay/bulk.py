"""Many messages to one domain: none is lost, and none doubled but by a kill."""

import collections
import contextlib
import pathlib
import subprocess
import sys
import tempfile
import time

from load import generate, kill_often, smtp_source
from report import Failed, expect

HERE = pathlib.Path(__file__).resolve().parent
IP, USER = "192.0.2.60", "user@sink.test"
COUNT, KILLS = 5000, 10
# How long the queue may take to be empty, in seconds.
PATIENCE = 60


class Sink:
    """The sink, and what has come to it."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="relay-")
        self.file = pathlib.Path(self.folder.name, "messages")
        self.process = subprocess.Popen(
            [sys.executable, HERE / "sink.py", IP, self.file],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.process.stdout.readline()
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()
        self.folder.cleanup()

    def messages(self):
        """The messages, each with its length."""
        lines = [line.rsplit(" ", 1) for line in self.file.read_text().splitlines()]
        return [(name, int(size)) for name, size in lines]

    def count(self):
        """How many have come."""
        return self.file.read_bytes().count(b"\n")


def source(ours, sink):
    """smtp-source sends over 20 connections; all of it comes to the sink, once."""
    began = time.monotonic()
    took = generate(25, COUNT, True, USER)
    ours.wait(lambda: sink.count() >= COUNT, f"{COUNT} messages at the sink", PATIENCE)
    whole = time.monotonic() - began
    ours.wait(lambda: not ours.queue(), "end of the queue")
    ours.stop()
    names = {name for name, _ in sink.messages()}
    expect(len(names) == COUNT, f"{len(names)} of {COUNT} have come")
    expect(sink.count() == COUNT, f"{sink.count() - COUNT} have come twice")
    return f"{COUNT} messages, {COUNT / took:.0f} a second taken, {COUNT / whole:.0f} relayed"


def kill(ours, sink):
    """kill -9 again and again: what was acknowledged comes to the sink, whole."""
    acknowledged, begun = kill_often(ours, KILLS, USER.encode())

    def lost():
        return acknowledged.keys() - {name for name, _ in sink.messages()}

    with contextlib.suppress(Failed):
        ours.wait(lambda: not lost(), "end", PATIENCE)
    expect(not lost(), f"{len(lost())} are lost, such as {sorted(lost())[:5]}")
    ours.wait(lambda: not ours.queue(), "end of the queue")
    ours.stop()
    found = sink.messages()
    times = collections.Counter(name for name, _ in found)
    cut = [name for name, size in found if acknowledged.get(name, size) != size]
    expect(not cut, f"{len(cut)} messages are not whole, such as {cut[:5]}")
    twice = sum(times.values()) - len(times)
    # Each kill may double what was being handed over when it came: one message a connection.
    expect(twice <= 20 * KILLS, f"{twice} have come twice")
    return f"{KILLS} kills, {begun} begun, {len(acknowledged)} acknowledged, none lost, {twice} twice"


def check_bulk(report, make):
    """All of it, each with a fresh server of `make`."""
    def fresh(function):
        with Sink() as sink, make() as ours:
            return function(ours, sink)

    if smtp_source():
        report.check("smtp-source through us", fresh, source)
    else:
        report.skip("smtp-source through us", "Postfix is not installed")
    report.check("kill -9", fresh, kill)
