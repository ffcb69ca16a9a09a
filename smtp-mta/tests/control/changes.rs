//! What waits, changed by hand.

use crate::{far::Far, site::eventually, world::World};
use serde_json::json;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::Relaxed},
    mpsc,
};

const MESSAGE: &[u8] = b"Subject: Tea\r\n\r\nAt four.\r\n";

#[test]
fn retry_tries_at_once_even_where_a_destination_is_left_alone() {
    let world = World::new();
    world.send("<me@a.example>", &["<you@b.example>"], MESSAGE);
    // Nobody is there: the destination is left alone, and the message for an hour.
    world.until_attempts(&[1]);
    let id = world.send("<me@a.example>", &["<other@b.example>"], MESSAGE);
    world.until_attempts(&[1, 1]);
    Far::start(world.far, |_, _| None);
    let said = world.queue(&["retry", &id]);
    assert_eq!((said.code, said.out.as_str()), (0, "1 message will be tried now (1 recipient)\n"));
    eventually("the second is delivered", || world.attempts() == [1]);
    world.queue(&["retry", "--all"]);
    eventually("the first is delivered", || world.list().is_empty());
}

#[test]
fn what_is_held_is_not_tried_until_it_is_released() {
    let world = World::new();
    let takes = Arc::new(AtomicBool::new(false));
    let far = Far::start(world.far, {
        let takes = Arc::clone(&takes);
        move |verb, _| (verb == "RCPT" && !takes.load(Relaxed)).then_some("451 4.3.0 later")
    });
    let id = world.send("<me@a.example>", &["<you@b.example>", "<you@c.example>"], MESSAGE);
    world.until_attempts(&[1, 1]);
    let said = world.queue(&["hold", &id, "--to", "b.example"]);
    assert_eq!((said.code, said.out.as_str()), (0, "1 message held (1 recipient)\n"));
    takes.store(true, Relaxed);
    // Of the message only the other recipient is waiting.
    let said = world.queue(&["retry", "--all", "--json"]);
    assert_eq!(said.json(), [json!({ "messages": 1, "recipients": 1 })]);
    let states = || {
        let recipients = world.list()[0]["recipients"].as_array().unwrap().clone();
        let state = |it: &serde_json::Value| it["state"].as_str().unwrap().to_owned();
        recipients.iter().map(state).collect::<Vec<_>>()
    };
    eventually("one is relayed", || states() == ["held", "relayed"]);
    assert_eq!(far.count("RCPT"), 3);
    assert!(world.queue(&["list", "--state", "held"]).out.contains("held, 1 attempt "));

    let said = world.queue(&["release", "--state", "held"]);
    assert_eq!((said.code, said.out.as_str()), (0, "1 message released (1 recipient)\n"));
    eventually("the other too", || world.list().is_empty());
    assert_eq!(far.count("RCPT"), 4);
}

#[test]
fn what_was_changed_without_a_server_holds_when_it_starts() {
    let mut world = World::new();
    let ids: Vec<_> = ["b", "c", "d"]
        .map(|name| world.send("<me@a.example>", &[&format!("<you@{name}.example>")], MESSAGE))
        .into();
    world.until_attempts(&[1, 1, 1]);
    world.stop();
    let far = Far::start(world.far, |_, _| None);
    for (arguments, said) in [
        (["retry", "--all"], "3 messages will be tried now (3 recipients)\n"),
        (["hold", &ids[0]], "1 message held (1 recipient)\n"),
        (["delete", &ids[1]], "1 message deleted\n"),
    ] {
        assert_eq!(world.queue(&arguments).out, said);
    }
    world.start();
    eventually("the third is delivered", || world.list().len() == 1);
    assert_eq!(world.list()[0]["id"], ids[0]);
    assert_eq!(far.count("end"), 1);
    world.stop();
    world.queue(&["release", "--to", "b.example"]);
    world.start();
    eventually("the first is delivered", || world.list().is_empty());
    assert_eq!(far.count("end"), 2);
}

#[test]
fn a_message_that_is_deleted_under_way_is_gone_however_the_attempt_ends() {
    for answer in ["250 ok", "451 4.3.0 later", "554 5.0.0 no"] {
        let world = World::new();
        let (at_end, reached) = mpsc::channel();
        let (go_on, wait) = mpsc::channel::<()>();
        let (at_end, wait) = (Mutex::new(at_end), Mutex::new(wait));
        Far::start(world.far, move |verb, before| {
            if verb == "end" && before == 0 {
                at_end.lock().unwrap().send(()).unwrap();
                wait.lock().unwrap().recv().unwrap();
                return Some(answer);
            }
            None
        });
        let id = world.send("<me@a.example>", &["<you@b.example>"], MESSAGE);
        reached.recv().unwrap();
        assert_eq!(world.queue(&["delete", &id]).out, "1 message deleted\n");
        assert!(world.list().is_empty());
        go_on.send(()).unwrap();
        // The next goes its way, and neither a notice nor another attempt comes.
        world.send("<me@a.example>", &["<other@b.example>"], MESSAGE);
        eventually("the next is delivered", || world.list().is_empty());
        let mail = world.data().join("mail/me/new");
        assert!(crate::site::files(&mail).is_empty(), "{answer}");
    }
}

#[test]
fn what_matches_nothing_is_said_and_has_a_status_of_its_own() {
    let mut world = World::new();
    let id = world.send("<me@a.example>", &["<you@b.example>"], MESSAGE);
    world.until_attempts(&[1]);
    for _ in 0..2 {
        let said = world.queue(&["hold", "--to", "other.example"]);
        assert_eq!((said.code, said.out.as_str()), (3, "no message matches\n"));
        let said = world.queue(&["release", &id, "--json"]);
        assert_eq!((said.code, said.out.as_str()), (3, "{\"messages\":0,\"recipients\":0}\n"));
        let expected = format!("smtp-mta: {id}: not in the queue, or no recipient is held\n");
        assert_eq!(said.error, expected);
        let missing = "00000000000000000000011";
        let said = world.queue(&["retry", missing, &id]);
        assert_eq!(said.code, 3);
        assert_eq!(said.out, "1 message will be tried now (1 recipient)\n");
        assert!(said.error.starts_with(&format!("smtp-mta: {missing}: not in the ")), "{said:?}");
        for change in ["hold", "release", "retry", "delete"] {
            let said = world.queue(&[change]);
            assert!(said.code == 2 && said.error.contains("--all"), "{said:?}");
            assert_eq!(world.queue(&[change, "--all", "--from", "x"]).code, 2);
        }
        if world.server.is_some() {
            world.stop();
        }
    }
    assert_eq!(world.list().len(), 1);
}

#[test]
fn more_messages_than_one_request_changes_are_all_changed() {
    let mut world = World::new();
    let mut client = world.client();
    for _ in 0..300 {
        client.deliver(&["you@b.example"], b"text\r\n.\r\n", "250 ");
    }
    let sum = |action: &str| world.queue(&[action, "--to", "b.example"]).out;
    // Those in flight are held as well, and when their attempts have ended, they stay.
    assert_eq!(sum("hold"), "300 messages held (300 recipients)\n");
    assert_eq!(sum("release"), "300 messages released (300 recipients)\n");
    world.stop();
    let said = world.queue(&["delete", "--to", "b.example"]);
    assert_eq!(said.out, "300 messages deleted\n");
    assert!(world.list().is_empty());
}
