//! `docs/manual/configuration.md`, made from the types of the configuration.
//!
//! What a key means is its doc comment; its default is what `example.toml` shows, which another
//! test compares with the types. `UPDATE_DOCS=1 cargo test -p smtp-mta reference` writes the file.

use super::Config;
use crate::{
    policy::{DomainName, MailboxName, Network, Sender},
    users::{Fingerprint, UserName},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde_json::{Map, Value};
use std::{borrow::Cow, fmt::Write, fs, path::Path};

/// Types that are written as text, by what the manual calls them.
macro_rules! texts {
    ($($name:ident: $kind:literal,)*) => {$(
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "format": $kind })
            }
        }
    )*};
}

texts! {
    DomainName: "domain",
    Fingerprint: "fingerprint",
    MailboxName: "mailbox name",
    Network: "network",
    Sender: "sender",
    UserName: "user name",
}

/// What is read from text or a number by a function of its own, by what the manual calls it.
macro_rules! readers {
    ($($name:ident: $kind:literal,)*) => {
        $(pub(crate) struct $name;)*
        texts! { $($name: $kind,)* }
    };
}

readers! {
    Address: "address:port",
    Aliases: "table of targets",
    Host: "host",
    Ip: "address",
    Lmtp: "host:port or unix:path",
    Patterns: "domain pattern",
    Rate: "number/time",
    Senders: "sender pattern",
    Size: "size",
    Smarthost: "host, host:port or table",
    Targets: "target, or list of them",
    Time: "time",
    TimeOrNever: "time or \"never\"",
    Waits: "times",
}

const INTRODUCTION: &str = "\
# Configuration

One file in [TOML](https://toml.io), named by `--config`. Every key has a default, so that an empty file is a right one;
a key that is not here is an error, and a mistake is named with its line and column:

```console
$ smtp-mta check --config mta.toml
mta.toml is right
```

[`example.toml`](../../smtp-mta/example.toml) shows all keys in their places. SIGHUP takes a changed file at once, all of it
or nothing; [service.md](service.md) says what needs a restart.

<!-- This file is made from the types of the configuration:
     UPDATE_DOCS=1 cargo test -p smtp-mta reference -->
";

const VALUES: &str = "
## Values

| value | what it is |
|---|---|
| address:port | `192.0.2.1:25`, `[2001:db8::1]:25` |
| domain | in A-labels or U-labels: `example.org`, `bücher.example` |
| domain pattern | `example.org`; `*.example.org`, all below it and not itself; `*` |
| fingerprint | as `openssl x509 -noout -fingerprint -sha256 -in FILE` prints it, with colons or without |
| host | a domain, or an address |
| mailbox name | at most 64 octets, none of them `/`, `\\`, `@`, `<`, `>` or a control character, no dot in front |
| network | `192.0.2.0/24`, `2001:db8::/32`, or one address |
| number/time | `100/1m` |
| sender | `me@example.org`; `@example.org`, every address of a domain; `*` |
| sender pattern | a domain pattern, or an address |
| size | octets, as a number, or with a unit: `\"64 KiB\"`, `\"50 MiB\"`, `\"3 GiB\"` |
| target | a mailbox name or an alias of the same domain, or an address anywhere |
| time, times | `30s`, `5m`, `2h`, `1d`; `1m 5m 30m*`, of which the last repeats |
| user name | a mailbox name, or an address |
";

/// The chapter as it should be.
fn chapter() -> String {
    let settings = SchemaSettings::draft2020_12().with(|it| it.inline_subschemas = true);
    let schema = settings.for_deserialize().into_generator().into_root_schema_for::<Config>();
    let example: toml::Table = toml::from_str(include_str!("../../example.toml")).unwrap();
    let defaults = serde_json::to_value(example).unwrap();
    let mut tables = vec![Table {
        title: "Top level".into(),
        path: String::new(),
        is_list: false,
        schema: schema.as_value(),
        defaults: Some(&defaults),
    }];
    let mut text = INTRODUCTION.to_owned();
    while !tables.is_empty() {
        let table = tables.remove(0);
        let below = table.write(&mut text);
        tables.splice(0..0, below);
    }
    text + VALUES
}

/// A table of the file, which is a section of the chapter.
struct Table<'a> {
    title: String,
    /// As it stands between brackets.
    path: String,
    /// One of several with the same keys, each of which begins with `[[`.
    is_list: bool,
    schema: &'a Value,
    /// What the example shows of it, unless its keys stand in a list.
    defaults: Option<&'a Value>,
}

impl<'a> Table<'a> {
    /// Writes the section. Gives the tables that are below.
    fn write(&self, text: &mut String) -> Vec<Table<'a>> {
        writeln!(text, "\n## {}\n", self.title).unwrap();
        if let Some(about) = self.schema["description"].as_str().filter(|_| !self.path.is_empty()) {
            writeln!(text, "{}\n", paragraph(about)).unwrap();
        }
        writeln!(text, "| key | value | default | |\n|---|---|---|---|").unwrap();
        let mut below = Vec::new();
        for (key, schema) in properties(self.schema) {
            if let Some(table) = self.below(key, schema) {
                below.push(table);
                continue;
            }
            let about = schema["description"].as_str().unwrap_or_else(|| panic!("{key}: no doc"));
            let (kind, default) = (kind(schema), self.default(key));
            let about = paragraph(about) + &variants(schema);
            writeln!(text, "| `{key}` | {kind} | {default} | {about} |").unwrap();
        }
        below
    }

    /// The table that `key` stands for.
    fn below(&self, key: &str, schema: &'a Value) -> Option<Table<'a>> {
        let path = if self.path.is_empty() { key.into() } else { format!("{}.{key}", self.path) };
        let is_list = !properties(&schema["items"]).is_empty();
        let table = if is_list { &schema["items"] } else { schema };
        if properties(table).is_empty() {
            return None;
        }
        let title = match (is_list, self.is_list) {
            (true, _) => format!("`[[{path}]]`"),
            (false, false) => format!("`[{path}]`"),
            (false, true) => format!("`{key} = {{ … }}` in `[[{}]]`", self.path),
        };
        let defaults = self.defaults.map(|it| &it[key]).filter(|_| !is_list);
        Some(Table { title, path, is_list: is_list || self.is_list, schema: table, defaults })
    }

    fn default(&self, key: &str) -> String {
        if self.schema["required"].as_array().is_some_and(|it| it.contains(&key.into())) {
            return "must be there".into();
        }
        match self.defaults.and_then(|it| it.get(key)) {
            Some(Value::Array(list)) if list.is_empty() => "none".into(),
            Some(value) => format!("`{value}`"),
            // What holds without it is said beside it.
            None if self.is_list => String::new(),
            None => "none".into(),
        }
    }
}

fn properties(schema: &Value) -> &Map<String, Value> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    schema["properties"].as_object().unwrap_or(&NONE)
}

/// What can be written there.
fn kind(schema: &Value) -> String {
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.clone(),
        one => vec![one.clone()],
    };
    let named = |kind: &Value| match (kind.as_str(), schema["format"].as_str()) {
        (Some("array"), _) => Some(format!("list: {}", self::kind(&schema["items"]))),
        (Some("integer"), _) => Some("number".into()),
        (Some("boolean"), _) => Some("true, false".into()),
        (Some("string"), Some(format)) => Some(format.to_owned()),
        (Some("string"), None) => Some("text".into()),
        (Some("object"), _) => Some("table".into()),
        _ => None,
    };
    let kinds: Vec<_> = kinds.iter().filter_map(named).collect();
    match kinds.is_empty() {
        true => "a word".into(),
        false => kinds.join(" or "),
    }
}

/// The words that can be written there, with what each means.
fn variants(schema: &Value) -> String {
    let lists = [&schema["oneOf"], &schema["anyOf"]].into_iter().filter_map(Value::as_array);
    lists.flatten().fold(String::new(), |mut text, variant| {
        if let Some(word) = variant["const"].as_str() {
            let about = paragraph(variant["description"].as_str().unwrap_or_default());
            write!(text, "<br>`\"{word}\"`: {about}").unwrap();
        }
        // An optional one is one of the words, or nothing.
        text + &variants(variant)
    })
}

/// Lines as one, which is what a cell of a table is.
fn paragraph(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[test]
fn the_reference_of_the_manual_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/manual/configuration.md");
    let text = chapter();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "run this with UPDATE_DOCS=1");
}
