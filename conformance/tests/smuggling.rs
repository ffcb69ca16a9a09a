//! `smtp-conformance smuggling` on relays and receivers of a few lines, over loopback: what is smuggled
//! is found, and nothing else is.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod smuggling {
    pub(crate) mod relay;
}

use smtp_conformance::{
    cooperation::{Cooperation, Mailbox},
    profile::Profile,
    smuggling::{
        Pair, Passed, Received, Row, Tap,
        form::{FORMS, Form, Verb},
    },
    target::Described,
    tester,
    wire::Port,
};
use smuggling::relay::{Receiver, Sender, receiver, sender};
use std::{fs, net::SocketAddr, num::NonZeroUsize, path::Path, process::Command, time::Duration};
use tempfile::TempDir;

const RECIPIENTS: [&str; 2] = ["user1@example.test", "user2@example.test"];
/// For what comes; and for what never does.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(700);

/// A sender, a receiver with its mailboxes, and the tap between them.
fn pair(from: Sender, to: Receiver, patience: Duration) -> (Pair, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let next = receiver(to, folder.path().into());
    let own = "127.0.0.1:0".parse().unwrap();
    let tap = Tap::listen(own, next, NonZeroUsize::new(8).unwrap(), patience).unwrap();
    let address = Some(sender(from, tap.address).to_string());
    let described = Described { address, ..Described::default() };
    let target = described.resolve(Profile::Default, Duration::from_secs(10), false).unwrap();
    let folders = RECIPIENTS.map(|name| (name.to_owned(), folder.path().join(name)));
    let pair = Pair {
        sender: tester::Run {
            target: Box::new(target),
            cooperation: Cooperation::default(),
            patience: patience.min(Duration::from_secs(10)),
            pause: Duration::from_millis(100),
            port: Port::Main,
            seed: 7,
            strict: false,
            minute: tester::MINUTE,
        },
        tap,
        mailbox: Mailbox::Maildir(folders.into()),
        recipient: RECIPIENTS[0].into(),
        smuggled_recipient: RECIPIENTS[1].into(),
        patience,
    };
    (pair, folder)
}

fn form(name: &str) -> Form {
    *FORMS.iter().find(|form| form.name == name).unwrap()
}

/// What becomes of these forms when the plain message has arrived.
fn rows(from: Sender, to: Receiver, names: &[&str], patience: Duration) -> Vec<Row> {
    let (pair, _folder) = pair(from, to, patience);
    let plain = pair.check().unwrap();
    assert_eq!((&plain.sender, &plain.receiver), (&Passed::LetThrough, &Received::Whole));
    let forms: Vec<_> = names.iter().map(|name| form(name)).collect();
    pair.run(&forms, NonZeroUsize::new(4).unwrap()).unwrap()
}

fn row(from: Sender, to: Receiver, name: &str, patience: Duration) -> (Passed, Received) {
    let row = rows(from, to, &[name], patience).remove(0);
    (row.sender, row.receiver)
}

fn all_names() -> Vec<&'static str> {
    FORMS.iter().map(|form| form.name).collect()
}

fn smuggled(rows: &[Row]) -> Vec<&'static str> {
    rows.iter().filter(|row| row.is_smuggled()).map(|row| row.form).collect()
}

#[test]
fn each_form_that_a_relay_lets_through_and_a_receiver_splits_is_found() {
    let by_data = FORMS.iter().filter(|form| form.verb == Verb::Data && !form.is_repeated());
    for form in by_data {
        let end = form.chunks(b"").concat().leak();
        let found = rows(Sender::Leaky, Receiver::Ends(end), &[form.name], LONG);
        let passed = (&found[0].sender, &found[0].receiver);
        assert_eq!(passed, (&Passed::LetThrough, &Received::Smuggled), "{}", form.name);
    }
    let chunks = ["BDAT LF.LF", "BDAT LF|.|LF"];
    let found = rows(Sender::Leaky, Receiver::Ends(b"\n.\n"), &chunks, LONG);
    assert_eq!(smuggled(&found), chunks);
}

#[test]
fn what_dots_that_nobody_doubled_end_is_found_in_chunks() {
    let found = rows(Sender::DoublesNoDots, Receiver::Strict, &all_names(), LONG);
    let wanted = [
        "CRLF..CRLF",
        "CRLF..CRLF often",
        "BDAT CRLF.CRLF",
        "BDAT CRLF|.CRLF",
        "BDAT CR|LF.CRLF",
        "BDAT CRLF.|CRLF",
        "BDAT CRLF.CR|LF",
        "BDAT CRLF.CRLF|",
        "BDAT CRLF.CRLF often",
    ];
    assert_eq!(smuggled(&found), wanted);
}

#[test]
fn an_end_that_the_relay_makes_of_another_is_found() {
    let found = row(Sender::BreaksLines, Receiver::Strict, "long lines.CRLF", LONG);
    let broken = "xxxxxxxxxxxx<CR><LF>.<CR><LF>mAiL fR";
    assert_eq!(found, (Passed::Rewritten(broken.into()), Received::Smuggled));
    let found = row(Sender::RewritesTooLate, Receiver::Strict, "LF.LF", LONG);
    assert_eq!(found, (Passed::Rewritten("<CR><LF>.<CR><LF>".into()), Received::Smuggled));
}

#[test]
fn a_receiver_that_knows_the_one_end_is_no_alarm_whatever_comes() {
    let found = rows(Sender::Leaky, Receiver::Strict, &all_names(), LONG);
    assert!(found.iter().all(|row| row.receiver == Received::Whole), "{found:#?}");
}

#[test]
fn a_relay_that_refuses_or_writes_anew_is_no_alarm_whatever_ends_a_message() {
    let names = ["LF.LF", "LF.CRLF", "CRLF.LF", "CR.CR", "CRLF..CRLF", "BDAT LF.LF"];
    for from in [Sender::Strict, Sender::Rewrites] {
        let found = rows(from, Receiver::Ends(b"\n.\n"), &names, LONG);
        assert_eq!(smuggled(&found), [""; 0]);
    }
    let refused = row(Sender::Strict, Receiver::Ends(b"\n.\n"), "LF.LF", LONG);
    let reply = "550 5.5.2 bare CR or LF";
    assert_eq!(refused, (Passed::Refused(reply.into()), Received::NotReached));
    let rewritten = row(Sender::Rewrites, Receiver::Ends(b"\n.\n"), "LF.LF", LONG);
    assert_eq!(rewritten, (Passed::Rewritten("<CR><LF>..<CR><LF>".into()), Received::Whole));
}

#[test]
fn a_receiver_that_says_250_twice_and_stores_one_message_is_no_alarm() {
    let found = row(Sender::Leaky, Receiver::SaysItTwice, "LF.LF", LONG);
    assert_eq!(found, (Passed::LetThrough, Received::Whole));
}

#[test]
fn a_relay_that_ends_the_message_there_itself_has_smuggled_nothing() {
    let found = row(Sender::Splits, Receiver::Ends(b"\n.\n"), "LF.LF", LONG);
    assert_eq!(found, (Passed::Split, Received::NotReached));
}

#[test]
fn what_becomes_of_the_octets_is_told() {
    let (leaky, let_through) = (Sender::Leaky, Passed::LetThrough);
    let found = row(leaky, Receiver::Changes, "LF.LF", LONG);
    let stored = "<CR><LF>.<CR><LF>".into();
    assert_eq!(found, (let_through.clone(), Received::Altered(stored)));
    let found = row(leaky, Receiver::CutsAtNul, "CRLF NUL.CRLF", LONG);
    assert_eq!(found, (let_through.clone(), Received::Cut("250 221".into())));
    let found = row(leaky, Receiver::Refuses, "LF.LF", LONG);
    assert_eq!(found, (let_through, Received::Refused("550 5.5.2 a bare LF".into())));
    let found = row(Sender::CutsAtNul, Receiver::Strict, "CRLF NUL.CRLF", LONG);
    assert_eq!(found, (Passed::Cut, Received::Whole));
    let found = row(Sender::Encodes, Receiver::Strict, "LF.LF", SHORT);
    assert_eq!(found, (Passed::Encoded, Received::NotStored));
}

#[test]
fn a_relay_that_hangs_closes_greylists_or_keeps_is_told_and_ends() {
    let greylisted = Passed::Refused("expected 25z; got \"451 4.7.1 come again\"".into());
    for (from, passed) in [
        (Sender::Hangs, Passed::Silent),
        (Sender::Closes, Passed::Closed),
        (Sender::Greylists, greylisted),
        (Sender::Keeps, Passed::NotRelayed),
    ] {
        let found = row(from, Receiver::Strict, "LF.LF", SHORT);
        assert_eq!(found, (passed, Received::NotReached), "{from:?}");
    }
}

#[test]
fn a_receiver_that_hangs_closes_greylists_or_loses_is_told_and_ends() {
    let greylisted = Received::Deferred("451 4.7.1 come again".into());
    for (to, passed, received) in [
        (Receiver::Hangs, Passed::LetThrough, Received::Silent),
        (Receiver::Closes, Passed::LetThrough, Received::Closed),
        (Receiver::Greylists, Passed::EnvelopeOnly, greylisted),
        (Receiver::Loses, Passed::LetThrough, Received::NotStored),
    ] {
        let found = row(Sender::Leaky, to, "LF.LF", SHORT);
        assert_eq!(found, (passed, received), "{to:?}");
    }
}

#[test]
fn a_tap_that_is_gone_takes_no_connection() {
    let (pair, _folder) = pair(Sender::Leaky, Receiver::Strict, LONG);
    let address = pair.tap.address;
    drop(pair);
    let gone = |address| Tap::listen(address, address, NonZeroUsize::MIN, SHORT).is_ok();
    assert!((0..1_000).any(|_| gone(address)), "the port is still taken");
}

/// The command on target files.
struct Files {
    folder: TempDir,
    sender: SocketAddr,
}

impl Files {
    fn new(from: Sender, to: Receiver) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let next = receiver(to, folder.path().into());
        // Free when it was asked for: the command listens there.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let capture = free.local_addr().unwrap();
        drop(free);
        let sender = sender(from, capture);
        let boxes = RECIPIENTS.map(|name| format!("'{name}' = '{name}'\n")).concat();
        let path = |name: &str| folder.path().join(name);
        let write = |name: &str, text: String| fs::write(path(name), text).unwrap();
        write(
            "sender.toml",
            format!(
                "address = '{sender}'\nsoftware = 'Relay 1'\n[mailbox]\ncapture = '{capture}'\n"
            ),
        );
        write(
            "receiver.toml",
            format!(
                "address = '{next}'\nrecipients = ['{}', '{}']\n[mailbox.maildir]\n{boxes}",
                RECIPIENTS[0], RECIPIENTS[1]
            ),
        );
        Self { folder, sender }
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_smtp-conformance"));
        command.current_dir(self.folder.path()).args(["smuggling", "sender.toml", "receiver.toml"]);
        let output = command.args(arguments).env_remove("NO_COLOR").output().unwrap();
        let text = |octets| String::from_utf8(octets).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}

#[test]
fn the_command_shows_what_was_smuggled_and_ends_with_1() {
    let files = Files::new(Sender::Leaky, Receiver::Ends(b"\n.\n"));
    let (code, text, _) = files.run(&["--only", "lf.lf,CR.CR", "--json", "report.json"]);
    assert_eq!(code, 1, "{text}");
    let summary = format!("Relay 1 ({}) relays to 127.0.0.1:", files.sender);
    for line in ["LF.LF  let through  SMUGGLED: two messages", "CR.CR  let through  one message"] {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.contains(&summary) && text.contains("1 SMUGGLED: LF.LF"), "{text}");
    assert!(text.contains("      C: mAiL fRoM:<smuggling-"), "{text}");
    let again = "smtp-conformance smuggling sender.toml receiver.toml --only 'LF.LF'";
    assert!(text.contains(again), "{text}");
    let report = fs::read(files.folder.path().join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["results"][0]["receiver"]["outcome"], "smuggled");
    assert_eq!(report["results"][1]["receiver"]["outcome"], "whole");
}

#[test]
fn the_command_ends_with_0_if_nothing_is_smuggled() {
    let files = Files::new(Sender::Rewrites, Receiver::Ends(b"\n.\n"));
    let (code, text, _) = files.run(&["--only", "LF.LF", "--quiet"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("1 forms: 1 rewritten\nnothing was smuggled"), "{text}");
    let (code, json, text) = files.run(&["--only", "LF.LF", "--json", "-"]);
    assert_eq!((code, &json[..1]), (0, "{"));
    assert!(text.contains("rewritten: <CR><LF>..<CR><LF>"), "{text}");
}

#[test]
fn the_command_ends_with_2_if_it_cannot_judge() {
    let files = Files::new(Sender::Leaky, Receiver::Strict);
    let (code, _, said) = files.run(&["--only", "LF"]);
    assert!(code == 2 && said.contains("no form is called \"LF\""), "{said}");
    fs::write(files.folder.path().join("sender.toml"), format!("address = '{}'", files.sender))
        .unwrap();
    let (code, _, said) = files.run(&[]);
    assert!(code == 2 && said.contains("[mailbox] capture"), "{said}");
    let files = Files::new(Sender::Leaky, Receiver::Strict);
    lose_mailboxes(&files.folder.path().join("receiver.toml"));
    let (code, _, said) = files.run(&["--patience", "0.5"]);
    assert!(
        code == 2 && said.contains("did not arrive: the receiver: taken, and not stored"),
        "{said}"
    );
}

/// The mailboxes are somewhere else.
fn lose_mailboxes(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    fs::write(path, text.replace("= 'user", "= 'other/user")).unwrap();
}

#[test]
fn the_forms_stand_in_the_manual() {
    // In a table the line between chunks would be one between columns.
    let manual = include_str!("../../docs/manual/smuggling.md").replace("\\|", "|");
    for form in FORMS {
        assert!(manual.contains(&format!("`{}`", form.name)), "{}", form.name);
    }
}
