//! A message of 8-bit octets where the server takes none, and the policy wants it converted.

use crate::world::{envelope, policy, send, welcome};
use smtp_client::{
    Body, Chunk, EightBit, Policy,
    proto::{
        body::{Framing, LineEndings},
        client::ClientConfig,
        ext::BodyType,
    },
    seven_bit::MAX_SIZE,
};
use std::{
    io,
    task::{Context, Poll},
};

const EIGHT_BIT: &str = "Subject: x\r\n\r\n.Viele liebe Gr\u{fc}\u{df}e\r\n";
const SEVEN_BIT: &str = "Subject: x\r\nMIME-Version: 1.0\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Transfer-Encoding: quoted-printable\r\n\r\n=2EViele liebe Gr=C3=BC=C3=9Fe\r\n";

fn convert() -> Policy {
    let mut policy = policy();
    policy.eight_bit = EightBit::Convert;
    policy
}

/// A message that can be read only once, in these chunks.
struct Once<'m> {
    chunks: Vec<&'m [u8]>,
    at: usize,
}

impl Body for Once<'_> {
    fn poll_fill(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.at += 1;
        Poll::Ready(Ok(()))
    }

    fn chunk(&self) -> Chunk<'_> {
        let chunk = self.at.checked_sub(1).and_then(|at| self.chunks.get(at));
        let octets = chunk.copied().unwrap_or_default();
        Chunk { octets, last: self.at >= self.chunks.len() }
    }

    fn poll_rewind(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.at {
            0 => Poll::Ready(Ok(())),
            _ => Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
        }
    }

    fn can_rewind(&self) -> bool {
        false
    }
}

/// One transaction by DATA, of a message of so many octets.
fn transaction(size: usize) -> String {
    let mail = format!("C: MAIL FROM:<a@example.test> SIZE={size}\nS: 250 ok\n");
    let rcpt = "C: RCPT TO:<b@example.test>\nS: 250 ok\nC: DATA\nS: 354 go\n";
    let end = "C: <MESSAGE>\nS: 250 taken\nC: QUIT\nS: 221 bye";
    welcome(&["SIZE"]) + &mail + rcpt + end
}

fn nothing(extensions: &[&str]) -> String {
    welcome(extensions) + "C: QUIT\nS: 221 bye"
}

const TAKEN: &str = "sent end of message: 250 taken";

/// C-46
#[test]
fn the_server_has_the_converted_message_and_its_size() {
    // The size and the content of the one before count no more.
    let declared = envelope(&["b@example.test"]).content(BodyType::EightBitMime).size(7);
    for to in [envelope(&["b@example.test"]), declared] {
        let to = to.build().unwrap();
        let (told, heard) = send(&transaction(SEVEN_BIT.len()), convert(), &to, EIGHT_BIT);
        assert_eq!(told, [TAKEN]);
        assert_eq!(heard.messages, [format!("{SEVEN_BIT}.\r\n").into_bytes()]);
    }
}

#[test]
fn line_ends_are_made_right_before() {
    let mut policy = convert();
    policy.machine = ClientConfig::builder().line_endings(LineEndings::Normalise).build();
    let to = envelope(&["b@example.test"]).build().unwrap();
    let message = EIGHT_BIT.replace("\r\n", "\n");
    let (told, heard) = send(&transaction(SEVEN_BIT.len()), policy, &to, message.trim_ascii_end());
    assert_eq!(told, [TAKEN]);
    assert_eq!(heard.messages, [format!("{SEVEN_BIT}.\r\n").into_bytes()]);
}

#[test]
fn a_message_that_is_read_once_is_converted_and_sent_to_all_in_many_transactions() {
    let script = welcome(&["CHUNKING", "LIMITS RCPTMAX=1"])
        + &["b", "c"]
            .map(|to| {
                format!(
                    "C: MAIL FROM:<a@example.test>\nS: 250 ok\n\
                     C: RCPT TO:<{to}@example.test>\nS: 250 ok\n\
                     C: BDAT {size} LAST\nC: <OCTETS {size}>\nS: 250 taken\n",
                    size = SEVEN_BIT.len()
                )
            })
            .concat()
        + "C: QUIT\nS: 221 bye";
    let mut policy = convert();
    policy.framing = Framing::Chunked;
    let (start, end) = EIGHT_BIT.as_bytes().split_at(20);
    let to = envelope(&["b@example.test", "c@example.test"]).build().unwrap();
    let (told, _) = send(&script, policy, &to, Once { chunks: vec![start, end], at: 0 });
    assert_eq!(told, [TAKEN; 2]);
}

#[test]
fn where_8_bit_octets_are_taken_nothing_is_converted() {
    let script = welcome(&["8BITMIME"])
        + "C: MAIL FROM:<a@example.test> BODY=8BITMIME\nS: 250 ok\n\
           C: RCPT TO:<b@example.test>\nS: 250 ok\nC: DATA\nS: 354 go\n\
           C: <MESSAGE>\nS: 250 taken\nC: QUIT\nS: 221 bye";
    let to = envelope(&["b@example.test"]).build().unwrap();
    let (told, heard) = send(&script, convert(), &to, EIGHT_BIT);
    assert_eq!(told, [TAKEN]);
    assert_eq!(
        heard.messages,
        [EIGHT_BIT.replace("\r\n.", "\r\n..") + ".\r\n"].map(String::into_bytes)
    );
}

#[test]
fn what_cannot_be_converted_fails_and_says_why() {
    let to = envelope(&["b@example.test"]).build().unwrap();
    for (message, why) in [
        (
            "Subject: \u{fc}\r\n\r\n",
            "5.6.7 the server takes no 8-bit octets, and the message cannot be converted: a header field has 8-bit octets",
        ),
        (
            "Content-Type: text/plain\r\n\r\n\u{fc}\r\n",
            "5.6.3 the server takes no 8-bit octets, and the message cannot be converted: it has MIME header fields without MIME-Version",
        ),
    ] {
        let (told, _) = send(&nothing(&[]), convert(), &to, message);
        assert_eq!(told, [format!("failed before MAIL: 554 {why}")]);
    }
    // It fits before, not after.
    let offered = format!("SIZE {}", SEVEN_BIT.len() - 1);
    let (told, _) = send(&nothing(&[&offered]), convert(), &to, EIGHT_BIT);
    assert!(told[0].starts_with("failed before MAIL: 554 5.3.4 "), "{told:?}");
}

#[test]
fn no_more_is_held_in_memory_than_may_be() {
    let to = envelope(&["b@example.test"]).build().unwrap();
    let line = "x\u{fc}".repeat(331) + "\r\n";
    let chunks = vec![line.as_bytes(); MAX_SIZE / line.len() + 1];
    let mut body = Once { chunks, at: 0 };
    body.chunks.extend([&b"never read"[..]; 10]);
    let (told, _) = send(&nothing(&[]), convert(), &to, &mut body);
    assert!(told[0].starts_with("failed before MAIL: 554 5.6.3 "), "{told:?}");
    assert!(told[0].contains(": it has more than 33554432 octets"), "{told:?}");
    assert!(body.at + 10 <= body.chunks.len());
}
