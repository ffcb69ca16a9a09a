"""Mail goes to servers of other people by MX, and is there octet for octet."""

import base64
import random
import re

from message import expect_same, message
from report import expect
from target import message_id
from wire import Wire

SIZE = 1024 * 1024


def attachment(seed, to):
    """A message of more than 1 MiB."""
    text = base64.encodebytes(random.Random(seed).randbytes(SIZE)).replace(b"\n", b"\r\n")
    return message(seed, to) + text


def dots(seed, to):
    """A message with many lines of dots."""
    lines = [b"." * (number % 5) + b"x" * (number % 3) for number in range(5000)]
    return message(seed, to) + b"\r\n".join([*lines, b".", b"..", b"."]) + b"\r\n"


def blank(seed, to):
    """A message that ends with empty lines."""
    return message(seed, to) + b"\r\n" * 5


def eight_bit(seed, to):
    """A message with octets above 127."""
    return message(seed, to, eight_bit=True)


def utf8(seed, to):
    """A message with a header in UTF-8 (RFC 6532)."""
    return eight_bit(seed, to).replace(b"Subject: ", "Subject: Grüße, ".encode())


def arrive(ours, host, sent, users=("user1",)):
    """Waits for a message at the mailboxes of another server, where it is what was sent."""
    def found():
        them = host.find(message_id(sent))
        return them if len(them) >= len(users) else None

    messages = ours.wait(found, f"message at {host.name}")
    stored_for = sorted(user for user, _ in messages)
    expect(stored_for == sorted(users), f"it is stored for {stored_for}")
    for _, octets in messages:
        expect_same(host.sent(octets), sent)
    for user in users:
        ours.wait_for_outcomes(host.address(user), ["relayed"])
    return f"{len(sent)} octets"


def letter(make, *options, users=("user1",)):
    """A check that submits a message of `make` to users of a server."""

    def check(ours, host, name):
        recipients = [host.address(user) for user in users]
        sent = make(name, recipients[0])
        ours.submit(sent, recipients, *options)
        return arrive(ours, host, sent, users)

    return check


def by_bdat(ours, host, name):
    """A message that comes by BDAT, in pieces that end anywhere."""
    sent = eight_bit(name, host.address())
    with Wire(25) as wire:
        wire.greet()
        wire.envelope(host.address().encode())
        cuts = [0, 1, 700, 701, 9000, len(sent)]
        for one, two in zip(cuts, cuts[1:]):
            last = b" LAST" if two == len(sent) else b""
            wire.send(b"BDAT %d%s\r\n%s" % (two - one, last, sent[one:two]))
            code = wire.reply()
            expect(code == 250, f"{code} for the octets from {one} to {two}")
    return arrive(ours, host, sent)


def completed(ours, host, name):
    """A message without Message-ID and Date gets them when it is submitted, and nothing else."""
    whole = message(name, host.address())
    fields = rb"(?m)^(?:Message-ID|Date): [^\r\n]*\r\n"
    sent = re.sub(fields, b"", whole)
    mark = b"Subject: interop " + name.encode()
    ours.submit(sent, [host.address()])
    found = ours.wait(lambda: host.find(mark), f"message at {host.name}")
    text = host.sent(found[0][1])
    ids, dates = (re.findall(rb"(?m)^%s: " % field, text) for field in (b"Message-ID", b"Date"))
    expect((len(ids), len(dates)) == (1, 1), f"{ids} and {dates} in {text[:300]!r}")
    expect_same(re.sub(fields, b"", text), sent)


def bare(ours, host, name):
    """A bare CR or LF is refused when it is submitted: servers disagree about what it is."""
    codes = []
    # This one has no other mail: what is told late of a message before is not about it.
    to = host.address("bare")
    for line_end in (b"\r", b"\n"):
        with Wire(25) as wire:
            wire.greet()
            wire.envelope(to.encode())
            codes.append(wire.command(b"DATA"))
            wire.send(b"Subject: %s\r\n\r\none%stwo\r\n.\r\n" % (name.encode(), line_end))
            codes.append(wire.reply())
    expect(codes == [354, 521] * 2, f"{codes}")
    expect(not ours.deliveries(to), "it was sent on")
    return f"{codes}"


LETTERS = {
    "8-bit text": letter(eight_bit, "BODY=8BITMIME"),
    "SMTPUTF8": letter(utf8, "SMTPUTF8", "BODY=8BITMIME", users=["jürgen"]),
    "dots": letter(dots),
    "empty lines at the end": letter(blank),
    "attachment of 1 MiB": letter(attachment),
    "three recipients": letter(message, users=["user1", "user2", "user3"]),
    "BDAT": by_bdat,
    "Message-ID and Date added": completed,
    "bare CR and LF": bare,
}


def check_exchange(report, ours, hosts):
    """Each kind of message to each server."""
    for host in hosts:
        for what, check in LETTERS.items():
            name = f"to {host.name}: {what}"
            seed = re.sub(r"\W+", "-", name)
            ours.forget()
            report.check(name, check, ours, host, seed)
