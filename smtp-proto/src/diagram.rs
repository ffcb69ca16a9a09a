//! The table of a machine as a page: a drawing, then the rows.

use std::{collections::BTreeMap, env, fmt::Write, format, fs, string::String, vec::Vec};

/// A row of a table, for one state.
pub(crate) struct Edge {
    pub(crate) from: String,
    /// A command in capitals, or a name in camel case.
    pub(crate) on: String,
    /// `None` stays.
    pub(crate) to: Option<String>,
    /// Whether it is in the drawing too.
    pub(crate) drawn: bool,
}

/// A page of `docs/`.
pub(crate) struct Page {
    pub(crate) file: &'static str,
    /// The folder of the table.
    pub(crate) source: &'static str,
    pub(crate) title: &'static str,
    pub(crate) words: &'static str,
    pub(crate) start: &'static str,
    pub(crate) edges: Vec<Edge>,
}

impl Page {
    /// Compares the page in the repository, or writes it under `UPDATE_DOCS`.
    pub(crate) fn check(&self) {
        let path = format!("{}/../docs/{}", env!("CARGO_MANIFEST_DIR"), self.file);
        let page = self.text();
        if env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &page).unwrap();
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(written == page, "docs/{} is stale; see its first lines", self.file);
    }

    fn text(&self) -> String {
        let Self { title, source, words, start, .. } = self;
        let mut page = format!(
            "# {title}\n\n\
             Made from the table in `smtp-proto/src/{source}/phase.rs`; a test compares them. To write it\n\
             anew: `UPDATE_DOCS=1 cargo test -p smtp-proto state_machine`.\n\n\
             {words}\n\n\
             ```mermaid\nstateDiagram-v2\n    [*] --> {start}\n",
        );
        let mut arrows: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
        for edge in self.edges.iter().filter(|edge| edge.drawn) {
            if let Some(to) = edge.to.as_deref().filter(|to| *to != edge.from) {
                arrows.entry((&edge.from, to)).or_default().push(words_of(&edge.on));
            }
        }
        for ((from, to), on) in arrows {
            writeln!(page, "    {from} --> {to}: {}", on.join(", ")).unwrap();
        }
        page.push_str("    Closed --> [*]\n```\n\n| state | trigger | next |\n|---|---|---|\n");
        let mut states: Vec<&str> = Vec::new();
        for edge in &self.edges {
            if !states.contains(&&*edge.from) {
                states.push(&edge.from);
            }
        }
        for state in states {
            for Edge { from, on, to, .. } in self.edges.iter().filter(|edge| edge.from == state) {
                let to = to.as_deref().unwrap_or("(stays)");
                writeln!(page, "| {from} | {} | {to} |", words_of(on)).unwrap();
            }
        }
        page
    }
}

/// `BodyWanted` as `body wanted`; what is in capitals stays.
fn words_of(name: &str) -> String {
    if !name.contains(char::is_lowercase) {
        return name.into();
    }
    let mut words = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    words
}

/// No state has two rows for one trigger.
pub(crate) fn check_distinct(edges: &[Edge]) {
    for (place, edge) in edges.iter().enumerate() {
        let twice = edges[..place].iter().any(|old| old.from == edge.from && old.on == edge.on);
        assert!(!twice, "{} has two rows for {}", edge.from, edge.on);
    }
}
