//! Replies (RFC 5321 §4.2). What holds for every line of every reply, `session` checks in every
//! dialogue.

use crate::session::Server;
use smtp_proto::{
    Class, EnhancedCode,
    server::Event,
    wire::{Accepted, Refused},
};

/// CONN-07, CONN-03, CONN-05, CONN-13, §4.2
#[test]
fn every_command_has_exactly_one_reply() {
    Server::new().hold(
        r"S: 220
        C: EHLO client.example.test
        S: 250
        C: NOOP
        S: 250
        C: XYZZY
        S: 500
        C: MAIL FROM:<a@client.example.test>
        S: 250
        C: RCPT TO:<nobody@example.test>
        S: 550
        C: RCPT TO:<user1@example.test>
        S: 250
        C: RCPT
        S: 501
        C: DATA
        S: 354
        C: .
        S: 250
        C: DATA
        S: 503
        C: RSET
        S: 250
        C: QUIT
        S: 221
        S: <CLOSED>",
    );
}

/// CONN-06, §4.2.1
#[test]
fn all_lines_of_a_reply_have_one_code_and_all_but_the_last_a_hyphen() {
    let server = Server::new().with(|server| {
        server.desk = |machine, event| match event {
            Event::Help { pending, .. } => {
                let code = EnhancedCode::new(Class::Success, 0, 0).unwrap();
                let reply = Accepted::new(214, code, "one\ntwo\nthree").unwrap();
                machine.accept_with(pending, &reply).unwrap();
                None
            }
            other => Some(other),
        }
    });
    server.hold(
        r"S: 220
        C: HELP
        S: 214-2.0.0 one
        S: 214-2.0.0 two
        S: 214 2.0.0 three",
    );
}

/// CONN-04, §4.5.3.1.5: an answer to RCPT is one line of 512 octets at most
#[test]
fn a_long_answer_to_rcpt_is_cut_to_512_octets() {
    let server = Server::new().with(|server| {
        server.desk = |machine, event| match event {
            Event::Rcpt { pending, .. } => {
                let code = EnhancedCode::new(Class::Permanent, 7, 1).unwrap();
                let text = format!("{0}\n{0}", "x".repeat(490));
                machine.refuse(pending, &Refused::new(550, code, text).unwrap()).unwrap();
                None
            }
            other => Some(other),
        }
    });
    let line = "x".repeat(490);
    server.greeted().hold(&format!(
        r"C: MAIL FROM:<>
        S: 250
        C: RCPT TO:<user1@example.test>
        S: 550 5.7.1 {line}",
    ));
}

/// §4.5.3.1.5: a line of yours has room for all that 512 octets can hold
#[test]
fn a_reply_line_may_have_512_octets() {
    let longest = "x".repeat(512 - "550 5.999.999 \r\n".len());
    let code = EnhancedCode::new(Class::Permanent, 999, 999).unwrap();
    assert!(Refused::new(550, code, longest.clone() + "x").is_err());
    let server = Server::new().with(|server| {
        server.desk = |machine, event| match event {
            Event::Mail { pending, .. } => {
                let code = EnhancedCode::new(Class::Permanent, 999, 999).unwrap();
                let text = "x".repeat(512 - "550 5.999.999 \r\n".len());
                machine.refuse(pending, &Refused::new(550, code, text).unwrap()).unwrap();
                None
            }
            other => Some(other),
        }
    });
    server.greeted().hold(&format!("C: MAIL FROM:<>\nS: 550 5.999.999 {longest}"));
}

/// §4.2.2, §4.2.3: 252, 214, 221 and 354 are given where the RFC has them
#[test]
fn the_texts_of_the_server_itself_are_stable() {
    Server::new().in_transaction().hold(
        r"C: VRFY user1
        S: 252 2.1.5 Cannot verify, but will accept message and attempt delivery
        C: DATA
        S: 354 Start mail input; end with <CRLF>.<CRLF>
        C: .
        S: 250 2.0.0 Ok
        C: QUIT
        S: 221 2.0.0 Bye
        S: <CLOSED>",
    );
}

/// UTF8-07, SEC-INJ-06, §4.2, textstring: nothing of what the client sent is echoed
#[test]
fn replies_repeat_nothing_that_the_client_sent() {
    Server::new().greeted().hold(
        r"C| XYZZY\x1b[2J \xc3\xbc\x07\r\n
        S: 500 5.5.1 Command not recognized
        C| MAIL FROM:<\x1b@client.example.test>\r\n
        S: 501 5.1.7 Bad sender address syntax
        C| RCPT\xff TO:<user1@example.test>\r\n
        S: 500 5.5.1 Command not recognized
        C| EHLO \x1b[2J\r\n
        S: 501
        C| VRFY \x07\r\n
        S: 501 5.5.4 Argument has control characters",
    );
}
