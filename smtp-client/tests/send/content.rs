//! What a message needs of a server: its size, its octets, its addresses, its notices.

use crate::world::{MESSAGE, envelope, lines, open, policy, send, welcome};
use smtp_client::{
    Body, Chunk, Envelope, EnvelopeError, Octets,
    proto::{
        body::{Framing, LineEndings},
        client::ClientConfig,
        ext::{BodyType, ByMode, DeliverBy, Hold, Notify, Priority, Ret},
        wire::{DateTime, Mail},
    },
    runtime::tokio::Reader,
};
use std::{
    io,
    task::{Context, Poll},
};

/// One transaction with this MAIL and these RCPTs, all of which are taken.
fn transaction(extensions: &[&str], mail: &str, to: &[&str]) -> String {
    let mut script = welcome(extensions) + &format!("C: MAIL {mail}\nS: 250 ok\n");
    to.iter().for_each(|to| script.push_str(&format!("C: RCPT {to}\nS: 250 ok\n")));
    script + "C: DATA\nS: 354 go\nC: <MESSAGE>\nS: 250 taken\nC: QUIT\nS: 221 bye"
}

/// No transaction.
fn nothing(extensions: &[&str]) -> String {
    welcome(extensions) + "C: QUIT\nS: 221 bye"
}

const TAKEN: &str = "sent end of message: 250 taken";

/// C-52
#[test]
fn no_value_with_a_line_end_can_be_built() {
    for bad in
        ["a\r\nRSET@example.test", "a@example.test\r\nDATA", "a@example.test>\nX", "\0@b.test"]
    {
        let sender = Envelope::builder(bad).to("b@example.test").build().unwrap_err();
        assert!(matches!(sender, EnvelopeError::Sender { ref address, .. } if address == bad));
        let recipient = Envelope::builder("").to("b@example.test").to(bad).build().unwrap_err();
        assert!(
            matches!(recipient, EnvelopeError::Recipient { ref address, .. } if address == bad)
        );
        assert!(envelope(&["b@example.test"]).envelope_id(bad).build().is_err());
        let original = envelope(&[]).to_instead_of("b@example.test", bad).build();
        assert!(original.is_err() || bad.starts_with("a\u{fffd}"), "{bad:?}");
    }
    assert_eq!(Envelope::builder("").build(), Err(EnvelopeError::NoRecipient));
}

#[test]
fn an_error_says_which_address_and_what_is_wrong() {
    let error = Envelope::builder("a@example.test").to("nobody").build().unwrap_err();
    assert_eq!(error.to_string(), "the recipient \"nobody\" is no address: malformed mailbox");
}

/// C-16
#[test]
fn the_size_is_that_of_the_octets_with_crlf_and_without_dots() {
    let mut policy = policy();
    policy.machine = ClientConfig::builder().line_endings(LineEndings::Normalise).build();
    let script = transaction(&["SIZE"], "FROM:<a@example.test> SIZE=14", &["TO:<b@example.test>"]);
    let to = envelope(&["b@example.test"]).build().unwrap();
    let (told, heard) = send(&script, policy, &to, "a\n\n.\nlast");
    assert_eq!(told, [TAKEN]);
    assert_eq!(heard.messages, [b"a\r\n\r\n..\r\nlast\r\n.\r\n"]);
}

/// C-15
#[test]
fn a_message_that_is_too_large_is_refused_before_mail() {
    for (size, taken) in [(24, false), (25, true)] {
        let offered = format!("SIZE {size}");
        let script = match taken {
            false => nothing(&[&offered]),
            true => {
                transaction(&[&offered], "FROM:<a@example.test> SIZE=25", &["TO:<b@example.test>"])
            }
        };
        let to = envelope(&["b@example.test"]).build().unwrap();
        let (told, _) = send(&script, policy(), &to, MESSAGE);
        let refused =
            "failed before MAIL: 554 5.3.4 the message has 25 octets, of which the server takes 24";
        assert_eq!(told, [if taken { TAKEN } else { refused }]);
    }
}

/// C-46
#[test]
fn eight_bit_octets_are_announced_or_kept_back() {
    let to = envelope(&["b@example.test"]).build().unwrap();
    let message = "Subject: x\r\n\r\nG\u{fc}te\r\n";
    let mail = "FROM:<a@example.test> BODY=8BITMIME";
    let script = transaction(&["8BITMIME"], mail, &["TO:<b@example.test>"]);
    assert_eq!(send(&script, policy(), &to, message).0, [TAKEN]);
    let refused = "failed before MAIL: 554 5.6.3 the message has 8-bit octets, which the server does not take";
    assert_eq!(send(&nothing(&[]), policy(), &to, message).0, [refused]);
    // ASCII needs nothing, and who declares it is not looked at.
    let script = transaction(&["8BITMIME"], "FROM:<a@example.test>", &["TO:<b@example.test>"]);
    assert_eq!(send(&script, policy(), &to, MESSAGE).0, [TAKEN]);
    let declared = envelope(&["b@example.test"]).content(BodyType::EightBitMime).build().unwrap();
    let script = transaction(&["8BITMIME"], mail, &["TO:<b@example.test>"]);
    assert_eq!(send(&script, policy(), &declared, MESSAGE).0, [TAKEN]);
    let wrongly = envelope(&["b@example.test"]).content(BodyType::SevenBit).build().unwrap();
    assert_eq!(send(&script, policy(), &wrongly, message).0, [TAKEN]);
}

#[test]
fn a_binary_message_is_kept_back_even_from_who_takes_it() {
    let to = envelope(&["b@example.test"]).content(BodyType::BinaryMime).build().unwrap();
    let refused = "failed before MAIL: 554 5.6.3 binary messages are not sent: encode the message";
    assert_eq!(send(&nothing(&["CHUNKING", "BINARYMIME"]), policy(), &to, MESSAGE).0, [refused]);
}

/// C-49, C-51
#[test]
fn bare_line_ends_and_nul_never_leave() {
    let to = envelope(&["b@example.test"]).build().unwrap();
    for message in ["a\nb\r\n", "a\rb\r\n", "a\r\n\n.\r\n", "a\r", "a\0b\r\n"] {
        let (told, _) = send(&nothing(&[]), policy(), &to, message);
        assert!(told[0].starts_with("failed before MAIL: 554 5.6.0 "), "{told:?}");
    }
}

/// A message that can be read once, of chunks that are made up, or cannot be read to its end.
struct Once {
    chunks: Vec<Result<&'static str, io::ErrorKind>>,
    at: usize,
}

impl Once {
    fn new(chunks: &[Result<&'static str, io::ErrorKind>]) -> Self {
        Self { chunks: chunks.to_vec(), at: 0 }
    }
}

impl Body for Once {
    fn poll_fill(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.at += 1;
        let error = self.chunks.get(self.at - 1).copied().and_then(Result::err);
        Poll::Ready(error.map_or(Ok(()), |kind| Err(kind.into())))
    }

    fn chunk(&self) -> Chunk<'_> {
        let chunk = self.at.checked_sub(1).and_then(|at| self.chunks.get(at));
        let octets = chunk.and_then(|chunk| chunk.ok()).unwrap_or_default().as_bytes();
        Chunk { octets, last: self.at > self.chunks.len() }
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

/// C-49, C-51
#[test]
fn a_message_that_is_found_bad_on_its_way_is_not_completed() {
    let to = envelope(&["b@example.test", "c@example.test"]).build().unwrap();
    for (rest, want) in [
        (Ok("b\n"), "failed DATA: 554 5.6.0 "),
        (Ok("\u{fc}\r\n"), "failed DATA: 554 5.6.3 "),
        (Err(io::ErrorKind::NotFound), "delayed DATA: 451 4.3.0 "),
    ] {
        for framing in [Framing::Dot, Framing::Chunked] {
            let mut policy = policy();
            policy.framing = framing;
            let granted = "S: 250 ok\nS: 250 ok\nS: 550 no\n";
            let script = welcome(&["PIPELINING", "CHUNKING"])
                + "C: MAIL FROM:<a@example.test>
                C: RCPT TO:<b@example.test>
                C: RCPT TO:<c@example.test>\n"
                + &match framing {
                    Framing::Dot => format!("C: DATA\n{granted}S: 354 go\nC: <MESSAGE>"),
                    Framing::Chunked => {
                        format!("{granted}C: BDAT 6\nC: <OCTETS 6>\nS: 250 ok\nC: BDAT...")
                    }
                };
            let (world, opened) = open(&script, policy);
            let mut connection = opened.unwrap();
            let body = Once::new(&[Ok("star\r\n"), rest]);
            let told = world.runtime.run_until(async {
                let report = connection.send(&to, body).await;
                assert!(!connection.is_reusable());
                connection.quit().await;
                lines(&report)
            });
            assert!(told[0].starts_with(want), "{told:?}");
            assert_eq!(told[1], "failed RCPT: 550 no");
            let missing = world.missing();
            assert!(missing.starts_with("closed behind"), "{missing}");
        }
    }
}

#[test]
fn a_message_that_is_gone_is_not_sent_in_part() {
    let to = envelope(&["b@example.test"]).build().unwrap();
    let mut body = Once::new(&[Ok("start\r\n")]);
    assert!(body.poll_fill(&mut Context::from_waker(std::task::Waker::noop())).is_ready());
    let (told, _) = send(&nothing(&[]), policy(), &to, &mut body);
    assert!(told[0].starts_with("delayed before MAIL: 451 4.3.0 "), "{told:?}");
}

#[test]
fn a_reader_has_another_attempt_as_long_as_nothing_of_it_is_gone() {
    let message = "0123456789abcd\r\n".repeat(10_000);
    let mut body = Reader::new(message.as_bytes());
    let to = envelope(&["b@example.test"]).content(BodyType::SevenBit).build().unwrap();
    let refused = welcome(&[])
        + "C: MAIL FROM:<a@example.test>
        S: 451 later
        C: QUIT
        S: 221 bye";
    assert_eq!(send(&refused, policy(), &to, &mut body).0, ["delayed MAIL: 451 later"]);
    let script = transaction(&[], "FROM:<a@example.test>", &["TO:<b@example.test>"]);
    let (told, heard) = send(&script, policy(), &to, &mut body);
    assert_eq!(told, [TAKEN]);
    assert_eq!(heard.messages, [(message.clone() + ".\r\n").into_bytes()]);
    let (told, _) = send(&nothing(&[]), policy(), &to, &mut body);
    assert!(told[0].starts_with("delayed before MAIL: 451 4.3.0 "), "{told:?}");
}

#[test]
fn octets_in_memory_are_one_chunk_and_come_again() {
    let mut body = Octets::new(b"abc");
    let mut cx = Context::from_waker(std::task::Waker::noop());
    for _ in 0..2 {
        assert_eq!(body.chunk(), Chunk::default());
        assert!(body.poll_fill(&mut cx).is_ready());
        assert_eq!(body.chunk(), Chunk { octets: b"abc", last: true });
        assert!(matches!(body.poll_rewind(&mut cx), Poll::Ready(Ok(()))));
    }
}

/// C-47
#[test]
fn without_smtputf8_a_domain_has_another_form_and_a_local_part_has_none() {
    let names = ["b@b\u{fc}cher.example", "\u{fc}@example.test", "c@example.test"];
    let to = envelope(&names).build().unwrap();
    let script = transaction(
        &[],
        "FROM:<a@example.test>",
        &["TO:<b@xn--bcher-kva.example>", "TO:<c@example.test>"],
    );
    let refused =
        "failed before MAIL: 554 5.6.7 the address needs SMTPUTF8, which the server does not offer";
    assert_eq!(send(&script, policy(), &to, MESSAGE).0, [TAKEN, refused, TAKEN]);
    let script = transaction(
        &["SMTPUTF8"],
        "FROM:<a@example.test> SMTPUTF8",
        &["TO:<b@b\u{fc}cher.example>", "TO:<\u{fc}@example.test>", "TO:<c@example.test>"],
    );
    assert_eq!(send(&script, policy(), &to, MESSAGE).0, [TAKEN; 3]);
}

#[test]
fn without_smtputf8_a_sender_or_headers_outside_ascii_are_everybodys_failure() {
    let sender = Envelope::builder("\u{fc}@example.test").to("b@example.test").build().unwrap();
    let headers = envelope(&["b@example.test"]).utf8_headers().build().unwrap();
    for envelope in [sender, headers] {
        let (told, _) = send(&nothing(&["8BITMIME"]), policy(), &envelope, MESSAGE);
        assert!(told[0].starts_with("failed before MAIL: 554 5.6.7 "), "{told:?}");
    }
    let headers = envelope(&["b@example.test"]).utf8_headers().build().unwrap();
    let script =
        transaction(&["SMTPUTF8"], "FROM:<a@example.test> SMTPUTF8", &["TO:<b@example.test>"]);
    assert_eq!(send(&script, policy(), &headers, MESSAGE).0, [TAKEN]);
    let sender = Envelope::builder("a@b\u{fc}cher.example").to("b@example.test").build().unwrap();
    let script = transaction(&[], "FROM:<a@xn--bcher-kva.example>", &["TO:<b@example.test>"]);
    assert_eq!(send(&script, policy(), &sender, MESSAGE).0, [TAKEN]);
}

/// C-60, RFC 5321 §4.5.5
#[test]
fn a_notice_has_the_null_reverse_path() {
    let to = Envelope::builder("").to("b@example.test").build().unwrap();
    let script = transaction(&[], "FROM:<>", &["TO:<b@example.test>"]);
    assert_eq!(send(&script, policy(), &to, MESSAGE).0, [TAKEN]);
}

#[test]
fn wishes_for_notices_go_where_they_are_understood() {
    let failure = Notify::On { success: false, failure: true, delay: true };
    let to = envelope(&["b@example.test"])
        .to_instead_of("c@example.test", "list+x@example.test")
        .notify(failure)
        .ret(Ret::Hdrs)
        .envelope_id("id 1")
        .build()
        .unwrap();
    let script = transaction(
        &["DSN"],
        "FROM:<a@example.test> RET=HDRS ENVID=id+201",
        &[
            "TO:<b@example.test> NOTIFY=FAILURE,DELAY",
            "TO:<c@example.test> NOTIFY=FAILURE,DELAY ORCPT=rfc822;list+2Bx@example.test",
        ],
    );
    assert_eq!(send(&script, policy(), &to, MESSAGE).0, [TAKEN; 2]);
    let plain =
        transaction(&[], "FROM:<a@example.test>", &["TO:<b@example.test>", "TO:<c@example.test>"]);
    let (world, opened) = open(&plain, policy());
    let report = world.runtime.run_until(async {
        let mut connection = opened.unwrap();
        let report = connection.send(&to, MESSAGE).await;
        connection.quit().await;
        report
    });
    assert!(report.is_all_sent() && !report.dsn_passed_on);
    world.heard();
}

#[test]
fn a_message_that_is_found_bad_on_its_way_fails_for_those_who_wait_too() {
    let script = welcome(&["PIPELINING", "LIMITS RCPTMAX=1"])
        + "C: MAIL FROM:<a@example.test>
        C: RCPT TO:<b@example.test>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 354 go
        C: <MESSAGE>";
    let (world, opened) = open(&script, policy());
    let mut connection = opened.unwrap();
    let to = envelope(&["b@example.test", "c@example.test"]).build().unwrap();
    let body = Once::new(&[Ok("start\r\n"), Ok("b\n")]);
    let told = lines(&world.runtime.run_until(connection.send(&to, body)));
    assert!(told.iter().all(|told| told.starts_with("failed DATA: 554 5.6.0 ")), "{told:?}");
    drop(connection);
    assert!(world.missing().starts_with("closed behind"));
}

/// A message that is to be handled so.
fn handled(change: impl FnOnce(&mut Mail<'_>)) -> Envelope {
    let mut mail = envelope(&["b@example.test"]).build().unwrap().mail().clone();
    change(&mut mail);
    Envelope::from_mail(mail).to("b@example.test").build().unwrap()
}

fn by(seconds: i32, mode: ByMode) -> Envelope {
    handled(|mail| mail.deliver_by = DeliverBy::new(seconds, mode, false))
}

#[test]
fn what_a_message_may_go_without_is_left_out_where_it_is_not_offered() {
    let urgent = handled(|mail| mail.priority = Some(Priority::parse("3").unwrap()));
    for (to, extension, parameter) in [
        (urgent, "MT-PRIORITY", " MT-PRIORITY=3"),
        (by(60, ByMode::Notify), "DELIVERBY", " BY=60;N"),
        (by(60, ByMode::Notify), "DELIVERBY 240", " BY=60;N"),
    ] {
        for (extensions, parameter) in [(&[extension][..], parameter), (&[], "")] {
            let mail = format!("FROM:<a@example.test>{parameter}");
            let script = transaction(extensions, &mail, &["TO:<b@example.test>"]);
            assert_eq!(send(&script, policy(), &to, MESSAGE).0, [TAKEN], "{extensions:?}");
        }
    }
}

#[test]
fn a_message_does_not_go_where_what_its_sender_wants_is_not_kept() {
    let hold = |hold| handled(|mail| mail.hold = Some(hold));
    let (returned, held) =
        ("554 5.3.3 the server does not return", "554 5.3.3 the server does not hold");
    let holds = "FUTURERELEASE 3600 2030-01-01T00:00:00Z";
    let late = DateTime::parse("2031-01-01T00:00:00Z").unwrap();
    for (to, extensions, refusal) in [
        (by(60, ByMode::Return), &[][..], returned),
        (by(60, ByMode::Return), &["DELIVERBY 61"], returned),
        (hold(Hold::For(60)), &[], held),
        (hold(Hold::For(3601)), &[holds], held),
        (hold(Hold::Until(late)), &[holds], held),
        (
            handled(|mail| mail.require_tls = true),
            &["REQUIRETLS"],
            "554 5.7.10 the message must not",
        ),
    ] {
        let (told, _) = send(&nothing(extensions), policy(), &to, MESSAGE);
        assert!(told[0].starts_with(&format!("failed before MAIL: {refusal}")), "{told:?}");
    }
    for (to, extension, parameter) in [
        (by(60, ByMode::Return), "DELIVERBY 60", "BY=60;R"),
        (hold(Hold::For(3600)), holds, "HOLDFOR=3600"),
    ] {
        let mail = format!("FROM:<a@example.test> {parameter}");
        let script = transaction(&[extension], &mail, &["TO:<b@example.test>"]);
        assert_eq!(send(&script, policy(), &to, MESSAGE).0, [TAKEN]);
    }
}
