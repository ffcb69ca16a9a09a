//! The folder that takes messages.

use std::{fs, path::Path, process};
use testkit::mailbox::Mailbox;

#[test]
fn a_message_is_stored_as_it_is_and_none_takes_the_place_of_another() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mailbox-{}", process::id()));
    Mailbox::new(&folder).unwrap().deliver(b"one\r\n\0").unwrap();
    let again = Mailbox::new(&folder).unwrap();
    again.deliver(b"two").unwrap();
    again.deliver(b"").unwrap();
    for (name, octets) in [("1.eml", &b"one\r\n\0"[..]), ("2.eml", b"two"), ("3.eml", b"")] {
        assert_eq!(fs::read(folder.join(name)).unwrap(), octets);
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
    fs::remove_dir_all(&folder).unwrap();
}
