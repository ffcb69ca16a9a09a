//! A moment of the calendar.

use std::{
    fmt,
    ops::{Add, Sub},
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A moment, in microseconds since 1970. It survives a restart, unlike an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// What the clock says.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::default() + since
    }

    /// The moment that many microseconds after the first of 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Time since `earlier`; none if that is later, as after a clock was set back.
    pub fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// Ends at the last moment there is.
    fn add(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    /// Ends at the first moment there is.
    fn sub(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros))
    }
}

/// As RFC 3339 has it, in UTC: `2026-11-22T02:38:35.25Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => time.fmt(f),
            // Further off than year 9999.
            Err(_) => self.0.fmt(f),
        }
    }
}

/// Reads what [`Display`](fmt::Display) writes.
impl FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        match text.parse() {
            Ok(micros) => Ok(Self(micros)),
            Err(_) => text.parse::<jiff::Timestamp>().map(|time| Self(time.as_microsecond())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_a_person_reads_it() {
        let moment = Timestamp::from_micros(1_795_315_115_250_000);
        assert_eq!(moment.to_string(), "2026-11-22T02:38:35.25Z");
        assert_eq!(moment.to_string().parse::<Timestamp>().unwrap(), moment);
        let last = Timestamp::from_micros(i64::MAX);
        assert_eq!(last.to_string(), i64::MAX.to_string());
        assert_eq!(last.to_string().parse::<Timestamp>().unwrap(), last);
    }

    #[test]
    fn time_goes_neither_backwards_nor_over_the_end() {
        let (early, late) = (Timestamp::from_micros(1), Timestamp::from_micros(3));
        assert_eq!(late.since(early), Duration::from_micros(2));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(early + Duration::from_micros(2), late);
        assert_eq!(late + Duration::MAX, Timestamp::from_micros(i64::MAX));
    }
}
