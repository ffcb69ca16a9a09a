//! A date and time of day (RFC 3339), always in UTC.

use super::Malformed;
use core::fmt;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// 9999-12-31T23:59:59Z, the last that four digits of a year can say.
const LAST: u64 = 253_402_300_799;

/// A moment by the calendar, to the second, from 1970 to 9999.
///
/// Its `Display` form is that of RFC 3339 in UTC: `2030-01-01T00:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime(u64);

impl DateTime {
    /// So many seconds after the beginning of 1970 in UTC, leap seconds not counted, as
    /// [`SystemTime`](https://doc.rust-lang.org/std/time/struct.SystemTime.html) and `time_t` count;
    /// `None` after the year 9999.
    pub const fn from_unix(seconds: u64) -> Option<Self> {
        if seconds > LAST { None } else { Some(Self(seconds)) }
    }

    /// Seconds since the beginning of 1970 in UTC.
    pub const fn as_unix(self) -> u64 {
        self.0
    }

    /// Checks `text`.
    ///
    /// RFC 3339 §5.6: `date-time = full-date "T" full-time`, `full-date = 4DIGIT "-" 2DIGIT "-"
    /// 2DIGIT`, `full-time = partial-time time-offset`, `partial-time = 2DIGIT ":" 2DIGIT ":" 2DIGIT
    /// ["." 1*DIGIT]`, `time-offset = "Z" / ("+" / "-") 2DIGIT ":" 2DIGIT`, in any case. A part of a
    /// second, and a leap second, are the next one. Deviation: not before 1970, at most nine digits
    /// of a part of a second.
    ///
    /// # Errors
    /// [`Malformed`] if it is anything else, or no day of the calendar.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        date_time(text.as_bytes()).and_then(Self::from_unix).ok_or(Malformed::of("date and time"))
    }
}

fn date_time(text: &[u8]) -> Option<u64> {
    let (year, text) = number(text, 4)?;
    let (month, text) = number(after(text, b"-")?, 2)?;
    let (day, text) = number(after(text, b"-")?, 2)?;
    let (hour, text) = number(after(text, b"Tt")?, 2)?;
    let (minute, text) = number(after(text, b":")?, 2)?;
    let (second, text) = number(after(text, b":")?, 2)?;
    let (part, text) = match after(text, b".") {
        None => (0, text),
        Some(digits) => {
            let count = digits.iter().take_while(|octet| octet.is_ascii_digit()).count();
            let (part, text) = number(digits, Some(count).filter(|n| (1..=9).contains(n))?)?;
            (u64::from(part > 0), text)
        }
    };
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let local =
        days_before(year, month, day)? * DAY + hour * HOUR + minute * MINUTE + second + part;
    if after(text, b"Zz").is_some_and(<[u8]>::is_empty) {
        return Some(local);
    }
    let (hours, minutes) = number(after(text, b"+-")?, 2)?;
    let (minutes, rest) = number(after(minutes, b":")?, 2)?;
    if hours > 23 || minutes > 59 || !rest.is_empty() {
        return None;
    }
    let offset = hours * HOUR + minutes * MINUTE;
    if text.starts_with(b"+") { local.checked_sub(offset) } else { Some(local + offset) }
}

/// What follows one of `octets`.
fn after<'t>(text: &'t [u8], octets: &[u8]) -> Option<&'t [u8]> {
    text.split_first().filter(|(first, _)| octets.contains(first)).map(|(_, rest)| rest)
}

/// A number of exactly so many digits, and what follows it.
fn number(text: &[u8], digits: usize) -> Option<(u64, &[u8])> {
    let (digits, rest) = text.split_at_checked(digits)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some((digits.iter().fold(0, |n, digit| n * 10 + u64::from(digit - b'0')), rest))
}

/// Whether it has a 29th of February, by the rule of 1582.
const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

/// The days of a month from 1 to 12.
const fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to the first of January of `year`.
fn days_before_year(year: u64) -> Option<u64> {
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let years = year.checked_sub(1970)?;
    Some(years * 365 + leap_days(year - 1) - leap_days(1969))
}

/// Days from 1970-01-01 to a day of the calendar.
fn days_before(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    let before_month: u64 = (1..month).map(|month| days_of(year, month)).sum();
    Some(days_before_year(year)? + before_month + day - 1)
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut days, time) = (self.0 / DAY, self.0 % DAY);
        // The year is this or the next: no year has more than 366 days.
        let mut year = 1970 + days / 366;
        while days_before_year(year + 1).is_some_and(|before| before <= days) {
            year += 1;
        }
        days -= days_before_year(year).unwrap_or(0);
        let mut month = 1;
        while days >= days_of(year, month) {
            days -= days_of(year, month);
            month += 1;
        }
        let (hour, minute, second) = (time / HOUR, time % HOUR / MINUTE, time % MINUTE);
        write!(f, "{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", days + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn moments_that_are_known_are_read_and_written() {
        for (text, unix) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1999-12-31T23:59:59Z", 946_684_799),
            ("2000-02-29T12:34:56Z", 951_827_696),
            ("2001-03-01T00:00:00Z", 983_404_800),
            ("2038-01-19T03:14:08Z", 1 << 31),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("9999-12-31T23:59:59Z", LAST),
        ] {
            assert_eq!(DateTime::parse(text).unwrap().as_unix(), unix, "{text}");
            assert_eq!(DateTime::from_unix(unix).unwrap().to_string(), text);
        }
        assert_eq!(DateTime::from_unix(LAST + 1), None);
    }

    #[test]
    fn every_day_is_read_as_it_was_written() {
        // After 400 years the calendar begins again.
        for day in 0..=146_097 {
            let noon = DateTime::from_unix(day * DAY + DAY / 2).unwrap();
            assert_eq!(DateTime::parse(&noon.to_string()), Ok(noon));
        }
    }

    #[test]
    fn offsets_parts_and_leap_seconds_are_turned_into_utc() {
        for (text, utc) in [
            ("2030-01-01t01:00:00+01:00", "2030-01-01T00:00:00Z"),
            ("2030-01-01T00:00:00-03:30", "2030-01-01T03:30:00Z"),
            ("2030-01-01T23:59:00+23:59", "2030-01-01T00:00:00Z"),
            ("2030-01-01T00:00:00.000z", "2030-01-01T00:00:00Z"),
            ("2030-01-01T00:00:00.1Z", "2030-01-01T00:00:01Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ] {
            assert_eq!(DateTime::parse(text).unwrap().to_string(), utc, "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "tomorrow",
            "2030",
            "2030-01-01",
            "2030-01-01T00:00:00",
            "2030-01-01 00:00:00Z",
            "2030-1-1T00:00:00Z",
            "2030-00-01T00:00:00Z",
            "2030-13-01T00:00:00Z",
            "2030-01-00T00:00:00Z",
            "2030-01-32T00:00:00Z",
            "2030-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2030-04-31T00:00:00Z",
            "2030-01-01T24:00:00Z",
            "2030-01-01T00:60:00Z",
            "2030-01-01T00:00:61Z",
            "2030-01-01T00:00:00.Z",
            "2030-01-01T00:00:00.0000000001Z",
            "2030-01-01T00:00:00Zx",
            "2030-01-01T00:00:00+24:00",
            "2030-01-01T00:00:00+0100",
            "2030-01-01T00:00:00+01:60",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+00:01",
            "9999-12-31T23:59:60Z",
            "9999-12-31T23:59:59-00:01",
            "0000-01-01T00:00:00Z",
            "-030-01-01T00:00:00Z",
            "2030-01-01T00:00:00Z\0",
            "٢٠٣٠-01-01T00:00:00Z",
        ] {
            assert!(DateTime::parse(text).is_err(), "{text}");
        }
    }
}
