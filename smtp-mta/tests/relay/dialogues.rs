//! What was said in an attempt that failed, kept with the message.

use crate::{
    far::Far,
    site::eventually,
    world::{World, free_port},
};
use testkit::dns::Zone;

const ZONE: &str = "c.example MX 10 mx1.c.example
    c.example MX 20 mx2.c.example
    mx1.c.example A 127.0.0.3
    mx2.c.example A 127.0.0.2";

impl World {
    /// The dialogues of the one message in the queue, once an attempt has failed.
    #[track_caller]
    fn dialogues(&self) -> Vec<Option<String>> {
        let last = || {
            let entries = self.a.entries();
            let recipients = entries.into_iter().flat_map(|entry| entry.recipients);
            recipients.map(|recipient| recipient.last).collect::<Option<Vec<_>>>()
        };
        eventually("it was tried", || last().is_some());
        let dialogue = |last: smtp_mta::queue::Attempt| last.dialogue.map(|it| it.to_string());
        last().unwrap().into_iter().map(dialogue).collect()
    }
}

/// Lines of `text`, with what the kernel has chosen left out.
fn lines(text: &str, port: u16) -> Vec<String> {
    text.lines().map(|line| line.replace(&port.to_string(), "PORT")).collect()
}

#[test]
fn the_dialogue_of_a_failed_attempt_is_kept_once_with_all_hosts_that_were_asked() {
    let world = World::with(Zone::new(ZONE), "");
    let _far = Far::start(world.b, |verb, _| (verb == "end").then_some("451 4.3.0 not now"));
    world.send(&["one@c.example", "two@c.example"]);
    let [Some(first), None] = &world.dialogues()[..] else { panic!("{:?}", world.dialogues()) };
    let want = "-- mx1.c.example, 127.0.0.3:PORT
        -- mx1.c.example: connecting: 451 4.4.1 no connection: Connection refused (os error 111)
        -- mx2.c.example, 127.0.0.2:PORT
        S: 220 far
        C: EHLO mx.a.example
        S: 250 ok
        C: MAIL FROM:<me@a.example>
        S: 250 ok
        C: RCPT TO:<one@c.example>
        C: RCPT TO:<two@c.example>
        S: 250 ok
        S: 250 ok
        C: DATA
        S: 354 go on";
    let lines = lines(first, world.b.port());
    let (end, before) = lines.split_last().unwrap();
    let (octets, before) = before.split_last().unwrap();
    assert_eq!(before.join("\n"), want.replace("\n        ", "\n"));
    assert!(octets.starts_with("C: [") && octets.ends_with(" octets]"), "{octets}");
    assert_eq!(end, "S: 451 4.3.0 not now");
}

#[test]
fn the_dialogue_has_the_fallback_too() {
    let at = free_port([127, 0, 0, 4].into());
    let world = World::new(&format!(
        "fallback = [{{ host = '127.0.0.4', port = {}, tls = 'off' }}]",
        at.port()
    ));
    let _far = Far::start(at, |verb, _| (verb == "RCPT").then_some("450 4.2.1 later"));
    world.send(&["you@b.example"]);
    let dialogue = world.dialogues().remove(0).unwrap();
    assert!(dialogue.starts_with("-- mx.b.example, 127.0.0.2:"), "{dialogue}");
    assert!(dialogue.contains("\n-- 127.0.0.4, 127.0.0.4:"), "{dialogue}");
    assert!(dialogue.contains("\nS: 450 4.2.1 later\n"), "{dialogue}");
}

#[test]
fn a_long_dialogue_is_cut_in_the_middle() {
    let world = World::new("");
    let _far = Far::start(world.b, |verb, _| (verb == "RCPT").then_some("450 4.2.1 mailbox busy"));
    let to: Vec<_> = (0..100).map(|n| format!("mailbox{n}@b.example")).collect();
    world.send(&to.iter().map(String::as_str).collect::<Vec<_>>());
    let dialogues: Vec<_> = world.dialogues().into_iter().flatten().collect();
    let [dialogue] = &dialogues[..] else { panic!("{dialogues:?}") };
    assert!(dialogue.len() < 3_000, "{dialogue}");
    assert!(dialogue.contains(" lines are missing here\n"), "{dialogue}");
    assert!(dialogue.contains("C: RCPT TO:<mailbox0@b.example>\n"), "{dialogue}");
    assert!(dialogue.ends_with("S: 450 4.2.1 mailbox busy\nC: RSET\nS: 250 ok\n"), "{dialogue}");
}
