//! Which messages of the queue are meant.

use super::{State, Timestamp};
use crate::message_id::MessageId;
use rusqlite::types::Value;

/// Which messages, and which of their recipients, are meant: those to which all that is set
/// applies. By default all.
///
/// An address is a pattern: `*` stands for anything, case does not count, and a pattern without `@`
/// and `*` is a domain. `<>` is the null sender.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// One of these messages, unless the list is empty.
    pub ids: Vec<MessageId>,
    /// From this sender.
    pub from: Option<String>,
    /// Received before.
    pub before: Option<Timestamp>,
    /// With a recipient like this.
    pub to: Option<String>,
    /// With a recipient in this state.
    pub state: Option<State>,
}

impl Filter {
    /// One message.
    pub fn id(id: MessageId) -> Self {
        Self { ids: vec![id], ..Self::default() }
    }

    /// Conditions on a row of `message` called `m`, with their parameters.
    pub(super) fn messages(&self) -> (String, Vec<Value>) {
        let (mut sql, mut values) = ("TRUE".to_owned(), Vec::new());
        if !self.ids.is_empty() {
            let ids: Vec<_> = self.ids.iter().map(|id| format!("\"{id}\"")).collect();
            sql += " AND m.id IN (SELECT value FROM json_each(?))";
            values.push(format!("[{}]", ids.join(",")).into());
        }
        if let Some(from) = &self.from {
            sql += " AND m.sender LIKE ? ESCAPE '\\'";
            values.push(like(from).into());
        }
        if let Some(before) = self.before {
            sql += " AND m.received < ?";
            values.push(before.as_micros().into());
        }
        if self.to.is_some() || self.state.is_some() {
            let (recipients, more) = self.recipients();
            // By message, so that a page costs no more than the messages that it passes.
            sql += " AND EXISTS (SELECT 1 FROM recipient r WHERE r.message = m.key AND ";
            sql += &recipients;
            sql.push(')');
            values.extend(more);
        }
        (sql, values)
    }

    /// Conditions on a row of `recipient` called `r`, with their parameters.
    pub(super) fn recipients(&self) -> (String, Vec<Value>) {
        let (mut sql, mut values) = ("TRUE".to_owned(), Vec::new());
        if let Some(state) = self.state {
            sql += &format!(" AND r.state = '{state}'");
        }
        if let Some(to) = &self.to {
            sql += " AND r.address LIKE ? ESCAPE '\\'";
            values.push(like(to).into());
        }
        (sql, values)
    }
}

/// A pattern as SQL has it.
fn like(pattern: &str) -> String {
    if pattern == "<>" {
        return String::new();
    }
    let mut like = String::with_capacity(pattern.len() + 2);
    let is_postmaster = pattern.eq_ignore_ascii_case("postmaster");
    if !pattern.contains(['@', '*']) && !is_postmaster {
        like.push_str("%@");
    }
    for c in pattern.chars() {
        match c {
            '*' => like.push('%'),
            '%' | '_' | '\\' => like.extend(['\\', c]),
            c => like.push(c),
        }
    }
    like
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_what_it_shows() {
        for (pattern, expected) in [
            ("<>", ""),
            ("example.org", "%@example.org"),
            ("a_b@example.org", "a\\_b@example.org"),
            ("*@*.example", "%@%.example"),
            ("100%", "%@100\\%"),
            ("Postmaster", "Postmaster"),
        ] {
            assert_eq!(like(pattern), expected);
        }
    }
}
