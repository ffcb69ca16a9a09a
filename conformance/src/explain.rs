//! What the catalogue says: one requirement, the list, and what a run would do.

use crate::{
    cases, client,
    cooperation::Cooperation,
    profile::Profile,
    rehearsal,
    requirement::{self, Requirement},
    runner::Task,
    select::matches,
};
use std::fmt::{self, Write};

/// Everything about the requirement called `id`; about all whose ids begin so, if none is.
///
/// # Errors
/// No requirement is called so.
pub fn explain(id: &str) -> Result<String, String> {
    let mut found: Vec<_> = requirement::find(id).into_iter().collect();
    if found.is_empty() {
        let both = requirement::all().iter().chain(requirement::clients());
        found.extend(both.filter(|one| matches(id, &one.id)));
    }
    if found.is_empty() {
        return Err(format!("no requirement is called {id}; try `smtp-conformance list`"));
    }
    let mut out = String::new();
    for requirement in found {
        // Writing into a String never fails.
        let _: fmt::Result = write_one(&mut out, requirement);
    }
    Ok(out)
}

fn write_one(out: &mut String, requirement: &Requirement) -> fmt::Result {
    if !out.is_empty() {
        out.push('\n');
    }
    let letter = requirement.level.as_str();
    writeln!(out, "{}  {letter}  {}", requirement.id, requirement.reference)?;
    if let Some(level) = requirement.default_level {
        writeln!(out, "  graded     {} unless the profile is strict", level.as_str())?;
    }
    writeln!(out, "  applies    {}", requirement.applies)?;
    if !requirement.needs.is_empty() {
        writeln!(out, "  needs      {}", requirement.needs.join(", "))?;
    }
    let (pass, fail) = (&requirement.pass, &requirement.fail);
    let tags = requirement.tags.join(", ");
    let rest = [
        ("passes", pass),
        ("fails", fail),
        ("because", &requirement.why),
        ("note", &requirement.note),
        ("tags", &tags),
    ];
    for (label, text) in rest.into_iter().filter(|(_, text)| !text.is_empty()) {
        writeln!(out, "  {label:<10} {text}")?;
    }
    if has_case(&requirement.id) {
        let id = &requirement.id;
        writeln!(out, "  run        smtp-conformance server HOST:PORT --only {id}")
    } else if client::cases::all().iter().any(|case| case.id == requirement.id) {
        let id = &requirement.id;
        writeln!(out, "  run        smtp-conformance client --only {id} -- COMMAND")
    } else if requirement.manual.is_empty() {
        writeln!(out, "  run        no case yet")
    } else {
        writeln!(out, "  run        no case: {}", requirement.manual)
    }
}

fn has_case(id: &str) -> bool {
    cases::all().iter().any(|case| case.id == id)
}

/// The requirements of `tasks`, a line each.
pub fn list<C>(tasks: &[Task<C>], profile: Profile) -> String {
    let mut out = String::new();
    for Task { requirement, case } in tasks {
        let sign = if case.is_ok() { ' ' } else { '○' };
        let level = profile.level(requirement).as_str();
        let reference: String = requirement.reference.chars().take(28).collect();
        let pass: String = requirement.pass.chars().take(60).collect();
        let id = &requirement.id;
        out.push_str(&format!("{sign} {id:<11} {level:<10} {reference:<28} {pass}\n"));
    }
    let cases = tasks.iter().filter(|task| task.case.is_ok()).count();
    let (all, rest) = (tasks.len(), tasks.len() - cases);
    out.push_str(&format!(
        "{all} requirements, {cases} with a case that runs, {rest} without (○)\n"
    ));
    out
}

/// Which cases would run in this profile, and about how many messages they would send to a server
/// that accepts everything.
pub fn dry_run(tasks: &[Task], cooperation: &Cooperation, profile: Profile) -> String {
    let mut out = String::new();
    let mut messages = 0;
    let mut cases = 0;
    for Task { requirement, case } in tasks {
        let id = &requirement.id;
        let case = match case {
            Ok(case) => case,
            Err(why) => {
                out.push_str(&format!("○ {id:<11} {why}\n"));
                continue;
            }
        };
        cases += 1;
        // What takes minutes or all of a server's memory is not played through to be counted.
        if requirement.has_tag("dos") || requirement.has_tag("slow") {
            out.push_str(&format!("  {id:<11} not counted: it is made to be long\n"));
            continue;
        }
        let sends = rehearsal::messages(*case, cooperation, profile.port(), profile.is_strict());
        messages += sends;
        match sends {
            0 => out.push_str(&format!("  {id:<11} no message\n")),
            1 => out.push_str(&format!("  {id:<11} 1 message\n")),
            n => out.push_str(&format!("  {id:<11} {n} messages\n")),
        }
    }
    out.push_str(&format!("{cases} cases would run and send about {messages} messages\n"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_is_explained_by_its_id_or_by_the_beginning() {
        let one = explain("seq-05").unwrap();
        assert!(one.starts_with("SEQ-05  MUST  5321 §4.1.4\n"), "{one}");
        assert!(one.contains("--only SEQ-05"));
        assert!(explain("SEQ").unwrap().contains("\nSEQ-06  "));
        assert!(explain("NO-99").unwrap_err().contains("NO-99"));
    }

    #[test]
    fn a_requirement_without_a_case_says_so() {
        let without = requirement::all().iter().filter(|one| !has_case(&one.id));
        for requirement in without {
            let text = explain(&requirement.id).unwrap();
            assert!(text.contains("no case"), "{text}");
        }
    }
}
