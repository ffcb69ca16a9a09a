//! From the octets of a line to a typed, validated command or reply.
//!
//! Ours is the machine's whole step: the line is found, its order checked, the command parsed, the
//! question opened. The answer is not counted, but is in the time that criterion shows.

use super::{Case, Work, counted};
use crate::{discard, script::Accepting};
use smtp_codec::parse::{command::command, response};
use smtp_proto::{
    client::Capabilities,
    ext::Offer,
    wire::{HelloName, Mail, Rcpt, Reply},
};
use std::hint::black_box;

const EHLO: &[u8] = b"EHLO client.example.org\r\n";
const MAIL: &[u8] = b"MAIL FROM:<alice@client.example.org>\r\n";
const MAIL_5: &[u8] = b"MAIL FROM:<alice@client.example.org> SIZE=12345 BODY=8BITMIME SMTPUTF8 \
    RET=HDRS ENVID=QQ314159\r\n";
const RCPT: &[u8] = b"RCPT TO:<bob@mx.example.net>\r\n";
const REPLY: &[u8] = b"250 2.1.5 Recipient bob@mx.example.net ok\r\n";
const EHLO_ANSWER: &[u8] = b"250-mx.example.net greets client.example.org\r\n\
    250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n\
    250-SMTPUTF8\r\n250-CHUNKING\r\n250-DSN\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n";

const OURS: &str = "smtp-proto";
const STALWART: &str = "Stalwart";
const CODEC: &str = "smtp-codec";
/// Our parser without the machine: of what follows the verb.
const ARGUMENTS: &str = "arguments";

const fn case(task: &'static str, subject: &'static str, prepare: fn() -> Work) -> Case {
    Case { task, subject, octets: None, prepare }
}

pub(super) const CASES: &[Case] = &[
    case("EHLO", OURS, || ours(EHLO, b"")),
    case("EHLO", STALWART, || stalwart_command(EHLO)),
    case("EHLO", CODEC, || codec(command, EHLO)),
    case("EHLO", ARGUMENTS, || arguments(EHLO, hello)),
    case("MAIL", OURS, || ours(MAIL, b"")),
    case("MAIL", STALWART, || stalwart_command(MAIL)),
    case("MAIL", CODEC, || codec(command, MAIL)),
    case("MAIL", ARGUMENTS, || arguments(MAIL, mail)),
    case("MAIL, 5 parameters", OURS, || ours(MAIL_5, b"")),
    case("MAIL, 5 parameters", STALWART, || stalwart_command(MAIL_5)),
    case("MAIL, 5 parameters", CODEC, || codec(command, MAIL_5)),
    case("MAIL, 5 parameters", ARGUMENTS, || arguments(MAIL_5, mail)),
    case("RCPT", OURS, || ours(RCPT, MAIL)),
    case("RCPT", STALWART, || stalwart_command(RCPT)),
    case("RCPT", CODEC, || codec(command, RCPT)),
    case("RCPT", ARGUMENTS, || arguments(RCPT, rcpt)),
    case("one-line reply", OURS, our_reply),
    case("one-line reply", STALWART, stalwart_reply),
    case("one-line reply", CODEC, || codec(response::Reply_line, REPLY)),
    case("EHLO answer", OURS, our_capabilities),
    case("EHLO answer", STALWART, stalwart_capabilities),
    case("EHLO answer", CODEC, || codec(response::ehlo_ok_rsp, EHLO_ANSWER)),
];

/// The machine takes `line`, behind `before`.
#[expect(clippy::expect_used, reason = "the configuration is a constant")]
fn ours(line: &'static [u8], before: &[u8]) -> Work {
    let mut machine = Accepting::greeted(discard::config().expect("it is valid"));
    machine.feed(before);
    Box::new(move || {
        let mut input = black_box(line);
        let step = counted(|| machine.poll(&mut input));
        machine.refuse(black_box(step));
    })
}

/// Our parser takes what follows the verb.
#[expect(clippy::expect_used, reason = "the configuration and the lines are constants")]
fn arguments<T: 'static>(
    line: &'static [u8],
    parse: fn(&'static str, &Offer<'_>) -> Option<T>,
) -> Work {
    let config = discard::config().expect("it is valid");
    let text = str::from_utf8(line).expect("it is ASCII").trim_end();
    let (_, arguments) = text.split_once(' ').expect("it has arguments");
    Box::new(move || {
        let offer = Offer {
            extensions: config.extensions(),
            limits: config.limits(),
            mode: config.mode(),
            esmtp: true,
            tls: false,
        };
        let arguments = black_box(arguments);
        assert!(black_box(counted(|| parse(arguments, &offer))).is_some());
    })
}

fn hello(text: &'static str, _: &Offer<'_>) -> Option<HelloName<'static>> {
    HelloName::parse(text).ok()
}

fn mail(text: &'static str, offer: &Offer<'_>) -> Option<Mail<'static>> {
    Mail::parse(text, offer).ok()
}

fn rcpt(text: &'static str, offer: &Offer<'_>) -> Option<Rcpt<'static>> {
    Rcpt::parse(text, offer, false).ok()
}

fn stalwart_command(line: &'static [u8]) -> Work {
    Box::new(move || {
        let line = black_box(line);
        let parsed = counted(|| stalwart::Request::parse(&mut line.iter()));
        assert!(black_box(parsed).is_ok());
    })
}

fn codec<T>(parse: fn(&'static [u8]) -> nom::IResult<&'static [u8], T>, line: &'static [u8]) -> Work
where
    T: 'static,
{
    Box::new(move || {
        let line = black_box(line);
        let parsed = counted(|| parse(line));
        assert!(black_box(parsed).is_ok());
    })
}

fn our_reply() -> Work {
    Box::new(|| {
        let octets = black_box(REPLY);
        let parsed = counted(|| Reply::parse(octets).map(|reply| (reply.enhanced(), reply)));
        assert!(black_box(parsed).is_ok());
    })
}

fn stalwart_reply() -> Work {
    Box::new(|| {
        let octets = black_box(REPLY);
        let mut receiver = stalwart::response::parser::ResponseReceiver::default();
        let parsed = counted(|| receiver.parse(&mut octets.iter()));
        assert!(black_box(parsed).is_ok());
    })
}

fn our_capabilities() -> Work {
    Box::new(|| {
        let octets = black_box(EHLO_ANSWER);
        let parsed = counted(|| Reply::parse(octets).map(|reply| Capabilities::parse(&reply)));
        assert!(black_box(parsed).is_ok());
    })
}

fn stalwart_capabilities() -> Work {
    Box::new(|| {
        let octets = black_box(EHLO_ANSWER);
        let parsed = counted(|| stalwart::EhloResponse::parse(&mut octets.iter()));
        assert!(black_box(parsed).is_ok());
    })
}
