//! A folder that takes messages, one file for each recipient.

use std::{
    fmt::{Display, Write},
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// Where messages wait for their time. No recipient's Maildir is called so.
const HELD: &str = ".held";

/// A folder that takes messages. Each recipient has a Maildir in it, named as the recipient, with
/// `1.eml`, `2.eml` and so on in `new`: the octets of the message and nothing else. A message has
/// the same number in the Maildirs of all its recipients.
#[derive(Debug)]
pub struct Mailbox {
    folder: PathBuf,
    last: AtomicU64,
}

impl Mailbox {
    /// The folder `folder`, which is made if it is not there. Numbers go on where those of the
    /// files in it end.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn new(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        fs::create_dir_all(&folder)?;
        let mut last = last_in(&folder.join(HELD))?;
        for maildir in fs::read_dir(&folder)? {
            last = last.max(last_in(&maildir?.path().join("new"))?);
        }
        Ok(Self { folder, last: AtomicU64::new(last) })
    }

    /// Stores `message` for each of `recipients`. A file is there as a whole or not at all: it is
    /// written under another name and then renamed.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn deliver<R: Display>(
        &self,
        recipients: impl IntoIterator<Item = R>,
        message: &[u8],
    ) -> io::Result<()> {
        let number = self.next();
        for recipient in recipients {
            let maildir = self.folder.join(file_name(&recipient.to_string()));
            let (unfinished, new) = (maildir.join("tmp"), maildir.join("new"));
            fs::create_dir_all(&unfinished)?;
            fs::create_dir_all(&new)?;
            let unfinished = unfinished.join(number.to_string());
            fs::write(&unfinished, message)?;
            fs::rename(unfinished, new.join(format!("{number}.eml")))?;
        }
        Ok(())
    }

    /// Keeps `message` for [`release`](Self::release) from the moment `due` on, in seconds since
    /// 1970. It waits in a file, over restarts.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn hold<R: Display>(
        &self,
        due: u64,
        recipients: impl IntoIterator<Item = R>,
        message: &[u8],
    ) -> io::Result<()> {
        let held = self.folder.join(HELD);
        fs::create_dir_all(held.join("tmp"))?;
        let number = self.next();
        let mut octets = Vec::new();
        for recipient in recipients {
            octets.extend_from_slice(format!("{recipient}\n").as_bytes());
        }
        octets.push(b'\n');
        octets.extend_from_slice(message);
        let unfinished = held.join("tmp").join(number.to_string());
        fs::write(&unfinished, octets)?;
        fs::rename(unfinished, held.join(format!("{number}.{due}")))
    }

    /// Delivers the messages whose moment is `now` or earlier, in seconds since 1970.
    ///
    /// # Errors
    /// Those of the file system. What has not been delivered waits for the next call.
    pub fn release(&self, now: u64) -> io::Result<()> {
        let entries = match fs::read_dir(self.folder.join(HELD)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            let due = path.extension().and_then(|due| due.to_str()?.parse::<u64>().ok());
            if due.is_none_or(|due| due > now) {
                continue;
            }
            let octets = fs::read(&path)?;
            let end = octets.windows(2).position(|two| two == b"\n\n");
            let (recipients, message) = octets.split_at(end.map_or(0, |at| at + 2));
            let recipients = String::from_utf8_lossy(recipients);
            self.deliver(recipients.lines().filter(|line| !line.is_empty()), message)?;
            fs::remove_file(path)?;
        }
        Ok(())
    }

    fn next(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// The highest number of a file in `folder`.
fn last_in(folder: &Path) -> io::Result<u64> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut last = 0;
    for entry in entries {
        let path = entry?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        last = last.max(number.unwrap_or(0));
    }
    Ok(last)
}

/// The name of the Maildir of the path `<local-part@domain>`: without the brackets, in lower case,
/// and with every octet escaped that could mean something to a file system.
fn file_name(path: &str) -> String {
    let mut name = String::new();
    for octet in path.trim_matches(['<', '>']).to_ascii_lowercase().bytes() {
        let harmless = octet.is_ascii_alphanumeric() || b"@-_+=".contains(&octet);
        if harmless || octet == b'.' && !name.is_empty() {
            name.push(char::from(octet));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(name, "%{octet:02x}");
        }
    }
    // The longest name that every file system takes.
    name.truncate(255);
    name
}
