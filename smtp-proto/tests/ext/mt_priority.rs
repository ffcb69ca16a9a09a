//! MT-PRIORITY (RFC 6710).

use crate::session::Server;
use smtp_proto::{
    Class, EnhancedCode,
    ext::{Extensions, Priority},
    server::Event,
    wire::Accepted,
};

fn server() -> Server {
    Server::new().with(|server| server.extensions = Extensions::new().mt_priority())
}

#[track_caller]
fn mail(server: &Server, params: &str, reply: &str) {
    let mail = format!("C: MAIL FROM:<a@client.example.test> {params}\nS: {reply} ...");
    server.greeted().hold(&mail);
}

/// RFC 6710 §3(2), (3)
#[test]
fn it_is_offered_without_the_name_of_a_policy() {
    server().hold(
        r"S: 220
        C: EHLO client.example.test
        S: 250-mx.example.test
        S: 250-PIPELINING
        S: 250-SIZE 52428800
        S: 250-8BITMIME
        S: 250-ENHANCEDSTATUSCODES
        S: 250 MT-PRIORITY",
    );
}

/// MTP-01, RFC 6710 §3(5), §4.1(1)
#[test]
fn a_priority_is_a_number_from_minus_9_to_9() {
    for value in ["0", "-9", "9", "-1"] {
        mail(&server(), &format!("mt-priority={value}"), "250 2.1.0");
    }
    for value in ["10", "-10", "abc", "+1", "-0", "01", "1.0"] {
        mail(&server(), &format!("MT-PRIORITY={value}"), "501 5.5.2");
    }
    mail(&server(), "MT-PRIORITY", "501 5.5.2");
    mail(&server(), "MT-PRIORITY=", "501 5.5.4");
}

/// MTP-02, RFC 6710 §4.1(1)
#[test]
fn there_is_one_priority() {
    mail(&server(), "MT-PRIORITY=0 MT-PRIORITY=-1", "501 5.5.4");
}

/// RFC 5321 §4.1.1.11
#[test]
fn where_it_is_not_offered_it_is_unknown() {
    mail(&Server::new(), "MT-PRIORITY=0", "555 5.5.4");
}

/// RFC 6710 §4.1: the embedder says what it made of it
#[test]
fn a_priority_can_be_changed_in_the_reply() {
    let server = server().with(|server| {
        server.desk = |machine, event| match event {
            Event::Mail { mail, pending } => {
                assert_eq!(mail.priority, Priority::new(5));
                let code = EnhancedCode::new(Class::Success, 3, 6).unwrap();
                let reply = Accepted::new(250, code, "0 is the priority of strangers").unwrap();
                machine.accept_with(pending, &reply).unwrap();
                None
            }
            event => Some(event),
        };
    });
    server.greeted().hold(
        r"C: MAIL FROM:<a@client.example.test> MT-PRIORITY=5
        S: 250 2.3.6 0 is the priority of strangers",
    );
}
