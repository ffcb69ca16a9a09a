//! The order of next hops, for any records.

use crate::outcomes::{Answers, DOMAIN, route};
use proptest::prelude::*;
use smtp_client::mx::{NoRoute, Routing};
use smtp_proto::wire::{Domain, Host};
use std::collections::{BTreeSet, HashMap};

/// `preference host` with few of each, so that they meet.
fn records() -> impl Strategy<Value = Vec<(u16, u8)>> {
    proptest::collection::vec((0..4u16, 0..12u8), 1..12)
}

fn answers(records: &[(u16, u8)]) -> Answers {
    let texts: Vec<_> = records.iter().map(|(p, h)| format!("{p} h{h}.test")).collect();
    let answers = Answers::mx(texts.iter().map(String::as_str));
    (0..12).fold(answers, |answers, h| answers.host(&format!("h{h}.test"), &format!("192.0.2.{h}")))
}

proptest! {
    /// Preferences never fall; each host stands once, at its best preference; with an own name, all
    /// hosts preferred to it stand and no other; equal seeds give equal orders.
    #[test]
    fn the_order_keeps_preferences_and_cuts_at_ourselves(
        records in records(),
        own in proptest::option::of(0..12u8),
        seed: u64,
    ) {
        let own_names = own.map(|h| Domain::parse(&format!("h{h}.test")).unwrap().into_static());
        let routing = Routing { own_names: own_names.into_iter().collect(), ..Routing::default() };
        let answers = answers(&records);
        let hops = route(&routing, &answers, DOMAIN, seed);
        prop_assert_eq!(&hops, &route(&routing, &answers, DOMAIN, seed));

        let mut best = HashMap::new();
        for &(preference, host) in &records {
            let entry = best.entry(format!("h{host}.test")).or_insert(preference);
            *entry = preference.min(*entry);
        }
        let cut = own.and_then(|h| best.get(&format!("h{h}.test")).copied()).unwrap_or(u16::MAX);
        best.retain(|_, preference| *preference < cut);
        let hops = match hops {
            Ok(hops) => hops,
            Err(error) => {
                prop_assert_eq!(error, NoRoute::Loop);
                prop_assert!(best.is_empty());
                return Ok(());
            }
        };
        prop_assert!(hops.is_sorted_by_key(|hop| hop.preference));
        prop_assert_eq!(hops.len(), best.len());
        for hop in hops {
            let Host::Domain(name) = &hop.host else { panic!("{hop:?}") };
            prop_assert_eq!(best.get(name.as_str()), Some(&hop.preference));
        }
    }
}

/// C-37
#[test]
fn equals_are_shuffled_and_every_order_comes() {
    let answers = answers(&[(10, 1), (10, 2), (10, 3), (20, 4)]);
    let orders: BTreeSet<_> = (0..100)
        .map(|seed| {
            let hops = route(&Routing::default(), &answers, DOMAIN, seed).unwrap();
            assert_eq!(hops[3].host.to_string(), "h4.test");
            hops[..3].iter().map(|hop| hop.host.to_string()).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(orders.len(), 6);
}
