"""Clients as loads on one server: CPU and time for each message, in one run, in turn."""

import os
import re
import statistics
import subprocess
import sys

from . import paths
from .peers import ours
from .server import running
from .sheet import Goal, Sheet

LOADS = {  # messages, octets, connections
    "1 KiB, 20 connections": (10_000, 1 << 10, 20),
    "1 KiB, 1 connection": (900, 1 << 10, 1),
    "100 KiB, 20 connections": (1_000, 100 << 10, 20),
    "10 MiB, 20 connections": (100, 10 << 20, 20),
}
MANY, ONE, LARGE, _ = LOADS
FORMS = {
    "one by one": ["--no-pipelining"],
    "pipelined": [],
    "BDAT, pipelined": ["--chunking"],
}
SOURCE = "smtp-source"
STALL = 20  # ms; what is slower waited for a timer


def clients(address):
    """Name to the command for a load."""
    found = {}
    for runtime in ("tokio", "smol"):
        for form, flags in FORMS.items():
            found[f"smtp-client on {runtime}, {form}"] = lambda n, size, many, runtime=runtime, flags=flags: [
                paths.EXAMPLES / f"{runtime}-load", "--server", address, "--messages", n, "--size", size,
                "--connections", many, "--kept", 500, *flags,
            ]  # fmt: skip
    source = paths.program("smtp-source")
    if source is None:
        sys.exit("missing: smtp-source (Debian: postfix)")
    found[SOURCE] = lambda n, size, many: [
        source, "-d", "-m", n, "-l", size, "-s", many, "-f", "load@client.example", "-t", "sink@mx.example",
        f"inet:{address}",
    ]  # fmt: skip
    found["lettre, pooled"] = lambda n, size, many: [paths.BINARIES / "lettre-load", address, n, size, many]
    return found


def run(command, messages):
    """Seconds, and CPU seconds, of a command that must send so many."""
    before = os.times()
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300)
    after = os.times()
    said = re.match(r"(\d+) (sent|messages)", done.stdout)
    if done.returncode or said and int(said.group(1)) != messages:
        sys.exit(f"{command}: {done.stderr or done.stdout}")
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    return after.elapsed - before.elapsed, cpu


def measure(rounds):
    """The sheets and the goals of one run."""
    cpu, time = {}, {}
    with running(ours("discard-tokio")) as server:
        for _ in range(rounds):
            for what, load in LOADS.items():
                for name, command in clients(server.address).items():
                    messages, _, connections = load
                    seconds, used = run(command(*load), messages)
                    cpu.setdefault((name, what), []).append(used / messages * 1e6)
                    time.setdefault((name, what), []).append(seconds / messages * connections * 1e3)
    names = list(dict.fromkeys(name for name, _ in cpu))

    def ratio(name, what):
        """Median of the ratios to smtp-source within a round."""
        return statistics.median(a / max(b, 1e-9) for a, b in zip(cpu[name, what], cpu[SOURCE, what]))

    of_source = Sheet(
        "Clients: CPU for each message",
        f"As a ratio to {SOURCE}, whose µs stand in the first row; connections are kept. Median of {rounds} rounds.",
        list(LOADS),
    )
    of_source.rows[f"{SOURCE}, µs"] = [statistics.median(cpu[SOURCE, what]) for what in LOADS]
    each = Sheet("Clients: ms for each message on its connection", "A stall of 40 ms would show here.", list(LOADS))
    for name in names:
        if name != SOURCE:
            of_source.rows[name] = [ratio(name, what) for what in LOADS]
        each.rows[name] = [statistics.median(time[name, what]) for what in LOADS]
    goals = []
    for name in names[:-2]:
        goals.append(Goal(f"{name}, 1 KiB: CPU, as a ratio to {SOURCE}", 1.0, ratio(name, MANY)))
        goals.append(Goal(f"{name}, 100 KiB: CPU, as a ratio to {SOURCE}", 2.0, ratio(name, LARGE)))
        goals.append(Goal(f"{name}: ms a message on one connection", STALL, each.rows[name][list(LOADS).index(ONE)]))
    return [of_source, each], goals
