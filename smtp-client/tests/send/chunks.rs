//! A server that does not wait for the end of a chunk (RFC 3030 §2).

use crate::world::{envelope, lines, open, policy, welcome};
use smtp_client::proto::body::Framing;

#[test]
fn a_chunk_that_is_answered_before_it_was_sent_is_refused_or_lost_and_never_taken() {
    for (reply, want, in_doubt) in [
        ("552 5.3.4 too large", "failed end of message: 552 5.3.4 too large", false),
        ("452 4.3.1 no room", "delayed end of message: 452 4.3.1 no room", false),
        ("250 taken", "delayed end of message: 451 4.", true),
    ] {
        let script = welcome(&["PIPELINING", "CHUNKING"])
            + &format!(
                "C: MAIL FROM:<a@example.test>
                C: RCPT TO:<b@example.test>
                S: 250 ok
                S: 250 ok
                C: BDAT 4800000 LAST
                C: <OCTETS 1000>
                S: {reply}"
            );
        let to = envelope(&["b@example.test"]).build().unwrap();
        let mut policy = policy();
        policy.framing = Framing::Chunked;
        let (world, opened) = open(&script, policy);
        let mut connection = opened.unwrap();
        // More than the pipe between the two has room for.
        let message = "Subject: x\r\n".repeat(400_000);
        let report = world.runtime.run_until(connection.send(&to, message));
        assert!(lines(&report)[0].starts_with(want), "{report:?}");
        assert_eq!(report.outcomes[0].in_doubt, in_doubt);
        assert!(!connection.is_reusable());
    }
}
