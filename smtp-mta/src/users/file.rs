//! The file of users: `DATA/users.toml`.
//!
//! Changed as a whole: a reader finds the old file or the new one, and two who change it at the
//! same time do so one after the other.

use crate::{
    maildir::sync_directory,
    policy::{DomainName, folded},
};
use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use smtp_driver::sasl::{ScramKeys, prepared};
use smtp_proto::wire::Base64;
use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Who may log in: `ada`, or an address. Upper and lower case are the same, as in mailboxes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(String);

impl UserName {
    /// Checks `name`: 1 to 255 octets, no control character; `None` if it is something else.
    pub fn new(name: &str) -> Option<Self> {
        // RFC 5802 §5.1, which leaves no control character.
        let name = prepared(name).filter(|name| name.len() <= 255)?;
        Some(Self(match name.rsplit_once('@') {
            Some((local, domain)) => format!("{}@{}", folded(local), DomainName::new(domain)?),
            None => folded(&name),
        }))
    }

    /// The name, in lower case; a domain in A-labels.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the domain, and the domain, if it is an address.
    pub fn address(&self) -> Option<(&str, &str)> {
        self.0.rsplit_once('@')
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<'de> Deserialize<'de> for UserName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::new(&text).ok_or_else(|| {
            de::Error::custom(format_args!(
                "`{}` cannot be the name of a user",
                text.escape_debug()
            ))
        })
    }
}

impl Serialize for UserName {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

/// What the file says.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    /// From which the salts of users are made who are not there.
    secret: String,
    #[serde(default, rename = "user")]
    users: BTreeMap<UserName, Record>,
}

/// What is kept of a password.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// In the PHC format.
    argon2id: Cow<'static, str>,
    /// In that of RFC 5803.
    scram_sha_256: String,
}

/// A hash that no password is known to fit, as costly as that of a user.
static NOBODY: Record = Record {
    argon2id: Cow::Borrowed(
        "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGF0IGFsbC4uLg\
         $UoW1ZQmTgIohnBD7CHs9vvX6A3XVHYmScvCGfZ7uCC8",
    ),
    scram_sha_256: String::new(),
};

impl Record {
    /// Of a new password. Argon2id as OWASP's minimum has it, the default of the library: 19 MiB,
    /// two passes, one lane.
    fn new(password: &str) -> Result<Self, &'static str> {
        const BAD: &str = "the password is empty or has a character that mail programs cannot send";
        let scram = ScramKeys::derive(password, ScramKeys::ITERATIONS).map_err(|_| BAD)?;
        let password = prepared(password).ok_or(BAD)?;
        let hash = Argon2::default().hash_password(password.as_bytes()).map_err(|_| BAD)?;
        Ok(Self { argon2id: hash.to_string().into(), scram_sha_256: scram.encode() })
    }

    pub(super) fn or_nobody(record: Option<&Self>) -> &Self {
        record.unwrap_or(&NOBODY)
    }

    /// Whether `password` is the one. Takes as long for each.
    pub(super) fn fits(&self, password: &str) -> bool {
        // What cannot be prepared fits nothing, which is found out at the same cost.
        let password = prepared(password).unwrap_or_default();
        PasswordHash::new(&self.argon2id)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    }
}

impl Table {
    fn new() -> io::Result<Self> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(io::Error::other)?;
        Ok(Self { secret: Base64::encode(&secret).as_str().to_owned(), users: BTreeMap::new() })
    }

    pub(super) fn find(&self, name: &UserName) -> Option<&Record> {
        self.users.get(name)
    }

    /// The keys of a user, or such as one might have who is not there. Both are worked out, and one
    /// is chosen.
    pub(super) fn keys(&self, name: &str) -> ScramKeys {
        let known = UserName::new(name);
        let written = known.as_ref().map_or(name, UserName::as_str);
        let unknown = ScramKeys::unknown(written, self.secret.as_bytes(), ScramKeys::ITERATIONS);
        let record = known.as_ref().and_then(|name| self.find(name));
        let found =
            ScramKeys::decode(&record.map_or(unknown.encode(), |r| r.scram_sha_256.clone()));
        found.unwrap_or(unknown)
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("users", &self.users.len()).finish_non_exhaustive()
    }
}

/// By what a file is known to be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    size: u64,
    modified: Option<SystemTime>,
}

/// Why the users cannot be changed: a plain sentence.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotChanged(String);

impl From<io::Error> for NotChanged {
    fn from(error: io::Error) -> Self {
        Self(format!("cannot change the users: {error}"))
    }
}

/// Where users are kept.
#[derive(Clone, Debug)]
pub struct UsersFile {
    folder: PathBuf,
    path: PathBuf,
}

impl UsersFile {
    /// The file in the data folder at `data`.
    pub fn new(data: &Path) -> Self {
        Self { folder: data.into(), path: data.join("users.toml") }
    }

    /// Adds a user. Blocks.
    ///
    /// # Errors
    /// There is one of this name, the password cannot be used, or the file not be written.
    pub fn add(&self, name: &UserName, password: &str) -> Result<(), NotChanged> {
        let record = Record::new(password).map_err(|why| NotChanged(why.into()))?;
        self.change(|users| match users.contains_key(name) {
            true => Err(NotChanged(format!("there is a user `{name}`: use `user passwd`"))),
            false => {
                users.insert(name.clone(), record);
                Ok(())
            }
        })
    }

    /// Gives a user another password. Blocks.
    ///
    /// # Errors
    /// As [`add`](Self::add), if there is none of this name.
    pub fn set_password(&self, name: &UserName, password: &str) -> Result<(), NotChanged> {
        let record = Record::new(password).map_err(|why| NotChanged(why.into()))?;
        self.change(|users| match users.get_mut(name) {
            None => Err(no_such(name)),
            Some(before) => {
                *before = record;
                Ok(())
            }
        })
    }

    /// Deletes a user. Blocks.
    ///
    /// # Errors
    /// There is none of this name, or the file cannot be written.
    pub fn delete(&self, name: &UserName) -> Result<(), NotChanged> {
        self.change(|users| users.remove(name).map(drop).ok_or_else(|| no_such(name)))
    }

    /// Whether there is such a user. Blocks.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn contains(&self, name: &UserName) -> io::Result<bool> {
        Ok(self.read()?.is_some_and(|table| table.find(name).is_some()))
    }

    /// All names, sorted. Blocks.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn names(&self) -> io::Result<Vec<UserName>> {
        Ok(self.read()?.map_or_else(Vec::new, |table| table.users.into_keys().collect()))
    }

    pub(super) fn stamp(&self) -> io::Result<Option<Stamp>> {
        match fs::metadata(&self.path) {
            Ok(found) => Ok(Some(Stamp {
                inode: found.ino(),
                size: found.len(),
                modified: found.modified().ok(),
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What the file says; without one, a new one is made.
    pub(super) fn read_or_make(&self) -> io::Result<Table> {
        match self.read()? {
            Some(table) => Ok(table),
            None => {
                let _lock = self.lock()?;
                match self.read()? {
                    Some(table) => Ok(table),
                    None => {
                        let table = Table::new()?;
                        self.write(&table)?;
                        Ok(table)
                    }
                }
            }
        }
    }

    fn read(&self) -> io::Result<Option<Table>> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // The error of the parser would show what stands there.
        toml::from_str(&text).map(Some).map_err(|_| {
            io::Error::other(format!("{} is not a file of users", self.path.display()))
        })
    }

    fn change(
        &self,
        how: impl FnOnce(&mut BTreeMap<UserName, Record>) -> Result<(), NotChanged>,
    ) -> Result<(), NotChanged> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let _lock = self.lock()?;
        let mut table = match self.read()? {
            Some(table) => table,
            None => Table::new()?,
        };
        how(&mut table.users)?;
        Ok(self.write(&table)?)
    }

    /// Held while the file is changed; it goes with the process.
    fn lock(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let lock = options.create(true).truncate(false).write(true).mode(0o600);
        let lock = lock.open(self.folder.join("users.lock"))?;
        lock.lock()?;
        Ok(lock)
    }

    fn write(&self, table: &Table) -> io::Result<()> {
        let text = toml::to_string(table).map_err(io::Error::other)?;
        let new = self.folder.join("users.new");
        // One that was left behind may be readable for others.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        writeln!(file, "# Written by `smtp-mta user`. Keep it secret.\n{text}")?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        sync_directory(&self.folder)
    }
}

fn no_such(name: &UserName) -> NotChanged {
    NotChanged(format!("there is no user `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn name(text: &str) -> UserName {
        UserName::new(text).unwrap()
    }

    #[test]
    fn names_are_compared_without_case_and_addresses_by_their_a_labels() {
        assert_eq!(name("Ada"), name("ada"));
        assert_eq!(name("JÜRGEN@Bücher.example"), name("ju\u{308}rgen@xn--bcher-kva.example"));
        for wrong in ["", "a\nb", "a\0b", "a@", "a@b c", &"x".repeat(256)] {
            assert_eq!(UserName::new(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_user_comes_changes_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let file = UsersFile::new(&folder.path().join("new"));
        assert_eq!(file.names().unwrap(), []);
        file.add(&name("ada"), "one").unwrap();
        file.add(&name("grace"), "two").unwrap();
        assert!(file.add(&name("ADA"), "three").is_err());
        assert_eq!(file.names().unwrap(), [name("ada"), name("grace")]);

        let fits =
            |password| file.read().unwrap().unwrap().find(&name("ada")).unwrap().fits(password);
        assert!(fits("one") && !fits("two") && !fits(""));
        file.set_password(&name("ada"), "three").unwrap();
        assert!(fits("three") && !fits("one"));
        assert!(file.set_password(&name("bob"), "x").is_err());

        file.delete(&name("ada")).unwrap();
        assert!(file.delete(&name("ada")).is_err());
        assert_eq!(file.names().unwrap(), [name("grace")]);
    }

    #[test]
    fn the_file_is_for_its_owner_only_and_has_no_password() {
        let folder = tempfile::tempdir().unwrap();
        let file = UsersFile::new(folder.path());
        fs::write(folder.path().join("users.new"), "left behind").unwrap();
        file.add(&name("ada"), "hunter2").unwrap();
        let mode = fs::metadata(&file.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = fs::read_to_string(&file.path).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
        assert!(text.contains("SCRAM-SHA-256$15000:"), "{text}");
    }

    #[test]
    fn two_who_change_the_file_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for n in 0..4 {
                let file = UsersFile::new(folder.path());
                scope.spawn(move || file.add(&name(&format!("user{n}")), "x").unwrap());
            }
        });
        assert_eq!(UsersFile::new(folder.path()).names().unwrap().len(), 4);
    }

    #[test]
    fn a_password_that_no_client_could_send_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = UsersFile::new(folder.path());
        for wrong in ["", "a\u{7}b"] {
            assert!(file.add(&name("ada"), wrong).is_err());
        }
        assert_eq!(file.names().unwrap(), []);
    }

    #[test]
    fn a_broken_file_is_told_of_without_showing_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = UsersFile::new(folder.path());
        fs::write(&file.path, "secret = 'hunter2'\nsecret = 'hunter2'").unwrap();
        let error = file.add(&name("ada"), "x").unwrap_err().to_string();
        assert!(error.contains("users.toml is not a file of users"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn nobody_costs_what_a_user_costs() {
        let user = Record::new("x").unwrap();
        let params = |record: &Record| {
            let hash = PasswordHash::new(&record.argon2id).unwrap();
            let lengths = (hash.salt.unwrap().as_ref().len(), hash.hash.unwrap().as_ref().len());
            (hash.algorithm.to_string(), hash.version, hash.params.to_string(), lengths)
        };
        assert_eq!(params(&user), params(&NOBODY));
        assert!(!NOBODY.fits("") && !NOBODY.fits("nobody"));
    }

    #[test]
    fn keys_of_somebody_who_is_not_there_look_like_those_of_somebody_who_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = UsersFile::new(folder.path());
        file.add(&name("ada"), "x").unwrap();
        let table = file.read().unwrap().unwrap();
        let shown = |name| {
            let text = table.keys(name).encode();
            text.rsplit_once('$').unwrap().0.to_owned()
        };
        assert_eq!(shown("ada"), shown("ADA"));
        assert_eq!(shown("bob"), shown("BOB"));
        assert_ne!(shown("ada"), shown("bob"));
        assert_eq!(shown("ada").len(), shown("bob").len());
    }
}
