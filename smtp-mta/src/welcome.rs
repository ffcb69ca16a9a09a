//! What is printed when the server has started: where it listens, and a first mail to send.

use crate::{
    config::{Certificate, Config, Listener, Role, TlsStart},
    policy::MailboxName,
    tls,
};
use std::fmt;

/// What to print for a server of `config` that is listening.
#[derive(Clone, Copy, Debug)]
pub struct Welcome<'a> {
    /// How it was configured.
    pub config: &'a Config,
    /// Where it listens.
    pub listening: &'a [Listener],
}

impl fmt::Display for Welcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for listener in self.listening {
            let spoken = match listener.role {
                Role::Mx => "SMTP",
                Role::Submission | Role::Submissions => "submission",
                Role::Lmtp => "LMTP",
            };
            let tls = match listener.tls {
                TlsStart::Starttls => "with STARTTLS",
                TlsStart::Implicit => "inside TLS",
                TlsStart::Off => "without TLS",
            };
            writeln!(f, "listening on {} ({spoken} {tls})", listener.address)?;
        }
        let data = self.config.data_dir.display();
        writeln!(f, "mail for these lands in {data}/mail/NAME/:")?;
        for domain in self.config.domains.iter().filter(|domain| domain.alias_of.is_none()) {
            for mailbox in &domain.mailboxes {
                writeln!(f, "  {mailbox}@{}", domain.name)?;
            }
            let postmaster = MailboxName::postmaster();
            if !domain.aliases.iter().any(|alias| *alias.name.get_ref() == postmaster) {
                writeln!(f, "  {postmaster}@{}", domain.name)?;
            }
        }
        self.first_mail(f)
    }
}

impl Welcome<'_> {
    fn first_mail(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One that needs no password.
        let mut listeners = self.listening.iter();
        let Some(listener) = listeners.find(|it| it.role == Role::Mx) else { return Ok(()) };
        let Some(domain) = self.config.domains.first() else { return Ok(()) };
        let (ip, port) = (listener.address.ip(), listener.address.port());
        // A server on all addresses is tried on this machine's own.
        let ip = match ip {
            ip if !ip.is_unspecified() => ip,
            ip if ip.is_ipv4() => std::net::Ipv4Addr::LOCALHOST.into(),
            _ => std::net::Ipv6Addr::LOCALHOST.into(),
        };
        let host = std::net::SocketAddr::new(ip, port);
        // The first name that a command line can hold as it is.
        let mut names = domain.mailboxes.iter().map(MailboxName::as_str);
        let to = names.find(|name| is_plain(name)).unwrap_or(MailboxName::POSTMASTER);
        let to = format!("{to}@{}", domain.name);
        let (swaks, scheme, curl) = match listener.tls {
            TlsStart::Starttls => (" --tls", "smtp", " --ssl-reqd"),
            TlsStart::Implicit => (" --tls-on-connect", "smtps", ""),
            TlsStart::Off => ("", "smtp", ""),
        };
        let trust = match (&self.config.tls, listener.tls) {
            (_, TlsStart::Off) | (Certificate::Files { .. }, _) => String::new(),
            (Certificate::SelfMade, _) => {
                let own = self.config.data_dir.join("tls");
                let (certificate, _) = tls::self_made(&self.config.hostname, &own);
                format!(" --cacert {}", quoted(&certificate.display().to_string()))
            }
        };
        writeln!(f, "\nsend a first mail with one of these:")?;
        writeln!(f, "  swaks --server {ip} --port {port}{swaks} --to {to}")?;
        writeln!(
            f,
            "  printf 'Subject: Hello\\r\\n\\r\\nIt works.\\r\\n' | \
             curl {scheme}://{host}{curl}{trust} --mail-from me@example.org --mail-rcpt {to} -T -"
        )
    }
}

/// Whether a shell and a mail program both take `text` as it is.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/+".contains(&b))
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> String {
    if is_plain(text) { text.into() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> String {
        let config = Config::parse(text, "x.toml".as_ref()).unwrap();
        Welcome { config: &config, listening: &config.listeners }.to_string()
    }

    #[test]
    fn a_server_that_nobody_configured_shows_how_to_try_it() {
        let text = printed("");
        for line in [
            "listening on 127.0.0.1:2525 (SMTP with STARTTLS)",
            "listening on [::1]:2525 (SMTP with STARTTLS)",
            "mail for these lands in smtp-mta-data/mail/NAME/:",
            "  you@localhost",
            "  postmaster@localhost",
            "  swaks --server 127.0.0.1 --port 2525 --tls --to you@localhost",
            "  printf 'Subject: Hello\\r\\n\\r\\nIt works.\\r\\n' | curl smtp://127.0.0.1:2525 \
             --ssl-reqd --cacert smtp-mta-data/tls/localhost.crt --mail-from me@example.org \
             --mail-rcpt you@localhost -T -",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\nis not in\n{text}");
        }
    }

    #[test]
    fn the_lines_fit_the_listener() {
        let text = printed("[[listener]]\naddress = '0.0.0.0:25'\ntls = 'off'");
        assert!(text.contains("swaks --server 127.0.0.1 --port 25 --to"), "{text}");
        assert!(text.contains("curl smtp://127.0.0.1:25 --mail-from"), "{text}");
        let text = printed("[[listener]]\naddress = '[::]:465'\ntls = 'implicit'");
        assert!(text.contains("--port 465 --tls-on-connect --to"), "{text}");
        assert!(text.contains("curl smtps://[::1]:465 --cacert"), "{text}");
    }

    #[test]
    fn a_first_mail_needs_no_password() {
        let listener =
            |port, role| format!("[[listener]]\naddress = '127.0.0.1:{port}'\nrole = '{role}'\n");
        let text = printed(&(listener(587, "submission") + &listener(465, "submissions")));
        assert!(text.contains("127.0.0.1:587 (submission with STARTTLS)\n"), "{text}");
        assert!(text.contains("127.0.0.1:465 (submission inside TLS)\n"), "{text}");
        assert!(!text.contains("swaks"), "{text}");
        let text = printed(&(listener(587, "submission") + &listener(2525, "mx")));
        assert!(text.contains("swaks --server 127.0.0.1 --port 2525 "), "{text}");
    }

    #[test]
    fn only_what_has_a_mailbox_is_listed() {
        let text = printed(
            "[[domain]]
             name = 'a.example'
             mailboxes = ['ada']
             aliases = { postmaster = 'ada', info = 'ada' }
             [[domain]]
             name = 'b.example'
             alias_of = 'a.example'",
        );
        assert!(text.contains("/:\n  ada@a.example\n\nsend a first mail"), "{text}");
    }

    #[test]
    fn the_lines_can_be_pasted_whatever_the_names() {
        let text = printed(
            "data_dir = \"the cook's mail\"
             [[domain]]
             name = 'localhost'
             mailboxes = [\"o'hara jr\", 'jürgen', 'ada']",
        );
        assert!(text.contains(r" --cacert 'the cook'\''s mail/tls/localhost.crt' "), "{text}");
        assert!(text.contains(" --mail-rcpt ada@localhost "), "{text}");
    }
}
