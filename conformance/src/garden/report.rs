//! What a run found, as text and as JSON.

use super::{
    Finding, Findings, Server,
    behaviour::{Behaviour, Detail, Sign},
    cluster::Group,
    script::{Script, Step},
};
use crate::transcript::visible;
use serde_json::{Value, json};
use std::fmt::{self, Write};

/// What is told.
pub struct Report<'a> {
    /// Who took part.
    pub servers: &'a [Server],
    /// What was played.
    pub scripts: &'a [Script],
    /// What came of it.
    pub findings: &'a Findings,
    /// How closely behaviours were compared.
    pub detail: Detail,
}

/// Examples that the summary gives for each server.
const EXAMPLES: usize = 5;
/// Lines of a script that are shown, and characters of a line.
const MOST_LINES: usize = 40;
const MOST_CHARS: usize = 100;

impl Report<'_> {
    /// Each script with its groups, those in which nobody stands alone only if `verbose`; then the
    /// summary.
    pub fn text(&self, verbose: bool) -> String {
        let mut out = String::new();
        // Writing into a String never fails.
        let _: fmt::Result = self.write(&mut out, verbose);
        out
    }

    fn write(&self, out: &mut String, verbose: bool) -> fmt::Result {
        for finding in &self.findings.all {
            if verbose || finding.alone().any(|group| group.steady) {
                self.write_finding(out, finding)?;
            }
        }
        self.write_summary(out)
    }

    fn write_finding(&self, out: &mut String, finding: &Finding) -> fmt::Result {
        let Some(script) = self.scripts.get(finding.script) else { return Ok(()) };
        writeln!(out, "{}  {}", script.name, visible(script.about.as_bytes()))?;
        let mut lines = 0;
        for (n, step) in script.steps.iter().enumerate() {
            for (m, line) in step.lines().iter().enumerate() {
                lines += 1;
                if lines <= MOST_LINES {
                    let number = if m == 0 { (n + 1).to_string() } else { String::new() };
                    writeln!(out, "  {number:>3}  {}", cut(line))?;
                }
            }
        }
        if lines > MOST_LINES {
            writeln!(out, "       and {} lines", lines - MOST_LINES)?;
        }
        for group in &finding.groups {
            let sign = match (group.alone, group.steady) {
                (true, true) => "→ alone: ",
                (true, false) => "  alone, but not twice: ",
                _ => "  ",
            };
            writeln!(out, "{sign}{}", self.names(&group.servers))?;
            self.write_behaviour(out, finding, &group.behaviour)?;
        }
        for (server, why) in &finding.absent {
            writeln!(out, "  not asked: {}: {why}", self.names(&[*server]))?;
        }
        writeln!(out)
    }

    /// The steps at which not all servers did the same.
    fn write_behaviour(
        &self,
        out: &mut String,
        finding: &Finding,
        behaviour: &Behaviour,
    ) -> fmt::Result {
        let mut same = Vec::new();
        for moment in &behaviour.moments {
            if finding.is_same(moment.step, self.detail) {
                same.push(moment.step.to_string());
                continue;
            }
            let signs: Vec<String> = moment.signs.iter().map(shown).collect();
            writeln!(out, "  {:>5}  {}", moment.step, signs.join(", "))?;
        }
        if same.len() == behaviour.moments.len() {
            writeln!(out, "         the same replies")?;
        }
        if finding.differs_in_mailbox() {
            for kept in behaviour.stored.iter().flatten() {
                writeln!(
                    out,
                    "         stored for recipient {}: {}",
                    kept.recipient,
                    cut(&kept.text)
                )?;
            }
            if behaviour.stored.as_ref().is_some_and(Vec::is_empty) {
                writeln!(out, "         stored nothing")?;
            }
        }
        Ok(())
    }

    fn write_summary(&self, out: &mut String) -> fmt::Result {
        for remark in &self.findings.remarks {
            writeln!(out, "{remark}")?;
        }
        let played = self.findings.all.len();
        let differ = self.findings.all.iter().filter(|finding| finding.groups.len() > 1).count();
        let alone = self.findings.all.iter().filter(|one| one.alone().any(|group| group.steady));
        writeln!(
            out,
            "{played} scripts on {} servers, compared by {}: in {differ} they differ, in {} one \
             answers alone",
            self.servers.len(),
            self.detail.as_str(),
            alone.count(),
        )?;
        if self.findings.left_out > 0 {
            writeln!(out, "{} scripts were not played: time was up", self.findings.left_out)?;
        }
        for (server, alone, unsteady, absent) in self.counts() {
            if alone.is_empty() && unsteady == 0 && absent == 0 {
                continue;
            }
            let name = self.servers.get(server).map_or("", |server| server.name.as_str());
            write!(out, "  {name}: alone {}", alone.len())?;
            if !alone.is_empty() {
                let such: Vec<_> =
                    alone.iter().take(EXAMPLES).map(|&script| self.name(script)).collect();
                write!(out, ", such as {}", such.join(", "))?;
            }
            if unsteady > 0 {
                write!(out, "; alone, but not twice {unsteady}")?;
            }
            if absent > 0 {
                write!(out, "; not asked {absent}")?;
            }
            writeln!(out)?;
        }
        Ok(())
    }

    /// Of each server: the scripts in which it stands alone, those with the fewest other answers
    /// first; how often it did not do so twice; and how often it was not asked.
    fn counts(&self) -> Vec<(usize, Vec<usize>, usize, usize)> {
        let count = |server| {
            let all = &self.findings.all;
            let has = |group: &&Group| group.servers.contains(&server);
            let mut alone: Vec<_> = all
                .iter()
                .filter(|one| one.alone().filter(has).any(|group| group.steady))
                .collect();
            alone.sort_by_key(|finding| finding.groups.len());
            let alone = alone.into_iter().map(|finding| finding.script).collect();
            let unsteady =
                all.iter().flat_map(Finding::alone).filter(has).filter(|one| !one.steady);
            let absent = all.iter().flat_map(|one| &one.absent).filter(|(one, _)| *one == server);
            (server, alone, unsteady.count(), absent.count())
        };
        (0..self.servers.len()).map(count).collect()
    }

    fn names(&self, servers: &[usize]) -> String {
        let names = servers.iter().filter_map(|&server| self.servers.get(server));
        names.map(|server| server.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn name(&self, script: usize) -> &str {
        self.scripts.get(script).map_or("", |script| script.name.as_str())
    }

    /// The same as one object, without a line end; `schema` grows when a field changes its meaning.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        let name = |server: &usize| self.servers.get(*server).map(|one| one.name.as_str());
        let scripts = self.findings.all.iter().filter_map(|finding| {
            let script = self.scripts.get(finding.script)?;
            Some(json!({
                "name": script.name,
                "about": script.about,
                "lines": script.steps.iter().flat_map(Step::lines).collect::<Vec<_>>(),
                "groups": finding.groups.iter().map(|group| json!({
                    "servers": group.servers.iter().map(name).collect::<Vec<_>>(),
                    "alone": group.alone,
                    "steady": group.steady,
                    "steps": group.behaviour.moments.iter().map(|moment| json!({
                        "step": moment.step,
                        "signs": moment.signs.iter().map(shown).collect::<Vec<_>>(),
                    })).collect::<Vec<_>>(),
                    "stored": group.behaviour.stored.as_ref().map(|all| all.iter().map(|kept| json!({
                        "recipient": kept.recipient,
                        "text": kept.text,
                    })).collect::<Vec<_>>()),
                })).collect::<Vec<_>>(),
                "not_asked": finding.absent.iter().map(|(server, why)| json!({
                    "server": name(server),
                    "why": why,
                })).collect::<Vec<_>>(),
            }))
        });
        let summary = self.counts().into_iter().map(|(server, alone, unsteady, absent)| {
            json!({
                "server": name(&server),
                "software": self.servers.get(server).and_then(|one| one.run.cooperation.software.as_deref()),
                "alone": alone.iter().map(|&script| self.name(script)).collect::<Vec<_>>(),
                "unsteady": unsteady,
                "not_asked": absent,
            })
        });
        let report: Value = json!({
            "schema": 1,
            "suite": env!("CARGO_PKG_VERSION"),
            "detail": self.detail,
            "remarks": self.findings.remarks,
            "not_played": self.findings.left_out,
            "servers": summary.collect::<Vec<_>>(),
            "scripts": scripts.collect::<Vec<_>>(),
        });
        serde_json::to_string_pretty(&report)
    }
}

impl Finding {
    /// Whether all groups did the same at `step`.
    fn is_same(&self, step: usize, detail: Detail) -> bool {
        let mut keys = self.groups.iter().map(|group| {
            let moment = group.behaviour.moments.iter().find(|moment| moment.step == step);
            moment.map(|moment| moment.key(detail))
        });
        let first = keys.next();
        keys.all(|key| Some(key) == first)
    }

    fn differs_in_mailbox(&self) -> bool {
        let mut all = self.groups.iter().map(|group| &group.behaviour.stored);
        let first = all.next();
        all.any(|stored| Some(stored) != first)
    }
}

fn shown(sign: &Sign) -> String {
    cut(&sign.key(Detail::Text))
}

fn cut(text: &str) -> String {
    if text.chars().count() <= MOST_CHARS {
        return text.to_owned();
    }
    let mut text: String = text.chars().take(MOST_CHARS).collect();
    text.push('…');
    text
}
