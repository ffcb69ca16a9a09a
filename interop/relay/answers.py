"""What comes back: answers of others by MX, and notices about what could not be delivered."""

import email
import email.policy
import re
import smtplib

from message import expect_same, message
from ours import ADA
from programs import TIMEOUT
from report import expect
from target import TRACE


class Notice:
    """A notice (RFC 3464) as Python's parser reads it."""

    def __init__(self, octets):
        text = octets.decode(errors="replace")
        expect(text.startswith("Return-Path: <>\r\n"), f"it can be answered: {text[:200]}")
        whole = email.message_from_bytes(octets, policy=email.policy.default)
        expect(whole.get_content_type() == "multipart/report", whole.get_content_type())
        expect(whole.get_param("report-type") == "delivery-status", f"{whole['Content-Type']}")
        words, status, original = whole.iter_parts()
        expect(words.get_content_type() == "text/plain", words.get_content_type())
        expect(status.get_content_type() == "message/delivery-status", status.get_content_type())
        expect(not any(part.defects for part in whole.walk()), f"defects: {text}")
        self.words = words.get_content()
        self.message, *self.recipients = status.get_payload()
        self.original_type = original.get_content_type()
        self.original = str(original.get_payload(0) if original.is_multipart() else original.get_payload())

    def recipient(self, address):
        """The fields about a recipient."""
        for fields in self.recipients:
            if fields["Final-Recipient"].lower().replace(" ", "") == f"rfc822;{address}":
                return fields
        return None


def notice(ours, user, address):
    """The notice about a recipient in a mailbox, waited for, and the fields about it."""
    mark = re.compile(rb"final-recipient: *rfc822; *" + re.escape(address.encode()), re.IGNORECASE)
    found = ours.wait(lambda: [it for it in ours.mailbox(user) if mark.search(it)],
                      f"notice about {address}")  # fmt: skip
    expect(len(found) == 1, f"{len(found)} notices about {address}")
    whole = Notice(found[0])
    return whole, whole.recipient(address)


def answer(ours, postfix):
    """swaks has Postfix, where it logs in, send a message to us by MX: it comes inside TLS."""
    ours.clear()
    sent = message("answer", ADA)
    postfix.send(ours.path / "answer", sent, ADA)
    stored = ours.wait(lambda: ours.mailbox("ada"), "message from Postfix")
    trace = TRACE.match(stored[0])
    expect_same(stored[0][trace.end() :], sent)
    by_us = trace[0].split(b"Received: ")[1]
    expect(b"from mx.postfix.test" in by_us and b"with ESMTPS" in by_us, f"{by_us}")
    sessions = ours.wait(lambda: [it for it in ours.events("session")
                                  if it.get("hello") == "mx.postfix.test"], "session")  # fmt: skip
    expect(sessions[0]["tls"], f"{sessions}")
    return f"{len(sent)} octets, {sessions[0]['tls']}"


def by_postfix(ours, postfix):
    """Postfix takes a message, cannot deliver it, and says so: its notice is in the mailbox."""
    ours.clear()
    to = postfix.address("failing")
    ours.submit(message("by-postfix", to), [to])
    found = ours.wait(lambda: ours.mailbox("ada"), "notice from Postfix")
    # What is in front of its own Return-Path is ours.
    about = Notice(found[0]).recipients[0]
    expect((about["Action"], about["Status"]) == ("failed", "5.2.1"), f"{about}")
    return about["Status"]


def by_us(ours, postfix):
    """Postfix refuses a recipient, and we say so; the other has the message."""
    ours.clear()
    unknown = postfix.address("unknown")
    sent = message("by-us", unknown)
    ours.submit(sent, [unknown, postfix.address()])
    whole, about = notice(ours, "ada", unknown)
    expect(about["Action"] == "failed", f"{about}")
    expect(about["Status"] == "5.1.1", f"{about}")
    expect("mx.postfix.test" in about["Remote-MTA"], f"{about}")
    expect(about["Diagnostic-Code"].startswith("smtp; 550 5.1.1"), f"{about}")
    expect(whole.message["Reporting-MTA"] == "dns; mx.a.test", f"{whole.message}")
    expect(unknown in whole.words, whole.words)
    expect("Subject: interop by-us" in whole.original, whole.original)
    ours.wait(lambda: postfix.find(b"interop by-us"), "message at the other recipient")
    return f"{about['Status']}, {whole.original_type}"


def on_success(ours, host, action):
    """Who asks for it is told that a message has arrived: by a server that can, or by us, who have
    handed it to one that cannot."""
    ours.clear()
    to, envelope = host.address(), f"envelope-{host.name}"
    sent = message(envelope, to)
    ours.submit(sent, [to], f"ENVID={envelope}", "RET=HDRS", rcpt=["NOTIFY=SUCCESS,FAILURE"])
    whole, about = notice(ours, "ada", to)
    expect(about["Action"] == action, f"{about}")
    expect(whole.message["Original-Envelope-Id"] == envelope, f"{whole.message}")
    expect("Content-Disposition" not in whole.original, "it has more than the header")
    return f"{about['Action']}, says {whole.message['Reporting-MTA']}"


def never(ours, postfix):
    """Who asks for it is told nothing."""
    ours.clear()
    to = postfix.address("unknown")
    ours.submit(message("never", to), [to], rcpt=["NOTIFY=NEVER"])
    ours.wait_for_outcomes(to, ["failed"])
    ours.wait(lambda: not ours.queue("--to", to), "end of the message")
    expect(not ours.mailbox("ada"), "the sender is told")


def by_lmtp(ours):
    """LMTP, as from another server of ours: a reply for each recipient."""
    ours.clear()
    sent = message("lmtp", ADA)
    with smtplib.LMTP("127.0.0.1", 24, "client.example", timeout=TIMEOUT) as client:
        refused = client.sendmail("sender@client.example", [ADA, "nobody@a.test"], sent)
    expect(list(refused) == ["nobody@a.test"], f"refused: {refused}")
    stored = ours.wait(lambda: ours.mailbox("ada"), "message by LMTP")[0]
    expect(b"with LMTP" in TRACE.match(stored)[0], f"{stored[:400]!r}")
    expect_same(stored[TRACE.match(stored).end() :], sent)
    return f"nobody: {refused['nobody@a.test'][0]}"


def check_answers(report, ours, postfix, aiosmtpd):
    """Postfix answers, and refuses; and a server of ours hands over by LMTP."""
    report.check("LMTP", by_lmtp, ours)
    report.check("an answer from Postfix, inside TLS", answer, ours, postfix)
    report.check("a notice of Postfix", by_postfix, ours, postfix)
    report.check("a notice of ours", by_us, ours, postfix)
    report.check("NOTIFY=SUCCESS, passed on", on_success, ours, postfix, "delivered")
    report.check("NOTIFY=SUCCESS, not passed on", on_success, ours, aiosmtpd, "relayed")
    ours.forget()
    report.check("NOTIFY=NEVER", never, ours, postfix)
