//! What another reader of MIME makes of a message, before and after.

use bytes::Bytes;
use mail_parser::{HeaderName, Message, MessageParser, MimeHeaders, PartType};
use proptest::{collection::vec, prelude::*, sample::select};
use smtp_client::seven_bit::convert;
use std::{fmt::Write, panic::catch_unwind};

/// All that a reader sees: structure, names, decoded parts, and the fields that do not depend on the
/// encoding. `None` if it gives up.
fn seen(message: &[u8]) -> Option<String> {
    // A boundary in the middle of a line is none, and left to the tests of our own reader.
    let is_misread = |boundary| {
        let mut found = memchr::memmem::find_iter(message, boundary);
        found.any(|at| !message[..at].ends_with(b"\r\n"))
    };
    if is_misread("--b=") || is_misread("--y") {
        return None;
    }
    let parsed = catch_unwind(|| MessageParser::default().parse(message));
    let mut seen = String::new();
    if let Some(message) = parsed.ok()? {
        see(&message, 0, 0, &mut seen)?;
    }
    Some(seen)
}

fn see(message: &Message<'_>, part: u32, depth: u32, seen: &mut String) -> Option<()> {
    // Deeper than anything that is converted.
    let depth = (depth < 32).then_some(depth + 1)?;
    let it = &message.parts[part as usize];
    for header in &it.headers {
        // A message from before MIME is text without saying so.
        let is_said = match header.name {
            HeaderName::ContentTransferEncoding | HeaderName::MimeVersion => false,
            HeaderName::ContentType => !it.is_content_type("text", "plain"),
            _ => true,
        };
        if is_said {
            writeln!(seen, "{}: {:?}", header.name, header.value).unwrap();
        }
    }
    writeln!(seen, "named {:?}", it.attachment_name()).unwrap();
    match &it.body {
        PartType::Text(text) | PartType::Html(text) => writeln!(seen, "text {text:?}").unwrap(),
        PartType::Binary(octets) | PartType::InlineBinary(octets) => {
            writeln!(seen, "octets {octets:?}").unwrap();
        }
        PartType::Message(message) => {
            seen.push_str("message (\n");
            see(message, 0, depth, seen)?;
            seen.push_str(")\n");
        }
        PartType::Multipart(parts) => {
            seen.push_str("multipart [\n");
            parts.iter().try_for_each(|&part| see(message, part, depth, seen))?;
            seen.push_str("]\n");
        }
    }
    Some(())
}

/// Whether the message can be converted; if so, that it was done right.
fn holds(before: &[u8]) -> Result<bool, TestCaseError> {
    let Ok(after) = convert(before) else { return Ok(false) };
    prop_assert!(after.is_ascii());
    prop_assert_eq!(convert(&after), Ok(after.clone()));
    if before.is_ascii() {
        prop_assert_eq!(before, &after);
    }
    if let Some(seen_before) = seen(before) {
        prop_assert_eq!(Some(seen_before), seen(&after), "{}", after.escape_ascii());
    }
    Ok(true)
}

/// Text in UTF-8, with all that an encoding must look out for.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let piece = select(vec![
        "a",
        "word ",
        " ",
        "\t",
        "=",
        "=20",
        "-",
        "--x",
        ".",
        "From ",
        "\r\n",
        " \r\n",
        "\r\n\r\n",
        "\u{fc}",
        "\u{45e}",
        "\u{1f600}",
        "\x7f",
        "0123456789 0123456789 0123456789",
    ]);
    vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
}

fn leaf() -> impl Strategy<Value = Vec<u8>> {
    let types = [
        "",
        "Content-Type: text/plain; charset=utf-8\r\n",
        "Content-Type: text/html;\r\n charset=\"utf-8\"\r\n",
        "Content-Type: application/octet-stream; name=\"x.bin\"\r\n",
        "Content-Type: image/png\r\nContent-Disposition: attachment;\r\n filename=\"=?utf-8?q?=FC?=.png\"\r\n",
    ];
    let encodings = ["", "", "8bit", "7bit", "binary"];
    (select(types.to_vec()), select(encodings.to_vec()), body()).prop_map(
        |(media, encoding, body)| {
            let encoding = match encoding {
                "" => String::new(),
                name => format!("Content-Transfer-Encoding: {name}\r\n"),
            };
            [media.as_bytes(), encoding.as_bytes(), b"\r\n", &body].concat()
        },
    )
}

fn multipart(subtype: &str, parts: &[Vec<u8>]) -> Vec<u8> {
    // No part within has as many octets. The end is what an encoding could make of a `=`.
    let boundary: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = format!(
        "Content-Type: multipart/{subtype}; boundary=\"b={boundary}=3D\"\r\n\
         Content-Transfer-Encoding: 8bit\r\n\r\npreamble"
    )
    .into_bytes();
    for part in parts {
        out.extend(format!("\r\n--b={boundary}=3D\r\n").bytes());
        out.extend(part);
    }
    out.extend(format!("\r\n--b={boundary}=3D--\r\n").bytes());
    out
}

/// A message, without its MIME-Version.
fn entity() -> impl Strategy<Value = Vec<u8>> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        let parts = vec(inner.clone(), 1..4);
        let subtypes = vec!["mixed", "alternative", "related"];
        prop_oneof![
            (select(subtypes), parts).prop_map(|(subtype, parts)| multipart(subtype, &parts)),
            inner.prop_map(|inner| {
                let head = b"Content-Type: message/rfc822\r\n\r\nMIME-Version: 1.0\r\n";
                [&head[..], &inner].concat()
            }),
        ]
    })
}

fn message(entity: &[u8]) -> Vec<u8> {
    [b"Subject: x\r\nMIME-Version: 1.0\r\n", entity].concat()
}

/// Octets to be put somewhere into a message, in the place of some others.
fn change() -> impl Strategy<Value = (prop::sample::Index, usize, Vec<u8>)> {
    let octets = prop_oneof![
        vec(any::<u8>(), 0..4),
        select(vec![
            "\r\n",
            "--",
            "--b=",
            "\r\n\r\n",
            "\"",
            ";",
            "(",
            "\\",
            "\u{fc}",
            " ",
            "Content-Type: multipart/mixed; boundary=y\r\n",
            "\r\n--y\r\n",
            "\r\n--y--\r\n",
            "Content-Transfer-Encoding: base64\r\n",
        ])
        .prop_map(|it| it.as_bytes().to_vec()),
    ];
    (any::<prop::sample::Index>(), 0..4_usize, octets)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn another_reader_sees_the_same_in_any_message(entity in entity().prop_map(Bytes::from)) {
        prop_assert!(holds(&message(&entity))?);
    }

    #[test]
    fn what_is_converted_of_a_broken_message_is_converted_right(
        entity in entity().prop_map(Bytes::from),
        changes in vec(change(), 1..4),
    ) {
        let mut message = message(&entity);
        for (at, removed, octets) in changes {
            let at = at.index(message.len());
            let end = (at + removed).min(message.len());
            message.splice(at..end, octets);
        }
        holds(&message)?;
    }
}
