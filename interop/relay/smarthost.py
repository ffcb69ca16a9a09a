"""Smarthosts with a login: Postfix takes our mail further, and we take Postfix's."""

from exchange import arrive
from message import message
from ours import ADA
from programs import run
from report import expect
from target import message_id

# What our configuration sends through a smarthost, by the sender.
BY_POSTFIX, WRONG_PASSWORD, NOT_BELIEVED = (
    f"{name}@a.test" for name in ["by-postfix", "wrong-password", "not-believed"]
)


def by_postfix(ours, exim):
    """Our mail goes through Postfix, where we log in inside TLS, to Exim."""
    sent = message("smarthost", exim.address())
    ours.submit(sent, [exim.address()], sender=BY_POSTFIX)
    figures = arrive(ours, exim, sent)
    text = exim.find(message_id(sent))[0][1]
    expect(b"by mx.postfix.test (Postfix) with ESMTPSA" in text, f"{text[:800]}")
    return figures


def refused(ours, exim, sender, reason):
    """What is wrong with the smarthost is no fault of the message, which waits."""
    ours.submit(message(sender, exim.address("user2")), [exim.address("user2")], sender=sender)
    ours.wait_for_outcomes(exim.address("user2"), ["delayed"])
    reply = ours.deliveries(exim.address("user2"))[0]["reply"]
    expect(reason in reply, reply)
    return reply


def by_us(ours, postfix, other):
    """Postfix's mail goes through us, where it logs in inside TLS, to aiosmtpd."""
    sent = message("relayhost", other.address())
    sent = sent.replace(b"sender@client.example", postfix.address().encode())
    postfix.send(ours.path / "relayhost", sent, other.address())
    figures = arrive(ours, other, sent)
    taken = [it for it in ours.events("message") if it.get("login") == "postfix"]
    expect(len(taken) == 1 and taken[0]["protocol"] == "ESMTPSA", f"{taken}")
    return figures


def as_sendmail(ours, postfix):
    """msmtp in the place of sendmail: sender and recipients are those of the header."""
    sent = message("sendmail", postfix.address()).replace(b"sender@client.example", ADA.encode())
    config = ours.path / "msmtprc"
    config.write_text(
        "account default\nhost 127.0.0.1\nport 587\ndomain client.example\nauth on\n"
        f"user {ours.user}\npasswordeval echo '{ours.password}'\n"
        "tls on\ntls_certcheck off\n"
    )
    run(["msmtp", f"--file={config}", "--read-recipients", "--read-envelope-from"], input=sent)
    return arrive(ours, postfix, sent)


def check_smarthost(report, ours, postfix, exim, aiosmtpd):
    """Both ways, and what may go wrong."""
    def check(name, function, *arguments):
        ours.forget()
        report.check(f"smarthost: {name}", function, ours, *arguments)

    check("our mail through Postfix, with a login", by_postfix, exim)
    check("a wrong password", refused, exim, WRONG_PASSWORD, "535 5.7.8")
    check("a certificate that nobody knows", refused, exim, NOT_BELIEVED, "4.7.")
    check("Postfix's mail through us, with a login", by_us, postfix, aiosmtpd)
    check("msmtp as sendmail", as_sendmail, postfix)
