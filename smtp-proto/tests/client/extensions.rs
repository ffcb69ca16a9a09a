//! What the server offers decides what may be asked of it (RFC 5321 §2.2.1).

use crate::desk::Desk;
use smtp_proto::{
    Misuse,
    client::ClientConfig,
    ext::{
        BodyType, ByMode, CustomExtension, DeliverBy, Fact, Hold, OtherParams, Priority, QueueName,
        Xclient,
    },
    wire::{DateTime, Mail, ReversePath, Text},
};

/// MAIL with one thing more.
fn mail(tune: impl FnOnce(&mut Mail<'static>)) -> Mail<'static> {
    let mut mail = Mail::new(ReversePath::parse("<a@example.net>").unwrap().0);
    tune(&mut mail);
    mail
}

/// What leaves for this MAIL, where the server offers these keywords.
fn sent(keywords: &[&str], mail: &Mail<'_>) -> Result<String, Misuse> {
    let mut desk = Desk::ready(keywords);
    desk.machine.mail(mail)?;
    Ok(desk.sends())
}

/// RFC 3030 §3: BINARYMIME is of no use without CHUNKING, and DATA cannot carry it
#[test]
fn a_binary_message_needs_both_extensions_and_goes_by_bdat() {
    let mail = mail(|mail| mail.body = BodyType::BinaryMime);
    let not_offered = Err(Misuse::NotOffered("BINARYMIME"));
    assert_eq!(sent(&["CHUNKING", "8BITMIME"], &mail), not_offered);
    assert_eq!(sent(&["BINARYMIME"], &mail), not_offered);
    let mut desk = Desk::ready(&["PIPELINING", "CHUNKING", "BINARYMIME"]);
    let id = desk.machine.mail(&mail);
    desk.give(id);
    desk.rcpt("<a@example.org>");
    assert_eq!(desk.machine.data(), Err(Misuse::NeedsBdat));
    let id = desk.machine.bdat(3, true);
    desk.give(id);
    assert_eq!(
        desk.sends(),
        "MAIL FROM:<a@example.net> BODY=BINARYMIME\r\nRCPT TO:<a@example.org>\r\nBDAT 3 LAST\r\n"
    );
    desk.machine.handle_transmitted(3);
    let told = desk.hears("250 ok\r\n250 ok\r\n250 sent\r\n");
    assert_eq!(told, ["reply 0 250", "reply 1 250", "reply 2 250", "Decision"]);
    // The next message is one of its own.
    desk.mail();
    desk.rcpt("<a@example.org>");
    desk.data();
}

/// RFC 2852 §3, §4.1.4.1: a time below the least would be refused
#[test]
fn by_leaves_for_a_server_that_takes_the_time() {
    let by = |seconds, mode| mail(|mail| mail.deliver_by = DeliverBy::new(seconds, mode, true));
    let late = by(59, ByMode::Return);
    assert_eq!(sent(&[], &late), Err(Misuse::NotOffered("DELIVERBY")));
    assert_eq!(sent(&["DELIVERBY 60"], &late), Err(Misuse::BeyondOffer("DELIVERBY")));
    let line = |value| Ok(format!("MAIL FROM:<a@example.net> BY={value}\r\n"));
    assert_eq!(sent(&["DELIVERBY"], &late), line("59;RT"));
    assert_eq!(sent(&["DELIVERBY 59"], &late), line("59;RT"));
    assert_eq!(sent(&["DELIVERBY 60"], &by(-59, ByMode::Notify)), line("-59;NT"));
}

/// RFC 4865 §4.1(3), (4)
#[test]
fn a_hold_leaves_for_a_server_that_holds_so_long() {
    let held = |hold| mail(|mail| mail.hold = Some(hold));
    let moment = |text| Hold::Until(DateTime::parse(text).unwrap());
    let offer = &["FUTURERELEASE 3600 2030-01-01T00:00:00Z"];
    let beyond = Err(Misuse::BeyondOffer("FUTURERELEASE"));
    assert_eq!(sent(&[], &held(Hold::For(1))), Err(Misuse::NotOffered("FUTURERELEASE")));
    assert_eq!(sent(offer, &held(Hold::For(3601))), beyond);
    assert_eq!(sent(offer, &held(Hold::For(0))), beyond);
    assert_eq!(sent(offer, &held(moment("2030-01-01T00:00:01Z"))), beyond);
    let line = |hold| Ok(format!("MAIL FROM:<a@example.net> {hold}\r\n"));
    assert_eq!(sent(offer, &held(Hold::For(3600))), line("HOLDFOR=3600"));
    let until = held(moment("2030-01-01T00:00:00Z"));
    assert_eq!(sent(offer, &until), line("HOLDUNTIL=2030-01-01T00:00:00Z"));
}

/// RFC 6710 §3
#[test]
fn a_priority_leaves_where_priorities_are_known() {
    let mail = mail(|mail| mail.priority = Priority::new(-4));
    assert_eq!(sent(&[], &mail), Err(Misuse::NotOffered("MT-PRIORITY")));
    let line = "MAIL FROM:<a@example.net> MT-PRIORITY=-4\r\n";
    assert_eq!(sent(&["MT-PRIORITY STANAG4406"], &mail).as_deref(), Ok(line));
}

/// C-58, RFC 8689 §2: the session itself employs TLS, and the offer comes inside it
#[test]
fn requiretls_leaves_inside_tls_only() {
    let mail = mail(|mail| mail.require_tls = true);
    assert_eq!(sent(&[], &mail), Err(Misuse::NotOffered("REQUIRETLS")));
    assert_eq!(sent(&["REQUIRETLS"], &mail), Err(Misuse::NeedsTls));
    let mut desk = Desk::ready(&["STARTTLS", "REQUIRETLS"]);
    let id = desk.machine.start_tls();
    desk.give(id);
    desk.sends();
    assert_eq!(desk.hears("220 go\r\n"), ["reply 0 220", "handshake", "Decision"]);
    desk.machine.establish().unwrap();
    desk.greet(&["REQUIRETLS"]);
    desk.machine.mail(&mail).unwrap();
    assert_eq!(desk.sends(), "MAIL FROM:<a@example.net> REQUIRETLS\r\n");
}

/// RFC 1985 §5
#[test]
fn etrn_is_asked_between_transactions_where_it_is_offered() {
    let queue = QueueName::parse("@example.net").unwrap();
    let mut desk = Desk::ready(&["PIPELINING"]);
    assert_eq!(desk.machine.etrn(&queue), Err(Misuse::NotOffered("ETRN")));
    let mut desk = Desk::ready(&["PIPELINING", "ETRN"]);
    let id = desk.machine.etrn(&queue);
    desk.give(id);
    // RFC 2920 §3.1: what is not named there ends a group.
    let id = desk.machine.noop();
    desk.give(id);
    assert_eq!(desk.sends(), "ETRN @example.net\r\n");
    assert_eq!(desk.hears("253 2 pending messages started\r\n"), ["reply 0 253", "Input"]);
    assert_eq!(desk.sends(), "NOOP\r\n");
    assert_eq!(desk.hears("250 ok\r\n"), ["reply 1 250", "Decision"]);
    desk.mail();
    assert_eq!(desk.machine.etrn(&queue), Err(Misuse::NotNow));
}

/// XCLIENT_README: the server resets to its greeting
#[test]
fn after_xclient_nothing_is_known_of_the_server() {
    let mut client = Xclient::new();
    client.addr = Some(Fact::Known([192, 0, 2, 9].into()));
    client.name = Some(Fact::Unavailable);
    let mut desk = Desk::ready(&["XCLIENT NAME PORT"]);
    assert_eq!(desk.machine.xclient(&client), Err(Misuse::NotOffered("XCLIENT")));
    let mut desk = Desk::ready(&["PIPELINING", "XCLIENT ADDR NAME"]);
    let id = desk.machine.xclient(&client);
    desk.give(id);
    assert_eq!(desk.machine.mail(&mail(|_| {})), Err(Misuse::NotNow));
    assert_eq!(desk.sends(), "XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.9\r\n");
    assert_eq!(desk.hears("220 mx.example.test ESMTP\r\n"), ["reply 0 220", "Decision"]);
    assert!(!desk.machine.capabilities().pipelining && !desk.machine.is_esmtp());
    assert_eq!(desk.machine.mail(&mail(|_| {})), Err(Misuse::NotNow));
    desk.greet(&[]);
    desk.mail();
    assert_eq!(desk.machine.xclient(&client), Err(Misuse::NotOffered("XCLIENT")));
}

#[test]
fn a_refused_xclient_leaves_the_session_as_it_was() {
    let mut client = Xclient::new();
    client.port = Some(Fact::Known(25));
    let mut desk = Desk::ready(&["XCLIENT PORT"]);
    let id = desk.machine.xclient(&client);
    desk.give(id);
    desk.sends();
    assert_eq!(desk.hears("501 no\r\n"), ["reply 0 501", "Decision"]);
    assert!(desk.machine.is_idle());
}

/// RFC 7504 §3: a host that takes no mail
#[test]
fn a_greeting_with_521_leaves_only_quit() {
    let mut desk = Desk::new();
    assert_eq!(desk.hears("521 no mail here\r\n"), ["greeting 521", "Decision"]);
    let name = smtp_proto::wire::HelloName::parse("client.example").unwrap();
    assert_eq!(desk.machine.hello(&name), Err(Misuse::NotNow));
    desk.machine.quit().unwrap();
}

/// RFC 5321 §2.2.1, §2.2.2
#[test]
fn an_extension_of_our_own_is_used_where_the_server_announces_it() {
    let extension = CustomExtension::new("X-SHELF")
        .and_then(|it| it.mail_parameter("X-SHELF")?.rcpt_parameter("X-SLOT")?.command("XSHELVES"))
        .unwrap();
    let config = || ClientConfig::builder().custom(extension.clone()).build();
    let shelf = mail(|mail| mail.other = OtherParams::parse("X-SHELF=top").unwrap());
    let other = mail(|mail| mail.other = OtherParams::parse("X-SLOT=1").unwrap());
    let text = |text| Text::parse(text).unwrap();

    let mut desk = Desk::ready_with(config(), &["X-OTHER"]);
    assert_eq!(desk.machine.mail(&shelf), Err(Misuse::NotOffered("X-SHELF")));
    assert_eq!(desk.machine.command("XSHELVES", &text("")), Err(Misuse::NotOffered("X-SHELF")));
    assert_eq!(desk.machine.capabilities().custom("X-OTHER"), None);
    desk.mail();
    let mut to = crate::desk::rcpt("<a@example.org>");
    to.other = OtherParams::parse("x-slot").unwrap();
    assert_eq!(desk.machine.rcpt(&to), Err(Misuse::NotOffered("X-SHELF")));

    let mut desk = Desk::ready_with(config(), &["PIPELINING", "x-shelf A B"]);
    assert_eq!(desk.machine.capabilities().custom("X-SHELF"), Some("A B"));
    assert_eq!(desk.machine.mail(&other), Err(Misuse::Unregistered));
    assert_eq!(desk.machine.command("XOTHER", &text("")), Err(Misuse::Unregistered));
    let id = desk.machine.command("XSHELVES", &text("of oak"));
    desk.give(id);
    assert_eq!(desk.sends(), "XSHELVES of oak\r\n");
    assert_eq!(desk.hears("250 ok\r\n"), ["reply 0 250", "Decision"]);
    let id = desk.machine.mail(&shelf);
    desk.give(id);
    desk.machine.rcpt(&to).unwrap();
    to.other = OtherParams::parse("X-SHELF=top").unwrap();
    assert_eq!(desk.machine.rcpt(&to), Err(Misuse::Unregistered));
    let sent = "MAIL FROM:<a@example.net> X-SHELF=top\r\nRCPT TO:<a@example.org> x-slot\r\n";
    assert_eq!(desk.sends(), sent);
    // Without the extension in its configuration, a client knows nothing of it.
    assert_eq!(self::sent(&["X-SHELF"], &shelf), Err(Misuse::Unregistered));
}

/// RFC 5321 §4.5.3.1.4: extensions lengthen the line, each by what its own RFC says
#[test]
fn a_mail_has_room_for_every_parameter_and_other_commands_have_512_octets() {
    // SIZE, BODY, SMTPUTF8, DSN, AUTH, BY, HOLDUNTIL, MT-PRIORITY and REQUIRETLS.
    let most = 512 + 26 + 17 + 10 + 500 + 500 + 17 + 34 + 15 + 11;
    let extension = CustomExtension::new("X-LONG")
        .and_then(|it| it.mail_parameter("X-LONG")?.rcpt_parameter("X-LONG")?.command("XLONG"))
        .unwrap();
    let config = ClientConfig::builder().custom(extension).build();
    let filled = |line: &str, octets: usize| "x".repeat(octets - line.len() - "\r\n".len());
    for (octets, fits) in [(most, true), (most + 1, false)] {
        let mut desk = Desk::ready_with(config.clone(), &["PIPELINING", "X-LONG"]);
        let value = format!("X-LONG={}", filled("MAIL FROM:<a@example.net> X-LONG=", octets));
        let other = OtherParams::parse(&value).unwrap();
        let long = mail(|mail| mail.other = other.into_static());
        assert_eq!(desk.machine.mail(&long).err(), (!fits).then_some(Misuse::LineTooLong));
        assert_eq!(desk.sends().len(), if fits { octets } else { 0 });

        let mut desk = Desk::ready_with(config.clone(), &["PIPELINING", "X-LONG"]);
        desk.mail();
        desk.sends();
        let value = format!("X-LONG={}", filled("RCPT TO:<a@example.org> X-LONG=", octets));
        let mut long = crate::desk::rcpt("<a@example.org>");
        long.other = OtherParams::parse(&value).unwrap();
        assert_eq!(desk.machine.rcpt(&long).err(), (!fits).then_some(Misuse::LineTooLong));
        assert_eq!(desk.sends().len(), if fits { octets } else { 0 });
    }
    for (octets, fits) in [(512, true), (513, false)] {
        let mut desk = Desk::ready_with(config.clone(), &["PIPELINING", "X-LONG"]);
        let args = filled("XLONG ", octets);
        let given = desk.machine.command("XLONG", &Text::parse(&args).unwrap());
        assert_eq!(given.err(), (!fits).then_some(Misuse::LineTooLong));
        assert_eq!(desk.sends().len(), if fits { octets } else { 0 });
    }
}
