//! Mailboxes: trace fields, Maildirs, and reports to the sender.

use super::{
    deliver::header_lines,
    envelope::{Envelope, Recipient},
    fault::Fault as F,
    habit::Habit,
    server::{NAME, Server},
    session::Session,
    stream::find,
};
use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

impl Session<'_> {
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
            if let Some(host) = self.server.setting.next_hop {
                self.pass_on(host, mail, recipient, text);
                continue;
            }
            if !done.contains(&mailbox) {
                done.push(mailbox);
                for _ in 0..if self.has(F::DeliversTwice) { 2 } else { 1 } {
                    write(self.server, mailbox, &self.with_trace(mail, text));
                }
            }
            let always = self.has(F::SuccessDsnAlways) && !recipient.notify.is_empty();
            let wanted = recipient.notify.iter().any(|n| n == "SUCCESS");
            if (wanted || always) && !self.has(F::NoSuccessDsn) {
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
        let mut received = self.received(mail);
        if self.is(Habit::OddTrace) {
            trace.get_mut(..12).map(<[u8]>::make_ascii_uppercase);
            received = odd(&received);
        }
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
        let mut field =
            [b"Received: from ", name, b" ([", self.peer.as_bytes(), b"])\r\n"].concat();
        field.extend(format!("\tby {NAME} with {with} id {id:08x}").bytes());
        if mail.recipients.len() == 1 || self.has(F::ReceivedForAll) {
            let all: Vec<_> = mail
                .recipients
                .iter()
                .map(|r| [b"<", &r.address.written[..], b">"].concat())
                .collect();
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
            let author = find(text, b"From: <").map_or(&[][..], |at| &text[at + 7..]);
            let local = author.split(|&b| b == b'@').next().unwrap_or_default();
            self.server.mailbox(local)
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
            report.push_str(
                &header_lines(text).iter().map(|l| lossy(l) + "\r\n").collect::<String>(),
            );
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
        let report =
            [format!("{report}Content-Type: {kind}\r\n\r\n").as_bytes(), part, b"\r\n--part--\r\n"]
                .concat();
        write(self.server, &to, &report);
    }
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

pub(super) fn date() -> String {
    let (weekday, day, month, year, time) = now();
    format!("{weekday}, {day} {month} {year} {time} +0000")
}

/// A trace field with its clauses in capitals, comments between them, folds where the grammar has
/// white space, and a date without its weekday.
fn odd(received: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(received);
    let (clauses, date) = text.trim_end().rsplit_once(";\r\n\t").unwrap_or((&text, ""));
    let date = date.split_once(", ").map_or(date, |(_, date)| date);
    let mut odd = clauses.replace("Received: from ", "RECEIVED:\r\n\tFROM ");
    for (clause, other) in [
        ("by", "(a (nested \\) one) \"comment\")\r\n BY"),
        ("with", "VIA TCP\r\n WITH"),
        ("id", "(TLS; by chance) ID"),
        ("for", "(by now)\r\n FOR"),
    ] {
        odd = odd.replace(&format!("\t{clause} "), &format!("\t{other} "));
        odd = odd.replace(&format!(" {clause} "), &format!(" {other} "));
    }
    format!("{odd} (in the end) ;\r\n {date} (UTC)\r\n").into_bytes()
}

fn old_date() -> String {
    let (weekday, day, month, year, time) = now();
    format!("{weekday}, {day} {month} {:02} {time} CEST", year % 100)
}
