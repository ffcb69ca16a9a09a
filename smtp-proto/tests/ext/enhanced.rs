//! ENHANCEDSTATUSCODES (RFC 2034, RFC 3463, RFC 5248).

use crate::session::Server;
use smtp_proto::{
    Class, EnhancedCode,
    server::Event,
    wire::{Accepted, Refused},
};

/// ESC-01, ESC-02, ESC-05, ESC-07, RFC 2034 §3, §4
#[test]
fn every_reply_but_3yz_begins_with_an_enhanced_code_of_its_class() {
    Server::new().greeted().hold(
        r"C: NOOP
        S: 250 2.0.0 ...
        C: RSET
        S: 250 2.0.0 ...
        C: XYZZY
        S: 500 5.5.1 ...
        C: DATA
        S: 503 5.5.1 ...
        C: MAIL FROM:<
        S: 501 5.1.7 ...
        C: MAIL FROM:<a@client.example.test> SIZE=99999999999
        S: 552 5.3.4 ...
        C: MAIL FROM:<a@client.example.test>
        S: 250 2.1.0 ...
        C: RCPT TO:<nobody@example.test>
        S: 550 5.1.1 ...
        C: RCPT TO:<user1@example.test>
        S: 250 2.1.5 ...
        C: VRFY user1
        S: 252 2.1.5 ...
        C: HELP
        S: 214 2.0.0 ...
        C: DATA
        S: 354 S...
        C: .
        S: 250 2.0.0 ...
        C: QUIT
        S: 221 2.0.0 ...
        S: <CLOSED>",
    );
}

/// ESC-03, RFC 2034 §3
#[test]
fn no_answer_to_a_greeting_has_an_enhanced_code() {
    Server::new().hold(
        r"S: 220 mx.example.test ESMTP
        C: EHLO
        S: 501 Give one domain name or address literal
        C: EHLO client.example.test
        S: 250
        C: EHLO
        S: 501 Give one domain name or address literal
        C: HELO two words
        S: 501 Give one domain name or address literal
        C: LHLO client.example.test
        S: 500 Command not recognized",
    );
}

/// ESC-03: nor has one that the embedder refuses
#[test]
fn a_refused_greeting_has_no_enhanced_code() {
    let server = Server::new().with(|server| {
        server.desk = |machine, event| match event {
            Event::Hello { pending, name, .. } if name.to_string() == "bad.example.test" => {
                machine.refuse(pending, &Refused::DENIED).unwrap();
                None
            }
            other => Some(other),
        }
    });
    server.greeted().hold("C: EHLO bad.example.test\nS: 554 Refused by policy");
}

/// ESC-06, RFC 2034 §4: "regardless of whether or not EHLO is employed by the client"
#[test]
fn a_client_that_said_helo_hears_enhanced_codes_too() {
    Server::new().hold(
        r"S: 220
        C: NOOP
        S: 250 2.0.0 Ok
        C: HELO client.example.test
        S: 250
        C: XYZZY
        S: 500 5.5.1 Command not recognized
        C: MAIL FROM:<a@client.example.test>
        S: 250 2.1.0 Originator ok
        C: RCPT TO:<nobody@example.test>
        S: 550 5.1.1 No such user here
        C: QUIT
        S: 221 2.0.0 Bye
        S: <CLOSED>",
    );
}

/// ESC-04, RFC 2034 §3
#[test]
fn every_line_of_a_reply_has_the_enhanced_code() {
    let server = Server::new().with(|server| {
        server.desk = |machine, event| match event {
            Event::Help { pending, .. } => {
                let code = EnhancedCode::new(Class::Success, 0, 0).unwrap();
                let reply = Accepted::new(214, code, "one\ntwo").unwrap();
                machine.accept_with(pending, &reply).unwrap();
                None
            }
            other => Some(other),
        }
    });
    server.greeted().hold("C: HELP\nS: 214-2.0.0 one\nS: 214 2.0.0 two");
}
