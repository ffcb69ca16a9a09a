//! ETRN (RFC 1985).

use crate::session::Server;
use smtp_proto::{
    Class, EnhancedCode,
    ext::{Extensions, QueueName},
    server::Event,
    wire::{Accepted, Refused},
};

/// A server that has nothing for `idle.test`, and queues for nobody else but `example.test`.
fn server() -> Server {
    Server::new().with(|server| {
        server.extensions = Extensions::new().chunking().etrn();
        server.desk = |machine, event| {
            let (queue, pending) = match event {
                Event::Etrn { queue, pending } => (queue, pending),
                event => return Some(event),
            };
            match queue {
                QueueName::Domain(domain) if domain.as_str() == "example.test" => {
                    machine.accept(pending).unwrap();
                }
                QueueName::Domain(domain) if domain.as_str() == "idle.test" => {
                    let code = EnhancedCode::new(Class::Success, 0, 0).unwrap();
                    let nothing = Accepted::new(251, code, "Ok, no messages waiting").unwrap();
                    machine.accept_with(pending, &nothing).unwrap();
                }
                _ => {
                    let code = EnhancedCode::transient(7, 0);
                    let denied = Refused::new(459, code, "Node not allowed").unwrap();
                    machine.refuse(pending, &denied).unwrap();
                }
            }
            None
        };
    })
}

/// ETRN-01, RFC 1985 §5.2
#[test]
fn the_embedder_starts_the_queue_or_says_why_not() {
    server().hold(
        r"S: 220
        C: EHLO client.example.test
        S: 250-mx.example.test
        S: 250-PIPELINING
        S: 250-SIZE 52428800
        S: 250-8BITMIME
        S: 250-ENHANCEDSTATUSCODES
        S: 250-CHUNKING
        S: 250 ETRN
        C: ETRN example.test
        S: 250 2.0.0 Ok, queuing for this node started
        C: etrn idle.test
        S: 251 2.0.0 Ok, no messages waiting
        C: ETRN @example.test
        S: 459 4.7.0 Node not allowed
        C: ETRN #queue
        S: 459 4.7.0 Node not allowed",
    );
}

/// ETRN-02, RFC 1985 §5.1, §5.2
#[test]
fn it_names_one_node() {
    for args in ["", " ", " a.test b.test", " @", " #", " a..test", " [192.0.2.1]", " #a\u{fc}"] {
        server().greeted().hold(&format!("C: ETRN{args}\nS: 501 5.5.4 ..."));
    }
}

/// ETRN-03, RFC 1985 §4
#[test]
fn a_transaction_goes_on_behind_it() {
    let messages = server().in_transaction().hold(
        r"C: ETRN example.test
        S: 250
        C| BDAT 1\r\na
        S: 250
        C: ETRN idle.test
        S: 251
        C| BDAT 1 LAST\r\nb
        S: 250",
    );
    assert_eq!(messages[0].octets, b"ab");
}

/// RFC 2920 §3.2: in its turn
#[test]
fn its_reply_keeps_its_place_in_a_group() {
    server().greeted().hold(
        r"C+ MAIL FROM:<a@client.example.test>
        C+ ETRN example.test
        C: RSET
        S: 250 2.1.0 ...
        S: 250 2.0.0 Ok, queuing for this node started
        S: 250 2.0.0 Ok",
    );
}

/// RFC 5321 §4.2.4
#[test]
fn where_it_is_not_offered_it_is_not_implemented() {
    Server::new().greeted().hold("C: ETRN example.test\nS: 502 5.5.1 ...");
    server().hold(
        r"S: 220
        C: ETRN example.test
        S: 503 5.5.1 ...
        C: HELO client.example.test
        S: 250
        C: ETRN example.test
        S: 502 5.5.1 ...",
    );
}
