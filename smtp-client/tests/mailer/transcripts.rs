//! What was said for one message, by each host that was asked.

use crate::{
    hops::{Answers, B, at, by_mx, envelope},
    world::{BYE, MESSAGE, REFUSES, WELCOME, World, policy},
};
use smtp_client::{Mailer, Transcript};
use std::sync::Arc;

type ByMx = Mailer<World, Arc<smtp_client::Policy>, Answers>;

/// Sends a message to `to`, and gives its transcript.
async fn transcript(mailer: &ByMx, to: &str) -> String {
    let transcript = Transcript::new(16 << 10);
    let deliveries = mailer
        .send_watched(&envelope(&[to]), "Subject: x\r\n\r\nwords\r\n", &transcript.watch())
        .await;
    assert_eq!(deliveries.len(), 1);
    transcript.to_string()
}

#[test]
fn a_transcript_has_every_host_that_was_asked() {
    let later = format!(
        "{WELCOME}C: MAIL FROM:<a@example.test>
        C: RCPT TO:<b@example.test>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 354 go
        C: <MESSAGE>
        S: 451-4.3.0 not now
        S: 451 4.3.0 later
        {BYE}"
    );
    let world = World::at([(at(1), REFUSES), (at(2), &later)]);
    let mailer = by_mx(&world, Arc::new(policy()));
    let said = world.runtime.run_until(async {
        let said = transcript(&mailer, B).await;
        mailer.pool().close().await;
        said
    });
    world.check();
    let want = "-- host1.test, 192.0.2.1:25
        -- host1.test: connecting: 451 4.4.1 no connection: connection refused
        -- host2.test, 192.0.2.2:25
        S: 220 mx
        C: EHLO client.example.test
        S: 250-mx
        S: 250 PIPELINING
        C: MAIL FROM:<a@example.test>
        C: RCPT TO:<b@example.test>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 354 go
        C: [21 octets]
        S: 451-4.3.0 not now
        S: 451 4.3.0 later\n";
    assert_eq!(said, want.replace("\n        ", "\n"));
}

#[test]
fn a_transcript_ends_with_its_message_and_begins_with_the_next_one_that_asks() {
    let world = World::at([(at(1), format!("{WELCOME}{MESSAGE}{MESSAGE}{BYE}"))]);
    let mailer = by_mx(&world, Arc::new(policy()));
    let (first, third) = world.runtime.run_until(async {
        let first = transcript(&mailer, B).await;
        // Nobody asks for this one, and it is in neither of the others.
        drop(mailer.send(&envelope(&[B]), "x\r\n").await);
        let third = transcript(&mailer, "b@dark.test").await;
        mailer.pool().close().await;
        (first, third)
    });
    world.check();
    assert!(first.ends_with("C: [21 octets]\nS: 250 taken\n"), "{first}");
    assert_eq!(third, "-- dark.test: routing: 451 4.4.3 the name servers do not answer\n");
}

#[test]
fn a_connection_that_was_kept_and_is_lost_is_said_to_be() {
    let given = "C: MAIL FROM:<a@example.test>\nC: RCPT TO:<b@example.test>\nC: DATA\nS: 250 ok\n";
    let world = World::at([
        (at(1), format!("{WELCOME}{MESSAGE}{given}")),
        (at(2), format!("S: 554 5.3.2 never\n{BYE}")),
    ]);
    let mailer = by_mx(&world, Arc::new(policy()));
    let said = world.runtime.run_until(async {
        drop(mailer.send(&envelope(&[B]), "x\r\n").await);
        transcript(&mailer, B).await
    });
    world.check();
    let want = "-- host1.test, 192.0.2.1:25, a connection that was kept
        C: MAIL FROM:<a@example.test>
        C: RCPT TO:<b@example.test>
        C: DATA
        S: 250 ok
        -- host1.test: RCPT: 451 4.4.2 the server closed the connection
        -- host2.test, 192.0.2.2:25
        S: 554 5.3.2 never
        C: QUIT
        S: 221 bye\n";
    assert_eq!(said, want.replace("\n        ", "\n"));
}
