//! What two reports say differently.

use crate::report::{Document, Status, text::clean};
use std::fmt;

/// A requirement whose verdict is not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The requirement.
    pub id: String,
    /// The verdict before; `None` if it was not in that report.
    pub before: Option<Status>,
    /// The verdict after; `None` if it is not in that report.
    pub after: Option<Status>,
    /// Why it is so after.
    pub reason: String,
}

impl Change {
    /// Whether something is broken that was not.
    pub fn is_worse(&self) -> bool {
        let broken = |status: Option<Status>| match status {
            Some(Status::Fail | Status::Error) => 2,
            Some(Status::Warn) => 1,
            _ => 0,
        };
        broken(self.after) > broken(self.before)
    }
}

/// What two reports say differently.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference(pub Vec<Change>);

impl Difference {
    /// What `after` says differently than `before`, in the order of the reports.
    pub fn between(before: &Document, after: &Document) -> Self {
        let old = |id: &str| before.results.iter().find(|row| row.id == id);
        let new = |id: &str| after.results.iter().find(|row| row.id == id);
        let gone = before.results.iter().filter(|row| new(&row.id).is_none());
        let gone = gone.map(|row| Change {
            id: row.id.clone(),
            before: Some(row.verdict),
            after: None,
            reason: String::new(),
        });
        let changed = after.results.iter().filter_map(|row| {
            let before = old(&row.id).map(|row| row.verdict);
            (before != Some(row.verdict)).then(|| Change {
                id: row.id.clone(),
                before,
                after: Some(row.verdict),
                reason: row.reason.clone(),
            })
        });
        Self(changed.chain(gone).collect())
    }

    /// Whether every verdict is the same.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |status: Option<Status>| status.map_or("not there", Status::as_str);
        let mut sorted: Vec<_> = self.0.iter().collect();
        sorted.sort_by_key(|change| change.is_worse());
        for change in sorted {
            let sign = if change.is_worse() { '✗' } else { ' ' };
            let (before, after) = (name(change.before), name(change.after));
            let reason = clean(&change.reason);
            writeln!(f, "{sign} {:<11} {before} -> {after}  {reason}", change.id)?;
        }
        let worse = self.0.iter().filter(|change| change.is_worse()).count();
        match self.0.len() {
            0 => writeln!(f, "every verdict is the same"),
            n => writeln!(f, "{n} verdicts differ, {worse} for the worse"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_report_does_not_differ_from_itself() {
        assert!(Difference::between(&sample::hostile(), &sample::hostile()).is_empty());
    }

    #[test]
    fn changes_and_rows_that_came_or_went_are_listed_the_worse_last() {
        let before = sample::hostile();
        let mut after = sample::hostile();
        after.results[0].verdict = Status::Pass;
        after.results[3].verdict = Status::Fail;
        after.results.pop();
        let difference = Difference::between(&before, &after);
        let ids: Vec<_> = difference.0.iter().map(|change| change.id.as_str()).collect();
        assert_eq!(ids, ["SEQ-05", "SEQ-08", "EOD-03"]);
        assert!(difference.to_string().ends_with("3 verdicts differ, 1 for the worse\n"));
        let text = difference.to_string();
        assert!(text.find("✗ SEQ-08") > text.find("EOD-03"));
    }
}
