//! `target.toml`: where the server listens, and what its operator tells of it.

use crate::{
    cooperation::{Cooperation, Mailbox},
    profile::Profile,
    wire::{Port, TcpTarget},
};
use std::{
    io,
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    path::{Path, PathBuf},
    time::Duration,
};

/// A server, as its operator describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// The listener that a run is about, as `host:port`.
    pub address: Option<String>,
    /// The listener with TLS from the first octet.
    pub implicit_tls: Option<String>,
    /// The listener for submission.
    pub submission: Option<String>,
    /// The listener for LMTP.
    pub lmtp: Option<String>,
    /// The listener that expects a PROXY header.
    pub proxy: Option<String>,
    /// The listener whose certificate is missing.
    pub broken_tls: Option<String>,
    /// The command that restarts the server, its words without a shell; empty if there is none.
    pub restart: Vec<String>,
    /// Everything else.
    pub cooperation: Cooperation,
}

/// Why a server is not run against.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// No address was given.
    #[error("which server? Give HOST:PORT, or `address` in the target file")]
    Nowhere,
    /// The name has no address.
    #[error("{0}: {1}")]
    Name(String, io::Error),
    /// It is not this machine, and nobody said whose it is.
    #[error(
        "{0} is {1}, which is not this machine. The suite sends messages and malformed commands: \
         run it against servers of your own only, and say so with --i-run-this-server"
    )]
    Stranger(String, SocketAddr),
    /// Nobody listens there.
    #[error("cannot connect to {0}: {1}")]
    Connect(String, io::Error),
}

impl Described {
    /// Reads a target file. Paths in it are relative to `folder`.
    ///
    /// # Errors
    /// It is no TOML, or has other keys.
    pub fn read(text: &str, folder: &Path) -> Result<Self, toml::de::Error> {
        let mut table: toml::Table = toml::from_str(text)?;
        let mut listener = |key: &str| table.remove(key).map(toml::Value::try_into).transpose();
        let mut described = Self {
            address: listener("address")?,
            implicit_tls: listener("implicit_tls")?,
            submission: listener("submission")?,
            lmtp: listener("lmtp")?,
            proxy: listener("proxy")?,
            broken_tls: listener("broken_tls")?,
            restart: Vec::new(),
            cooperation: Cooperation::default(),
        };
        if let Some(words) = table.remove("restart") {
            described.restart = words.try_into()?;
        }
        described.cooperation = table.try_into()?;
        if let Some(Mailbox::Maildir(folders)) = &mut described.cooperation.mailbox {
            folders.values_mut().for_each(|path| *path = folder.join(&*path));
        }
        let log = described.cooperation.log.as_ref();
        described.cooperation.log = log.map(|path: &PathBuf| folder.join(path));
        Ok(described)
    }

    /// The addresses, resolved. In the profiles for submission and LMTP the main address is that
    /// of such a listener, unless another was told.
    ///
    /// # Errors
    /// A name has no address; or one is not loopback and `own` is false; or nobody listens.
    pub fn resolve(
        &self,
        profile: Profile,
        timeout: Duration,
        own: bool,
    ) -> Result<TcpTarget, Refused> {
        let main = self.address.as_deref().ok_or(Refused::Nowhere)?;
        // All names before the first connection: a stranger's server is never touched.
        let others =
            [&self.implicit_tls, &self.submission, &self.lmtp, &self.proxy, &self.broken_tls];
        let mut resolved = Vec::new();
        for name in others {
            resolved.push(name.as_deref().map(|name| addresses(name, own)).transpose()?);
        }
        let main_address = reachable(main, &addresses(main, own)?, timeout)?;
        let first = |n: usize| resolved.get(n)?.as_ref()?.first().copied();
        let or_main = |address: Option<SocketAddr>, port| {
            address.or_else(|| (profile.port() == port).then_some(main_address))
        };
        Ok(TcpTarget {
            main: main_address,
            implicit_tls: first(0),
            submission: or_main(first(1), Port::Submission),
            lmtp: or_main(first(2), Port::Lmtp),
            proxy: first(3),
            broken_tls: first(4),
            restart: self.restart.clone(),
            timeout,
        })
    }
}

fn addresses(name: &str, own: bool) -> Result<Vec<SocketAddr>, Refused> {
    let failed = |error| Refused::Name(name.to_owned(), error);
    let all: Vec<_> = name.to_socket_addrs().map_err(failed)?.collect();
    if all.is_empty() {
        return Err(failed(io::ErrorKind::NotFound.into()));
    }
    match all.iter().find(|address| !address.ip().to_canonical().is_loopback()) {
        Some(stranger) if !own => Err(Refused::Stranger(name.to_owned(), *stranger)),
        _ => Ok(all),
    }
}

/// The first address that takes a connection: `localhost` is two.
fn reachable(name: &str, all: &[SocketAddr], timeout: Duration) -> Result<SocketAddr, Refused> {
    let mut failure = io::ErrorKind::NotFound.into();
    for address in all {
        match TcpStream::connect_timeout(address, timeout) {
            Ok(_) => return Ok(*address),
            Err(error) => failure = error,
        }
    }
    Err(Refused::Connect(name.to_owned(), failure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_file_has_listeners_and_what_the_operator_tells() {
        let text = "address = 'localhost:25'\nlmtp = '127.0.0.1:24'\n\
                    restart = ['systemctl', 'restart', 'mta']\n\
                    recipients = ['user1@example.test']\ntrusted = true\n\
                    [mailbox.maildir]\n'user1@example.test' = 'mail/user1'\n";
        let described = Described::read(text, Path::new("/srv")).unwrap();
        assert_eq!(described.address.as_deref(), Some("localhost:25"));
        assert_eq!(described.lmtp.as_deref(), Some("127.0.0.1:24"));
        assert!(described.cooperation.trusted);
        assert_eq!(described.restart, ["systemctl", "restart", "mta"]);
        let Some(Mailbox::Maildir(folders)) = described.cooperation.mailbox else { panic!() };
        assert_eq!(folders["user1@example.test"], Path::new("/srv/mail/user1"));
    }

    #[test]
    fn a_key_that_nobody_knows_is_refused() {
        assert!(Described::read("recipent = 'a'", Path::new("")).is_err());
        assert!(Described::read("address = 25", Path::new("")).is_err());
    }

    #[test]
    fn a_stranger_is_not_touched() {
        // A documentation address, RFC 5737: a connection would time out, so this would be slow.
        let stranger = Described { address: Some("192.0.2.1:25".into()), ..Described::default() };
        let refused = stranger.resolve(Profile::Default, Duration::from_secs(60), false);
        assert!(matches!(refused, Err(Refused::Stranger(..))));
        let hidden = Described {
            address: Some("127.0.0.1:1".into()),
            lmtp: Some("192.0.2.1:24".into()),
            ..Described::default()
        };
        let refused = hidden.resolve(Profile::Default, Duration::from_secs(60), false);
        assert!(matches!(refused, Err(Refused::Stranger(..))));
    }

    #[test]
    fn the_main_address_serves_the_profile_for_lmtp() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let told = Described { address: Some(address.to_string()), ..Described::default() };
        let resolve = |profile| told.resolve(profile, Duration::from_secs(1), false).unwrap();
        assert_eq!(resolve(Profile::Lmtp).lmtp, Some(address));
        assert_eq!(resolve(Profile::Lmtp).submission, None);
        assert_eq!(resolve(Profile::Default).lmtp, None);
    }
}
