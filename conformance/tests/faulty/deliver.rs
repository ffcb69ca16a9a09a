//! What becomes of a message: refused, changed, stored, reported.

use super::{
    envelope::Envelope,
    fault::Fault as F,
    server::{NAME, SIZE},
    session::{Flow, Session},
    store::date,
    stream::find,
};
use smtp_conformance::wire::Port;

impl Session<'_> {
    /// Judges a whole message, stores it and answers.
    pub(super) fn finish(&mut self, raw: &[u8], mut text: Vec<u8>, by_data: bool) -> Flow {
        let Some(mut mail) = self.mail.take() else { return Flow::Close };
        let odd_name = header_lines(&text).iter().any(|line| {
            line.starts_with(b"__proto__") || line.starts_with(b"constructor") || line[0] == b':'
        });
        let long_line = header_lines(&text).iter().any(|line| line.len() > SIZE);
        if (odd_name && self.has(F::HeaderNameCrashes))
            || (long_line && self.has(F::LongHeaderCrashes))
        {
            self.server.dies();
            return Flow::Close;
        }
        let refusal = self.refusal(raw, &text);
        let accepted = refusal.is_none();
        self.change(&mail, &mut text, by_data);
        if self.has(F::RecipientsLeak) {
            let own = mail.recipients.clone();
            mail.recipients.append(&mut self.former);
            self.former = own;
        }
        let dropped = self.has(F::BadRcptDelivers) && mail.refused > 0;
        if (accepted || self.has(F::DeliversRefused)) && !dropped {
            if self.has(F::WaitsForQuit) {
                self.waiting.push((mail.clone(), text));
            } else {
                self.store(&mail, &text);
            }
        }
        let fault = if accepted { F::KeepsEnvelope } else { F::KeepsEnvelopeAfterRefusal };
        let mut count = if self.is_lmtp() { mail.recipients.len().max(1) } else { 1 };
        if self.is_lmtp() {
            let one = if by_data { F::LmtpOneReply } else { F::LmtpBdatOneReply };
            if self.has(one) {
                count = 1;
            }
            if self.has(F::LmtpReplyForRefused) {
                count += mail.refused;
            }
            let unique: std::collections::BTreeSet<_> =
                mail.recipients.iter().map(|r| &r.address.written).collect();
            if self.has(F::LmtpMergesSame) {
                count = unique.len().max(1);
            }
        }
        let mut names: Vec<_> = mail.recipients.iter().map(|r| r.address.written.clone()).collect();
        if self.has(F::LmtpReversed) {
            names.reverse();
        }
        for n in 0..count {
            let name = names.get(n).filter(|name| self.is_lmtp() && name.is_ascii());
            let text = match (name, refusal) {
                (_, Some((_, _, text))) => text.as_bytes().to_vec(),
                (Some(name), None) => [b"<", &name[..], b"> stored"].concat(),
                (None, None) => b"stored".to_vec(),
            };
            let (code, status) = refusal.map_or((250, "2.0.0"), |(code, status, _)| (code, status));
            self.say(code, if accepted { "2.6.0" } else { status }, text);
        }
        if self.has(fault) {
            self.mail = Some(mail);
        }
        Flow::On
    }

    fn refusal(&self, raw: &[u8], text: &[u8]) -> Option<(u16, &'static str, &'static str)> {
        let size = if self.has(F::SizeCountsDots) { raw.len().max(text.len()) } else { text.len() };
        let most = if self.has(F::SmallMessages) { 60_000 } else { SIZE };
        let unchecked = self.has(F::SizeUnchecked) || self.has(F::BdatSizeUnchecked);
        if size > most && !unchecked {
            return Some((552, "5.3.4", "too large"));
        }
        let long = raw.split(|&b| b == b'\n').any(|line| line.len() > 999);
        if long && self.has(F::LineLimitCountsDot) {
            return Some((554, "5.6.0", "a line is too long"));
        }
        let header = header_lines(text);
        if self.has(F::HeaderNeeded) && !header.iter().any(|line| line.contains(&b':')) {
            return Some((554, "5.6.0", "no header"));
        }
        let with = |name: &str| {
            let is = |line: &&Vec<u8>| {
                line.len() > name.len() && line[..name.len()].eq_ignore_ascii_case(name.as_bytes())
            };
            header.iter().filter(is).count()
        };
        if self.has(F::ResentRefused) && with("Resent-") > 0 && with("Resent-From:") == 0 {
            return Some((554, "5.6.0", "Resent- fields do not match"));
        }
        let odd = |line: &Vec<u8>| line.starts_with(b"Received:") && !line.contains(&b';');
        if self.has(F::ReceivedRefused) && header.iter().any(odd) {
            return Some((554, "5.6.0", "a malformed Received field"));
        }
        let most = if self.has(F::LoopAt50) { 50 } else { 100 };
        if with("Received:") >= most && !self.has(F::LoopNever) {
            return Some((554, "5.4.6", "a loop"));
        }
        None
    }

    /// What some servers do to a text.
    fn change(&self, mail: &Envelope, text: &mut Vec<u8>, by_data: bool) {
        let per_line = |text: &[u8], change: &dyn Fn(&[u8]) -> Vec<u8>| {
            text.split_inclusive(|&b| b == b'\n').flat_map(change).collect::<Vec<u8>>()
        };
        if self.has(F::LineCut) {
            *text = per_line(text, &|line| match line.len() {
                902.. => [&line[..900], b"\r\n"].concat(),
                _ => line.to_vec(),
            });
        }
        if self.has(F::LongLinesSplit) {
            *text = per_line(text, &|line| match line.len() {
                1001.. => line.chunks(998).collect::<Vec<_>>().join(&b"\r\n"[..]),
                _ => line.to_vec(),
            });
        }
        if self.has(F::BlankLineAdded) {
            text.extend_from_slice(b"\r\n");
        }
        if self.has(F::ControlsStripped) {
            text.retain(|b| !matches!(b, 0..=8 | 11 | 12 | 14..=31 | 127));
        }
        if self.has(F::EighthBitStripped) {
            text.iter_mut().for_each(|b| *b &= 0x7f);
        }
        let (lf, cr) = (F::BareLfBecomesCrlf, F::BareCrBecomesCrlf);
        let binary = self.has(F::BinaryNormalised) && mail.binary;
        if self.has(cr) || self.has(F::BareCrDropped) || self.has(lf) || binary {
            let mut changed = Vec::new();
            for (at, &octet) in text.iter().enumerate() {
                let before = at.checked_sub(1).map(|n| text[n]);
                match octet {
                    b'\n' if before != Some(b'\r') && (self.has(lf) || binary) => {
                        changed.extend_from_slice(b"\r\n");
                    }
                    b'\r' if text.get(at + 1) != Some(&b'\n') => {
                        if self.has(cr) || binary {
                            changed.extend_from_slice(b"\r\n");
                        } else if !self.has(F::BareCrDropped) {
                            changed.push(octet);
                        }
                    }
                    _ => changed.push(octet),
                }
            }
            *text = changed;
        }
        if self.has(F::SizeTruncates) && by_data {
            let size = mail.size.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
            text.truncate(size);
        }
        self.change_header(text);
    }

    /// What RFC 6409 §8 lets a submission server add.
    fn complete(&self, text: &mut Vec<u8>) {
        let header = header_lines(text);
        let has = |name: &[u8]| {
            header.iter().any(|line| {
                line.get(..name.len()).is_some_and(|own| own.eq_ignore_ascii_case(name))
            })
        };
        if !has(b"Message-ID:") {
            let id = self.server.id();
            text.splice(..0, format!("Message-ID: <{id:x}@{NAME}>\r\n").into_bytes());
        }
        if !has(b"Date:") {
            text.splice(..0, format!("Date: {}\r\n", date()).into_bytes());
        }
    }

    fn change_header(&self, text: &mut Vec<u8>) {
        if self.port == Port::Submission && !self.has(F::SubmissionPlain) {
            self.complete(text);
        }
        let faults = [
            F::Utf8HeaderMangled,
            F::HeaderRewritten,
            F::ReceivedDropped,
            F::ReceivedReordered,
            F::SubmissionRewrites,
        ];
        if !faults.iter().any(|&fault| self.has(fault)) {
            return;
        }
        let end = find(text, b"\r\n\r\n").map_or(text.len(), |at| at + 2);
        let body = text.split_off(end);
        let mut fields: Vec<Vec<u8>> = Vec::new();
        for line in text.split_inclusive(|&b| b == b'\n') {
            match fields.last_mut() {
                Some(field) if line.starts_with(b" ") || line.starts_with(b"\t") => {
                    field.extend_from_slice(line);
                }
                _ => fields.push(line.to_vec()),
            }
        }
        if self.has(F::Utf8HeaderMangled) {
            fields.iter_mut().flatten().filter(|b| **b >= 0x80).for_each(|b| *b = b'?');
        }
        let received = |field: &Vec<u8>| {
            field.get(..9).is_some_and(|name| name.eq_ignore_ascii_case(b"Received:"))
        };
        if self.has(F::ReceivedDropped) {
            fields.retain(|field| !received(field));
        }
        if self.has(F::ReceivedReordered) {
            fields.sort_by_key(|field| std::cmp::Reverse(received(field).then(|| field.clone())));
        }
        if self.has(F::HeaderRewritten) {
            for field in &mut fields {
                let words = String::from_utf8_lossy(field).into_owned();
                let words: Vec<_> = words.split_whitespace().collect();
                *field = format!("{}\r\n", words.join(" ")).into_bytes();
            }
        }
        if self.has(F::SubmissionRewrites) && self.port == Port::Submission {
            fields.retain(|f| !f.starts_with(b"Date:") && !f.starts_with(b"Message-ID:"));
            fields.push(format!("Date: {}\r\nMessage-ID: <x@{NAME}>\r\n", date()).into_bytes());
        }
        *text = [fields.concat(), body].concat();
    }
}

/// The lines of the header, without their ends.
pub(super) fn header_lines(text: &[u8]) -> Vec<Vec<u8>> {
    let end =
        if text.starts_with(b"\r\n") { 0 } else { find(text, b"\r\n\r\n").unwrap_or(text.len()) };
    let lines = text[..end].split(|&b| b == b'\n').map(|line| line.trim_ascii_end().to_vec());
    lines.filter(|line| !line.is_empty()).collect()
}
