//! Looking for messages where they arrive.

use crate::{capture, cooperation::Mailbox};
use std::{
    fs, io,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// The messages of `recipient` that contain `token`, as they are stored.
///
/// # Errors
/// The mailbox cannot be read.
pub fn messages(mailbox: &Mailbox, recipient: &str, token: &str) -> io::Result<Vec<Vec<u8>>> {
    let mut found = match mailbox {
        Mailbox::Maildir(folders) => {
            let (_, folder) = folders
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(recipient))
                .ok_or_else(|| io::Error::other(format!("no Maildir named for {recipient}")))?;
            let mut found = read_folder(&folder.join("new"))?;
            found.extend(read_folder(&folder.join("cur"))?);
            found
        }
        Mailbox::Command(words) => read_command(words, recipient)?,
        Mailbox::Capture(address) => capture::messages(*address, recipient),
    };
    found.retain(|message| contains(message, token.as_bytes()));
    Ok(found)
}

/// Waits until there are `count` such messages, at most `patience`; gives what there is then.
///
/// # Errors
/// The mailbox cannot be read.
pub fn wait_for(
    mailbox: &Mailbox,
    recipient: &str,
    token: &str,
    count: usize,
    patience: Duration,
) -> io::Result<Vec<Vec<u8>>> {
    let deadline = Instant::now() + patience;
    loop {
        let found = messages(mailbox, recipient, token)?;
        if found.len() >= count || Instant::now() >= deadline {
            return Ok(found);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn read_folder(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // A mailbox that has never had mail.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        match fs::read(entry?.path()) {
            Ok(message) => found.push(message),
            // Somebody moved it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn read_command(words: &[String], recipient: &str) -> io::Result<Vec<Vec<u8>>> {
    let (program, arguments) =
        words.split_first().ok_or_else(|| io::Error::other("the mailbox command is empty"))?;
    let output = Command::new(program).args(arguments).arg(recipient).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("the mailbox command ended with {}", output.status)));
    }
    let mut found: Vec<Vec<u8>> = Vec::new();
    for line in output.stdout.split_inclusive(|&b| b == b'\n') {
        if line.starts_with(b"From ") {
            found.push(Vec::new());
        } else if let Some(message) = found.last_mut() {
            message.extend_from_slice(line);
        }
    }
    Ok(found)
}

/// Whether `sent` is in `stored` with the line ends that it was sent with, or with those that Unix
/// keeps files with: which of them is the server's affair (RFC 5321 §2.3.7).
pub fn holds(stored: &[u8], sent: &[u8]) -> bool {
    contains(stored, sent) || contains(&unix(stored), &unix(sent))
}

fn unix(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len());
    for line in octets.split_inclusive(|&b| b == b'\n') {
        match line.strip_suffix(b"\r\n") {
            Some(line) => out.extend_from_slice(&[line, b"\n"].concat()),
            None => out.extend_from_slice(line),
        }
    }
    out
}

/// Whether `part` is somewhere in `whole`.
pub fn contains(whole: &[u8], part: &[u8]) -> bool {
    part.is_empty() || whole.windows(part.len()).any(|window| window == part)
}
