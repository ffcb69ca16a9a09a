//! Sizes (RFC 5321 §4.5.3.1): every bound of `Limits` at its edge, one octet or one command over
//! it, and below the least that the RFC allows.

use crate::session::Server;
use smtp_proto::Limits;

fn limited(change: impl FnOnce(&mut Limits)) -> Server {
    Server::new().with(|server| change(&mut server.limits))
}

/// DATA-11, §4.5.3.1.4
#[test]
fn a_command_line_of_the_limit_is_read_and_one_octet_more_is_not() {
    for (limit, name) in [(512, "the least"), (2_048, "the default")] {
        println!("{name}");
        // NOOP, a space and CRLF are seven octets.
        limited(|limits| limits.command_line = limit).greeted().hold(&format!(
            r"C+| NOOP\x20
            C+* {fits} a
            C:
            S: 250 2.0.0 ...
            C+| NOOP\x20
            C+* {over} a
            C:
            S: 500 5.5.2 ...
            C: NOOP
            S: 250 2.0.0 ...",
            fits = limit - 7,
            over = limit - 6,
        ));
    }
}

/// §4.5.3.1.4
#[test]
fn a_command_line_may_always_have_512_octets() {
    limited(|limits| limits.command_line = 0)
        .greeted()
        .hold("C+| NOOP\\x20\nC+* 505 a\nC:\nS: 250 2.0.0 ...");
}

/// DATA-12, SEC-DOS-02, §4.5.3.1.9: swallowed to its end, answered once, and never kept
#[test]
fn an_overlong_line_is_answered_once() {
    for octets in [10_000, 1_000_000] {
        Server::new().greeted().hold(&format!(
            r"C* {octets} a
            C: NOOP
            S: 500 5.5.2 ...
            C: NOOP
            S: 250 2.0.0 ..."
        ));
    }
}

/// §4.5.3.1.9, §2.3.8: what lies in an overlong line is not run, whatever it looks like
#[test]
fn no_command_hides_in_an_overlong_line() {
    Server::new().greeted().hold(
        r"C+* 3000 a
        C+| \nMAIL FROM:<a@client.example.test>\n\r\r\r
        C:
        S: 500 5.5.2 ...
        C: RCPT TO:<user1@example.test>
        S: 503 5.5.1 ...",
    );
}

/// RCPT-10, RCPT-11, §4.5.3.1.1: 64 octets must do; 128 is the bound here
#[test]
fn a_local_part_of_128_octets_is_read_and_one_more_is_not() {
    let name = |octets| "l".repeat(octets);
    Server::new().greeted().hold(&format!(
        r"C: MAIL FROM:<{longest}@client.example.test>
        S: 250 2.1.0 ...
        C: RCPT TO:<{required}@elsewhere.test>
        S: 550 5.7.1 ...
        C: RCPT TO:<{longest}@elsewhere.test>
        S: 550 5.7.1 ...
        C: RCPT TO:<{longest}l@elsewhere.test>
        S: 501 5.1.3 ...
        C: RCPT TO:<{much_longer}@elsewhere.test>
        S: 501 5.1.3 ...",
        required = name(64),
        longest = name(128),
        much_longer = name(250),
    ));
}

/// RCPT-12, §4.5.3.1.2
#[test]
fn a_domain_of_255_octets_is_read_and_one_more_is_not() {
    let label = "d".repeat(63);
    let longest = format!("{label}.{label}.{label}.{label}");
    assert_eq!(longest.len(), 255);
    Server::new().greeted().hold(&format!(
        r"C: MAIL FROM:<a@{longest}>
        S: 250 2.1.0 ...
        C: RCPT TO:<a@{longest}>
        S: 550 5.7.1 ...
        C: RCPT TO:<a@{label}.{label}.{label}.{shorter}.d>
        S: 501 5.1.3 ...
        C: RCPT TO:<a@{label}d.test>
        S: 501 5.1.3 ...",
        shorter = &label[1..],
    ));
}

/// RCPT-13, §4.5.3.1.3: 256 octets must do; 512 is the bound here
#[test]
fn a_path_of_512_octets_is_read_and_one_more_is_not() {
    let domain = [&*"d".repeat(63); 3].join(".");
    let path = |octets: usize| {
        let path = format!("<@{domain}:{}@{domain}>", "l".repeat(octets - 387));
        assert_eq!(path.len(), octets);
        path
    };
    Server::new().greeted().hold(&format!(
        r"C: MAIL FROM:{}
        S: 501 5.1.7 ...
        C: MAIL FROM:{}
        S: 250 2.1.0 ...",
        path(513),
        path(512),
    ));
}

/// RCPT-06, RCPT-07, §4.5.3.1.8, §4.5.3.1.10
#[test]
fn the_recipient_over_the_limit_is_answered_452_and_the_others_stay() {
    let recipients = "C: RCPT TO:<user2@example.test>\nS: 250 2.1.5 ...\n".repeat(99);
    let messages = limited(|limits| limits.recipients = 100).in_transaction().hold(&format!(
        r"{recipients}C: RCPT TO:<user2@example.test>
        S: 452 4.5.3 ...
        C: RCPT TO:<nobody@example.test>
        S: 452 4.5.3 ...
        C: DATA
        S: 354
        C: .
        S: 250 2.0.0 ...
        C: MAIL FROM:<a@client.example.test>
        S: 250
        C: RCPT TO:<user2@example.test>
        S: 250 2.1.5 ...",
    ));
    assert_eq!(messages[0].recipients.len(), 100);
}

/// §4.5.3.1.8: a lower bound cannot be set
#[test]
fn a_transaction_may_always_have_100_recipients() {
    let recipients = "C: RCPT TO:<user2@example.test>\nS: 250 2.1.5 ...\n".repeat(99);
    limited(|limits| limits.recipients = 1).in_transaction().hold(&recipients);
}

/// RCPT-07, §4.5.3.1.10: asking for too many is no offence, however often
#[test]
fn too_many_recipients_do_not_end_the_session() {
    let recipients = "C: RCPT TO:<user2@example.test>\nS: 250\n".repeat(99);
    let over = "C: RCPT TO:<user2@example.test>\nS: 452 4.5.3 ...\n".repeat(200);
    let server = limited(|limits| (limits.recipients, limits.violations) = (100, 2));
    server.in_transaction().hold(&format!("{recipients}{over}C: DATA\nS: 354"));
}

/// DATA-10, SIZE-09, §4.5.3.1.7: stuffed dots and the end of data do not count
#[test]
fn a_message_of_the_limit_is_taken_and_one_octet_more_is_not() {
    let server = limited(|limits| limits.message = 65_536);
    let messages = server.in_data().hold(
        r"C+| ..
        C+* 65533 a
        C:
        C: .
        S: 250 2.0.0 ...",
    );
    assert_eq!(messages[0].octets.len(), 65_536);
    let messages = server.in_data().hold(
        r"C+* 65535 a
        C:
        C: .
        S: 552 5.3.4 ...
        C: RCPT TO:<user1@example.test>
        S: 503 5.5.1 ...
        C: MAIL FROM:<a@client.example.test>
        S: 250",
    );
    assert_eq!(messages, []);
}

/// §4.5.3.1.7: a lower bound cannot be set
#[test]
fn a_message_may_always_have_64_kib() {
    let server = limited(|limits| limits.message = 1);
    let messages = server.in_data().hold("C+* 65534 a\nC:\nC: .\nS: 250");
    assert_eq!(messages[0].octets.len(), 65_536);
}

/// DATA-07, DATA-08, §4.5.3.1.6: the dot that is removed and the CRLF do not count
#[test]
fn a_text_line_of_the_limit_is_taken_and_one_octet_more_is_not() {
    let server = limited(|limits| limits.text_line = Some(998));
    let messages = server.in_data().hold(
        r"C+* 998 a
        C+
        C+| ..
        C+* 997 a
        C:
        C: .
        S: 250 2.0.0 ...",
    );
    assert_eq!(messages[0].octets.len(), 2_000);
    let messages = server.in_data().hold(
        r"C+* 999 a
        C:
        C: .
        S: 554 5.6.0 ...
        C: RSET
        S: 250",
    );
    assert_eq!(messages, []);
}

/// DATA-09, SEC-DOS-03, §4.5.3.1.6: without a bound of their own, lines come through whole
#[test]
fn text_lines_of_any_length_are_not_split() {
    for octets in [999, 5_000, 900_000] {
        let messages =
            Server::new().in_data().hold(&format!("C+* {octets} a\nC:\nC: .\nS: 250 2.0.0 ..."));
        assert_eq!(messages[0].octets.len(), octets + 2);
        assert!(messages[0].octets[..octets].iter().all(|&octet| octet == b'a'));
    }
}

/// §4.5.3.1.6: a lower bound cannot be set
#[test]
fn a_text_line_may_always_have_998_octets() {
    limited(|limits| limits.text_line = Some(1)).in_data().hold("C+* 998 a\nC:\nC: .\nS: 250");
}

/// The rest of a refused message is read to its end, up to `Limits::swallow`.
#[test]
fn a_client_that_floods_a_refused_message_is_cut_off() {
    let server = limited(|limits| (limits.message, limits.swallow) = (65_536, 1_000));
    server.in_data().hold(
        r"C+* 66534 a
        C:
        C: .
        S: 552 5.3.4 ...
        C: NOOP
        S: 250",
    );
    server.in_data().hold(
        r"C+* 66535 a
        C:
        S: 552 5.3.4 ...
        S: <CLOSED>",
    );
}

/// LIM-03
#[test]
fn the_transaction_over_the_limit_is_answered_452() {
    limited(|limits| limits.transactions = 2).in_transaction().hold(
        r"C: RSET
        S: 250
        C: MAIL FROM:<>
        S: 250
        C: RSET
        S: 250
        C: MAIL FROM:<>
        S: 452 4.5.3 ...
        C: RCPT TO:<user1@example.test>
        S: 503 5.5.1 ...",
    );
}

/// §4.5.3.1.10 speaks of recipients; a client that goes on with what it has is as honest here.
#[test]
fn too_many_transactions_do_not_end_the_session() {
    let over = r"C+ MAIL FROM:<>
        C+ RCPT TO:<user1@example.test>
        C: DATA
        S: 452 4.5.3 ...
        S: 503
        S: 503
        ";
    let server = limited(|limits| (limits.transactions, limits.violations) = (1, 2));
    server.in_transaction().hold(&format!("C: RSET\nS: 250\n{}C: QUIT\nS: 221", over.repeat(50)));
}

/// SEC-DOS-01, §4.3.2: 421 at the last tolerated fault, and not before
#[test]
fn too_many_faults_end_the_session_with_421() {
    for (limit, faults) in [(8, 7), (2, 1), (0, 1)] {
        let tolerated = "C: XYZZY\nS: 500 5.5.1 ...\n".repeat(faults);
        limited(|limits| limits.violations = limit).greeted().hold(&format!(
            r"{tolerated}C: NOOP
            S: 250
            C: XYZZY
            S: 421 4.7.0 ...
            S: <CLOSED>",
        ));
    }
}

/// SEC-DOS-01: every kind of fault counts
#[test]
fn faults_of_every_kind_count_together() {
    limited(|limits| limits.violations = 6).greeted().hold(
        r"C: XYZZY
        S: 500
        C: DATA
        S: 503
        C: MAIL FROM:<
        S: 501
        C| NOOP\n\r\n
        S: 500
        C: MAIL FROM:<a@client.example.test> FOO=bar
        S: 555
        C* 3000 a
        C:
        S: 421 4.7.0 ...
        S: <CLOSED>",
    );
}

/// SEC-DOS-01, §3.8: what stands behind the last fault is not read
#[test]
fn nothing_behind_the_421_is_run() {
    let messages = limited(|limits| limits.violations = 2).in_data().hold(
        r"C+ text
        C+ .
        C+ XYZZY
        C+ XYZZY
        C: NOOP
        S: 250
        S: 500
        S: 421
        S: <CLOSED>",
    );
    assert_eq!(messages.len(), 1);
}
