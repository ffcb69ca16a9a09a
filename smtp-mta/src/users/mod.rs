//! Who may log in.
//!
//! ```text
//! smtp-mta user  ->  DATA/users.toml  ->  Users: AUTH (RFC 4954)
//! ```
//!
//! A password is never stored: [`mod@file`] keeps an argon2id hash of it for PLAIN and LOGIN, and keys
//! for SCRAM-SHA-256. [`logins`] adds those who come with a certificate. [`hashing`] bounds what
//! checking costs, [`throttle`] what guessing brings.

pub mod command;
pub mod file;
pub mod hashing;
pub mod logins;
pub mod throttle;

pub use file::{UserName, UsersFile};
pub use logins::{Fingerprint, Logins};

use file::{Record, Stamp};
use hashing::Hashing;
use smtp_driver::{
    Peer, Stop,
    sasl::{Answer, Checked, Credentials, Identity, ScramKeys},
};
use smtp_proto::{Secret, wire::Mechanism};
use std::{
    io,
    net::IpAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use throttle::Throttle;
use tokio::{task::spawn_blocking, time::timeout};

/// The users of a server that runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Users(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: UsersFile,
    read: Mutex<Read>,
    hashing: Hashing,
    throttle: Mutex<Throttle>,
    stop: Stop,
}

/// The file as it was read last.
#[derive(Debug)]
struct Read {
    stamp: Option<Stamp>,
    table: Arc<file::Table>,
}

impl Users {
    /// The users of the data folder at `data`. Blocks.
    ///
    /// # Errors
    /// The file cannot be read or made, or is not ours.
    pub fn open(data: &Path) -> io::Result<Self> {
        let file = UsersFile::new(data);
        let (stamp, table) = (file.stamp()?, file.read_or_make()?);
        Ok(Self(Arc::new(Inner {
            file,
            read: Mutex::new(Read { stamp, table: Arc::new(table) }),
            hashing: Hashing::default(),
            throttle: Mutex::default(),
            stop: Stop::new(),
        })))
    }

    /// Reads the file again if it has changed, which every login does as well. Blocks.
    ///
    /// # Errors
    /// The file cannot be read; what was read before stays.
    pub fn reload(&self) -> io::Result<()> {
        self.0.table().map(drop)
    }

    /// The server stops: who waits for a turn has none any more.
    pub fn stop(&self) {
        self.0.stop.stop();
    }

    /// Waits until it is the turn of a peer that has guessed; false if it has no turn soon.
    async fn turn(&self, peer: &Peer, name: Option<&UserName>) -> bool {
        let wait = lock(&self.0.throttle).turn(address(peer), name, Instant::now());
        match wait {
            None => false,
            Some(Duration::ZERO) => true,
            Some(wait) => timeout(wait, self.0.stop.given()).await.is_err(),
        }
    }

    /// The line about a login, and the count of failures. A name that is not `known` to be a user's
    /// is not logged: it may be a password in the wrong place.
    fn settle(
        &self,
        peer: &Peer,
        name: Option<&UserName>,
        known: bool,
        how: &str,
        checked: Checked,
    ) -> Checked {
        let (address, now) = (address(peer), Instant::now());
        let outcome = match (checked, name) {
            (Checked::Right, Some(name)) => {
                lock(&self.0.throttle).succeeded(address, name, now);
                "accepted"
            }
            // Right is nobody who has no name.
            (Checked::Right, None) | (Checked::Wrong, _) => {
                lock(&self.0.throttle).failed(address, name, now);
                "refused"
            }
            (Checked::Unavailable, _) => "unavailable",
        };
        tracing::info!(
            peer = peer.remote.map(|remote| remote.to_string()),
            user = name.filter(|_| known).map(UserName::as_str),
            how,
            outcome,
            "login"
        );
        checked
    }
}

impl Credentials for Users {
    fn check<'a>(
        &'a self,
        peer: &'a Peer,
        identity: &'a Identity,
        password: &'a str,
    ) -> Answer<'a, Checked> {
        Box::pin(async move {
            let name = UserName::new(&identity.authentication_id);
            if !self.turn(peer, name.as_ref()).await {
                return self.settle(peer, None, false, "password", Checked::Unavailable);
            }
            let password = Secret::new(password.to_owned());
            let (inner, wanted) = (Arc::clone(&self.0), name.clone());
            let found = self.0.hashing.run(move || {
                let table = inner.current();
                let record = wanted.as_ref().and_then(|name| table.find(name));
                // Somebody who is not there has a hash that no password fits: the same work.
                let right = Record::or_nobody(record).fits(password.expose());
                (record.is_some(), right)
            });
            let (known, checked) = match found.await {
                None => (false, Checked::Unavailable),
                Some((known, right)) if right && known && is_same(&name, identity) => {
                    (known, Checked::Right)
                }
                Some((known, _)) => (known, Checked::Wrong),
            };
            self.settle(peer, name.as_ref(), known, "password", checked)
        })
    }

    fn keys<'a>(&'a self, name: &'a str) -> Answer<'a, Option<ScramKeys>> {
        let (inner, name) = (Arc::clone(&self.0), name.to_owned());
        Box::pin(async move { spawn_blocking(move || inner.current().keys(&name)).await.ok() })
    }

    fn proved<'a>(
        &'a self,
        peer: &'a Peer,
        identity: &'a Identity,
        mechanism: &'a Mechanism<'static>,
        right: bool,
    ) -> Answer<'a, Checked> {
        Box::pin(async move {
            let name = UserName::new(&identity.authentication_id);
            if !self.turn(peer, name.as_ref()).await {
                return self.settle(peer, None, false, mechanism.as_str(), Checked::Unavailable);
            }
            let checked = match right && is_same(&name, identity) {
                true => Checked::Right,
                false => Checked::Wrong,
            };
            // Only a user who is there can have been right.
            self.settle(peer, name.as_ref(), right, mechanism.as_str(), checked)
        })
    }
}

/// Nobody acts as another.
fn is_same(name: &Option<UserName>, identity: &Identity) -> bool {
    let wanted = &identity.authorization_id;
    name.is_some() && (wanted.is_empty() || UserName::new(wanted) == *name)
}

fn address(peer: &Peer) -> Option<IpAddr> {
    peer.remote.map(|remote| remote.ip())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    /// The users, read again if the file has changed.
    fn table(&self) -> io::Result<Arc<file::Table>> {
        let stamp = self.file.stamp()?;
        let mut read = lock(&self.read);
        if stamp != read.stamp {
            *read = Read { table: Arc::new(self.file.read_or_make()?), stamp };
        }
        Ok(Arc::clone(&read.table))
    }

    /// The same; what was read before if it cannot be read now.
    fn current(&self) -> Arc<file::Table> {
        self.table().unwrap_or_else(|error| {
            let reason = error.to_string();
            tracing::error!(reason, "the users cannot be read: the ones before stay");
            Arc::clone(&lock(&self.read).table)
        })
    }
}

#[cfg(test)]
mod tests;
