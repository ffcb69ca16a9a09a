//! The recipients that enter the queue in the place of those that were accepted.

use super::{Destination, MAX_TARGETS, Target, Who};
use crate::queue::NewRecipient;
use smtp_proto::{
    EnhancedCode,
    ext::{Notify, Orcpt},
    wire::{ForwardPath, Mailbox, Rcpt, Refused, Xtext},
};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Recipients to whom the aliases of a message lead at most, before those that are there twice are
/// left out. One alias always fits, and 1,000 that lead to ten each.
const MAX_EXPANDED: usize = 10 * MAX_TARGETS;

/// How many recipients the aliases of a message lead to. They may be looked up at once.
#[derive(Debug, Default)]
pub struct Expanded(AtomicUsize);

impl Expanded {
    /// Gives `destination` back if the message may have so many recipients more.
    ///
    /// # Errors
    /// 452 4.5.3 (RFC 5321 §4.5.3.1.10).
    pub fn admit(&self, destination: Destination) -> Result<Destination, Refused<'static>> {
        let Destination::Others(targets) = &destination else { return Ok(destination) };
        let more = targets.len();
        if self.0.fetch_add(more, Ordering::Relaxed) + more <= MAX_EXPANDED {
            return Ok(destination);
        }
        self.0.fetch_sub(more, Ordering::Relaxed);
        Err(too_many_recipients())
    }
}

/// 452 4.5.3: the sender may send to the rest in a transaction of its own.
fn too_many_recipients() -> Refused<'static> {
    let text = "Too many recipients behind these aliases";
    Refused::new(452, EnhancedCode::transient(5, 3), text).unwrap_or(Refused::TRY_LATER)
}

/// The recipients for those that were `accepted`, with where each of them leads. Those that were
/// named come before those to whom an alias leads; of the latter each is there once, and not at all
/// if it was named as well.
///
/// What the sender wants to be told follows RFC 3461 §5.2.7. An alias with one target is as if that
/// had been written in its place (§5.2.7.2). Of one with several a recipient stays of which nothing
/// is left to do, and which owes the sender an `expanded` notice if SUCCESS was asked for; its
/// targets do not know of that wish, and of all others (§5.2.7.3 c). Where the target of an alias is
/// a recipient already, the alias is as one with several.
pub fn expand<'e, A>(accepted: A) -> Vec<NewRecipient>
where
    A: IntoIterator<Item = (&'e Rcpt<'static>, &'e Destination)> + Clone,
{
    let (mut all, mut seen) = (Vec::new(), BTreeSet::new());
    for (rcpt, destination) in accepted.clone() {
        if let Some(who) = Who::new(&rcpt.to, destination) {
            seen.insert(who);
            all.push(named(rcpt));
        }
    }
    for (rcpt, destination) in accepted {
        let Destination::Others(targets) = destination else { continue };
        let new: Vec<_> = targets.iter().filter(|it| seen.insert(it.who.clone())).collect();
        let is_one = targets.len() == 1 && new.len() == 1;
        if !is_one {
            all.push(NewRecipient { is_expanded: true, ..named(rcpt) });
        }
        let notify = if is_one { rcpt.notify } else { rcpt.notify.map(without_success) };
        let orcpt = rcpt.orcpt.clone().or_else(|| original(&rcpt.to));
        all.extend(new.into_iter().map(|Target { to, .. }| NewRecipient {
            notify,
            orcpt: orcpt.clone(),
            ..NewRecipient::new(to.clone())
        }));
    }
    all
}

fn named(rcpt: &Rcpt<'static>) -> NewRecipient {
    let (notify, orcpt) = (rcpt.notify, rcpt.orcpt.clone());
    NewRecipient { notify, orcpt, ..NewRecipient::new(rcpt.to.clone()) }
}

fn without_success(notify: Notify) -> Notify {
    match notify {
        Notify::On { failure: false, delay: false, .. } | Notify::Never => Notify::Never,
        Notify::On { failure, delay, .. } => Notify::On { success: false, failure, delay },
    }
}

/// What the sender wrote, for who is to tell of it: the address that is tried may mean nothing to
/// them (RFC 3461 §5.2.1 c). `None` if it is too long for the parameter.
fn original(to: &ForwardPath<'_>) -> Option<Orcpt<'static>> {
    let address = to.mailbox().map_or_else(|| "postmaster".into(), Mailbox::to_string);
    let text = match address.is_ascii() {
        true => format!("rfc822;{}", Xtext::encode(address.as_bytes())),
        false => format!("utf-8;{}", utf8_addr_xtext(&address)),
    };
    Orcpt::parse(&text).map(Orcpt::into_static).ok()
}

/// RFC 6533 §3: `utf-8-addr-xtext = 1*(QCHAR / EmbeddedUnicodeChar)`, where all that is not a
/// printable character of ASCII, and `+`, `=` and `\`, is `\x{HEX}`.
fn utf8_addr_xtext(address: &str) -> String {
    let encoded = address.chars().map(|c| match c {
        '+' | '=' | '\\' => format!("\\x{{{:X}}}", u32::from(c)),
        '!'..='~' => c.to_string(),
        _ => format!("\\x{{{:X}}}", u32::from(c)),
    });
    encoded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, queue::NewRecipient};
    use smtp_proto::wire::Refused;

    const CONFIG: &str = "
        [[domain]]
        name = 'a.example'
        mailboxes = ['ada', 'bob']
        [domain.aliases]
        info = 'ada'
        out = 'x@far.example'
        team = ['ada', 'x@far.example']
        all = ['team', 'bob', 'X@FAR.example']
        bob = ['bob', 'bob@far.example']";

    /// What each recipient becomes, in short: address, NOTIFY, ORCPT.
    fn expanded(rcpts: &[&str]) -> Vec<String> {
        let recipients = Config::parse(CONFIG, "x.toml".as_ref()).unwrap().recipients().unwrap();
        let accepted: Vec<_> = rcpts
            .iter()
            .map(|text| {
                let (to, parameters) = text.split_once(' ').unwrap_or((text, ""));
                let to = ForwardPath::parse(&format!("<{to}>")).unwrap().0.into_static();
                let destination = recipients.find(&to);
                let mut rcpt = Rcpt::new(to);
                for parameter in parameters.split_whitespace() {
                    match parameter.split_once('=').unwrap() {
                        ("ORCPT", value) => {
                            rcpt.orcpt = Some(Orcpt::parse(value).unwrap().into_static());
                        }
                        (_, "NEVER") => rcpt.notify = Some(Notify::Never),
                        (_, value) => {
                            rcpt.notify = Some(Notify::On {
                                success: value.contains('S'),
                                failure: value.contains('F'),
                                delay: value.contains('D'),
                            });
                        }
                    }
                }
                (rcpt, destination.or(Err::<_, Refused<'_>>(Refused::NO_SUCH_USER)).unwrap())
            })
            .collect();
        let all = expand(accepted.iter().map(|(rcpt, destination)| (rcpt, destination)));
        let short = |it: NewRecipient| {
            let mut text = it.to.mailbox().unwrap().to_string();
            text += if it.is_expanded { " expanded" } else { "" };
            text += &it.notify.map(|notify| format!(" {notify}")).unwrap_or_default();
            text + &it.orcpt.map(|orcpt| format!(" {orcpt}")).unwrap_or_default()
        };
        all.into_iter().map(short).collect()
    }

    #[test]
    fn who_is_named_stays_as_written() {
        let named = ["Ada+x@A.example NOTIFY=SF ORCPT=rfc822;x", "x@far.example", "ada@a.example"];
        assert_eq!(
            expanded(&named),
            ["Ada+x@A.example SUCCESS,FAILURE rfc822;x", "x@far.example", "ada@a.example"]
        );
    }

    #[test]
    fn one_target_has_all_that_the_alias_had() {
        assert_eq!(
            expanded(&["info@a.example NOTIFY=SD ORCPT=rfc822;x+2By"]),
            ["ada@a.example SUCCESS,DELAY rfc822;x+2By"]
        );
        assert_eq!(expanded(&["Out+t@a.example"]), ["x@far.example rfc822;Out+2Bt@a.example"]);
        assert_eq!(
            expanded(&["info+ü=@a.example"]),
            [r"ada@a.example utf-8;info\x{2B}\x{FC}\x{3D}@a.example"]
        );
    }

    #[test]
    fn several_targets_have_all_but_success() {
        let team = |notify: &str, targets: &str| {
            let to = format!("team@a.example NOTIFY={notify}");
            let all = expanded(&[&to]);
            assert_eq!(all[1], format!("ada@a.example {targets} rfc822;team@a.example"));
            assert_eq!(all[2], format!("x@far.example {targets} rfc822;team@a.example"));
            all[0].clone()
        };
        assert_eq!(team("SFD", "FAILURE,DELAY"), "team@a.example expanded SUCCESS,FAILURE,DELAY");
        assert_eq!(team("S", "NEVER"), "team@a.example expanded SUCCESS");
        assert_eq!(team("F", "FAILURE"), "team@a.example expanded FAILURE");
        assert_eq!(team("NEVER", "NEVER"), "team@a.example expanded NEVER");
    }

    #[test]
    fn each_is_there_once_and_the_one_that_was_named_counts() {
        assert_eq!(
            expanded(&["team@a.example", "all@a.example NOTIFY=S", "ADA@a.example NOTIFY=NEVER"]),
            [
                "ADA@a.example NEVER",
                "team@a.example expanded",
                "x@far.example rfc822;team@a.example",
                "all@a.example expanded SUCCESS",
                "bob@a.example NEVER rfc822;all@a.example",
                "bob@far.example NEVER rfc822;all@a.example",
                "X@FAR.example NEVER rfc822;all@a.example",
            ]
        );
        // It has nobody of its own, and is told so.
        assert_eq!(
            expanded(&["info@a.example NOTIFY=S", "ada@a.example"]),
            ["ada@a.example", "info@a.example expanded SUCCESS"]
        );
    }

    #[test]
    fn an_address_that_is_too_long_for_the_parameter_goes_without_it() {
        let domain = ["x".repeat(60), "x".repeat(60), "example".into()].join(".");
        let orcpt = |local: String| {
            original(&ForwardPath::parse(&format!("<{local}@{domain}>")).unwrap().0)
        };
        assert!(orcpt("x".repeat(128)).is_some());
        assert_eq!(orcpt("=".repeat(128)), None);
        assert_eq!(orcpt("ü".repeat(64)), None);
    }
}
