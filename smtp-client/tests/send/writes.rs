//! What leaves together: fewer segments, and no waiting for an acknowledgement that is held back.

use crate::world::{HOST, MESSAGE, envelope, policy, welcome};
use smtp_client::{Connection, Policy, driver::Stream, proto::body::Framing};
use std::{
    io::{self, IoSlice},
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};
use testkit::{
    clock::VirtualRuntime,
    line::StreamLine,
    memory::{MemoryStream, pair},
    scripted_peer::ScriptedPeer,
};

/// A stream that keeps each write apart.
struct Writes {
    inner: MemoryStream,
    writes: Arc<Mutex<Vec<Vec<u8>>>>,
    /// The octets of the message are written from here.
    message: usize,
}

impl Stream for Writes {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_readable(cx)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.inner.poll_read(cx, buf)
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let n = ready!(self.inner.poll_write_vectored(cx, bufs))?;
        let octets = bufs.iter().flat_map(|buf| buf.iter().copied()).take(n);
        self.writes.lock().unwrap().push(octets.collect());
        // No copy was made of it.
        if bufs.iter().any(|buf| buf.starts_with(&MESSAGE.as_bytes()[..9])) {
            assert!(bufs.iter().any(|buf| buf.as_ptr() as usize == self.message));
        }
        Poll::Ready(Ok(n))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_shutdown(cx)
    }
}

/// The writes of a session for two recipients.
fn writes(script: &str, policy: Policy) -> Vec<String> {
    let runtime = VirtualRuntime::new();
    let (client, server) = pair(1 << 16);
    let script: ScriptedPeer = script.parse().unwrap();
    let mut line = StreamLine::new(server, runtime.clone());
    let peer = runtime.spawn(async move { script.play(&mut line).await });
    let writes = Arc::new(Mutex::new(Vec::new()));
    let message = MESSAGE.as_ptr() as usize;
    let stream = Writes { inner: client, writes: writes.clone(), message };
    let to = envelope(&["b@example.test", "c@example.test"]).build().unwrap();
    runtime.run_until(async {
        let opening = Connection::open(stream, runtime.clone(), HOST, Arc::new(policy));
        let mut connection = opening.await.unwrap();
        assert!(connection.send(&to, MESSAGE).await.is_all_sent());
        connection.quit().await;
    });
    runtime.run_until(peer).unwrap();
    let writes = writes.lock().unwrap();
    writes.iter().map(|write| String::from_utf8(write.clone()).unwrap()).collect()
}

const ENVELOPE: &str =
    "MAIL FROM:<a@example.test>\r\nRCPT TO:<b@example.test>\r\nRCPT TO:<c@example.test>\r\n";

#[test]
fn an_envelope_leaves_in_one_write_and_a_message_with_its_end_in_another() {
    let script = welcome(&["PIPELINING"])
        + "C: MAIL FROM:<a@example.test>
        C: RCPT TO:<b@example.test>
        C: RCPT TO:<c@example.test>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 250 ok
        S: 354 go
        C: <MESSAGE>
        S: 250 taken
        C: QUIT
        S: 221 bye";
    let want = [
        "EHLO client.example.test\r\n",
        &(ENVELOPE.to_owned() + "DATA\r\n"),
        "Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n",
        "QUIT\r\n",
    ];
    assert_eq!(writes(&script, policy()), want);
}

#[test]
fn a_short_message_in_a_chunk_leaves_in_one_write_with_its_envelope() {
    let mut policy = policy();
    policy.framing = Framing::Chunked;
    let script = welcome(&["PIPELINING", "CHUNKING"])
        + "C: MAIL FROM:<a@example.test>
        C: RCPT TO:<b@example.test>
        C: RCPT TO:<c@example.test>
        C: BDAT 25 LAST
        C: <OCTETS 25>
        S: 250 ok
        S: 250 ok
        S: 250 ok
        S: 250 taken
        C: QUIT
        S: 221 bye";
    let want = [
        "EHLO client.example.test\r\n",
        &(ENVELOPE.to_owned() + "BDAT 25 LAST\r\n" + MESSAGE),
        "QUIT\r\n",
    ];
    assert_eq!(writes(&script, policy), want);
}
