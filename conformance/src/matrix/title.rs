//! What the families of requirements are about, in a few words.

/// The title of `family`; empty if it has none.
pub fn title(family: &str) -> &'static str {
    TITLES.iter().find(|(name, _)| *name == family).map_or("", |(_, title)| title)
}

const TITLES: &[(&str, &str)] = &[
    ("CONN", "Connection and replies"),
    ("EHLO", "Greeting"),
    ("SYN", "Syntax of commands and paths"),
    ("SEQ", "Order of commands"),
    ("RCPT", "Recipients"),
    ("VRFY", "VRFY and EXPN"),
    ("HELP", "HELP"),
    ("DATA", "Messages"),
    ("EOD", "End of data, and smuggling"),
    ("EOL", "Line ends"),
    ("TRACE", "Trace fields"),
    ("SIZE", "SIZE"),
    ("PIPE", "PIPELINING"),
    ("BDAT", "CHUNKING"),
    ("BMIME", "BINARYMIME"),
    ("8BIT", "8BITMIME"),
    ("UTF8", "SMTPUTF8"),
    ("ESC", "Enhanced status codes"),
    ("DSN", "Delivery status notifications"),
    ("TLS", "STARTTLS"),
    ("RTLS", "REQUIRETLS"),
    ("AUTH", "AUTH"),
    ("SUBM", "Submission"),
    ("ETRN", "ETRN"),
    ("LMTP", "LMTP"),
    ("LIM", "LIMITS"),
    ("FR", "FUTURERELEASE"),
    ("DBY", "DELIVERBY"),
    ("MTP", "MT-PRIORITY"),
    ("NMX", "Null MX"),
    ("XCL", "XCLIENT"),
    ("PROXY", "PROXY protocol"),
    ("MISC", "Everything else"),
    ("SEC-REL", "Security: relaying"),
    ("SEC-INJ", "Security: injection"),
    ("SEC-XP", "Security: other protocols"),
    ("SEC-PIPE", "Security: pipelining"),
    ("SEC-DOS", "Security: exhaustion"),
    ("SEC-TLS", "Security: TLS"),
    ("SEC-ENUM", "Security: finding users"),
    ("SEC-HDR", "Security: header fields"),
    ("SEC-LEN", "Security: lengths"),
    ("SEC-AUTH", "Security: AUTH"),
    ("SEC-RES", "Security: TLS sessions"),
    ("C", "Clients"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requirement::{all, clients};

    #[test]
    fn every_family_has_a_title_and_every_title_a_family() {
        let families = || all().iter().chain(clients()).map(|one| one.family());
        for family in families() {
            assert_ne!(title(family), "", "{family}");
        }
        for (name, _) in TITLES {
            assert!(families().any(|family| family == *name), "{name}");
        }
    }
}
