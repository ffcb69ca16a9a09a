import sys
import time

from aiosmtpd.controller import Controller


class Inbox:
    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        local, _, domain = address.lower().rpartition("@")
        if domain != "example.test":
            return "550 5.7.1 Relaying denied"
        if local not in ("ann", "bob", "postmaster"):
            return "550 5.1.1 No such user here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Recipient ok"

    async def handle_DATA(self, server, session, envelope):
        keep(envelope.content)
        return "250 2.0.0 Ok"


def keep(message):
    print(len(message), "octets", flush=True)


controller = Controller(Inbox(), hostname="127.0.0.1", port=int(sys.argv[1]))
controller.start()
while True:
    time.sleep(3600)
