//! Where mail goes, and when.

use crate::{
    far::Far,
    site::{Client, Site, eventually, login::plain, tls::dialogue, tls::tls, without_trace},
    world::{MESSAGE, World, ZONE, free_port},
};
use testkit::dns::Zone;

/// The one message in a mailbox.
#[track_caller]
fn only(messages: Vec<Vec<u8>>) -> String {
    assert_eq!(messages.len(), 1);
    String::from_utf8(messages.into_iter().next().unwrap()).unwrap()
}

/// The part of a message that was sent: what stands behind the trace fields of two servers.
fn sent(message: &str) -> &str {
    let first = without_trace(message.as_bytes());
    let at = message.len() - first.len();
    let rest = &message[at..];
    assert!(rest.starts_with("Received: from "), "{message}");
    &rest[rest.find("From: ").unwrap()..]
}

#[test]
fn what_a_user_submits_is_in_the_mailbox_of_another_server() {
    let submissions = free_port([127, 0, 0, 1].into());
    let world = World::new(&format!(
        "[[listener]]
         address = '{submissions}'
         role = 'submissions'"
    ));
    let far = world.far();
    world.a.add_user("me", "pass");
    let stream = Client::connect(submissions).into_stream();
    let mut stream = tls(&world.a, "mx.a.example", stream);
    dialogue(
        &mut stream,
        &[
            ("", "220 "),
            ("EHLO client.example\r\n", "250 "),
            (&plain("me", "pass"), "235 "),
            ("MAIL FROM:<me@a.example>\r\n", "250 "),
            ("RCPT TO:<you@b.example>\r\n", "250 "),
            ("DATA\r\n", "354 "),
            (&format!("{}.\r\n", MESSAGE.replace("\r\n.", "\r\n..")), "250 2.0.0 Ok: "),
        ],
    );
    world.a.delivered();
    let message = only(far.mailbox("you"));
    assert!(message.starts_with("Return-Path: <me@a.example>\r\n"), "{message}");
    assert_eq!(message.matches("Return-Path:").count(), 1, "{message}");
    assert!(message.contains("from mx.a.example ([127.0.0.1])"), "{message}");
    assert!(message.contains("\tby mx.b.example with ESMTPS id "), "{message}");
    assert!(message.contains("\tby mx.a.example with ESMTPSA id "), "{message}");
    assert!(sent(&message).ends_with(MESSAGE.split_once("\r\n").unwrap().1), "{message}");
}

#[test]
fn a_long_message_arrives_byte_for_byte() {
    let world = World::new("");
    let far = world.far();
    let message = format!("From: me@a.example\r\n\r\n{}", ".ä line\r\n".repeat(200_000));
    Client::greeted(world.a.address).submit("me@a.example", &["you@b.example"], &message);
    world.a.delivered();
    let received = only(far.mailbox("you"));
    assert!(sent(&received) == message);
}

#[test]
fn a_server_that_is_down_gets_the_mail_when_it_is_up() {
    let world = World::new("");
    world.send(&["you@b.example"]);
    world.send(&["me@b.example"]);
    assert_eq!(world.a.queued(), 2);
    let far = world.far();
    world.a.delivered();
    assert_eq!((far.mailbox("you").len(), far.mailbox("me").len()), (1, 1));
    assert!(world.a.mailbox("me").is_empty());
}

#[test]
fn what_was_acknowledged_is_delivered_after_a_restart() {
    let world = World::new("");
    let long = format!("From: me@a.example\r\n\r\n{}", "text\r\n".repeat(50_000));
    world.send(&["you@b.example"]);
    Client::greeted(world.a.address).submit("me@a.example", &["you@b.example"], &long);
    let world = world.restart();
    assert_eq!(world.a.queued(), 2);
    let far = world.far();
    world.a.delivered();
    let mut messages = far.mailbox("you");
    messages.sort_by_key(Vec::len);
    let messages: Vec<_> = messages.into_iter().map(|it| String::from_utf8(it).unwrap()).collect();
    assert_eq!(messages.len(), 2);
    assert_eq!(sent(&messages[0]), MESSAGE);
    assert!(sent(&messages[1]) == long);
}

#[test]
fn a_short_message_goes_from_memory_unless_it_is_tried_again() {
    let world = World::new("");
    let b = world.far();
    world.send(&["you@b.example", "me@a.example"]);
    world.a.delivered();
    b.delivered();
    assert_eq!((world.a.mailbox("me").len(), b.mailbox("you").len()), (1, 1));
    assert_eq!((world.a.reads(), b.reads()), (0, 0));

    let world = World::new("");
    let far = Far::start(world.b, |verb, before| match (verb, before) {
        ("end", 0) => Some("451 4.3.0 later"),
        _ => None,
    });
    world.send(&["you@b.example"]);
    world.a.delivered();
    assert_eq!((far.count("end"), world.a.reads()), (2, 1));
}

#[test]
fn a_temporary_refusal_is_tried_again_wherever_it_comes() {
    for at in ["connect", "EHLO", "MAIL", "RCPT", "DATA", "end"] {
        let world = World::new("");
        let far = Far::start(world.b, move |verb, before| match before {
            0 if verb == at => Some("451 4.3.0 later"),
            _ => None,
        });
        world.send(&["you@b.example"]);
        world.a.delivered();
        assert!(far.count(at) >= 2, "{at}");
        assert!(world.a.mailbox("me").is_empty(), "{at}");
    }
}

#[test]
fn a_server_that_goes_in_the_middle_gets_it_again() {
    for at in ["MAIL", "RCPT", "DATA", "end"] {
        let world = World::new("");
        let far = Far::start(world.b, move |verb, before| match before {
            0 if verb == at => Some("421 4.3.2 closing"),
            _ => None,
        });
        world.send(&["you@b.example"]);
        world.a.delivered();
        assert!(far.count("end") >= 1, "{at}");
        assert!(world.a.mailbox("me").is_empty(), "{at}");
    }
}

#[test]
fn one_connection_serves_many_messages() {
    let world = World::new("connections = 1");
    let far = Far::start(world.b, |_, _| None);
    for _ in 0..10 {
        world.send(&["you@b.example"]);
    }
    world.a.delivered();
    assert_eq!(far.count("end"), 10);
    assert_eq!(far.count("connect"), 1);
}

#[test]
fn a_smarthost_takes_everything() {
    let at = free_port([127, 0, 0, 3].into());
    let world = World::new(&format!(
        "[[route]]
         recipients = ['far.example']
         smarthost = {{ host = '127.0.0.3', port = {}, tls = 'opportunistic' }}",
        at.port()
    ));
    let far = Far::start(at, |_, _| None);
    world.send(&["x@far.example"]);
    world.a.delivered();
    assert_eq!(far.count("end"), 1);
    // What is wrong with the smarthost is not the message's fault.
    let world = World::new(&format!(
        "[[route]]
         recipients = ['far.example']
         smarthost = {{ host = '127.0.0.3', port = {}, tls = 'required' }}",
        at.port()
    ));
    world.send(&["x@far.example"]);
    eventually("it was tried", || far.count("EHLO") > 2);
    assert_eq!(world.a.queued(), 1);
    assert!(world.a.mailbox_now("me").is_empty());
}

#[test]
fn the_ca_file_says_whose_certificates_are_believed() {
    let mut world = World::new("tls = 'required'");
    let far = world.far();
    world.send(&["you@b.example"]);
    // Nobody has signed what the server made for itself.
    let certificate = far.folder.path().join("tls/mx.b.example.crt");
    world.a_config = format!("ca_file = '{}'\n{}", certificate.display(), world.a_config);
    let world = world.restart();
    world.a.delivered();
    let message = only(far.mailbox("you"));
    assert!(message.contains("\tby mx.b.example with ESMTPS id "), "{message}");
}

#[test]
fn a_fallback_takes_what_no_host_of_the_domain_takes() {
    let at = free_port([127, 0, 0, 3].into());
    let fallback =
        format!("fallback = [{{ host = '127.0.0.3', port = {}, tls = 'off' }}]", at.port());
    let world = World::new(&fallback);
    let far = Far::start(at, |_, _| None);
    world.send(&["you@b.example"]);
    world.a.delivered();
    assert_eq!(far.count("end"), 1);
    // A refusal is an answer: nobody else is asked.
    let world = World::new(&fallback);
    let _b = Far::start(world.b, |verb, _| (verb == "RCPT").then_some("550 5.1.1 no"));
    world.send(&["you@b.example"]);
    world.a.delivered();
    assert_eq!(far.count("end"), 1);
    assert_eq!(world.a.mailbox("me").len(), 1);
}

#[test]
fn lmtp_delivers_to_each_recipient() {
    let at = free_port([127, 0, 0, 3].into());
    let far = Site::with(&format!(
        "hostname = 'store.example'
         [[listener]]
         address = '{at}'
         role = 'lmtp'
         [[domain]]
         name = 'store.example'
         mailboxes = ['one', 'two']"
    ));
    let world = World::new(&format!(
        "[[route]]
         recipients = ['store.example']
         lmtp = '{at}'"
    ));
    world.send(&["one@store.example", "nobody@store.example", "two@store.example"]);
    world.a.delivered();
    assert_eq!((far.mailbox("one").len(), far.mailbox("two").len()), (1, 1));
    assert_eq!(world.a.mailbox("me").len(), 1);
}

#[test]
fn mail_comes_from_the_address_and_the_name_of_its_route() {
    let world = World::new("source = ['127.0.0.9']\nhello = 'out.a.example'");
    let far = world.far();
    world.send(&["you@b.example"]);
    world.a.delivered();
    let message = only(far.mailbox("you"));
    assert!(message.contains("from out.a.example ([127.0.0.9])"), "{message}");
}

#[test]
fn two_servers_that_send_to_each_other_end_it() {
    let zone = format!("{ZONE}\nround.example MX 10 mx.b.example");
    let world = World::with(Zone::new(&zone), "");
    let _far = Site::with(&format!(
        "{}
         [[route]]
         recipients = ['round.example']
         smarthost = {{ host = '127.0.0.1', port = {}, tls = 'off' }}",
        world.b_config,
        world.a.address.port()
    ));
    world.send(&["x@round.example"]);
    eventually("the sender is told", || !world.a.mailbox_now("me").is_empty());
    let notice = only(world.a.mailbox_now("me"));
    assert!(notice.contains("\r\nStatus: 5.4.6\r\n"), "{notice}");
    let hops = notice.matches("\r\nReceived: from mx.").count();
    assert!((48..60).contains(&hops), "{hops}");
}
