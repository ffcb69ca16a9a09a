//! Reports side by side: how servers behave, or how clients do.
//!
//! What is withheld is dropped when the matrix is made, so that nothing behind it can show it.

pub mod dialogue;
pub mod html;
pub mod title;
pub mod withheld;

use crate::{
    profile::Profile,
    report::{Document, Row, Status},
    requirement::Half,
    select::places,
};
use std::collections::BTreeMap;
use withheld::Withheld;

/// Why there is no matrix.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The file of what is withheld is no TOML, or has other keys.
    #[error("{0}")]
    Form(#[from] toml::de::Error),
    /// No requirement has this name.
    #[error("{0} is to be withheld, and no requirement is called so")]
    Requirement(String),
    /// No column has this name.
    #[error(
        "{id} of \"{server}\" is to be withheld, and no column is called so; there are {columns}"
    )]
    Server {
        /// The name in the file.
        server: String,
        /// The requirement.
        id: String,
        /// The columns that there are.
        columns: String,
    },
    /// They have no requirement in common.
    #[error("reports about servers and reports about clients do not stand in one table")]
    Halves,
}

/// Reports side by side.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// Who was judged.
    pub half: Half,
    /// The version of the suite that made the first report.
    pub suite: String,
    /// A column for each report, in the order in which they were given.
    pub columns: Vec<Column>,
    /// The requirements by family, in the catalogue's order.
    pub families: Vec<Family>,
}

/// A server, as one report saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name in links: letters, digits and hyphens, no other column has it.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Its version; empty if nobody told.
    pub version: String,
    /// The day of the run; empty if the report does not say.
    pub date: String,
    /// The profile of the run.
    pub profile: Profile,
}

/// The requirements whose ids begin with the same letters.
#[derive(Clone, Debug)]
pub struct Family {
    /// The letters.
    pub name: String,
    /// Its requirements, by RFC and section.
    pub lines: Vec<Line>,
}

/// A requirement, and what became of it.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it is, from the first report that has it; the verdict in it means nothing here.
    pub requirement: Row,
    /// For each column.
    pub cells: Vec<Cell>,
}

/// What a report says of a requirement.
#[derive(Clone, Debug)]
pub enum Cell {
    /// Nothing: it was left out.
    Absent,
    /// Something that is not for everybody yet.
    Withheld,
    /// This.
    Shown(Box<Row>),
}

impl Cell {
    /// The row, if it may be seen.
    pub fn shown(&self) -> Option<&Row> {
        match self {
            Self::Shown(row) => Some(row),
            Self::Absent | Self::Withheld => None,
        }
    }

    fn verdict(&self) -> Option<Status> {
        self.shown().map(|row| row.verdict)
    }
}

/// What the beginning of the reason says of a deviation that is known: `deliberate: …`,
/// `disputed: …`, both with a comma between, or neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Its authors want it so.
    pub deliberate: bool,
    /// It is open who is right.
    pub disputed: bool,
}

impl Standing {
    /// What `reason` begins with.
    pub fn of(reason: &str) -> Self {
        let head = reason.split_once(':').map_or("", |(head, _)| head);
        let says = |word: &str| head.split(',').any(|one| one.trim().eq_ignore_ascii_case(word));
        Self { deliberate: says("deliberate"), disputed: says("disputed") }
    }

    /// A sign for it that needs no colour.
    pub fn sign(self) -> &'static str {
        match (self.deliberate, self.disputed) {
            (true, true) => "†‡",
            (true, false) => "†",
            (false, true) => "‡",
            (false, false) => "*",
        }
    }

    /// In words.
    pub fn as_str(self) -> &'static str {
        match (self.deliberate, self.disputed) {
            (true, true) => "deliberate, disputed",
            (true, false) => "deliberate",
            (false, true) => "disputed",
            (false, false) => "known",
        }
    }
}

impl Line {
    /// Whether two columns were judged, and not alike.
    pub fn differs(&self) -> bool {
        let judged = |status: &Status| matches!(status, Status::Pass | Status::Warn | Status::Fail);
        let mut verdicts = self.cells.iter().filter_map(Cell::verdict).filter(judged);
        let first = verdicts.next();
        verdicts.any(|verdict| Some(verdict) != first)
    }

    /// Whether a column fails, or is warned.
    pub fn deviates(&self) -> bool {
        let mut verdicts = self.cells.iter().filter_map(Cell::verdict);
        verdicts.any(|verdict| matches!(verdict, Status::Warn | Status::Fail))
    }
}

impl Matrix {
    /// The matrix of `reports`, each with the name of its file without folder and ending.
    ///
    /// # Errors
    /// Servers and clients are mixed, or something is to be withheld that is not there.
    pub fn new(reports: Vec<(String, Document)>, withheld: &Withheld) -> Result<Self, Unusable> {
        let (half, suite) = reports
            .first()
            .map_or_else(Default::default, |(_, first)| (first.subject.half, first.suite.clone()));
        if reports.iter().any(|(_, report)| report.subject.half != half) {
            return Err(Unusable::Halves);
        }
        let mut columns: Vec<Column> = Vec::new();
        for (stem, report) in &reports {
            columns.push(Column::new(stem, report, &columns));
        }
        if let Some(lost) = withheld.lost(&columns) {
            let keys: Vec<_> = columns.iter().map(|column| column.key.as_str()).collect();
            let (server, id) = (lost.server.clone(), lost.id.clone());
            return Err(Unusable::Server { server, id, columns: keys.join(", ") });
        }
        let mut lines: BTreeMap<String, Line> = BTreeMap::new();
        for (n, (_, report)) in reports.into_iter().enumerate() {
            for row in report.results {
                let line = lines.entry(row.id.clone()).or_insert_with(|| Line {
                    requirement: only_requirement(&row),
                    cells: vec![Cell::Absent; columns.len()],
                });
                let secret = row.verdict != Status::Pass
                    && (row.withheld || withheld.holds(&columns[n].key, &row.id));
                line.cells[n] = if secret { Cell::Withheld } else { Cell::Shown(Box::new(row)) };
            }
        }
        Ok(Self { half, suite, columns, families: families(half, lines) })
    }

    /// All lines, in the order of the page.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.families.iter().flat_map(|family| &family.lines)
    }
}

/// What `row` says of the requirement, without what became of it.
fn only_requirement(row: &Row) -> Row {
    Row {
        id: row.id.clone(),
        verdict: Status::NotTested,
        reason: String::new(),
        place: None,
        expected: None,
        withheld: false,
        reference: row.reference.clone(),
        level: row.level,
        pass: row.pass.clone(),
        fail: row.fail.clone(),
        why: row.why.clone(),
        sessions: Vec::new(),
        milliseconds: 0,
    }
}

/// The lines in the order of the page: families as the catalogue has them, within one by RFC and
/// section.
fn families(half: Half, lines: BTreeMap<String, Line>) -> Vec<Family> {
    let catalogue = half.requirements();
    let position = |test: &dyn Fn(&str, &str) -> bool| {
        catalogue.iter().position(|one| test(&one.id, one.family())).unwrap_or(catalogue.len())
    };
    let mut lines: Vec<Line> = lines.into_values().collect();
    lines.sort_by_cached_key(|line| {
        let row = &line.requirement;
        let family = row.family().to_owned();
        let place = places(&row.reference).first().map_or((u16::MAX, Vec::new()), |p| p.order());
        let among = position(&|_, other| other == family);
        (among, family, place, position(&|id, _| id == row.id))
    });
    let mut families: Vec<Family> = Vec::new();
    for line in lines {
        let name = line.requirement.family();
        match families.last_mut() {
            Some(last) if last.name == name => last.lines.push(line),
            _ => families.push(Family { name: name.to_owned(), lines: vec![line] }),
        }
    }
    families
}

impl Column {
    fn new(stem: &str, report: &Document, others: &[Self]) -> Self {
        let subject = &report.subject;
        let told = match subject.half {
            _ if !subject.software.is_empty() => &subject.software,
            Half::Client => &subject.server,
            Half::Server => stem.strip_suffix(&format!("-{}", subject.profile)).unwrap_or(stem),
        };
        // `Postfix 3.7.11`: the version is what begins with a digit.
        let (name, version) = match told.rsplit_once(' ') {
            Some((name, version)) if version.starts_with(|c: char| c.is_ascii_digit()) => {
                (name, version)
            }
            _ => (told, ""),
        };
        let (name, version) = (name.to_owned(), version.to_owned());
        let is_free = |key: &String| others.iter().all(|other| other.key != *key);
        let short = key(&name);
        let long = format!("{short}-{}", subject.profile);
        let more = (2..).map(|n| format!("{long}-{n}"));
        let key = [short, long.clone()].into_iter().chain(more).find(is_free).unwrap_or_default();
        Self { key, name, version, date: subject.date.clone(), profile: subject.profile }
    }
}

/// `name` as a part of a link.
fn key(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' };
    let words: String = name.chars().map(plain).collect();
    let key = words.split_whitespace().collect::<Vec<_>>().join("-");
    if key.is_empty() { "unnamed".to_owned() } else { key }
}

#[cfg(test)]
pub(crate) mod sample {
    use super::*;
    use crate::report::sample;

    /// A hostile server, and the same after it has changed.
    pub(crate) fn reports() -> Vec<(String, Document)> {
        let before = sample::hostile();
        let mut after = sample::hostile();
        after.subject.software = "Other 2.1".into();
        after.results[0].verdict = Status::Pass;
        after.results[4].verdict = Status::Pass;
        after.results.pop();
        vec![("one".into(), before), ("two".into(), after)]
    }

    pub(crate) fn matrix() -> Matrix {
        Matrix::new(reports(), &Withheld::default()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<'a>(matrix: &'a Matrix, id: &str) -> &'a Line {
        matrix.lines().find(|line| line.requirement.id == id).unwrap()
    }

    #[test]
    fn only_verdicts_that_say_how_a_server_behaves_are_compared() {
        let matrix = sample::matrix();
        assert!(line(&matrix, "SEQ-05").differs(), "fail and pass");
        assert!(!line(&matrix, "SEQ-06").differs(), "both warn");
        assert!(line(&matrix, "SEQ-06").deviates());
        assert!(!line(&matrix, "EOD-01").differs(), "an error of the suite is no behaviour");
        assert!(!line(&matrix, "EOD-01").deviates());
        assert!(matches!(line(&matrix, "EOD-03").cells[1], Cell::Absent));
    }

    #[test]
    fn what_is_withheld_is_dropped_unless_it_passes() {
        let file = "[[withheld]]\nserver = 'sam*'\nid = 'seq-05'\n\
                    [[withheld]]\nserver = 'other'\nid = 'SEQ-05'\n";
        let matrix = Matrix::new(sample::reports(), &Withheld::read(file).unwrap()).unwrap();
        let cells = &line(&matrix, "SEQ-05").cells;
        assert!(matches!(cells[0], Cell::Withheld) && cells[1].shown().is_some());
        assert!(!line(&matrix, "SEQ-05").differs() && !line(&matrix, "SEQ-05").deviates());
        let mut reports = sample::reports();
        reports[1].1.results[1].withheld = true;
        let matrix = Matrix::new(reports, &Withheld::default()).unwrap();
        assert!(matches!(line(&matrix, "SEQ-06").cells[1], Cell::Withheld));
    }

    #[test]
    fn a_slip_of_the_pen_does_not_show_what_should_be_withheld() {
        let no_row = Withheld::read("[[withheld]]\nserver = 'one'\nid = 'SEQ-99'");
        assert!(matches!(no_row, Err(Unusable::Requirement(_))));
        let no_column = Withheld::read("[[withheld]]\nserver = 'exim'\nid = 'SEQ-05'").unwrap();
        let refused = Matrix::new(sample::reports(), &no_column);
        assert!(matches!(refused, Err(Unusable::Server { .. })));
        assert!(matches!(Withheld::read("[[withhold]]"), Err(Unusable::Form(_))));
    }

    #[test]
    fn columns_have_names_and_versions_and_keys_of_their_own() {
        let mut reports = sample::reports();
        reports[1].1.subject.software.clear();
        reports.push(reports[0].clone());
        reports.push(reports[0].clone());
        let matrix = Matrix::new(reports, &Withheld::default()).unwrap();
        let keys: Vec<_> = matrix.columns.iter().map(|column| column.key.as_str()).collect();
        assert_eq!(keys, ["sample", "two", "sample-default", "sample-default-2"]);
        let first = &matrix.columns[0];
        assert_eq!((first.name.as_str(), first.version.as_str()), ("Sample", "1.0"));
        assert_eq!(key("<img> Ünsafe"), "img-nsafe");
        assert_eq!(key("\u{202e}"), "unnamed");
    }

    #[test]
    fn a_reason_says_at_its_beginning_how_a_deviation_stands() {
        let sign = |reason| Standing::of(reason).sign();
        assert_eq!(sign("deliberate: the manual, section 3"), "†");
        assert_eq!(sign("Disputed: \"250\" is"), "‡");
        assert_eq!(sign("disputed, deliberate: a second MAIL"), "†‡");
        assert_eq!(sign("not deliberate: CVE-2023-51764"), "*");
        assert_eq!(sign("deliberate"), "*");
    }

    #[test]
    fn rows_stand_by_family_and_then_by_rfc_and_section() {
        let matrix = sample::matrix();
        let families: Vec<_> = matrix.families.iter().map(|family| family.name.as_str()).collect();
        assert_eq!(families.len(), 2);
        for family in &matrix.families {
            let places = family
                .lines
                .iter()
                .map(|line| places(&line.requirement.reference).first().map(|place| place.order()));
            assert!(places.is_sorted(), "{}", family.name);
        }
    }

    #[test]
    fn servers_and_clients_do_not_stand_in_one_table() {
        let mut reports = sample::reports();
        reports[1].1.subject.half = Half::Client;
        assert!(matches!(Matrix::new(reports, &Withheld::default()), Err(Unusable::Halves)));
    }
}
