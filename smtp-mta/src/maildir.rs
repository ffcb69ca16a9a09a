//! Delivery into Maildirs (<https://cr.yp.to/proto/maildir.html>).
//!
//! ```text
//! MAIL/NAME/tmp/   what is being copied from another file system
//! MAIL/NAME/new/   what has arrived; a file is here whole or not at all
//! MAIL/NAME/cur/   what a mail reader has seen
//! ```

use crate::{
    message_id::MessageId,
    policy::{DomainName, MailboxName},
    spool::{Spooled, TempFile},
    store::StoreError,
};
use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Age at which a file in a Maildir's `tmp/` is abandoned, whoever wrote it.
const ABANDONED: Duration = Duration::from_secs(36 * 60 * 60);

/// Characters of the host in a file name: with what readers add, a name has at most 255.
const HOST: usize = 128;

/// The Maildirs of all mailboxes, below one folder.
#[derive(Clone, Debug)]
pub struct Maildirs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    mail: PathBuf,
    host: DomainName,
}

impl Maildirs {
    /// The Maildirs below `mail`, made for `mailboxes` where they are missing; `host` becomes a
    /// part of file names. Abandoned files in them are removed. Blocks.
    ///
    /// # Errors
    /// A folder cannot be made, read or synced.
    pub fn open(
        mail: PathBuf,
        host: DomainName,
        mailboxes: &BTreeSet<MailboxName>,
    ) -> io::Result<Self> {
        let maildirs = Self(Arc::new(Inner { mail, host }));
        maildirs.make(mailboxes)?;
        let Inner { mail, host } = &*maildirs.0;
        for mailbox in mailboxes {
            let tmp = mail.join(mailbox.as_str()).join("tmp");
            remove_abandoned(&tmp, |name| is_ours(name, host), SystemTime::now())?;
        }
        Ok(maildirs)
    }

    /// Makes the Maildirs for `mailboxes` where they are missing. Blocks.
    ///
    /// # Errors
    /// A folder cannot be made or synced.
    pub fn make(&self, mailboxes: &BTreeSet<MailboxName>) -> io::Result<()> {
        mailboxes.iter().try_for_each(|mailbox| create(&self.0.mail, mailbox))
    }

    /// The file name of a message. In the words of the convention: seconds, a unique string, host.
    pub fn file_name(&self, id: MessageId) -> String {
        file_name(id, &self.0.host)
    }

    /// Puts a message into each of `mailboxes`: one file, synced once, and a link to it in each.
    /// What is done would survive a power cut. A message that is there already, by its name, is
    /// not there twice. Blocks.
    ///
    /// # Errors
    /// Nobody has it; or, in the place of a mailbox, why that has it not.
    pub fn deliver(
        &self,
        id: MessageId,
        message: Spooled,
        mailboxes: &[MailboxName],
    ) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        let name = file_name(id, &self.0.host);
        let mut file = Some(message.into_synced_file()?);
        let place = |(at, mailbox)| {
            let is_last = at + 1 == mailboxes.len();
            self.0.place(&mut file, is_last, &name, mailbox)
        };
        Ok(mailboxes.iter().enumerate().map(place).collect())
    }
}

impl Inner {
    /// Puts the message into one mailbox. The last one gets the file itself.
    fn place(
        &self,
        file: &mut Option<TempFile>,
        is_last: bool,
        name: &str,
        mailbox: &MailboxName,
    ) -> Result<(), StoreError> {
        let target = self.target(mailbox, name);
        let placed = self.with_maildir(mailbox, || match file.take() {
            None => Ok(()),
            Some(whole) if is_last => whole.rename(&target).map_err(|(back, error)| {
                *file = Some(back);
                error
            }),
            Some(whole) => {
                let linked = fs::hard_link(whole.path(), &target);
                *file = Some(whole);
                match linked {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                    linked => linked,
                }
            }
        });
        if let (Err(_), Some(whole)) = (placed, file) {
            self.copy(whole.path(), mailbox, name, &target)?;
        }
        sync_directory(&self.mail.join(mailbox.as_str()).join("new"))
            .map_err(StoreError::while_doing("cannot sync the mailbox"))
    }

    fn target(&self, mailbox: &MailboxName, name: &str) -> PathBuf {
        self.mail.join(mailbox.as_str()).join("new").join(name)
    }

    /// Does `what`; if something is missing, makes the Maildir and does it again: somebody may have
    /// removed an empty one.
    fn with_maildir(
        &self,
        mailbox: &MailboxName,
        mut what: impl FnMut() -> io::Result<()>,
    ) -> io::Result<()> {
        match what() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(&self.mail, mailbox)?;
                what()
            }
            done => done,
        }
    }

    /// The slow way, for a mailbox on another file system or one that has no links.
    fn copy(
        &self,
        from: &Path,
        mailbox: &MailboxName,
        name: &str,
        target: &Path,
    ) -> Result<(), StoreError> {
        let doing = StoreError::while_doing;
        let mut from = File::open(from).map_err(doing("cannot read the message back"))?;
        let path = self.mail.join(mailbox.as_str()).join("tmp").join(name);
        let mut copy = TempFile::create(path)?;
        copy.append_from(&mut from)?;
        copy.sync()?;
        copy.rename(target).map_err(|(_, e)| doing("cannot put the message into the mailbox")(e))
    }
}

fn file_name(id: MessageId, host: &DomainName) -> String {
    let since = id.time().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("{}.{id}.{}", since.as_secs(), host_part(host))
}

/// As much of the host as a file name has room for; it is ASCII.
fn host_part(host: &DomainName) -> &str {
    host.as_str().get(..HOST).unwrap_or(host.as_str())
}

/// Makes the Maildir of `mailbox` below `mail`, which survives a power cut, if it is not there.
fn create(mail: &Path, mailbox: &MailboxName) -> io::Result<()> {
    let maildir = mail.join(mailbox.as_str());
    for folder in ["tmp", "new", "cur"] {
        DirBuilder::new().recursive(true).mode(0o700).create(maildir.join(folder))?;
    }
    sync_directory(&maildir)?;
    sync_directory(mail)
}

/// Makes the entries of a folder survive a power cut.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Removes the files of a `tmp` folder that nobody will complete: ours, since we have just started,
/// and those that are old by the convention.
pub(crate) fn remove_abandoned(
    tmp: &Path,
    is_ours: impl Fn(&str) -> bool,
    now: SystemTime,
) -> io::Result<()> {
    for entry in fs::read_dir(tmp)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if !metadata.is_file() {
            continue;
        }
        let old = now.duration_since(metadata.modified()?).is_ok_and(|age| age > ABANDONED);
        if old || entry.file_name().to_str().is_some_and(&is_ours) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Whether `file_name` would give `name` for some message.
fn is_ours(name: &str, host: &DomainName) -> bool {
    let mut parts = name.splitn(3, '.');
    let seconds = parts.next().is_some_and(|part| part.bytes().all(|b| b.is_ascii_digit()));
    let id = parts.next().is_some_and(MessageId::is_one);
    seconds && id && parts.next() == Some(host_part(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message_id::MessageIds;
    use std::os::unix::fs::PermissionsExt;

    struct Given {
        folder: tempfile::TempDir,
        maildirs: Maildirs,
        ids: MessageIds,
    }

    fn name(name: &str) -> MailboxName {
        MailboxName::new(name).unwrap()
    }

    fn given() -> Given {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tmp")).unwrap();
        let mail = folder.path().join("mail");
        let names = [name("a"), name("b")].into();
        let maildirs = Maildirs::open(mail, DomainName::localhost(), &names).unwrap();
        Given { folder, maildirs, ids: MessageIds::new().unwrap() }
    }

    impl Given {
        fn message(&self, id: MessageId) -> Spooled {
            let path = self.folder.path().join("tmp").join(self.maildirs.file_name(id));
            Spooled::Memory(b"octets\r\n".to_vec(), path)
        }

        /// Delivers a new message; whether each mailbox has it.
        fn deliver(&self, mailboxes: &[&str]) -> Result<Vec<bool>, StoreError> {
            self.deliver_again(self.ids.next(), mailboxes)
        }

        fn deliver_again(&self, id: MessageId, to: &[&str]) -> Result<Vec<bool>, StoreError> {
            let mailboxes: Vec<_> = to.iter().map(|n| name(n)).collect();
            let delivered = self.maildirs.deliver(id, self.message(id), &mailboxes)?;
            Ok(delivered.iter().map(Result::is_ok).collect())
        }

        /// All files below, with their octets.
        fn files(&self, folder: &str) -> Vec<Vec<u8>> {
            let entries = fs::read_dir(self.folder.path().join(folder)).unwrap();
            entries.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
        }

        /// Nothing anywhere but in `new/`.
        fn is_tidy(&self) -> bool {
            ["tmp", "mail/a/tmp", "mail/a/cur", "mail/b/tmp", "mail/b/cur"]
                .iter()
                .all(|folder| self.files(folder).is_empty())
        }
    }

    #[test]
    fn a_host_of_any_length_fits_into_the_name_of_a_file() {
        let label = "x".repeat(60);
        let host = DomainName::new(&[&*label, &*label, &*label, &*label].join(".")).unwrap();
        let name = file_name(MessageIds::new().unwrap().next(), &host);
        assert!(name.len() + ":2,DFPRST".len() < 200, "{name}");
        assert!(is_ours(&name, &host));
    }

    #[test]
    fn a_message_for_two_is_in_both_mailboxes_and_nowhere_else() {
        let given = given();
        given.deliver(&["a", "b"]).unwrap();
        assert_eq!(given.files("mail/a/new"), [b"octets\r\n"]);
        assert_eq!(given.files("mail/b/new"), [b"octets\r\n"]);
        assert!(given.is_tidy());
    }

    #[test]
    fn names_are_unique_and_follow_the_convention() {
        let given = given();
        for _ in 0..100 {
            given.deliver(&["a"]).unwrap();
        }
        let entries = fs::read_dir(given.folder.path().join("mail/a/new")).unwrap();
        let names: Vec<_> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(names.len(), 100);
        for name in names {
            assert!(is_ours(&name, &DomainName::localhost()), "{name}");
            assert!(!name.contains([':', '/']) && !name.starts_with('.'), "{name}");
        }
    }

    #[test]
    fn a_mailbox_that_was_removed_is_made_again() {
        let given = given();
        fs::remove_dir_all(given.folder.path().join("mail/a")).unwrap();
        fs::remove_dir_all(given.folder.path().join("mail/b")).unwrap();
        given.deliver(&["a", "b"]).unwrap();
        assert_eq!(given.files("mail/a/new").len(), 1);
        assert_eq!(given.files("mail/b/new").len(), 1);
    }

    #[test]
    fn a_mailbox_that_cannot_be_written_is_no_matter_of_the_others() {
        for (broken, other) in [("a", "b"), ("b", "a")] {
            let given = given();
            let new = given.folder.path().join("mail").join(broken).join("new");
            fs::remove_dir(&new).unwrap();
            fs::write(&new, "not a folder").unwrap();
            let delivered = given.deliver(&["a", "b"]).unwrap();
            assert_eq!(delivered, [broken != "a", broken != "b"]);
            fs::remove_file(&new).unwrap();
            fs::create_dir(&new).unwrap();
            assert_eq!(given.files(&format!("mail/{other}/new")).len(), 1);
            assert!(given.is_tidy());
        }
    }

    #[test]
    fn a_message_that_comes_again_is_there_once() {
        let given = given();
        let id = given.ids.next();
        for to in [&["a", "b"][..], &["b", "a"], &["a"], &["b"]] {
            assert!(given.deliver_again(id, to).unwrap().iter().all(|done| *done));
        }
        assert_eq!(given.files("mail/a/new").len(), 1);
        assert_eq!(given.files("mail/b/new").len(), 1);
        assert!(given.is_tidy());
    }

    #[test]
    fn a_spool_folder_that_cannot_be_written_delivers_nothing() {
        let given = given();
        fs::remove_dir(given.folder.path().join("tmp")).unwrap();
        given.deliver(&["a"]).unwrap_err();
        assert!(given.files("mail/a/new").is_empty());
    }

    #[test]
    fn a_message_can_be_copied_where_it_cannot_be_linked() {
        let given = given();
        let file = given.message(given.ids.next()).into_synced_file().unwrap();
        let target = given.maildirs.0.target(&name("a"), "n");
        given.maildirs.0.copy(file.path(), &name("a"), "n", &target).unwrap();
        drop(file);
        assert_eq!(given.files("mail/a/new"), [b"octets\r\n"]);
        assert!(given.is_tidy());
    }

    #[test]
    fn nobody_else_may_read_mail() {
        let given = given();
        given.deliver(&["a"]).unwrap();
        let new = given.folder.path().join("mail/a/new");
        let file = fs::read_dir(&new).unwrap().next().unwrap().unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(new).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn only_abandoned_files_are_removed() {
        let given = given();
        let tmp = given.folder.path().join("tmp");
        let ours = given.maildirs.file_name(given.ids.next());
        fs::write(tmp.join(&ours), "").unwrap();
        fs::write(tmp.join("1.other.elsewhere"), "").unwrap();
        fs::create_dir(tmp.join("folder")).unwrap();
        let host = DomainName::localhost();

        let ours_here = |name: &str| is_ours(name, &host);
        remove_abandoned(&tmp, ours_here, SystemTime::now()).unwrap();
        assert!(!tmp.join(&ours).exists());
        assert!(tmp.join("1.other.elsewhere").exists());

        let later = SystemTime::now() + ABANDONED + Duration::from_secs(1);
        remove_abandoned(&tmp, ours_here, later).unwrap();
        assert!(!tmp.join("1.other.elsewhere").exists());
        assert!(tmp.join("folder").exists());
    }
}
