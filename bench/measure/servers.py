"""Discarding servers: CPU for each message beside the floor's, in one run, in turn."""

import collections
import re
import statistics
import subprocess
import sys
import tempfile

from . import paths
from .peers import FLOOR, SINK, SMOL, SMOL_FLOOR, TOKIO, servers
from .server import running
from .sheet import Goal, Sheet

CONNECTIONS = 20
SECONDS = 1.0
MOST_MESSAGES = 100_000

LOADS = {  # octets, mode of session-load
    "1 KiB, kept": (1 << 10, "kept"),
    "10 KiB, kept": (10 << 10, "kept"),
    "100 KiB, kept": (100 << 10, "kept"),
    "1 KiB, pipelined": (1 << 10, "pipelined"),
    "1 KiB, new": (1 << 10, "new"),
    "10 KiB, new": (10 << 10, "new"),
    "100 KiB, new": (100 << 10, "new"),
}

OVER_FLOOR = 1.25


def load(address, octets, mode, seconds=SECONDS, most=MOST_MESSAGES):
    """Messages and seconds of one load."""
    command = [paths.BINARIES / "session-load", address, octets, CONNECTIONS, seconds, most, mode]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120)
    if done.returncode:
        sys.exit(f"{command}: {done.stderr}")
    messages, seconds = done.stdout.split()
    return int(messages), float(seconds)


def measure(rounds):
    """The sheets and the goals of one run."""
    all_servers = servers()
    # Of each server and load: CPU µs a message, messages a second, by round.
    cpu = {name: collections.defaultdict(list) for name in all_servers}
    rate = {name: collections.defaultdict(list) for name in all_servers}
    for _ in range(rounds):
        for what, (octets, mode) in LOADS.items():
            for name, command in all_servers.items():
                with running(command) as server:
                    load(server.address, octets, mode, seconds=0.05)
                    before = server.cpu()
                    messages, seconds = load(server.address, octets, mode)
                    cpu[name][what].append((server.cpu() - before) / messages * 1e6)
                    rate[name][what].append(messages / seconds)

    def ratio(name, floor, what):
        """Median of the ratios within a round."""
        return statistics.median(a / b for a, b in zip(cpu[name][what], cpu[floor][what]))

    of_floor = Sheet(
        "Discarding servers: CPU for each message",
        f"As a ratio to the {FLOOR}, whose µs stand in the first row. {CONNECTIONS} connections; median of"
        f" {rounds} rounds. Kept and new: one command at a time; pipelined: in groups (RFC 2920).",
        list(LOADS),
    )
    of_floor.rows[f"{FLOOR}, µs"] = [statistics.median(cpu[FLOOR][what]) for what in LOADS]
    rates = Sheet(
        "Discarding servers: messages a second",
        "Client and server share the machine, and the client takes turns, so this shows stalls rather than limits.",
        list(LOADS),
    )
    for name in all_servers:
        if name != FLOOR:
            of_floor.rows[name] = [ratio(name, FLOOR, what) for what in LOADS]
        rates.rows[name] = [statistics.median(rate[name][what]) for what in LOADS]
    of_floor.rows[f"{SMOL} to the {SMOL_FLOOR}"] = [ratio(SMOL, SMOL_FLOOR, what) for what in LOADS]

    goals = []
    for what in LOADS:
        for ours, floor in ((TOKIO, FLOOR), (SMOL, SMOL_FLOOR)):
            goals.append(Goal(f"{ours} to its floor, {what}", OVER_FLOOR, ratio(ours, floor, what)))
        for ours in (TOKIO, SMOL):
            goals.append(Goal(f"{ours} to smtp-sink, {what}", 1.0, ratio(ours, SINK, what)))
    void = [what for what in LOADS if ratio(FLOOR, SINK, what) >= 1]
    if void:
        sys.exit(f"VOID: the {FLOOR} costs more than {SINK}: {'; '.join(void)}")
    return [of_floor, rates, *system_calls(all_servers)], goals


def system_calls(all_servers):
    """A sheet of the system calls for each message, if strace is there."""
    strace = paths.program("strace")
    if strace is None:
        print("left out: system calls: strace is missing", file=sys.stderr)
        return []
    loads = ["1 KiB, kept", "100 KiB, kept", "1 KiB, pipelined", "1 KiB, new"]
    sheet = Sheet("Discarding servers: system calls for each message", "Counted by strace, all threads.", loads)
    for name, command in all_servers.items():
        sheet.rows[name] = [calls(strace, command, *LOADS[what]) for what in loads]
    return [sheet]


def calls(strace, command, octets, mode):
    """System calls for each message: those of a longer run less those of a shorter one."""
    counted = []
    for messages in (200, 600):
        with running(command) as server, tempfile.NamedTemporaryFile(mode="r") as output:
            follow = [strace, "-c", "-f", "-qq", "-U", "calls", "-o", output.name, "-p", str(server.process.pid)]
            tracer = subprocess.Popen(follow, stderr=subprocess.DEVNULL)
            server.wait_until_traced()
            sent, _ = load(server.address, octets, mode, seconds=60, most=messages)
            tracer.terminate()
            tracer.wait()
            counted.append((int(re.search(r"(\d+) total", output.read()).group(1)), sent))
    (few, sent_few), (many, sent_many) = counted
    return (many - few) / (sent_many - sent_few)
