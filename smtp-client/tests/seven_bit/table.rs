//! Small messages before and after, and those that cannot be converted.

use smtp_client::seven_bit::{MAX_SIZE, Obstacle, convert};

/// Octets of lines; `ü` is one octet, as in ISO 8859-1, and `ў` two, as in UTF-8.
fn octets(lines: &[&str]) -> Vec<u8> {
    let mut octets = Vec::new();
    for letter in lines.iter().flat_map(|line| line.chars().chain("\r\n".chars())) {
        match letter {
            'ü' => octets.push(0xfc),
            letter => octets.extend(letter.to_string().bytes()),
        }
    }
    octets
}

#[track_caller]
fn becomes(before: &[&str], after: &[&str]) {
    let converted = convert(&octets(before)).unwrap();
    assert_eq!(String::from_utf8(converted).unwrap(), after.join("\r\n") + "\r\n");
}

#[track_caller]
fn stays(message: &[&str]) {
    becomes(message, message);
}

#[track_caller]
fn fails(message: &[&str], obstacle: Obstacle) {
    assert_eq!(convert(&octets(message)), Err(obstacle));
}

#[test]
fn text_becomes_quoted_printable_and_other_fields_stay() {
    becomes(
        &[
            "mime-version: 1.0",
            "Subject: x",
            " folded ",
            "content-transfer-encoding : (as it",
            " is) 8BIT",
            "Content-Type: text/plain; charset=ISO-8859-1; format=flowed",
            "X-Last:y",
            "",
            "Viele Grüße ",
            ".a=b",
        ],
        &[
            "mime-version: 1.0",
            "Subject: x",
            " folded ",
            "Content-Transfer-Encoding: quoted-printable",
            "Content-Type: text/plain; charset=ISO-8859-1; format=flowed",
            "X-Last:y",
            "",
            "Viele Gr=FC=C3=9Fe=20",
            "=2Ea=3Db",
        ],
    );
}

#[test]
fn an_encoding_that_was_not_told_is_added_at_the_end() {
    for label in [None, Some("Content-Transfer-Encoding: 7bit")] {
        let mut before = vec!["MIME-Version: 1.0"];
        before.extend(label);
        before.extend(["", "Viele liebe Grüsse"]);
        becomes(
            &before,
            &[
                "MIME-Version: 1.0",
                "Content-Transfer-Encoding: quoted-printable",
                "",
                "Viele liebe Gr=FCsse",
            ],
        );
    }
}

#[test]
fn text_that_is_hardly_ascii_and_all_that_is_no_text_becomes_base64() {
    for media in ["text/plain; charset=utf-8", "application/octet-stream"] {
        let field = format!("Content-Type: {media}");
        becomes(
            &["MIME-Version: 1.0", &field, "", "ўўўў"],
            &[
                "MIME-Version: 1.0",
                &field,
                "Content-Transfer-Encoding: base64",
                "",
                "0Z7RntGe0Z4NCg==",
            ],
        );
    }
}

#[test]
fn a_message_from_before_mime_becomes_text() {
    for (line, charset, quoted) in [
        ("Viele liebe Grüsse", "unknown-8bit", "Viele liebe Gr=FCsse"),
        ("Viele liebe Grўsse", "utf-8", "Viele liebe Gr=D1=9Esse"),
    ] {
        let content_type = format!("Content-Type: text/plain; charset={charset}");
        becomes(
            &["Subject: x", "", line],
            &[
                "Subject: x",
                "MIME-Version: 1.0",
                &content_type,
                "Content-Transfer-Encoding: quoted-printable",
                "",
                quoted,
            ],
        );
    }
}

#[test]
fn parts_are_converted_one_by_one_and_those_of_7_bit_stay() {
    becomes(
        &[
            "MIME-Version: 1.0",
            "Content-Type: multipart/mixed (a \"comment; boundary=x); boundary=\"a \\b\"",
            "Content-Transfer-Encoding: 8bit",
            "",
            "preamble =",
            "--a b",
            "",
            "ü, but mostly not",
            "--a b  ",
            "Content-Transfer-Encoding: 8bit",
            "",
            "plain = ",
            "--a b",
            "--a b",
            "Content-Type: image/x",
            "",
            "üü",
            "",
            "--a b--",
            "epilogue =",
        ],
        &[
            "MIME-Version: 1.0",
            "Content-Type: multipart/mixed (a \"comment; boundary=x); boundary=\"a \\b\"",
            "Content-Transfer-Encoding: 7bit",
            "",
            "preamble =",
            "--a b",
            "Content-Transfer-Encoding: quoted-printable",
            "",
            "=FC, but mostly not",
            "--a b  ",
            "Content-Transfer-Encoding: 8bit",
            "",
            "plain = ",
            "--a b",
            "--a b",
            "Content-Type: image/x",
            "Content-Transfer-Encoding: base64",
            "",
            "/PwNCg==",
            "",
            "--a b--",
            "epilogue =",
        ],
    );
}

#[test]
fn a_message_within_is_converted_inside() {
    let inner = ["Subject: inner", "", "ü, but mostly not"];
    let converted = [
        "Subject: inner",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=unknown-8bit",
        "Content-Transfer-Encoding: quoted-printable",
        "",
        "=FC, but mostly not",
    ];
    let outer = ["MIME-Version: 1.0", "Content-Type: message/RFC822"];
    let (labelled, relabelled) =
        (["Content-Transfer-Encoding: binary", ""], ["Content-Transfer-Encoding: 7bit", ""]);
    becomes(
        &[&outer[..], &labelled, &inner].concat(),
        &[&outer[..], &relabelled, &converted].concat(),
    );

    let digest = ["MIME-Version: 1.0", "Content-Type: multipart/digest; boundary=b", "", "--b", ""];
    becomes(
        &[&digest[..], &inner, &["--b--"]].concat(),
        &[&digest[..], &converted, &["--b--"]].concat(),
    );
}

#[test]
fn a_utf8_message_within_is_encoded_as_a_whole() {
    becomes(
        &["MIME-Version: 1.0", "Content-Type: message/global", "", "Subject: ў", "", "x"],
        &[
            "MIME-Version: 1.0",
            "Content-Type: message/global",
            "Content-Transfer-Encoding: base64",
            "",
            "U3ViamVjdDog0Z4NCg0KeA0K",
        ],
    );
}

#[test]
fn what_is_7_bit_stays_whatever_it_says() {
    stays(&["Content-Type: nonsense", "Content-Transfer-Encoding: 8bit", "no field", "", "x"]);
    stays(&["MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b", "", "no part"]);
    assert_eq!(convert(b""), Ok(Vec::new()));
}

#[test]
fn a_signature_keeps_its_part_from_being_converted_and_no_other() {
    for subtype in ["signed", "encrypted"] {
        let field = format!("Content-Type: multipart/{subtype}; boundary=b");
        let message = ["MIME-Version: 1.0", &field, "", "--b", "", "ü", "--b", "", "sig", "--b--"];
        fails(&message, Obstacle::Signed);
    }
    let signed = [
        "--b",
        "Content-Type: multipart/signed; boundary=c",
        "Content-Transfer-Encoding: 8bit",
        "",
        "--c",
        "",
        "x = y ",
        "--c",
        "",
        "signature",
        "--c--",
        "--b--",
    ];
    let head = ["MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b", "", "--b"];
    let quoted = ["Content-Transfer-Encoding: quoted-printable", "", "mostly =FC"];
    becomes(
        &[&head[..], &["", "mostly ü"], &signed].concat(),
        &[&head[..], &quoted, &signed].concat(),
    );
}

#[test]
fn octets_that_no_encoding_can_save_are_refused() {
    let mime = "MIME-Version: 1.0";
    fails(&["Subject: ü", "", "x"], Obstacle::Header);
    fails(&[mime, "Content-Type: message/rfc822", "", "Subject: ü", "", "x"], Obstacle::Header);
    fails(&["no end of the header", " ü"], Obstacle::Header);
    fails(&["no field", "", "ü"], Obstacle::Malformed);
    fails(&["Content-Type: text/plain", "", "ü"], Obstacle::NoMimeVersion);
    for encoding in ["base64", "Quoted-Printable", "x-uuencode", "8 bit", ""] {
        let field = format!("Content-Transfer-Encoding: {encoding}");
        fails(&[mime, &field, "", "ü"], Obstacle::Encoded);
    }
    for subtype in ["partial", "external-body; access-type=x", "delivery-status", "news"] {
        let field = format!("Content-Type: message/{subtype}");
        fails(&[mime, &field, "", "ü"], Obstacle::MediaType);
    }
    for (field, value) in [
        ("Content-Type", "text"),
        ("Content-Type", "text/pl ain"),
        ("Content-Type", "\x0btext/plain"),
        ("Content-Type", "text/plain (no end"),
        ("Content-Type", "multipart/mixed"),
        ("Content-Type", "multipart/mixed; boundary=\"\""),
        ("Content-Type", "multipart/mixed; boundary=a b"),
        ("Content-Type", "multipart/mixed; boundary=a; boundary=b"),
        ("Content-Type", "multipart/mixed; boundary*0=a; boundary*1=b"),
        ("Content-Type", "multipart/mixed; boundary=\"a"),
        ("Content-Type", "text/plain\r\nContent-Type: text/html"),
        ("Content-Transfer-Encoding", "8bit\r\nContent-Transfer-Encoding: base64"),
    ] {
        let field = format!("{field}: {value}");
        fails(&[mime, &field, "", "--a", "", "ü", "--a--"], Obstacle::Malformed);
    }
}

#[test]
fn boundaries_that_can_be_read_in_two_ways_are_refused() {
    let multipart = |lines: &[&'static str]| {
        let head = ["MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b", ""];
        head.into_iter().chain(lines.iter().copied()).collect::<Vec<_>>()
    };
    for lines in [
        &["ü"][..],
        &["--b--", "ü"],
        &["--b", "", "ü"],
        &["--b", "", "ü", "--b-- x"],
        &["--b", "", "ü", "--bc", "--b--"],
        &["--b", "", "ü", "--b--", "--b", "", "x", "--b--"],
        // Also where the part that lies has no 8-bit octets.
        &["--b", "Content-Type: multipart/x; boundary=c", "", "--c", "--b", "", "ü", "--b--"],
        // The part within never ends, or ends where the one around it does.
        &["--b", "Content-Type: multipart/mixed; boundary=c", "", "--c", "", "ü", "--b--"],
        &["--b", "Content-Type: multipart/mixed; boundary=b", "", "ü", "--b", "", "x", "--b--"],
    ] {
        fails(&multipart(lines), Obstacle::Boundary);
    }
    fails(&multipart(&["ü", "--b", "", "x", "--b--"]), Obstacle::BetweenParts);
    fails(&multipart(&["--b", "", "x", "--b--", "ü"]), Obstacle::BetweenParts);
}

#[test]
fn a_soft_line_break_makes_no_boundary() {
    let line = format!("{}--b--", "ü".to_owned() + &"x".repeat(72));
    let quoted = format!("=FC{}=", "x".repeat(72));
    let head = ["MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b", "", "--b"];
    let field = "Content-Transfer-Encoding: quoted-printable";
    becomes(
        &[&head[..], &["", &line, "--b--"]].concat(),
        &[&head[..], &[field, "", &quoted, "=2D-b--", "--b--"]].concat(),
    );
}

#[test]
fn parts_are_20_deep_and_no_deeper() {
    let nested = |depth: usize| {
        let mut message = octets(&["", "mostly ü"]);
        for _ in 0..depth {
            let head = octets(&["MIME-Version: 1.0", "Content-Type: message/rfc822", ""]);
            let inner = octets(&["MIME-Version: 1.0"]);
            let inner = if message.starts_with(b"\r\n") { inner } else { Vec::new() };
            message = [head, inner, message].concat();
        }
        convert(&message).map(|message| message.is_ascii())
    };
    assert_eq!(nested(20), Ok(true));
    assert_eq!(nested(21), Err(Obstacle::TooDeep));
}

#[test]
fn other_line_ends_than_crlf_and_too_many_octets_are_refused() {
    for message in ["a\nb", "a\rb", "a\r", "\n", "a\r\r\n"] {
        assert_eq!(convert(message.as_bytes()), Err(Obstacle::LineEnding), "{message:?}");
    }
    let mut message = vec![b'x'; MAX_SIZE];
    assert!(convert(&message).is_ok());
    message.push(b'x');
    assert_eq!(convert(&message), Err(Obstacle::TooLarge));
}

#[test]
fn an_obstacle_says_what_it_is_and_whether_smtputf8_would_help() {
    assert_eq!(Obstacle::Header.enhanced().to_string(), "5.6.7");
    assert_eq!(Obstacle::Boundary.enhanced().to_string(), "5.6.3");
    assert_eq!(Obstacle::Signed.to_string(), "the 8-bit octets are signed or encrypted");
}
