//! Paths, mailboxes, domains and address literals (RFC 5321 §4.1.2, §4.1.3, RFC 6531 §3.3).
//!
//! Where `smtp-proto` deviates from the grammar on purpose this does too: lengths are bounded, there
//! are no controls, line separators and marks of direction outside ASCII, and a `::` may stand for
//! one group.

use super::ip;

/// Whether `text` is a `Path` or, where `null` says so, `<>` or `<Postmaster>`, at its front. Gives
/// what stands inside without a source route, and what follows.
pub(crate) fn path<'t>(text: &'t str, or: &str) -> Option<(&'t str, &'t str)> {
    let front = text.get(..or.len()).filter(|front| front.eq_ignore_ascii_case(or));
    if let Some(front) = front {
        let rest = &text[or.len()..];
        return is_end(rest).then_some((&front[1..front.len() - 1], rest));
    }
    // Where the path ends depends on quotes and brackets, so every `>` is tried.
    let ends = text.char_indices().filter(|&(_, c)| c == '>').map(|(at, _)| at);
    for end in ends.take_while(|end| *end < 512) {
        let (inside, rest) = (text[..end].strip_prefix('<')?, &text[end + 1..]);
        let without_route = match inside.strip_prefix('@') {
            Some(_) => inside.split_once(':').filter(|(route, _)| is_route(route)),
            None => Some(("", inside)),
        };
        if let Some((_, inside)) = without_route.filter(|(_, inside)| is_mailbox(inside)) {
            return is_end(rest).then_some((inside, rest));
        }
    }
    None
}

fn is_end(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(' ')
}

/// `A-d-l`
fn is_route(text: &str) -> bool {
    text.split(',').all(|at_domain| at_domain.strip_prefix('@').is_some_and(is_domain))
}

/// `Mailbox`: every `@` is tried, for a quoted string may have some.
pub(crate) fn is_mailbox(text: &str) -> bool {
    text.match_indices('@').any(|(at, _)| is_local_part(&text[..at]) && is_host(&text[at + 1..]))
}

/// `Local-part`
pub(crate) fn is_local_part(text: &str) -> bool {
    text.len() <= 128 && (is_dot_string(text) || unquote(text).is_some())
}

fn is_dot_string(text: &str) -> bool {
    text.split('.').all(is_atom)
}

/// `Atom`
pub(crate) fn is_atom(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| !"\"(),.:;<>@[\\] ".contains(c) && is_printable(c))
}

/// What a `Quoted-string` says.
pub(crate) fn unquote(text: &str) -> Option<String> {
    let inside = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut said = String::new();
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        said.push(match c {
            '\\' => chars.next().filter(|c| matches!(c, ' '..='~'))?,
            '"' => return None,
            c => Some(c).filter(|&c| is_printable(c))?,
        });
    }
    Some(said)
}

/// `Domain`, or `address-literal`
pub(crate) fn is_host(text: &str) -> bool {
    is_domain(text) || is_literal(text)
}

/// `Domain`
pub(crate) fn is_domain(text: &str) -> bool {
    text.len() <= 255 && text.split('.').all(is_label)
}

/// `sub-domain`; the 63 of a U-label are characters.
fn is_label(text: &str) -> bool {
    let hidden =
        ['\u{200b}', '\u{200e}', '\u{200f}', '\u{feff}', '\u{3002}', '\u{ff0e}', '\u{ff61}'];
    (1..=63).contains(&text.chars().count())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.chars().all(|c| match c {
            '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => false,
            c if c.is_ascii() => c.is_ascii_alphanumeric() || c == '-',
            c => is_printable(c) && !c.is_whitespace() && !hidden.contains(&c),
        })
}

/// `address-literal`
pub(crate) fn is_literal(text: &str) -> bool {
    let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let Some(inside) = inside.filter(|_| text.len() <= 255) else { return false };
    if inside.chars().any(|c| !matches!(c, '!'..='~') || "[\\]".contains(c)) {
        return false;
    }
    match inside.split_once(':') {
        None => ip::v4(inside).is_some(),
        Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6") => ip::v6(address).is_some(),
        Some((tag, content)) => {
            let ldh = tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            ldh && !tag.is_empty() && !tag.ends_with('-') && !content.is_empty()
        }
    }
}

/// No control character, and nothing that a reader of logs could take for the end of a line.
fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}')
}
