//! The message: a file, the standard input, or one that is made to try a server with.

use super::unreadable;
use crate::{server::Refusal, trace::Date};
use jiff::Zoned;
use smtp_client::{
    Connect, Delivery, Envelope, Mailer, Policies,
    proto::wire::{Base64, ReversePath},
    resolve::Resolver,
    runtime::tokio::File,
};
use std::{
    fmt,
    io::{self, Read},
    path::Path,
};

/// Octets of an encoded word before encoding. RFC 2047 §2 allows lines of 76 characters, the name of
/// the field among them.
const WORD: usize = 39;

/// A message to send.
#[derive(Debug)]
pub(super) enum Message {
    File(File),
    Octets(Vec<u8>),
}

impl Message {
    pub(super) async fn open(path: &Path) -> Result<Self, Refusal> {
        File::open(path).await.map(Self::File).map_err(unreadable(path))
    }

    /// Reads the standard input, up to `limit` octets. Blocks.
    pub(super) fn read(limit: u64) -> Result<Self, Refusal> {
        let mut octets = Vec::new();
        let read = io::stdin().lock().take(limit.saturating_add(1)).read_to_end(&mut octets);
        read.map_err(|error| Refusal(format!("cannot read the standard input: {error}")))?;
        match octets.len() as u64 > limit {
            true => Err(Refusal(format!("the message is longer than {limit} octets"))),
            false => Ok(Self::Octets(octets)),
        }
    }

    /// Sends it, and hangs up.
    pub(super) async fn send<R: Connect, P: Policies, V: Resolver>(
        self,
        mailer: &Mailer<R, P, V>,
        envelope: &Envelope,
    ) -> Vec<Delivery> {
        let deliveries = match self {
            Self::File(file) => mailer.send(envelope, file).await,
            Self::Octets(octets) => mailer.send(envelope, octets).await,
        };
        mailer.pool().close().await;
        deliveries
    }
}

/// A message to try a server with; displayed as it is sent.
pub(super) struct Made<'m> {
    pub(super) envelope: &'m Envelope,
    pub(super) host: &'m str,
    pub(super) subject: Option<&'m str>,
    pub(super) text: Option<&'m str>,
}

impl fmt::Display for Made<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { envelope, host, .. } = self;
        let now = Zoned::now();
        match &envelope.mail().from {
            ReversePath::Null => write!(f, "From: <postmaster@{host}>\r\n")?,
            from => write!(f, "From: {from}\r\n")?,
        }
        for (place, rcpt) in envelope.recipients().iter().enumerate() {
            write!(f, "{}{}", if place == 0 { "To: " } else { ",\r\n\t" }, rcpt.to)?;
        }
        write!(f, "\r\nSubject: {}\r\n", Unstructured(self.subject.unwrap_or("A test")))?;
        write!(f, "Date: {}\r\n", Date(&now))?;
        write!(f, "Message-ID: <{:x}@{host}>\r\n", now.timestamp().as_nanosecond())?;
        f.write_str("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n")?;
        f.write_str("Content-Transfer-Encoding: 8bit\r\n\r\n")?;
        let text = self.text.unwrap_or("This message was sent to try a server with.");
        text.lines().try_for_each(|line| write!(f, "{line}\r\n"))
    }
}

/// The text of a field, in encoded words (RFC 2047) if it cannot stand there as it is.
struct Unstructured<'t>(&'t str);

impl fmt::Display for Unstructured<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = self.0.bytes().all(|octet| matches!(octet, b' '..=b'~'));
        if is_plain && self.0.len() < 900 && !self.0.contains("=?") {
            return f.write_str(self.0);
        }
        let mut rest = self.0;
        while !rest.is_empty() {
            let (word, more) = rest.split_at(rest.floor_char_boundary(WORD));
            let space = if more.is_empty() { "" } else { "\r\n " };
            write!(f, "=?utf-8?B?{}?={space}", Base64::encode(word.as_bytes()))?;
            rest = more;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail_parser::MessageParser;

    fn made(from: &str, subject: Option<&str>, text: Option<&str>) -> String {
        let envelope = Envelope::builder(from).to("a@b.example").to("c@d.example").build().unwrap();
        Made { envelope: &envelope, host: "e.example", subject, text }.to_string()
    }

    #[test]
    fn a_made_message_has_all_that_a_message_needs() {
        let text = made("me@e.example", None, Some("1\n.\n\n2"));
        let message = MessageParser::default().parse(text.as_bytes()).unwrap();
        assert!(message.date().is_some() && message.message_id().is_some(), "{text}");
        assert_eq!(message.to().unwrap().iter().count(), 2);
        assert!(text.starts_with("From: <me@e.example>\r\nTo: <a@b.example>,\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\n1\r\n.\r\n\r\n2\r\n"), "{text}");
        assert!(made("", None, None).starts_with("From: <postmaster@e.example>\r\n"));
    }

    #[test]
    fn a_subject_stays_one_field_whatever_is_in_it() {
        for subject in [
            "Tea",
            "Tee für Zoë, ☕☕☕☕☕☕☕☕☕☕☕☕☕☕☕☕☕☕☕☕",
            "a\r\nBcc: x@y.example",
            "=?x",
        ] {
            let text = made("me@e.example", Some(subject), None);
            let message = MessageParser::default().parse(text.as_bytes()).unwrap();
            assert_eq!(message.subject(), Some(subject), "{text}");
            assert!(message.bcc().is_none() && text.is_ascii(), "{text}");
            assert!(text.lines().all(|line| line.len() <= 76), "{text}");
        }
    }
}
