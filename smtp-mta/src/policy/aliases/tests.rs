use super::*;
use crate::{config::Config, policy::Destination};
use proptest::prelude::*;

fn config(text: &str) -> Result<Config, String> {
    Config::parse(text, "x.toml".as_ref()).map_err(|error| error.to_string())
}

/// Two domains, of which the first has these aliases.
fn with(aliases: &str) -> String {
    format!(
        "[[domain]]
name = 'a.example'
mailboxes = ['ada', 'bob', 'o\"hara']
aliases = {{ {aliases} }}
[[domain]]
name = 'b.example'
mailboxes = ['carol']
aliases = {{ desk = 'carol' }}
catch_all = 'carol'
[[domain]]
name = 'same.example'
alias_of = 'b.example'
"
    )
}

/// To whom `name` of the first domain leads, in short; a mailbox as such.
fn leads(aliases: &str, name: &str) -> Vec<String> {
    let recipients = config(&with(aliases)).unwrap().recipients().unwrap();
    let to = format!("<{name}@a.example>");
    match recipients.find(&ForwardPath::parse(&to).unwrap().0).unwrap() {
        Destination::Others(targets) => {
            let address = |target: &Target| target.to.mailbox().unwrap().to_string();
            targets.iter().map(address).collect()
        }
        other => vec![format!("{other:?}")],
    }
}

/// What is wrong with these aliases, and where.
#[track_caller]
fn wrong(aliases: &str, says: &str) {
    let error = config(&with(aliases)).unwrap_err();
    assert_eq!(error, format!("x.toml:{says}"));
}

#[test]
fn a_name_leads_to_one_or_to_several_here_and_elsewhere() {
    let aliases = "info = 'ADA', team = ['ada', 'carol@B.example', 'x@far.example', 'ada']";
    assert_eq!(leads(aliases, "info"), ["ada@a.example"]);
    assert_eq!(leads(aliases, "team"), ["ada@a.example", "carol@B.example", "x@far.example"]);
    assert_eq!(leads("x = 'o\"hara'", "x"), [r#""o\"hara"@a.example"#]);
    assert_eq!(leads("x = 'ada+x'", "x"), ["ada+x@a.example"]);
    assert_eq!(leads("x = 'Carol+x@same.example'", "x"), ["Carol+x@b.example"]);
    assert_eq!(leads("x = 'y@[192.0.2.1]'", "x"), ["y@[192.0.2.1]"]);
}

#[test]
fn an_alias_may_lead_to_another() {
    let aliases = "all = ['team', 'y@far.example'], team = ['desk@b.example', 'x@far.example']";
    assert_eq!(leads(aliases, "all"), ["carol@b.example", "x@far.example", "y@far.example"]);
    // Each once, whatever the way.
    let aliases = "all = ['team', 'carol@b.example', 'x@FAR.example'],
                   team = ['desk@same.example', 'x@far.example']";
    assert_eq!(leads(&aliases.replace('\n', " "), "all"), ["carol@b.example", "x@far.example"]);
}

#[test]
fn who_is_named_by_the_own_alias_keeps_a_copy() {
    let aliases = "ada = ['ada', 'ada@phone.example'], info = 'ada'";
    assert_eq!(leads(aliases, "ada"), ["ada@a.example", "ada@phone.example"]);
    assert_eq!(leads(aliases, "info"), ["ada@a.example", "ada@phone.example"]);
    let recipients = config(&with(aliases)).unwrap().recipients().unwrap();
    let to = ForwardPath::parse("<ada@a.example>").unwrap().0;
    assert_eq!(recipients.mailbox(&to).unwrap().as_str(), "ada");
}

#[test]
fn the_postmaster_may_be_somebody_else_and_is_always_somebody() {
    let postmaster = |aliases: &str| {
        let recipients = config(&with(aliases)).unwrap().recipients().unwrap();
        let found = recipients.find(&ForwardPath::Postmaster).unwrap();
        let own = recipients.find(&ForwardPath::parse("<postmaster@a.example>").unwrap().0);
        assert_eq!(own.unwrap(), found);
        let mailbox = recipients.mailbox(&ForwardPath::Postmaster).is_ok();
        (found, mailbox)
    };
    let mailbox = Destination::Mailbox(MailboxName::postmaster());
    assert_eq!(postmaster(""), (mailbox, true));
    let (found, mailbox) = postmaster("Postmaster = 'ada'");
    assert!(matches!(found, Destination::Others(targets) if targets.len() == 1) && !mailbox);
    let (found, mailbox) = postmaster("postmaster = ['ada', 'postmaster']");
    assert!(matches!(found, Destination::Others(targets) if targets.len() == 2) && mailbox);
}

#[test]
fn who_does_not_exist_is_no_target() {
    wrong("info = 'eve'", "4:20: a.example has neither a mailbox nor an alias `eve`");
    wrong("info = ['ada', 'eve']", "4:28: a.example has neither a mailbox nor an alias `eve`");
    // That somebody takes mail for whoever it is does not make it right.
    wrong("i = 'eve+x@b.example'", "4:17: b.example has neither a mailbox nor an alias `eve`");
    wrong("i = 'eve@same.example'", "4:17: b.example has neither a mailbox nor an alias `eve`");
    wrong("i = 'a b@x.example'", "4:17: `a b@x.example` is not an address");
    wrong(
        "i = ['../x']",
        "4:17: `../x` cannot be: the name of a mailbox must not start with a dot",
    );
    wrong("i = []", "4:17: at least one is needed");
    wrong(
        "i = 1",
        "4:17: invalid type: integer `1`, expected a name or an address, or a list of them",
    );
    wrong(
        "'a/b' = 'ada'",
        "4:13: `a/b` cannot be: the name of a mailbox must not contain a slash, `@`, `<`, `>`, or a control character",
    );
}

#[test]
fn nothing_leads_in_a_circle() {
    wrong("x = 'x'", "4:17: it leads in a circle: x@a.example -> x@a.example");
    wrong("x = ['ada', 'X+y@a.example']", "4:25: it leads in a circle: x@a.example -> x@a.example");
    wrong(
        "x = 'y', y = 'z', z = ['ada', 'y']",
        "4:43: it leads in a circle: y@a.example -> z@a.example -> y@a.example",
    );
    // A copy is kept by naming oneself, not by naming who leads back.
    wrong(
        "ada = ['ada', 'x'], x = 'ada'",
        "4:37: it leads in a circle: ada@a.example -> x@a.example -> ada@a.example",
    );
}

#[test]
fn nothing_is_two_things() {
    wrong(
        "ada = 'bob'",
        "4:13: `ada` is a mailbox as well: an alias that keeps a copy names itself",
    );
    wrong("x = 'ada', X = 'bob'", "4:13: the alias `x` is there twice");
}

#[test]
fn how_far_an_alias_leads_is_bounded() {
    let chain = |length: usize| {
        let link = |at: usize| format!("x{at} = 'x{}'", at + 1);
        let mut links: Vec<_> = (1..length).map(link).collect();
        links.push(format!("x{length} = 'ada'"));
        // In both orders: what is known already counts as well.
        let forwards = config(&with(&links.join(", ")));
        links.reverse();
        assert_eq!(forwards.is_ok(), config(&with(&links.join(", "))).is_ok());
        forwards.map(drop)
    };
    assert_eq!(chain(MAX_CHAIN), Ok(()));
    assert!(chain(MAX_CHAIN + 1).unwrap_err().contains("more than 20 aliases one behind"));
    let many = |count: usize| {
        let targets: Vec<_> = (0..count).map(|at| format!("'{at}@far.example'")).collect();
        config(&with(&format!("x = [{}]", targets.join(", ")))).map(drop)
    };
    assert_eq!(many(MAX_TARGETS), Ok(()));
    assert!(many(MAX_TARGETS + 1).unwrap_err().ends_with("more than 1000 recipients"));
}

#[test]
fn domains_do_not_contradict_each_other() {
    let domains = |text: &str| config(text).unwrap_err();
    for (text, says) in [
        (
            "[[domain]]\nname = 'a.example'\nmailboxes = []\n[[domain]]\nname = 'A.example'\nmailboxes = []",
            "5:8: the domain a.example is there twice",
        ),
        (
            "[[domain]]\nname = 'a.example'\nalias_of = 'b.example'",
            "3:12: b.example is not a domain of this file",
        ),
        (
            "[[domain]]\nname = 'a.example'\nalias_of = 'a.example'",
            "3:12: a.example is an alias of another domain itself",
        ),
        (
            "[[domain]]\nname = 'a.example'\nalias_of = 'a.example'\nseparate = true",
            "1:1: `alias_of` needs no other key but `name`",
        ),
        (
            "[[domain]]\nname = 'a.example'\nmailboxes = []\ncatch_all = 'eve'",
            "4:13: a.example has neither a mailbox nor an alias `eve`",
        ),
        (
            "[[domain]]\nname = 'a.example'\nmailboxes = []\ncatch_all = []",
            "4:13: at least one is needed",
        ),
        ("recipient_delimiter = '@'", "1:23: `@` is none of `+`, `-`, `_`, `=`, `#`, or nothing"),
    ] {
        assert_eq!(domains(text), format!("x.toml:{says}"));
    }
    let long = format!("{0}.{0}.{0}.example", "x".repeat(61));
    let text =
        format!("[[domain]]\nname = '{long}'\nmailboxes = ['{}']\nseparate = true", "y".repeat(64));
    assert!(domains(&text).ends_with("cannot be: a name with its domain has at most 255 octets"));
}

#[test]
fn who_wants_no_tags_has_none() {
    let text = format!("recipient_delimiter = ''\n{}", with("'x+y' = 'ada'"));
    let recipients = config(&text).unwrap().recipients().unwrap();
    let find = |to: &str| recipients.find(&ForwardPath::parse(to).unwrap().0);
    assert!(find("<ada+x@a.example>").is_err() && find("<x+y@a.example>").is_ok());
    let text = text.replace("''", "'-'");
    let recipients = config(&text).unwrap().recipients().unwrap();
    let find = |to: &str| recipients.find(&ForwardPath::parse(to).unwrap().0);
    assert!(find("<ada-x@a.example>").is_ok() && find("<ada+x@a.example>").is_err());
}

/// Aliases `n0` to `n9` that lead to each other, to mailboxes `m0` to `m3`, and elsewhere: as they
/// like, or only on to later ones.
fn graph() -> impl Strategy<Value = Vec<Vec<String>>> {
    let target = prop_oneof![
        3 => (0..10_usize).prop_map(|at| format!("n{at}")),
        2 => (0..4_usize).prop_map(|at| format!("m{at}")),
        1 => (0..4_usize).prop_map(|at| format!("m{at}+t@r.example")),
        2 => (0..4_usize).prop_map(|at| format!("x{at}@far.example")),
    ];
    let graph = prop::collection::vec(prop::collection::vec(target, 1..4), 10);
    (graph, any::<bool>()).prop_map(|(mut graph, as_they_like)| {
        for (at, target) in
            (0..).zip(&mut graph).flat_map(|(at, to)| to.iter_mut().map(move |to| (at, to)))
        {
            let leads_back = |next: &str| next.parse::<usize>().is_ok_and(|next| next <= at);
            if !as_they_like && target.strip_prefix('n').is_some_and(leads_back) {
                *target = "m0".into();
            }
        }
        graph
    })
}

/// The ends of `n{at}`, the naive way; `None` if there is a circle.
fn ends(graph: &[Vec<String>], at: usize, depth: usize) -> Option<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    for target in &graph[at] {
        match target.strip_prefix('n') {
            Some(next) if depth < graph.len() => {
                all.extend(ends(graph, next.parse().ok()?, depth + 1)?);
            }
            Some(_) => return None,
            None => drop(all.insert(match target.split_once('+') {
                Some((mailbox, _)) => mailbox.to_owned(),
                None => target.clone(),
            })),
        }
    }
    Some(all)
}

proptest! {
    #[test]
    fn any_aliases_lead_to_those_whom_they_name_each_once_or_are_refused(graph in graph()) {
        let table: Vec<_> =
            graph.iter().enumerate().map(|(at, to)| format!("n{at} = {to:?}")).collect();
        let text = format!(
            "[[domain]]\nname = 'r.example'\nmailboxes = ['m0', 'm1', 'm2', 'm3']\naliases = {{ {} }}",
            table.join(", ")
        );
        let expected: Vec<_> = (0..10).map(|at| ends(&graph, at, 0)).collect();
        let config = config(&text);
        prop_assert_eq!(config.is_ok(), expected.iter().all(Option::is_some), "{:?}", config);
        let Ok(config) = config else { return Ok(()) };
        let recipients = config.recipients().unwrap();
        for (at, expected) in expected.into_iter().enumerate() {
            let to = format!("<N{at}+tag@r.example>");
            let Destination::Others(targets) =
                recipients.find(&ForwardPath::parse(&to).unwrap().0).unwrap()
            else {
                panic!("{to} is an alias");
            };
            let who = targets.iter().map(|target| match &target.who {
                Who::Mailbox(name) => name.to_string(),
                Who::Elsewhere(address) => address.to_string(),
            });
            let once: BTreeSet<_> = who.collect();
            prop_assert_eq!(once.len(), targets.len());
            prop_assert_eq!(once, expected.unwrap());
        }
    }
}
