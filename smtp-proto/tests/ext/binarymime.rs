//! BINARYMIME (RFC 3030 §3).

use crate::session::Server;
use smtp_proto::{ext::Extensions, server::Mode};

fn server() -> Server {
    Server::new().with(|server| server.extensions = server.extensions.clone().binarymime())
}

const MAIL: &str = "C: MAIL FROM:<a@client.example.test> BODY=BINARYMIME";

/// What leads to the octets of a binary message.
const ENVELOPE: &str = "C: MAIL FROM:<a@client.example.test> body=BinaryMIME\nS: 250 2.1.0 ...\n\
                        C: RCPT TO:<user1@example.test>\nS: 250 2.1.5 ...";

/// BMIME-02, BMIME-05, RFC 3030 §2(2), §3(4)
#[test]
fn it_is_offered_with_chunking_and_neither_has_a_parameter() {
    Server::new().with(|server| server.extensions = Extensions::new().binarymime()).hold(
        r"S: 220
        C: EHLO client.example.test
        S: 250-mx.example.test
        S: 250-PIPELINING
        S: 250-SIZE 52428800
        S: 250-8BITMIME
        S: 250-ENHANCEDSTATUSCODES
        S: 250-CHUNKING
        S: 250 BINARYMIME",
    );
}

/// BMIME-01, RFC 3030 §3
#[test]
fn data_cannot_carry_it_and_bdat_still_can() {
    let messages = server().greeted().hold(&format!(
        r"{ENVELOPE}
        C: DATA
        S: 503 5.5.1 ...
        C| BDAT 3 LAST\r\na\x00b
        S: 250 2.0.0 ..."
    ));
    assert_eq!(messages[0].octets, b"a\0b");
}

/// RFC 2920 §3.1: the text behind a DATA that is refused must not run as commands
#[test]
fn a_message_behind_a_refused_data_runs_no_command() {
    server().with(|server| server.whole = true).greeted().hold(&format!(
        r"{ENVELOPE}
        C| DATA\r\nMAIL FROM:<b@b.test>\r\n.\r\n
        S: 503 5.5.1 ...
        S: <CLOSED>"
    ));
}

/// BMIME-03, RFC 3030 §3: NUL, bare CR and LF, dots, long lines, all 256 values
#[test]
fn every_octet_comes_through() {
    let all: Vec<u8> = (0..=255).collect();
    let mut octets = [&all[..], b"a\rb\nc\n\rd\r\r\ne\0f\r\n.\r\n"].concat();
    octets.resize(octets.len() + 3_000, b'x');
    let (first, last) = octets.split_at(100);
    let messages =
        server().with(|server| server.limits.text_line = Some(998)).greeted().hold(&format!(
            "{ENVELOPE}\nC| BDAT {}\\r\\n{}\nS: 250\nC| BDAT {} LAST\\r\\n{}\nS: 250",
            first.len(),
            escaped(first),
            last.len(),
            escaped(last),
        ));
    assert_eq!(messages[0].octets, octets);
}

fn escaped(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("\\x{octet:02x}")).collect()
}

/// The lines of a message that is not binary keep their limit.
#[test]
fn a_long_line_of_text_in_a_chunk_is_refused_as_before() {
    let line = "x".repeat(1_200);
    server().with(|server| server.limits.text_line = Some(998)).in_transaction().hold(&format!(
        r"C| BDAT {} LAST\r\n{line}
        S: 554 5.6.0 ...",
        line.len()
    ));
}

/// BDAT-15: BODY of one transaction says nothing about the next.
#[test]
fn the_next_message_may_come_by_data_again() {
    server().greeted().hold(&format!(
        r"{ENVELOPE}
        C: RSET
        S: 250
        C: MAIL FROM:<a@client.example.test>
        S: 250
        C: RCPT TO:<user1@example.test>
        S: 250
        C: DATA
        S: 354
        C| x\r\n.\r\n
        S: 250"
    ));
}

/// RFC 5321 §4.1.1.11
#[test]
fn body_stands_once() {
    server().greeted().hold(&format!("{MAIL} BODY=8BITMIME\nS: 501 5.5.4 ..."));
}

/// RFC 5321 §2.2.1: without EHLO nothing is offered
#[test]
fn after_helo_it_is_a_parameter_that_was_not_offered() {
    server().hold(&format!(
        r"S: 220
        C: HELO client.example.test
        S: 250
        {MAIL}
        S: 555 5.5.4 ..."
    ));
}

/// RFC 2033 §4.2, §4.3: a reply for each recipient
#[test]
fn lmtp_takes_it_too() {
    let lmtp = server().with(|server| server.mode = Mode::Lmtp).greeted();
    let messages = lmtp.hold(&format!(
        r"{ENVELOPE}
        C: DATA
        S: 503 5.5.1 ...
        C| BDAT 1 LAST\r\n\x00
        S: 250 2.0.0 ..."
    ));
    assert_eq!(messages[0].octets, b"\0");
}
