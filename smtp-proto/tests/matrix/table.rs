//! A table of text: a header, rows, `|` between the cells, `#` before a remark.

use std::{collections::BTreeSet, fs};

pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
}

impl Table {
    /// Reads a table that has a cell for each of `rows` in each column, in this order.
    pub(crate) fn parse(text: &str, rows: &[&str]) -> Self {
        let mut lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>());
        let columns = lines.next().unwrap().split_off(1);
        let table = Self { rows: lines.map(|mut row| (row.remove(0), row)).collect(), columns };
        let named: Vec<&str> = table.rows.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(named, rows, "the rows of the table");
        for (name, cells) in &table.rows {
            assert_eq!(cells.len(), table.columns.len(), "a cell in each column of {name}");
            assert!(cells.iter().all(|cell| !cell.is_empty()), "no cell of {name} is empty");
        }
        table
    }

    /// Compares every cell with what `run` finds for its row and column.
    #[track_caller]
    pub(crate) fn check(&self, run: impl Fn(&str, &str) -> String) {
        let mut wrong = Vec::new();
        for (row, cells) in &self.rows {
            for (column, want) in self.columns.iter().zip(cells) {
                let got = run(row, column);
                if got != *want {
                    wrong.push(format!("{row} in {column}: {got}, not {want}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{} cells:\n{}", wrong.len(), wrong.join("\n"));
    }
}

/// The states and the commands of a machine, by their names on its page in `docs/`, which shows its
/// whole table.
pub(crate) fn page(file: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let path = format!("{}/../docs/{file}", env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(path).unwrap();
    let rows = page.split("|---|---|---|").nth(1).unwrap().trim();
    let (mut states, mut commands) = (BTreeSet::new(), BTreeSet::new());
    for row in rows.lines() {
        let [_, state, trigger, ..] = row.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("{row}");
        };
        states.insert(state.to_owned());
        if trigger == "custom command" {
            commands.insert(trigger.to_owned());
        } else if !trigger.contains(char::is_lowercase) {
            commands.extend(trigger.split('/').map(str::to_owned));
        }
    }
    (states, commands)
}
