"""Where things are."""

import os
import pathlib
import shutil

BENCH = pathlib.Path(__file__).resolve().parent.parent
ROOT = BENCH.parent

# Of the workspace, and of bench/, which is one by itself. One folder for both saves building twice.
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BENCH_TARGET = pathlib.Path(os.environ.get("BENCH_TARGET_DIR", BENCH / "target"))
EXAMPLES = TARGET / "release" / "examples"
BINARIES = BENCH_TARGET / "release"

# What other people's servers need is installed here, and the figures of each stage are kept here.
PEERS = BENCH_TARGET / "peers"
RESULTS = BENCH_TARGET / "results"


def program(name):
    """The path of an installed program, or None; those of mail servers are often in sbin."""
    return shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
