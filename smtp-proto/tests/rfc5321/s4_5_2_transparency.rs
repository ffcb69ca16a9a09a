//! Dots, and the one end of data (RFC 5321 §4.5.2, §4.1.1.4, §2.3.8).

use crate::session::Server;
use smtp_proto::server::BareLineEnding;

/// What is delivered of the octets that the lines after 354 send.
#[track_caller]
fn delivered(data: &str) -> Vec<u8> {
    let mut messages = Server::new().in_data().hold(&format!("{data}\nS: 250 2.0.0 ..."));
    assert_eq!(messages.len(), 1);
    messages.remove(0).octets
}

/// DATA-02, DATA-03, §4.5.2
#[test]
fn one_dot_at_the_start_of_a_line_is_removed() {
    let octets = delivered(r"C| ..\r\n...\r\n...x\r\n..x\r\n.x\r\nx.\r\n x\r\n .\r\n.\r\n");
    assert_eq!(octets, b".\r\n..\r\n..x\r\n.x\r\nx\r\nx.\r\n x\r\n .\r\n");
}

/// DATA-04, §4.1.1.4: the CRLF behind DATA is the one before the dot
#[test]
fn a_message_may_be_empty() {
    assert_eq!(delivered("C: ."), b"");
}

/// DATA-05, §4.1.1.4
#[test]
fn the_end_of_data_may_come_octet_by_octet() {
    let octets = delivered(
        r"C| text\r
        C| \n
        T: 50ms
        C| .
        T: 50ms
        C| \r
        C| \n",
    );
    assert_eq!(octets, b"text\r\n");
}

/// DATA-06, §4.1.1.4
#[test]
fn the_end_of_data_adds_no_empty_line() {
    assert_eq!(delivered(r"C| x\r\n.\r\n"), b"x\r\n");
    assert_eq!(delivered(r"C| x\r\n\r\n.\r\n"), b"x\r\n\r\n");
}

/// DATA-17, EOD-09, DATA-20, §4.1.1.4
#[test]
fn control_octets_are_data() {
    let octets = delivered(r"C| \0\x01\t\x08\x0b\x0c\x1b\x1a\x7f\x85\xff\r\n.\r\n");
    assert_eq!(octets, b"\0\x01\t\x08\x0b\x0c\x1b\x1a\x7f\x85\xff\r\n");
}

/// PIPE-05, DATA-19: what follows the end of data is the next command
#[test]
fn commands_may_follow_the_end_of_data_at_once() {
    let messages = Server::new().in_data().hold(
        r"C| text\r\n.\r\nRSET\r\nQUIT\r\n
        S: 250
        S: 250
        S: 221
        S: <CLOSED>",
    );
    assert_eq!(messages.len(), 1);
}

/// What a client hides behind something that another server takes for an end of data.
fn hidden_behind(end: &str) -> String {
    format!(
        r"C+| text{end}
        C+ MAIL FROM:<b@client.example.test>
        C+ RCPT TO:<user2@example.test>
        C+ DATA
        C+ hidden
        C: ."
    )
}

/// EOD-01 to EOD-08, EOD-11 to EOD-14, EOD-18, §2.3.8, §4.1.1.4
const WITH_BARE_CR_OR_LF: [(&str, &str); 13] = [
    ("EOD-01", r"\n.\n"),
    ("EOD-02", r"\n.\r\n"),
    ("EOD-03", r"\r\n.\n"),
    ("EOD-04", r"\r.\r"),
    ("EOD-05", r"\r.\r\n"),
    ("EOD-06", r"\r\n.\r"),
    ("EOD-07", r"\n.\r"),
    ("EOD-08", r"\r.\n"),
    ("EOD-11", r"\r\n.\r\0\n"),
    ("EOD-12", r"\r\0\n.\r\n"),
    ("EOD-13", r"\r\n.\r\r\n"),
    ("EOD-14", r"\r\r\n.\r\r\n"),
    ("EOD-18", r"\n\r.\r\n"),
];

/// EOD-09, EOD-10, EOD-15 to EOD-17, EOD-19, EOD-20, §2.3.8, §4.1.1.4
const WITHOUT: [(&str, &str); 7] = [
    ("EOD-09", r"\r\n\0.\r\n"),
    ("EOD-10", r"\r\n.\0\r\n"),
    ("EOD-15", r"\r\n. \r\n"),
    ("EOD-16", r"\r\n.\t\r\n"),
    ("EOD-17", r"\r\n..\r\n"),
    ("EOD-19", r"\x85.\x85"),
    ("EOD-20", r"\x0b.\x0b"),
];

/// EOD-01 to EOD-08, EOD-11 to EOD-14, EOD-18: the message is refused whole, and nothing behind it
/// is read.
#[test]
fn a_message_with_a_bare_cr_or_lf_is_refused_to_its_true_end() {
    for (row, end) in WITH_BARE_CR_OR_LF {
        println!("{row}");
        let messages = Server::new()
            .in_data()
            .hold(&format!("{}\nS: 521 5.5.2 ...\nS: <CLOSED>", hidden_behind(end)));
        assert_eq!(messages, [], "{row}");
    }
}

/// EOD-01 to EOD-08, EOD-11 to EOD-14, EOD-18: under the two lenient settings there is one message,
/// with what was hidden as text.
#[test]
fn no_setting_makes_a_bare_cr_or_lf_end_a_message() {
    for bare in [BareLineEnding::Normalise, BareLineEnding::Pass] {
        for (row, end) in WITH_BARE_CR_OR_LF {
            println!("{row} {bare:?}");
            let server = Server::new().with(|server| server.bare = bare);
            let dialogue = format!("{}\nS: 250 2.0.0 ...", hidden_behind(end));
            let messages = server.in_data().hold(&dialogue);
            assert_eq!(messages.len(), 1, "{row} {bare:?}");
            assert!(messages[0].octets.ends_with(b"DATA\r\nhidden\r\n"), "{row} {bare:?}");
        }
    }
}

/// EOD-09, EOD-10, EOD-15 to EOD-17, EOD-19, EOD-20, §2.3.8
#[test]
fn what_only_looks_like_an_end_of_data_is_data() {
    for (row, end) in WITHOUT {
        println!("{row}");
        let octets = delivered(&hidden_behind(end));
        assert!(octets.ends_with(b"DATA\r\nhidden\r\n"), "{row}");
    }
}

/// EOD-21: a bare CR, and then a true end of data
#[test]
fn the_true_end_of_a_refused_message_ends_it() {
    let messages = Server::new().in_data().hold(
        r"C| text\r\r\n.\r\nMAIL FROM:<b@client.example.test>\r\n
        S: 521 5.5.2 ...
        S: <CLOSED>",
    );
    assert_eq!(messages, []);
}

/// EOL-03, EOL-04, EOL-05, §2.3.8
#[test]
fn bare_cr_and_lf_are_refused_anywhere_in_a_message() {
    for data in [r"a\nb\r\n", r"a\rb\r\n", r"X: a\rSubject: evil\r\n", r"\n", r"\r\r\n", r"a\n\r\n"]
    {
        let messages = Server::new().in_data().hold(&format!(
            r"C| {data}
            C| .\r\n.\r\n
            S: 521 5.5.2 ...
            S: <CLOSED>"
        ));
        assert_eq!(messages, []);
    }
}

/// EOL-03, EOL-04: `Normalise`
#[test]
fn normalised_bare_cr_and_lf_become_crlf() {
    let server = Server::new().with(|server| server.bare = BareLineEnding::Normalise);
    let messages = server.in_data().hold("C| a\\nb\\rc\\r\\r\\nd\\n.\\r\\n.\\r\\n\nS: 250");
    assert_eq!(messages[0].octets, b"a\r\nb\r\nc\r\n\r\nd\r\n.\r\n");
}

/// EOL-03, EOL-04: `Pass`
#[test]
fn passed_bare_cr_and_lf_stay_octets() {
    let server = Server::new().with(|server| server.bare = BareLineEnding::Pass);
    let messages = server.in_data().hold("C| a\\nb\\rc\\r\\r\\nd\\n.\\r\\n.\\r\\n\nS: 250");
    assert_eq!(messages[0].octets, b"a\nb\rc\r\r\nd\n.\r\n");
}
