//! What the sender is told.

use crate::{
    far::Far,
    site::Client,
    world::{MESSAGE, World, ZONE},
};
use mail_parser::{MessageParser, MimeHeaders};
use std::collections::BTreeMap;
use testkit::dns::{Fault, Zone};

/// A notice, taken apart.
pub(crate) struct Notice {
    pub(crate) text: String,
    /// The fields of the message and of each recipient.
    pub(crate) status: Vec<BTreeMap<String, String>>,
    status_type: String,
    original: String,
    original_type: String,
}

impl Notice {
    /// Of all messages in a mailbox, each of which is one.
    fn all(messages: &[Vec<u8>]) -> Vec<Self> {
        messages.iter().map(|octets| Self::read(octets)).collect()
    }

    fn read(octets: &[u8]) -> Self {
        let text = String::from_utf8_lossy(octets);
        assert!(text.starts_with("Return-Path: <>\r\n"), "{text}");
        let message = MessageParser::default().parse(octets).unwrap();
        let kind = message.content_type().unwrap();
        assert_eq!((kind.ctype(), kind.subtype()), ("multipart", Some("report")), "{text}");
        assert_eq!(kind.attribute("report-type"), Some("delivery-status"));
        assert!(message.date().is_some() && message.message_id().is_some(), "{text}");
        assert_eq!(message.header_raw("Auto-Submitted").map(str::trim), Some("auto-replied"));
        assert!(text.lines().all(|line| line.len() <= 998), "{text}");
        let part = |at: usize| {
            let part = &message.parts[at];
            let kind = part.content_type().unwrap();
            let raw = &message.raw_message
                [part.raw_body_offset() as usize..part.raw_end_offset() as usize];
            let kind = format!("{}/{}", kind.ctype(), kind.subtype().unwrap());
            (kind, String::from_utf8_lossy(raw).into_owned())
        };
        let ((plain, text), (status_type, status)) = (part(1), part(2));
        assert_eq!(plain, "text/plain");
        let (original_type, original) = part(3);
        let status = status.trim_end().split("\r\n\r\n").map(fields).collect();
        Self { text, status, status_type, original, original_type }
    }
}

/// Fields of a block, unfolded.
fn fields(block: &str) -> BTreeMap<String, String> {
    let block = block.replace("\r\n\t", " ");
    let field = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{line:?}"));
        (name.to_owned(), value.to_owned())
    };
    block.lines().map(field).collect()
}

pub(crate) fn notices(world: &World) -> Vec<Notice> {
    Notice::all(&world.a.mailbox("me"))
}

/// TRACE-09, DSN-11, DSN-12, NMX-01
#[test]
fn each_recipient_has_its_own_fate() {
    let world = World::new("");
    let far = world.far();
    let mut client = Client::greeted(world.a.address);
    client.submit(
        "me@a.example ENVID=tea+2Btime",
        &[
            "you@b.example",
            "nobody@b.example ORCPT=rfc822;no+2Bbody@b.example",
            "x@null.example",
            "x@nowhere.example",
        ],
        MESSAGE,
    );
    world.a.delivered();
    assert_eq!(far.mailbox("you").len(), 1);
    let mut all = BTreeMap::new();
    for notice in notices(&world) {
        assert_eq!(notice.status_type, "message/delivery-status");
        let message = &notice.status[0];
        assert_eq!(message["Reporting-MTA"], "dns; mx.a.example");
        assert_eq!(message["Original-Envelope-Id"], "tea+time");
        assert!(message.contains_key("Arrival-Date"));
        assert_eq!(notice.original_type, "text/rfc822-headers");
        assert!(notice.original.contains("Subject: Tea\r\n"), "{}", notice.original);
        assert!(!notice.original.contains("At four"), "{}", notice.original);
        for recipient in &notice.status[1..] {
            assert!(
                notice.text.contains(recipient["Final-Recipient"].strip_prefix("rfc822;").unwrap())
            );
            all.insert(recipient["Final-Recipient"].clone(), recipient.clone());
        }
    }
    let code = |to: &str| {
        let recipient = &all[&format!("rfc822;{to}")];
        assert_eq!(recipient["Action"], "failed");
        recipient["Status"].clone()
    };
    assert_eq!(code("nobody@b.example"), "5.1.1");
    assert_eq!(code("x@null.example"), "5.1.10");
    assert_eq!(code("x@nowhere.example"), "5.1.2");
    assert_eq!(all.len(), 3);
    let nobody = &all["rfc822;nobody@b.example"];
    assert_eq!(nobody["Original-Recipient"], "rfc822;no+body@b.example");
    assert_eq!(nobody["Remote-MTA"], "dns; mx.b.example");
    assert!(nobody["Diagnostic-Code"].starts_with("smtp; 550 5.1.1 "), "{nobody:?}");
}

/// DSN-11
#[test]
fn the_whole_message_comes_back_to_who_asks_for_it() {
    let world = World::new("");
    let _far = world.far();
    let message = MESSAGE.replace(".At four.", ".At vier, schön.");
    let mut client = Client::greeted(world.a.address);
    client.submit("me@a.example RET=FULL BODY=8BITMIME", &["nobody@b.example"], &message);
    let notice = notices(&world).remove(0);
    assert_eq!(notice.original_type, "message/rfc822");
    assert!(notice.original.contains("\r\n\r\n.At vier, schön.\r\n"), "{}", notice.original);
    assert!(notice.text.contains("There is no such mailbox."), "{}", notice.text);
    // One that is too long does not.
    let long = format!("{MESSAGE}{}", "text\r\n".repeat(30_000));
    client.submit("me@a.example RET=FULL", &["nobody@b.example"], &long);
    let notices = notices(&world);
    assert!(notices.iter().any(|notice| notice.original_type == "text/rfc822-headers"));
}

/// TRACE-10, DSN-10, DSN-16
#[test]
fn nobody_is_told_who_did_not_want_to_be_nor_about_a_notice() {
    let world = World::new("");
    let _far = world.far();
    let mut client = Client::greeted(world.a.address);
    client.submit("me@a.example", &["nobody@b.example NOTIFY=NEVER"], MESSAGE);
    client.submit("me@a.example", &["nobody@b.example NOTIFY=SUCCESS,DELAY"], MESSAGE);
    client.submit("me@a.example", &["you@a.example NOTIFY=FAILURE"], MESSAGE);
    client.submit("", &["nobody@b.example"], MESSAGE);
    client.submit("nobody@b.example", &["nobody@b.example"], MESSAGE);
    world.a.delivered();
    assert_eq!(world.a.mailbox("you").len(), 1);
    assert!(world.a.mailbox("me").is_empty());
    assert!(world.a.mailbox("postmaster").is_empty());
}

/// DSN-09
#[test]
fn who_asks_is_told_that_it_has_arrived() {
    let world = World::new("");
    let far = world.far();
    let mut client = Client::greeted(world.a.address);
    // The other server obeys, so that it is its to tell; into a mailbox here it is ours.
    client.submit(
        "me@a.example RET=FULL",
        &["you@b.example NOTIFY=SUCCESS", "you@a.example NOTIFY=SUCCESS"],
        MESSAGE,
    );
    world.a.delivered();
    far.delivered();
    let actions: Vec<_> = notices(&world)
        .iter()
        .map(|notice| {
            assert_eq!(notice.original_type, "text/rfc822-headers");
            (notice.status[0]["Reporting-MTA"].clone(), notice.status[1]["Action"].clone())
        })
        .collect();
    let delivered = |by: &str| (format!("dns; {by}"), "delivered".to_owned());
    assert!(actions.contains(&delivered("mx.a.example")), "{actions:?}");
    assert!(actions.contains(&delivered("mx.b.example")), "{actions:?}");
    assert_eq!(actions.len(), 2, "{actions:?}");
}

#[test]
fn who_asks_is_told_that_it_is_with_a_server_that_does_not_tell() {
    let world = World::new("");
    let _far = Far::start(world.b, |_, _| None);
    let mut client = Client::greeted(world.a.address);
    client.submit("me@a.example", &["you@b.example NOTIFY=SUCCESS"], MESSAGE);
    let notice = notices(&world).remove(0);
    assert_eq!(notice.status[1]["Action"], "relayed");
    assert_eq!(notice.status[1]["Status"], "2.0.0");
}

#[test]
fn who_waits_is_told_once_and_in_the_end_that_it_failed() {
    let zone = Zone::new(ZONE).fault("slow.example", Fault::ServFail);
    let world = World::with(
        zone,
        "[[queue.retry.domain]]
         name = 'slow.example'
         after = '1s*'
         delay_notice = '1s'
         expire = '4s'",
    );
    world.send(&["x@slow.example"]);
    let notices = notices(&world);
    let actions: Vec<_> = notices.iter().map(|it| it.status[1]["Action"].as_str()).collect();
    assert_eq!(actions, ["delayed", "failed"]);
    assert!(notices[0].status[1].contains_key("Will-Retry-Until"));
    assert!(notices[0].text.contains("You need not do anything"), "{}", notices[0].text);
    assert_eq!(notices[1].status[1]["Status"], "4.4.3");
    assert!(notices[1].text.contains("It was tried until "), "{}", notices[1].text);
}

#[test]
fn addresses_in_utf_8_stay_what_they_are() {
    let world = World::new("");
    let far = Far::start(world.b, |verb, _| match verb {
        "EHLO" => Some("250-far\r\n250-8BITMIME\r\n250 SMTPUTF8"),
        "RCPT" => Some("550 5.1.1 niemand heißt so"),
        _ => None,
    });
    let mut client = Client::greeted(world.a.address);
    client.submit("me@a.example SMTPUTF8", &["jürgen@b.example"], MESSAGE);
    let notice = notices(&world).remove(0);
    assert_eq!(far.count("RCPT"), 1);
    assert_eq!(notice.status_type, "message/global-delivery-status");
    assert_eq!(notice.original_type, "message/global-headers");
    assert_eq!(notice.status[1]["Final-Recipient"], "utf-8;jürgen@b.example");
    assert_eq!(notice.status[1]["Diagnostic-Code"], "smtp; 550 5.1.1 niemand heißt so");
}

#[test]
fn whatever_a_server_answers_a_notice_has_its_own_fields_only() {
    let endless: &str = ("550-5.1.1 no\r\n".repeat(10_000) + "550 5.1.1 no").leak();
    for answer in [
        "550-5.1.1 no\r\n550-\r\n550-Action: delivered\r\n550 Final-Recipient: rfc822;me@a.example",
        "550-5.1.1 no\r\n550 \r\n\r\nX-Evil: yes",
        "550 5.1.1 no\u{1b}[2J\u{8}\rX-Evil: yes\n\nX-Evil: yes",
        "550 5.1.1 no\0\u{85}\u{2028}X-Evil: yes",
        endless,
    ] {
        let world = World::new(
            "[[queue.retry.domain]]
             name = 'b.example'
             after = '1s*'
             delay_notice = 'never'
             expire = '1s'",
        );
        let _far = Far::start(world.b, move |verb, _| (verb == "RCPT").then_some(answer));
        world.send(&["you@b.example"]);
        let notice = notices(&world).remove(0);
        assert_eq!(notice.status.len(), 2, "{}", notice.text);
        let recipient = &notice.status[1];
        assert_eq!(recipient["Action"], "failed");
        assert_eq!(recipient["Final-Recipient"], "rfc822;you@b.example");
        assert!(!recipient.contains_key("X-Evil"), "{recipient:?}");
        assert!(!notice.text.contains("\nX-Evil"), "{}", notice.text);
        let breaks = |c: char| c.is_control() && !matches!(c, '\r' | '\n' | '\t');
        assert!(!notice.text.contains(breaks), "{:?}", notice.text);
        assert!(notice.text.len() < 10_000, "{}", notice.text.len());
    }
}
