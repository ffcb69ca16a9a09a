//! The folder that takes messages.

use std::{fs, path::Path, path::PathBuf, process};
use testkit::mailbox::Mailbox;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mailbox-{name}-{}", process::id()))
}

#[test]
fn a_message_is_stored_as_it_is_and_none_takes_the_place_of_another() {
    let folder = folder("order");
    let ada = ["<ada@example.test>"];
    Mailbox::new(&folder).unwrap().deliver(ada, b"one\r\n\0").unwrap();
    let again = Mailbox::new(&folder).unwrap();
    again.deliver(ada, b"two").unwrap();
    again.deliver(ada, b"").unwrap();
    let new = folder.join("ada@example.test/new");
    for (name, octets) in [("1.eml", &b"one\r\n\0"[..]), ("2.eml", b"two"), ("3.eml", b"")] {
        assert_eq!(fs::read(new.join(name)).unwrap(), octets);
    }
    assert_eq!(fs::read_dir(&new).unwrap().count(), 3);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn each_recipient_has_a_maildir_and_none_of_them_is_outside_the_folder() {
    let folder = folder("names");
    let mailbox = Mailbox::new(&folder).unwrap();
    let long = format!("<{}@example.test>", "x".repeat(300));
    let recipients =
        ["<Ada@example.test>", "<\"../..\"@example.test>", "<.@x>", "<..@x>", "<é@x>", &long];
    mailbox.deliver(recipients, b"x").unwrap();
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let odd = ["%22..%2f..%22@example.test", "%2e.@x", "%2e@x", "%c3%a9@x", "ada@example.test"];
    assert_eq!(names[..5], odd);
    assert_eq!(names[5], "x".repeat(255));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_message_that_is_held_comes_at_its_time_also_after_a_restart() {
    let folder = folder("held");
    let mailbox = Mailbox::new(&folder).unwrap();
    mailbox.hold(1_000, ["<a@example.test>", "<b@example.test>"], b"one\n\ntwo").unwrap();
    mailbox.release(999).unwrap();
    assert!(!folder.join("a@example.test").exists());
    let mailbox = Mailbox::new(&folder).unwrap();
    mailbox.deliver(["<a@example.test>"], b"at once").unwrap();
    mailbox.release(1_000).unwrap();
    mailbox.release(1_001).unwrap();
    for name in ["a@example.test/new/3.eml", "b@example.test/new/3.eml"] {
        assert_eq!(fs::read(folder.join(name)).unwrap(), b"one\n\ntwo");
    }
    assert_eq!(fs::read_dir(folder.join("a@example.test/new")).unwrap().count(), 2);
    fs::remove_dir_all(&folder).unwrap();
}
