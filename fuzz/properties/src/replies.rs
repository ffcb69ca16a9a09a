//! A reader of replies that shares no code with the machine's writer (RFC 5321 §4.2).

/// Longest reply line, CRLF included (RFC 5321 §4.5.3.1.5).
const MAX_LINE: usize = 512;

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// Its code.
    pub(crate) code: u16,
    /// What stands behind the code in its last line.
    pub(crate) text: String,
}

/// Reads `output` as whole replies and gives the code of each.
///
/// # Panics
/// If it is anything else; see [`whole`].
pub(crate) fn codes(output: &[u8]) -> Vec<u16> {
    whole(output).iter().map(|reply| reply.code).collect()
}

/// Reads `output` as whole replies.
///
/// # Panics
/// If it is anything else: a line without CRLF or longer than 512 octets, an octet that is not
/// printable ASCII, a code outside 200 to 599, or a code that changes within a reply.
pub(crate) fn whole(output: &[u8]) -> Vec<Reply> {
    let mut replies = Vec::new();
    let mut open = None;
    let mut rest = output;
    while !rest.is_empty() {
        let end = rest.windows(2).position(|w| w == b"\r\n").expect("a reply line ends in CRLF");
        let (line, after) = (&rest[..end], &rest[end + 2..]);
        rest = after;
        assert!(line.len() + 2 <= MAX_LINE, "a reply line of {} octets", line.len() + 2);
        assert!(
            line.iter().all(|&b| matches!(b, b'\t' | b' '..=b'~')),
            "a reply line with an octet that is not printable"
        );
        let text = std::str::from_utf8(line).expect("printable ASCII is UTF-8");
        let code = text.get(..3).and_then(|code| code.parse::<u16>().ok()).expect("three digits");
        assert!((200..600).contains(&code), "no reply code: {code}");
        assert!(open.is_none_or(|before| before == code), "the code changes within a reply");
        match line.get(3) {
            Some(b'-') => open = Some(code),
            Some(b' ') | None => {
                open = None;
                replies.push(Reply { code, text: text.get(4..).unwrap_or_default().to_owned() });
            }
            Some(_) => panic!("neither space nor hyphen behind the code"),
        }
    }
    assert!(open.is_none(), "a reply without its last line");
    replies
}
