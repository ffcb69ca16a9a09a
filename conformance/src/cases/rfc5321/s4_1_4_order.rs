//! RFC 5321 §4.1.4 and §3.3: the order of commands.

use crate::{case::Case, outcome::Outcome, tester::Tester};

pub(super) const CASES: &[Case] = &[Case { id: "SEQ-05", run: seq_05 }];

/// SEQ-05. A second MAIL inside a transaction is refused and leaves the first as it was.
fn seq_05(t: &Tester<'_>) -> Outcome {
    let recipient = t.recipient()?;
    let mut s = t.hello()?;
    s.ask("MAIL FROM:<a@client.example>").given("250")?;
    s.ask("MAIL FROM:<b@client.example>").must("503")?;
    s.ask(format!("RCPT TO:<{recipient}>")).must("25z")
}
