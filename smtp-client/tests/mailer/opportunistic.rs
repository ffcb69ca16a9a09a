//! The policies of delivery to strangers.

use crate::world::policy;
use smtp_client::{Hop, Opportunistic, Policies, Policy, Tls, driver::tls::ClientTls};
use std::sync::Arc;

fn of(policies: &Opportunistic, host: &str) -> Arc<Policy> {
    let hop = Hop { host: host.into(), endpoints: Vec::new() };
    smol::block_on(policies.policy(None, &hop)).unwrap()
}

fn policies() -> Opportunistic {
    Opportunistic::new(policy(), ClientTls::builder().build().unwrap())
}

#[test]
fn a_host_has_the_same_policy_each_time_and_no_other_has_it() {
    let policies = policies();
    let [first, second] = ["mx1.test", "mx2.test"].map(|host| of(&policies, host));
    assert!(Arc::ptr_eq(&first, &of(&policies, "mx1.test")));
    assert!(Arc::ptr_eq(&first, &of(&policies, "MX1.test")), "the same host");
    assert!(!Arc::ptr_eq(&first, &second), "each is verified by its name");
    assert_eq!(first.hello, policy().hello);
}

#[test]
fn a_host_is_encrypted_with_if_it_has_a_name_for_that() {
    let policies = policies();
    for host in ["mx.test", "_mx.test", "[192.0.2.1]", "[IPv6:2001:db8::1]"] {
        assert!(matches!(of(&policies, host).tls, Tls::Opportunistic(_)), "{host}");
    }
    assert!(matches!(of(&policies, "mx..test").tls, Tls::None));
}

#[test]
fn so_many_hosts_are_remembered_and_the_first_is_forgotten_first() {
    let policies = policies().hosts(2);
    let [first, second] = ["mx1.test", "mx2.test"].map(|host| of(&policies, host));
    assert!(Arc::ptr_eq(&first, &of(&policies, "mx1.test")));
    let third = of(&policies, "mx3.test");
    assert!(Arc::ptr_eq(&second, &of(&policies, "mx2.test")));
    assert!(Arc::ptr_eq(&third, &of(&policies, "mx3.test")));
    assert!(!Arc::ptr_eq(&first, &of(&policies, "mx1.test")), "forgotten");
}
