//! VRFY and EXPN (RFC 5321 §3.5, §4.1.1.6, §4.1.1.7, §7.3).

use crate::session::Server;
use smtp_proto::{
    Class, EnhancedCode,
    server::Event,
    wire::{Accepted, Refused},
};

/// VRFY-01, VRFY-02, VRFY-03, SEC-ENUM-01, §3.5.3, §7.3
#[test]
fn vrfy_tells_nothing_about_users_unless_the_embedder_does() {
    Server::new().greeted().hold(
        r"C: VRFY user1
        S: 252 2...
        C: VRFY nobody
        S: 252 2...
        C: VRFY John Q. Public
        S: 252 2...",
    );
}

/// VRFY-05, §4.1.1.6
#[test]
fn vrfy_needs_a_name() {
    Server::new().greeted().hold(
        r"C: VRFY
        S: 501 5.5.4 ...
        C| VRFY \x20\r\n
        S: 501 5.5.4 ...",
    );
}

/// VRFY-06, §3.5.1: 250 with a mailbox, or 550
#[test]
fn an_embedder_that_knows_its_users_may_say_so() {
    let server = Server::new().with(|server| {
        server.desk = |machine, event| match event {
            Event::Verify { what, pending } if what.as_str() == "user1" => {
                let known = EnhancedCode::new(Class::Success, 1, 5).unwrap();
                let reply = Accepted::new(250, known, "<user1@example.test>").unwrap();
                machine.accept_with(pending, &reply).unwrap();
                None
            }
            Event::Verify { pending, .. } => {
                machine.refuse(pending, &Refused::NO_SUCH_USER).unwrap();
                None
            }
            other => Some(other),
        }
    });
    server.greeted().hold(
        r"C: VRFY user1
        S: 250 2.1.5 <user1@example.test>
        C: VRFY nobody
        S: 550 5.1.1 ...",
    );
}

/// SEQ-19, §4.1.1.6, RFC 6531 §3.7.4.2
#[test]
fn vrfy_within_a_transaction_changes_nothing() {
    Server::new().in_transaction().hold(
        r"C| VRFY j\xc3\xbcrgen@example.test\r\n
        S: 553 5.6.7 ...
        C| VRFY j\xc3\xbcrgen@example.test SMTPUTF8\r\n
        S: 252 2...
        C: VRFY
        S: 501 5.5.4 ...
        C: EXPN staff
        S: 502 5.5.1 ...
        C: DATA
        S: 354",
    );
}
