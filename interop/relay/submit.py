"""Mail programs submit messages to a domain elsewhere: STARTTLS at port 587, TLS at port 465."""

import smtplib

from message import message
from ours import ADA
from programs import Program, TIMEOUT, check_refusals, check_ways, curl, msmtp, nodemailer, submitters, swaks
from report import expect
from wire import blind_tls


class Submission:
    """One of our ports: what is submitted there is found at another server."""

    def __init__(self, ours, host, port):
        self.name = f"submission {port}"
        self.ours = ours
        self.host = host
        self.port = port
        self.path = ours.path
        self.user, self.password = ours.user, ours.password

    def clear(self):
        """Removes what has arrived there."""
        for path in self.files():
            path.unlink()

    def files(self):
        """What has arrived there."""
        return self.host.stored()

    def one_message(self):
        """What has arrived there, waited for."""
        found = self.ours.wait(lambda: self.host.find(b"Subject: "), "message")
        self.clear()
        expect(len(found) == 1, f"{len(found)} messages have arrived")
        return self.host.sent(found[0][1])


def implicit(cache, user, password):
    """The programs inside TLS from the first octet, by executable."""
    login = ["--auth", "PLAIN", "--auth-user", user, "--auth-password", password]
    credentials = [f"--user={user}", f"--passwordeval=echo '{password}'"]
    tls = ["--tls=on", "--tls-starttls=off", "--tls-certcheck=off"]
    auth = {"auth": {"user": user, "pass": password}, "secure": True}

    def smtplib_tls(port, file, to):
        with smtplib.SMTP_SSL("127.0.0.1", port, "client.example", timeout=TIMEOUT,
                              context=blind_tls()) as client:  # fmt: skip
            client.login(user, password)
            client.sendmail(ADA, [to], file.read_bytes())

    return {
        "swaks": [Program("swaks", swaks("--tls-on-connect", *login))],
        "curl": [Program("curl", curl("--user", f"{user}:{password}", scheme="smtps"))],
        "python3": [Program("smtplib", smtplib_tls)],
        "node": [Program("nodemailer", nodemailer(cache, auth=auth))],
        "msmtp": [Program("msmtp", msmtp("--auth=on", *tls, *credentials))],
    }


def scram(user, password):
    """The programs that can log in without showing the password to us."""
    credentials = [f"--user={user}", f"--passwordeval=echo '{password}'"]
    tls = ["--tls=on", "--tls-starttls=on", "--tls-certcheck=off"]
    way = msmtp("--auth=scram-sha-256", *tls, *credentials)
    return {"msmtp": [Program("msmtp AUTH SCRAM-SHA-256", way)]}


def wrong_authors(ours):
    """Neither the envelope's sender nor From may be somebody else's."""
    sent = message("authors", "user1@postfix.test")
    codes = []
    with smtplib.SMTP("127.0.0.1", 587, "client.example", timeout=TIMEOUT) as client:
        client.starttls(context=blind_tls())
        client.login(ours.user, ours.password)
        for sender, author in [
            ("bob@a.test", b"ada@a.test"),
            ("ada@a.test", b"bob@a.test"),
            ("ada@a.test", b"ada@a.test, president@postfix.test"),
        ]:
            try:
                octets = sent.replace(b"sender@client.example", author)
                client.sendmail(sender, ["user1@postfix.test"], octets)
                codes.append(250)
            except smtplib.SMTPSenderRefused as refused:
                codes.append(refused.smtp_code)
            except smtplib.SMTPDataError as refused:
                codes.append(refused.smtp_code)
    expect(codes == [550, 550, 550], f"{codes}")
    return f"{codes}"


def strangers(ours):
    """Without a login nobody's mail goes elsewhere: not at port 25, nor in any disguise."""
    names = ["user1@postfix.test", "user1%postfix.test@a.test", "@a.test:user1@postfix.test",
             '"user1@postfix.test"@a.test', "postfix.test!user1@a.test"]  # fmt: skip
    codes = []
    with smtplib.SMTP(ours.ip, 25, "client.example", timeout=TIMEOUT) as client:
        client.ehlo()
        client.mail("stranger@client.example")
        codes = [client.docmd(f"RCPT TO:<{name}>")[0] for name in names]
    expect(all(500 <= code < 600 for code in codes), f"{codes}")
    return f"{codes}"


def check_submit(report, ours, host, cache):
    """Every program submits, in every way that it has; and who may not is refused."""
    starttls, tls = Submission(ours, host, 587), Submission(ours, host, 465)
    for server, all_ways in [
        (starttls, submitters(cache, ours.user, ours.password)),
        (starttls, scram(ours.user, ours.password)),
        (tls, implicit(cache, ours.user, ours.password)),
    ]:
        for ways in all_ways.values():
            for way in ways:
                way.to = host.address()
        check_ways(report, server, cache, all_ways)
    report.check("strangers relay nothing", strangers, ours)
    report.check("the sender and From are the user's own", wrong_authors, ours)
    report.check("nothing without TLS, AUTH and the password", check_refusals, starttls)
