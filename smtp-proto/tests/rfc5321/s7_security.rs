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

/// SEC-XP-01, SEC-XP-02: a browser that is made to talk to a mail server
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

/// SEC-INJ-09, CVE-2019-15846
#[test]
fn a_backslash_at_the_end_of_a_name_takes_nothing_with_it() {
    Server::new().greeted().hold(
        r#"C| EHLO x\\\r\n
        S: 501
        C| MAIL FROM:<a\\@client.example.test>\r\n
        S: 501 5.1.7 ...
        C| MAIL FROM:<"a\\>\r\n
        S: 501 5.1.7 ...
        C: NOOP
        S: 250"#,
    );
}

/// SEC-INJ-10, CVE-2025-26794: an apostrophe is a character like another
#[test]
fn the_quotes_of_a_database_have_no_meaning() {
    let delivered = Server::new().greeted().hold(
        r#"C: MAIL FROM:<a'--@client.example.test>
        S: 250
        C: RSET
        S: 250
        C: MAIL FROM:<"'; DROP TABLE x;--"@client.example.test>
        S: 250
        C: RCPT TO:<user1@example.test>
        S: 250
        C: DATA
        S: 354
        C: .
        S: 250"#,
    );
    assert_eq!(delivered[0].from, r#"<"'; DROP TABLE x;--"@client.example.test>"#);
}

/// SEC-LEN-01, CVE-2019-16928, §4.5.3.1.4
#[test]
fn a_name_of_11000_octets_is_refused() {
    for verb in ["EHLO", "HELO"] {
        Server::new().hold(&format!(
            r"S: 220
            C+| {verb}\x20
            C+* 11000 x
            C:
            S: 500
            C: NOOP
            S: 250"
        ));
    }
}

/// SEC-LEN-02, CVE-2002-1337, CVE-2020-28022
#[test]
fn brackets_comments_routes_and_parameters_without_number_are_refused() {
    let routes = format!("<{}:a@b.test>", ["@a.test"; 300].join(","));
    for path in ["<".repeat(1000), "(".repeat(1000), "\"".repeat(1000), routes] {
        let fits = path.len() < 2000;
        let reply = if fits { "501 5.1.7" } else { "500 5.5.2" };
        let dialogue = format!("C: MAIL FROM:{path}\nS: {reply} ...\nC: NOOP\nS: 250");
        Server::new().greeted().hold(&dialogue);
    }
    let parameters = " SIZE=1".repeat(200);
    let dialogue = format!("C: MAIL FROM:<>{parameters}\nS: 501 5.5.4 ...\nC: NOOP\nS: 250");
    Server::new().greeted().hold(&dialogue);
}
