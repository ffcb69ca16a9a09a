"""aiosmtpd with its own handler for relays: PORT is where it listens, NEXT_PORT where mail goes.

Ends when its standard input does.
"""

import sys

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Proxy

port, next_port = map(int, sys.argv[1:])
controller = Controller(Proxy("127.0.0.1", next_port), hostname="127.0.0.1", port=port)
controller.start()
sys.stdin.read()
controller.stop()
