//! Extensions of the embedder's own (RFC 5321 §2.2.2).

use crate::session::Server;
use smtp_proto::{
    ext::{CustomExtension, Extensions},
    server::{Event, Mode},
    wire::Refused,
};

fn extension() -> CustomExtension {
    CustomExtension::new("X-SHELF")
        .and_then(|it| it.announcing("A B")?.mail_parameter("X-SHELF"))
        .and_then(|it| it.rcpt_parameter("X-SLOT")?.command("XSHELVES"))
        .unwrap()
}

fn server() -> Server {
    Server::new()
        .with(|server| server.extensions = Extensions::new().custom(extension()).chunking())
}

#[test]
fn it_is_announced_behind_the_others_with_its_parameters() {
    server().hold(
        r"S: 220
        C: EHLO client.example.test
        S: 250-mx.example.test
        S: 250-PIPELINING
        S: 250-SIZE 52428800
        S: 250-8BITMIME
        S: 250-ENHANCEDSTATUSCODES
        S: 250-CHUNKING
        S: 250 X-SHELF A B",
    );
}

/// RFC 5321 §4.1.2: in any order among others, in any case
#[test]
fn its_parameters_reach_the_embedder() {
    let server = server().with(|server| {
        server.desk = |_, event| {
            match &event {
                Event::Mail { mail, .. } => {
                    assert_eq!(mail.other.iter().collect::<Vec<_>>(), [("x-shelf", Some("top"))]);
                    assert_eq!(
                        (mail.other.get("X-SHELF"), mail.size),
                        (Some(Some("top")), Some(1))
                    );
                    assert!(mail.to_string().ends_with(" SIZE=1 x-shelf=top"));
                }
                Event::Rcpt { rcpt, .. } => assert_eq!(rcpt.other.get("x-slot"), Some(None)),
                _ => {}
            }
            Some(event)
        };
    });
    server.greeted().hold(
        r"C: MAIL FROM:<a@client.example.test> x-shelf=top SIZE=1
        S: 250
        C: RCPT TO:<user1@example.test> X-SLOT
        S: 250",
    );
}

/// RFC 5321 §4.1.1.11
#[test]
fn a_parameter_stands_once_and_where_it_belongs() {
    for (params, reply) in [
        ("X-SHELF=a X-SHELF=b", "501 5.5.4"),
        ("X-SHELF=", "501 5.5.4"),
        ("X-SHELF=a=b", "501 5.5.4"),
        ("X-SLOT=1", "555 5.5.4"),
        ("X-OTHER", "555 5.5.4"),
    ] {
        let mail = format!("C: MAIL FROM:<a@client.example.test> {params}\nS: {reply} ...");
        server().greeted().hold(&mail);
    }
    server().in_transaction().hold("C: RCPT TO:<user1@example.test> X-SHELF=a\nS: 555 5.5.4 ...");
}

#[test]
fn its_command_is_the_embedders_in_its_turn() {
    let server = server().with(|server| {
        server.desk = |machine, event| {
            match event {
                Event::Command { verb, args, pending } => match args.as_str() {
                    "" => {
                        assert_eq!(verb.as_str(), "xshelves");
                        machine.accept(pending).unwrap();
                    }
                    _ => machine.refuse(pending, &Refused::DENIED).unwrap(),
                },
                event => return Some(event),
            }
            None
        };
    });
    server.in_transaction().hold(
        r"C+ RSET
        C+ xshelves
        C: NOOP
        S: 250 2.0.0 Ok
        S: 250 2.0.0 Ok
        S: 250 2.0.0 Ok
        C: XSHELVES of oak
        S: 554 5.7.1 ...
        C| XSHELVES a\tb\r\n
        S: 501 5.5.4 ...",
    );
}

/// RFC 5321 §4.1.4
#[test]
fn without_ehlo_there_are_no_extensions() {
    server().hold(
        r"S: 220
        C: XSHELVES
        S: 500 5.5.1 ...
        C: HELO client.example.test
        S: 250 mx.example.test
        C: XSHELVES
        S: 500 5.5.1 ...
        C: MAIL FROM:<a@client.example.test> X-SHELF=a
        S: 555 5.5.4 ...",
    );
    let lmtp = server().with(|server| server.mode = Mode::Lmtp);
    lmtp.greeted().hold("C: MAIL FROM:<a@client.example.test> X-SHELF=a\nS: 250");
}

/// What the embedder does not answer is not implemented
#[test]
fn a_command_that_nobody_answers_is_refused() {
    server().greeted().hold("C: XSHELVES\nS: 502 5.5.1 ...");
}
