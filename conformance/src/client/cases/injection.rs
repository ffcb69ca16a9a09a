//! Values with line ends in them: CWE-93.

use crate::{
    client::{
        Case,
        script::Script,
        seen::{Seen, at},
        sender::Need,
        trial::Trial,
    },
    outcome::{Outcome, Verdict},
};

pub(super) const CASES: &[Case] = &[Case { id: "C-52", run: c_52 }];

/// C-52. No value becomes a command.
fn c_52(t: &Trial<'_>) -> Outcome {
    let used = |placeholder| t.sender().uses(Need::Plain, placeholder);
    let mut tried = false;
    for end in ["\r\n", "\n", "\r"] {
        let bad = |value: &str| format!("{value}{end}INJECTED");
        if used("from") {
            tried = true;
            let from = bad("sender@client.example");
            judge(&t.attempt(Script::new()).from(&from).run_any()?, "the reverse-path")?;
            let from = format!("sender@client.example>{end}INJECTED <");
            judge(&t.attempt(Script::new()).from(&from).run_any()?, "the reverse-path")?;
        }
        if used("to") || used("recipients") {
            tried = true;
            let to = bad("rcpt1@example.test");
            judge(&t.attempt(Script::new()).to(&to).run_any()?, "a forward-path")?;
        }
        if used("helo") {
            tried = true;
            let helo = bad("client.example");
            judge(&t.attempt(Script::new()).helo(&helo).run_any()?, "the client's name")?;
        }
    }
    if tried || !t.sender().serves(Need::Plain) {
        return Ok(());
    }
    Err(Verdict::NotTested("needs {from}, {to} or {helo} in the command".into()))
}

fn judge(seen: &Seen, what: &str) -> Outcome {
    for record in &seen.records {
        for command in &record.commands {
            let text = command.text();
            if text.starts_with("INJECTED") || text.contains("\rINJECTED") {
                return Err(at(record, command, &format!("a command was injected by {what}")));
            }
        }
    }
    Ok(())
}
