//! MAIL and RCPT, line by line: what is taken, and with which codes the rest is refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use smtp_proto::{
    Limits, SyntaxFault, Violation,
    ext::{AuthParam, BodyType, Extensions, Notify, Offer, Ret},
    server::Mode,
    wire::{CommandError, ForwardPath, Mail, Mechanism, Rcpt, Refused, ReversePath},
};

/// Everything is switched on, TLS is up, a message may have 1,000 octets.
fn with_offer<T>(test: impl FnOnce(&Offer<'_>) -> T) -> T {
    let extensions =
        Extensions::new().smtputf8().chunking().dsn().starttls().auth([Mechanism::PLAIN]);
    let mut limits = Limits::default();
    limits.message = 1_000;
    test(&Offer {
        extensions: &extensions,
        limits: &limits,
        mode: Mode::Smtp,
        esmtp: true,
        tls: true,
    })
}

fn mail(args: &str) -> Result<Mail<'_>, CommandError> {
    with_offer(|offer| Mail::parse(args, offer))
}

fn rcpt(args: &str) -> Result<Rcpt<'_>, CommandError> {
    with_offer(|offer| Rcpt::parse(args, offer, false))
}

/// `501 5.5.4`, and that the reply is one that may be sent.
fn code(error: &CommandError) -> String {
    let reply = error.reply();
    Refused::new(reply.code(), reply.enhanced(), reply.text().to_owned()).unwrap();
    format!("{} {}", error.code(), error.enhanced())
}

#[track_caller]
fn refused<T: core::fmt::Debug>(result: Result<T, CommandError>, expected: &str, fault: Violation) {
    let error = result.unwrap_err();
    assert_eq!((code(&error).as_str(), error.violation()), (expected, fault));
}

const ARGUMENT: Violation = Violation::Syntax(SyntaxFault::Argument);
const UNKNOWN: Violation = Violation::Syntax(SyntaxFault::UnknownParameter);
const BAD: Violation = Violation::Syntax(SyntaxFault::BadParameter);

#[test]
fn mail_is_read_with_all_its_parameters() {
    let args = "FROM:<a@b.example> SIZE=10 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ+31 AUTH=<>";
    let read = mail(args).unwrap();
    assert_eq!(read.from.to_string(), "<a@b.example>");
    assert_eq!(read.size, Some(10));
    assert_eq!(read.body, BodyType::EightBitMime);
    assert!(read.smtputf8);
    assert_eq!(read.ret, Some(Ret::Hdrs));
    assert_eq!(&*read.envid.as_ref().unwrap().decode(), b"QQ1");
    assert_eq!(read.auth, Some(AuthParam::Unknown));
    assert_eq!(read.to_string(), args);
}

#[test]
fn mail_is_read_as_clients_write_it() {
    for (args, written) in [
        ("FROM:<>", "FROM:<>"),
        ("from:<a@b>", "FROM:<a@b>"),
        ("FROM: <a@b>", "FROM:<a@b>"),
        ("FROM:   <a@b>  SIZE=1   RET=full  ", "FROM:<a@b> SIZE=1 RET=FULL"),
        ("FROM:<a@b> ", "FROM:<a@b>"),
        ("FROM:<a@b> \t", "FROM:<a@b>"),
        ("FROM:<a@b> body=7bit", "FROM:<a@b>"),
        ("FROM:<a@b> body=8bitmime", "FROM:<a@b> BODY=8BITMIME"),
        ("FROM:<@r.example:a@b> SIZE=00000000000000001000", "FROM:<a@b> SIZE=1000"),
        ("FROM:<a@b> AUTH=a+40b.example", "FROM:<a@b> AUTH=a+40b.example"),
        (
            "FROM:<e=mc2@example.com> AUTH=e+3Dmc2@example.com",
            "FROM:<e=mc2@example.com> AUTH=e+3Dmc2@example.com",
        ),
        ("FROM:<jürgen@b> SMTPUTF8", "FROM:<jürgen@b> SMTPUTF8"),
        ("FROM:<a@bücher.test> SIZE=1 smtputf8", "FROM:<a@bücher.test> SIZE=1 SMTPUTF8"),
    ] {
        assert_eq!(mail(args).unwrap().to_string(), written);
    }
}

#[test]
fn mail_without_a_path_says_so() {
    for args in
        ["", "a@b", "TO:<a@b>", "FROM", "FROM <a@b>", "FROM :<a@b>", "ſROM:<>", "FRO\u{212a}:<>"]
    {
        refused(mail(args), "501 5.5.4", ARGUMENT);
    }
    for args in [
        "FROM:",
        "FROM:  ",
        "FROM:a@b",
        "FROM:<a@b",
        "FROM:<a@b@c>",
        "FROM:<a..b@c>",
        "FROM:<.a@c>",
        "FROM:<@>",
        "FROM:<a@>",
        "FROM:<a@-x>",
        "FROM:<a\x01b@c>",
        "FROM:<a\tb@c>",
        "FROM:<a\x7f@c>",
        "FROM:<postmaster>",
        "FROM:<;sleep 3;>",
        "FROM:\t<a@b>",
        "FROM:<\"a\\\rX-Evil: y\"@c>",
    ] {
        refused(mail(args), "501 5.1.7", Violation::Syntax(SyntaxFault::ReversePath));
    }
    for args in ["FROM:<a@b>SIZE=10", "FROM:<>x", "FROM:<a@b>\tSIZE=10", "FROM:<a@b>>"] {
        refused(mail(args), "501 5.5.4", ARGUMENT);
    }
}

#[test]
fn parameters_are_refused_by_what_is_wrong_with_them() {
    for params in ["FOO=bar", "FOO", "X-Y", "NOTIFY=NEVER", "SIZES=1", "SIZE=1 FOO"] {
        refused(mail(&format!("FROM:<a@b> {params}")), "555 5.5.4", UNKNOWN);
    }
    let long_envid = format!("ENVID={}", "a".repeat(101));
    for params in [
        "SIZE=1 SIZE=2",
        "SIZE=1 size=1",
        "RET=FULL RET=HDRS",
        "ENVID=a ENVID=a",
        "SMTPUTF8 SMTPUTF8",
        "SIZE",
        "SIZE=",
        "SIZE=abc",
        "SIZE=-1",
        "SIZE=1x",
        "SIZE=+1",
        "SIZE=٣",
        "SIZE=000000000000000000001",
        "BODY",
        "BODY=",
        "BODY=FOO",
        "SMTPUTF8=1",
        "SMTPUTF8=",
        "RET=SOME",
        "RET",
        "ENVID=",
        "ENVID",
        "ENVID=a+ZZ",
        "ENVID=a=b",
        "ENVID=a+0D+0AX-Evil:+20y",
        "ENVID=a+7F",
        "ENVID=a+C3+BC",
        &long_envid,
        "AUTH",
        "AUTH=",
        "AUTH=b+0Ac",
        "AUTH=a+",
        "AUTH=a@b=c",
        "=",
        "A==",
        "-A=b",
        "SIZE=1\tRET=FULL",
    ] {
        refused(mail(&format!("FROM:<a@b> {params}")), "501 5.5.4", BAD);
    }
    refused(mail("FROM:<a@b> BODY=BINARYMIME"), "504 5.5.4", UNKNOWN);
    for size in ["1001", "18446744073709551615", "18446744073709551616", "99999999999999999999"] {
        let args = format!("FROM:<a@b> SIZE={size}");
        refused(mail(&args), "552 5.3.4", Violation::MessageTooLarge);
    }
    assert!(mail(&format!("FROM:<a@b> ENVID={}", "a".repeat(100))).is_ok());
}

#[test]
fn what_was_not_offered_is_an_unknown_parameter() {
    let extensions = Extensions::new();
    let limits = Limits::default();
    let plain = Offer {
        extensions: &extensions,
        limits: &limits,
        mode: Mode::Smtp,
        esmtp: true,
        tls: true,
    };
    let helo = Offer { esmtp: false, ..plain };
    for params in ["SMTPUTF8", "RET=FULL", "ENVID=a", "AUTH=<>"] {
        refused(Mail::parse(&format!("FROM:<a@b> {params}"), &plain), "555 5.5.4", UNKNOWN);
    }
    refused(Rcpt::parse("TO:<a@b> NOTIFY=NEVER", &plain, false), "555 5.5.4", UNKNOWN);
    assert!(Mail::parse("FROM:<a@b> SIZE=1 BODY=8BITMIME", &plain).is_ok());
    refused(Mail::parse("FROM:<a@b> SIZE=1", &helo), "555 5.5.4", UNKNOWN);

    let in_clear = Extensions::new().auth([Mechanism::PLAIN]);
    let clear = Offer { extensions: &in_clear, tls: false, ..plain };
    refused(Mail::parse("FROM:<a@b> AUTH=<>", &clear), "555 5.5.4", UNKNOWN);
    let danger = in_clear.clone().danger_auth_in_clear();
    assert!(Mail::parse("FROM:<a@b> AUTH=<>", &Offer { extensions: &danger, ..clear }).is_ok());
}

#[test]
fn an_address_outside_ascii_needs_smtputf8() {
    for args in ["FROM:<jürgen@b>", "FROM:<a@bücher.test>", "FROM:<\"jürgen\"@b> SIZE=1"] {
        refused(mail(args), "553 5.6.7", Violation::NeedsSmtpUtf8);
    }
    refused(rcpt("TO:<jürgen@b>"), "553 5.6.7", Violation::NeedsSmtpUtf8);
    with_offer(|offer| assert!(Rcpt::parse("TO:<jürgen@b>", offer, true).is_ok()));
}

#[test]
fn rcpt_is_read_with_all_its_parameters() {
    for (args, written) in [
        ("TO:<a@b>", "TO:<a@b>"),
        ("to: <@r.example:a@b>", "TO:<a@b>"),
        ("TO:<postMASTER>", "TO:<Postmaster>"),
        ("TO:<a@b> NOTIFY=NEVER", "TO:<a@b> NOTIFY=NEVER"),
        ("TO:<a@b> notify=delay,Success", "TO:<a@b> NOTIFY=SUCCESS,DELAY"),
        (
            "TO:<a@b> ORCPT=rfc822;a+2Bx@b NOTIFY=FAILURE",
            "TO:<a@b> NOTIFY=FAILURE ORCPT=rfc822;a+2Bx@b",
        ),
        (r"TO:<a@b> ORCPT=utf-8;j\x{FC}rgen@b", r"TO:<a@b> ORCPT=utf-8;j\x{FC}rgen@b"),
    ] {
        assert_eq!(rcpt(args).unwrap().to_string(), written);
    }
    let read = rcpt("TO:<a@b> ORCPT=rfc822;a+2Bx@b").unwrap();
    let orcpt = read.orcpt.unwrap();
    assert_eq!((orcpt.address_type(), &*orcpt.address().decode()), ("rfc822", &b"a+x@b"[..]));
}

#[test]
fn rcpt_is_refused_by_what_is_wrong_with_it() {
    for args in ["", "FROM:<a@b>", "<a@b>", "TO <a@b>"] {
        refused(rcpt(args), "501 5.5.4", ARGUMENT);
    }
    for args in ["TO:", "TO:<>", "TO:<user1>", "TO:a@b", "TO:<a@b@c>", "TO:<a@b.>"] {
        refused(rcpt(args), "501 5.1.3", Violation::Syntax(SyntaxFault::ForwardPath));
    }
    refused(rcpt("TO:<a@b>NOTIFY=NEVER"), "501 5.5.4", ARGUMENT);
    for params in ["FOO=bar", "SIZE=1", "SMTPUTF8"] {
        refused(rcpt(&format!("TO:<a@b> {params}")), "555 5.5.4", UNKNOWN);
    }
    let long_orcpt = format!("ORCPT=rfc822;{}", "a".repeat(488));
    assert_eq!(long_orcpt.len(), 501);
    for params in [
        "NOTIFY",
        "NOTIFY=",
        "NOTIFY=FOO",
        "NOTIFY=NEVER,SUCCESS",
        "NOTIFY=SUCCESS,NEVER",
        "NOTIFY=SUCCESS,",
        "NOTIFY=,",
        "NOTIFY=NEVER NOTIFY=DELAY",
        "ORCPT",
        "ORCPT=rfc822",
        "ORCPT=;x",
        "ORCPT=rfc822;",
        "ORCPT=rfc822;a+2",
        "ORCPT=rf(c;a",
        "ORCPT=é;a",
        "ORCPT=rfc822;d+0D+0AX-Evil2:+20z",
        "ORCPT=rfc822;a ORCPT=rfc822;a",
        &long_orcpt,
    ] {
        refused(rcpt(&format!("TO:<a@b> {params}")), "501 5.5.4", BAD);
    }
    assert!(rcpt(&format!("TO:<a@b> {}", &long_orcpt[..500])).is_ok());
}

#[test]
fn owned_commands_equal_what_they_were_made_of() {
    let read = mail("FROM:<a@b.example> RET=HDRS ENVID=QQ AUTH=x").unwrap();
    assert_eq!(read.clone().into_static(), read);
    let read = rcpt("TO:<a@[192.0.2.1]> NOTIFY=DELAY ORCPT=rfc822;a").unwrap();
    assert_eq!(read.clone().into_static(), read);
}

#[test]
fn a_notify_with_nothing_set_is_written_as_never() {
    let mut rcpt = Rcpt::new(ForwardPath::Postmaster);
    rcpt.notify = Some(Notify::On { success: false, failure: false, delay: false });
    assert_eq!(rcpt.to_string(), "TO:<Postmaster> NOTIFY=NEVER");
    let mail = Mail::new(ReversePath::Null);
    assert_eq!(mail.to_string(), "FROM:<>");
}
