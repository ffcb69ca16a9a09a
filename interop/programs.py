"""Other people's programs deliver a message; what lands must be what was sent."""

import json
import os
import pathlib
import re
import shutil
import smtplib
import subprocess

from message import expect_same, message
from report import Failed, expect
from wire import blind_tls

SENDER = "sender@client.example"
USER = "you@localhost"
UTF8_USER = "jürgen@localhost"
NODEMAILER = "7.0.13"
TIMEOUT = 60


def run(command, **options):
    """Runs a program to its end; fails with what it printed unless it says that all went well."""
    result = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT,
        check=False,
        **options,
    )
    output = result.stdout.decode(errors="replace")
    expect(result.returncode == 0, f"{command[0]} ended with {result.returncode}:\n{output[-1500:]}")
    return output


class Program:
    """A program that sends mail. `deliver` gives it the octets and the envelope."""

    def __init__(self, name, deliver, to=USER, eight_bit=False):
        self.name = name
        self.deliver = deliver
        self.to = to
        self.eight_bit = eight_bit

    def check(self, server):
        """Delivers a message and compares what lands."""
        server.clear()
        sent = message(self.name, self.to, self.eight_bit)
        file = server.path / "message"
        file.write_bytes(sent)
        self.deliver(server.port, file, self.to)
        expect_same(server.one_message(), sent)
        return f"{len(sent)} octets"


# ── swaks ──


def swaks(*options, program=("swaks",)):
    """swaks with `options`."""

    def deliver(port, file, to):
        # swaks puts a CRLF of its own behind the data.
        file.write_bytes(file.read_bytes().removesuffix(b"\r\n"))
        output = run(
            [*program, "--server", "127.0.0.1", "--port", port, "--helo", "client.example",
             "--from", SENDER, "--to", to, "--data", f"@{file}", "--timeout", "20", *options]
        )  # fmt: skip
        if "--tls" in options:
            expect("TLS started" in output, f"no TLS:\n{output[:1500]}")

    return deliver


def swaks_utf8(port, file, to):
    """swaks has no switch for SMTPUTF8: a copy of it sends the parameter with MAIL."""
    source = pathlib.Path(shutil.which("swaks")).read_text(errors="surrogateescape")
    line = 'my $m = "MAIL FROM:<$a>";'
    expect(source.count(line) == 1, "this swaks has another MAIL line")
    copy = file.with_name("swaks-utf8")
    patched = source.replace(line, 'my $m = "MAIL FROM:<$a> SMTPUTF8";')
    copy.write_text(patched, errors="surrogateescape")
    swaks(program=("perl", copy))(port, file, to)


def swaks_without_utf8(server):
    """An address outside ASCII without SMTPUTF8 is refused (RFC 6531 §3.5)."""
    server.clear()
    file = server.path / "message"
    file.write_bytes(message("refused", UTF8_USER))
    try:
        swaks()(server.port, file, UTF8_USER)
    except Failed as failure:
        expect("553 5.6.7" in str(failure), f"not 553 5.6.7:\n{failure}")
        expect(not server.files(), "refused, yet stored")
        return "553 5.6.7"
    raise Failed("it was accepted")


# ── curl ──


def curl(*options):
    """curl with `options`."""

    def deliver(port, file, to):
        run(["curl", "--silent", "--show-error", "--insecure", "--max-time", TIMEOUT,
             "--mail-from", SENDER, "--mail-rcpt", to, "--upload-file", file,
             *options, f"smtp://127.0.0.1:{port}/client.example"])  # fmt: skip

    return deliver


# ── Python ──


def python(tls=False, options=()):
    """smtplib of the Python that runs this."""

    def deliver(port, file, to):
        with smtplib.SMTP("127.0.0.1", port, "client.example", timeout=TIMEOUT) as client:
            if tls:
                client.starttls(context=blind_tls())
            refused = client.sendmail(SENDER, [to], file.read_bytes(), mail_options=options)
            expect(not refused, f"refused: {refused}")

    return deliver


# ── nodemailer ──

SCRIPT = """
const { readFileSync } = require('fs');
const { createTransport } = require('nodemailer');
const { port, secure, file, from, to } = JSON.parse(process.argv[2]);
createTransport({
    host: '127.0.0.1', port, name: 'client.example',
    requireTLS: secure, ignoreTLS: !secure, tls: { rejectUnauthorized: false },
}).sendMail({ envelope: { from, to: [to] }, raw: readFileSync(file) }, error => {
    if (error) { console.error(error); process.exit(1); }
});
"""


def nodemailer(cache, secure=False):
    """nodemailer, installed in `cache`."""

    def deliver(port, file, to):
        script = file.with_name("send.js")
        script.write_text(SCRIPT)
        order = {"port": port, "secure": secure, "file": str(file), "from": SENDER, "to": to}
        environment = {**os.environ, "NODE_PATH": str(cache / "node_modules")}
        run(["node", script, json.dumps(order)], env=environment)

    return deliver


def install_nodemailer(cache):
    """Installs the pinned nodemailer once; false if that is not possible."""
    package = cache / "node_modules" / "nodemailer" / "package.json"
    if package.exists() and json.loads(package.read_text())["version"] == NODEMAILER:
        return True
    if not shutil.which("npm"):
        return False
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "package.json").write_text('{ "private": true }')
    run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", f"nodemailer@{NODEMAILER}"],
        cwd=cache)  # fmt: skip
    return True


# ── msmtp ──


def msmtp(*options):
    """msmtp without a configuration file."""

    def deliver(port, file, to):
        with open(file, "rb") as octets:
            run(["msmtp", "--host=127.0.0.1", f"--port={port}", "--domain=client.example",
                 "--auth=off", f"--from={SENDER}", "--timeout=20", *options, "--", to],
                stdin=octets)  # fmt: skip

    return deliver


def programs(cache):
    """All programs in all their ways to deliver, by the executable that each needs."""
    utf8 = ["SMTPUTF8", "BODY=8BITMIME"]
    return {
        "swaks": [
            Program("swaks", swaks()),
            Program("swaks pipelining", swaks("--pipeline")),
            Program("swaks STARTTLS", swaks("--tls")),
            Program("swaks STARTTLS, pipelining", swaks("--tls", "--pipeline")),
            Program("swaks SMTPUTF8", swaks_utf8, to=UTF8_USER, eight_bit=True),
        ],
        "curl": [
            Program("curl", curl()),
            Program("curl STARTTLS", curl("--ssl-reqd")),
        ],
        "python3": [
            Program("smtplib", python()),
            Program("smtplib STARTTLS", python(tls=True)),
            Program("smtplib 8BITMIME", python(options=["BODY=8BITMIME"]), eight_bit=True),
            Program("smtplib SMTPUTF8", python(options=utf8), to=UTF8_USER, eight_bit=True),
        ],
        "node": [
            Program("nodemailer", nodemailer(cache)),
            Program("nodemailer STARTTLS", nodemailer(cache, secure=True)),
            Program("nodemailer SMTPUTF8", nodemailer(cache), to=UTF8_USER, eight_bit=True),
        ],
        "msmtp": [
            Program("msmtp", msmtp()),
            Program("msmtp STARTTLS", msmtp("--tls=on", "--tls-starttls=on", "--tls-certcheck=off")),
        ],
    }


def check_programs(report, server, cache):
    """Every program that is installed delivers to `server`."""
    for executable, ways in programs(cache).items():
        if not shutil.which(executable):
            report.skip(f"{server.name}: {ways[0].name}", f"{executable} is not installed")
            continue
        if executable == "node":
            try:
                installed = install_nodemailer(cache)
            except Failed as failure:
                report.skip(f"{server.name}: nodemailer", re.sub(r"\s+", " ", str(failure))[:200])
                continue
            if not installed:
                report.skip(f"{server.name}: nodemailer", "npm is not installed")
                continue
        for way in ways:
            report.check(f"{server.name}: {way.name}", way.check, server)
    if shutil.which("swaks"):
        report.check(f"{server.name}: swaks without SMTPUTF8", swaks_without_utf8, server)
