"""Messages to send, and what is left of them once the trace headers are taken off."""

import base64
import random
import re

from report import expect


def message(seed, to="you@localhost", eight_bit=False):
    """A whole message (RFC 5322) with a binary attachment, as octets with CRLF.

    Every header that a program would add is there, so that none is added. The text has what tends
    to be damaged on the way: lines of dots, blanks at the end of a line, a line of 998 octets.
    """
    chance = random.Random(seed)
    body = base64.encodebytes(chance.randbytes(20_000)).replace(b"\n", b"\r\n")
    text = [b"Dots:", b".", b"..", b".x", b"...", b"", b"blanks at the end:  \t", b"y" * 998, b"."]
    encoding = b"7bit"
    if eight_bit:
        text.append("Größe, 大きさ, размер".encode())
        encoding = b"8bit"
    head = [
        b"From: Sender <sender@client.example>",
        b"To: " + to.encode(),
        b"Subject: interop " + str(seed).encode(),
        b"Date: Mon, 01 Jan 2024 00:00:00 +0000",
        b"Message-ID: <" + str(seed).encode() + b"@client.example>",
        b"MIME-Version: 1.0",
        b'Content-Type: multipart/mixed; boundary="=-part"',
        b"",
        b"--=-part",
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Transfer-Encoding: " + encoding,
        b"",
        *text,
        b"--=-part",
        b"Content-Type: application/octet-stream",
        b"Content-Disposition: attachment; filename=data.bin",
        b"Content-Transfer-Encoding: base64",
        b"",
    ]
    return b"\r\n".join(head) + b"\r\n" + body + b"--=-part--\r\n"


TRACE = re.compile(
    rb"Return-Path: <[^\r\n]*>\r\n"
    rb"Received: [^\r\n]+\r\n(?:[ \t][^\r\n]*\r\n)*"
)


def without_trace(stored):
    """The stored octets behind the Return-Path and the Received that the server put in front."""
    trace = TRACE.match(stored)
    expect(trace, f"no Return-Path and Received in front: {stored[:200]!r}")
    return stored[trace.end() :]


def expect_same(stored, sent):
    """Fails with the first difference."""
    if stored == sent:
        return
    at = next((i for i, (a, b) in enumerate(zip(stored, sent)) if a != b), min(len(stored), len(sent)))
    here = slice(max(0, at - 30), at + 30)
    expect(
        False,
        f"octet {at} differs ({len(stored)} stored, {len(sent)} sent)\n"
        f"stored: {stored[here]!r}\nsent:   {sent[here]!r}",
    )
