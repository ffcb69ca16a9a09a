"""Other people's programs deliver a message; what lands must be what was sent."""

import base64
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


def curl(*options, scheme="smtp"):
    """curl with `options`."""

    def deliver(port, file, to):
        run(["curl", "--silent", "--show-error", "--insecure", "--max-time", TIMEOUT,
             "--mail-from", SENDER, "--mail-rcpt", to, "--upload-file", file,
             *options, f"{scheme}://127.0.0.1:{port}/client.example"])  # fmt: skip

    return deliver


# ── Python ──


def python(tls=False, options=(), login=None):
    """smtplib of the Python that runs this; `login` authenticates the client it is given."""

    def deliver(port, file, to):
        with smtplib.SMTP("127.0.0.1", port, "client.example", timeout=TIMEOUT) as client:
            if tls:
                client.starttls(context=blind_tls())
            if login:
                login(client)
            refused = client.sendmail(SENDER, [to], file.read_bytes(), mail_options=options)
            expect(not refused, f"refused: {refused}")

    return deliver


# ── nodemailer ──

SCRIPT = """
const { readFileSync } = require('fs');
const { createTransport } = require('nodemailer');
const { port, secure, auth, file, from, to } = JSON.parse(process.argv[2]);
createTransport({
    host: '127.0.0.1', port, name: 'client.example', ...auth,
    requireTLS: secure, ignoreTLS: !secure, tls: { rejectUnauthorized: false },
}).sendMail({ envelope: { from, to: [to] }, raw: readFileSync(file) }, error => {
    if (error) { console.error(error); process.exit(1); }
});
"""


def nodemailer(cache, secure=False, auth=None):
    """nodemailer, installed in `cache`; `auth` are its options for AUTH."""

    def deliver(port, file, to):
        script = file.with_name("send.js")
        script.write_text(SCRIPT)
        order = {"port": port, "secure": secure, "auth": auth or {},
                 "file": str(file), "from": SENDER, "to": to}  # fmt: skip
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

MSMTP_TLS = ("--tls=on", "--tls-starttls=on", "--tls-certcheck=off")


def msmtp(*options):
    """msmtp without a configuration file."""

    def deliver(port, file, to):
        with open(file, "rb") as octets:
            run(["msmtp", "--host=127.0.0.1", f"--port={port}", "--domain=client.example",
                 f"--from={SENDER}", "--timeout=20", *options, "--", to],
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
            Program("msmtp", msmtp("--auth=off")),
            Program("msmtp STARTTLS", msmtp("--auth=off", *MSMTP_TLS)),
        ],
    }


def submitters(cache, user, password):
    """All programs that authenticate inside TLS, with each mechanism, by executable."""
    def smtplib_login(mechanism):
        def login(client):
            client.ehlo()
            client.user, client.password = user, password
            code, _ = client.auth(mechanism, getattr(client, f"auth_{mechanism.lower()}"))
            expect(code == 235, f"{code} for AUTH {mechanism}")

        return login

    ways = {"swaks": [], "curl": [], "python3": [], "node": [], "msmtp": []}
    for mechanism in ("PLAIN", "LOGIN"):
        ways["swaks"].append(Program(
            f"swaks AUTH {mechanism}",
            swaks("--tls", "--auth", mechanism, "--auth-user", user, "--auth-password", password),
        ))  # fmt: skip
        ways["curl"].append(Program(
            f"curl AUTH {mechanism}",
            curl("--ssl-reqd", "--user", f"{user}:{password}",
                 "--login-options", f"AUTH={mechanism}"),
        ))  # fmt: skip
        ways["python3"].append(Program(
            f"smtplib AUTH {mechanism}", python(tls=True, login=smtplib_login(mechanism))
        ))  # fmt: skip
        ways["node"].append(Program(
            f"nodemailer AUTH {mechanism}",
            nodemailer(cache, secure=True, auth={
                "auth": {"user": user, "pass": password}, "authMethod": mechanism,
            }),
        ))  # fmt: skip
        ways["msmtp"].append(Program(
            f"msmtp AUTH {mechanism}",
            msmtp(*MSMTP_TLS, f"--auth={mechanism.lower()}", f"--user={user}",
                  f"--passwordeval=echo '{password}'"),
        ))  # fmt: skip
    return ways


def check_refusals(server):
    """Without TLS, without AUTH and with a wrong password nothing is taken."""
    server.clear()
    with smtplib.SMTP("127.0.0.1", server.port, "client.example", timeout=TIMEOUT) as client:
        client.ehlo()
        expect(not client.has_extn("auth"), "AUTH is offered in clear")
        response = base64.b64encode(f"\0{server.user}\0{server.password}".encode()).decode()
        clear = client.docmd("AUTH", f"PLAIN {response}")[0]
        early = client.mail(SENDER)[0]
        client.starttls(context=blind_tls())
        client.ehlo()
        mail = client.mail(SENDER)[0]
        client.user, client.password = server.user, "wrong"
        wrong = []
        for mechanism, method in (("PLAIN", client.auth_plain), ("LOGIN", client.auth_login)):
            try:
                wrong.append(client.auth(mechanism, method)[0])
            except smtplib.SMTPAuthenticationError as error:
                wrong.append(error.smtp_code)
        after = client.mail(SENDER)[0]
    codes = [clear, early, mail, *wrong, after]
    expect(codes[0] >= 500 and codes[1:] == [530, 530, 535, 535, 530], f"{codes}")
    expect(not server.files(), "something is stored")
    return f"{codes}"


def check_ways(report, server, cache, all_ways):
    """Every program of `all_ways` that is installed delivers to `server`."""
    for executable, ways in all_ways.items():
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


def check_programs(report, server, cache):
    """Every program delivers to `server`, which takes mail from anybody."""
    check_ways(report, server, cache, programs(cache))
    if shutil.which("swaks"):
        report.check(f"{server.name}: swaks without SMTPUTF8", swaks_without_utf8, server)


def check_submission(report, server, cache):
    """Every program delivers to `server` once it has authenticated, and nobody else does."""
    check_ways(report, server, cache, submitters(cache, server.user, server.password))
    report.check(f"{server.name}: nothing without TLS, AUTH and the password", check_refusals, server)
