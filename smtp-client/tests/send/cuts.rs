//! A server that dies: after each octet that it sends or receives, every recipient's outcome is
//! right. And a client that loses patience: half a message is never taken for a whole one.

use crate::world::{HOST, MESSAGE, envelope, policy, welcome};
use smtp_client::{
    Connection, Envelope, Policy, Report, Status,
    driver::Stream,
    proto::{
        body::Framing,
        client::{ClientConfig, Mode},
    },
};
use std::{
    io::{self, IoSlice},
    sync::Arc,
    task::{Context, Poll},
};
use testkit::{
    clock::VirtualRuntime,
    line::StreamLine,
    memory::{MemoryStream, pair},
    scripted_peer::{Heard, ScriptedPeer},
};

/// A server's end that dies once it has sent or received so many octets.
struct Mortal {
    inner: Option<MemoryStream>,
    sends: usize,
    receives: usize,
}

impl Mortal {
    fn die_if_all_sent(&mut self) {
        if self.sends == 0 {
            self.inner = None;
        }
    }
}

impl Stream for Mortal {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.as_mut().map_or(Poll::Ready(Ok(())), |inner| inner.poll_readable(cx))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        // What it received last it still answers.
        if self.receives == 0 {
            self.inner = None;
        }
        let Some(inner) = &mut self.inner else { return Poll::Ready(Ok(0)) };
        let most = buf.len().min(self.receives);
        let read = inner.poll_read(cx, &mut buf[..most]);
        if let Poll::Ready(Ok(n)) = read {
            self.receives -= n;
        }
        read
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let Some(buf) = bufs.iter().find(|buf| !buf.is_empty()) else { return Poll::Ready(Ok(0)) };
        let most = buf.len().min(self.sends);
        let written = inner.poll_write_vectored(cx, &[IoSlice::new(&buf[..most])]);
        if let Poll::Ready(Ok(n)) = written {
            self.sends -= n;
            self.die_if_all_sent();
        }
        written
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.as_mut().map_or(Poll::Ready(Ok(())), |inner| inner.poll_shutdown(cx))
    }
}

/// Never.
const NEVER: usize = usize::MAX;

/// A session with a server that plays `script` as long as it lives.
fn session(
    script: &ScriptedPeer,
    policy: &Arc<Policy>,
    envelope: &Envelope,
    (sends, receives): (usize, usize),
) -> (Report, Heard) {
    let runtime = VirtualRuntime::new();
    let (client, server) = pair(1 << 16);
    let mut server = Mortal { inner: Some(server), sends, receives };
    server.die_if_all_sent();
    let mut line = StreamLine::new(server, runtime.clone());
    let played = script.clone();
    let peer = runtime.spawn(async move { played.play(&mut line).await });
    let report = runtime.run_until(async {
        let opened = Connection::open(client, runtime.clone(), HOST, policy.clone()).await;
        match opened {
            Err(failure) => Report::failed(envelope.recipients().len(), &failure),
            Ok(mut connection) => {
                let report = connection.send(envelope, MESSAGE).await;
                connection.quit().await;
                report
            }
        }
    });
    (report, runtime.run_until(peer).unwrap_or_else(|surprise| surprise.heard))
}

/// What a recipient should be told once so many steps of the script were played, and how many
/// that takes; `Delayed` before.
type Fate = (Status, usize);

/// Cuts the session everywhere. `fates` has the step, counted from 1, that decides for each.
#[track_caller]
fn cut_everywhere(script: &str, policy: Policy, to: &[&str], fates: &[Fate]) -> usize {
    let (script, policy) = (script.parse::<ScriptedPeer>().unwrap(), Arc::new(policy));
    let envelope = envelope(to).build().unwrap();
    let (report, heard) = session(&script, &policy, &envelope, (NEVER, NEVER));
    let statuses = |report: &Report| -> Vec<Status> {
        report.outcomes.iter().map(|outcome| outcome.status).collect()
    };
    assert_eq!(statuses(&report), fates.iter().map(|fate| fate.0).collect::<Vec<_>>());
    let &(sent, received) = heard.positions.last().unwrap();
    let messages = heard.messages.len();
    let points = (0..=sent).map(|n| (n, NEVER)).chain((0..=received).map(|n| (NEVER, n)));
    let mut count = 0;
    for point in points {
        // The steps that a server plays which dies there.
        let played = heard
            .positions
            .iter()
            .take_while(|&&(sends, receives)| sends <= point.0 && receives <= point.1)
            .count();
        let want: Vec<Status> = fates
            .iter()
            .map(|&(status, step)| if played >= step { status } else { Status::Delayed })
            .collect();
        let (report, heard) = session(&script, &policy, &envelope, point);
        assert_eq!(statuses(&report), want, "cut at {point:?}: {report:?}");
        for (outcome, fate) in report.outcomes.iter().zip(fates) {
            let delayed = outcome.status == Status::Delayed;
            let taken = heard.messages.len() == messages && fate.0 == Status::Sent;
            assert!(outcome.in_doubt || !(delayed && taken), "cut at {point:?}: {outcome:?}");
            assert!(delayed || !outcome.in_doubt, "cut at {point:?}: {outcome:?}");
        }
        count += 1;
    }
    count
}

const TO: [&str; 3] = ["b@example.test", "c@example.test", "d@example.test"];

/// C-18, C-19
#[test]
fn without_pipelining() {
    let script = welcome(&["SIZE"])
        + "C: MAIL FROM:<a@example.test> SIZE=25
        S: 250 2.1.0 ok
        C: RCPT TO:<b@example.test>
        S: 250 2.1.5 ok
        C: RCPT TO:<c@example.test>
        S: 550 5.1.1 no such user
        C: RCPT TO:<d@example.test>
        S: 250 2.1.5 ok
        C: DATA
        S: 354 go
        C: <MESSAGE>
        S: 250 2.0.0 queued as 1
        C: QUIT
        S: 221 bye";
    let fates = [(Status::Sent, 15), (Status::Failed, 9), (Status::Sent, 15)];
    let points = cut_everywhere(&script, policy(), &TO, &fates);
    assert!(points > 300, "{points}");
}

/// C-18, C-19
#[test]
fn with_pipelining_and_a_reply_of_several_lines() {
    let script = welcome(&["PIPELINING", "SIZE"])
        + "C: MAIL FROM:<a@example.test> SIZE=25
        C: RCPT TO:<b@example.test>
        C: RCPT TO:<c@example.test>
        C: RCPT TO:<d@example.test>
        C: DATA
        S: 250 2.1.0 ok
        S: 250 2.1.5 ok
        T: 1s
        S: 550-5.1.1 no
        S: 550 5.1.1 such user
        T: 1s
        S: 250 2.1.5 ok
        S: 354 go
        C: <MESSAGE>
        S: 250-2.0.0 queued
        S: 250 2.0.0 as 1
        C: QUIT
        S: 221 bye";
    let fates = [(Status::Sent, 15), (Status::Failed, 11), (Status::Sent, 15)];
    cut_everywhere(&script, policy(), &TO, &fates);
}

#[test]
fn in_chunks() {
    let mut policy = policy();
    policy.framing = Framing::Chunked;
    let script = welcome(&["PIPELINING", "CHUNKING"])
        + "C: MAIL FROM:<a@example.test>
        C: RCPT TO:<b@example.test>
        C: RCPT TO:<c@example.test>
        C: RCPT TO:<d@example.test>
        C: BDAT 25 LAST
        C: <OCTETS 25>
        S: 250 ok
        S: 250 ok
        T: 1s
        S: 550 no
        T: 1s
        S: 250 ok
        S: 250 taken
        C: QUIT
        S: 221 bye";
    let fates = [(Status::Sent, 14), (Status::Failed, 12), (Status::Sent, 14)];
    cut_everywhere(&script, policy, &TO, &fates);
}

#[test]
fn in_lmtp() {
    let mut policy = policy();
    policy.machine = ClientConfig::builder().mode(Mode::Lmtp).build();
    let script = "S: 220 mx
        C: LHLO client.example.test
        S: 250 mx
        C: MAIL FROM:<a@example.test>
        S: 250 ok
        C: RCPT TO:<b@example.test>
        S: 250 ok
        C: RCPT TO:<c@example.test>
        S: 250 ok
        C: RCPT TO:<d@example.test>
        S: 550 no
        C: DATA
        S: 354 go
        C: <MESSAGE>
        S: 250 delivered
        T: 1s
        S: 552 5.2.2 full
        C: QUIT
        S: 221 bye";
    let fates = [(Status::Sent, 15), (Status::Failed, 17), (Status::Failed, 11)];
    cut_everywhere(script, policy, &TO, &fates);
}

#[test]
fn in_two_transactions() {
    let script = welcome(&["PIPELINING"])
        + "C: MAIL FROM:<a@example.test>
        C: RCPT TO:<b@example.test>
        C: RCPT TO:<c@example.test>
        C: RCPT TO:<d@example.test>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 452 4.5.3 too many
        S: 452 4.5.3 too many
        S: 354 go
        C: <MESSAGE>
        S: 250 first
        C: MAIL FROM:<a@example.test>
        C: RCPT TO:<c@example.test>
        C: RCPT TO:<d@example.test>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 250 ok
        S: 354 go
        C: <MESSAGE>
        S: 250 second
        C: QUIT
        S: 221 bye";
    let fates = [(Status::Sent, 11), (Status::Sent, 18), (Status::Sent, 18)];
    cut_everywhere(&script, policy(), &TO, &fates);
}

#[test]
fn with_a_refusal_of_the_sender() {
    let spaced = "C: MAIL FROM:<a@example.test>
        S: 550-5.7.1 not
        S: 550 5.7.1 you
        C: QUIT
        S: 221 bye";
    let grouped = "C: MAIL FROM:<a@example.test>
        C: RCPT TO:<b@example.test>
        C: RCPT TO:<c@example.test>
        C: RCPT TO:<d@example.test>
        C: DATA
        S: 550 5.7.1 not you
        T: 1s
        S: 503 5.5.1 no sender
        S: 503 5.5.1 no sender
        S: 503 5.5.1 no sender
        S: 503 5.5.1 no sender
        C: RSET
        S: 250 ok
        C: QUIT
        S: 221 bye";
    for (extensions, transaction, step) in [(&[][..], spaced, 5), (&["PIPELINING"], grouped, 9)] {
        let script = welcome(extensions) + transaction;
        cut_everywhere(&script, policy(), &TO, &[(Status::Failed, step); 3]);
    }
}

#[test]
fn with_a_refusal_of_data() {
    let script = welcome(&["PIPELINING"])
        + "C: MAIL FROM:<a@example.test>
        C: RCPT TO:<b@example.test>
        C: RCPT TO:<c@example.test>
        C: RCPT TO:<d@example.test>
        C: DATA
        S: 250 ok
        S: 250 ok
        T: 1s
        S: 550 5.1.1 no such user
        T: 1s
        S: 250 ok
        S: 554 5.7.1 not today
        T: 1s
        S: 421 4.3.2 bye";
    let fates = [(Status::Failed, 13), (Status::Failed, 11), (Status::Failed, 13)];
    cut_everywhere(&script, policy(), &TO, &fates);
}

#[test]
fn with_a_refusal_of_the_message() {
    for framing in [Framing::Dot, Framing::Chunked] {
        let mut policy = policy();
        policy.framing = framing;
        let script =
            welcome(&["CHUNKING"])
                + "C: MAIL FROM:<a@example.test>
            S: 250 ok
            C: RCPT TO:<b@example.test>
            S: 250 ok
            C: RCPT TO:<c@example.test>
            S: 550 5.1.1 no such user
            C: RCPT TO:<d@example.test>
            S: 250 ok
            " + match framing {
                Framing::Dot => "C: DATA\nS: 354 go\nC: <MESSAGE>\n",
                Framing::Chunked => "C: BDAT 25 LAST\nC: <OCTETS 25>\n",
            } + "S: 554 5.7.1 spam
            T: 1s
            S: 421 4.3.2 bye";
        let end = if framing == Framing::Dot { 15 } else { 14 };
        let fates = [(Status::Failed, end), (Status::Failed, 9), (Status::Failed, end)];
        cut_everywhere(&script, policy, &TO, &fates);
    }
}

/// A send that is dropped after so many wake-ups; what the server got.
fn give_up_after(polls: usize, framing: Framing) -> (Vec<u8>, bool) {
    let mut policy = policy();
    policy.framing = framing;
    let runtime = VirtualRuntime::new();
    // A narrow pipe, so that there are many places to stop at.
    let (client, server) = pair(7);
    let script: ScriptedPeer = (welcome(&["CHUNKING"])
        + "C: MAIL FROM:<a@example.test>
        S: 250 ok
        C: RCPT TO:<b@example.test>
        S: 250 ok
        "
        + match framing {
            Framing::Dot => "C: DATA\nS: 354 go\nC: <MESSAGE>\nS: 250 taken",
            Framing::Chunked => "C: BDAT 25 LAST\nC: <OCTETS 25>\nS: 250 taken",
        })
    .parse()
    .unwrap();
    let mut line = StreamLine::new(server, runtime.clone());
    let peer = runtime.spawn(async move { script.play(&mut line).await });
    let opening = Connection::open(client, runtime.clone(), HOST, Arc::new(policy));
    let mut connection = runtime.run_until(opening).unwrap();
    let to = envelope(&["b@example.test"]).build().unwrap();
    let (mut left, mut done) = (polls, false);
    runtime.run_until(async {
        let mut sending = Box::pin(connection.send(&to, MESSAGE));
        std::future::poll_fn(|cx| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            match sending.as_mut().poll(cx) {
                Poll::Ready(report) => {
                    done = report.is_all_sent();
                    Poll::Ready(())
                }
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
    });
    assert_eq!(connection.is_reusable(), done || polls == 0);
    runtime.run_until(connection.quit());
    let heard = runtime.run_until(peer).unwrap_or_else(|surprise| surprise.heard);
    (heard.messages.concat(), done)
}

#[test]
fn a_send_that_is_dropped_leaves_no_half_message_and_no_connection_that_looks_sound() {
    for (framing, whole) in [
        (Framing::Dot, &b"Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n"[..]),
        (Framing::Chunked, MESSAGE.as_bytes()),
    ] {
        let mut given_up = 0;
        for polls in 0.. {
            let (got, done) = give_up_after(polls, framing);
            assert!(got.is_empty() || got == whole, "{:?}", String::from_utf8_lossy(&got));
            if done {
                break;
            }
            given_up += 1;
        }
        assert!(given_up > 10, "{given_up}");
    }
}
