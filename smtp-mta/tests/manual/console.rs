//! Runs the examples of a chapter of the manual.
//!
//! A block that begins with ```` ```console ```` has lines that begin with `$ `, and below each what
//! it prints, on the standard output and the error output. [`run`] gives each such line to a shell,
//! in a folder that the test has prepared, with `smtp-mta` in its path, and compares.
//!
//! What differs from run to run may stand in the manual as it was once seen:
//!
//! - the name of a message stands for one of the test: for the same in the whole chapter, in
//!   commands as well, from the first place on where it was printed;
//! - a time (`2026-11-22T02:38:35Z`), a span (`3h12m`) and a size (`393 B`, `393 octets`) stand for
//!   any;
//! - blanks stand for blanks, however many, and CRLF is a line end;
//! - `...` stands for anything on its line and, alone on a line, for any lines.
//!
//! A chapter has a test of its own, which prepares what its examples speak of.

use crate::site::program;
use regex::Regex;
use std::{collections::HashMap, env, fs, path::Path, process::Command};

/// The names of messages in a chapter, with those of the test.
pub(crate) type Names = HashMap<String, String>;

/// Runs all examples of `docs/manual/CHAPTER` in `folder`.
pub(crate) fn run(chapter: &str, folder: &Path) {
    run_text(&read(chapter), folder, &[], &mut Names::default());
}

/// Runs all examples in a part of a chapter, with other texts in them.
pub(crate) fn run_text(part: &str, folder: &Path, others: &[(&str, String)], names: &mut Names) {
    let examples = examples(part);
    assert!(!examples.is_empty(), "there is no example");
    for Example { command, expected } in examples {
        let mut line = replaced(&command, others);
        for (shown, real) in &*names {
            line = line.replace(shown, real);
        }
        let said = shell(&line, folder);
        let expected = replaced(&expected, others);
        let found = matches(&expected, &said, names).unwrap_or_else(|| {
            panic!("$ {command}\n--- the manual ---\n{expected}--- now ---\n{said}")
        });
        names.extend(found);
    }
}

/// `text` with other texts in it.
pub(crate) fn replaced(text: &str, others: &[(&str, String)]) -> String {
    others.iter().fold(text.to_owned(), |text, (shown, other)| text.replace(shown, other))
}

/// The text of a chapter.
pub(crate) fn read(chapter: &str) -> String {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/manual");
    fs::read_to_string(manual.join(chapter)).unwrap()
}

/// The blocks of a chapter in that language.
pub(crate) fn blocks<'c>(chapter: &'c str, language: &str) -> Vec<&'c str> {
    let fence = format!("\n```{language}\n");
    let rest = chapter.split(fence.as_str()).skip(1);
    rest.map(|block| &block[..block.find("```").unwrap()]).collect()
}

#[derive(Debug, PartialEq)]
struct Example {
    command: String,
    expected: String,
}

fn examples(chapter: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    for block in blocks(chapter, "console") {
        assert!(block.starts_with("$ "), "a block begins with a command: {block}");
        for line in block.lines() {
            match (line.strip_prefix("$ "), examples.last_mut()) {
                (Some(command), _) => {
                    examples.push(Example { command: command.into(), expected: String::new() });
                }
                (None, Some(example)) => example.expected += &format!("{line}\n"),
                (None, None) => {}
            }
        }
    }
    examples
}

fn shell(line: &str, folder: &Path) -> String {
    let program = Path::new(program::PATH).parent().unwrap();
    let path = format!("{}:{}", program.display(), env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{{ {line}\n}} 2>&1")]).current_dir(folder).env("PATH", path);
    String::from_utf8(shell.output().unwrap().stdout).unwrap().replace("\r\n", "\n")
}

/// What varies, and how it looks. The first is the name of a message.
const KINDS: [&str; 4] = [
    "0[0-9][0-9a-hjkmnp-tv-z]{21}",
    "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z",
    r"[0-9.]+ (?:B|[KMG]iB|octets)\b",
    r"\b(?:[0-9]+[dhms]){1,2}\b",
];

/// The names in `said` for the new ones in `expected`, if the two are the same.
fn matches(expected: &str, said: &str, names: &Names) -> Option<Names> {
    let kinds = KINDS.map(|kind| format!("({kind})")).join("|");
    let varies = Regex::new(&format!(r"{kinds}|(?m:(^\.\.\.\n))|(\.\.\.)|([ \t]+)")).unwrap();
    let (mut pattern, mut shown, mut end) = (String::from("^"), Vec::new(), 0);
    for found in varies.captures_iter(expected) {
        let place = found.get(0).unwrap();
        pattern += &regex::escape(&expected[end..place.start()]);
        end = place.end();
        let kind = (1..=7).find(|kind| found.get(*kind).is_some()).unwrap();
        pattern += &match kind {
            1 => {
                shown.push(place.as_str());
                format!("({})", KINDS[0])
            }
            2..=4 => format!("(?:{})", KINDS[kind - 1]),
            5 => "(?:.*\n)*?".into(),
            6 => ".*".into(),
            _ => "[ \t]+".into(),
        };
    }
    pattern += &regex::escape(&expected[end..]);
    let found = Regex::new(&format!("{pattern}$")).unwrap().captures(said)?;
    let mut new = HashMap::new();
    for (place, shown) in shown.into_iter().enumerate() {
        let real = &found[place + 1];
        let known = names.get(shown).or_else(|| new.get(shown));
        if known.is_some_and(|known| known != real) {
            return None;
        }
        new.insert(shown.to_owned(), real.to_owned());
    }
    Some(new)
}

#[test]
fn examples_are_commands_with_what_they_print() {
    let chapter = "text\n```console\n$ a\n$ b | c\none\n\ntwo\n```\n$ no\n```toml\nx\n```\n";
    let example = |command: &str, expected: &str| Example {
        command: command.into(),
        expected: expected.into(),
    };
    assert_eq!(examples(chapter), [example("a", ""), example("b | c", "one\n\ntwo\n")]);
    assert_eq!(blocks(chapter, "toml"), ["x\n"]);
}

#[test]
fn what_varies_may_vary_and_nothing_else() {
    let none = HashMap::new();
    let same = |expected: &str, said: &str| matches(expected, said, &none).is_some();
    assert!(same("for 3h12m, 1 B\n", "for 2s,  12.5 KiB\n"));
    assert!(same("at 2026-11-22T02:38:35Z\n", "at 2027-01-02T00:00:00.25Z\n"));
    assert!(same("a ... z\n...\nend\n", "a b z\nx\ny\nend\n"));
    assert!(same("...\nend\n", "end\n"));
    assert!(!same("a ... z\n", "a b\nc z\n"));
    assert!(!same("3 messages\n", "4 messages\n"));
    assert!(!same("one\n", "one\ntwo\n"));
    assert!(!same("a.b\n", "axb\n"));

    let (a, b) = ("00t40e16v9g7k0ba8000001", "00t40e171vg7k0ba8000003");
    let (c, d) = ("00t50e16v9g7k0ba8000001", "00t50e171vg7k0ba8000003");
    let names = matches(&format!("{a} {b}\n"), &format!("{c} {d}\n"), &none).unwrap();
    assert_eq!((&*names[a], &*names[b]), (c, d));
    assert!(matches(&format!("{a}\n"), &format!("{c}\n"), &names).is_some());
    assert!(matches(&format!("{a}\n"), &format!("{d}\n"), &names).is_none());
    assert!(!same(&format!("{a} {a}\n"), &format!("{c} {d}\n")));
}
