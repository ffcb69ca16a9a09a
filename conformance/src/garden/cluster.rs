//! Who behaves alike.

use super::behaviour::{Behaviour, Detail};

/// Servers that behave alike at the detail of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Their places among the servers, in that order.
    pub servers: Vec<usize>,
    /// What they have in common.
    pub key: String,
    /// What the first of them did.
    pub behaviour: Behaviour,
    /// All of them are one software, and others agree with each other on something else.
    pub alone: bool,
    /// Asked a second time, they did the same; always, if they do not stand alone.
    pub steady: bool,
}

/// Groups those who behave alike at `detail`, the largest group first. `family` is the software of a
/// server: two of the same count as one, so that a second configuration is no second opinion.
pub(super) fn groups<'a>(
    behaved: Vec<(usize, Behaviour)>,
    detail: Detail,
    family: impl Fn(usize) -> &'a str,
) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (server, behaviour) in behaved {
        let key = behaviour.key(detail);
        match groups.iter_mut().find(|group| group.key == key) {
            Some(group) => group.servers.push(server),
            None => {
                let servers = vec![server];
                groups.push(Group { servers, key, behaviour, alone: false, steady: true });
            }
        }
    }
    let families = |group: &Group| {
        let mut all: Vec<&str> = group.servers.iter().map(|&server| family(server)).collect();
        all.sort_unstable();
        all.dedup();
        all.len()
    };
    let agreed = groups.iter().any(|group| families(group) > 1);
    for group in &mut groups {
        group.alone = agreed && families(group) == 1;
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.servers.len()));
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::garden::behaviour::{Moment, Sign};

    fn grouped(codes: &[(u16, &'static str)]) -> Vec<(Vec<usize>, bool)> {
        let behaved = codes.iter().enumerate().map(|(n, &(code, _))| {
            let sign = Sign::Reply { code, enhanced: None, line: String::new() };
            let moments = vec![Moment { step: 1, signs: vec![sign] }];
            (n, Behaviour { moments, stored: None })
        });
        let groups = groups(behaved.collect(), Detail::Code, |server| codes[server].1);
        groups.into_iter().map(|group| (group.servers, group.alone)).collect()
    }

    #[test]
    fn who_answers_otherwise_than_all_others_is_alone() {
        let four = [(250, "a"), (501, "b"), (250, "c"), (250, "d")];
        assert_eq!(grouped(&four), [(vec![0, 2, 3], false), (vec![1], true)]);
    }

    #[test]
    fn two_of_the_same_software_are_alone_together() {
        let four = [(501, "b"), (501, "b"), (250, "c"), (250, "d")];
        assert_eq!(grouped(&four), [(vec![0, 1], true), (vec![2, 3], false)]);
    }

    #[test]
    fn where_nobody_agrees_nobody_is_alone() {
        assert!(grouped(&[(250, "a"), (501, "b"), (550, "c")]).iter().all(|(_, alone)| !alone));
        assert!(grouped(&[(250, "a"), (250, "b")]).iter().all(|(_, alone)| !alone));
    }
}
