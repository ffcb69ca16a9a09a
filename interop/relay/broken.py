"""Far sides that do not do what one would wish: what becomes of each recipient (RFC 5321).

Each case has a domain of its own, `NAME.test`, and the far side behind it an address of its own.
"""

import contextlib
import dataclasses
import datetime
import email
import email.policy
import re

from answers import notice
from far import DROP, EXTENSIONS, Far
from message import expect_same, message
from report import expect
from target import TRACE, message_id

# Nobody listens; cannot be reached; is lost without a word.
CLOSED, UNREACHABLE, SILENT = "192.0.2.99", "198.51.100.1", "203.0.113.1"
OK, CLOSING = "250 2.0.0 OK", "421 4.3.2 closing"
DELIVERED, FAILED, LATER, WAITS = ["relayed"], ["failed"], ["delayed", "relayed"], ["delayed"]
# How long the attempts of one message may take, in seconds: 30 until a connection is given up.
PATIENCE = 60


@dataclasses.dataclass
class Case:
    """A domain, what its hosts do, and what comes of mail for it."""

    name: str
    # What comes of each attempt, by user.
    outcomes: dict
    # What the host says that all records lead to, unless they are given.
    script: dict = dataclasses.field(default_factory=dict)
    # Records of the domain: MX hosts by number (the host itself is `0`) or address; or lines.
    mx: tuple = (0,)
    records: str = ""
    # The code that the sender is told when the last attempt has failed.
    status: str = ""
    # The waits between attempts.
    after: str = "1s*"
    expire: str = "1d"
    # More of its route.
    route: str = ""
    extensions: list = dataclasses.field(default_factory=lambda: EXTENSIONS)
    pace: float = 0
    # How often the far side has read it whole, if not as often as it took it.
    whole: int = 0
    # How many messages there are; of many it is only looked at whether they arrive.
    count: int = 1

    @property
    def domain(self):
        """Its domain."""
        return re.sub(r"\W+", "-", self.name.lower()) + ".test"

    def address(self, user):
        """The address of a recipient."""
        return f"{user}@{self.domain}"


def one(outcomes):
    """The outcomes for the one recipient of a case."""
    return {"you": outcomes}


def dropped(step):
    """The connection is lost there, once."""
    script = {step: [DROP, Far.good[step]]}
    return Case(f"lost at {step}", one(LATER), script, whole=2 if step == "end" else 0)


def closing(step):
    """421 there, once."""
    return Case(f"421 at {step}", one(LATER), {step: [CLOSING, Far.good[step]]})


def later(step):
    """4yz there, once."""
    return Case(f"451 at {step}", one(LATER), {step: ["451 4.3.0 not now", Far.good[step]]})


def never(step):
    """5yz there."""
    return Case(f"550 at {step}", one(FAILED), {step: "550 5.7.1 never"}, status="5.7.1")


def half(line):
    """The answer to RCPT for one of three users."""
    if "never@" in line:
        return "550 5.1.1 nobody"
    return "450 4.2.1 not now" if "later@" in line else "250 2.1.5 OK"


HALF = {"you": DELIVERED, "never": FAILED, "later": WAITS}

CASES = [
    Case("null MX", one(FAILED), records="MX 0 .", status="5.1.10"),
    Case("nowhere", one(FAILED), mx=(), status="5.1.2"),
    Case("host without address", one(FAILED), records="MX 10 nowhere.test.", status="5.4.4"),
    Case("back to us", one(FAILED), records="MX 10 mx.a.test.", status="5.4.6"),
    Case("broken", one(WAITS), mx=(), after="1m"),
    Case("address only", one(DELIVERED), records="A @IP@"),
    Case("IPv6 unreachable", one(DELIVERED), records="A @IP@\n AAAA 2001:db8::1"),
    Case("first closed", one(DELIVERED), mx=(CLOSED, 0)),
    Case("first unreachable", one(DELIVERED), mx=(UNREACHABLE, 0)),
    Case("first silent", one(DELIVERED), mx=(SILENT, 0)),
    Case("all dead", one(WAITS), mx=(CLOSED, UNREACHABLE), after="1m"),
    Case("all dead but the fallback", one(DELIVERED), mx=(CLOSED, UNREACHABLE),
         route='fallback = [{ host = "@IP@", port = 25, tls = "off" }]'),
    Case("all dead until it expires", one(["delayed", "delayed"]), mx=(CLOSED,), after="2s",
         expire="1s", status="4.4.1"),
    Case("half of the recipients", HALF, {"RCPT": half}, status="5.1.1", after="1m"),
    *[dropped(step) for step in ["connect", "EHLO", "MAIL", "RCPT", "DATA", "body", "end"]],
    *[closing(step) for step in ["connect", "EHLO", "MAIL", "RCPT", "DATA", "end"]],
    *[later(step) for step in ["connect", "EHLO", "MAIL", "RCPT", "DATA", "end"]],
    *[never(step) for step in ["connect", "MAIL", "RCPT", "DATA", "end"]],
    Case("no EHLO", one(DELIVERED), {"EHLO": "502 5.5.1 what?"}),
    Case("no SMTP", one(WAITS), {"connect": "SSH-2.0-far"}, after="1m"),
    Case("slow", one(DELIVERED), pace=0.5),
    Case("421 between many", one(LATER), {"MAIL": 3 * (3 * [OK] + [CLOSING]) + [OK]}, count=20),
    Case("no 8BITMIME", one(DELIVERED), extensions=["ENHANCEDSTATUSCODES"]),
    Case("too large", one(FAILED), extensions=["SIZE 1000"], status="5.3.4"),
]  # fmt: skip


class Stage:
    """The far sides of all cases, their records, and what our configuration says of them."""

    def __init__(self):
        self.far, self.records, self.config = {}, [], []
        for number, case in enumerate(CASES, 100):
            ip = f"192.0.2.{number}"
            self.far[case.name] = ip
            name = case.domain.removesuffix(".test")
            for place, host in enumerate(case.mx if not case.records else ()):
                self.records.append(f"{name} MX {10 * place + 10} mx{place}.{name}")
                self.records.append(f"mx{place}.{name} A {host or ip}")
            for line in case.records.replace("@IP@", ip).splitlines():
                self.records.append(f"{name} {line.strip()}")
            self.config.append(
                f"[[queue.retry.domain]]\nname = '{case.domain}'\nafter = '{case.after}'\n"
                f"expire = '{case.expire}'\n"
            )
            if case.route:
                route = case.route.replace("@IP@", ip)
                self.config.append(f"[[route]]\nrecipients = ['{case.domain}']\n{route}\n")
        self.records = [line for line in self.records if not line.startswith("broken ")]

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        for case in CASES:
            far = Far(self.far[case.name], case.script, case.extensions, case.pace)
            self.far[case.name] = self.stack.enter_context(far)
        return self

    def __exit__(self, *_):
        self.stack.close()


def letter(case, number=0):
    """A message of a case; with octets above 127 for a far side that cannot have them."""
    eight_bit = "8BITMIME" not in case.extensions
    return message(f"{case.domain}.{number}", case.address("you"), eight_bit)


def check(ours, far, case):
    """Each recipient has come to where it belongs, and the sender knows of it."""
    if case.count > 1:
        ours.wait(lambda: len(far.taken) >= case.count, "last message", PATIENCE)
        expect(len(set(map(message_id, far.taken))) == len(far.taken), "some have come twice")
        return f"{len(far.taken)} messages, 421 three times"
    try:
        for user, outcomes in case.outcomes.items():
            address = case.address(user)
            ours.wait_for_outcomes(address, outcomes, PATIENCE)
            ours.wait(lambda: is_settled(ours, address, outcomes), f"end in the queue for {address}")
            if outcomes[-1] == "failed" or case.status and len(case.outcomes) == 1:
                about = notice(ours, "ada", address)[1]
                told = about["Action"], about["Status"]
                expect(told == ("failed", case.status), f"the sender is told {told}")
        arrived(far, case)
    except Exception as error:
        if far.dialogue:
            error.args = ("\n".join([str(error), *far.dialogue[-12:]]),)
        raise
    return ", ".join(f"{user}: {' '.join(it)}" for user, it in case.outcomes.items())


def is_settled(ours, address, outcomes):
    """Whether the queue says the same: the recipient waits for a time to come, or no longer."""
    for recipient in (it for one in ours.queue("--to", address) for it in one["recipients"]):
        if recipient["to"] == address and recipient["state"] == "waiting":
            due = datetime.datetime.fromisoformat(recipient["next"])
            later = due > datetime.datetime.now(datetime.timezone.utc)
            return outcomes == WAITS and later and recipient["attempts"] == len(outcomes)
    return outcomes != WAITS


def arrived(far, case):
    """The far side has it once for all who are to have it, as it was sent."""
    wanted = any(it[-1] == "relayed" for it in case.outcomes.values())
    expect(len(far.taken) == wanted, f"it was taken {len(far.taken)} times")
    if case.whole:
        expect(len(far.whole) == case.whole, f"it came {len(far.whole)} times")
    for octets in far.taken:
        text = octets[TRACE.match(octets).end() :]
        if case.name != "no 8BITMIME":
            expect_same(text, letter(case))
            continue
        expect(text.isascii(), "octets above 127 were sent")
        parts = [email.message_from_bytes(it, policy=email.policy.SMTP).get_payload()
                 for it in (text, letter(case))]  # fmt: skip
        for got, sent in zip(*parts):
            expect_same(got.get_payload(decode=True), sent.get_payload(decode=True))


def check_broken(report, ours, stage):
    """All cases: each message is sent, and then looked after."""
    ours.forget()
    ours.clear()
    with stage:
        cases = [case for case in CASES if report.only in f"far side: {case.name}"]
        for case in cases:
            recipients = [case.address(user) for user in case.outcomes]
            for number in range(case.count):
                ours.submit(letter(case, number), recipients, "BODY=8BITMIME")
        for case in cases:
            report.check(f"far side: {case.name}", check, ours, stage.far[case.name], case)
