//! A folder that takes messages, one file each.

use std::{
    fs, io,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

/// A folder that takes messages: `1.eml`, `2.eml` and so on, each with the octets of the message
/// and nothing else.
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
        let mut last = 0;
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
            last = last.max(number.unwrap_or(0));
        }
        Ok(Self { folder, last: AtomicU64::new(last) })
    }

    /// Stores `message`. Its file is there as a whole or not at all: it is written under another
    /// name and then renamed.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn deliver(&self, message: &[u8]) -> io::Result<()> {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let unfinished = self.folder.join(format!("{number}.tmp"));
        fs::write(&unfinished, message)?;
        fs::rename(unfinished, self.folder.join(format!("{number}.eml")))
    }
}
