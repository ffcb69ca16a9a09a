//! From whom, to whom, and how: what a message is sent with (RFC 5321 §2.3.1).

use smtp_proto::{
    ext::{AuthParam, BodyType, Notify, Orcpt, Ret},
    wire::{ForwardPath, Mail, Mailbox, Malformed, Rcpt, ReversePath, Xtext},
};
use thiserror::Error;

/// Octets of an ENVID, encoded (RFC 3461 §4.4).
const MAX_ENVID: usize = 100;

/// The envelope of a message. Whatever it is made of, it holds only what can stand on the wire: a
/// CR, LF or NUL cannot get in.
///
/// ```
/// use smtp_client::Envelope;
///
/// let envelope = Envelope::builder("sender@example.org")
///     .to("first@example.net")
///     .to("second@example.net")
///     .build()?;
/// assert_eq!(envelope.recipients().len(), 2);
/// assert!(Envelope::builder("a@example.org").to("b@example.net>\r\nRSET").build().is_err());
/// # Ok::<(), smtp_client::EnvelopeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    mail: Mail<'static>,
    content: Option<BodyType>,
    recipients: Vec<Rcpt<'static>>,
}

/// What is wrong with an envelope.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The sender is no address.
    #[error("the sender {address:?} is no address: {source}")]
    Sender {
        /// As it was given.
        address: String,
        /// What is wrong with it.
        source: Malformed,
    },
    /// A recipient is no address.
    #[error("the recipient {address:?} is no address: {source}")]
    Recipient {
        /// As it was given.
        address: String,
        /// What is wrong with it.
        source: Malformed,
    },
    /// There is no recipient.
    #[error("there is no recipient")]
    NoRecipient,
    /// The envelope identifier is not printable ASCII, or over 100 octets in xtext (RFC 3461 §4.4).
    #[error("the envelope identifier {0:?} is not printable ASCII of at most 100 octets")]
    EnvelopeId(String),
    /// An original recipient is not printable, or too long (RFC 3461 §4.2).
    #[error("the original recipient {0:?} is not printable or too long")]
    OriginalRecipient(String),
}

/// Builds an [`Envelope`]. What is wrong is told at the end, by [`build`](Self::build).
#[derive(Clone, Debug)]
#[must_use]
pub struct EnvelopeBuilder {
    envelope: Envelope,
    notify: Option<Notify>,
    error: Option<EnvelopeError>,
}

impl Envelope {
    /// An envelope from `from`: an address, with or without angle brackets; empty or `<>` for
    /// notices, which nobody is to answer (RFC 5321 §4.5.5).
    pub fn builder(from: &str) -> EnvelopeBuilder {
        match reverse_path(from) {
            Ok(from) => Self::from_path(from),
            Err(source) => {
                let mut builder = Self::from_path(ReversePath::Null);
                let address = from.to_owned();
                builder.error = Some(EnvelopeError::Sender { address, source });
                builder
            }
        }
    }

    /// The same from a typed value.
    pub fn from_path(from: ReversePath<'_>) -> EnvelopeBuilder {
        Self::from_mail(Mail::new(from))
    }

    /// The same from what a server was told. Its BODY and SIZE are those of the message that came
    /// in: where the message has been changed since, take them off.
    pub fn from_mail(mail: Mail<'_>) -> EnvelopeBuilder {
        let mail = mail.into_static();
        // 7BIT is what a MAIL means that says nothing; who says nothing need not have looked.
        let content = Some(mail.body).filter(|&body| body != BodyType::SevenBit);
        let envelope = Self { mail, content, recipients: Vec::new() };
        EnvelopeBuilder { envelope, notify: None, error: None }
    }

    /// What MAIL is going to say, as far as the server lets it.
    #[must_use]
    pub fn mail(&self) -> &Mail<'static> {
        &self.mail
    }

    /// What octets the message is made of, if that was declared.
    #[must_use]
    pub fn content(&self) -> Option<BodyType> {
        self.content
    }

    /// The recipients, at least one.
    #[must_use]
    pub fn recipients(&self) -> &[Rcpt<'static>] {
        &self.recipients
    }

    /// The same envelope for some of its recipients, by their place; `None` if there would be none.
    /// What was not delivered is tried again with it.
    #[must_use]
    pub fn for_recipients(&self, places: impl IntoIterator<Item = usize>) -> Option<Self> {
        let pick = |place| self.recipients.get(place).cloned();
        let recipients: Vec<_> = places.into_iter().filter_map(pick).collect();
        let Self { mail, content, .. } = self.clone();
        (!recipients.is_empty()).then_some(Self { mail, content, recipients })
    }
}

impl EnvelopeBuilder {
    /// Adds a recipient: an address, with or without angle brackets.
    pub fn to(mut self, address: &str) -> Self {
        match forward_path(address) {
            Ok(to) => self.rcpt(Rcpt::new(to)),
            Err(source) => {
                let address = address.to_owned();
                self.error.get_or_insert(EnvelopeError::Recipient { address, source });
                self
            }
        }
    }

    /// Adds a recipient that was once called `original` (ORCPT, RFC 3461 §4.2), which notices will
    /// name.
    pub fn to_instead_of(mut self, address: &str, original: &str) -> Self {
        let value = format!("rfc822;{}", Xtext::encode(original.as_bytes()));
        match (forward_path(address), Orcpt::parse(&value)) {
            (Ok(to), Ok(orcpt)) => {
                let mut rcpt = Rcpt::new(to);
                rcpt.orcpt = Some(orcpt);
                self.rcpt(rcpt)
            }
            (Err(source), _) => {
                let address = address.to_owned();
                self.error.get_or_insert(EnvelopeError::Recipient { address, source });
                self
            }
            (_, Err(_)) => {
                let original = original.to_owned();
                self.error.get_or_insert(EnvelopeError::OriginalRecipient(original));
                self
            }
        }
    }

    /// Adds a recipient with parameters of its own.
    pub fn rcpt(mut self, rcpt: Rcpt<'_>) -> Self {
        self.envelope.recipients.push(rcpt.into_static());
        self
    }

    /// The size of the message in octets, as RFC 1870 §3 counts them: with CRLF at the end of each
    /// line, without stuffed dots. Without it, the octets of a message that can be read twice are
    /// counted; of others the server is not told the size.
    pub fn size(mut self, size: u64) -> Self {
        self.envelope.mail.size = Some(size);
        self
    }

    /// What octets the message is made of. Without it, a message that can be read twice is looked
    /// at; another is taken for 8-bit where the server takes that, else for 7-bit. One that is
    /// [`BodyType::BinaryMime`] is not sent: its outcome says so.
    pub fn content(mut self, content: BodyType) -> Self {
        self.envelope.content = Some(content);
        self
    }

    /// The message has headers in UTF-8 (RFC 6532), so that only a server with SMTPUTF8 can have
    /// it. Addresses need not be declared.
    pub fn utf8_headers(mut self) -> Self {
        self.envelope.mail.smtputf8 = true;
        self
    }

    /// When the sender wants to be told (NOTIFY, RFC 3461 §4.1), for each recipient that does not
    /// say so itself.
    pub fn notify(mut self, notify: Notify) -> Self {
        self.notify = Some(notify);
        self
    }

    /// How much of the message a failure notice should carry (RET, RFC 3461 §4.3).
    pub fn ret(mut self, ret: Ret) -> Self {
        self.envelope.mail.ret = Some(ret);
        self
    }

    /// An identifier that notices will repeat (ENVID, RFC 3461 §4.4): printable ASCII.
    pub fn envelope_id(mut self, id: &str) -> Self {
        let encoded = Xtext::encode(id.as_bytes());
        let printable = id.bytes().all(|octet| matches!(octet, b' '..=b'~'));
        if printable && encoded.as_str().len() <= MAX_ENVID {
            self.envelope.mail.envid = Some(encoded);
        } else {
            self.error.get_or_insert(EnvelopeError::EnvelopeId(id.to_owned()));
        }
        self
    }

    /// Who submitted the message first (AUTH, RFC 4954 §5).
    pub fn submitter(mut self, submitter: AuthParam<'_>) -> Self {
        self.envelope.mail.auth = Some(submitter.into_static());
        self
    }

    /// The envelope.
    ///
    /// # Errors
    /// [`EnvelopeError`]: the first thing that was wrong.
    pub fn build(self) -> Result<Envelope, EnvelopeError> {
        let Self { mut envelope, notify, error } = self;
        if let Some(error) = error {
            return Err(error);
        }
        if envelope.recipients.is_empty() {
            return Err(EnvelopeError::NoRecipient);
        }
        for rcpt in &mut envelope.recipients {
            rcpt.notify = rcpt.notify.or(notify);
        }
        Ok(envelope)
    }
}

/// `address` without its angle brackets, if it has both.
fn without_brackets(address: &str) -> &str {
    address.strip_prefix('<').and_then(|inner| inner.strip_suffix('>')).unwrap_or(address)
}

fn reverse_path(address: &str) -> Result<ReversePath<'_>, Malformed> {
    match without_brackets(address) {
        "" => Ok(ReversePath::Null),
        address => Mailbox::parse(address).map(ReversePath::Mailbox),
    }
}

fn forward_path(address: &str) -> Result<ForwardPath<'_>, Malformed> {
    match without_brackets(address) {
        address if address.eq_ignore_ascii_case("postmaster") => Ok(ForwardPath::Postmaster),
        address => Mailbox::parse(address).map(ForwardPath::Mailbox),
    }
}
