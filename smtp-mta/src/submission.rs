//! What a server that takes mail from its users adds and refuses (RFC 6409 §6, §8).

use crate::{header::Header, message_id::MessageId, policy::DomainName, trace::Date};
use jiff::Zoned;
use smtp_proto::{
    EnhancedCode,
    wire::{Mailbox, Refused},
};
use std::fmt::Write;

/// What is known of a message that a user submits.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The reverse path, as it is written.
    pub from: &'a str,
    /// Our name for the message.
    pub id: MessageId,
    /// Who we are.
    pub hostname: &'a DomainName,
    /// The time.
    pub date: &'a Zoned,
}

/// The fields that `header` lacks, to be put in front of it: `Message-ID` and `Date` (RFC 6409
/// §8.2, §8.3), and `From`, without which it would be no header (RFC 5322 §3.6). Each author and
/// the sender must be one whom `may` allows.
///
/// # Errors
/// What `may` said; 550 5.7.1 for a list of authors that cannot be read, since others might read it
/// as they like; 554 5.6.0 for a header that is too long, or without any sender.
pub fn complete(
    header: &Header,
    facts: &Facts<'_>,
    may: impl Fn(&Mailbox<'_>) -> Result<(), Refused<'static>>,
) -> Result<String, Refused<'static>> {
    if header.is_too_long() {
        return Err(Refused::CONTENT);
    }
    for body in header.all("From").chain(header.all("Sender")) {
        let body = String::from_utf8_lossy(body);
        let mailboxes = addresses(&body).ok_or_else(unreadable)?;
        for address in &mailboxes {
            may(&Mailbox::parse(address).map_err(|_| unreadable())?)?;
        }
    }
    let mut missing = String::new();
    // A string takes everything.
    let mut add = |name: &'static str, value: std::fmt::Arguments<'_>| {
        if header.all(name).next().is_none() {
            let _ = write!(missing, "{name}: {value}\r\n");
        }
    };
    add("Message-ID", format_args!("<{}@{}>", facts.id, facts.hostname));
    add("Date", format_args!("{}", Date(facts.date)));
    if header.all("From").next().is_none() {
        if facts.from == "<>" {
            return Err(Refused::CONTENT);
        }
        add("From", format_args!("{}", facts.from));
    }
    if !header.is_one() {
        missing.push_str("\r\n");
    }
    Ok(missing)
}

fn unreadable() -> Refused<'static> {
    let text = "The From or Sender field cannot be read";
    let reply = Refused::new(550, EnhancedCode::permanent(7, 1), text);
    reply.unwrap_or(Refused::DENIED)
}

/// The addresses of a `From` or `Sender` field; `None` if there is none, or anything that not every
/// reader would read the same.
///
/// RFC 5322 §3.4: `mailbox = [display-name] "<" addr-spec ">" / addr-spec`, with commas between
/// them. Deviation: no groups, no routes, no blank space inside an address, no `@` in a display
/// name unless it is quoted.
fn addresses(body: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut mailbox = Reading::default();
    let mut chars = body.chars();
    while let Some(c) = chars.next() {
        match c {
            '(' => skip_comment(&mut chars)?,
            '"' => quoted(&mut chars, mailbox.part())?,
            '<' if mailbox.angle.is_none() && !mailbox.at => {
                mailbox.angle = Some(String::new());
            }
            '>' if mailbox.angle.is_some() && !mailbox.closed => mailbox.closed = true,
            ',' if mailbox.angle.is_none() || mailbox.closed => {
                found.push(std::mem::take(&mut mailbox).address()?);
            }
            '<' | '>' | ':' | ';' => return None,
            c if mailbox.closed && !c.is_ascii_whitespace() => return None,
            c => {
                mailbox.at |= c == '@';
                mailbox.part().push(c);
            }
        }
    }
    found.push(mailbox.address()?);
    Some(found)
}

/// A mailbox that is being read.
#[derive(Default)]
struct Reading {
    /// What stands outside of angle brackets and comments.
    outside: String,
    /// There is an `@` that is not quoted.
    at: bool,
    angle: Option<String>,
    closed: bool,
}

impl Reading {
    fn part(&mut self) -> &mut String {
        match &mut self.angle {
            Some(angle) if !self.closed => angle,
            _ => &mut self.outside,
        }
    }

    fn address(self) -> Option<String> {
        let address = match self.angle {
            Some(angle) if self.closed => angle,
            Some(_) => return None,
            None => self.outside,
        };
        let address = address.trim_ascii();
        (!address.is_empty()).then(|| address.to_owned())
    }
}

/// RFC 5322 §3.2.2, behind its opening parenthesis.
fn skip_comment(chars: &mut std::str::Chars<'_>) -> Option<()> {
    let mut depth = 1;
    while depth > 0 {
        match chars.next()? {
            '(' => depth += 1,
            ')' => depth -= 1,
            '\\' => drop(chars.next()?),
            _ => {}
        }
    }
    Some(())
}

/// RFC 5322 §3.2.4, behind its opening quote; copied to `to` as it is.
fn quoted(chars: &mut std::str::Chars<'_>, to: &mut String) -> Option<()> {
    to.push('"');
    loop {
        let c = chars.next()?;
        to.push(c);
        match c {
            '"' => return Some(()),
            '\\' => to.push(chars.next()?),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message_id::MessageIds;
    use jiff::{Timestamp, tz::TimeZone};

    fn completed(message: &str, from: &str) -> Result<String, Refused<'static>> {
        let mut header = Header::default();
        header.take(message.as_bytes());
        let id = MessageIds::new().unwrap().next();
        let facts = Facts {
            from,
            id,
            hostname: &DomainName::new("mx.example").unwrap(),
            date: &Timestamp::from_second(1_000_000_000).unwrap().to_zoned(TimeZone::UTC),
        };
        let may = |mailbox: &Mailbox<'_>| match mailbox.to_string().as_str() {
            "you@mx.example" | "\"y\\@u\"@mx.example" => Ok(()),
            _ => Err(Refused::DENIED),
        };
        complete(&header, &facts, may).map(|text| text.replace(&id.to_string(), "ID"))
    }

    const DATE: &str = "Date: Sun, 9 Sep 2001 01:46:40 +0000\r\n";

    /// SUBM-03
    #[test]
    fn what_is_missing_is_added_and_nothing_else() {
        let all = "from: you@mx.example\r\nDATE: x\r\nmessage-id: <1@x>\r\n\r\n";
        assert_eq!(completed(all, "<you@mx.example>"), Ok(String::new()));
        assert_eq!(
            completed("Subject: x\r\n\r\n", "<you@mx.example>"),
            Ok(format!("Message-ID: <ID@mx.example>\r\n{DATE}From: <you@mx.example>\r\n"))
        );
        let with_from = "From: <you@mx.example>\r\nMessage-ID: <1@x>\r\n\r\n";
        assert_eq!(completed(with_from, "<>"), Ok(DATE.into()));
    }

    #[test]
    fn a_message_without_a_header_gets_one() {
        let text = completed("just text\r\n", "<you@mx.example>").unwrap();
        assert!(text.ends_with("From: <you@mx.example>\r\n\r\n"), "{text}");
        assert_eq!(completed("just text\r\n", "<>"), Err(Refused::CONTENT));
    }

    #[test]
    fn every_author_and_the_sender_must_be_allowed() {
        for (fields, allowed) in [
            ("From: you@mx.example\r\n", true),
            ("From: \"evil@b.example\" <you@mx.example>\r\n", true),
            ("From: You (evil@b.example) <you@mx.example> (x)\r\n", true),
            ("From: =?utf-8?q?Y=C3=B6u?=\r\n <you@mx.example>\r\n", true),
            ("From: You\r\n\t<you@mx.example>,\r\n you@mx.example\r\n", true),
            (
                r#"From: "y\@u"@mx.example
"#,
                true,
            ),
            ("FROM : evil@b.example\r\n", false),
            ("From: you@mx.example, evil@b.example\r\n", false),
            ("From: you@mx.example\r\nFrom: evil@b.example\r\n", false),
            ("From: you@mx.example\r\nnone\r\nFrom: evil@b.example\r\n", false),
            ("From: you@mx.example\r\nSender: evil@b.example\r\n", false),
            ("From: evil@b.example (you@mx.example)\r\n", false),
            ("From: evil@b.example (\\) <you@mx.example>\r\n", false),
            ("From: \"<you@mx.example>\" <evil@b.example>\r\n", false),
            ("From: <evil@b.example> <you@mx.example>\r\n", false),
            ("From: <you@mx.example> evil@b.example\r\n", false),
            ("From: evil@b.example <you@mx.example>\r\n", false),
            ("From: <@mx.example:evil@b.example>\r\n", false),
            ("From: Group: you@mx.example;\r\n", false),
            ("From: you@mx.example,\r\n", false),
            ("From: <>\r\n", false),
            ("From:\r\n", false),
            ("From: <you@mx.example\r\n", false),
            ("From: \"you@mx.example\r\n", false),
            ("From: (you@mx.example\r\n", false),
            ("From: you @ mx.example\r\n", false),
            ("From: you@mx.example evil@b.example\r\n", false),
        ] {
            let fields = fields.replace("\\r\\n", "\r\n");
            let done = completed(&format!("{fields}\r\n"), "<you@mx.example>");
            assert_eq!(done.is_ok(), allowed, "{fields:?}: {done:?}");
        }
    }

    #[test]
    fn a_header_that_is_too_long_is_refused() {
        let long = format!("Subject: {}\r\n\r\n", "x".repeat(crate::header::LIMIT));
        assert_eq!(completed(&long, "<you@mx.example>"), Err(Refused::CONTENT));
    }
}
