//! MAIL and RCPT.

use super::{
    address::{Address, Wrong, path, xtext},
    fault::Fault as F,
    server::{DOMAIN, MAILMAX, RCPTMAX, SIZE},
    session::{Flow, Session},
};
use smtp_conformance::wire::Port;

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
        let same = head == word
            || (head.eq_ignore_ascii_case(word) && !self.has(F::CaseSensitiveFrom));
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
        if self.mail.as_ref().is_some_and(|mail| !mail.aborted) && !self.has(F::NestedMail) {
            if self.has(F::SecondMailClears) {
                self.mail = None;
            }
            return self.say(503, "5.5.1", "there is a transaction");
        }
        if self.port == Port::Submission && self.user.is_none() && !self.has(F::SubmissionOpen) {
            return self.say(530, "5.7.0", "log in first");
        }
        if !self.stream.is_secure() && self.has(F::TlsRequired) {
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
        if from.is_null() && self.has(F::NullSenderRefused) {
            return self.say(550, "5.7.1", "who are you?");
        }
        let chunks = self.mail.take().filter(|mail| mail.aborted).map(|mail| mail.chunks);
        let mut mail = Envelope { from, chunks: chunks.unwrap_or_default(), ..Envelope::default() };
        for word in words {
            if let Err(refusal) = self.mail_parameter(&mut mail, word) {
                return self.refuse(&refusal);
            }
        }
        let domain = &mail.from.domain;
        let unqualified = domain.is_empty() && !mail.from.is_null();
        if unqualified && !(self.port == Port::Submission && self.has(F::SubmissionUnqualified)) {
            return self.say(553, "5.1.7", "a domain is wanted");
        }
        if let Err(refusal) = self.eight_bit(&mail.from, mail.utf8, false) {
            return self.refuse(&refusal);
        }
        self.mails += 1;
        self.mail = Some(mail);
        self.say(250, "2.1.0", "sender taken")
    }

    fn eight_bit(&self, address: &Address, utf8: bool, rcpt: bool) -> Result<(), Refusal> {
        if !address.is_eight_bit() {
            return Ok(());
        }
        if (!utf8 && !self.has(F::EightBitAddress) && !(rcpt && self.has(F::Utf8RcptAnyway)))
            || self.has(F::SmtpUtf8Refused)
        {
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

    fn judge(
        &self,
        mail: &Envelope,
        address: &Address,
        words: &[&[u8]],
    ) -> Result<Recipient, Refusal> {
        let mut recipient = Recipient {
            address: address.clone(),
            mailbox: None,
            notify: Vec::new(),
            original: None,
        };
        for word in words {
            self.rcpt_parameter(&mut recipient, word)?;
        }
        if address.is_null() {
            if self.has(F::NullRecipientAccepted) {
                return Ok(recipient);
            }
            return Err(Refusal(501, "5.1.3", "a recipient is wanted"));
        }
        self.eight_bit(address, mail.utf8, true)?;
        if self.has(F::RefusesRecipients) {
            return Err(Refusal(450, "4.2.0", "try later"));
        }
        let most = match () {
            () if self.has(F::FiftyRecipients) => 50,
            () if self.has(F::NoRecipientLimit) => usize::MAX,
            () => RCPTMAX,
        };
        if mail.recipients.len() >= most {
            return Err(Refusal(452, "4.5.3", "too many recipients"));
        }
        let same = |other: &Recipient| other.address.written == address.written;
        if self.has(F::SameRecipientRefused) && mail.recipients.iter().any(same) {
            return Err(Refusal(550, "5.1.1", "named before"));
        }
        if self.has(F::ExpandsAddress) && address.written.starts_with(b"${run") {
            std::thread::sleep(std::time::Duration::from_secs(3));
        }
        recipient.mailbox = self.route(mail, address)?;
        Ok(recipient)
    }

    /// Where mail for `address` goes: a mailbox here, or away.
    fn route(&self, mail: &Envelope, address: &Address) -> Result<Option<String>, Refusal> {
        let (local, domain) = (&address.local[..], &address.domain[..]);
        if domain.is_empty() {
            let postmaster = if self.has(F::PostmasterCaseSensitive) {
                local == b"postmaster"
            } else {
                local.eq_ignore_ascii_case(b"postmaster")
            };
            if postmaster && !self.has(F::PostmasterRefused) {
                return Ok(Some("postmaster".into()));
            }
            let loose = self.has(F::UnqualifiedAccepted)
                || (self.port == Port::Submission && self.has(F::SubmissionUnqualified));
            if !loose {
                return Err(Refusal(550, "5.1.3", "a domain is wanted"));
            }
        }
        let own = if self.has(F::CaseSensitiveDomain) {
            domain == DOMAIN.as_bytes()
        } else {
            domain.eq_ignore_ascii_case(DOMAIN.as_bytes())
        };
        let begins = domain.to_ascii_lowercase().starts_with(DOMAIN.as_bytes());
        let suffix = self.has(F::SuffixDomain) && begins && !own;
        let literal = self.has(F::LiteralIsLocal) && domain.starts_with(b"[");
        let dotted = self.has(F::TrailingDotRelay) && domain.ends_with(b".");
        let routed = self.has(F::SourceRouteRelay)
            && address.route.as_ref().is_some_and(|r| r.eq_ignore_ascii_case(DOMAIN.as_bytes()));
        let sender = self.has(F::SenderGrantsRelay)
            && (mail.from.is_null() || mail.from.domain.eq_ignore_ascii_case(DOMAIN.as_bytes()));
        let hacked = (local.contains(&b'%') && self.has(F::PercentHack))
            || (address.quoted && local.contains(&b'@') && self.has(F::QuotedAt))
            || (local.contains(&b'!') && self.has(F::BangPath));
        let relays = suffix || literal || dotted || routed || sender || hacked;
        if relays || (!own && !domain.is_empty() && self.has(F::OpenRelay)) {
            return Ok(None);
        }
        if !own && !domain.is_empty() {
            if self.user.is_some() {
                return Ok(None);
            }
            return Err(Refusal(550, "5.7.1", "no relaying"));
        }
        let odd = local.iter().any(|b| b"|/$;".contains(b)) || local.starts_with(b".");
        if odd && self.has(F::PipeRecipients) {
            return Ok(None);
        }
        if address.quoted && self.has(F::QuotedLocalDiffers) {
            return Err(Refusal(550, "5.1.1", "no such user"));
        }
        if self.has(F::PostmasterCaseSensitive)
            && local.eq_ignore_ascii_case(b"postmaster")
            && local != b"postmaster"
        {
            return Err(Refusal(550, "5.1.1", "no such user"));
        }
        match self.server.mailbox(local) {
            Some(mailbox) => Ok(Some(mailbox)),
            None if self.has(F::AcceptsUnknown) => Ok(None),
            None => Err(Refusal(550, "5.1.1", "no such user")),
        }
    }

    fn rcpt_parameter(&self, to: &mut Recipient, word: &[u8]) -> Result<(), Refusal> {
        let (key, value) = split(word);
        match (&key[..], value) {
            (b"NOTIFY", Some(value)) if !self.has(F::NotifyRefused) => {
                let text = String::from_utf8_lossy(value).to_uppercase();
                to.notify = text.split(',').map(str::to_owned).collect();
                let known = |n: &String| {
                    ["NEVER", "SUCCESS", "FAILURE", "DELAY"].contains(&n.as_str())
                };
                if !to.notify.iter().all(known) && !self.has(F::DsnAnything) {
                    return Err(SYNTAX);
                }
                let never = to.notify.iter().any(|n| n == "NEVER");
                if never && to.notify.len() > 1 && !self.has(F::NotifyNeverSuccess) {
                    return Err(SYNTAX);
                }
                Ok(())
            }
            (b"ORCPT", Some(value)) => {
                let at = value.iter().position(|&b| b == b';');
                let (kind, address) = value.split_at(at.unwrap_or(value.len()));
                let address = address.get(1..).unwrap_or_default();
                let decoded = self.decode(address);
                let good = !kind.is_empty() && !address.is_empty() && decoded.is_some();
                if !good && !self.has(F::OrcptAnything) {
                    return Err(SYNTAX);
                }
                let control = decoded.as_ref().is_some_and(|d| d.iter().any(|b| *b < b' '));
                if control && !self.has(F::XtextIntoHeader) {
                    return Err(SYNTAX);
                }
                to.original = Some(decoded.unwrap_or_default());
                Ok(())
            }
            (b"NOTIFY" | b"ORCPT", _) => Err(SYNTAX),
            _ if self.has(F::UnknownRcptParameter) => Ok(()),
            _ => Err(UNKNOWN),
        }
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
