"""Reports of servers that do not exist: enough of them, hostile, and with one secret."""

import pathlib
import tomllib

CATALOGUE = pathlib.Path(__file__).resolve().parent.parent / "requirements.toml"
SERVERS = [
    ("Postfix", "3.7.11"), ("Exim", "4.96"), ("Sendmail", "8.17.1"), ("OpenSMTPD", "7.7.0"),
    ("Courier", "1.0.16"), ("chasquid", "1.11"), ("aiosmtpd", "1.4.6"), ("smtp-server", "3.21.6"),
    ("Haraka", "3.2.1"), ("smtp-mta", "0.1.0"),
]  # fmt: skip
HOSTILE = "</script><img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
SECRET = "octets-of-a-secret"
WITHHELD = ("exim", "SEC-TLS-01")
KNOWN = ("postfix", "SYN-11")
# The last server has the sunniest row of all, the first says something hostile in this one.
ROW = "SEQ-05"


def verdict(server, row):
    """Some verdict, always the same."""
    number = (server * 31 + row * 17 + server * row) % 97
    if server == len(SERVERS) - 1 or number >= 12:
        return "pass"
    return ["fail", "warn", "warn", "inconclusive", *["not tested", "not applicable"] * 4][number]


def reports():
    """A report for each server, by the name of its file."""
    requirements = tomllib.loads(CATALOGUE.read_text())["requirement"]
    for n, (name, version) in enumerate(SERVERS):
        key = name.lower()
        rows = [row(n, key, m, one) for m, one in enumerate(requirements)]
        yield key, {
            "schema": 1, "suite": "0.1.0", "half": "server", "server": "127.0.0.1:25",
            "software": f"{name} {version}", "date": "2026-06-15", "greeting": HOSTILE,
            "profile": "default", "seed": 7, "command": "smtp-conformance server 127.0.0.1:25",
            "remarks": [], "milliseconds": 1, "results": rows, "surprises": [],
        }  # fmt: skip


def row(server, key, number, requirement):
    """What is said of one requirement."""
    id = requirement["id"]
    said = verdict(server, number)
    reply, more = f"250 2.1.0 Ok {key} {number}", {}
    reason = "" if said == "pass" else 'expected 503; got "250 2.1.0 Ok"'
    if (key, id) == WITHHELD:
        said, reason, reply, more = "fail", SECRET, SECRET, {"withheld": True}
    if (key, id) == KNOWN:
        said, more = "fail", {"expected": "deliberate: the manual, section 3"}
    if (server, id) == (0, ROW):
        said, reason, reply = "fail", HOSTILE, f"500 {HOSTILE}"
    lines = [("server", f"220 mx.{key}.test ESMTP"), ("client", "EHLO client.example")]
    lines += [("server", f"250-{one}") for one in (f"mx.{key}.test", "PIPELINING", "SIZE", "DSN")]
    lines += [("server", "250 HELP"), ("client", f"MAIL FROM:<{id.lower()}@client.example>")]
    lines += [("server", reply), ("client", "QUIT"), ("server", "221 2.0.0 Bye"), ("note", "closed")]
    return {
        "id": id, "verdict": said, "reason": reason, "place": {"session": 0, "line": 8}, **more,
        "reference": requirement["reference"],
        "level": requirement.get("default_level", requirement["level"]),
        "pass": requirement["pass"], "fail": requirement["fail"], "why": requirement.get("why", ""),
        "sessions": [[{"who": who, "text": text} for who, text in lines]], "milliseconds": 1,
    }  # fmt: skip
