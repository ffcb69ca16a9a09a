//! What the scripts of a run left in the mailboxes of a server.

use super::behaviour::Kept;
use crate::{cooperation::Mailbox, mailbox, tester::Run, transcript::visible};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// The characters of a token: a script may count on them, for BDAT and SIZE.
pub(super) const TOKEN_LENGTH: usize = 32;
/// How often to look, and for how long nothing must have come.
const QUIET: Duration = Duration::from_secs(1);
/// How long to look at most: a server that queues delivers within this time.
const MOST_TIME: Duration = Duration::from_secs(15);
/// Messages of a script that are kept.
const MOST_MESSAGES: usize = 20;

/// What all tokens of a run begin with.
fn prefix(seed: u64) -> String {
    format!("garden{seed:016x}")
}

/// Stands in the messages of a script, and in no others; `turn` is 0 where it is played first.
pub(super) fn token(seed: u64, script: usize, turn: u8) -> String {
    format!("{}x{:08x}{turn}", prefix(seed), script & 0xffff_ffff)
}

/// The messages of each token, once no more arrive.
///
/// # Errors
/// The mailbox cannot be read.
pub(super) fn settled(run: &Run, mailbox: &Mailbox) -> Result<HashMap<String, Vec<Kept>>, String> {
    let deadline = Instant::now() + MOST_TIME;
    let mut before = usize::MAX;
    loop {
        let found = look(run, mailbox)?;
        let count = found.values().map(Vec::len).sum();
        if count == before || Instant::now() >= deadline {
            return Ok(found);
        }
        before = count;
        std::thread::sleep(QUIET);
    }
}

fn look(run: &Run, mailbox: &Mailbox) -> Result<HashMap<String, Vec<Kept>>, String> {
    let mut found: HashMap<String, Vec<Kept>> = HashMap::new();
    let prefix = prefix(run.seed);
    for (n, recipient) in run.cooperation.recipients.iter().enumerate() {
        if let Mailbox::Maildir(folders) = mailbox
            && !folders.keys().any(|name| name.eq_ignore_ascii_case(recipient))
        {
            continue;
        }
        let messages = mailbox::messages(mailbox, recipient, &prefix)
            .map_err(|error| format!("the mailbox of {recipient}: {error}"))?;
        for message in messages {
            if let Some((token, behind)) = taken_apart(&message, prefix.as_bytes()) {
                let kept = kept(n + 1, behind, &token);
                let all = found.entry(token).or_default();
                if all.len() < MOST_MESSAGES {
                    all.push(kept);
                }
            }
        }
    }
    // A mailbox has no order.
    found.values_mut().for_each(|all| all.sort());
    Ok(found)
}

/// The first token in a message, and what stands behind it: what is in front is the server's own.
fn taken_apart<'m>(message: &'m [u8], prefix: &[u8]) -> Option<(String, &'m [u8])> {
    let at = message.windows(prefix.len()).position(|window| window == prefix)?;
    let (token, behind) = message.get(at..)?.split_at_checked(TOKEN_LENGTH)?;
    Some((String::from_utf8_lossy(token).into_owned(), behind))
}

fn kept(recipient: usize, behind: &[u8], token: &str) -> Kept {
    // Which line ends a mailbox has, and empty lines at the end, are the server's affair; a token is
    // another one when the script is played again.
    let mut text = Vec::with_capacity(behind.len());
    let mut rest = behind;
    while let Some((&octet, more)) = rest.split_first() {
        if let Some(more) = rest.strip_prefix(token.as_bytes()) {
            text.extend_from_slice(b"{token}");
            rest = more;
            continue;
        }
        if !rest.starts_with(b"\r\n") {
            text.push(octet);
        }
        rest = more;
    }
    let text = text.trim_ascii_end();
    Kept { recipient, text: visible(text), sum: checksum(text) }
}

/// FNV-1a: the same on every machine and in every version, and no secret depends on it.
fn checksum(octets: &[u8]) -> u64 {
    octets.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &octet| {
        (sum ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_the_length_that_scripts_count_on() {
        assert_eq!(token(0, 0, 0).len(), TOKEN_LENGTH);
        assert_eq!(token(u64::MAX, usize::MAX, 1).len(), TOKEN_LENGTH);
        assert_ne!(token(1, 1, 0), token(1, 1, 1));
    }

    #[test]
    fn fields_of_the_server_and_line_ends_make_no_difference() {
        let token = token(7, 3, 0);
        let behind = |text: &str| {
            let message = text.replace("TOKEN", &token).into_bytes();
            let (found, behind) = taken_apart(&message, prefix(7).as_bytes()).unwrap();
            assert_eq!(found, token);
            kept(1, behind, &token)
        };
        let one = behind("Received: by a\r\nSubject: TOKEN\r\n\r\nbody\r\n");
        assert_eq!(one, behind("Return-Path: <x>\nSubject: TOKEN\n\nbody\n\n"));
        assert_eq!(one.text, "<LF><LF>body");
        assert_ne!(one.sum, behind("Subject: TOKEN\n\nbo\rdy\n").sum);
        assert_eq!(taken_apart(b"Subject: garden", prefix(7).as_bytes()), None);
    }
}
