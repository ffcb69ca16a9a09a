"""Octets that no honest client sends. None of them may become a second message."""

import ssl
import time

from report import expect
from wire import Closed, Wire

# What stands where an end of data might be seen: the text, the form, then a smuggled transaction.
# `bare`: the form holds a CR or LF that is no part of a CRLF, so the message must be refused.
FORMS = [
    ("LF . LF", b"\n.\n", True),
    ("LF . CRLF", b"\n.\r\n", True),
    ("CRLF . LF", b"\r\n.\n", True),
    ("CR . CR", b"\r.\r", True),
    ("CR . CRLF", b"\r.\r\n", True),
    ("CRLF . CR", b"\r\n.\r", True),
    ("LF . CR", b"\n.\r", True),
    ("CR . LF", b"\r.\n", True),
    ("CRLF NUL . CRLF", b"\r\n\0.\r\n", False),
    ("CRLF . NUL CRLF", b"\r\n.\0\r\n", False),
    ("CRLF . CR NUL LF", b"\r\n.\r\0\n", True),
    ("CR NUL LF . CRLF", b"\r\0\n.\r\n", True),
    ("CRLF . CR CRLF", b"\r\n.\r\r\n", True),
    ("CR CRLF . CR CRLF", b"\r\r\n.\r\r\n", True),
    ("CRLF . SP CRLF", b"\r\n. \r\n", False),
    ("CRLF . TAB CRLF", b"\r\n.\t\r\n", False),
    ("CRLF . . CRLF", b"\r\n..\r\n", False),
    ("LF CR . CRLF", b"\n\r.\r\n", True),
    ("NEL . NEL", b"\xc2\x85.\xc2\x85", False),
    ("VT . VT", b"\x0b.\x0b", False),
    ("CR CRLF . CRLF", b"\r\r\n.\r\n", True),
    ("LF in the text", b"\n", True),
    ("CR in the text", b"\r", True),
]

HEAD = b"From: <sender@client.example>\r\nSubject: honest\r\n\r\ntext"
SMUGGLED = (
    b"MAIL FROM:<admin@client.example>\r\nRCPT TO:<you@localhost>\r\nDATA\r\n"
    b"Subject: smuggled\r\n\r\nevil\r\n"
)
END = b"\r\n.\r\n"
# A whole transaction, for the places where commands might be taken from.
TRANSACTION = SMUGGLED + b".\r\n"


def settle(server):
    """Waits until what was sent has been dealt with; gives the stored messages and removes them."""
    # The connection is over, so all that was acknowledged is stored. What was not may still come.
    time.sleep(0.05)
    server.expect_alive()
    messages = server.messages()
    server.clear()
    return messages


def no_second(messages):
    """At most the honest message, and none that began with the smuggled one."""
    expect(len(messages) <= 1, f"{len(messages)} messages are stored")
    for message in messages:
        expect(not message.startswith(b"Subject: smuggled"), f"smuggled: {message[:80]!r}")


def end_of_data(server, form, bare):
    """A form of the end of data that is none."""
    with Wire(server.port) as wire:
        wire.greet()
        wire.envelope()
        expect(wire.command(b"DATA") == 354, "no 354")
        wire.send(HEAD + form + SMUGGLED + END)
        codes = [wire.reply()]
        try:
            wire.send(b"QUIT\r\n")
        except ConnectionError:
            pass
        codes += wire.rest()
    messages = settle(server)
    no_second(messages)
    if bare:
        expect(codes[0] >= 500, f"answered {codes}")
        expect(not messages, "refused, yet stored")
    else:
        expect(codes == [250, 221], f"answered {codes}")
        stuffed = (form + SMUGGLED).replace(b"\r\n.", b"\r\n")
        expect(messages == [HEAD + stuffed + b"\r\n"], f"stored {messages!r}")
    return f"{codes[0]}"


def header_with_cr(server):
    """A bare CR in a header does not make two of it."""
    with Wire(server.port) as wire:
        wire.greet()
        wire.envelope()
        expect(wire.command(b"DATA") == 354, "no 354")
        wire.send(b"X: a\rSubject: evil\r\n\r\ntext" + END)
        code = wire.reply()
    messages = settle(server)
    expect(code >= 500 and not messages, f"answered {code}, {len(messages)} stored")
    return str(code)


def bare_command_end(server, end):
    """A command that ends in a bare CR or LF is no command."""
    with Wire(server.port) as wire:
        wire.greet()
        wire.socket.settimeout(0.3)
        wire.send(b"NOOP" + end)
        try:
            early = [wire.reply()]
        except TimeoutError:
            early = []
        expect(250 not in early, "250 to half a line")
        wire.send(b"\r\nQUIT\r\n")
        codes = early + wire.rest()
        expect(codes and 250 not in codes, f"answered {codes}")
    return str(codes[0])


def smuggled_commands(server):
    """A transaction whose lines end in bare LF does nothing."""
    with Wire(server.port, timeout=2) as wire:
        wire.greet()
        wire.send(TRANSACTION.replace(b"\r\n", b"\n") + b"QUIT\r\n")
        codes = wire.rest()
    expect(354 not in codes, f"answered {codes}")
    no_message(settle(server))
    return str(codes)


def no_message(messages):
    """Nothing was stored."""
    expect(not messages, f"stored {messages!r}")


def nul(server):
    """NUL in a command is refused, and the session goes on."""
    with Wire(server.port) as wire:
        wire.greet()
        codes = [
            wire.command(b"NO\0OP"),
            wire.command(b"NOOP\0"),
            wire.command(b"MAIL FROM:<a\0b@client.example>"),
            wire.command(b"NOOP"),
        ]
    expect(all(code in (500, 501) for code in codes[:3]) and codes[3] == 250, f"{codes}")
    return str(codes)


def overlong_command(server):
    """A command line of 100,000 octets is swallowed to its end and answered once."""
    with Wire(server.port) as wire:
        wire.greet()
        hidden = b"MAIL FROM:<a@client.example>"
        wire.send(b"NOOP " + b"x" * 100_000 + hidden + b"\r\nNOOP\r\nQUIT\r\n")
        codes = wire.rest()
    expect(codes == [500, 250, 221], f"{codes}")
    return str(codes)


def overlong_text(server):
    """A text line of 100,000 octets is stored as it is, or refused; it is one line either way."""
    line = b"y" * 100_000
    with Wire(server.port) as wire:
        wire.greet()
        wire.envelope()
        expect(wire.command(b"DATA") == 354, "no 354")
        wire.send(b"Subject: long\r\n\r\n" + line + END)
        code = wire.reply()
    messages = settle(server)
    if code == 250:
        expect(messages == [b"Subject: long\r\n\r\n" + line + b"\r\n"], "it was changed")
    else:
        no_message(messages)
    return str(code)


def endless_command(server):
    """A line without an end costs no memory."""
    before = server.peak_memory()
    with Wire(server.port) as wire:
        wire.greet()
        try:
            for _ in range(16):
                wire.send(b"x" * (1 << 20))
        except ConnectionError:
            pass
    grown = server.peak_memory() - before
    server.expect_alive()
    expect(grown < 8 << 20, f"{grown >> 10} KiB more memory")
    return f"16 MiB sent, {grown >> 10} KiB more memory"


def bdat(server, octets, stored, codes):
    """BDAT with a wrong length: `octets` follow RCPT; what is stored and said is known."""
    with Wire(server.port, timeout=2) as wire:
        wire.greet()
        wire.envelope()
        wire.send(octets)
        wire.socket.shutdown(1)
        found = wire.rest()
    messages = settle(server)
    expect(messages == stored, f"stored {messages!r}")
    expect(found[: len(codes)] == codes, f"answered {found}")
    return str(found)


def bdat_without_mail(server):
    """Octets behind a refused BDAT are swallowed, though they look like commands."""
    with Wire(server.port) as wire:
        wire.greet()
        wire.send(b"BDAT %d LAST\r\n" % len(TRANSACTION) + TRANSACTION + b"QUIT\r\n")
        codes = wire.rest()
    no_message(settle(server))
    expect(codes == [503, 221], f"{codes}")
    return str(codes)


def bdat_refused_recipient(server):
    """The same after a recipient that was refused."""
    with Wire(server.port) as wire:
        wire.greet()
        wire.command(b"MAIL FROM:<sender@client.example>")
        code = wire.command(b"RCPT TO:<nobody@elsewhere.example>")
        expect(code == 550, f"{code} for a recipient that is not local")
        wire.send(b"BDAT %d LAST\r\n" % len(TRANSACTION) + TRANSACTION + b"QUIT\r\n")
        codes = wire.rest()
    no_message(settle(server))
    expect(len(codes) == 2 and codes[0] >= 500 and codes[1] == 221, f"{codes}")
    return str(codes)


def half_message(server, octets):
    """A message whose end never comes is not stored."""
    with Wire(server.port) as wire:
        wire.greet()
        wire.envelope()
        wire.send(octets)
        # Long enough to be read before the connection ends.
        time.sleep(0.1)
    no_message(settle(server))


def tls_injection(server, before, later=b""):
    """What follows STARTTLS in clear is never run inside TLS."""
    with Wire(server.port, timeout=5) as wire:
        wire.greet()
        wire.send(b"STARTTLS\r\n" + before)
        code = wire.reply()
        if later:
            time.sleep(0.01)
            wire.send(later)
        outcome = f"{code}"
        if code == 220:
            try:
                wire.buffer = b""
                wire.start_tls()
                code = wire.command(b"EHLO client.example")
                expect(code == 250, f"{code} to EHLO inside TLS")
                wire.socket.settimeout(0.5)
                extra = wire.rest()
                expect(not extra, f"{extra} inside TLS for what was sent in clear")
                outcome += ", then dropped"
            except (ssl.SSLError, ConnectionError, Closed):
                outcome += ", then no TLS"
        else:
            expect(code >= 500, f"{code}")
            expect(not wire.rest(), "words after the refusal")
    no_message(settle(server))
    return outcome


def half_command(server):
    """Half a command in clear and its other half inside TLS are no command."""
    with Wire(server.port, timeout=5) as wire:
        wire.greet()
        wire.send(b"STARTTLS\r\nNO")
        code = wire.reply()
        if code != 220:
            expect(code >= 500, f"{code}")
            return str(code)
        try:
            wire.start_tls()
            code = wire.command(b"OP")
            expect(code == 500, f"{code} for OP")
        except (ssl.SSLError, ConnectionError, Closed):
            return "220, then no TLS"
        return "220, then 500"


def check_smuggling(report, server):
    """All of it on `server`."""

    def check(name, *call):
        report.check(f"{server.name}: {name}", call[0], server, *call[1:])

    for name, form, bare in FORMS:
        check(f"end of data: {name}", end_of_data, form, bare)
    check("bare CR in a header", header_with_cr)
    for name, end in (("LF", b"\n"), ("CR", b"\r"), ("LF CR", b"\n\r")):
        check(f"command ended by {name}", bare_command_end, end)
    check("transaction with LF line ends", smuggled_commands)
    check("NUL in commands", nul)
    check("overlong command", overlong_command)
    check("endless command", endless_command)
    check("overlong text line", overlong_text)
    body = b"Subject: x\r\n\r\nhi\r\n"
    rest = b"QUIT\r\n"
    check("BDAT too short", bdat, b"BDAT 4 LAST\r\n" + body + rest, [body[:4]], [250, 500])
    check("BDAT too long", bdat, b"BDAT 9999 LAST\r\n" + body + TRANSACTION + rest, [], [])
    check("BDAT -1", bdat, b"BDAT -1 LAST\r\n" + rest, [], [501])
    check("BDAT abc", bdat, b"BDAT abc\r\n" + rest, [], [501])
    check("BDAT of 2^64", bdat, b"BDAT 18446744073709551616 LAST\r\n" + TRANSACTION, [], [])
    check("BDAT after LAST", bdat,
          b"BDAT %d LAST\r\n" % len(body) + body
          + b"BDAT %d LAST\r\n" % len(TRANSACTION) + TRANSACTION + rest,
          [body], [250, 503, 221])  # fmt: skip
    check("BDAT with an end of data inside", bdat,
          b"BDAT %d LAST\r\n" % (len(END) + len(TRANSACTION)) + END + TRANSACTION + rest,
          [END + TRANSACTION], [250, 221])  # fmt: skip
    check("BDAT without MAIL", bdat_without_mail)
    if server.trace:
        check("BDAT after a refused recipient", bdat_refused_recipient)
    check("message without an end", half_message, b"DATA\r\nSubject: half\r\n\r\ntext\r\n.\r")
    check("STARTTLS and a transaction in one segment", tls_injection, b"EHLO x\r\n" + TRANSACTION)
    check("STARTTLS and a transaction a moment later", tls_injection, b"", b"EHLO x\r\n" + TRANSACTION)
    check("STARTTLS and NOOP in one segment", tls_injection, b"NOOP\r\n")
    check("STARTTLS and half a command", half_command)
