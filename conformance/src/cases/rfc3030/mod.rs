//! RFC 3030: BDAT and binary content.

mod binary;
mod delivery;
mod sequence;

use crate::case::Case;

pub(super) const CASES: &[&[Case]] = &[delivery::CASES, sequence::CASES, binary::CASES];

const MAIL: &str = "MAIL FROM:<sender@client.example>";

/// A BDAT command with its octets.
fn bdat(octets: &[u8], last: bool) -> Vec<u8> {
    let marker = if last { " LAST" } else { "" };
    [format!("BDAT {}{marker}\r\n", octets.len()).as_bytes(), octets].concat()
}
