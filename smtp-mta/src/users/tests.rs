//! Logins, as the driver asks for them.
use super::*;
use std::fs;

const PEER: Peer = Peer { remote: None, local: None };

fn on_a_runtime<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test)
}

fn identity(name: &str, acting_as: &str) -> Identity {
    Identity::new(name, acting_as)
}

async fn check(users: &Users, name: &str, acting_as: &str, password: &str) -> Checked {
    users.check(&PEER, &identity(name, acting_as), password).await
}

fn with_ada() -> (tempfile::TempDir, Users) {
    let folder = tempfile::tempdir().unwrap();
    UsersFile::new(folder.path()).add(&UserName::new("ada").unwrap(), "pa ss").unwrap();
    let users = Users::open(folder.path()).unwrap();
    (folder, users)
}

/// SEC-AUTH-02
#[test]
fn the_right_password_and_nothing_else_is_right() {
    let (_folder, users) = with_ada();
    on_a_runtime(async {
        assert_eq!(check(&users, "ada", "", "pa ss").await, Checked::Right);
        assert_eq!(check(&users, "ADA", "Ada", "pa ss").await, Checked::Right);
        assert_eq!(check(&users, "ada", "bob", "pa ss").await, Checked::Wrong);
        assert_eq!(check(&users, "ada", "a\nb", "pa ss").await, Checked::Wrong);
        for (name, password) in [("ada", "pass"), ("ada", ""), ("bob", "pa ss"), ("a\nb", "pa ss")]
        {
            assert_eq!(check(&users, name, "", password).await, Checked::Wrong, "{name:?}");
        }
    });
}

#[test]
fn a_proof_is_right_for_the_one_who_gave_it() {
    let (_folder, users) = with_ada();
    on_a_runtime(async {
        for (acting_as, right, checked) in [
            ("", true, Checked::Right),
            ("Ada", true, Checked::Right),
            ("bob", true, Checked::Wrong),
            ("", false, Checked::Wrong),
        ] {
            let identity = identity("ada", acting_as);
            let proved = users.proved(&PEER, &identity, &Mechanism::SCRAM_SHA_256, right).await;
            assert_eq!(proved, checked, "{acting_as}");
        }
    });
}

#[test]
fn a_change_of_the_file_is_seen_at_the_next_login() {
    let (folder, users) = with_ada();
    let file = UsersFile::new(folder.path());
    on_a_runtime(async {
        let before = users.keys("ada").await.unwrap();
        assert_eq!(users.keys("ada").await.unwrap(), before);
        file.set_password(&UserName::new("ada").unwrap(), "new").unwrap();
        assert_ne!(users.keys("ada").await.unwrap(), before);
        assert_eq!(check(&users, "ada", "", "pa ss").await, Checked::Wrong);
        assert_eq!(check(&users, "ada", "", "new").await, Checked::Right);
        file.delete(&UserName::new("ada").unwrap()).unwrap();
        assert_eq!(check(&users, "ada", "", "new").await, Checked::Wrong);
    });
}

#[test]
fn a_broken_file_leaves_the_users_as_they_were() {
    let (folder, users) = with_ada();
    fs::write(folder.path().join("users.toml"), "user = 1").unwrap();
    assert!(users.reload().is_err());
    on_a_runtime(async {
        assert_eq!(check(&users, "ada", "", "pa ss").await, Checked::Right);
    });
}

#[test]
fn salts_of_users_who_are_not_there_outlive_a_restart() {
    let (folder, users) = with_ada();
    let again = Users::open(folder.path()).unwrap();
    on_a_runtime(async {
        assert_eq!(users.keys("bob").await, again.keys("bob").await);
    });
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_turn_has_none_when_the_server_stops() {
    let (_folder, users) = with_ada();
    let peer = Peer { remote: Some("192.0.2.1:9".parse().unwrap()), local: None };
    for _ in 0..7 {
        lock(&users.0.throttle).failed(address(&peer), None, Instant::now());
    }
    let since = tokio::time::Instant::now();
    let stopping = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        users.stop();
    };
    let ada = identity("ada", "");
    let (checked, ()) = tokio::join!(users.check(&peer, &ada, "pa ss"), stopping);
    assert_eq!((checked, since.elapsed().as_secs()), (Checked::Unavailable, 3));
}

#[test]
fn proofs_and_passwords_that_are_wrong_count_for_the_one_they_are_for() {
    let (_folder, users) = with_ada();
    let peer = Peer { remote: Some("192.0.2.1:9".parse().unwrap()), local: None };
    on_a_runtime(async {
        let ada = identity("ada", "");
        assert_eq!(users.check(&peer, &ada, "pa ss").await, Checked::Right);
        for n in 0..3 {
            let wrong = match n {
                0 => users.check(&peer, &ada, "x").await,
                _ => users.proved(&peer, &ada, &Mechanism::SCRAM_SHA_256, false).await,
            };
            assert_eq!(wrong, Checked::Wrong);
        }
    });
    let name = |text| UserName::new(text);
    let mut throttle = lock(&users.0.throttle);
    let mut turn = |name: Option<UserName>| {
        throttle.turn(address(&peer), name.as_ref(), Instant::now()).unwrap()
    };
    assert!(!turn(name("ada")).is_zero());
    assert!(turn(name("bob")).is_zero());
}
