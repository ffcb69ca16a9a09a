//! REQUIRETLS (RFC 8689).

use crate::session::Server;
use smtp_proto::{
    ext::Extensions,
    server::{Event, Start},
};

/// Under TLS, as behind STARTTLS.
fn server() -> Server {
    Server::new().with(|server| {
        server.extensions = Extensions::new().requiretls();
        server.start = Start::Tls;
    })
}

fn in_clear() -> Server {
    server().with(|server| server.start = Start::Plain)
}

/// RTLS-01, RFC 8689 §2(2)
#[test]
fn it_is_offered_inside_tls_only() {
    let common = "S: 220\nC: EHLO client.example.test\nS: 250-mx.example.test\nS: 250-PIPELINING\n\
                  S: 250-SIZE 52428800\nS: 250-8BITMIME\n";
    server().hold(&format!("{common}S: 250-ENHANCEDSTATUSCODES\nS: 250 REQUIRETLS"));
    in_clear().hold(&format!("{common}S: 250 ENHANCEDSTATUSCODES"));
}

/// RTLS-02, RFC 8689 §2(4), §2(8)
#[test]
fn it_is_a_word_without_a_value() {
    for (parameter, reply) in [
        ("REQUIRETLS", "250 2.1.0"),
        ("RequireTls", "250 2.1.0"),
        ("REQUIRETLS=1", "501 5.5.4"),
        ("REQUIRETLS=", "501 5.5.4"),
        ("REQUIRETLS REQUIRETLS", "501 5.5.4"),
    ] {
        server()
            .greeted()
            .hold(&format!("C: MAIL FROM:<a@client.example.test> {parameter}\nS: {reply} ..."));
    }
}

/// RTLS-02: where it was not offered it is unknown
#[test]
fn in_clear_it_is_a_parameter_that_was_not_offered() {
    in_clear().greeted().hold(
        r"C: MAIL FROM:<a@client.example.test> REQUIRETLS
        S: 555 5.5.4 ...",
    );
}

/// RFC 8689 §4.1: the embedder is told
#[test]
fn the_event_says_whether_tls_is_required() {
    let server = server().with(|server| {
        server.desk = |_, event| {
            if let Event::Mail { mail, .. } = &event {
                assert_eq!(mail.require_tls, mail.to_string().ends_with(" REQUIRETLS"));
                assert_eq!(mail.require_tls, mail.from.mailbox().is_some());
            }
            Some(event)
        };
    });
    server.greeted().hold(
        r"C: MAIL FROM:<a@client.example.test> REQUIRETLS
        S: 250
        C: RSET
        S: 250
        C: MAIL FROM:<>
        S: 250",
    );
}
