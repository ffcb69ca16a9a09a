#!/usr/bin/env python3
"""Clients as loads on one sink: CPU and time for each message, in one run, in turn.

    cargo build --release -p smtp-server-tokio -p smtp-client --examples --features smtp-client/tokio,smtp-client/smol
    (cd bench && cargo build --release)
    bench/clients.py [--rounds N]

smtp-source is Postfix's (1 KiB and 10 MiB are its -l). The sink is `tokio-sink`; it is the same for all, and
its own CPU is not counted. What counts are the ratios: the machine's speed drifts between runs.
"""

import argparse
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BENCH_TARGET = pathlib.Path(os.environ.get("BENCH_TARGET_DIR", ROOT / "bench" / "target"))

LOADS = [  # messages, octets, connections
    (10_000, 1 << 10, 20),
    (900, 1 << 10, 1),
    (1_000, 100 << 10, 20),
    (100, 10 << 20, 20),
]


def clients(address):
    """Name to the command for a load."""
    ours = TARGET / "release" / "examples"
    source = shutil.which("smtp-source", path=os.environ["PATH"] + ":/usr/sbin")
    forms = {
        "data": ["--no-pipelining"],
        "data, pipelined": [],
        "chunking, pipelined": ["--chunking"],
    }
    for runtime in ("tokio", "smol"):
        for form, flags in forms.items():
            yield f"smtp-client on {runtime}: {form}", lambda n, size, many, runtime=runtime, flags=flags: [
                ours / f"{runtime}-load", "--server", address, "--messages", str(n), "--size", str(size),
                "--connections", str(many), "--kept", "500", *flags,
            ]
    if source:
        yield "smtp-source -d", lambda n, size, many: [
            source, "-d", "-m", str(n), "-l", str(size), "-s", str(many), "-f", "load@client.example",
            "-t", "sink@mx.example", f"inet:{address}",
        ]
    yield "lettre, pooled", lambda n, size, many: [
        BENCH_TARGET / "release" / "lettre-load", address, str(n), str(size), str(many),
    ]


def run(command):
    """Seconds, and CPU seconds, of a command that must succeed."""
    before = os.times()
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300)
    after = os.times()
    if done.returncode != 0:
        sys.exit(f"{command[0]}: {done.returncode}: {done.stderr or done.stdout}")
    said = re.search(r"(\d+) sent", done.stdout)
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    return after.elapsed - before.elapsed, cpu, said and int(said.group(1))


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=3)
    rounds = arguments.parse_args().rounds
    sink = subprocess.Popen([TARGET / "release" / "examples" / "tokio-sink"], stdout=subprocess.PIPE, text=True)
    try:
        address = sink.stdout.readline().split()[-1]
        for messages, size, connections in LOADS:
            print(f"\n{messages} messages of {size >> 10} KiB over {connections} connections, kept")
            print(f"| client | messages/s | CPU µs a message | least ms a message on one connection |\n|---|---|---|---|")
            found = {}
            for _ in range(rounds):
                for name, command in clients(address):
                    seconds, cpu, sent = run(command(messages, size, connections))
                    if sent is not None and sent != messages:
                        sys.exit(f"{name}: {sent} of {messages} sent")
                    found.setdefault(name, []).append((seconds, cpu))
            for name, times in found.items():
                seconds = statistics.median(seconds for seconds, _ in times)
                cpu = statistics.median(cpu for _, cpu in times)
                each = seconds * connections / messages * 1000
                print(f"| {name} | {messages / seconds:.0f} | {cpu / messages * 1e6:.0f} | {each:.2f} |")
    finally:
        sink.kill()


if __name__ == "__main__":
    main()
