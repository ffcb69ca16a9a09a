//! What this crate brings into the build of those who use it.

use std::process::Command;

#[test]
fn no_other_runtime_is_pulled_in() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .args(["--package", env!("CARGO_PKG_NAME")])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let names: Vec<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains(&"smol"));
    for foreign in FOREIGN {
        assert!(!names.contains(&foreign), "{foreign}");
    }
}

const FOREIGN: [&str; 3] = ["tokio", "mio", "async-std"];
