#!/usr/bin/env python3
"""Writes the hand-made inputs of each corpus to fuzz/corpus/<target>/.

What the fuzzer finds is kept beside them after `cargo fuzz cmin`; names are
hashes of the contents, as libFuzzer gives them, so nothing is there twice.
"""

import hashlib
import itertools
import pathlib

CORPUS = pathlib.Path(__file__).parent / "corpus"

# ── command: a digit for the state of the session, then a line ──

LINES = """
0EHLO a.example
0EHLO
0EHLO [192.0.2.1]
0EHLO [IPv6:2001:db8::1]
0EHLO [IPv6:2001:db8::1%eth0]
0EHLO [x-tag:content]
0EHLO a_b
0HELO xn--bcher-kva.example
0LHLO a.example
0NOOP
0NOOP and more
0QUIT
0MAIL FROM:<a@a.example>
0GET / HTTP/1.1
0HELP
0HELP mail
1MAIL FROM:<a@a.example>
1MAIL FROM:<>
1MAIL FROM: <a@a.example>
1mail from:<a@a.example> size=1000 BODY=8BITMIME
1MAIL FROM:<a@a.example> SIZE=99999999999999999999
1MAIL FROM:<a@a.example> SIZE=1 SIZE=2
1MAIL FROM:<a@a.example> BODY=BINARYMIME
1MAIL FROM:<a@a.example> RET=HDRS ENVID=QQ314159
1MAIL FROM:<a@a.example> ENVID=a+20b+2Bc
1MAIL FROM:<a@a.example> ENVID=a+2
1MAIL FROM:<a@a.example> AUTH=<> SMTPUTF8
1MAIL FROM:<a@a.example> AUTH=e+3Dmc2@a.example
1MAIL FROM:<a@a.example> BY=120;RT MT-PRIORITY=-4
1MAIL FROM:<a@a.example> BY=-10;N MT-PRIORITY=9
1MAIL FROM:<a@a.example> BY=0;R
1MAIL FROM:<a@a.example> REQUIRETLS
7MAIL FROM:<a@a.example> HOLDFOR=3600
1ETRN a.example
1ETRN @a.example
3ETRN #queue
1ETRN
0XCLIENT ADDR=192.0.2.9
1XCLIENT NAME=a.example ADDR=IPV6:2001:db8::9 PORT=25 PROTO=ESMTP HELO=[192.0.2.9] LOGIN=a+2Bb
1XCLIENT NAME=[TEMPUNAVAIL] REVERSE_NAME=[UNAVAILABLE] DESTADDR=192.0.2.1 DESTPORT=25
1XCLIENT
3XCLIENT ADDR=192.0.2.9
1MAIL FROM:<a@a.example> X-MAIL=1 SIZE=1 BODY=7BIT
1MAIL FROM:<a@a.example> X-MAIL x-mail=2
3RCPT TO:<b@b.example> x-rcpt=1 X-RCPT
3XFUZZ any text
1MAIL FROM:<a@a.example> XYZZY=1
1MAIL FROM:<@x.example,@y.example:a@a.example>
1MAIL FROM:<"a b"@a.example>
1MAIL FROM:<"a\\"b\\\\c"@a.example>
1MAIL FROM:<""@a.example>
1MAIL FROM:<a.@a.example>
1MAIL FROM:<a@[192.0.2.1]>
1MAIL FROM:<a@[IPv6:::1]>
1MAIL FROM:<a@a.example
1MAIL FROM:a@a.example
1MAIL TO:<a@a.example>
1RCPT TO:<b@b.example>
1VRFY b
1EXPN list
1RSET
1RSET now
1STARTTLS
1STARTTLS now
1AUTH PLAIN AGEAYg==
1AUTH PLAIN =
1AUTH LOGIN
1AUTH XYZZY
1AUTH PLAIN a
1BDAT 0 LAST
2MAIL FROM:<a@a.example> SIZE=1
2STARTTLS
3RCPT TO:<b@b.example>
3RCPT TO:<Postmaster>
3RCPT TO:<postMASTER>
3RCPT TO:<>
3RCPT TO:<b@b.example> NOTIFY=NEVER
3RCPT TO:<b@b.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bc@b.example
3RCPT TO:<b@b.example> NOTIFY=NEVER,DELAY
3RCPT TO:<@x.example:b@b.example>
3DATA
3BDAT 0 LAST
3MAIL FROM:<a@a.example>
4DATA
4DATA now
4BDAT 0 LAST
4BDAT 0
4BDAT -1
4BDAT 18446744073709551615 LAST
4BDAT 18446744073709551616
4EHLO b.example
5RCPT TO:<\u7528\u6237@\u4f8b\u3048.example>
5RCPT TO:<"\u00fc \u00f6"@b.example>
6LHLO b.example
6EHLO b.example
7MAIL FROM:<a@a.example>
7AUTH PLAIN AGEAYg==
"""


def commands():
    for line in LINES.strip().splitlines():
        yield line.encode()
    yield "1MAIL FROM:<\u00fc@a.example>".encode()
    yield b"1MAIL FROM:<\xff\xfe@a.example>"
    yield b"1NO\0OP"
    yield b"1NOOP\r"
    yield b"1NOOP\nQUIT"
    yield b"1NOOP \rQUIT"
    yield b"1NOOP " + b"x" * 2039
    yield b"1NOOP " + b"x" * 2041
    yield b"1AUTH PLAIN " + b"QUJD" * 700
    yield b"1 "
    yield b"1"


# ── split: mode, sizes of the pieces, then what the peer sends ──

HELLO = b"EHLO a.example\r\n"
START = HELLO + b"MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\n"
MESSAGE = b"Subject: s\r\n\r\nline\r\n..dot\r\n.\r\n"

SESSIONS = [
    b"",
    b"QUIT\r\n",
    HELLO,
    HELLO + b"NOOP\r\nRSET\r\nHELP\r\nVRFY b\r\nVRFY x\r\nEXPN l\r\nQUIT\r\n",
    START + b"DATA\r\n" + MESSAGE + b"QUIT\r\n",
    START + b"DATA\r\n.\r\nQUIT\r\n",
    START + b"DATA\r\nbare\nfeed\r\n.\r\nQUIT\r\n",
    START + b"DATA\r\nbare\rreturn\r\n.\r\nQUIT\r\n",
    START + b"DATA\r\n\n.\n\r\n.\r\r\n.\r\nQUIT\r\n",
    START + b"DATA\r\n.\n.\r.\r\n",
    START + b"DATA\r\nno end",
    START + b"BDAT 3\r\na\r\nBDAT 2 LAST\r\n\r\nQUIT\r\n",
    START + b"BDAT 0 LAST\r\nBDAT 3\r\nabcNOOP\r\nQUIT\r\n",
    START + b"BDAT 6 LAST\r\nRSET\r\nRSET\r\nQUIT\r\n",
    START + b"BDAT 7\r\n",
    START + b"BDAT 5\r\nabcdeDATA\r\nRSET\r\nQUIT\r\n",
    START + b"BDAT 99999999999 LAST\r\nabc",
    START + b"BDAT 3\r\nabcRSET\r\nMAIL FROM:<a@a.example>\r\n",
    START + b"BDAT x\r\nQUIT\r\n",
    HELLO + b"BDAT 6 LAST\r\nQUIT\r\nQUIT\r\n",
    HELLO + b"MAIL FROM:<a@a.example>\r\nRCPT TO:<x@b.example>\r\nDATA\r\nQUIT\r\n",
    HELLO + b"MAIL FROM:<a@a.example>\r\nRCPT TO:<x@b.example>\r\nBDAT 6 LAST\r\nNOOP\r\nQUIT\r\n",
    HELLO + b"MAIL FROM:<a@a.example>\r\n" + b"RCPT TO:<b@b.example>\r\n" * 9
    + b"RCPT TO:<x@b.example>\r\nRCPT TO:<>\r\nRCPT TO:<postmaster>\r\nDATA\r\n" + MESSAGE,
    HELLO + b"MAIL FROM:<x@a.example>\r\nRCPT TO:<b@b.example>\r\nRSET\r\n",
    HELLO + b"AUTH PLAIN AGEAYg==\r\nAUTH PLAIN AGEAYg==\r\nMAIL FROM:<>\r\n",
    HELLO + b"AUTH LOGIN\r\nYQ==\r\nNOOP\r\n",
    HELLO + b"AUTH LOGIN\r\n*\r\nNOOP\r\nAUTH LOGIN\r\n***\r\nAUTH LOGIN\r\nxxxx\r\n",
    HELLO + b"FOO\r\n" * 25,
    HELLO + b"NOOP " + b"x" * 2100 + b"\r\nNOOP\r\nQUIT\r\n",
    HELLO + b"NO\nOP\r\nNOOP\rNOOP\r\nNOOP\0\r\n\r\n\r\r\nQUIT\r\n",
    b"LHLO a.example\r\nMAIL FROM:<>\r\nRCPT TO:<b@b.example>\r\nRCPT TO:<c@b.example>\r\nDATA\r\n"
    + MESSAGE + b"QUIT\r\n",
    b"LHLO a.example\r\nMAIL FROM:<>\r\nRCPT TO:<b@b.example>\r\nBDAT 2 LAST\r\nhiQUIT\r\n",
    b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
    START + b"EHLO x\r\nDATA\r\n" + MESSAGE,
    START + b"EHLO b.example\r\nDATA\r\n" + MESSAGE,
    HELLO + b"HELO a.example\r\nMAIL FROM:<a@a.example> SIZE=1\r\nQUIT\r\n",
    (START + b"DATA\r\n" + MESSAGE)[len(HELLO):].join([HELLO, b"", b"QUIT\r\n"]),
]


def splits():
    for flags, session in itertools.product((b"0", b"2", b"4", b"9"), SESSIONS):
        yield flags + b"s" + session


# ── dot_oracle: line endings and sizes of the pieces, then what follows the 354 ──

ENDS = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n",
    b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n.\r\0\n", b"\r\0\n.\r\n", b"\r\n.\r\r\n",
    b"\r\r\n.\r\r\n", b"\r\n. \r\n", b"\r\n.\t\r\n", b"\r\n..\r\n", b"\n\r.\r\n",
    b"\xc2\x85.\xc2\x85", b"\x0b.\x0b", b"\r\r\n.\r\n", b"\r\n..\r\n..", b"\r\n.a", b"\r\n\r\n.\r\n",
]


def messages():
    for end in ENDS:
        for flags in (b"\0", b"\1", b"\2", b"\5"):
            yield flags + b"a" + end + b"MAIL FROM:<c@c.example>\r\n.\r\nQUIT\r\n"
    for wire in (b"", b".\r\n", b".", b".\r", b"\r\n.\r\n", b"..\r\n.\r\n", b"." * 9, b"no end\r\n"):
        yield b"\0" + wire


# ── server_session: configuration, then octets of the peer and orders to the embedder ──

RUN, NO, WORDS, KEEP = b"\xff", b"\xfe", b"\xfd", b"\xfc"
NEWEST, OLDEST, DEAF = b"\xfb", b"\xfb\x04", b"\xf9"
EOF, SHUTDOWN, DISCARD, RELEASE, DISCONNECT, SIP = (b"\xf8" + bytes([n]) for n in range(6))


def late(seconds):
    return b"\xfa" + bytes([seconds])


def sessions():
    for session in SESSIONS:
        if len(session) < 1000:
            yield b"@" + RUN + session + RUN
    yield b"\x20" + START + b"DATA\r\n" + RUN + MESSAGE + RUN + EOF
    yield b"\x00" + KEEP + RUN + late(200) + RUN + OLDEST
    yield b"\x00" + NO + RUN + b"NOOP\r\nQUIT\r\n" + RUN
    yield b"\x00" + DISCONNECT + RUN + b"NOOP\r\n" + RUN
    yield b"\x00early" + KEEP + RUN + b"\r\n" + RUN + OLDEST + RUN
    yield b"\x00" + RUN + HELLO + RUN + b"STARTTLS\r\n" + RUN + HELLO + RUN
    yield b"\x00" + RUN + HELLO + RUN + b"STARTTLS\r\nNOOP\r\n" + RUN
    yield b"\x00" + RUN + HELLO + RUN + DEAF + b"STARTTLS\r\n" + RUN + b"NO" + RUN + DEAF + RUN
    yield b"\x00" + RUN + HELLO + RUN + b"STARTTLS\r\n" + KEEP + RUN + SIP + late(90) + RUN
    yield b"\x00" + RUN + HELLO + KEEP + RUN + DISCONNECT + RUN + SHUTDOWN + RUN + OLDEST + RUN
    many = b"".join(KEEP + b"RCPT TO:<b%d@b.example>\r\n" % n + RUN for n in range(4))
    mail = b"MAIL FROM:<a@a.example>\r\n"
    for flags in (b"\x20", b"\x30", b"\x00", b"\x22"):
        hello = b"LHLO a.example\r\n" if flags == b"\x22" else HELLO
        lead = flags + RUN + hello + mail + RUN + many
        yield lead + NEWEST + b"\0" + NEWEST + b"\2" + NEWEST + b"\1" + NEWEST + b"\0" + b"DATA\r\n" + RUN + MESSAGE + RUN
        yield lead + OLDEST + OLDEST + late(130) + RUN + OLDEST + OLDEST + RUN
        yield lead + NEWEST + b"\3" + RUN + OLDEST + OLDEST + RUN
        yield lead + SHUTDOWN + RUN + NEWEST + b"\0" * 2 + OLDEST + RUN
        yield lead + EOF + RUN + OLDEST + OLDEST + OLDEST + OLDEST + RUN
    data = b"\x00" + RUN + START + b"DATA\r\n" + RUN
    yield data + b"abc\r\n" + RUN + DISCARD + RUN + b"def\r\n.\r\nNOOP\r\n" + RUN
    yield data + b"abc\r\n" + RUN + SHUTDOWN + RUN + b"def\r\n.\r\nNOOP\r\n" + RUN
    yield data + b"abc\r\n" + RUN + EOF + RUN
    yield data + b"abc\r\n" + RUN + late(250) + late(100) + RUN
    yield data + b"abc\r\n.\r\n" + KEEP + RUN + late(250) + late(250) + RUN + OLDEST + RUN
    yield data + b"a\nb\r\n.\r\nNOOP\r\n" + RUN
    yield data + MESSAGE + WORDS + RUN + RELEASE + b"QUIT\r\n" + RUN
    bdat = b"\x00" + RUN + START + KEEP + b"BDAT 6\r\n" + RUN
    yield bdat + late(70) + RUN + b"RSET\r\nQUIT\r\n" + RUN
    yield bdat + NEWEST + b"\2" + RUN + b"RSET\r\nBDAT 6 LAST\r\nRSET\r\n" + RUN
    yield bdat + OLDEST + b"abc" + RUN + DISCARD + b"defNOOP\r\n" + RUN
    yield b"\x00" + DEAF + RUN + b"HELP\r\n" * 300 + RUN + RUN + late(250) + late(250) + RUN
    yield b"\x10" + DEAF + RUN + b"EHLO a.example\r\n" * 60 + RUN + DEAF + RUN
    yield b"\x00" + RUN + HELLO + RUN + WORDS + b"AUTH LOGIN\r\n" + RUN + b"YQ==\r\n" + NO + RUN
    yield b"\x00" + RUN + HELLO + RUN + WORDS + b"AUTH LOGIN\r\n" + RUN + b"*\r\n" + RUN
    yield b"\x00" + RUN + HELLO + RUN + WORDS + b"AUTH LOGIN\r\n" + RUN + b"YQ==\r\n" + KEEP + RUN + late(130) + RUN
    yield b"\x00" + RUN + HELLO + NO + b"AUTH PLAIN AGEAYg==\r\n" + RUN
    yield b"\x01" + RUN + START + RUN
    yield b"\x08" + RUN + START + b"DATA\r\na\nb\r\n.\r\n" + RUN


# ── reply: the size of the pieces, then what a server sends ──

REPLIES = [
    b"", b"250\r\n", b"250 \r\n", b"250-\r\n250\r\n", b"250\n", b"250-a\n250 b\r\n",
    b"220 mx.example ESMTP\r\n250-mx.example\r\n250-SIZE 1000\r\n250 AUTH PLAIN LOGIN\r\n",
    b"250-mx.example\r\n250-AUTH=LOGIN\r\n250-LIMITS MAILMAX=5 X\r\n250 SIZE x\r\n",
    b"550 5.1.1 No such user\r\n", b"550-5.1.1 No\r\n550 5.1.1 such\r\n", b"550 5.1.1\r\n",
    b"550 2.1.1 x\r\n", b"450 4.1000.1 x\r\n", b"550 5.1.1.1 x\r\n", b"354 3.0.0 go\r\n",
    b"250-ok\r\n550 no\r\n", b"250_x\r\n", b"250\tx\r\n", b"250\rx\r\n", b"250\r\r\n",
    b"2500 x\r\n", b"25 x\r\n", b"2x0 x\r\n", b"199 x\r\n", b"600 x\r\n", b"\r\n", b"\n",
    b"250 a\r\n\r\n", b"250 a\r\n250", b"250-a\r\nb\r\n", b"HTTP/1.1 400 Bad Request\r\n",
    b"250 \xff\xc3\xa9\0\x1b[2J\r\n", b"250 \xe2\x80\xa8\xc2\x85\r\n", b"250 \xe2\x80\r\n",
    b"250 " + b"x" * 506 + b"\r\n", b"250 " + b"x" * 507 + b"\r\n", b"250 " + b"x" * 594 + b"\r\n",
    b"250 " + b"x" * 595 + b"\r\n", b"250-x\r\n" * 85 + b"250\r\n", b"250-x\r\n" * 86,
    b"421 4.3.2 Bye\r\n421 4.3.2 Bye\r\n", b"250 a\r\n" * 200,
]


def replies():
    for size in (b"\1", b"\7"):
        for wire in REPLIES:
            yield size + wire


# ── encode: framing, line endings, octets and sizes, then a message ──

MESSAGES = [
    b"", b".", b"..", b".\r\n", b"\r\n", b"\r", b"\n", b"a", b"a\r\n", b"a\r\n.b\r\n..c",
    b"a\r\n.\r\nb", b"a\n.\nb", b"a\r.\rb", b"a\r\r\n.b", b"a\n\r\n.b", b"\r\n.\r\n.\r\n",
    b"a\0b", b"a\r\0", b"a\xe9\r\n", b"\xe9", b"x" * 64 + b"\r\n.", b"x" * 63 + b"\r\n." + b"y" * 70,
    b"x" * 130 + b"\0", b"x" * 65 + b"\n.", b"Subject: s\r\n\r\nline\r\n.dot\r\n",
]


def encodings():
    for flags in (b"\0", b"\1", b"\2", b"\x0f"):
        for message in MESSAGES:
            yield flags + message
    for end in ENDS:
        yield b"\0a" + end + b"b"
        yield b"\2a" + end + b"b"


# ── client_session: configuration, then what the server says; F0 to FF are the embedder's ──

HELLO, MAIL, RCPT, DATA, BODY, END = b"\xf0", b"\xf1", b"\xf2", b"\xf3", b"\xf4", b"\xf5"
BDAT, RSET, NOOP, QUIT, TLS, AUTH, RESPOND = (bytes([octet]) for octet in range(0xF6, 0xFD))
PASS, WRITE, RUN = b"\xfd", b"\xfe", b"\xff"


def client_sessions():
    greeting = b"220 mx.example\r\n" + RUN + HELLO + WRITE + RUN
    offered = [
        b"250 mx.example\r\n",
        b"250-mx.example\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n",
    ]
    rests = [
        MAIL + RCPT + DATA + (WRITE + RUN + b"250 ok\r\n" + RUN) * 2 + WRITE + RUN + b"354 go\r\n" + RUN
        + BODY + BODY + END + WRITE + RUN + b"250 sent\r\n" + RUN + QUIT + WRITE + RUN + b"221 bye\r\n",
        MAIL + RCPT + RCPT + DATA + WRITE + RUN + b"250 ok\r\n550 no\r\n550 no\r\n354 go\r\n" + RUN
        + WRITE + RUN + b"554 none\r\n" + RUN + MAIL + WRITE,
        MAIL + RCPT + BDAT + BDAT + WRITE + RUN + b"250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n" + RUN,
        MAIL + WRITE + RUN + b"550 no\r\n" + RUN + RCPT + DATA + RSET + WRITE + RUN + b"250 ok\r\n",
        AUTH + WRITE + RUN + b"334 \r\n" + RUN + RESPOND + WRITE + RUN + b"235 ok\r\n" + RUN + NOOP,
        AUTH + WRITE + RUN + b"334 !\r\n" + RUN + RESPOND + WRITE + RUN + b"501 no\r\n",
        TLS + WRITE + RUN + b"220 go\r\n" + RUN + HELLO + WRITE + RUN + b"250 ok\r\n" + RUN + MAIL,
        TLS + WRITE + RUN + b"220 go\r\n250 evil\r\n" + RUN,
        NOOP + WRITE + RUN + b"421 bye\r\n" + RUN + NOOP,
        b"421 idle\r\n" + RUN,
        b"250 what\r\n" + RUN,
        MAIL + WRITE + RUN + PASS * 12 + RUN,
        MAIL + RCPT + DATA + WRITE + RUN + b"354 what\r\n" + RUN,
    ]
    for flags in (b"\0", b"\1", b"\2", b"\4", b"\x18"):
        for keywords in offered:
            for rest in rests:
                yield flags + greeting + keywords + RUN + rest
    for start in (b"554 no\r\n", b"421 no\r\n", b"220-a\r\n", b"HTTP/1.1 400\r\n"):
        yield b"\0" + start + RUN + QUIT + WRITE + RUN
    for code in (b"500", b"502", b"550"):
        yield b"\0" + greeting + code + b" what\r\n" + RUN + WRITE + RUN + b"250 ok\r\n" + RUN + MAIL


# ── pair: extensions, what is used, cuts, recipients, then a message ──


def pairs():
    messages = MESSAGES[:16] + [b"Subject: s\r\n\r\n" + b"x" * 70 + b"\r\n.\r\n" + b"\r\n" * 40]
    for number, message in enumerate(messages):
        for used in (0, 1, 2, 3, 17, 19, 65, 67, 131):
            offer = (number * 37 + used * 11) & 0xFF
            yield bytes([offer, used | 12, number * 7 & 0xFF, number * 5 & 0xFF]) + message
    for cut in range(0, 256, 8):
        yield bytes([2, 0x20 | 1, cut, 0]) + b"Subject: s\r\n\r\ntext\r\n"


# ── path: an address, or a part of one ──

ADDRESSES = r"""
a@b.example
a.b+c=d@b.example
Postmaster
"a b"@b.example
"a\"b\\c@d>"@b.example
""@b.example
"a>b"@b.example
"\ "@b.example
a..b@b.example
.a@b.example
a.@b.example
a@b@c.example
a@b_c.example
a@-b.example
a@b-.example
a@b..example
a@b.example.
a@[192.0.2.1]
a@[192.0.2.01]
a@[192.0.2.256]
a@[192.0.2]
a@[IPv6:2001:db8::1]
a@[ipv6:2001:DB8:0:0::1]
a@[IPv6:::]
a@[IPv6:::ffff:192.0.2.1]
a@[IPv6:1:2:3:4:5:6:192.0.2.1]
a@[IPv6:1:2:3:4:5:6:7:8]
a@[IPv6:1:2:3:4:5:6:7::]
a@[IPv6:::2:3:4:5:6:7:8]
a@[IPv6:1:2:3:4:5:6:7::8]
a@[IPv6:1::2::3]
a@[IPv6:12345::]
a@[IPv6:192.0.2.1::]
a@[IPv6:fe80::1%lo]
a@[x-tag:any!thing>]
a@[x-:y]
a@[-x:y]
a@[x:]
a@[:x]
a@[x:[y]]
@[192.0.2.1]
under_score.example
_
"""

# What may stand around an address, whether it is good or bad.
AROUND = [
    "{}", "<{}>", "<{}> SIZE=1", "<{}>x", "<{}", "<@r.example:{}>", "<@r.example,@[192.0.2.1]:{}>",
    "<@r.example,@s.example:{}>  ", "<@r.example{}>", "<<{}>>",
]


def paths():
    addresses = ADDRESSES.strip().splitlines() + [
        "\u7528\u6237@\u4f8b\u3048.example", '"\u00fc \u00f6"@b.example', "a@b\u3002example",
        "a\u2028b@b.example", "a\u0085b@b.example", "a@b\u00a0c.example", "a@\u202eb.example",
        "a@\u200bb.example", "a@\u00fc-.example", '"\\\u00fc"@b.example', "a\x7f@b.example", "a\tb@b.example",
    ]
    for number, address in enumerate(addresses):
        yield address.encode()
        for around in AROUND[number % 3 + 1::3]:
            yield around.format(address).encode()
    for text in ["", "<>", "<> X", "<>x", "<postMASTER>", "<Postmaster>x", "<@r.example:>", "<@>", "\"", "<"]:
        yield text.encode()
    label = "d" * 63
    for text in [
        "l" * 128, "l" * 129, '"' + "l" * 126 + '"', '"' + "l" * 127 + '"', label, label + "d",
        ".".join([label] * 4), ".".join([label] * 3 + [label[2:]]) + ".d", "\u0e01" * 63, "\u0e01" * 64,
        "[x:" + "y" * 251 + "]", "[x:" + "y" * 252 + "]",
    ]:
        yield text.encode()
        yield f"<a@{text}>".encode()
    for more in range(124, 128):
        domain = ".".join([label] * 3)
        yield f"<@{domain}:{'l' * more}@{domain}>".encode()


# ── dsn: parameters of MAIL and of RCPT ──

PARAMETERS = """
RET=FULL
RET=HDRS
ret=full
RET=
RET
RET=FULL RET=HDRS
RET=FULLER
ENVID=QQ314159
ENVID=a+20b+2Bc
ENVID=a+2
ENVID=a+2b
ENVID=+00
ENVID=+7F
ENVID=+C3+BC
ENVID=
ENVID
ENVID=a=b
envid=a ENVID=b
RET=HDRS ENVID=QQ314159
ENVID=QQ314159  RET=FULL 
NOTIFY=NEVER
NOTIFY=SUCCESS
NOTIFY=FAILURE
NOTIFY=DELAY
NOTIFY=SUCCESS,FAILURE,DELAY
NOTIFY=delay,Failure
NOTIFY=SUCCESS,SUCCESS
NOTIFY=NEVER,DELAY
NOTIFY=SUCCESS,NEVER
NOTIFY=SUCCESS,
NOTIFY=,
NOTIFY=
NOTIFY
NOTIFY=ALWAYS
NOTIFY=NEVER NOTIFY=NEVER
ORCPT=rfc822;b@b.example
ORCPT=rfc822;b+2Bc@b.example
ORCPT=RFC822;+C3+BC@b.example
ORCPT=utf-8;+5Cx{00FC}@b.example
ORCPT=utf-8;\u00fc@b.example
ORCPT=x.400;a
ORCPT=rfc822;
ORCPT=;b@b.example
ORCPT=rfc822
ORCPT=rfc822;b+0D+0A
ORCPT=rfc822;b+20c
ORCPT=rfc822;a;b
ORCPT=r\u00fc;a
ORCPT=
NOTIFY=DELAY ORCPT=rfc822;b@b.example
ORCPT=rfc822;b@b.example	NOTIFY=DELAY
SIZE=1 RET=FULL
=FULL
RET==FULL
+
+2
+2B+3D
e+3Dmc2@a.example
"""


def dsns():
    for text in PARAMETERS.strip("\n").splitlines():
        yield text.encode()
    for length in (99, 100, 101):
        yield b"ENVID=" + b"x" * length
    for length in (484, 488, 489):
        yield b"ORCPT=rfc822;" + b"x" * (length - 1)
    yield bytes(range(256))
    yield b""


# ── proxy: a header, and perhaps more ──


def proxies():
    lines = [
        b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 25", b"PROXY TCP6 2001:db8::1 2001:db8::2 1 65535",
        b"PROXY UNKNOWN", b"PROXY UNKNOWN ", b"PROXY UNKNOWN ffff:f:f:f:f:f:f:f a 1 2", b"PROXY UNKNOWNX",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 0 0", b"PROXY TCP4 192.0.2.1 198.51.100.1 00 1",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 +1 1", b"PROXY TCP4 192.0.2.1 198.51.100.1 65536 1",
        b"PROXY TCP4 192.0.2.01 198.51.100.1 1 1", b"PROXY TCP4 ::1 ::1 1 1", b"PROXY TCP5 ::1 ::1 1 1",
        b"PROXY TCP6 ::ffff:192.0.2.1 :: 1 1", b"PROXY TCP6 1::2::3 :: 1 1", b"PROXY TCP6 192.0.2.1 :: 1 1",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 1", b"PROXY TCP4 192.0.2.1 198.51.100.1 1 1 1",
        b"PROXY TCP4  192.0.2.1 198.51.100.1 1 1", b"PROXY tcp4 192.0.2.1 198.51.100.1 1 1",
        b"proxy TCP4 192.0.2.1 198.51.100.1 1 1", b"PROXY TCP4\t192.0.2.1 198.51.100.1 1 1",
        b"PROXY UNKNOWN " + b"x" * 91, b"PROXY UNKNOWN " + b"x" * 92, b"PROXY \xff", b"PROXY",
        b"PROXY TCP6 " + b"ffff:" * 7 + b"ffff " + b"ffff:" * 7 + b"ffff 65535 65535", b"EHLO a.example",
    ]
    for line in lines:
        yield line + b"\r\n"
        yield line + b"\r\nEHLO a.example\r\n"
        yield line
    yield b"PROXY UNKNOWN\r"
    yield b"PROXY UNKNOWN\n"
    yield b"PROXY UNKNOWN \r \n\r\n"
    signature = b"\r\n\r\n\0\r\nQUIT\n"
    addresses = bytes(range(1, 217))
    for command in (b"\x20", b"\x21", b"\x22", b"\x11"):
        for family in (b"\x00", b"\x11", b"\x12", b"\x21", b"\x31", b"\xff"):
            for length in (0, 11, 12, 15, 36, 216):
                if length in (0, 12, 36, 216) or command == b"\x21":
                    yield signature + command + family + length.to_bytes(2) + addresses[:length]
    local = signature + b"\x20\x00"
    yield local + b"\x00\x00EHLO a.example\r\n"
    yield local + b"\x00\x05abc"
    yield local + (4080).to_bytes(2) + b"x" * 4080
    yield local + (4081).to_bytes(2) + b"x" * 20
    yield local + b"\xff\xff"
    for cut in (1, 11, 12, 13, 15):
        yield (signature + b"\x21\x11\0\x0c")[:cut]
    yield signature[:6] + b"x"


# ── sasl: where AUTH is offered, what is answered, then the peer's lines ──

EXCHANGES = [
    b"PLAIN AGEAYg==", b"PLAIN\nAGEAYg==", b"LOGIN\nYQ==\nYg==\nYw==", b"LOGIN YQ==\nYg==", b"PLAIN =", b"PLAIN ==",
    b"PLAIN\n=\n", b"PLAIN\n*\nPLAIN AGEAYg==", b"PLAIN *", b"LOGIN\n\n\n\n", b"LOGIN\n**\nLOGIN", b"",
    b"CRAM-MD5", b"XOAUTH2 YQ==", b"plain agEAYg==", b"Login", b" PLAIN  AGEAYg==  ", b"PLAIN AGEA Yg==",
    b"PLAIN A", b"PLAIN AG", b"PLAIN AGE", b"PLAIN AGE=", b"PLAIN AG==", b"PLAIN AH==", b"PLAIN AGF=", b"PLAIN A===",
    b"PLAIN =AGE", b"PLAIN AG=E", b"PLAIN AGE=AGE=", b"PLAIN -_-_", b"PLAIN \xff", b"PL\xffAIN", b"PLAIN\tAGE=",
    b"LOGIN\nYQ== \nLOGIN", b"LOGIN\n YQ==", b"LOGIN\n\0", b"LOGIN\nY\rQ", b"PLAIN\0", b"PLAIN \r",
    b"123456789012345678901", b"12345678901234567890", b"PL.AIN", b"PLAIN " + b"QUJD" * 500,
    b"LOGIN\n" + b"QUJD" * 900, b"LOGIN\nLOGIN\nPLAIN AGEAYg==\nLOGIN YQ==\nLOGIN YQ==",
    b"PLAIN AGEAYg==\n" * 6,
]


def exchanges():
    for number, lines in enumerate(EXCHANGES):
        for answers in range(5):
            yield bytes([0, number, answers * 51]) + lines
    for lines in EXCHANGES[::6]:
        yield b"\1ab" + lines
        yield b"\2ab" + lines


# ── bdat: what is offered and refused, then what the peer sends after EHLO ──

ENVELOPE = b"MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\n"
CHUNKS = [
    b"BDAT 5 LAST\r\nhello", b"BDAT 0 LAST\r\n", b"BDAT 0\r\nBDAT 0 LAST\r\n", b"BDAT 3\r\nabcBDAT 3 LAST\r\ndef",
    b"BDAT 3\r\nabcBDAT 0 LAST\r\n" + ENVELOPE + b"BDAT 1 LAST\r\nx", b"BDAT 6 LAST\r\nQUIT\r\nQUIT\r\n",
    b"BDAT 14\r\nBDAT 0 LAST\r\n" + b"BDAT 2 LAST\r\n\r\n", b"BDAT 5 LAST\r\n.\r\n\0\nNOOP\r\n",
    b"BDAT 3\r\nabcRSET\r\nBDAT 3 LAST\r\nabc", b"BDAT 3\r\nabcEHLO a.example\r\n" + ENVELOPE + b"BDAT 2 LAST\r\nok",
    b"BDAT 3\r\nabcLHLO a.example\r\nNOOP\r\n", b"BDAT 3\r\nabcNOOP\r\nBDAT 1 LAST\r\nd", b"BDAT 3\r\nabcQUIT\r\nNOOP\r\n",
    b"BDAT 3\r\nabcMAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nBDAT 0 LAST\r\n", b"BDAT 3\r\nabcDATA\r\n",
    b"BDAT 3\r\nab", b"BDAT 3\r\nabc", b"BDAT 3 LAST\r\nab", b"BDAT 3 LAST\r\n", b"BDAT 10 LAST\r\nabc\r\n", b"BDAT 3\r",
    b"bdat 3 last\r\nabc", b"BDAT  3  LAST \r\nabc", b"BDAT 003 LAST\r\nabc", b"BDAT 3LAST\r\nabc", b"BDAT 3 LAST LAST\r\n",
    b"BDAT\r\n", b"BDAT x\r\n", b"BDAT -1\r\n", b"BDAT +1\r\n", b"BDAT 0x1\r\n", b"BDAT 1 FIRST\r\n", b"BDAT LAST\r\n",
    b"BDAT 1\r\naBDAT x\r\n", b"BDAT 65536\r\nabc", b"BDAT 65537\r\nabc", b"BDAT 65537 LAST\r\nabc",
    b"BDAT 1\r\naBDAT 65535\r\nb", b"BDAT 1\r\naBDAT 65536 LAST\r\nb", b"BDAT 18446744073709551615\r\na",
    b"BDAT 18446744073709551616 LAST\r\n", b"BDAT 1\r\naBDAT 99999999999999999999\r\n",
    b"BDAT 100000000000000000000\r\n", b"BDAT 3\r\nabc" * 9 + b"BDAT 0 LAST\r\n",
    b"HELO a.example\r\n" + ENVELOPE + b"BDAT 3 LAST\r\nabcNOOP\r\nQUIT\r\n", b"BDAT 300\r\n" + bytes(range(256)) + b"x" * 44 + b"QUIT\r\n",
]


def chunks():
    for number, session in enumerate(CHUNKS):
        for choice in (0, 1, 2 + number % 2, 4 + number % 2, 8, 9, 16 + number % 2):
            recipients = b"RCPT TO:<b@b.example>\r\n" * (choice % 2 * 2)
            yield bytes([choice | number % 8 << 5]) + ENVELOPE + recipients + session
    for session in CHUNKS[:6] + CHUNKS[-8:]:
        yield b"\0" + session + b"NOOP\r\n"
        yield b"\1MAIL FROM:<a@a.example>\r\n" + session + b"NOOP\r\n"
        yield b"\x24" + ENVELOPE + b"BDAT 2\r\nxx" + session
        yield b"\x51" + ENVELOPE + b"BDAT 2\r\nxx" + session + ENVELOPE + session


# ── decisions: the configuration, then what happens (the lower half) and how (the upper half) ──

(RCPT1, MAIL1, HELLO1, DATA1, NOOP1, VRFY1, RSET1, AUTH1, OTHER1, RCPTS, SHOW, KEEP_SOME, ANSWER, NEXT, TIME, STOP) = range(16)


def happening(*steps):
    return bytes(step if isinstance(step, int) else step[0] | step[1] << 4 for step in steps)


def happenings():
    greeted = [SHOW, HELLO1, SHOW]
    mailed = [*greeted, MAIL1, SHOW]
    late = (TIME, 0)
    for kind in range(4):
        for place in range(4):
            answers = [(ANSWER, place << 2 | kind)] + [(ANSWER, place << 2)] * 3
            group = [*mailed, (KEEP_SOME, 3), (RCPTS, 4), NOOP1, SHOW, *answers, SHOW, DATA1, SHOW, SHOW]
            for flags in (0x1c, 0x1e, 0x04, 0x00):
                yield bytes([flags]) + happening(*group)
            yield b"\x1c" + happening(*mailed, (KEEP_SOME, 3), (RCPTS, 4), SHOW, *answers[:2], late, SHOW, *answers[2:], SHOW)
            yield b"\x1c" + happening(*mailed, (KEEP_SOME, 3), (RCPTS, 4), SHOW, (TIME, place + 1), *answers, (STOP, place * 4), SHOW)
        one = [(KEEP_SOME, 0), SHOW, (ANSWER, kind), SHOW]
        expired = [(KEEP_SOME, 0), SHOW, late, (ANSWER, kind), SHOW]
        for way in (one, expired):
            yield b"\x00" + happening(*way, HELLO1, SHOW, NOOP1, SHOW)
            yield b"\x20" + happening(SHOW, HELLO1, *way, NOOP1, SHOW)
            for command in (MAIL1, VRFY1, AUTH1, RSET1, NOOP1):
                yield b"\x00" + happening(*greeted, command, *way, NOOP1, SHOW)
            for other in range(16):
                yield b"\x20" + happening(*greeted, (OTHER1, other), NOOP1, *way, HELLO1, SHOW)
            for flags in (0x00, 0x02, 0x3f):
                data = [*mailed, RCPT1, RCPT1, DATA1, NOOP1, SHOW]
                yield bytes([flags]) + happening(*mailed, RCPT1, SHOW, DATA1, NOOP1, *way, SHOW, SHOW)
                yield bytes([flags]) + happening(*data, *way, SHOW, *way, SHOW)
    yield b"\x00" + happening(*greeted, (NEXT, 1), (OTHER1, 12), SHOW, (OTHER1, 6), SHOW, NOOP1, SHOW)
    yield b"\x00" + happening(*greeted, (NEXT, 1), AUTH1, NOOP1, SHOW, (NEXT, 1), AUTH1, (OTHER1, 7), SHOW)
    yield b"\x3c" + happening(*mailed, (KEEP_SOME, 15), *[(RCPTS, 8)] * 9, SHOW, *[(TIME, 15)] * 4, SHOW)
    for cut in range(1, 9):
        yield b"\x1c" + happening(SHOW, HELLO1, MAIL1, RCPT1, RCPT1, DATA1, *[(SHOW, cut)] * 30, SHOW, (OTHER1, 0), SHOW)


def main():
    for target, inputs in {
        "command": commands(),
        "split": splits(),
        "dot_oracle": messages(),
        "server_session": sessions(),
        "reply": replies(),
        "encode": encodings(),
        "client_session": client_sessions(),
        "pair": pairs(),
        "path": paths(),
        "dsn": dsns(),
        "proxy": proxies(),
        "sasl": exchanges(),
        "bdat": chunks(),
        "decisions": happenings(),
    }.items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for data in inputs:
            assert len(data) <= 4096, target
            (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)
        print(f"{target}: {len(list(folder.iterdir()))} inputs")


if __name__ == "__main__":
    main()
