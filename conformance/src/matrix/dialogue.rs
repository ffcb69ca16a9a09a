//! The dialogues behind the cells, small enough for one page: each line is kept once, long ones are
//! cut, and what does not fit is left out, passes first.

use super::{Cell, Line as MatrixLine, Matrix};
use crate::report::{Row, Status};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Lines that a session keeps.
const MOST_LINES: usize = 40;
/// Those at its beginning, which say who speaks.
const HEAD: usize = 8;
/// Those that follow the one that was judged.
const AFTER: usize = 6;
/// Sessions that a cell keeps.
const MOST_SESSIONS: usize = 4;
/// Characters that a line keeps.
const MOST_CHARS: usize = 240;

/// Dialogues by cell, as the page's script reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Dialogues {
    /// Each line that is said somewhere.
    lines: Vec<String>,
    /// The sessions of each cell, by `COLUMN-REQUIREMENT`.
    cells: BTreeMap<String, Vec<Session>>,
    #[serde(skip)]
    numbers: HashMap<String, usize>,
    /// Not less than the octets of all this as JSON in a page.
    #[serde(skip)]
    octets: usize,
}

/// The line that was judged, if one was, counted in those that follow; and the numbers of its lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Session(Option<usize>, Vec<usize>);

impl Dialogues {
    /// The dialogues of `matrix` that fit into this many octets.
    pub(super) fn of(matrix: &Matrix, room: usize) -> Self {
        let mut all = Self { octets: 64, ..Self::default() };
        for wanted in 0..=LEAST {
            for line in matrix.lines() {
                for (column, cell) in matrix.columns.iter().zip(&line.cells) {
                    match cell.shown() {
                        Some(row) if rank(row, line) == wanted => {
                            all.add(format!("{}-{}", column.key, row.id), row, room);
                        }
                        _ => {}
                    }
                }
            }
        }
        all
    }

    /// As JSON that may stand in an element `script`.
    pub(super) fn json(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_else(|_| "null".to_owned());
        text.replace('<', "\\u003c")
    }

    fn add(&mut self, cell: String, row: &Row, room: usize) {
        let judged = row.place.map(|place| place.session);
        let kept = (0..row.sessions.len()).filter(|n| *n < MOST_SESSIONS || judged == Some(*n));
        let sessions: Vec<(Option<usize>, Vec<String>)> = kept
            .map(|n| {
                let place = row.place.filter(|place| place.session == n).map(|place| place.line);
                let lines: Vec<_> = row.sessions[n].iter().map(ToString::to_string).collect();
                trimmed(&lines, place)
            })
            .collect();
        if sessions.is_empty() {
            return;
        }
        let cost = self.cost(&cell, &sessions);
        if self.octets + cost > room {
            return;
        }
        self.octets += cost;
        let sessions = sessions.into_iter().map(|(judged, lines)| {
            Session(judged, lines.into_iter().map(|line| self.number(line)).collect())
        });
        let sessions = sessions.collect();
        self.cells.insert(cell, sessions);
    }

    /// Not less than what a cell would add.
    fn cost(&self, cell: &str, sessions: &[(Option<usize>, Vec<String>)]) -> usize {
        let said = || sessions.iter().flat_map(|(_, lines)| lines);
        let new: BTreeSet<&String> =
            said().filter(|line| !self.numbers.contains_key(*line)).collect();
        // A `<` becomes six octets, which JSON writes as one.
        let octets = |line: &&String| {
            let text = serde_json::to_string(line).map_or(usize::MAX / 4, |text| text.len());
            text + 1 + 5 * line.matches('<').count()
        };
        // A number has six digits at most, and a comma.
        let numbers = 7 * said().count() + 16 * sessions.len();
        cell.len() + 8 + numbers + new.iter().map(octets).sum::<usize>()
    }

    fn number(&mut self, line: String) -> usize {
        let next = self.lines.len();
        *self.numbers.entry(line).or_insert_with_key(|line| {
            self.lines.push(line.clone());
            next
        })
    }
}

/// The last rank of [`rank`].
const LEAST: u8 = 2;

/// What is worth keeping: deviations, then the others of a row in which servers differ, then the rest.
fn rank(row: &Row, line: &MatrixLine) -> u8 {
    match row.verdict {
        Status::Fail | Status::Warn | Status::Error | Status::Inconclusive => 0,
        _ if line.differs() || line.cells.iter().any(|cell| matches!(cell, Cell::Withheld)) => 1,
        _ => LEAST,
    }
}

/// `session` with its beginning and what is around the line that was judged, or its end.
fn trimmed(session: &[String], judged: Option<usize>) -> (Option<usize>, Vec<String>) {
    let keep = MOST_LINES - HEAD;
    let judged = judged.filter(|line| *line < session.len());
    let end = match judged {
        Some(line) if session.len() > MOST_LINES => {
            (line + 1 + AFTER).clamp(MOST_LINES, session.len())
        }
        _ => session.len(),
    };
    let mut out: Vec<String> = Vec::new();
    let mut at = None;
    let mut gap = Vec::new();
    for (n, line) in session.iter().enumerate() {
        if end > MOST_LINES && (HEAD..end - keep).contains(&n) || n >= end {
            gap.push(line);
        } else {
            end_gap(&mut out, &mut gap);
            if judged == Some(n) {
                at = Some(out.len());
            }
            out.push(shortened(line));
        }
    }
    end_gap(&mut out, &mut gap);
    (at, out)
}

/// Says how many lines are left out; in place of a single one that would be as long as the line.
fn end_gap(out: &mut Vec<String>, gap: &mut Vec<&String>) {
    match std::mem::take(gap).as_slice() {
        [] => {}
        [line] => out.push(shortened(line)),
        lines => out.push(format!("-- {} lines left out", lines.len())),
    }
}

/// A line that is not too long, and in which nothing is invisible.
fn shortened(line: &str) -> String {
    let seen = |c: char| if crate::report::html::is_hidden(c) { '\u{fffd}' } else { c };
    let mut text: String = line.chars().take(MOST_CHARS).map(seen).collect();
    if line.chars().nth(MOST_CHARS).is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::sample;

    fn session(lines: usize) -> Vec<String> {
        (0..lines).map(|n| format!("C: {n}")).collect()
    }

    #[test]
    fn a_long_session_keeps_its_beginning_and_what_surrounds_the_judged_line() {
        for (lines, judged) in
            [(400, 0), (400, 7), (400, 8), (400, 41), (400, 200), (400, 399), (41, 3)]
        {
            let (at, kept) = trimmed(&session(lines), Some(judged));
            assert_eq!(kept[at.unwrap()], format!("C: {judged}"), "{lines}, {judged}");
            assert!(kept.len() <= MOST_LINES + 2 && kept[0] == "C: 0");
            let said = kept.iter().filter(|line| line.starts_with("C: ")).count();
            let expected = if lines == 41 { 41 } else { MOST_LINES };
            assert_eq!(said, expected, "{lines}, {judged}");
        }
        assert_eq!(trimmed(&session(40), None), (None, session(40)));
        assert_eq!(trimmed(&session(400), None).1[MOST_LINES], "C: 399");
        assert_eq!(trimmed(&session(3), Some(9)).0, None);
    }

    #[test]
    fn a_line_that_is_said_twice_is_kept_once() {
        let all = Dialogues::of(&sample::matrix(), usize::MAX);
        assert_eq!(all.lines.len(), 2);
        assert_eq!(all.cells.len(), 13);
        assert_eq!(all.cells["sample-SEQ-05"], [Session(Some(1), vec![0, 1])]);
    }

    #[test]
    fn what_has_no_room_is_left_out_and_deviations_are_kept_longest() {
        let whole = Dialogues::of(&sample::matrix(), usize::MAX);
        assert!(whole.json().len() <= whole.octets);
        let mut cells = usize::MAX;
        for room in (0..whole.octets).rev().step_by(16) {
            let some = Dialogues::of(&sample::matrix(), room);
            assert!(some.json().len() <= room.max(64));
            assert!(some.cells.len() <= cells);
            cells = some.cells.len();
            let has = |cell| some.cells.contains_key(cell);
            assert!(has("sample-SEQ-05") || !has("sample-SEQ-08"), "the pass goes first");
        }
        assert_eq!(cells, 0);
    }

    #[test]
    fn no_line_is_too_long_or_hides_something() {
        let line = shortened(&format!("S: \u{202e}\u{1b}{}", "é".repeat(900)));
        assert!(line.starts_with("S: \u{fffd}\u{fffd}é") && line.ends_with('…'));
        assert_eq!(line.chars().count(), MOST_CHARS + 1);
    }
}
