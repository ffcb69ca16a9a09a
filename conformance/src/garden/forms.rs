//! The forms from which scripts are grown, as `forms.toml` has them.

use serde::Deserialize;
use std::sync::OnceLock;

/// What may stand in a place of a session; `forms.toml` says more of each.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Forms {
    pub(super) reverse_paths: Vec<String>,
    pub(super) forward_paths: Vec<String>,
    pub(super) mail_parameters: Vec<String>,
    pub(super) rcpt_parameters: Vec<String>,
    pub(super) hello_arguments: Vec<String>,
    pub(super) commands: Vec<String>,
    pub(super) spaces: Vec<String>,
    pub(super) around_colon: Vec<String>,
    pub(super) odd_octets: Vec<String>,
    pub(super) line_ends: Vec<String>,
    pub(super) chunks: Vec<String>,
    pub(super) bodies: Vec<String>,
    pub(super) fields: Vec<String>,
}

/// All of them.
///
/// # Panics
/// If `forms.toml` does not parse; a test reads it.
#[expect(clippy::panic, reason = "the file is part of the program, and a test reads it")]
pub(super) fn all() -> &'static Forms {
    static ALL: OnceLock<Forms> = OnceLock::new();
    ALL.get_or_init(|| match toml::from_str(include_str!("forms.toml")) {
        Ok(forms) => forms,
        Err(error) => panic!("forms.toml: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::garden::script::{Script, unescaped};

    #[test]
    fn every_form_can_stand_in_a_script() {
        let forms = all();
        for octets in [&forms.odd_octets, &forms.line_ends, &forms.bodies].into_iter().flatten() {
            assert!(unescaped(octets).is_ok(), "{octets}");
        }
        let paths = forms.reverse_paths.iter().chain(&forms.forward_paths).chain(&forms.commands);
        for text in paths {
            let script = format!("C| {}", text.replace('\\', "\\\\"));
            assert!(Script::read("t", &script).is_ok(), "{text}");
        }
    }
}
