"""Instructions and allocations of the pure functions, counted: no clock has a part in it."""

import collections
import concurrent.futures
import os
import re
import subprocess
import sys

from . import paths
from .sheet import Goal, Sheet

COUNT = paths.BINARIES / "count"
OURS, STALWART, ARGUMENTS = "smtp-proto", "Stalwart", "arguments"

PARSED = ["EHLO", "MAIL", "MAIL, 5 parameters", "RCPT", "one-line reply", "EHLO answer"]


def listed(program):
    """The lines that a program prints, by their fields."""
    done = subprocess.run([program], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{program.name}: {done.stderr}")
    return [line.split("\t") for line in done.stdout.splitlines()]


def instructions(valgrind, task, subject, octets):
    """Those of one run: what twice as many runs cost more, by their number."""
    times = 100 if octets == "-" else 2
    totals = []
    for repeat in (times, 2 * times):
        command = [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*counted*"]
        done = subprocess.run([*command, COUNT, task, subject, str(repeat)], capture_output=True, text=True)
        collected = re.search(r"Collected : (\d+)", done.stderr)
        if done.returncode or collected is None:
            sys.exit(f"callgrind: {task}, {subject}: {done.stderr}")
        totals.append(int(collected.group(1)))
    return (totals[1] - totals[0]) / times


def measure(_rounds):
    """The sheets and the goals of one run."""
    valgrind = paths.program("valgrind")
    if valgrind is None:
        sys.exit("missing: valgrind (Debian: valgrind)")
    cases = listed(COUNT)
    allocations = {(task, subject): int(n) for task, subject, n in listed(paths.BINARIES / "allocations")}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        counted = list(pool.map(lambda case: instructions(valgrind, *case), cases))
    found = {(task, subject): n for (task, subject, _), n in zip(cases, counted)}
    octets = {task: int(n) for task, _, n in cases if n != "-"}
    subjects = collections.defaultdict(list)
    for task, subject, _ in cases:
        subjects[task].append(subject)

    lines = Sheet(
        "From a line to a typed command or reply: instructions (allocations)",
        "Ours is the machine's whole step: it finds the line, judges its order, parses it, opens the question and"
        " stops a timer. Stalwart's is `Request::parse`, which does not know what was offered. Arguments: what follows the"
        " verb, by our parser alone.",
        [OURS, STALWART, "smtp-codec", ARGUMENTS, f"{OURS} to {STALWART}"],
    )
    sessions = Sheet(
        "Sessions in memory: instructions (allocations)",
        "The driver's begin with the connection and end with QUIT; the machine's and mailin's are one more"
        " transaction of a session that has had others.",
        [OURS, "smtp-driver", "mailin"],
    )
    bodies = Sheet(
        "Bodies: instructions for each octet",
        "Lines of 76. memmem looks for the dots alone, and Stalwart copies; nobody but us is strict about line endings.",
        [OURS, "memmem", STALWART],
    )

    def both(task, subject):
        if (task, subject) not in found:
            return None
        return f"{found[task, subject]:,.0f} ({allocations[task, subject]})"

    goals = []
    for task in subjects:
        if task in PARSED:
            ratio = found[task, OURS] / found[task, STALWART]
            lines.rows[task] = [*(both(task, subject) for subject in lines.columns[:4]), ratio]
            bound = 1.0 if "parameters" in task else 1.25
            goals.append(Goal(f"{task}: instructions, as a ratio to Stalwart's", bound, ratio))
            goals.append(Goal(f"{task}: allocations", 0, allocations[task, OURS]))
        elif task in octets and STALWART in subjects[task] or task.startswith("send"):
            bodies.rows[task] = [
                found[task, subject] / octets[task] if (task, subject) in found else None
                for subject in bodies.columns
            ]
        else:
            sessions.rows[task] = [both(task, subject) for subject in sessions.columns]
    many = "100 recipients, pipelined"
    goals.append(Goal(f"{many}, through the machine: allocations", 0, allocations[many, OURS]))
    return [lines, sessions, bodies], goals
