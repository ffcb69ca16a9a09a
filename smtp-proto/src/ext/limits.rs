//! LIMITS (RFC 9422): the server says how many transactions and recipients it takes.

use super::{Extension, Offer};
use crate::client::Capabilities;
use alloc::{format, vec::Vec};

pub(super) static EXTENSION: Extension = Extension {
    keyword: "LIMITS",
    offered: |offer| offer.esmtp && offer.extensions.limits,
    ehlo_params,
    announced,
    ..Extension::DEFAULT
};

/// The largest value that six digits can say.
const MOST: u32 = 999_999;

/// RFC 9422: RCPTMAX is for each transaction, MAILMAX for the session.
fn ehlo_params(offer: &Offer<'_>, out: &mut Vec<u8>) {
    let recipients = offer.limits.recipients.min(MOST);
    let transactions = offer.limits.transactions.min(MOST);
    let params = format!(" RCPTMAX={recipients} MAILMAX={transactions}");
    out.extend_from_slice(params.as_bytes());
}

/// RFC 9422: names and values stand between spaces as `name=value`; a name that is not known, and a
/// value that is malformed, count for nothing.
fn announced(capabilities: &mut Capabilities, params: &str) {
    for param in params.split_ascii_whitespace() {
        let Some((name, value)) = param.split_once('=') else { continue };
        let field = if name.eq_ignore_ascii_case("MAILMAX") {
            &mut capabilities.max_transactions
        } else if name.eq_ignore_ascii_case("RCPTMAX") {
            &mut capabilities.max_recipients
        } else if name.eq_ignore_ascii_case("RCPTDOMAINMAX") {
            &mut capabilities.max_recipient_domains
        } else {
            continue;
        };
        *field = limit(value).or(*field);
    }
}

/// RFC 9422: `%x31-39 0*5DIGIT`.
fn limit(value: &str) -> Option<u32> {
    if value.len() > 6 || !value.starts_with(|c| matches!(c, '1'..='9')) {
        return None;
    }
    value.parse().ok()
}
