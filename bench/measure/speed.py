"""The same functions timed by criterion."""

import json
import os
import subprocess

from . import paths
from .sheet import Goal, Sheet

OURS = "smtp-proto"


def measure(_rounds):
    """The sheets and the goals of one run."""
    manifest = paths.BENCH / "Cargo.toml"
    home = paths.BENCH_TARGET / "criterion"
    subprocess.run(
        ["cargo", "bench", "--quiet", "--manifest-path", manifest, "--target-dir", paths.BENCH_TARGET, "--bench", "speed"],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "CRITERION_HOME": str(home)},
    )
    times, octets = {}, {}
    for estimates in home.glob("*/*/new/estimates.json"):
        named = json.loads((estimates.parent / "benchmark.json").read_text())
        key = named["group_id"], named["function_id"]
        times[key] = json.loads(estimates.read_text())["median"]["point_estimate"]
        if named["throughput"]:
            octets[key] = named["throughput"]["Bytes"]

    bodies = Sheet(
        "Bodies: GB/s", "1 MiB in lines of 76.", [OURS, "memmem", "memcpy", "Stalwart", f"{OURS} to memmem"]
    )
    others = Sheet(
        "Lines and sessions: ns",
        "Medians. Ours of lines hold the answer to the question as well: a refusal, its reply written and taken away.",
        [OURS, "Stalwart", "smtp-codec", "smtp-driver", "mailin"],
    )
    goals = []
    for task in sorted({task for task, _ in times}):
        if (task, "memmem") not in times:
            others.rows[task] = [times.get((task, subject)) for subject in others.columns]
            continue
        ratio = times[task, "memmem"] / times[task, OURS]
        rates = [
            octets[task, subject] / times[task, subject] if (task, subject) in times else None
            for subject in bodies.columns[:4]
        ]
        bodies.rows[task] = [*rates, ratio]
        bound = 0.4 if "all" in task else 0.5
        goals.append(Goal(f"{task}: speed, as a ratio to memmem's", bound, ratio, least=True))
    return [bodies, others], goals
