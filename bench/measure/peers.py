"""The servers that are measured: how each is started on a port."""

import os
import shutil
import subprocess
import sys
import venv

from . import paths

FLOOR = "floor on tokio"
SMOL_FLOOR = "floor on smol"
TOKIO = "smtp-server-tokio"
SMOL = "smtp-server-smol"
SINK = "Postfix smtp-sink"

AIOSMTPD = "aiosmtpd==1.4.6"
SMTP_SERVER = "smtp-server@3.21.6"


def ours(name, *words):
    """A server of this workspace."""
    return lambda port: [paths.BINARIES / name, f"127.0.0.1:{port}", *words]


def servers():
    """Name to command. What is missing is said, and left out."""
    found = {
        FLOOR: ours("floor-tokio"),
        TOKIO: ours("discard-tokio"),
        SMOL_FLOOR: ours("floor-smol"),
        SMOL: ours("discard-smol"),
    }
    sink = paths.program("smtp-sink")
    if sink is None:
        sys.exit("missing: smtp-sink, without which the floor cannot be judged (Debian: postfix)")
    # It refuses to be root.
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    found[SINK] = lambda port: [sink, *user, "-m", "1000", f"127.0.0.1:{port}", "4096"]
    found["mailin-embedded"] = ours("discard-mailin")
    if python := installed("aiosmtpd", install_aiosmtpd):
        found["aiosmtpd"] = lambda port: [python, paths.BENCH / "peers" / "aiosmtpd_server.py", port]
    if folder := installed("smtp-server", install_smtp_server):
        os.environ["NODE_PATH"] = str(folder)
        found["nodemailer smtp-server"] = lambda port: [
            "node", paths.BENCH / "peers" / "smtp_server.js", port,
        ]  # fmt: skip
    return found


def installed(name, install):
    """What `install` gives, or None if it fails."""
    try:
        return install()
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"left out: {name}: {error}", file=sys.stderr)
        return None


def install_aiosmtpd():
    """A Python that has it."""
    folder = paths.PEERS / "venv"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", AIOSMTPD], check=True)
    return python


def install_smtp_server():
    """A folder in which node finds it."""
    folder = paths.PEERS / "npm"
    if not (folder / "node_modules" / "smtp-server").exists():
        folder.mkdir(parents=True, exist_ok=True)
        npm = shutil.which("npm") or "npm"
        subprocess.run([npm, "install", "--silent", "--prefix", folder, SMTP_SERVER], check=True)
    return folder / "node_modules"
