//! MAIL and RCPT.

use super::{
    address::{Address, Wrong, path, xtext},
    fault::Fault as F,
    server::{DOMAIN, MAILMAX, SIZE},
    session::{Flow, Session},
};
use smtp_conformance::{dns::NULL_MX, wire::Port};

/// A recipient who was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Recipient {
    /// As it was written.
    pub address: Address,
    /// The mailbox here; `None` for a recipient elsewhere, or nowhere.
    pub mailbox: Option<String>,
    /// NOTIFY has SUCCESS, FAILURE, NEVER; empty if there was none.
    pub notify: Vec<String>,
    /// ORCPT, decoded.
    pub original: Option<Vec<u8>>,
}

/// A transaction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Envelope {
    /// Reverse-path.
    pub from: Address,
    /// Accepted forward-paths.
    pub recipients: Vec<Recipient>,
    /// How many were refused.
    pub refused: usize,
    /// BODY=BINARYMIME.
    pub binary: bool,
    /// SMTPUTF8.
    pub utf8: bool,
    /// SIZE.
    pub size: Option<u64>,
    /// RET=HDRS.
    pub headers_only: bool,
    /// ENVID, decoded.
    pub envid: Option<Vec<u8>>,
    /// REQUIRETLS.
    pub tls_only: bool,
    /// HOLDFOR or HOLDUNTIL.
    pub held: bool,
    /// The chunks so far.
    pub chunks: Vec<u8>,
    /// How many chunks.
    pub count: u32,
    /// There was a BDAT.
    pub chunked: bool,
    /// The chunks grew too large, or there was a wrong one.
    pub spoilt: bool,
    /// RSET was said, to a server that keeps the chunks.
    pub aborted: bool,
}

pub(super) struct Refusal(pub u16, pub &'static str, pub &'static str);
pub(super) const SYNTAX: Refusal = Refusal(501, "5.5.4", "syntax");
pub(super) const UNKNOWN: Refusal = Refusal(555, "5.5.4", "unknown parameter");

impl Session<'_> {
    fn refuse(&mut self, refusal: &Refusal) -> Flow {
        self.say(refusal.0, refusal.1, refusal.2)
    }

    /// The path behind FROM: or TO:, and the parameters.
    fn arguments<'t>(
        &mut self,
        word: &[u8],
        text: &'t [u8],
    ) -> Result<(Address, Vec<&'t [u8]>), Flow> {
        let mail = word == b"FROM:";
        let head = text.get(..word.len()).unwrap_or_default();
        let same =
            head == word || (head.eq_ignore_ascii_case(word) && !self.has(F::CaseSensitiveFrom));
        if !same {
            if mail && self.has(F::MailWithoutFrom) {
                return Ok((Address::default(), Vec::new()));
            }
            return Err(self.say(501, "5.5.4", "FROM: or TO: is wanted"));
        }
        let text = &text[word.len()..];
        if text.starts_with(b" ") && self.has(F::SpaceAfterColonCloses) {
            return Err(Flow::Close);
        }
        if mail && !text.starts_with(b"<") && self.has(F::MailWithoutFrom) {
            return Ok((Address::default(), Vec::new()));
        }
        let (address, rest) = match path(self.server, text, mail) {
            Ok(found) => found,
            Err(Wrong::Crash) => return Err(Flow::Close),
            Err(Wrong::Long) => return Err(self.say(500, "5.5.2", "too long")),
            Err(Wrong::Syntax) if self.has(F::EchoesAddress) => {
                return Err(self.say(501, "5.1.3", [b"bad address ", text].concat()));
            }
            Err(Wrong::Syntax) if mail && self.has(F::BadMailOpens) => {
                self.mail.get_or_insert_default();
                return Err(self.say(501, "5.1.7", "bad address"));
            }
            Err(Wrong::Syntax) if mail && self.has(F::BadMailClosesDoor) => {
                self.hello = None;
                return Err(self.say(501, "5.1.7", "bad address"));
            }
            Err(Wrong::Syntax) => {
                return Err(self.say(501, if mail { "5.1.7" } else { "5.1.3" }, "bad address"));
            }
        };
        let rest = if self.has(F::ParameterLost) && !rest.starts_with(b" ") { b"" } else { rest };
        if !rest.is_empty() && !rest.starts_with(b" ") && !self.has(F::NoSpaceNeeded) {
            return Err(self.say(501, "5.5.4", "a space is wanted behind the path"));
        }
        let words: Vec<_> = rest.split(|&b| b == b' ').filter(|word| !word.is_empty()).collect();
        let mut seen: Vec<Vec<u8>> = Vec::new();
        for word in &words {
            let key = word.split(|&b| b == b'=').next().unwrap_or_default().to_ascii_uppercase();
            if seen.contains(&key) && !self.has(F::ParameterTwice) {
                return Err(self.say(501, "5.5.4", "a parameter stands twice"));
            }
            seen.push(key);
        }
        Ok((address, words))
    }

    pub(super) fn mail(&mut self, argument: &[u8]) -> Flow {
        if self.hello.is_none() {
            if self.has(F::MailBeforeEhloCloses) {
                return Flow::Close;
            }
            if !self.has(F::MailBeforeEhlo) {
                return self.say(503, "5.5.1", "EHLO first");
            }
        }
        let nested = self.has(F::NestedMail) || self.has(F::MailBeginsAnew);
        if self.mail.as_ref().is_some_and(|mail| !mail.aborted) && !nested {
            if self.has(F::BadSecondMailClears)
                && let Err(flow) = self.arguments(b"FROM:", argument)
            {
                self.mail = None;
                return flow;
            }
            if self.has(F::SecondMailClears) {
                self.mail = None;
            }
            return self.say(503, "5.5.1", "there is a transaction");
        }
        if self.port == Port::Submission && self.user.is_none() && !self.has(F::SubmissionOpen) {
            return self.say(530, "5.7.0", "log in first");
        }
        if !self.stream.is_secure() && (self.has(F::TlsRequired) || self.has(F::TlsRequiredNoAuth))
        {
            return self.say(530, "5.7.0", "STARTTLS first");
        }
        let named = self.hello.as_ref().is_some_and(|hello| hello.name != b"client.example");
        if named && self.has(F::RefusesForTheName) {
            return self.say(550, "5.7.1", "that is not your name");
        }
        let most = match () {
            () if self.has(F::MailMaxFewer) => MAILMAX / 2,
            () if self.has(F::MailMaxMore) => MAILMAX * 2,
            () => MAILMAX,
        };
        if self.mails >= most {
            self.say(421, "4.5.3", "enough for one session");
            return Flow::Close;
        }
        let (from, words) = match self.arguments(b"FROM:", argument) {
            Ok(found) => found,
            Err(flow) => return flow,
        };
        if self.has(F::ShellInSender) && argument.windows(5).any(|w| w == b"sleep") {
            std::thread::sleep(std::time::Duration::from_secs(3));
        }
        let elsewhere = !from.domain.eq_ignore_ascii_case(DOMAIN.as_bytes());
        if (self.user.is_some() && elsewhere && self.has(F::OtherSenderCloses))
            || (from.local.contains(&b'\'') && self.has(F::ApostropheCloses))
        {
            return Flow::Close;
        }
        if from.is_null() && self.has(F::NullSenderRefused) {
            return self.say(550, "5.7.1", "who are you?");
        }
        if from.domain == NULL_MX.as_bytes() {
            if self.has(F::NullMxSenderPlain) {
                return self.say(553, "5.1.8", "bad sender");
            }
            return self.say(550, "5.7.27", "nobody could answer");
        }
        let (recipients, chunks) = match self.mail.take() {
            Some(first) if first.aborted => (Vec::new(), first.chunks),
            Some(first) if self.has(F::NestedMail) => (first.recipients, Vec::new()),
            _ => (Vec::new(), Vec::new()),
        };
        let mut mail = Envelope { from, recipients, chunks, ..Envelope::default() };
        for word in words {
            if let Err(refusal) = self.mail_parameter(&mut mail, word) {
                return self.refuse(&refusal);
            }
        }
        let domain = &mail.from.domain;
        let unqualified = domain.is_empty() || self.is_dotless(domain);
        let loose = self.port == Port::Submission && self.has(F::SubmissionUnqualified);
        if unqualified && !mail.from.is_null() && !loose {
            return self.say(553, "5.1.7", "a qualified domain is wanted");
        }
        if let Err(refusal) = self.eight_bit(&mail.from, mail.utf8, false) {
            return self.refuse(&refusal);
        }
        self.mails += 1;
        self.mail = Some(mail);
        self.say(250, "2.1.0", "sender taken")
    }

    pub(super) fn eight_bit(
        &self,
        address: &Address,
        utf8: bool,
        rcpt: bool,
    ) -> Result<(), Refusal> {
        if !address.is_eight_bit() {
            return Ok(());
        }
        let anyway = self.has(F::EightBitAddress) || (rcpt && self.has(F::Utf8RcptAnyway));
        if !(utf8 || anyway) || self.has(F::SmtpUtf8Refused) {
            return Err(Refusal(553, "5.6.7", "SMTPUTF8 is needed for that"));
        }
        if std::str::from_utf8(&address.written).is_err() && !self.has(F::BadUtf8Accepted) {
            return Err(Refusal(501, "5.1.7", "that is no UTF-8"));
        }
        Ok(())
    }

    pub(super) fn rcpt(&mut self, argument: &[u8]) -> Flow {
        let group = self.stream.unread.starts_with(b"RCPT") && self.has(F::OneRcptReply);
        let flow = self.rcpt_once(argument);
        if group {
            let before = self.stream.unsent.windows(2).rposition(|w| w == b"\r\n");
            let kept = before.map_or(0, |end| {
                self.stream.unsent[..end].iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1)
            });
            self.stream.unsent.truncate(kept);
        }
        flow
    }

    fn rcpt_once(&mut self, argument: &[u8]) -> Flow {
        if self.mail.as_ref().is_none_or(|mail| mail.aborted) {
            if self.has(F::RcptWithoutMail) {
                self.mail.get_or_insert_default();
            } else if self.has(F::RcptWithoutMail550) {
                return self.say(250, "2.1.5", "recipient taken");
            } else {
                return self.say(503, "5.5.1", "MAIL first");
            }
        }
        let (address, words) = match self.arguments(b"TO:", argument) {
            Ok(found) => found,
            Err(flow) => return flow,
        };
        let Some(mail) = self.mail.take() else { return Flow::Close };
        let outcome = self.judge(&mail, &address, &words);
        let mut mail = mail;
        match outcome {
            Ok(recipient) => {
                mail.recipients.push(recipient);
                self.mail = Some(mail);
                self.say(250, "2.1.5", "recipient taken")
            }
            Err(refusal) => {
                if refusal.0 == 452 && self.has(F::RecipientLimitCloses) {
                    return Flow::Close;
                }
                if refusal.0 == 452 && self.has(F::RecipientLimitForgets) {
                    mail.recipients.clear();
                }
                mail.refused += 1;
                self.mail = (!self.has(F::BadRcptAborts)).then_some(mail);
                if self.has(F::EchoesAddress) {
                    let text = [refusal.2.as_bytes(), b": ", &address.written].concat();
                    return self.say(refusal.0, refusal.1, text);
                }
                self.refuse(&refusal)
            }
        }
    }

    /// A domain of one label, where mail is submitted (RFC 6409 §4.2).
    pub(super) fn is_dotless(&self, domain: &[u8]) -> bool {
        self.port == Port::Submission && !domain.contains(&b'.') && !domain.starts_with(b"[")
    }

    pub(super) fn decode(&self, text: &[u8]) -> Option<Vec<u8>> {
        xtext(text).or_else(|| self.has(F::BadXtext).then(|| text.to_vec()))
    }

    /// Whether SIZE is more than this server takes.
    pub(super) fn too_large(&self, size: u64) -> bool {
        let most = SIZE as u64;
        size > most || (size == most && self.has(F::SizeAtLimitRefused))
    }
}

/// A parameter: its keyword in upper case, and its value.
pub(super) fn split(word: &[u8]) -> (Vec<u8>, Option<&[u8]>) {
    match word.iter().position(|&b| b == b'=') {
        Some(at) => (word[..at].to_ascii_uppercase(), Some(&word[at + 1..])),
        None => (word.to_ascii_uppercase(), None),
    }
}
