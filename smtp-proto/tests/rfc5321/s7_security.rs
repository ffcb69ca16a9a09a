//! Relaying, injection, other protocols (RFC 5321 §7, RFC 2505).

use crate::session::Server;

/// SEC-REL-01 to SEC-REL-04, §7.9, appendix C
#[test]
fn no_spelling_of_a_foreign_recipient_is_relayed() {
    for (path, reply) in [
        ("<user%elsewhere.test@example.test>", "550 5.1.1"),
        (r#"<"user@elsewhere.test"@example.test>"#, "550 5.1.1"),
        ("<@example.test:user@elsewhere.test>", "550 5.7.1"),
        ("<@example.test,@mx.example.test:user1@elsewhere.test>", "550 5.7.1"),
        ("<elsewhere.test!user@example.test>", "550 5.1.1"),
        ("<user@elsewhere.test@example.test>", "501 5.1.3"),
        ("<elsewhere.test!user1>", "501 5.1.3"),
        ("<user1@[127.0.0.1]>", "550 5.7.1"),
        ("<user1@elsewhere.test.>", "501 5.1.3"),
        ("<user1@EXAMPLE.TEST.elsewhere.test>", "550 5.7.1"),
        ("<user1%elsewhere.test>", "501 5.1.3"),
        ("<user1@notexample.test>", "550 5.7.1"),
    ] {
        Server::new().greeted().hold(&format!(
            r"C: MAIL FROM:<user1@example.test>
            S: 250
            C: RCPT TO:{path}
            S: {reply} ...
            C: DATA
            S: 503"
        ));
    }
}

/// SEC-REL-05, §7.9
#[test]
fn a_local_or_null_sender_gives_no_right_to_relay() {
    for sender in ["<user1@example.test>", "<>", "<postmaster@example.test>"] {
        Server::new().greeted().hold(&format!(
            r"C: MAIL FROM:{sender}
            S: 250
            C: RCPT TO:<someone@elsewhere.test>
            S: 550 5.7.1 ..."
        ));
    }
}

/// SEC-INJ-01, CVE-2020-7247
#[test]
fn a_shell_command_is_no_sender() {
    Server::new().greeted().hold("C: MAIL FROM:<;sleep 3;>\nS: 501 5.1.7 ...");
}

/// SEC-INJ-02, SEC-INJ-03, CVE-2019-10149: taken literally, and nobody has such a mailbox
#[test]
fn what_a_shell_or_a_path_would_expand_is_taken_literally() {
    Server::new().greeted().hold(
        r"C: MAIL FROM:<`id`$HOME%n%s@client.example.test>
        S: 250
        C: RCPT TO:<${run{x}}@example.test>
        S: 550 5.1.1 ...
        C: RCPT TO:<$(id)@example.test>
        S: 501 5.1.3 ...
        C: RCPT TO:<|/bin/sh@example.test>
        S: 550 5.1.1 ...
        C: RCPT TO:<../../etc/passwd@example.test>
        S: 501 5.1.3 ...
        C: RCPT TO:</etc/passwd@example.test>
        S: 550 5.1.1 ...",
    );
}

/// SEC-XP-01: a browser that is made to talk to a mail server
#[test]
fn a_request_of_another_protocol_ends_the_session() {
    for request in
        ["POST / HTTP/1.1", "GET / HTTP/1.0", "CONNECT mx.example.test:25 HTTP/1.1", "SSH-2.0-x"]
    {
        let messages = Server::new().hold(&format!(
            r"S: 220
            C+ {request}
            C+ Host: mx.example.test
            C+
            C+ EHLO client.example.test
            C: MAIL FROM:<a@client.example.test>
            S: 421
            S: <CLOSED>",
        ));
        assert_eq!(messages, []);
    }
}

/// SEC-XP-01: the first octets of TLS on a port that speaks in clear
#[test]
fn a_tls_client_hello_in_clear_is_a_bad_command() {
    Server::new().hold(
        r"S: 220
        C| \x16\x03\x01\0\x05\x01\0\0\x01\0\r\n
        S: 500
        C: QUIT
        S: 221
        S: <CLOSED>",
    );
}

/// PROXY-01: a PROXY line on a port where none is expected
#[test]
fn a_proxy_line_is_an_unknown_command() {
    Server::new().hold(
        r"S: 220
        C: PROXY TCP4 192.0.2.1 192.0.2.2 1 25
        S: 500",
    );
}

/// XCL-01: XCLIENT from a peer that nobody trusts
#[test]
fn xclient_is_refused() {
    Server::new().greeted().hold("C: XCLIENT ADDR=192.0.2.9 NAME=[UNAVAILABLE]\nS: 550 5.7.0 ...");
}
