//! The parameters of MAIL and RCPT.

use super::{
    envelope::{Envelope, Recipient, Refusal, SYNTAX, UNKNOWN, split},
    fault::Fault as F,
    habit::Habit,
    session::Session,
};
use smtp_conformance::wire::Port;

impl Session<'_> {
    pub(super) fn mail_parameter(&self, to: &mut Envelope, word: &[u8]) -> Result<(), Refusal> {
        let (key, value) = split(word);
        match (&key[..], value) {
            (b"BODY", Some(value))
                if self.is(Habit::Bare) && !value.eq_ignore_ascii_case(b"BINARYMIME") =>
            {
                self.body(to, value)
            }
            _ if self.is(Habit::Bare) => Err(UNKNOWN),
            (b"SIZE", value) => self.size(to, value.unwrap_or_default()),
            (b"BODY", Some(value)) if !self.has(F::BodyRefused) => self.body(to, value),
            (b"BODY", None) if self.has(F::BodyAnything) => Ok(()),
            (b"SMTPUTF8", value) if value.is_none() || self.has(F::SmtpUtf8Value) => {
                to.utf8 = true;
                Ok(())
            }
            (b"AUTH", Some(value)) if !self.has(F::AuthParameterRefused) => {
                let good = value == b"<>" || self.decode(value).is_some_and(|d| self.is_plain(&d));
                if good { Ok(()) } else { Err(SYNTAX) }
            }
            (b"RET", Some(value)) if !self.has(F::RetRefused) => {
                to.headers_only = value.eq_ignore_ascii_case(b"HDRS");
                let good = to.headers_only || value.eq_ignore_ascii_case(b"FULL");
                if good || self.has(F::DsnAnything) { Ok(()) } else { Err(SYNTAX) }
            }
            (b"ENVID", Some(value)) if !self.has(F::RetRefused) => {
                if value.is_empty() && !self.has(F::DsnAnything) {
                    return Err(SYNTAX);
                }
                if value.len() > if self.has(F::Envid50) { 50 } else { 100 } {
                    return Err(SYNTAX);
                }
                let decoded = self.decode(value).filter(|d| self.is_plain(d)).ok_or(SYNTAX)?;
                to.envid = Some(decoded);
                Ok(())
            }
            (b"REQUIRETLS", value) => {
                if value.is_some() && !self.has(F::RequireTlsValue) {
                    return Err(SYNTAX);
                }
                if !self.stream.is_secure() && !self.has(F::RequireTlsClearMail) {
                    return Err(Refusal(530, "5.7.10", "REQUIRETLS needs TLS"));
                }
                to.tls_only = true;
                Ok(())
            }
            (b"HOLDFOR" | b"HOLDUNTIL", Some(value)) if self.may_hold() => {
                self.hold(to, &key, value)
            }
            (b"BY", Some(value)) if !self.has(F::DeliverByRefused) => self.deliver_by(value),
            (b"MT-PRIORITY", Some(value)) if !self.has(F::PriorityRefused) => {
                let text = std::str::from_utf8(value).unwrap_or_default();
                let number = text.strip_prefix('-').unwrap_or(text);
                let good = number.len() == 1 && number.bytes().all(|b| b.is_ascii_digit());
                if good || self.has(F::PriorityAnything) { Ok(()) } else { Err(SYNTAX) }
            }
            (b"RET" | b"ENVID", None) if self.has(F::DsnWithoutValue) => Ok(()),
            (b"BODY" | b"SMTPUTF8" | b"AUTH" | b"RET" | b"ENVID" | b"BY" | b"MT-PRIORITY", _) => {
                Err(SYNTAX)
            }
            _ if self.has(F::UnknownMailParameter) => Ok(()),
            _ => Err(UNKNOWN),
        }
    }

    /// Nothing in it that could break a line.
    fn is_plain(&self, decoded: &[u8]) -> bool {
        self.has(F::XtextIntoHeader) || decoded.iter().all(|b| *b >= b' ')
    }

    fn size(&self, to: &mut Envelope, value: &[u8]) -> Result<(), Refusal> {
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        if !digits || value.len() > 20 {
            to.size = Some(0);
            return if self.has(F::SizeBadAccepted) { Ok(()) } else { Err(SYNTAX) };
        }
        let fold = |n: u64, b: &u8| n.saturating_mul(10).saturating_add(u64::from(b - b'0'));
        let wrap = |n: u32, b: &u8| n.wrapping_mul(10).wrapping_add(u32::from(b - b'0'));
        let size = if self.has(F::SizeWraps) {
            // A signed number, so what is too large may be less than nothing.
            u64::from(value.iter().fold(0, wrap) & 0xffff)
        } else {
            value.iter().fold(0, fold)
        };
        to.size = Some(size);
        if self.too_large(size) && !self.has(F::SizeIgnored) {
            return Err(Refusal(552, "5.3.4", "too large"));
        }
        Ok(())
    }

    fn body(&self, to: &mut Envelope, value: &[u8]) -> Result<(), Refusal> {
        let upper = value.to_ascii_uppercase();
        if self.has(F::BodyCaseSensitive) && upper != value {
            return Err(SYNTAX);
        }
        match &upper[..] {
            b"7BIT" | b"8BITMIME" => Ok(()),
            b"BINARYMIME" => {
                to.binary = true;
                Ok(())
            }
            _ if self.has(F::BodyAnything) => Ok(()),
            _ => Err(SYNTAX),
        }
    }

    fn may_hold(&self) -> bool {
        self.port == Port::Submission || self.user.is_some()
    }

    fn hold(&self, to: &mut Envelope, key: &[u8], value: &[u8]) -> Result<(), Refusal> {
        if self.has(F::HoldRefused) {
            return Err(UNKNOWN);
        }
        let twice = to.held;
        to.held = true;
        if self.has(F::HoldAnything) {
            return Ok(());
        }
        let text = std::str::from_utf8(value).unwrap_or_default();
        let good = if key == b"HOLDFOR" {
            text.parse::<u32>().is_ok_and(|n| (1..=315_360_000).contains(&n))
                && text.len() <= 9
                && !text.starts_with('+')
        } else {
            // As text, dates compare as dates.
            text.len() >= 20
                && text.as_bytes().get(10) == Some(&b'T')
                && text <= "2036-01-01T00:00:00Z"
        };
        if good && !twice { Ok(()) } else { Err(SYNTAX) }
    }

    fn deliver_by(&self, value: &[u8]) -> Result<(), Refusal> {
        if self.has(F::DeliverByAnything) {
            return Ok(());
        }
        let text = std::str::from_utf8(value).map_err(|_| SYNTAX)?.to_uppercase();
        let (time, mode) = text.split_once(';').ok_or(SYNTAX)?;
        let digits = time.strip_prefix(['-', '+']).unwrap_or(time);
        let good = (1..=9).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && ["R", "N", "RT", "NT"].contains(&mode);
        let positive = !time.starts_with('-') && digits.bytes().any(|b| b != b'0');
        let returns = mode.starts_with('R') && !self.has(F::DeliverByZero);
        if good && (positive || !returns) { Ok(()) } else { Err(SYNTAX) }
    }

    pub(super) fn rcpt_parameter(&self, to: &mut Recipient, word: &[u8]) -> Result<(), Refusal> {
        let (key, value) = split(word);
        match (&key[..], value) {
            _ if self.is(Habit::Bare) => Err(UNKNOWN),
            (b"NOTIFY", Some(value)) if !self.has(F::NotifyRefused) => {
                let text = String::from_utf8_lossy(value).to_uppercase();
                to.notify = text.split(',').map(str::to_owned).collect();
                let known =
                    |n: &String| ["NEVER", "SUCCESS", "FAILURE", "DELAY"].contains(&n.as_str());
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
            (b"NOTIFY" | b"ORCPT", None) if self.has(F::DsnWithoutValue) => Ok(()),
            (b"NOTIFY" | b"ORCPT", _) => Err(SYNTAX),
            _ if self.has(F::UnknownRcptParameter) => Ok(()),
            _ => Err(UNKNOWN),
        }
    }
}
