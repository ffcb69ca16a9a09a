//! What the catalogue says: one requirement, the list, and what a run would do.

use crate::{
    cases,
    cooperation::Cooperation,
    profile::Profile,
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
        found.extend(requirement::all().iter().filter(|one| matches(id, &one.id)));
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
pub fn list(tasks: &[Task], profile: Profile) -> String {
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

/// Which cases would run, and about how many messages they would send.
pub fn dry_run(tasks: &[Task], cooperation: &Cooperation) -> String {
    let mut out = String::new();
    let mut messages = 0;
    for Task { requirement, case } in tasks {
        match case {
            Ok(_) => {
                let sends = estimate(requirement, cooperation);
                messages += sends;
                out.push_str(&format!("  {:<11} about {sends} messages\n", requirement.id));
            }
            Err(why) => out.push_str(&format!("○ {:<11} {why}\n", requirement.id)),
        }
    }
    let cases = tasks.iter().filter(|task| task.case.is_ok()).count();
    out.push_str(&format!("{cases} cases would run and send about {messages} messages\n"));
    out
}

/// About how many messages a case sends: those that look into a mailbox or need a recipient send
/// one or two.
fn estimate(requirement: &Requirement, cooperation: &Cooperation) -> u32 {
    let needs = |word: &str| requirement.needs.iter().any(|need| need.contains(word));
    match cooperation.recipients.len() {
        0 => 0,
        _ if needs("mailbox") => 2,
        _ if needs("recipient") => 1,
        _ => 0,
    }
}
