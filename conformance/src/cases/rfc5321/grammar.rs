//! Words of RFC 5321 §4.1.2, §4.1.3 and §4.1.1.1 that servers say.

use std::net::{Ipv4Addr, Ipv6Addr};

/// `Domain`: labels of letters, digits and hyphens, none with a hyphen at an end.
pub(in crate::cases) fn is_domain(word: &str) -> bool {
    !word.is_empty()
        && word.len() <= 255
        && word.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

/// `address-literal`: `[192.0.2.1]`, `[IPv6:2001:db8::1]`.
pub(in crate::cases) fn is_address_literal(word: &str) -> bool {
    let Some(inner) = word.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return false;
    };
    match inner.split_at_checked(5) {
        Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6:") => {
            address.parse::<Ipv6Addr>().is_ok()
        }
        _ => inner.parse::<Ipv4Addr>().is_ok(),
    }
}

/// `ehlo-keyword`, and `esmtp-keyword`: a letter or digit, then letters, digits and hyphens.
pub(in crate::cases) fn is_keyword(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphanumeric())
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_literals_and_keywords_are_told_from_what_they_are_not() {
        for good in ["mx.example.test", "a", "1and1.example", "x--y.example"] {
            assert!(is_domain(good), "{good}");
        }
        for bad in ["", "a..b", "-a.example", "a-.example", "a_b.example", "a.", "[192.0.2.1]"] {
            assert!(!is_domain(bad), "{bad}");
        }
        for good in ["[192.0.2.1]", "[IPv6:2001:db8::1]", "[ipv6:::1]"] {
            assert!(is_address_literal(good), "{good}");
        }
        for bad in ["192.0.2.1", "[192.0.2]", "[2001:db8::1]", "[IPv6:x]", "[]", "["] {
            assert!(!is_address_literal(bad), "{bad}");
        }
        assert!(is_keyword("8BITMIME") && is_keyword("MT-PRIORITY"));
        assert!(!is_keyword("AUTH=PLAIN") && !is_keyword("-X") && !is_keyword(""));
    }
}
