//! The report as SARIF 2.1.0, for code scanning: a rule for each requirement of the run, a result
//! for each failure and each warning, with its dialogue.
//!
//! A result stands at the file that describes the server or the client, which is what a repository
//! has of it, and at its name. What is expected is left out, because GitHub takes no notice of
//! suppressions and would show it as open; so is what is withheld, because such files are uploaded.

use super::{Document, Row, Status};
use crate::{explain, requirement, select::places};
use serde_json::{Value, json};

/// Writes the report.
pub fn write(document: &Document) -> String {
    let subject = &document.subject;
    let rows = document.results.iter().enumerate();
    let news = rows.filter(|(_, row)| row.expected.is_none() && !row.withheld);
    let results = news.filter_map(|(rule, row)| {
        let level = match row.verdict {
            Status::Fail => "error",
            Status::Warn => "warning",
            _ => return None,
        };
        Some(result(document, row, rule, level))
    });
    let log = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "smtp-conformance",
                "semanticVersion": document.suite,
                "rules": document.results.iter().map(rule).collect::<Vec<_>>(),
            } },
            "invocations": [invocation(document)],
            "results": results.collect::<Vec<_>>(),
            "properties": {
                "half": subject.half,
                "server": subject.server,
                "software": subject.software,
                "greeting": subject.greeting,
                "profile": subject.profile,
                "date": subject.date,
            },
        }],
    });
    format!("{log:#}\n")
}

fn rule(row: &Row) -> Value {
    let found = requirement::find(&row.id);
    let mut rule = json!({
        "id": row.id,
        "shortDescription": message(&row.pass),
        "fullDescription": message(if row.why.is_empty() { &row.pass } else { &row.why }),
        "help": message(&explain::explain(&row.id).unwrap_or_default()),
        "defaultConfiguration": {
            "level": if row.level.is_must() { "error" } else { "warning" },
        },
        "properties": {
            "tags": found.map_or(&[][..], |requirement| &requirement.tags),
            "level": row.level,
            "reference": row.reference,
        },
    });
    if let Some(place) = places(&row.reference).first() {
        rule["helpUri"] = place.url().into();
    }
    rule
}

fn result(document: &Document, row: &Row, rule: usize, level: &str) -> Value {
    let subject = &document.subject;
    let mut location = json!({
        "logicalLocations": [{ "fullyQualifiedName": subject.server, "kind": subject.half }],
    });
    if !subject.file.is_empty() {
        location["physicalLocation"] = json!({
            "artifactLocation": { "uri": uri(&subject.file) },
            "region": { "startLine": 1 },
        });
    }
    let text = format!("{} {}\n{}", row.id, row.reason, document.dialogue(row));
    json!({
        "ruleId": row.id,
        "ruleIndex": rule,
        "level": level,
        "message": message(&text),
        "locations": [location],
    })
}

/// How the run went: what the suite failed at, and where the expected deviations were wrong.
fn invocation(document: &Document) -> Value {
    let notification =
        |level: &str, text: &str| json!({ "level": level, "message": message(text) });
    let errors = document.rows(Status::Error).map(|row| {
        let text = format!("{} {}\n{}", row.id, row.reason, document.dialogue(row));
        notification("error", &text)
    });
    let remarks = document.subject.remarks.iter().map(|remark| notification("note", remark));
    let withheld = |id: &str| document.results.iter().any(|row| row.withheld && row.id == id);
    let surprises = document.surprises.iter().filter(|surprise| !withheld(surprise.id()));
    json!({
        "executionSuccessful": document.count(Status::Error) == 0,
        "commandLine": document.subject.command,
        "toolExecutionNotifications": errors.chain(remarks).collect::<Vec<_>>(),
        "toolConfigurationNotifications": surprises
            .map(|surprise| notification("error", &surprise.to_string()))
            .collect::<Vec<_>>(),
    })
}

/// Plain text as a message. Braces are doubled since single ones are placeholders (SARIF §3.11.5),
/// and nothing that a server says becomes a link (§3.11.6).
fn message(text: &str) -> Value {
    let text = text.replace('{', "{{").replace('}', "}}").replace("](", "\\](");
    json!({ "text": text })
}

/// A path as a URI reference (RFC 3986 §4.1): relative paths stay so.
fn uri(path: &str) -> String {
    let mut uri = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for octet in path.trim_start_matches("./").bytes() {
        match octet {
            b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(octet)),
            _ if octet.is_ascii_alphanumeric() => uri.push(char::from(octet)),
            _ => uri.push_str(&format!("%{octet:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{expect::Surprise, report::sample};

    fn run(document: &Document) -> Value {
        let log: Value = serde_json::from_str(&write(document)).unwrap();
        assert_eq!(log["version"], "2.1.0");
        log["runs"][0].clone()
    }

    #[test]
    fn a_failure_is_an_error_a_warning_a_warning_and_the_rest_no_result() {
        let run = run(&sample::hostile());
        let results = run["results"].as_array().unwrap();
        let levels: Vec<_> = results.iter().map(|one| (&one["ruleId"], &one["level"])).collect();
        assert_eq!(
            levels,
            [(&json!("SEQ-05"), &json!("error")), (&json!("SEQ-06"), &json!("warning"))]
        );
        for result in results {
            let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
            let location = &result["locations"][0];
            let file = &location["physicalLocation"]["artifactLocation"]["uri"];
            assert_eq!(file, "smtp/my%20target.toml");
            let name = &location["logicalLocations"][0]["fullyQualifiedName"];
            assert_eq!(name, "127.0.0.1:25");
            let text = result["message"]["text"].as_str().unwrap();
            assert!(text.contains("\n--> S: 500 </script>"), "{text}");
            assert!(text.ends_with(&format!(" --only {}", result["ruleId"].as_str().unwrap())));
        }
        let notes = run["invocations"][0]["toolExecutionNotifications"].as_array().unwrap();
        assert_eq!(
            notes[0]["message"]["text"].as_str().unwrap().lines().next().unwrap(),
            "EOD-01 the case panicked"
        );
        assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    }

    #[test]
    fn a_rule_says_where_it_is_written_and_how_it_binds() {
        let run = run(&sample::hostile());
        let rule = &run["tool"]["driver"]["rules"][0];
        assert_eq!(rule["helpUri"], "https://www.rfc-editor.org/rfc/rfc5321.html#section-4.1.4");
        assert_eq!(rule["defaultConfiguration"]["level"], "error");
        assert!(rule["help"]["text"].as_str().unwrap().contains("passes"));
    }

    #[test]
    fn without_a_file_the_name_is_all_there_is_to_point_at() {
        let mut document = sample::hostile();
        document.subject.file.clear();
        let location = run(&document)["results"][0]["locations"][0].clone();
        assert_eq!(location["physicalLocation"], Value::Null);
        assert_eq!(location["logicalLocations"][0]["kind"], "server");
    }

    #[test]
    fn what_is_expected_and_what_is_withheld_are_not_there() {
        let mut document = sample::hostile();
        document.results[0].expected = Some("manual §3".into());
        document.results[1].withheld = true;
        let stale = |id: &str| Surprise::Stale { id: id.into(), until: "2026-06-14".into() };
        document.surprises = vec![stale("SEQ-06"), stale("SEQ-07")];
        let run = run(&document);
        assert_eq!(run["results"], json!([]));
        let surprises = run["invocations"][0]["toolConfigurationNotifications"].to_string();
        assert!(surprises.contains("SEQ-07") && !surprises.contains("SEQ-06"), "{surprises}");
    }

    #[test]
    fn what_a_server_says_is_no_placeholder_and_no_link() {
        assert_eq!(message("{0} [here](http://a.test)")["text"], "{{0}} [here\\](http://a.test)");
    }

    #[test]
    fn paths_become_uris() {
        assert_eq!(uri("./a b/tärget.toml"), "a%20b/t%C3%A4rget.toml");
        assert_eq!(uri("/srv/target.toml"), "file:///srv/target.toml");
    }
}
