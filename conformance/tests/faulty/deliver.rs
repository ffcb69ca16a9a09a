//! What becomes of a message: refused, changed, stored, reported.

use super::{
    envelope::{Envelope, Recipient},
    fault::Fault as F,
    server::{NAME, SIZE, Server},
    session::{Flow, Session},
    stream::find,
};
use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

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
        let mut names: Vec<_> =
            mail.recipients.iter().map(|r| r.address.written.clone()).collect();
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
        if size > most && !self.has(F::SizeUnchecked) {
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

    fn change_header(&self, text: &mut Vec<u8>) {
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
        if self.has(F::SubmissionRewrites) && self.port == smtp_conformance::wire::Port::Submission {
            fields.retain(|f| !f.starts_with(b"Date:") && !f.starts_with(b"Message-ID:"));
            fields.push(format!("Date: {}\r\nMessage-ID: <x@{NAME}>\r\n", date()).into_bytes());
        }
        *text = [fields.concat(), body].concat();
    }

    /// Puts the message where it belongs.
    pub(super) fn store(&self, mail: &Envelope, text: &[u8]) {
        if mail.held && !self.has(F::HoldReleased) {
            return;
        }
        let mut done: Vec<&str> = Vec::new();
        for recipient in &mail.recipients {
            let Some(mailbox) = recipient.mailbox.as_deref() else { continue };
            if mailbox == "failing" {
                self.report(mail, recipient, text, false);
                continue;
            }
            if !done.contains(&mailbox) {
                done.push(mailbox);
                write(self.server, mailbox, &self.with_trace(mail, text));
            }
            if recipient.notify.iter().any(|n| n == "SUCCESS") && !self.has(F::NoSuccessDsn) {
                self.report(mail, recipient, text, true);
            }
        }
    }

    fn with_trace(&self, mail: &Envelope, text: &[u8]) -> Vec<u8> {
        let mut trace = Vec::new();
        let path = match mail.recipients.first() {
            Some(first) if self.has(F::ReturnPathWrong) => &first.address.written,
            _ => &mail.from.written,
        };
        let copies = match () {
            () if self.has(F::NoReturnPath) => 0,
            () if self.has(F::TwoReturnPaths) => 2,
            () => 1,
        };
        for _ in 0..copies {
            trace.extend([b"Return-Path: <", &path[..], b">\r\n"].concat());
        }
        if self.has(F::XtextIntoHeader) {
            let originals = mail.recipients.iter().filter_map(|r| r.original.as_ref());
            for value in mail.envid.iter().chain(originals) {
                trace.extend([b"X-Envelope: ", &value[..], b"\r\n"].concat());
            }
        }
        let received = self.received(mail);
        if self.has(F::ReceivedBelow) {
            let end = find(text, b"\r\n\r\n").map_or(0, |at| at + 2);
            return [&trace, &text[..end], &received, &text[end..]].concat();
        }
        if !self.has(F::NoReceived) {
            trace.extend(received);
        }
        [&trace, text].concat()
    }

    fn received(&self, mail: &Envelope) -> Vec<u8> {
        let id = self.server.id();
        let date = if self.has(F::ReceivedOldDate) { old_date() } else { date() };
        if self.has(F::ReceivedBare) {
            return format!("Received: by {NAME}; {date}\r\n").into_bytes();
        }
        let name = self.hello.as_ref().map_or(&b"unknown"[..], |hello| &hello.name);
        let mut with = String::new();
        let extended = self.hello.as_ref().is_some_and(|hello| hello.extended);
        with.push_str(match (mail.utf8, self.is_lmtp(), extended) {
            _ if self.has(F::ReceivedAlwaysSmtp) => "SMTP",
            (true, true, _) => "UTF8LMTP",
            (true, false, _) => "UTF8SMTP",
            (false, true, _) => "LMTP",
            (false, false, true) => "ESMTP",
            (false, false, false) => "SMTP",
        });
        if extended && !self.has(F::ReceivedAlwaysSmtp) {
            with.push_str(if self.stream.is_secure() { "S" } else { "" });
            with.push_str(if self.user.is_some() { "A" } else { "" });
        }
        let mut field = [b"Received: from ", name, b" ([127.0.0.1])\r\n"].concat();
        field.extend(format!("\tby {NAME} with {with} id {id:08x}").bytes());
        if mail.recipients.len() == 1 || self.has(F::ReceivedForAll) {
            let all: Vec<_> =
                mail.recipients.iter().map(|r| [b"<", &r.address.written[..], b">"].concat()).collect();
            field.extend([b"\r\n\tfor ", &all.join(&b","[..])[..]].concat());
        }
        field.extend(format!(";\r\n\t{date}\r\n").bytes());
        field
    }

    /// Tells the sender what became of it (RFC 3464).
    fn report(&self, mail: &Envelope, of: &Recipient, text: &[u8], success: bool) {
        let wanted = |what: &str| of.notify.iter().any(|n| n == what);
        let silent = self.has(F::NoBounce)
            || (wanted("NEVER") && !self.has(F::NeverIgnored))
            || (!of.notify.is_empty() && !wanted("FAILURE") && !wanted("NEVER"));
        if !success && silent {
            return;
        }
        let to = if mail.from.is_null() && self.has(F::BounceOfBounce) {
            mail.recipients.first().map(|_| "postmaster".to_owned())
        } else {
            let own = mail.from.domain.eq_ignore_ascii_case(super::server::DOMAIN.as_bytes());
            self.server.mailbox(&mail.from.local).filter(|_| own && !mail.from.is_null())
        };
        let Some(to) = to else { return };
        let lossy = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let from = if self.has(F::BounceWithSender) { "postmaster@example.test" } else { "" };
        let mut report = format!(
            "Return-Path: <{from}>\r\nReceived: by {NAME} id {:08x};\r\n\t{}\r\n\
             From: Mail Delivery System <postmaster@example.test>\r\nTo: <{}>\r\nDate: {}\r\n\
             Subject: What became of your message\r\nMessage-ID: <{}@{NAME}>\r\n\
             Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n",
            self.server.id(),
            date(),
            lossy(&mail.from.written),
            date(),
            self.server.id(),
        );
        if success && self.has(F::SuccessDsnPlain) {
            report.push_str("\r\nIt was delivered:\r\n");
            report.push_str(&header_lines(text).iter().map(|l| lossy(l) + "\r\n").collect::<String>());
            return write(self.server, &to, report.as_bytes());
        }
        report.push_str(
            "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"part\"\r\n\
             \r\n--part\r\nContent-Type: text/plain\r\n\r\nSee below.\r\n\
             --part\r\nContent-Type: message/delivery-status\r\n\r\n",
        );
        if let Some(envid) = &mail.envid {
            report.push_str(&format!("Original-Envelope-Id: {}\r\n", lossy(envid)));
        }
        report.push_str(&format!("Reporting-MTA: dns; {NAME}\r\n\r\n"));
        if let Some(original) = &of.original {
            report.push_str(&format!("Original-Recipient: rfc822;{}\r\n", lossy(original)));
        }
        let (action, status) = if success { ("delivered", "2.1.5") } else { ("failed", "5.2.0") };
        report.push_str(&format!(
            "Final-Recipient: rfc822;{}\r\nAction: {action}\r\nStatus: {status}\r\n\r\n--part\r\n",
            lossy(&of.address.written)
        ));
        let end = find(text, b"\r\n\r\n").map_or(text.len(), |at| at + 2);
        let whole = !success && (!mail.headers_only || self.has(F::RetIgnored));
        let (kind, part) =
            if whole { ("message/rfc822", text) } else { ("text/rfc822-headers", &text[..end]) };
        let report = [
            format!("{report}Content-Type: {kind}\r\n\r\n").as_bytes(),
            part,
            b"\r\n--part--\r\n",
        ]
        .concat();
        write(self.server, &to, &report);
    }
}

/// The lines of the header, without their ends.
fn header_lines(text: &[u8]) -> Vec<Vec<u8>> {
    let end = if text.starts_with(b"\r\n") { 0 } else { find(text, b"\r\n\r\n").unwrap_or(text.len()) };
    let lines = text[..end].split(|&b| b == b'\n').map(|line| line.trim_ascii_end().to_vec());
    lines.filter(|line| !line.is_empty()).collect()
}

fn write(server: &Server, mailbox: &str, message: &[u8]) {
    let folder = server.root().join(mailbox);
    let (name, new) = (format!("{}.{mailbox}", server.id()), folder.join("new"));
    // A folder that cannot be written shows as a message that did not arrive.
    drop(fs::create_dir_all(&new));
    drop(fs::create_dir_all(folder.join("tmp")));
    let whole = folder.join("tmp").join(&name);
    drop(fs::write(&whole, message));
    drop(fs::rename(whole, new.join(name)));
}

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Weekday, day, month, year and time of now.
fn now() -> (&'static str, u64, &'static str, u64, String) {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (mut days, time) = (seconds / 86_400, seconds % 86_400);
    let weekday = DAYS[(days % 7) as usize];
    let mut year = 1970;
    let leap = |year: u64| year.is_multiple_of(4);
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 0;
    for length in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let time = format!("{:02}:{:02}:{:02}", time / 3600, time / 60 % 60, time % 60);
    (weekday, days + 1, MONTHS[month], year, time)
}

fn date() -> String {
    let (weekday, day, month, year, time) = now();
    format!("{weekday}, {day} {month} {year} {time} +0000")
}

fn old_date() -> String {
    let (weekday, day, month, year, time) = now();
    format!("{weekday}, {day} {month} {:02} {time} CEST", year % 100)
}
