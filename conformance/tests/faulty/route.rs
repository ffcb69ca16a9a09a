//! Whether a recipient is accepted, and where their mail goes.

use super::{
    address::Address,
    envelope::{Envelope, Recipient, Refusal},
    fault::Fault as F,
    server::{DOMAIN, RCPTMAX},
    session::Session,
};
use smtp_conformance::{dns::NULL_MX, wire::Port};

impl Session<'_> {
    pub(super) fn judge(
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
            if self.is_dotless(domain) && !self.has(F::SubmissionUnqualified) {
                return Err(Refusal(554, "5.1.2", "a qualified domain is wanted"));
            }
            if self.user.is_some() {
                if domain == NULL_MX.as_bytes() && !self.has(F::NullMxQueued) {
                    return Err(if self.has(F::NullMxTemporary) {
                        Refusal(451, "4.4.4", "no route")
                    } else {
                        Refusal(556, "5.1.10", "it takes no mail")
                    });
                }
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
}
