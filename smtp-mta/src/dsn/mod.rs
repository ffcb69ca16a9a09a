//! Notices about messages: that one has failed, is late, or has arrived (RFC 3461, RFC 3464; RFC
//! 6533 for what has UTF-8 addresses).
//!
//! A notice is a message of three parts: what has happened in plain words, the same for programs,
//! and what the sender needs to recognise the message. It comes from nobody, so that nothing can
//! follow from it (RFC 5321 §4.5.5).

mod original;
mod part;

use crate::{
    message_id::{MessageId, MessageIds},
    policy::{Destination, DomainName, Recipients},
    queue::{
        Attempt, Change, Entry, Envelope, NewMessage, NewRecipient, Recipient, SqliteQueue,
        Timestamp,
    },
    retry::RetryPolicy,
    schedule::{Action, Decision, Notice},
    spool::Spooled,
    trace::Date,
};
use arc_swap::ArcSwap;
use jiff::{Zoned, tz::TimeZone};
use original::Original;
use smtp_proto::{
    ext::{BodyType, Ret},
    wire::{ForwardPath, Host, Mailbox, ReversePath},
};
use std::{fmt::Write, path::PathBuf, sync::Arc};

/// Writes notices.
#[derive(Debug)]
pub struct Reporter {
    /// Who we are.
    pub hostname: DomainName,
    /// Names for the notices.
    pub ids: Arc<MessageIds>,
    /// Where one would be written that is too long for memory.
    pub tmp: PathBuf,
    /// How long messages are tried.
    pub retry: ArcSwap<RetryPolicy>,
    /// Where a sender of ours has the mail.
    pub recipients: ArcSwap<Recipients>,
}

/// What one notice is about: a sender may want one kind and not another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Failure,
    Delay,
    Success,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Failure, Self::Delay, Self::Success];

    fn of(action: Action) -> Self {
        match action {
            Action::Failed => Self::Failure,
            Action::Delayed => Self::Delay,
            Action::Delivered | Action::Relayed | Action::Expanded => Self::Success,
        }
    }

    fn subject(self) -> &'static str {
        match self {
            Self::Failure => "Your message could not be delivered",
            Self::Delay => "Your message is late",
            Self::Success => "Your message has arrived",
        }
    }
}

/// What there is to say about a recipient.
struct About<'d> {
    recipient: &'d Recipient,
    action: Action,
    /// The attempt that it is about.
    attempt: Option<&'d Attempt>,
    /// Until when it will be tried.
    until: Timestamp,
}

/// All that a notice is made of.
struct Facts<'d> {
    id: MessageId,
    hostname: &'d DomainName,
    kind: Kind,
    to: &'d Mailbox<'static>,
    entry: &'d Entry,
    about: Vec<About<'d>>,
    original: Option<&'d Original>,
    now: Timestamp,
}

impl Reporter {
    /// The notices that `decision` owes the sender of its message, which is still in `queue`; at
    /// most one of each kind. If the message cannot be read, they go without it.
    pub async fn reports(&self, queue: &SqliteQueue, decision: &Decision) -> Vec<NewMessage> {
        let entry = &*decision.entry;
        let ReversePath::Mailbox(to) = &entry.envelope.from else { return Vec::new() };
        if decision.notices.is_empty() {
            return Vec::new();
        }
        // RFC 3461 §4.3: RET is about failures only.
        let has_failed = decision.notices.iter().any(|notice| notice.action == Action::Failed);
        let whole = has_failed && entry.envelope.ret == Some(Ret::Full);
        let original = match Original::read(queue, entry, whole).await {
            Ok(original) => Some(original),
            Err(error) => {
                let (id, reason) = (entry.id.to_string(), error.to_string());
                tracing::error!(id, reason, "a notice goes without the message it is about");
                None
            }
        };
        let report = |kind| {
            let about: Vec<_> = decision
                .notices
                .iter()
                .filter(|notice| Kind::of(notice.action) == kind)
                .filter_map(|notice| self.about(decision, *notice))
                .collect();
            (!about.is_empty()).then(|| self.report(kind, to, entry, about, original.as_ref()))
        };
        Kind::ALL.into_iter().filter_map(report).collect()
    }

    fn about<'d>(&self, decision: &'d Decision, notice: Notice) -> Option<About<'d>> {
        let recipient = decision.entry.recipients.get(notice.recipient as usize)?;
        let mut changes = decision.changes.iter().filter(|(place, _)| *place == notice.recipient);
        let attempt = changes.find_map(|(_, change)| match change {
            Change::Wait { attempt, .. } | Change::Done { attempt, .. } => attempt.as_ref(),
            Change::Hold | Change::Release { .. } | Change::DelayTold => None,
        });
        let retry = self.retry.load();
        let retry = retry.of(domain(&recipient.to).as_ref());
        let until = decision.entry.received + retry.expire;
        Some(About { recipient, action: notice.action, attempt, until })
    }

    /// To whom a notice for `sender` goes, who may be an alias.
    fn recipients(&self, sender: ForwardPath<'static>) -> Vec<NewRecipient> {
        match self.recipients.load().find(&sender) {
            Ok(Destination::Others(targets)) => {
                targets.iter().map(|target| NewRecipient::new(target.to.clone())).collect()
            }
            _ => vec![NewRecipient::new(sender)],
        }
    }

    fn report(
        &self,
        kind: Kind,
        to: &Mailbox<'static>,
        entry: &Entry,
        about: Vec<About<'_>>,
        original: Option<&Original>,
    ) -> NewMessage {
        let (id, now) = (self.ids.next(), Timestamp::now());
        let hostname = &self.hostname;
        let octets = Facts { id, hostname, kind, to, entry, about, original, now }.write();
        let mut envelope = Envelope::new(ReversePath::Null);
        if !octets.is_ascii() {
            envelope.body = BodyType::EightBitMime;
        }
        // RFC 6533 §3: who sent with it can read it.
        envelope.smtputf8 = entry.envelope.smtputf8;
        let recipients = self.recipients(ForwardPath::Mailbox(to.clone()));
        let body = Spooled::Memory(octets, self.tmp.join(id.to_string()));
        tracing::info!(
            id = id.to_string(),
            about = entry.id.to_string(),
            to = to.to_string(),
            kind = format!("{kind:?}").to_lowercase(),
            "notice"
        );
        NewMessage { id, envelope, recipients, body, received: now }
    }
}

impl Facts<'_> {
    fn write(&self) -> Vec<u8> {
        let Self { id, hostname, .. } = self;
        let boundary = format!("=_{id}");
        let text = self.text();
        let status = self.status();
        let mut message = format!(
            "From: Mail delivery <postmaster@{hostname}>\r\n\
             To: <{}>\r\n\
             Subject: {}\r\n\
             Date: {}\r\n\
             Message-ID: <{id}@{hostname}>\r\n\
             Auto-Submitted: auto-replied\r\n\
             MIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"{boundary}\"\r\n",
            self.to,
            self.kind.subject(),
            date(self.now),
        );
        if let Some(about) = self.original.and_then(|original| original.message_id.as_deref()) {
            part::field(&mut message, "References", about);
        }
        message += "\r\nThis is a notice for people and for programs (RFC 3464).\r\n";
        let mut message = message.into_bytes();
        let global = self.entry.envelope.smtputf8;
        let status_type = match global {
            true => "message/global-delivery-status",
            false => "message/delivery-status",
        };
        part::add(&mut message, &boundary, "text/plain; charset=utf-8", text.as_bytes());
        part::add(&mut message, &boundary, status_type, status.as_bytes());
        if let Some(original) = self.original {
            let whole = original.is_whole && self.kind == Kind::Failure;
            let octets = if whole { &original.octets } else { original.header() };
            let content_type = match (whole, global) {
                (true, false) => "message/rfc822",
                (true, true) => "message/global",
                (false, false) => "text/rfc822-headers",
                (false, true) => "message/global-headers",
            };
            part::add(&mut message, &boundary, content_type, octets);
        }
        message.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        message
    }

    /// What has happened, for people.
    fn text(&self) -> String {
        let mut text = match self.kind {
            Kind::Failure => "Your message could not be delivered to:\r\n",
            Kind::Delay => {
                "Your message could not be delivered yet. You need not do anything: it will be \
                 tried\r\nagain. It waits for:\r\n"
            }
            Kind::Success => "Your message has arrived, or is with the next server:\r\n",
        }
        .to_owned();
        for about in &self.about {
            text += "\r\n";
            about.tell(&mut text, self.now);
        }
        if self.kind == Kind::Failure {
            text += "\r\nIt will not be tried again.\r\n";
        }
        let sent = date(self.entry.received);
        let _ = write!(text, "\r\n{} took the message over on {sent}", self.hostname);
        let _ = match self.original {
            Some(original) if original.is_whole && self.kind == Kind::Failure => {
                write!(text, ".\r\nIt is below.\r\n")
            }
            Some(_) => write!(text, ".\r\nIts header is below.\r\n"),
            None => write!(text, ".\r\n"),
        };
        text
    }

    /// The same for programs (RFC 3464 §2).
    fn status(&self) -> String {
        let mut status = String::new();
        part::field(&mut status, "Reporting-MTA", &format!("dns; {}", self.hostname));
        if let Some(envid) = &self.entry.envelope.envid {
            let envid = envid.decode();
            part::field(&mut status, "Original-Envelope-Id", &String::from_utf8_lossy(&envid));
        }
        part::field(&mut status, "Arrival-Date", &date(self.entry.received));
        for about in &self.about {
            status += "\r\n";
            about.status(&mut status, self.hostname, self.entry.envelope.smtputf8);
        }
        status
    }
}

impl About<'_> {
    fn reply(&self) -> Option<part::Said> {
        self.attempt.map(|attempt| part::Said::new(&attempt.reply))
    }

    /// The status code (RFC 3463); where the attempt has none, one that fits the action.
    fn code(&self) -> String {
        let said = self.reply().and_then(|said| said.status);
        said.unwrap_or_else(|| {
            match self.action {
                Action::Failed => "5.0.0",
                Action::Delayed => "4.0.0",
                Action::Delivered | Action::Relayed | Action::Expanded => "2.0.0",
            }
            .to_owned()
        })
    }

    fn tell(&self, text: &mut String, now: Timestamp) {
        // Writing to a string cannot fail, here and below.
        let _ = write!(text, "  {}\r\n", self.recipient.to);
        match self.action {
            Action::Delivered => *text += "    It is in the mailbox.\r\n",
            Action::Relayed => {
                *text += "    It is with the next server, which may not tell more.\r\n";
            }
            Action::Expanded => {
                *text += "    It went on to those to whom this address leads, who may not tell more.\r\n";
            }
            Action::Delayed => {
                let _ = write!(text, "    It will be tried until {}.\r\n", date(self.until));
            }
            Action::Failed => {
                if let Some(reason) = part::in_plain_words(&self.code()) {
                    let _ = write!(text, "    {reason}\r\n");
                }
                if now >= self.until {
                    let _ = write!(text, "    It was tried until {}.\r\n", date(now));
                }
            }
        }
        let (Some(said), Some(attempt)) = (self.reply(), self.attempt) else { return };
        if matches!(self.action, Action::Failed | Action::Delayed) {
            let said = format!("{} said: {}", attempt.host, said.line);
            part::wrapped(text, &said);
        }
    }

    /// Its fields (RFC 3464 §2.3).
    fn status(&self, status: &mut String, hostname: &DomainName, global: bool) {
        if let Some(orcpt) = &self.recipient.orcpt {
            // RFC 3461 §5.2.7: decoded, unless it cannot stand here so.
            let address = orcpt.address().decode();
            let address = match str::from_utf8(&address) {
                Ok(address) if global || address.is_ascii() => address,
                _ => orcpt.address().as_str(),
            };
            let original = format!("{};{address}", orcpt.address_type());
            part::field(status, "Original-Recipient", &original);
        }
        let to = self.recipient.to.to_string();
        let to = to.trim_start_matches('<').trim_end_matches('>');
        let kind = if to.is_ascii() { "rfc822" } else { "utf-8" };
        part::field(status, "Final-Recipient", &format!("{kind};{to}"));
        let action = match self.action {
            Action::Failed => "failed",
            Action::Delayed => "delayed",
            Action::Delivered => "delivered",
            Action::Relayed => "relayed",
            Action::Expanded => "expanded",
        };
        part::field(status, "Action", action);
        part::field(status, "Status", &self.code());
        if let Some(attempt) = self.attempt {
            let said = part::Said::new(&attempt.reply);
            if attempt.host != hostname.as_str() && !attempt.host.is_empty() {
                part::field(status, "Remote-MTA", &format!("dns; {}", attempt.host));
            }
            let kind = if said.is_reply { "smtp" } else { "x-smtp-mta" };
            let line = if global { said.line } else { part::in_ascii(&said.line) };
            part::field(status, "Diagnostic-Code", &format!("{kind}; {line}"));
            part::field(status, "Last-Attempt-Date", &date(attempt.at));
        }
        if self.action == Action::Delayed {
            part::field(status, "Will-Retry-Until", &date(self.until));
        }
    }
}

fn date(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_microsecond(at.as_micros());
    let at = at.map_or_else(|_| Zoned::now(), |at| at.to_zoned(TimeZone::system()));
    Date(&at).to_string()
}

fn domain(to: &ForwardPath<'_>) -> Option<DomainName> {
    match &to.mailbox()?.host {
        Host::Domain(domain) => DomainName::new(domain.as_str()),
        Host::Literal(_) => None,
    }
}
