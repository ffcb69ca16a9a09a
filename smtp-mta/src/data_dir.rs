//! The data folder: what is in it, and that only one server uses it.

use crate::maildir::sync_directory;
use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// The data folder, locked for this process.
///
/// ```text
/// lock         held while a server runs
/// tmp/         what is arriving, or on its way into a mailbox
/// queue/       what is not yet delivered
/// control      the socket for `smtp-mta queue`, while a server runs
/// mail/NAME/   the Maildir of a mailbox
/// tls/         the certificate that the server made for itself
/// users.toml   who may log in
/// ```
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// The lock goes with the process, however it ends.
    _lock: File,
}

impl DataDir {
    /// Opens the folder at `path`, made if it is missing; it and all below are for their owner
    /// only. Blocks.
    ///
    /// # Errors
    /// A plain sentence about why it cannot be used.
    pub fn open(path: &Path) -> Result<Self, String> {
        Self::try_open(path)?
            .ok_or_else(|| format!("another smtp-mta is using the data folder {}", path.display()))
    }

    /// The same; `None` if another process has it.
    ///
    /// # Errors
    /// A plain sentence about why it cannot be used.
    pub fn try_open(path: &Path) -> Result<Option<Self>, String> {
        match Self::prepare(path) {
            Ok(data) => Ok(Some(data)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(format!("cannot use the data folder {}: {error}", path.display())),
        }
    }

    fn prepare(path: &Path) -> io::Result<Self> {
        let folder = |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path);
        folder(path)?;
        let mode = fs::metadata(path)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            // Not changed: it may be a folder that others need. What we make in it is closed.
            let shown = path.display().to_string();
            tracing::warn!(path = shown, "other users can look into the data folder");
        }
        let mut options = OpenOptions::new();
        let lock = options.create(true).truncate(false).write(true).mode(0o600);
        let lock = lock.open(path.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
            TryLockError::Error(error) => error,
        })?;
        for name in ["tmp", "mail", "tls"] {
            folder(&path.join(name))?;
        }
        sync_directory(path)?;
        Ok(Self { path: path.into(), _lock: lock })
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where messages are while they arrive.
    pub fn tmp(&self) -> PathBuf {
        self.path.join("tmp")
    }

    /// Where the Maildirs are.
    pub fn mail(&self) -> PathBuf {
        self.path.join("mail")
    }

    /// Where the queue is.
    pub fn queue(&self) -> PathBuf {
        self.path.join("queue")
    }

    /// Where our own certificate is.
    pub fn tls(&self) -> PathBuf {
        self.path.join("tls")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_folder_is_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let data = DataDir::open(&path).unwrap();
        for path in [path, data.tmp(), data.mail(), data.tls()] {
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", path.display());
        }
    }

    #[test]
    fn two_servers_do_not_share_a_folder_but_may_follow_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataDir::open(folder.path()).unwrap();
        let refusal = DataDir::open(folder.path()).unwrap_err();
        assert!(refusal.starts_with("another smtp-mta is using"), "{refusal}");
        drop(first);
        DataDir::open(folder.path()).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "").unwrap();
        let refusal = DataDir::open(&path).unwrap_err();
        assert!(refusal.contains(&path.display().to_string()), "{refusal}");
    }
}
