//! What the operator of a server tells the suite, so that it can test more: `target.toml`.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

/// What the operator tells. Everything may be missing; what then cannot be tested is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cooperation {
    /// The server's name and version, for reports: `Postfix 3.7.11`.
    pub software: Option<String>,
    /// Mailboxes that exist, `user1@example.test`: the more, the better; at least two.
    pub recipients: Vec<String>,
    /// An address in a local domain that does not exist.
    pub unknown: Option<String>,
    /// An address that the tester must not be allowed to relay to.
    pub foreign: Option<String>,
    /// A recipient that is accepted and whose delivery fails later.
    pub failing: Option<String>,
    /// A name and its password.
    pub credentials: Option<Credentials>,
    /// The name for SNI; the main address's domain otherwise.
    pub tls_name: Option<String>,
    /// How to look into mailboxes.
    pub mailbox: Option<Mailbox>,
    /// The tester's address is trusted, for relay and the like: tests of strangers are left out.
    pub trusted: bool,
    /// Mail is taken only after AUTH: sessions authenticate with the credentials, inside TLS where
    /// that is offered, before they say anything else.
    pub sign_in: bool,
    /// The mailboxes hold messages as they were received, such as those of a mail catcher or behind
    /// a library: trace fields are not looked for.
    pub as_received: bool,
    /// The process of the server, whose memory may be watched.
    pub pid: Option<u32>,
    /// The server's log file.
    pub log: Option<PathBuf>,
    /// Where the server asks for names: the suite answers there, over UDP.
    pub dns: Option<SocketAddr>,
}

/// A name and its password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// How to look into mailboxes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Mailbox {
    /// The Maildir of each recipient.
    Maildir(BTreeMap<String, PathBuf>),
    /// A command that prints the messages of a recipient, one behind the other, each with a line
    /// `From ` in front (mbox): run with the address as its only argument.
    Command(Vec<String>),
    /// An address on which the suite listens for what the server relays to it; messages there have
    /// left the server, so that nothing of final delivery is looked for.
    Capture(SocketAddr),
}
