//! The name of a message inside this server.

use std::{
    fmt,
    str::FromStr,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The name of a message inside this server: in its `Received` field, in the 250, in its file name
/// and in every log line about it.
///
/// 23 letters and digits. They sort by time, and no two messages of one server have the same, not
/// even across restarts with a clock that was set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// Milliseconds since 1970, 48 bits of them.
    millis: u64,
    /// Random, one for each run of the server.
    run: u32,
    /// Counts within the run.
    count: u32,
}

impl MessageId {
    /// Its length, written.
    pub const LEN: usize = 23;

    /// When it was given, to the millisecond.
    pub fn time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.millis)
    }

    /// Reads what [`Display`](fmt::Display) writes, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != Self::LEN {
            return None;
        }
        let number = text.bytes().try_fold(0_u128, |number, byte| {
            let digit = DIGITS.iter().position(|digit| *digit == byte)?;
            Some(number << 5 | digit as u128)
        })?;
        let millis = (number >> 64) as u64;
        let (run, count) = ((number >> 32) as u32, number as u32);
        (millis < 1 << 48).then_some(Self { millis, run, count })
    }

    /// Whether `text` has the form of one.
    pub fn is_one(text: &str) -> bool {
        text.len() == Self::LEN && text.bytes().all(|b| DIGITS.contains(&b))
    }
}

/// Base 32 without `i`, `l`, `o` and `u`, which are easily misread; in ASCII order, so that written
/// names sort as numbers do.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = (u128::from(self.millis & ((1 << 48) - 1)) << 64)
            | (u128::from(self.run) << 32)
            | u128::from(self.count);
        let mut text = String::with_capacity(Self::LEN);
        for place in (0..Self::LEN).rev() {
            text.push(char::from(DIGITS[(number >> (5 * place)) as usize & 31]));
        }
        f.pad(&text)
    }
}

/// Not the name of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a message: those have {} letters and digits", MessageId::LEN)]
pub struct NoMessageId;

impl FromStr for MessageId {
    type Err = NoMessageId;

    fn from_str(text: &str) -> Result<Self, NoMessageId> {
        Self::parse(text).ok_or(NoMessageId)
    }
}

/// Gives each message its [`MessageId`].
#[derive(Debug)]
pub struct MessageIds {
    run: u32,
    count: AtomicU32,
}

impl MessageIds {
    /// A source for one run of the server.
    ///
    /// # Errors
    /// The system has no random numbers to give.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { run: getrandom::u32().map_err(std::io::Error::other)?, count: AtomicU32::new(0) })
    }

    /// The next.
    pub fn next(&self) -> MessageId {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        MessageId {
            millis: since.as_millis() as u64,
            run: self.run,
            count: self.count.fetch_add(1, Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_are_unique_and_of_one_form() {
        let ids = MessageIds::new().unwrap();
        let seen: HashSet<_> = (0..10_000).map(|_| ids.next().to_string()).collect();
        assert_eq!(seen.len(), 10_000);
        assert!(seen.iter().all(|id| MessageId::is_one(id)));
    }

    #[test]
    fn ids_sort_by_time() {
        let at = |millis| MessageId { millis, run: u32::MAX, count: u32::MAX }.to_string();
        assert!(at(1) < at(2));
        assert!(at(31) < at(32));
        assert!(at((1 << 47) - 1) < at(1 << 47));
        assert_eq!(
            MessageId { millis: 0, run: 0, count: 33 }.to_string(),
            "00000000000000000000011"
        );
    }

    #[test]
    fn an_id_is_read_back_and_nothing_else_is() {
        let last = MessageId { millis: (1 << 48) - 1, run: u32::MAX, count: u32::MAX };
        for id in [last, MessageIds::new().unwrap().next()] {
            assert_eq!(MessageId::parse(&id.to_string()), Some(id));
        }
        let beyond = "80000000000000000000000";
        assert_eq!(last.to_string(), "3zzzzzzzzzzzzzzzzzzzzzz");
        for text in ["", "1", "0000000000000000000000i", "0000000000000000000000é", beyond] {
            assert_eq!(MessageId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn two_runs_in_the_same_millisecond_differ() {
        let one = MessageId { millis: 7, run: 1, count: 0 };
        let two = MessageId { millis: 7, run: 2, count: 0 };
        assert_ne!(one.to_string(), two.to_string());
    }
}
