"""The cells of a row: each is one thing that a client does with a server.

A cell passes when what the server has stored is what was sent, octet for octet behind its trace
headers, when each recipient has the outcome that the server gave it, and when the dialogue shows
that the thing was done.
"""

from message import message
from peers import HOST
from report import expect
from target import address, message_id
from zone import name_server

# More than any server here takes.
TOO_LARGE = 4 * 1024 * 1024
FAILED_FOR_GOOD = 69


class NotOffered(Exception):
    """The server does not have the extension that the cell is about."""


def need(condition):
    """Ends the cell unless the server offers what it is about."""
    if not condition:
        raise NotOffered


def letter(target, cell, eight_bit=False, to="user1"):
    """A message of 28 kB that is no other's."""
    return message(f"{target.name}.{cell}".replace(" ", "-"), address(to), eight_bit)


def long_letter(target, cell, octets):
    """A message of about so many octets, in lines of 78."""
    line = b"x" * 76 + b"\r\n"
    return letter(target, cell) + line * (octets // len(line))


def statuses(**users):
    """The recipients with what becomes of them."""
    return [(address(user), status) for user, status in users.items()]


def plain(target):
    """A message in clear."""
    outcome = target.deliver(letter(target, "plain"))
    outcome.expect_sent("LHLO" if target.lmtp else "EHLO")
    outcome.expect_unsent("STARTTLS")


def starttls(target):
    """A message in TLS, which the client insists on; the certificate is verified."""
    need("starttls" in target.offered)
    outcome = target.deliver(letter(target, "starttls"), *target.tls())
    outcome.expect_sent("STARTTLS")
    outcome.expect(len(outcome.commands("LHLO" if target.lmtp else "EHLO")) == 2, "not two EHLOs")


def verified(target):
    """A certificate of another CA, or for another name, and nothing is sent."""
    need("starttls" in target.offered)
    for wrong in (target.tls(ca="other-ca.pem"), target.tls(name="other.example.test")):
        outcome = target.send(letter(target, "verified"), ["user1"], *wrong)
        outcome.expect(outcome.exit_code not in (0, 2), "no failure")
        outcome.expect_sent("STARTTLS")
        outcome.expect_unsent("MAIL")


def implicit_tls(target):
    """A message in TLS from the first octet."""
    need(target.implicit)
    place = target.place(target.server(implicit=True))
    outcome = target.deliver(letter(target, "implicit"), *target.tls("implicit"), place=place)
    outcome.expect_unsent("STARTTLS")


def by_mx(target):
    """The server is found by the MX of the recipient's domain, and verified by the MX's name."""
    need(not target.lmtp)
    with name_server() as dns:
        port = target.peer.ports["address"]
        place = ["--dns", f"127.0.0.1:{dns}", "--port", port]
        words = ["--tls", "required", "--ca", target.peer.path / "ca.pem"]
        outcome = target.deliver(letter(target, "mx"), *words, place=place)
    outcome.expect_sent("STARTTLS")
    outcome.expect(outcome.recipients[0].host == HOST, f"not by {HOST}")


def auth(mechanism):
    """A message after AUTH with that mechanism."""

    def cell(target):
        need(mechanism in target.mechanisms())
        sent = letter(target, f"auth-{mechanism}")
        outcome = target.deliver(sent, *target.auth(mechanism))
        outcome.expect_sent("AUTH", f"AUTH {mechanism}")
        outcome.expect_reply(235)

    return cell


def best_auth(target):
    """Left to choose, the client takes the best that is offered."""
    offered = target.mechanisms()
    need(offered)
    best = next(one for one in ("SCRAM-SHA-256", "PLAIN", "LOGIN") if one in offered)
    outcome = target.deliver(letter(target, "auth"), *target.auth())
    outcome.expect_sent("AUTH", f"AUTH {best}")
    outcome.expect_reply(235)


def wrong_password(target):
    """A wrong password, and nothing is sent."""
    need(target.mechanisms())
    wrong = target.peer.path / "wrong-password"
    wrong.write_text("not it")
    outcome = target.send(letter(target, "wrong"), ["user1"], *target.auth(password=wrong))
    outcome.expect(outcome.exit_code not in (0, 2), "no failure")
    outcome.expect_reply(535)
    outcome.expect_unsent("MAIL")


def pipelining(target):
    """MAIL, RCPT and DATA in one go, and not if the client is told so."""
    need("pipelining" in target.offered)
    users = ["user1", "user2", "user3"]
    outcome = target.deliver(letter(target, "pipelining"), users=users)
    outcome.expect(outcome.groups >= 3, "not grouped")
    outcome = target.deliver(letter(target, "one by one"), "--no-pipelining", users=users)
    outcome.expect(outcome.groups == 0, "grouped, although told not to")


def chunking(target):
    """Messages by BDAT, a short and a long one."""
    need("chunking" in target.offered)
    short, long = letter(target, "chunk"), long_letter(target, "chunks", 1024 * 1024)
    for sent in (short, long):
        outcome = target.deliver(sent, "--chunking", users=["user1", "user2"])
        outcome.expect_sent("BDAT")
        outcome.expect_unsent("DATA")


def smtputf8(target):
    """A recipient outside ASCII; refused with 5.6.7 where SMTPUTF8 is not offered."""
    sent = letter(target, "smtputf8", eight_bit=True, to="jürgen")
    if "smtputf8" in target.offered:
        outcome = target.deliver(sent, "--body-type", "8bitmime", users=["jürgen"])
        outcome.expect_sent("MAIL", " SMTPUTF8")
        return
    outcome = target.send(sent, ["jürgen"], "--body-type", "8bitmime")
    outcome.expect_statuses(statuses(jürgen="failed"), FAILED_FOR_GOOD)
    outcome.expect(outcome.recipients[0].enhanced == "5.6.7", "not 5.6.7")
    outcome.expect_unsent("RCPT")
    raise NotOffered


def dsn(target):
    """What the client asks for is sent, and a report on success comes."""
    need("dsn" in target.offered)
    sent = letter(target, "dsn")
    envid = f"envelope-{target.name}"
    options = ["--notify", "success,failure", "--ret", "hdrs", "--envid", envid]
    outcome = target.deliver(sent, *options, sender=address("sender"))
    outcome.expect_sent("MAIL", " RET=HDRS")
    outcome.expect_sent("MAIL", f" ENVID={envid}")
    outcome.expect_sent("RCPT", " NOTIFY=SUCCESS,FAILURE")
    report = target.text(target.wait("sender", message_id(sent))[0])
    expect(b"content-type: message/delivery-status" in report.lower(), "the report has no status")
    expect(b"Content-Disposition" not in report, "the report has more than the header")
    if target.peer.reports_envid:
        named = f"original-envelope-id: {envid}".encode() in report.lower()
        expect(named, f"the report does not name {envid}")


def eight_bit(target):
    """Octets above 127, declared."""
    need("8bitmime" in target.offered)
    sent = letter(target, "8bitmime", eight_bit=True)
    outcome = target.deliver(sent, "--body-type", "8bitmime")
    outcome.expect_sent("MAIL", " BODY=8BITMIME")


def size(target):
    """A message above the limit that the server tells: it is not even begun."""
    need(target.offered.get("size", "").strip())
    outcome = target.send(long_letter(target, "size", TOO_LARGE), ["user1"])
    outcome.expect_statuses(statuses(user1="failed"), FAILED_FOR_GOOD)
    outcome.expect_unsent("DATA")
    outcome.expect_unsent("BDAT")


def one_refused(target):
    """One of two recipients is unknown: the other has the message."""
    sent = letter(target, "refused")
    for users in (["unknown", "user1"], ["user1", "unknown"]):
        outcome = target.send(sent, users)
        outcome.expect_statuses(statuses(unknown="failed", user1="sent"), FAILED_FOR_GOOD)
        refused = next(one for one in outcome.recipients if one.status == "failed")
        outcome.expect(refused.code.startswith("55"), f"{refused.code} for the unknown one")
        target.arrives("user1", sent)


def dots(target):
    """Lines of dots by DATA."""
    lines = [b"." * (number % 5) + b"x" * (number % 3) for number in range(5000)]
    sent = letter(target, "dots") + b"\r\n".join([*lines, b".", b"..", b"."]) + b"\r\n"
    target.deliver(sent).expect_sent("DATA")


def one_mebibyte(target):
    """A message of 1 MiB by DATA."""
    target.deliver(long_letter(target, "mebibyte", 1024 * 1024)).expect_sent("DATA")


def pool(target):
    """20 messages over one connection."""
    outcome = target.deliver(letter(target, "pool"), "--repeat", "20", copies=20)
    hellos = len(outcome.commands("LHLO" if target.lmtp else "EHLO"))
    outcome.expect(hellos == 1, f"{hellos} connections")
    outcome.expect(len(outcome.commands("MAIL")) == 20, "not 20 times MAIL")


def lmtp_unknown(target):
    """LMTP: one of three recipients is unknown, the others have the message."""
    need(target.lmtp)
    sent = letter(target, "lmtp")
    outcome = target.send(sent, ["user1", "unknown", "user2"])
    outcome.expect_statuses(statuses(user1="sent", unknown="failed", user2="sent"), FAILED_FOR_GOOD)
    for user in ("user1", "user2"):
        target.arrives(user, sent)


def lmtp_full(target):
    """LMTP: one recipient is refused after the message, by a reply of its own."""
    need(target.lmtp)
    sent = letter(target, "lmtp-full")
    # The unknown one has no reply after the message: those that follow must not be mistaken for it.
    outcome = target.send(sent, ["unknown", "full", "user1", "user2"])
    expected = statuses(unknown="failed", full="failed", user1="sent", user2="sent")
    outcome.expect_statuses(expected, FAILED_FOR_GOOD)
    full = next(one for one in outcome.recipients if one.address == address("full"))
    outcome.expect((full.code, full.enhanced) == ("552", "5.2.2"), "not 552 5.2.2")
    data = next(n for n, line in enumerate(outcome.trace) if line.startswith("C: DATA"))
    late = any(line.startswith("S: 552 5.2.2") for line in outcome.trace[data:])
    outcome.expect(late, "it was not refused after the message")
    for user in ("user1", "user2"):
        target.arrives(user, sent)


def nothing_else(target):
    """Nothing is stored that was refused, or twice. The last cell."""
    others = target.others()
    expect(not others, f"also stored: {[str(path) for path in others]}")


CELLS = {
    "plain": plain,
    "STARTTLS": starttls,
    "TLS verified": verified,
    "implicit TLS": implicit_tls,
    "by MX": by_mx,
    "AUTH PLAIN": auth("PLAIN"),
    "AUTH LOGIN": auth("LOGIN"),
    "AUTH SCRAM-SHA-256": auth("SCRAM-SHA-256"),
    "AUTH best": best_auth,
    "wrong password": wrong_password,
    "PIPELINING": pipelining,
    "CHUNKING": chunking,
    "SMTPUTF8": smtputf8,
    "DSN": dsn,
    "8BITMIME": eight_bit,
    "SIZE": size,
    "one of two refused": one_refused,
    "dots": dots,
    "1 MiB": one_mebibyte,
    "20 in a row": pool,
    "LMTP, one unknown": lmtp_unknown,
    "LMTP, one full": lmtp_full,
    "nothing else stored": nothing_else,
}
