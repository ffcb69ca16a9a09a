//! The pieces of a notice: parts, fields, and lines of a length that can be sent.

use smtp_proto::wire::Reply;

/// Characters of a line, where words allow it (RFC 5322 §2.1.1).
const LINE: usize = 76;

/// Characters of a reply that are told.
const MAX_REPLY: usize = 1_000;

/// Characters of a word; one that is longer is cut (RFC 5322 §2.1.1 has 998 to a line).
const MAX_WORD: usize = 900;

/// Adds a part of a multipart message.
pub(super) fn add(message: &mut Vec<u8>, boundary: &str, content_type: &str, octets: &[u8]) {
    let encoding = if octets.is_ascii() { "7bit" } else { "8bit" };
    let head = format!(
        "\r\n--{boundary}\r\nContent-Type: {content_type}\r\n\
         Content-Transfer-Encoding: {encoding}\r\n\r\n"
    );
    message.extend_from_slice(head.as_bytes());
    message.extend_from_slice(octets);
}

/// Adds a field, folded.
pub(super) fn field(to: &mut String, name: &str, value: &str) {
    *to += name;
    *to += ":";
    let mut width = name.len() + 1;
    for word in words(value) {
        if width > name.len() + 1 && width + 1 + word.len() > LINE {
            *to += "\r\n\t";
            width = 8;
        } else {
            *to += " ";
            width += 1;
        }
        *to += word;
        width += word.len();
    }
    *to += "\r\n";
}

/// Adds a paragraph, indented.
pub(super) fn wrapped(to: &mut String, text: &str) {
    const INDENT: &str = "    ";
    let mut width = 0;
    for word in words(text) {
        if width == 0 || width + 1 + word.len() > LINE {
            *to += if width == 0 { INDENT } else { "\r\n    " };
            width = INDENT.len();
        } else {
            *to += " ";
            width += 1;
        }
        *to += word;
        width += word.len();
    }
    *to += "\r\n";
}

/// The words of `text`, none of which breaks a line.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| c == ' ' || c.is_control()).filter(|word| !word.is_empty());
    words.map(|word| &word[..word.floor_char_boundary(MAX_WORD)])
}

/// What somebody said in an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// The status code, if there is one.
    pub(super) status: Option<String>,
    /// It is a reply of SMTP.
    pub(super) is_reply: bool,
    /// All of it, within bounds.
    pub(super) line: String,
}

impl Said {
    pub(super) fn new(said: &str) -> Self {
        let line = said[..said.floor_char_boundary(MAX_REPLY)].to_owned();
        // Of one that was not tried, what was said to the one before.
        let said = line.split_once("there failed: ").map_or(line.as_str(), |(_, said)| said);
        let octets = format!("{said}\r\n").into_bytes();
        let reply = Reply::parse(&octets).ok();
        let is_reply = reply.is_some() && said == line;
        let status = reply.as_ref().and_then(|reply| match (reply.enhanced(), reply.class()) {
            (Some(enhanced), _) => Some(enhanced.to_string()),
            (None, Some(class)) => Some(format!("{}.0.0", class.digit())),
            (None, None) => None,
        });
        Self { status, is_reply, line }
    }
}

/// The text with a question mark for what is not ASCII.
pub(super) fn in_ascii(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
}

/// What a status code means (RFC 3463, RFC 7505), for those that people meet.
pub(super) fn in_plain_words(status: &str) -> Option<&'static str> {
    let (_, code) = status.split_once('.')?;
    Some(match code {
        "1.0" | "1.1" | "1.3" | "1.6" => "There is no such mailbox.",
        "1.2" => "There is no such domain; look for a slip in the address.",
        "1.10" => "The domain does not accept mail.",
        "2.1" => "The mailbox is closed.",
        "2.2" => "The mailbox is full.",
        "2.3" | "3.4" => "The message is too large.",
        "4.1" | "4.2" | "4.3" | "4.4" | "4.7" => {
            "The server for this address could not be reached."
        }
        "4.6" => "The message went round in circles between servers.",
        "6.0" | "6.1" | "6.3" | "6.7" => "The server cannot take a message of this kind.",
        code if code.starts_with("7.") => "The server refused the message.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_code_is_found_where_there_is_one() {
        for (said, status, is_reply) in [
            ("550 5.1.1 nobody here", Some("5.1.1"), true),
            ("554 no", Some("5.0.0"), true),
            ("451 4.4.2 lost", Some("4.4.2"), true),
            ("put off, for the last attempts there failed: 421 4.3.2 bye", Some("4.3.2"), false),
            ("put off, for a reason", None, false),
            ("", None, false),
        ] {
            let found = Said::new(said);
            assert_eq!((found.status.as_deref(), found.is_reply), (status, is_reply), "{said}");
        }
    }

    #[test]
    fn a_field_is_folded_and_nothing_breaks_out_of_it() {
        let mut text = String::new();
        let value = format!("smtp; 550 a\r\nX-Evil: {} {}", "word ".repeat(40), "x".repeat(5_000));
        field(&mut text, "Diagnostic-Code", &value);
        assert!(text.lines().all(|line| line.len() <= 998), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with('\t')), "{text}");
        assert!(text.ends_with("\r\n") && !text.contains("\n\r"), "{text}");
    }
}
