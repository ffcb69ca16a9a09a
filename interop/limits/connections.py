"""Connections that cost a server something and bring it nothing."""

import socket
import time

from ours import Mta
from report import expect
from wire import Closed, Wire

IDLE = 1000
HALF_OPEN = 100
# From one address there may be a hundred: so many come from each.
FROM_EACH = 50
# Resident memory that one of them may cost, in octets.
MEMORY_OF_ONE = 16 << 10

# The first octets of a ClientHello: a record of 512 octets of which these are all that comes.
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100)


def check(report, binaries, _arguments):
    """All of it."""
    report.check(f"{IDLE} idle connections", idle, binaries)
    report.check(f"{HALF_OPEN} TLS handshakes that stop half-way", half_open, binaries)
    report.check("too many connections from one address", too_many, binaries)


def connect(port, number):
    """A connection from the address that is the turn of `number`."""
    source = f"127.0.1.{1 + number // FROM_EACH}"
    return socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(source, 0))


def serves(mta):
    """Seconds in which somebody else is served."""
    began = time.monotonic()
    with Wire(mta.port) as wire:
        wire.greet()
        wire.envelope()
    mta.expect_alive()
    return time.monotonic() - began


def cost(mta, before, count):
    """Checks the memory; the figures."""
    grown = mta.memory() - before
    expect(grown < count * MEMORY_OF_ONE, f"{grown >> 10} KiB more for {count} connections")
    seconds = serves(mta)
    expect(seconds < 5, f"somebody else is served in {seconds:.1f} s")
    return (
        f"{grown / count / 1024:.1f} KiB each, {mta.peak_memory() / (1 << 20):.1f} MiB resident at "
        f"most, somebody else is served in {1000 * seconds:.0f} ms"
    )


def idle(binaries):
    """They have said EHLO, and say nothing more."""
    with Mta(binaries) as mta:
        serves(mta)
        before = mta.memory()
        wires = []
        for number in range(IDLE):
            wires.append(connect(mta.port, number))
        for wire in wires:
            expect(wire.recv(3) == b"220", "not greeted")
            wire.sendall(b"EHLO client.example\r\n")
        for wire in wires:
            text = b""
            while b"250 " not in text:
                text += wire.recv(4096)
        figures = cost(mta, before, IDLE)
        for wire in wires:
            wire.close()
        mta.stop()
        return figures


def half_open(binaries):
    """They begin a handshake and say nothing more."""
    with Mta(binaries, listener='tls = "implicit"\n') as mta:
        before = mta.memory()
        wires = [connect(mta.port, number) for number in range(HALF_OPEN)]
        for wire in wires:
            wire.sendall(HELLO)
        # What has come is read when a handshake behind it is done.
        with Wire(mta.port) as wire:
            wire.start_tls()
            wire.greet()
        grown, peak = mta.memory() - before, mta.peak_memory() / (1 << 20)
        expect(grown < HALF_OPEN * 4 * MEMORY_OF_ONE, f"{grown >> 10} KiB more")
        with Wire(mta.port) as wire:
            began = time.monotonic()
            wire.start_tls()
            wire.greet()
            seconds = time.monotonic() - began
        expect(seconds < 5, f"somebody else is served in {seconds:.1f} s")
        for wire in wires:
            wire.close()
        mta.stop()
        return (
            f"{grown / HALF_OPEN / 1024:.1f} KiB each, {peak:.1f} MiB resident at most, "
            f"somebody else is served in {1000 * seconds:.0f} ms"
        )


def too_many(binaries):
    """The one after a hundred from the same address hears 421, another address is served."""
    with Mta(binaries) as mta:
        wires = [Wire(mta.port) for _ in range(100)]
        codes = [wire.reply() for wire in wires]
        expect(codes == [220] * 100, f"{codes}")
        try:
            with Wire(mta.port) as wire:
                code = wire.reply()
        except Closed:
            code = 0
        expect(code in (421, 0), f"greeted with {code}")
        with connect(mta.port, 0) as other:
            expect(other.recv(3) == b"220", "another address is not greeted")
        for wire in wires:
            wire.socket.close()
        return f"then {code}"
