//! Deviations that the operator knows of: a file that says which, why, and until when.
//!
//! What is expected is no reason to be red; that something expected did not come is one, so that
//! the file cannot rot.

use crate::{
    report::{Document, Status},
    requirement,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    time::{SystemTime, UNIX_EPOCH},
};
use toml::value::Datetime;

/// The file: `[[deviation]]` tables.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Each deviation.
    #[serde(default)]
    pub deviation: Vec<Deviation>,
}

/// A deviation that is expected.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// The requirement.
    pub id: String,
    /// The verdict that is expected.
    pub verdict: Status,
    /// Why it is so: a quotation of the server's manual or source, or `disputed: …`.
    pub reason: String,
    /// The last day on which this holds.
    pub until: Option<Date>,
    /// Others could exploit it, and it is not public: whatever comes but a pass is not shown in
    /// pages for everybody.
    #[serde(default)]
    pub withheld: bool,
}

/// A day, as `2027-01-31` or in quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "Written")]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Native(Datetime),
    Text(String),
}

impl TryFrom<Written> for Date {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let date = match written {
            Written::Native(date) => date.date,
            Written::Text(text) => text.parse::<Datetime>().ok().and_then(|date| date.date),
        };
        let date = date.ok_or("not a day such as 2027-01-31")?;
        Ok(Self { year: date.year, month: date.month, day: date.day })
    }
}

impl Date {
    /// Today, in UTC.
    pub fn today() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::of_day(now.as_secs() / 86_400)
    }

    /// The `day`th day after 1970-01-01.
    fn of_day(mut day: u64) -> Self {
        let leap = |year: u16| {
            year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
        };
        let mut year = 1970;
        loop {
            let days = if leap(year) { 366 } else { 365 };
            if day < days || year == 9999 {
                break;
            }
            day -= days;
            year += 1;
        }
        let february = if leap(year) { 29 } else { 28 };
        let mut month = 1;
        for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
            if day < days {
                break;
            }
            day -= days;
            month += 1;
        }
        Self { year, month, day: u8::try_from(day + 1).unwrap_or(31) }
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// Where the file and the run disagree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "surprise", rename_all = "snake_case")]
pub enum Surprise {
    /// It passed.
    Passed {
        /// The requirement.
        id: String,
        /// What was expected.
        expected: Status,
    },
    /// It came out in another way.
    Other {
        /// The requirement.
        id: String,
        /// What was expected.
        expected: Status,
        /// What came.
        got: Status,
    },
    /// Its last day is over.
    Stale {
        /// The requirement.
        id: String,
        /// The last day.
        until: String,
    },
    /// No requirement has this name.
    Unknown {
        /// What the file says.
        id: String,
    },
}

impl Surprise {
    /// The requirement, or what the file took for one.
    pub fn id(&self) -> &str {
        match self {
            Self::Passed { id, .. }
            | Self::Other { id, .. }
            | Self::Stale { id, .. }
            | Self::Unknown { id } => id,
        }
    }
}

impl std::fmt::Display for Surprise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Passed { id, expected } => {
                write!(
                    f,
                    "unexpected pass: {id} was expected to {expected}; take it out of the file"
                )
            }
            Self::Other { id, expected, got } => {
                write!(f, "not as expected: {id} is \"{got}\" in place of \"{expected}\"")
            }
            Self::Stale { id, until } => write!(f, "stale: {id} was expected until {until}"),
            Self::Unknown { id } => write!(f, "unknown: no requirement is called {id}"),
        }
    }
}

/// Why a file of expected deviations cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It is no TOML, or has other keys.
    #[error("{0}")]
    Form(#[from] toml::de::Error),
    /// A reason that is none.
    #[error("{0}: the reason is missing; quote the dialogue and the server's manual or source")]
    Reason(String),
    /// The reason says that it is withheld, and the mark is missing by which pages go.
    #[error("{0}: the reason says that it is withheld; `withheld = true` is missing")]
    Unmarked(String),
    /// Twice the same.
    #[error("{0} stands twice")]
    Twice(String),
    /// A pass is no deviation.
    #[error("{0}: a pass is no deviation")]
    Pass(String),
}

impl Expected {
    /// Reads a file.
    ///
    /// # Errors
    /// It has not the form, gives no reason, or says something twice.
    pub fn read(text: &str) -> Result<Self, Unusable> {
        let expected: Self = toml::from_str(text)?;
        let mut seen = BTreeSet::new();
        for deviation in &expected.deviation {
            let id = deviation.id.to_ascii_uppercase();
            let reason = deviation.reason.trim();
            if reason.is_empty() || reason.eq_ignore_ascii_case("known") {
                return Err(Unusable::Reason(id));
            }
            if reason.to_ascii_lowercase().starts_with("withheld") && !deviation.withheld {
                return Err(Unusable::Unmarked(id));
            }
            if deviation.verdict == Status::Pass {
                return Err(Unusable::Pass(id));
            }
            if !seen.insert(id.clone()) {
                return Err(Unusable::Twice(id));
            }
        }
        Ok(expected)
    }

    /// Marks in `document` what is expected, and what is surprising. What the run left out by its
    /// filters is neither.
    pub fn apply(&self, document: &mut Document, today: Date) {
        for deviation in &self.deviation {
            let Some(requirement) = requirement::find(&deviation.id) else {
                document.surprises.push(Surprise::Unknown { id: deviation.id.clone() });
                continue;
            };
            let id = requirement.id.clone();
            let Some(row) = document.results.iter_mut().find(|row| row.id == id) else { continue };
            row.withheld = deviation.withheld && row.verdict != Status::Pass;
            let surprise = match deviation.until {
                Some(until) if until < today => Surprise::Stale { id, until: until.to_string() },
                _ if row.verdict == deviation.verdict => {
                    // In the file it may stand on many lines.
                    let words: Vec<_> = deviation.reason.split_whitespace().collect();
                    row.expected = Some(words.join(" "));
                    continue;
                }
                _ if row.verdict == Status::Pass => {
                    Surprise::Passed { id, expected: deviation.verdict }
                }
                _ => Surprise::Other { id, expected: deviation.verdict, got: row.verdict },
            };
            document.surprises.push(surprise);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn deviation(id: &str, verdict: &str, more: &str) -> String {
        format!("[[deviation]]\nid = '{id}'\nverdict = '{verdict}'\nreason = 'manual §3'\n{more}\n")
    }

    fn surprises(file: &str) -> Document {
        let mut document = sample::hostile();
        let today = Date { year: 2026, month: 6, day: 15 };
        Expected::read(file).unwrap().apply(&mut document, today);
        document
    }

    #[test]
    fn what_is_expected_is_not_red() {
        let file = deviation("seq-05", "fail", "until = 2026-06-15")
            + &deviation("EOD-01", "error", "until = '2027-01-01'");
        // On two lines.
        let document = surprises(&file.replace("'manual §3'", r#""manual\n  §3""#));
        assert!(!document.is_red(), "{:?}", document.surprises);
        assert_eq!(document.results[0].expected.as_deref(), Some("manual §3"));
    }

    #[test]
    fn unexpected_passes_other_verdicts_stale_and_unknown_ids_are_red() {
        let file = deviation("SEQ-08", "fail", "")
            + &deviation("SEQ-06", "fail", "")
            + &deviation("SEQ-05", "fail", "until = 2026-06-14")
            + &deviation("NO-99", "fail", "");
        let document = surprises(&file);
        let (seq, no) = (|n: u8| format!("SEQ-0{n}"), "NO-99".to_owned());
        assert_eq!(
            document.surprises,
            [
                Surprise::Passed { id: seq(8), expected: Status::Fail },
                Surprise::Other { id: seq(6), expected: Status::Fail, got: Status::Warn },
                Surprise::Stale { id: seq(5), until: "2026-06-14".into() },
                Surprise::Unknown { id: no },
            ]
        );
        assert!(document.is_red());
    }

    #[test]
    fn what_is_withheld_is_so_whatever_comes_but_a_pass() {
        let mark = "withheld = true";
        let file = deviation("SEQ-05", "fail", mark)
            + &deviation("SEQ-06", "fail", mark)
            + &deviation("SEQ-08", "fail", mark)
            + &deviation("EOD-01", "error", "");
        let document = surprises(&file);
        let withheld = document.results.iter().filter(|row| row.withheld);
        assert_eq!(withheld.map(|row| row.id.as_str()).collect::<Vec<_>>(), ["SEQ-05", "SEQ-06"]);
    }

    #[test]
    fn what_the_filters_left_out_is_no_surprise() {
        assert!(surprises(&deviation("EOD-04", "fail", "")).surprises.is_empty());
    }

    #[test]
    fn a_file_without_reasons_or_with_doubles_or_strange_keys_is_refused() {
        let no_reason = deviation("SEQ-05", "fail", "").replace("manual §3", "Known ");
        assert!(matches!(Expected::read(&no_reason), Err(Unusable::Reason(_))));
        let unmarked = deviation("SEQ-05", "fail", "").replace("manual §3", "Withheld for now");
        assert!(matches!(Expected::read(&unmarked), Err(Unusable::Unmarked(_))));
        assert!(Expected::read(&(unmarked + "withheld = true\n")).is_ok());
        let twice = deviation("SEQ-05", "fail", "") + &deviation("seq-05", "warn", "");
        assert!(matches!(Expected::read(&twice), Err(Unusable::Twice(_))));
        for bad in ["untill = 2027-01-01", "until = 'soon'", "until = 10:00:00"] {
            let file = deviation("SEQ-05", "fail", bad);
            assert!(matches!(Expected::read(&file), Err(Unusable::Form(_))), "{bad}");
        }
        let pass = deviation("SEQ-05", "pass", "");
        assert!(matches!(Expected::read(&pass), Err(Unusable::Pass(_))));
    }

    #[test]
    fn days_are_counted_over_leap_years() {
        assert_eq!(Date::of_day(0).to_string(), "1970-01-01");
        assert_eq!(Date::of_day(11_016).to_string(), "2000-02-29");
        assert_eq!(Date::of_day(20_512).to_string(), "2026-02-28");
        assert_eq!(Date::of_day(20_513).to_string(), "2026-03-01");
        assert_eq!(Date::of_day(20_818).to_string(), "2026-12-31");
    }
}
