//! Paths and mailboxes (RFC 5321 §4.1.2, §4.1.3, §2.3.5).

use crate::session::Server;

/// Each path is refused in MAIL with 501 5.1.7 and in RCPT with 501 5.1.3.
#[track_caller]
fn refused(paths: &[&str]) {
    for path in paths {
        Server::new().greeted().hold(&format!(
            r"C| MAIL FROM:{path}\r\n
            S: 501 5.1.7 ...
            C: MAIL FROM:<>
            S: 250
            C| RCPT TO:{path}\r\n
            S: 501 5.1.3 ...",
        ));
    }
}

/// Each path is taken in MAIL, and understood in RCPT though nobody has a mailbox there.
#[track_caller]
fn understood(paths: &[&str]) {
    for path in paths {
        Server::new().greeted().hold(&format!(
            r"C| MAIL FROM:{path}\r\n
            S: 250 2.1.0 ...
            C| RCPT TO:{path}\r\n
            S: 550 5.7.1 ...",
        ));
    }
}

/// SYN-11, §4.1.2, Mailbox
#[test]
fn a_mailbox_has_one_at_sign_with_something_on_either_side() {
    refused(&["<a@b@c.example>", "<@>", "<a@>", "<@c.example>", "<a>", "< >", "<a b@c.example>"]);
}

/// SYN-12, §4.1.2, Dot-string
#[test]
fn a_dot_string_has_no_empty_atom() {
    refused(&["<a..b@c.example>", "<.a@c.example>", "<a.@c.example>", "<.@c.example>"]);
}

/// SYN-11, SEC-REL-04, §4.1.2, Domain; §2.3.5
#[test]
fn a_domain_has_no_empty_label_and_no_hyphen_at_an_edge() {
    refused(&[
        "<a@-x.example>",
        "<a@x-.example>",
        "<a@x..example>",
        "<a@x.example.>",
        "<a@.x.example>",
        "<a@x_y.example>",
        "<a@x y.example>",
    ]);
}

/// SYN-25, §2.3.5
#[test]
fn a_recipient_without_a_domain_is_refused_unless_it_is_postmaster() {
    Server::new().greeted().hold(
        r"C: MAIL FROM:<a@localhost>
        S: 250
        C: RCPT TO:<user1>
        S: 501 5.1.3 ...
        C: RCPT TO:<postmaster>
        S: 250 2.1.5 ...",
    );
}

/// SYN-13, §4.1.2, Quoted-string
#[test]
fn a_quoted_local_part_may_hold_spaces_quotes_and_brackets() {
    understood(&[
        r#"<"a b\\"c"@client.example.test>"#,
        r#"<"a>b"@client.example.test>"#,
        r#"<"a@b"@client.example.test>"#,
        r#"<"a\\\\b"@client.example.test>"#,
        r#"<""@client.example.test>"#,
    ]);
}

/// §4.1.2, Quoted-string
#[test]
fn a_quoted_local_part_must_be_closed() {
    refused(&[
        r#"<"a@client.example.test>"#,
        r#"<"a"b@client.example.test>"#,
        r#"<a"b"@client.example.test>"#,
        r#"<"a\\"@client.example.test>"#,
    ]);
}

/// SYN-14, SYN-28, §4.1.2: the quoted form is the same mailbox
#[test]
fn quotes_that_are_not_needed_change_nothing() {
    Server::new().greeted().hold(
        r#"C: MAIL FROM:<>
        S: 250
        C: RCPT TO:<"user1"@example.test>
        S: 250 2.1.5 ...
        C: RCPT TO:<"us\er1"@example.test>
        S: 250 2.1.5 ..."#,
    );
}

/// SYN-15, §4.1.3
#[test]
fn a_mailbox_may_be_at_an_address() {
    understood(&["<a@[192.0.2.1]>", "<a@[IPv6:2001:db8::1]>", "<a@[tag:content]>"]);
}

/// SEC-INJ-11, §4.1.3
#[test]
fn a_malformed_address_literal_is_refused() {
    refused(&[
        "<a@[192.0.2.300]>",
        "<a@[192.0.2]>",
        "<a@[IPv6:2001:db8::1::2]>",
        "<a@[]>",
        "<a@192.0.2.1]>",
    ]);
}

/// §4.1.2: every character of atext
#[test]
fn an_atom_may_have_every_character_of_atext() {
    understood(&["<!#$%&'*+-/=?^_`{|}~@client.example.test>", "<a.b-c+d=e@client.example.test>"]);
}

/// SYN-20, §4.1.2
#[test]
fn control_characters_are_in_no_address() {
    refused(&[
        r"<a\x01b@client.example.test>",
        r"<a\x7fb@client.example.test>",
        r"<a\tb@client.example.test>",
        r#"<"a\tb"@client.example.test>"#,
        r"<a@client\x1b.example.test>",
    ]);
}

/// SYN-29, §4.1.2: no other brackets, nothing after the path
#[test]
fn a_path_is_between_one_pair_of_brackets() {
    refused(&[
        "<<a@client.example.test>>",
        "(a@client.example.test)",
        "<a@client.example.test",
        "A <a@client.example.test>",
    ]);
}

/// SYN-16, appendix C
#[test]
fn a_malformed_source_route_is_refused() {
    refused(&[
        "<@relay.example,a@client.example.test>",
        "<@:a@client.example.test>",
        "<relay.example:a@client.example.test>",
        "<@relay.example>",
    ]);
}

/// SEC-INJ-08, §4.1.2, quoted-pair: `\` and CR, LF or NUL within quotes
#[test]
fn a_quoted_pair_cannot_hold_a_line_break_or_nul() {
    for octet in ["r", "n", "0"] {
        Server::new().greeted().hold(&format!(
            r#"C| MAIL FROM:<"a\\\{octet}X-Evil: y"@client.example.test>\r\n
            S: 500 5.5.2 ...
            C: RCPT TO:<user1@example.test>
            S: 503"#,
        ));
    }
}
