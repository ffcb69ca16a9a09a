//! 521 and 556 (RFC 7504): a host and a domain that take no mail.

use crate::session::Server;
use smtp_proto::{server::Event, wire::Refused};

/// CONN-10, RFC 7504 §3: at the greeting, from a host that never takes mail
#[test]
fn a_host_without_mail_says_so_at_once() {
    let refusing = Server::new().with(|server| {
        server.desk = |machine, event| match event {
            Event::Connect(pending) => {
                machine.refuse(pending, &Refused::NO_MAIL_HERE).unwrap();
                None
            }
            event => Some(event),
        };
    });
    refusing.hold(
        r"S: 521 Host does not accept mail
        C: EHLO client.example.test
        S: 503
        C: QUIT
        S: 221
        S: <CLOSED>",
    );
}

/// CONN-10, RFC 7504 §3: or closes, which costs less
#[test]
fn a_host_without_mail_may_close() {
    let closing = Server::new().with(|server| {
        server.desk = |machine, event| match event {
            Event::Connect(pending) => {
                machine.disconnect(pending, &Refused::NO_MAIL_HERE).unwrap();
                None
            }
            event => Some(event),
        };
    });
    closing.hold("S: 521 Host does not accept mail\nS: <CLOSED>");
}

/// NMX-01, RFC 7504 §4, RFC 7505 §4.1: a null MX
#[test]
fn a_recipient_in_a_domain_without_mail_is_refused_for_good() {
    let server = Server::new().with(|server| {
        server.desk = |machine, event| match event {
            Event::Rcpt { pending, .. } => {
                machine.refuse(pending, &Refused::NO_MAIL_THERE).unwrap();
                None
            }
            event => Some(event),
        };
    });
    server.greeted().hold(
        r"C: MAIL FROM:<a@client.example.test>
        S: 250
        C: RCPT TO:<b@nomail.test>
        S: 556 5.1.10 Domain does not accept mail",
    );
}
