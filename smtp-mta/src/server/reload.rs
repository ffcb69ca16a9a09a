//! Going on by another configuration: first all that can fail, then all of it at once.

use super::{
    Passed, Refusal, deliver,
    listen::{Socket, sockets},
    service::Services,
};
use crate::{
    config::{Config, Listener},
    data_dir::DataDir,
    deliver::Settings,
    maildir::Maildirs,
    policy::Policy,
    tls::{self, Watch},
};
use smtp_driver::Service;
use std::{fmt, net::SocketAddr};

/// What a server keeps as long as it runs.
#[derive(Debug)]
pub(super) struct Kept {
    /// Unlocks the data folder when the server is gone.
    pub(super) data: DataDir,
    pub(super) maildirs: Maildirs,
    pub(super) services: Services,
}

/// A configuration of which nothing can fail any more.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) config: Config,
    pub(super) changes: Changes,
    pub(super) policy: Policy,
    pub(super) settings: Settings,
    pub(super) listeners: Vec<Planned>,
    pub(super) watches: Vec<Watch>,
}

/// A listener to be.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) listener: Listener,
    pub(super) service: Service,
    pub(super) socket: Socket,
}

impl Kept {
    /// Does all that `config` needs and that can fail, while the server goes on by the one `before`,
    /// with listeners at the addresses that are `open`, whose TLS is `tls`. Blocks; must be called
    /// within a runtime of tokio.
    pub(super) fn plan(
        &self,
        before: &Config,
        open: &[SocketAddr],
        tls: Vec<Watch>,
        config: Config,
    ) -> Result<Plan, Refusal> {
        let changes = Changes::between(before, &config)?;
        self.services.users.reload().map_err(|error| Refusal(error.to_string()))?;
        let settings = deliver::settings(&config)?;
        self.maildirs
            .make(&settings.recipients.mailboxes())
            .map_err(|error| Refusal(format!("cannot make a mailbox: {error}")))?;
        let (listeners, watches) = self.planned(&config, open, Passed::default(), tls)?;
        let policy = config.policy().map_err(|error| Refusal(error.to_string()))?;
        Ok(Plan { config, changes, policy, settings, listeners, watches })
    }

    /// The listeners of `config`, and what tells when the files of their TLS change; `before` is that
    /// of those that are open.
    pub(super) fn planned(
        &self,
        config: &Config,
        open: &[SocketAddr],
        passed: Passed,
        mut before: Vec<Watch>,
    ) -> Result<(Vec<Planned>, Vec<Watch>), Refusal> {
        let (mut all, mut watches) = (Vec::new(), Vec::new());
        for (listener, socket) in sockets(&config.listeners, open, passed)? {
            let watch = tls::load(config, &listener, &self.data.tls(), &mut before)?;
            let acceptor = watch.as_ref().map(Watch::acceptor);
            let service = self.services.service(config, &listener, acceptor)?;
            watches.extend(watch);
            all.push(Planned { listener, service, socket });
        }
        Ok((all, watches))
    }
}

/// The keys of the configuration that another one has otherwise, and `certificate` if its files are
/// others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes(Vec<&'static str>);

impl Changes {
    pub(super) fn add(&mut self, name: &'static str) {
        self.0.push(name);
    }

    /// # Errors
    /// Something has changed that cannot while the server runs.
    fn between(before: &Config, after: &Config) -> Result<Self, Refusal> {
        // Each by its name: a new key has to say whether it can change.
        let Config {
            hostname,
            data_dir,
            message_size_limit,
            listeners,
            tls,
            log,
            domains,
            recipient_delimiter,
            routes,
            name_servers,
            ca_file,
            queue,
            relay_networks,
            users,
        } = after;
        let names = |keys: &[(&'static str, bool)]| -> Vec<_> {
            keys.iter().filter(|(_, changed)| *changed).map(|(name, _)| *name).collect()
        };
        let fixed = names(&[
            ("hostname", *hostname != before.hostname),
            ("data_dir", *data_dir != before.data_dir),
            ("ca_file", *ca_file != before.ca_file),
            ("log.format", log.format != before.log.format),
        ]);
        if !fixed.is_empty() {
            let keys = fixed.join(", ");
            return Err(Refusal(format!("needs a restart, for it changes {keys}")));
        }
        Ok(Self(names(&[
            ("message_size_limit", *message_size_limit != before.message_size_limit),
            ("listener", *listeners != before.listeners),
            ("tls", *tls != before.tls),
            ("log.level", log.level != before.log.level),
            ("domain", *domains != before.domains),
            ("recipient_delimiter", *recipient_delimiter != before.recipient_delimiter),
            ("route", *routes != before.routes),
            ("name_servers", *name_servers != before.name_servers),
            ("queue", *queue != before.queue),
            ("relay_networks", *relay_networks != before.relay_networks),
            ("user", *users != before.users),
        ])))
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => f.write_str("nothing"),
            keys => f.write_str(&keys.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(before: &str, after: &str) -> Result<String, String> {
        let parse = |text| Config::parse(text, "x.toml".as_ref()).unwrap();
        let changes = Changes::between(&parse(before), &parse(after));
        changes.map(|changes| changes.to_string()).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn what_has_changed_is_named_by_its_key() {
        assert_eq!(changes("", ""), Ok("nothing".into()));
        let after = "relay_networks = ['192.0.2.0/24']\n[log]\nlevel = 'debug'";
        assert_eq!(changes("", after), Ok("log.level, relay_networks".into()));
    }

    #[test]
    fn what_cannot_change_needs_a_restart() {
        let after = "hostname = 'mx.example'\nmessage_size_limit = '1 MiB'\ndata_dir = 'there'";
        let refused = "needs a restart, for it changes hostname, data_dir";
        assert_eq!(changes("", after), Err(refused.into()));
        assert!(changes("", "[log]\nformat = 'json'").is_err());
    }
}
