//! The demonstration as it is started.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// Runs it with its folders in `tmp`.
fn demo(tmp: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smtp-mta"));
    command.arg("demo").args(arguments).env("TMPDIR", tmp).output().unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.into()).unwrap()
}

#[test]
fn the_demonstration_shows_every_step_and_leaves_nothing() {
    let tmp = tempfile::tempdir().unwrap();
    let output = demo(tmp.path(), &[]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    for step in [
        "certificate verified, logged in by SCRAM-SHA-256-PLUS",
        " ms: 250 2.0.0 Ok: ",
        "asks the DNS: MX b.example -> 10 mx.b.example\n",
        "asks the DNS: A mx.b.example -> 127.0.0.1\n",
        "bob@b.example: relayed to mx.b.example, in ",
        "bob@b.example: in the mailbox at mx.b.example, in ",
        "carol@c.example: handed to lmtp 127.0.0.1:",
        "carol@c.example: in the mailbox at mx.b.example, in ",
        "bbo@b.example: refused by mx.b.example, in ",
        "ann@a.example: in the mailbox at mail.a.example, in ",
        "    Received: from mail.a.example (",
        "    Received: from laptop.a.example (",
        "\n    ... at four?\n",
        "    Your message could not be delivered to:\n",
        "\n    [[route]]\n",
    ] {
        assert!(said.contains(step), "{step}\nis not in\n{said}");
    }
    assert_eq!(text(&output.stderr), "");
    assert_eq!(fs::read_dir(tmp.path()).unwrap().count(), 0);
}

#[test]
fn what_is_kept_is_where_it_says() {
    let tmp = tempfile::tempdir().unwrap();
    let output = demo(tmp.path(), &["--keep"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    let kept = said.lines().last().unwrap().strip_prefix("Kept: ").unwrap();
    let mut mailbox = fs::read_dir(Path::new(kept).join("b/mail/bob/new")).unwrap();
    let message = text(&fs::read(mailbox.next().unwrap().unwrap().path()).unwrap());
    assert!(message.starts_with("Return-Path: <ann@a.example>\r\n"), "{message}");
    assert!(message.ends_with("\r\n\r\n... at four?\r\n"), "{message}");
}

#[test]
fn without_a_place_for_its_folders_it_says_so_and_fails() {
    let output = demo(Path::new("/nonexistent"), &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.starts_with("smtp-mta: cannot make a folder for the servers: "), "{said}");
}
