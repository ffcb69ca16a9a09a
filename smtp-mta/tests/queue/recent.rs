//! What is still in memory.

use super::queued::{Given, attempt, done, wait};
use smtp_mta::{
    message_id::MessageId,
    queue::{Filter, Final, Options, QueueError, Settlement},
};

#[test]
fn a_short_message_is_read_back_only_after_an_attempt_that_failed() {
    let given = Given::new(Options { inline_limit: 100, ..Options::default() });
    given.run(async {
        let reads = async || given.queue.totals().await.unwrap().reads;
        let to = ["<a@example.org>", "<b@example.org>", "<c@example.org>"];
        let short = given.queue.enqueue(given.message("<>", &to)).await.unwrap().id;
        let settle = async |place, change| {
            let report = given.message("<>", &["<s@example.org>"]);
            let reports = vec![report];
            let settlement = Settlement { id: short, changes: vec![(place, change)], reports };
            given.queue.settle(settlement).await.unwrap().reports[0].id
        };
        let octets = |id: MessageId| id.to_string().into_bytes();
        for _ in 0..2 {
            assert_eq!(given.octets(short).await, octets(short));
        }
        let report = settle(0, done(Final::Relayed, &attempt(1))).await;
        assert_eq!(given.octets(short).await, octets(short));
        assert_eq!(given.octets(report).await, octets(report));
        assert_eq!(reads().await, 0);

        settle(1, wait(2, &attempt(1))).await;
        assert_eq!(given.octets(short).await, octets(short));
        assert_eq!(reads().await, 1);

        let mut long = given.message("<>", &["<a@example.org>"]);
        long.body = given.spooled(long.id, &[b'x'; 1000]).await;
        let long = given.queue.enqueue(long).await.unwrap().id;
        assert_eq!(given.octets(long).await, [b'x'; 1000]);
        assert_eq!(reads().await, 2);

        given.queue.delete(Filter::id(report)).await.unwrap();
        assert!(matches!(given.queue.body(report).await, Err(QueueError::NoMessage(_))));
    });
}
