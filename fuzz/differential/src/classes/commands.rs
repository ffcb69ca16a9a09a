//! Every kind of difference about commands, in the order of `README.md`.

use super::{Class, Verdict};
use crate::line::Parts;

const STALWART: &str = "smtp-proto";
const CODEC: &str = "smtp-codec";
const MAILIN: &str = "mailin";

/// All kinds, of commands.
pub const CLASSES: &[Class] = &[
    Class {
        name: "SOURCE-ROUTE",
        peers: &[CODEC, MAILIN],
        verdict: Verdict::Both,
        section: "RFC 5321 §4.1.1.3, appendix C",
        example: b"RCPT TO:<@r.example:b@b.example>",
        explains: |seen| seen.differs_in("address") && seen.has("<@"),
    },
    Class {
        name: "LITERAL-SPELLING",
        peers: &[STALWART, CODEC, MAILIN],
        verdict: Verdict::Both,
        section: "RFC 5321 §4.1.3, RFC 5952 §4",
        example: b"EHLO [IPv6:1:2:3:4:5:6:7::]",
        explains: |seen| (seen.differs_in("address") || seen.differs_in("name")) && seen.has("["),
    },
    Class {
        name: "POSTMASTER",
        peers: &[CODEC, MAILIN],
        verdict: Verdict::Both,
        section: "RFC 5321 §4.1.1.3, §4.5.1",
        example: b"RCPT TO:<postMASTER>",
        explains: |seen| {
            seen.differs_in("address")
                && seen.difference.theirs.fact("address").is_some_and(|address| {
                    address.trim_matches(['<', '>']).eq_ignore_ascii_case("postmaster")
                })
        },
    },
    Class {
        name: "STRING",
        peers: &[STALWART, CODEC],
        verdict: Verdict::Theirs,
        section: "RFC 5321 §4.1.2",
        example: b"HELP MAIL FROM:",
        explains: |seen| {
            seen.verb(&["NOOP", "VRFY", "EXPN", "HELP"])
                && (seen.only_ours() || seen.differs_in("text"))
        },
    },
    Class {
        name: "NOOP-ARGUMENT",
        peers: &[MAILIN],
        verdict: Verdict::Ours,
        section: "RFC 5321 §4.1.1.9",
        example: b"NOOP x",
        explains: |seen| seen.verb(&["NOOP"]) && seen.only_ours(),
    },
    Class {
        name: "XTEXT-OCTETS",
        peers: &[STALWART],
        verdict: Verdict::Both,
        section: "RFC 3461 §4, RFC 6533 §3",
        example: b"RCPT TO:<b@b.example> ORCPT=rfc822;+C3+BC@b.example",
        explains: |seen| {
            let is_latin = |text: &str| text.chars().any(|c| matches!(c, '\u{80}'..='\u{ff}'));
            seen.differs_in("ORCPT") && seen.difference.theirs.fact("ORCPT").is_some_and(is_latin)
        },
    },
    Class {
        name: "SPACE-BEFORE-PATH",
        peers: &[MAILIN],
        verdict: Verdict::Theirs,
        section: "RFC 5321 §3.3",
        example: b"MAIL FROM: <a@a.example>",
        explains: |seen| {
            seen.only_ours() && seen.is_path() && seen.parts(|parts| parts.rest.contains(": "))
        },
    },
    Class {
        name: "BLANKS",
        peers: &[STALWART, CODEC, MAILIN],
        verdict: Verdict::Ours,
        section: "RFC 5321 §4.1.1",
        example: b"EHLO  a.example\t",
        explains: |seen| {
            let at_end = seen.line.last().is_some_and(|octet| matches!(octet, b' ' | b'\t'));
            seen.difference.ours.is_taken() && (at_end || seen.has("  "))
        },
    },
    Class {
        name: "NULL-PATH",
        peers: &[MAILIN],
        verdict: Verdict::Ours,
        section: "RFC 5321 §4.1.2, §4.5.5",
        example: b"MAIL FROM:<>",
        explains: |seen| seen.only_ours() && seen.parts(|parts| parts.path == Some("<>")),
    },
    Class {
        name: "QUOTED-STRING",
        peers: &[CODEC, MAILIN],
        verdict: Verdict::Ours,
        section: "RFC 5321 §4.1.2",
        example: b"MAIL FROM:<\"\\ \"@b.example>",
        explains: |seen| {
            seen.only_ours() && seen.parts(|parts| parts.path.is_some_and(|it| it.contains('"')))
        },
    },
    Class {
        name: "EMPTY-QUOTED-STRING",
        peers: &[STALWART],
        verdict: Verdict::Ours,
        section: "RFC 5321 §4.1.2",
        example: b"MAIL FROM:<\"\"@b.example>",
        explains: |seen| {
            seen.only_ours()
                && seen.parts(|parts| parts.path.is_some_and(|it| it.contains("\"\"@")))
        },
    },
    Class {
        name: "PARAMETERS",
        peers: &[MAILIN],
        verdict: Verdict::Both,
        section: "RFC 5321 §4.1.1.11",
        example: b"MAIL FROM:<a@a.example> SIZE=1",
        explains: |seen| seen.only_ours() && seen.parts(|parts| !parts.parameters.is_empty()),
    },
    Class {
        name: "OWN-PARAMETERS",
        peers: &[STALWART],
        verdict: Verdict::Both,
        section: "RFC 5321 §4.1.1.11",
        example: b"MAIL FROM:<a@a.example> X-MAIL=1",
        explains: |seen| {
            seen.only_ours()
                && seen.parts(|parts| parts.keywords().iter().any(|word| word.starts_with("X-")))
        },
    },
    Class {
        name: "LITERAL-IN-PATH",
        peers: &[STALWART, MAILIN],
        verdict: Verdict::Ours,
        section: "RFC 5321 §4.1.2, §4.1.3",
        example: b"MAIL FROM:<a@[x-tag:<]>",
        explains: |seen| {
            seen.only_ours() && seen.parts(|parts| parts.path.is_some_and(|it| it.contains("@[")))
        },
    },
    Class {
        name: "LITERAL-IPV6",
        peers: &[CODEC],
        verdict: Verdict::Ours,
        section: "RFC 5321 §4.1.3",
        example: b"EHLO [IPv6:::ffff:192.0.2.1]",
        explains: |seen| seen.only_ours() && seen.has("["),
    },
    Class {
        name: "UTF8",
        peers: &[CODEC],
        verdict: Verdict::Both,
        section: "RFC 6531 §3.3",
        example: "RCPT TO:<\u{fc}@b.example>".as_bytes(),
        explains: |seen| seen.only_ours() && !seen.ascii(),
    },
    Class {
        name: "UNDERSCORE",
        peers: &[CODEC],
        verdict: Verdict::Theirs,
        section: "RFC 5321 §4.1.2",
        example: b"EHLO a_b",
        explains: |seen| seen.only_ours() && seen.verb(&["EHLO", "HELO"]) && seen.has("_"),
    },
    Class {
        name: "HYPHENS",
        peers: &[CODEC],
        verdict: Verdict::Ours,
        section: "RFC 5321 §4.1.2",
        example: b"EHLO xn--bcher-kva.example",
        explains: |seen| seen.only_ours() && seen.has("--"),
    },
    Class {
        name: "AUTH-ARGUMENTS",
        peers: &[STALWART],
        verdict: Verdict::Both,
        section: "RFC 4954 §4, §8",
        example: b"AUTH XYZZY a",
        explains: |seen| seen.only_theirs() && seen.verb(&["AUTH"]),
    },
    Class {
        name: "AUTH-BASE64",
        peers: &[CODEC, MAILIN],
        verdict: Verdict::Ours,
        section: "RFC 4954 §4, §8",
        example: b"AUTH PLAIN a",
        explains: |seen| seen.only_theirs() && seen.verb(&["AUTH"]),
    },
    Class {
        name: "HELLO-NAME",
        peers: &[STALWART, MAILIN],
        verdict: Verdict::Ours,
        section: "RFC 5321 §4.1.1.1, §4.1.2",
        example: b"EHLO a.ex|ample",
        explains: |seen| seen.only_theirs() && seen.verb(&["EHLO", "HELO", "LHLO"]),
    },
    Class {
        name: "LITERAL-GRAMMAR",
        peers: &[CODEC],
        verdict: Verdict::Ours,
        section: "RFC 5321 §4.1.3",
        example: b"EHLO [IPv6:1]",
        explains: |seen| seen.only_theirs() && seen.has("[") && !seen.has_leading_zero(),
    },
    Class {
        name: "LEADING-ZERO",
        peers: &[CODEC],
        verdict: Verdict::Theirs,
        section: "RFC 5321 §4.1.3",
        example: b"EHLO [192.0.2.01]",
        explains: |seen| seen.only_theirs() && seen.has("[") && seen.has_leading_zero(),
    },
    Class {
        name: "LABEL-LENGTH",
        peers: &[CODEC],
        verdict: Verdict::Ours,
        section: "RFC 5321 §2.3.5, RFC 1035 §2.3.4",
        example: b"EHLO aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example",
        explains: |seen| {
            let mut words =
                seen.line.split(|octet| !octet.is_ascii_alphanumeric() && *octet != b'-');
            seen.only_theirs() && words.any(|word| word.len() > 63)
        },
    },
    Class {
        name: "ORCPT-TYPE",
        peers: &[STALWART],
        verdict: Verdict::Ours,
        section: "RFC 3461 §4.2",
        example: b"RCPT TO:<b@b.example> ORCPT=x400;a",
        explains: |seen| {
            seen.only_ours() && seen.parts(|parts| parts.keywords().iter().any(|it| it == "ORCPT"))
        },
    },
    Class {
        name: "COLON",
        peers: &[STALWART],
        verdict: Verdict::Ours,
        section: "RFC 5321 §3.3, §4.1.1.2",
        example: b"MAIL FROM :<a@a.example>",
        explains: |seen| {
            let begins = |parts: &Parts<'_>| {
                let rest = parts.rest.to_ascii_uppercase();
                rest.starts_with("FROM:") || rest.starts_with("TO:")
            };
            seen.only_theirs() && seen.is_path() && seen.parts(|parts| !begins(parts))
        },
    },
    Class {
        name: "REPEATED",
        peers: &[STALWART],
        verdict: Verdict::Ours,
        section: "RFC 3461 §4.5",
        example: b"MAIL FROM:<a@a.example> RET=FULL RET=HDRS",
        explains: |seen| {
            let repeats = |parts: &Parts<'_>| {
                let words = parts.keywords();
                (1..words.len()).any(|at| words[..at].contains(&words[at]))
            };
            seen.only_theirs() && seen.is_path() && seen.parts(repeats)
        },
    },
    Class {
        name: "BY-ZERO",
        peers: &[STALWART],
        verdict: Verdict::Both,
        section: "RFC 2852 §4",
        example: b"MAIL FROM:<a@a.example> BY=0;R",
        explains: |seen| seen.bad_parameters(&["BY"]),
    },
    Class {
        name: "HOLD",
        peers: &[STALWART],
        verdict: Verdict::Both,
        section: "RFC 4865 §5.2",
        example: b"MAIL FROM:<a@a.example> HOLDFOR=36000",
        explains: |seen| seen.bad_parameters(&["HOLDFOR", "HOLDUNTIL"]),
    },
    Class {
        name: "SPACE-BEHIND-PATH",
        peers: &[STALWART],
        verdict: Verdict::Ours,
        section: "RFC 5321 §4.1.1.2",
        example: b"MAIL FROM:<a@a.example>SIZE=1",
        explains: |seen| seen.only_theirs() && seen.is_path() && seen.parts(|parts| !parts.spaced),
    },
    Class {
        name: "BDAT-ARGUMENTS",
        peers: &[STALWART],
        verdict: Verdict::Ours,
        section: "RFC 3030 §2",
        example: b"BDAT 5 LAST(",
        explains: |seen| seen.only_theirs() && seen.verb(&["BDAT"]),
    },
    Class {
        name: "PATH-GRAMMAR",
        peers: &[STALWART, MAILIN],
        verdict: Verdict::Ours,
        section: "RFC 5321 §4.1.1.3, §4.1.2",
        example: b"RCPT TO:<a.@b.example>",
        explains: |seen| seen.bad_path(),
    },
    Class {
        name: "SMTPUTF8-MISSING",
        peers: &[STALWART, MAILIN],
        verdict: Verdict::Both,
        section: "RFC 6531 §3.4",
        example: "MAIL FROM:<\u{fc}@a.example>".as_bytes(),
        explains: |seen| {
            let undeclared =
                |parts: &Parts<'_>| !parts.keywords().iter().any(|word| word == "SMTPUTF8");
            seen.only_theirs() && seen.verb(&["MAIL"]) && !seen.ascii() && seen.parts(undeclared)
        },
    },
    Class {
        name: "UTF8-STRING",
        peers: &[STALWART, MAILIN],
        verdict: Verdict::Both,
        section: "RFC 6531 §3.7.4.2",
        example: "VRFY \u{fc}".as_bytes(),
        explains: |seen| seen.only_theirs() && seen.verb(&["VRFY", "EXPN"]) && !seen.ascii(),
    },
    Class {
        name: "NOT-UTF8",
        peers: &[STALWART],
        verdict: Verdict::Ours,
        section: "RFC 6531 §3.3",
        example: b"MAIL FROM:<\xff@a.example>",
        explains: |seen| seen.only_theirs() && seen.parts.is_none(),
    },
    Class {
        name: "PARAMETER-VALUES",
        peers: &[CODEC],
        verdict: Verdict::Both,
        section: "RFC 5321 §4.1.1.11",
        example: b"MAIL FROM:<a@a.example> XYZZY=1",
        explains: |seen| {
            seen.only_theirs()
                && seen.is_path()
                && seen.parts(|parts| parts.has_good_path() && !parts.has_good_parameters())
        },
    },
    Class {
        name: "XTEXT",
        peers: &[STALWART],
        verdict: Verdict::Ours,
        section: "RFC 3461 §4, RFC 4954 §5",
        example: b"MAIL FROM:<a@a.example> ENVID=a+2",
        explains: |seen| {
            let bad = |parts: &Parts<'_>| {
                let bad = parts.bad_parameters();
                bad.iter().any(|it| ["ENVID", "ORCPT", "AUTH"].contains(&it.as_str()))
            };
            seen.only_theirs() && seen.is_path() && seen.parts(bad)
        },
    },
    Class {
        name: "SIZE-VALUE",
        peers: &[STALWART],
        verdict: Verdict::Ours,
        section: "RFC 1870 §3",
        example: b"MAIL FROM:<a@a.example> SIZE= 1",
        explains: |seen| {
            let bad = |parts: &Parts<'_>| parts.bad_parameters().iter().any(|it| it == "SIZE");
            seen.only_theirs() && seen.is_path() && seen.parts(bad)
        },
    },
    Class {
        name: "NOTIFY-NEVER",
        peers: &[STALWART],
        verdict: Verdict::Ours,
        section: "RFC 3461 §4.1",
        example: b"RCPT TO:<b@b.example> NOTIFY=NEVER,DELAY",
        explains: |seen| seen.bad_parameters(&["NOTIFY"]),
    },
    Class {
        name: "ARGUMENT",
        peers: &[STALWART],
        verdict: Verdict::Ours,
        section: "RFC 5321 §4.1.1.4, §4.1.1.5, §4.1.1.10, RFC 3207 §4",
        example: b"DATA now",
        explains: |seen| seen.only_theirs() && seen.verb(&["DATA", "RSET", "QUIT", "STARTTLS"]),
    },
    Class {
        name: "CONTROL",
        peers: &[STALWART, MAILIN],
        verdict: Verdict::Ours,
        section: "RFC 5321 §2.3.8, §4.1.2",
        example: b"VRFY a\x7fb",
        explains: |seen| {
            seen.only_theirs() && String::from_utf8_lossy(seen.line).contains(char::is_control)
        },
    },
    Class {
        name: "ETRN-NAME",
        peers: &[STALWART],
        verdict: Verdict::Ours,
        section: "RFC 1985 §5.1",
        example: b"ETRN a*b",
        explains: |seen| seen.only_theirs() && seen.verb(&["ETRN"]),
    },
];
