//! Mail transactions (RFC 5321 §3.3, §4.1.1.2 to §4.1.1.5): who gets what.

use crate::session::Server;
use smtp_proto::{server::Event, wire::Refused};

/// DATA-01, SEQ-15, §3.3, §4.1.1.4
#[test]
fn a_message_is_delivered_as_it_was_sent() {
    let delivered = Server::new().greeted().hold(
        r"C: MAIL FROM:<a@client.example.test>
        S: 250 2.1.0 ...
        C: RCPT TO:<user1@example.test>
        S: 250 2.1.5 ...
        C: DATA
        S: 354
        C+ Subject: hello
        C+
        C+ text
        C: .
        S: 250 2.0.0 ...
        C: <EOF>
        S: <CLOSED>",
    );
    assert_eq!(delivered.len(), 1);
    assert_eq!(delivered[0].from, "<a@client.example.test>");
    assert_eq!(delivered[0].recipients, ["<user1@example.test>"]);
    assert_eq!(delivered[0].octets, b"Subject: hello\r\n\r\ntext\r\n");
}

/// SEQ-12, §4.1.1.4
#[test]
fn two_messages_of_a_session_have_nothing_in_common() {
    let delivered = Server::new().in_data().hold(
        r"C+ first
        C: .
        S: 250 2.0.0 ...
        C: MAIL FROM:<>
        S: 250 2.1.0 ...
        C: RCPT TO:<user2@example.test>
        S: 250 2.1.5 ...
        C: DATA
        S: 354
        C+ second
        C: .
        S: 250 2.0.0 ...",
    );
    assert_eq!(delivered.len(), 2);
    assert_eq!(delivered[1].from, "<>");
    assert_eq!(delivered[1].recipients, ["<user2@example.test>"]);
    assert_eq!(delivered[1].octets, b"second\r\n");
}

/// RCPT-01, RCPT-02, RCPT-03, RCPT-09, §3.3, §7.9
#[test]
fn a_message_goes_to_the_recipients_that_were_accepted() {
    let delivered = Server::new().greeted().hold(
        r"C: MAIL FROM:<a@client.example.test>
        S: 250
        C: RCPT TO:<user1@example.test>
        S: 250 2.1.5 ...
        C: RCPT TO:<nobody@example.test>
        S: 550 5.1.1 ...
        C: RCPT TO:<someone@elsewhere.test>
        S: 550 5.7.1 ...
        C: RCPT TO:<user2@example.test>
        S: 250 2.1.5 ...
        C: DATA
        S: 354
        C+ text
        C: .
        S: 250",
    );
    assert_eq!(delivered.len(), 1);
    assert_eq!(delivered[0].recipients, ["<user1@example.test>", "<user2@example.test>"]);
}

/// RCPT-08, §3.3
#[test]
fn a_recipient_may_be_named_twice() {
    Server::new().in_transaction().hold(
        r"C: RCPT TO:<user1@example.test>
        S: 250 2.1.5 ...
        C: DATA
        S: 354",
    );
}

/// SEQ-14, §4.1.1.10
#[test]
fn half_a_message_is_not_delivered() {
    let delivered = Server::new().in_data().hold(
        r"C+ Subject: half
        C| a message\r\n.
        C: <EOF>
        S: <CLOSED>",
    );
    assert_eq!(delivered, []);
}

/// SEQ-14, §4.1.1.4: `CRLF . CR` and the end of the connection
#[test]
fn an_end_of_data_without_its_lf_is_no_end() {
    let delivered = Server::new().in_data().hold(
        r"C| text\r\n.\r
        C: <EOF>
        S: <CLOSED>",
    );
    assert_eq!(delivered, []);
}

/// SEQ-16, SEQ-17, §4.2.5, §4.1.1.4
#[test]
fn a_message_refused_at_its_end_is_gone_with_its_envelope() {
    let server = Server::new().with(|server| {
        server.desk = |machine, event| match event {
            Event::BodyEnd { pending, .. } => {
                machine.refuse(pending, &Refused::CONTENT).unwrap();
                None
            }
            other => Some(other),
        }
    });
    let delivered = server.in_data().hold(
        r"C+ text
        C: .
        S: 554 5.6.0 ...
        C: RCPT TO:<user1@example.test>
        S: 503 5.5.1 ...
        C: DATA
        S: 503 5.5.1 ...
        C: MAIL FROM:<b@client.example.test>
        S: 250",
    );
    assert_eq!(delivered, []);
}

/// SEQ-13, §4.1.1.4
#[test]
fn after_the_end_of_data_the_envelope_is_empty() {
    Server::new().in_data().hold(
        r"C+ text
        C: .
        S: 250
        C: RCPT TO:<user1@example.test>
        S: 503 5.5.1 ...
        C: DATA
        S: 503 5.5.1 ...",
    );
}

/// §3.3: a refused MAIL opens nothing
#[test]
fn a_refused_sender_opens_no_transaction() {
    let server = Server::new().with(|server| {
        server.desk = |machine, event| match event {
            Event::Mail { pending, .. } => {
                machine.refuse(pending, &Refused::DENIED).unwrap();
                None
            }
            other => Some(other),
        }
    });
    server.greeted().hold(
        r"C: MAIL FROM:<a@client.example.test>
        S: 554 5.7.1 ...
        C: RCPT TO:<user1@example.test>
        S: 503 5.5.1 ...",
    );
}

/// §3.3: a refused DATA leaves the transaction as it is
#[test]
fn after_a_refused_data_the_transaction_is_still_open() {
    let server = Server::new().with(|server| {
        server.desk = |machine, event| match event {
            Event::Data { pending, .. } => {
                machine.refuse(pending, &Refused::STORAGE).unwrap();
                None
            }
            other => Some(other),
        }
    });
    server.in_transaction().hold(
        r"C: DATA
        S: 452 4.3.1 ...
        C: RCPT TO:<user2@example.test>
        S: 250 2.1.5 ...
        C: RSET
        S: 250",
    );
}

/// SYN-16, SYN-17, §3.3, §4.1.1.3, appendix C, appendix F.2
#[test]
fn a_source_route_is_dropped() {
    let delivered = Server::new().greeted().hold(
        r"C: MAIL FROM:<@relay.example.test,@b.example.test:a@client.example.test>
        S: 250 2.1.0 ...
        C: RCPT TO:<@relay.example.test:user1@example.test>
        S: 250 2.1.5 ...
        C: DATA
        S: 354
        C: .
        S: 250",
    );
    assert_eq!(delivered[0].from, "<a@client.example.test>");
    assert_eq!(delivered[0].recipients, ["<user1@example.test>"]);
}

/// SYN-07, SYN-08, §4.5.5
#[test]
fn the_null_reverse_path_is_for_senders_only() {
    Server::new().greeted().hold(
        r"C: MAIL FROM:<>
        S: 250 2.1.0 ...
        C: RCPT TO:<>
        S: 501 5.1.3 ...
        C: RCPT TO:<user1@example.test>
        S: 250 2.1.5 ...",
    );
}

/// DATA-13 to DATA-15, SEC-INJ-04, §3.3, §3.7.2, §6.4: the header is not the server's business
#[test]
fn no_message_is_refused_for_its_header() {
    let delivered = Server::new().in_data().hold(
        r"C+ Resent-Sender: nobody
        C+ Received: from nowhere; never
        C+ : an empty name
        C+ __proto__ without a colon
        C+ From:
        C: .
        S: 250",
    );
    let octets = b"Resent-Sender: nobody\r\nReceived: from nowhere; never\r\n: an empty name\r\n\
                   __proto__ without a colon\r\nFrom:\r\n";
    assert_eq!(delivered[0].octets, octets);
}

/// DATA-16, §6.3: loops are the embedder's to find
#[test]
fn a_message_with_a_hundred_received_fields_is_taken() {
    let fields = "C+ Received: from a.test by b.test; now\n".repeat(100);
    let delivered = Server::new().in_data().hold(&format!("{fields}C: .\nS: 250"));
    assert_eq!(delivered[0].octets.split(|octet| *octet == b'\n').count(), 101);
}
