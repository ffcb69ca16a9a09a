//! What waits, printed.

use crate::{far::Far, site::eventually, world::World};
use serde_json::{Value, json};

const MESSAGE: &[u8] = b"From: me@a.example\r\nSubject: Tea\r\n\r\nAt four.\r\n";

/// Two messages of which three recipients wait.
fn given() -> (World, Vec<String>) {
    let world = World::new();
    Far::start(world.far, |verb, _| (verb == "RCPT").then_some("451 4.3.0 come later"));
    let two = &["<you@b.example>", "<other@b.example>"];
    let one = world.send("<me@a.example> RET=HDRS ENVID=7", two, MESSAGE);
    world.until_attempts(&[1, 1]);
    let other = world.send("<>", &["<she@c.example> NOTIFY=NEVER"], MESSAGE);
    world.until_attempts(&[1, 1, 1]);
    (world, vec![one, other])
}

/// Does it with the server, and again without.
fn up_and_down(mut world: World, test: impl Fn(&World)) {
    test(&world);
    world.stop();
    test(&world);
}

#[test]
fn a_list_says_what_waits_for_whom_and_why() {
    let (world, ids) = given();
    up_and_down(world, |world| {
        let said = world.queue(&["list"]);
        assert_eq!((said.code, said.error.as_str()), (0, ""));
        let lines: Vec<_> = said.out.lines().collect();
        assert_eq!(lines.len(), 1 + 4 + 3 + 1, "{}", said.out);
        assert!(lines[0].starts_with("ID  ") && lines[0].contains("FROM, TO"), "{}", said.out);
        assert!(lines[1].starts_with(&ids[0]) && lines[1].ends_with("  me@a.example"));
        let state = "    waiting, 1 attempt, next in ";
        assert!(lines[2].starts_with(state) && lines[2].ends_with(" you@b.example"));
        assert!(lines[3].starts_with(state) && lines[3].ends_with(" other@b.example"));
        assert_eq!(lines[4], "        127.0.0.3: 451 4.3.0 come later");
        assert!(lines[5].starts_with(&ids[1]) && lines[5].ends_with("  <>"), "{}", said.out);
        let at = |line: &str, what: &str| line.find(what).unwrap();
        assert_eq!(at(lines[1], "me@"), at(lines[2], "you@"), "{}", said.out);
        assert!(lines[8].starts_with("2 messages, "), "{}", said.out);
        assert!(lines[8].contains(": 3 recipients waiting, 0 held, the oldest for "));
    });
}

#[test]
fn json_has_a_line_for_each_message_with_all_its_fields() {
    let (world, ids) = given();
    up_and_down(world, |world| {
        let list = world.list();
        assert_eq!(list.len(), 2);
        let mut first = list[0].clone();
        for place in 0..2 {
            let recipient = &mut first["recipients"][place];
            for time in [recipient["next"].take(), recipient["last"]["at"].take()] {
                assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
            }
        }
        assert!(first["received"].take().as_str().unwrap().ends_with('Z'));
        assert!(first["size"].take().as_u64().unwrap() > MESSAGE.len() as u64);
        let recipient = |to: &str| {
            json!({
                "to": to, "state": "waiting", "attempts": 1, "next": null, "notify": null,
                "orcpt": null, "delay_told": false,
                "last": { "at": null, "host": "127.0.0.3", "reply": "451 4.3.0 come later" }
            })
        };
        let expected = json!({
            "id": ids[0], "from": "me@a.example", "login": null, "received": null, "size": null,
            "body": "7BIT", "smtputf8": false, "ret": "HDRS", "envid": "7",
            "recipients": [recipient("you@b.example"), recipient("other@b.example")]
        });
        assert_eq!(first, expected);
        assert_eq!(list[1]["from"], "");
        assert_eq!(list[1]["recipients"][0]["notify"], "NEVER");
        // Of one message the dialogue is shown as well.
        let mut shown = world.queue(&["show", &ids[0], "--json"]).json();
        let dialogue = shown[0]["recipients"][0]["last"].as_object_mut().unwrap();
        let dialogue = dialogue.remove("dialogue").unwrap();
        assert!(dialogue.as_str().unwrap().contains("\nS: 451 4.3.0 come later\n"), "{dialogue}");
        assert_eq!(shown, [list[0].clone()]);
    });
}

#[test]
fn a_filter_leaves_what_it_says() {
    let (world, ids) = given();
    up_and_down(world, |world| {
        let found = |arguments: &[&str]| -> Vec<String> {
            let said = world.queue(&[&["list", "--json"], arguments].concat());
            said.json().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
        };
        for (arguments, expected) in [
            (&[] as &[&str], &ids[..]),
            (&[&ids[1]], &ids[1..]),
            (&["--from", "a.example"], &ids[..1]),
            (&["--from", "<>"], &ids[1..]),
            (&["--to", "OTHER@b.example"], &ids[..1]),
            (&["--to", "*@*.example"], &ids),
            (&["--to", "c.example", "--from", "a.example"], &[]),
            (&["--state", "waiting"], &ids),
            (&["--state", "held"], &[]),
            (&["--older-than", "4h"], &[]),
        ] {
            assert_eq!(found(arguments), expected, "{arguments:?}");
        }
        let said = world.queue(&["list", "--older-than", "4h"]);
        assert_eq!((said.code, said.out.as_str()), (0, "no message matches\n"));
        for wrong in [&["--older-than", "4 h"], &["--state", "sleeping"]] {
            let said = world.queue(&[&["list"], &wrong[..]].concat());
            assert_eq!(said.code, 2, "{said:?}");
        }
    });
}

#[test]
fn a_message_is_shown_with_its_envelope_or_octet_by_octet() {
    let world = World::new();
    Far::start(world.far, |verb, _| (verb == "RCPT").then_some("451 4.3.0 come later"));
    // Longer than what the database takes, and no text.
    let body = [b"\xff\x1b[2J\xc3\r\n".as_slice(), &b"0123456789\r\n".repeat(9_000)].concat();
    let header = b"From: me@a.example\r\nSubject: \x1b[2J\r\n\r\n";
    let message = [header.as_slice(), &body].concat();
    let id = world.send("<me@a.example> BODY=8BITMIME", &["<you@b.example>"], &message);
    world.until_attempts(&[1]);
    up_and_down(world, |world| {
        let said = world.queue(&["show", &id]);
        for line in [
            &format!("id         {id}\n") as &str,
            "from       me@a.example\n",
            "body       8BITMIME\n",
            "to         you@b.example\n",
            "state      waiting, 1 attempt, next in ",
            "host       127.0.0.3\n",
            "reply      451 4.3.0 come later\n",
        ] {
            assert!(said.out.contains(line), "{line}: {}", said.out);
        }
        // Where it does not go to a terminal, nothing is escaped.
        let octets = |what: &[&str]| {
            let config = world.config();
            let arguments = [&["queue", "show", &id, "--config", &config], what].concat();
            crate::site::program::output(&arguments).stdout
        };
        assert!(octets(&["--body"]) == body);
        let shown = octets(&["--headers"]);
        assert!(shown.starts_with(b"Received: from ") && shown.ends_with(header));
        assert!(octets(&["--headers", "--body"]) == [shown, body.clone()].concat());
    });
}

#[test]
fn what_is_not_there_is_said() {
    let mut world = World::new();
    for _ in 0..2 {
        let said = world.queue(&["list"]);
        assert_eq!((said.code, said.out.as_str()), (0, "the queue is empty\n"));
        assert!(world.list().is_empty());
        let said = world.queue(&["show", "00000000000000000000011"]);
        let expected = "smtp-mta: no message 00000000000000000000011\n";
        assert_eq!((said.code, said.error.as_str()), (1, expected));
        if world.server.is_some() {
            world.stop();
        }
    }
    let said = world.queue(&["show", "no-name"]);
    assert!(said.code == 2 && said.error.contains("23 letters and digits"), "{said:?}");
    std::fs::remove_dir_all(world.data()).unwrap();
    let said = world.queue(&["list"]);
    assert_eq!(said.code, 1);
    assert!(said.error.starts_with("smtp-mta: there is no queue in the data folder "), "{said:?}");
    assert!(!world.data().exists());
}

#[test]
fn what_a_peer_wrote_does_not_reach_the_terminal_as_it_is() {
    let world = World::new();
    Far::start(world.far, |verb, _| {
        (verb == "connect").then_some("421 4.3.0 \u{1b}]0;owned\u{7} \u{9b}2J \u{202e}")
    });
    let hostile = "<a\u{202e}b@b.example>";
    let id = world.send("<\"a\\\\b\"@a.example> SMTPUTF8", &[hostile], MESSAGE);
    world.until_attempts(&[1]);
    up_and_down(world, |world| {
        for arguments in [&["list"] as &[&str], &["show"], &["list", "--json"], &["show", "--json"]]
        {
            let id = (arguments[0] == "show").then_some(id.as_str());
            let said = world.queue(&[arguments, id.as_slice()].concat());
            assert_eq!(said.code, 0, "{said:?}");
            let raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!said.out.contains(raw), "{:?}", said.out);
            assert!(said.out.contains("owned"), "{:?}", said.out);
        }
        assert!(world.queue(&["list"]).out.contains("a\\u{202e}b@b.example"));
        let recipient = &world.list()[0]["recipients"][0];
        assert_eq!(recipient["to"], hostile.trim_matches(['<', '>']));
    });
}

#[test]
fn a_queue_of_any_length_is_listed_page_by_page() {
    let world = World::new();
    Far::start(world.far, |verb, _| (verb == "RCPT").then_some("451 4.3.0 come later"));
    let to: Vec<_> = (0..100).map(|number| format!("<u{number}@b.example>")).collect();
    let to: Vec<_> = to.iter().map(String::as_str).collect();
    let mut sent: Vec<_> = (0..6).map(|_| world.send("<me@a.example>", &to, MESSAGE)).collect();
    sent.extend((0..30).map(|_| world.send("<me@a.example>", &to[..1], MESSAGE)));
    let all_tried = || world.attempts().iter().all(|attempts| *attempts == 1);
    eventually("all were tried", all_tried);
    up_and_down(world, |world| {
        let id = |message: &Value| message["id"].as_str().unwrap().to_owned();
        assert_eq!(world.list().iter().map(id).collect::<Vec<_>>(), sent);
        let said = world.queue(&["list"]);
        assert!(said.out.contains("\n36 messages, "), "{}", said.out);
        assert!(said.out.contains(": 630 recipients waiting, 0 held"), "{}", said.out);
        assert_eq!(said.out.matches("FROM, TO").count(), 1);
    });
}
