//! What a command line is given.

use crate::site::files;
use std::{
    io::Write,
    process::{Command, Stdio},
};

#[test]
fn a_name_that_is_none_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a\r\nb", "a\n[user]", "a\u{1b}[2J", "a\u{2028}b", "", "a@", "a@b c"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_smtp-mta"))
            .args(["user", "add", name, "--data"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It may have ended by now.
        let _ = child.stdin.take().unwrap().write_all(b"password\n");
        let output = child.wait_with_output().unwrap();
        assert!(!output.status.success(), "{name:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.lines().count(), 1, "{name:?}: {said}");
        assert!(!said.trim_end().contains(char::is_control), "{name:?}: {said:?}");
        assert_eq!(files(folder.path()).len(), 0, "{name:?}");
    }
}
