//! The parts of a line, as far as it has them.

use smtp_proto::wire::{ForwardPath, Mail, Rcpt, ReversePath};
use smtp_proto::{Limits, ext::Offer, server::Mode};
use std::sync::LazyLock;

/// What a line is made of, for those who want to say what is wrong with it.
#[derive(Debug)]
pub(crate) struct Parts<'l> {
    /// The word at its front, in upper case.
    pub(crate) verb: String,
    /// What follows it, without the spaces in front.
    pub(crate) rest: &'l str,
    /// Of MAIL and RCPT: `<…>`.
    pub(crate) path: Option<&'l str>,
    /// Whether a space or nothing follows the path.
    pub(crate) spaced: bool,
    /// What follows it.
    pub(crate) parameters: Vec<&'l str>,
}

impl<'l> Parts<'l> {
    /// `None` for a line that is not UTF-8.
    pub(crate) fn of(line: &'l [u8]) -> Option<Self> {
        let text = std::str::from_utf8(line).ok()?;
        let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
        let (verb, rest) = text.split_at(end);
        let path = rest.find('<').map(|at| &rest[at..]);
        let end = path.and_then(path_end);
        let (path, behind) = path.zip(end).map_or((None, ""), |(path, end)| {
            let (path, behind) = path.split_at(end);
            (Some(path), behind)
        });
        let spaced = behind.is_empty() || behind.starts_with(' ');
        let parameters = behind.split(' ').filter(|word| !word.is_empty()).collect();
        let verb = verb.to_ascii_uppercase();
        Some(Self { verb, rest: rest.trim_start_matches(' '), path, spaced, parameters })
    }

    /// Whether the path is one by the grammar.
    pub(crate) fn has_good_path(&self) -> bool {
        self.path.is_some_and(|path| match self.verb.as_str() {
            "MAIL" => ReversePath::parse(path).is_ok_and(|(_, rest)| rest.is_empty()),
            _ => ForwardPath::parse(path).is_ok_and(|(_, rest)| rest.is_empty()),
        })
    }

    /// Whether the parameters alone are good.
    pub(crate) fn has_good_parameters(&self) -> bool {
        self.takes(&self.parameters.join(" "))
    }

    /// The keywords of the parameters that are not good even alone, in upper case.
    pub(crate) fn bad_parameters(&self) -> Vec<String> {
        let bad = self.parameters.iter().filter(|parameter| !self.takes(parameter));
        bad.map(|parameter| keyword(parameter)).collect()
    }

    /// The keywords of the parameters, in upper case.
    pub(crate) fn keywords(&self) -> Vec<String> {
        self.parameters.iter().map(|parameter| keyword(parameter)).collect()
    }

    fn takes(&self, parameters: &str) -> bool {
        static OFFER: LazyLock<(smtp_proto::ext::Extensions, Limits)> = LazyLock::new(|| {
            let mut limits = Limits::default();
            limits.message = u64::MAX;
            (fuzz_properties::embedder::extensions(), limits)
        });
        let (extensions, limits) = &*OFFER;
        let offer = Offer { extensions, limits, mode: Mode::Submission, esmtp: true, tls: true };
        match self.verb.as_str() {
            "MAIL" => Mail::parse(&format!("FROM:<> {parameters}"), &offer).is_ok(),
            _ => Rcpt::parse(&format!("TO:<b@b.example> {parameters}"), &offer, true).is_ok(),
        }
    }
}

fn keyword(parameter: &str) -> String {
    parameter.split('=').next().unwrap_or_default().to_ascii_uppercase()
}

/// Where a path ends: behind the first `>` outside of quotes and brackets, or else behind the first.
fn path_end(path: &str) -> Option<usize> {
    let (mut quoted, mut escaped, mut literal) = (false, false, false);
    for (at, c) in path.char_indices() {
        match c {
            _ if escaped => escaped = false,
            ']' => literal = false,
            _ if literal => {}
            '[' => literal = !quoted,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            '>' if !quoted => return Some(at + 1),
            _ => {}
        }
    }
    path.find('>').map(|at| at + 1)
}
