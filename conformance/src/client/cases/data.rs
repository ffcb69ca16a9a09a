//! What a client makes of the answers to DATA and to the end of a message: RFC 5321 §3.3, §4.2.1.

use crate::{
    client::{
        Case,
        script::{Point, Script},
        seen::Class,
        trial::Trial,
    },
    outcome::Outcome,
};

pub(super) const CASES: &[Case] = &[Case { id: "C-13", run: c_13 }];

/// C-13. A message that is refused for now at its end was not sent.
fn c_13(t: &Trial<'_>) -> Outcome {
    let seen = t.send(Script::new().at(Point::End, "451 4.3.0 try again later"))?;
    seen.reached_end()?;
    seen.not_sent(Class::Temporary)
}
