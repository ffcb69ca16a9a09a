//! The command line that judges the same server or client again.

/// Options with a value that choose cases or outputs: a reproducer does not repeat them.
const DROPPED: [&str; 15] = [
    "--only",
    "--without",
    "--family",
    "--section",
    "--rfc",
    "--level",
    "--tag",
    "--expect",
    "--deny",
    "--json",
    "--junit",
    "--sarif",
    "--html",
    "--jobs",
    "--color",
];
/// The same without a value.
const DROPPED_SWITCHES: [&str; 5] = ["--dry-run", "--verbose", "-v", "--quiet", "-q"];

/// `arguments`, those of this process without its name, as a shell takes them: without filters and
/// outputs, and without the password.
pub(crate) fn again(arguments: impl IntoIterator<Item = String>) -> String {
    let mut line = "smtp-conformance".to_owned();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            line.push_str(" --");
            line.extend(arguments.map(|word| format!(" {}", quoted(&word))));
            break;
        }
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value)),
            _ => (argument.as_str(), None),
        };
        if DROPPED_SWITCHES.contains(&name) {
            continue;
        }
        let dropped = DROPPED.contains(&name);
        if dropped || name == "--password" {
            if value.is_none() {
                arguments.next();
            }
            if !dropped {
                line.push_str(" --password …");
            }
            continue;
        }
        line.push(' ');
        line.push_str(&quoted(&argument));
    }
    line
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+[]{}".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(arguments: &[&str]) -> String {
        again(arguments.iter().map(|&word| word.to_owned()))
    }

    #[test]
    fn the_server_stays_and_filters_outputs_and_the_password_go() {
        let all = [
            "server",
            "[::1]:25",
            "--only",
            "SEQ",
            "--json=a.json",
            "-v",
            "--user",
            "user1",
            "--password",
            "secret1",
            "--target",
            "my file",
            "--profile",
            "strict",
        ];
        assert_eq!(
            line(&all),
            "smtp-conformance server [::1]:25 --user user1 --password … --target 'my file' \
             --profile strict"
        );
        assert_eq!(line(&["--password=secret1"]), "smtp-conformance --password …");
    }

    #[test]
    fn a_clients_own_words_are_not_looked_at() {
        let all = ["client", "--only", "C-01", "--", "send", "--json", "{addr}", "-v"];
        assert_eq!(line(&all), "smtp-conformance client -- send --json {addr} -v");
    }

    #[test]
    fn a_shell_takes_words_as_they_were() {
        assert_eq!(quoted("a'b;c"), "'a'\\''b;c'");
        assert_eq!(quoted(""), "''");
    }
}
