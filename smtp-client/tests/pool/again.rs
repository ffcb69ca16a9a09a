//! What is sent once more over another connection, and what is not.

use crate::world::{BYE, MESSAGE, REFUSES, WELCOME, World, destination, envelope, send};
use smtp_client::{Envelope, PoolConfig, Report};
use std::time::Duration;

const ONE_EACH: &str = "S: 220 mx
    C: EHLO client.example.test
    S: 250-mx
    S: 250-PIPELINING
    S: 250 LIMITS RCPTMAX=1\n";

fn to(who: &str) -> String {
    MESSAGE.replace("b@example", &format!("{who}@example"))
}

fn words(report: &Report) -> Vec<String> {
    let word = |it: &smtp_client::Outcome| format!("{} {}: {}", it.status, it.stage, it.reply);
    report.outcomes.iter().map(word).collect()
}

/// Sends a message to `b`, and then one to `b` and `c` over the connection that was kept.
#[track_caller]
fn then_to_two(scripts: &[String]) -> Vec<String> {
    let world = World::new(scripts);
    let pool = world.pool(PoolConfig::default());
    let place = destination();
    let two = Envelope::builder("a@example.test").to("b@example.test").to("c@example.test");
    let two = two.build().unwrap();
    let report = world.runtime.run_until(async {
        send(&pool, &place).await;
        let report = pool.send(&place, &two, "Subject: x\r\n\r\nx\r\n").await;
        pool.close().await;
        report
    });
    world.check();
    words(&report)
}

#[test]
fn words_that_nobody_asked_for_cost_only_the_connection() {
    for said in ["250 taken again", "550 5.7.1 or not", "451 4.3.0 never mind", "what is this"] {
        let first = format!("{WELCOME}{MESSAGE}T: 1s\nS: {said}\nC: <CLOSED>\n");
        let world = World::new([first, format!("{WELCOME}{MESSAGE}{BYE}")]);
        let pool = world.pool(PoolConfig::default());
        let place = destination();
        let report = world.runtime.run_until(async {
            send(&pool, &place).await;
            let mut lent = pool.lend(&place).await.unwrap();
            // It comes just before the message is sent.
            world.runtime.sleep(Duration::from_secs(2)).await;
            let report = lent.send(&envelope(), "Subject: x\r\n\r\nx\r\n").await;
            lent.give_back();
            pool.close().await;
            report
        });
        assert_eq!(words(&report), [TAKEN], "{said}");
        world.check();
    }
}

const TAKEN: &str = "sent end of message: 250 taken";

#[test]
fn who_has_the_message_does_not_have_it_twice() {
    let begun = format!("{ONE_EACH}{}{}C: MAIL FROM:<a@example.test>\n", to("b"), to("b"));
    let fresh = format!("{ONE_EACH}{}{BYE}", to("c"));
    for end in ["", "C: RCPT TO:<c@example.test>\nC: DATA\nS: 421 4.7.0 enough messages\n"] {
        assert_eq!(then_to_two(&[format!("{begun}{end}"), fresh.clone()]), [TAKEN; 2], "{end:?}");
    }
}

#[test]
fn who_was_refused_is_not_asked_for_again() {
    let refused = "C: MAIL FROM:<a@example.test>
        C: RCPT TO:<b@example.test>
        C: DATA
        S: 250 ok
        S: 550 5.1.1 no such user
        S: 503 no
        C: RSET
        S: 250 ok
        C: MAIL FROM:<a@example.test>\n";
    let begun = format!("{ONE_EACH}{}{refused}", to("b"));
    let fresh = format!("{ONE_EACH}{}{BYE}", to("c"));
    let expected = ["failed RCPT: 550 5.1.1 no such user", TAKEN];
    assert_eq!(then_to_two(&[begun, fresh]), expected);
}

/// The server refuses MAIL with `code` as one too many.
fn one_too_many(code: &str) -> String {
    format!(
        "C: MAIL FROM:<a@example.test>\nC: RCPT TO:<b@example.test>\nC: DATA\n\
         S: {code} too many messages\nS: 503 no\nS: 503 no\nC: QUIT\nS: 221 bye\n"
    )
}

#[test]
fn a_server_that_has_enough_of_a_connection_is_given_another_once() {
    let fresh = format!("{WELCOME}{MESSAGE}{BYE}");
    for code in ["452 4.5.3", "554 5.5.3"] {
        let full = format!("{WELCOME}{MESSAGE}{}", one_too_many(code));
        let never = format!("{WELCOME}{}", one_too_many(code));
        for (second, is_sent) in [(fresh.clone(), true), (never, false)] {
            let world = World::new([full.clone(), second]);
            let pool = world.pool(PoolConfig::default());
            let place = destination();
            let report = world.runtime.run_until(async {
                send(&pool, &place).await;
                let report = pool.send(&place, &envelope(), "Subject: x\r\n\r\nx\r\n").await;
                pool.close().await;
                report
            });
            world.check();
            assert_eq!(report.is_all_sent(), is_sent, "{code}: {report:?}");
        }
    }
}

/// Sends a message to each group of recipients, one after the other; what became of each.
#[track_caller]
fn to_groups(scripts: &[String], groups: &[&[&str]]) -> Vec<String> {
    let world = World::new(scripts);
    let pool = world.pool(PoolConfig::default());
    let place = destination();
    let told = world.runtime.run_until(async {
        let mut told = Vec::new();
        for group in groups {
            let builder = Envelope::builder("a@example.test");
            let to = group.iter().fold(builder, |builder, to| builder.to(to)).build().unwrap();
            told.extend(words(&pool.send(&place, &to, "Subject: x\r\n\r\nx\r\n").await));
        }
        pool.close().await;
        told
    });
    world.check();
    told
}

/// C-45
#[test]
fn a_connection_whose_domains_are_spent_is_followed_by_others() {
    let to = |who: &str| MESSAGE.replace("b@example.test", who);
    let session = |first: &str, then: &str| {
        let limit = WELCOME.replace("250-mx", "250-mx\n S: 250-LIMITS RCPTDOMAINMAX=1");
        format!("{limit}{}{then}{BYE}", to(first))
    };
    // All in one message.
    let scripts = ["1@a.test", "2@b.test", "3@c.test"].map(|who| session(who, ""));
    assert_eq!(to_groups(&scripts, &[&["1@a.test", "2@b.test", "3@c.test"]]), [TAKEN; 3]);
    // One message after the other: the connection that is kept is used as long as it will do.
    let scripts = [session("1@a.test", &to("2@A.test")), session("3@b.test", "")];
    assert_eq!(to_groups(&scripts, &[&["1@a.test"], &["2@A.test"], &["3@b.test"]]), [TAKEN; 3]);
}

/// C-45
#[test]
fn a_connection_whose_transactions_are_spent_is_followed_by_others() {
    let session = |who: &str| {
        let limits = WELCOME.replace("250-mx", "250-mx\n S: 250-LIMITS RCPTMAX=1 MAILMAX=1");
        format!("{limits}{}{BYE}", to(who))
    };
    let scripts = ["b", "c", "d"].map(session);
    let group = ["b@example.test", "c@example.test", "d@example.test"];
    assert_eq!(to_groups(&scripts, &[&group]), [TAKEN; 3]);
}

/// C-45
#[test]
fn a_server_that_takes_no_second_connection_leaves_the_rest_delayed() {
    let limit = WELCOME.replace("250-mx", "250-mx\n S: 250-LIMITS RCPTMAX=1 MAILMAX=1");
    let scripts = [format!("{limit}{}{BYE}", to("b")), REFUSES.into()];
    let told = to_groups(&scripts, &[&["b@example.test", "c@example.test"]]);
    assert_eq!(told[0], TAKEN);
    assert!(told[1].starts_with("delayed connecting: 4"), "{told:?}");
}
