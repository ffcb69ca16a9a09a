//! The target file and the flags together.

use crate::cli::Told;
use smtp_conformance::{
    cooperation::{Credentials, Mailbox},
    target::Described,
};
use std::{collections::BTreeMap, fs, path::Path};

impl Told {
    /// The file and the flags together.
    ///
    /// # Errors
    /// The file cannot be read, in words.
    pub(crate) fn described(&self) -> Result<Described, String> {
        let mut all = match &self.target {
            None => Described::default(),
            Some(path) => target_file(path)?,
        };
        replace(&mut all.address, &self.address);
        replace(&mut all.implicit_tls, &self.implicit_tls);
        replace(&mut all.submission, &self.submission);
        replace(&mut all.lmtp, &self.lmtp);
        let cooperation = &mut all.cooperation;
        cooperation.recipients.extend(self.recipient.iter().cloned());
        replace(&mut cooperation.software, &self.software);
        replace(&mut cooperation.unknown, &self.unknown);
        replace(&mut cooperation.foreign, &self.foreign);
        replace(&mut cooperation.failing, &self.failing);
        replace(&mut cooperation.tls_name, &self.tls_name);
        replace(&mut cooperation.pid, &self.pid);
        replace(&mut cooperation.log, &self.log);
        cooperation.trusted |= self.trusted;
        cooperation.sign_in |= self.sign_in;
        cooperation.as_received |= self.as_received;
        if let (Some(user), Some(password)) = (&self.user, &self.password) {
            let (user, password) = (user.clone(), password.clone());
            cooperation.credentials = Some(Credentials { user, password });
        }
        if let Some(words) = &self.mailbox_command {
            let words = words.split_whitespace().map(str::to_owned).collect();
            cooperation.mailbox = Some(Mailbox::Command(words));
        }
        if let Some(address) = self.capture {
            cooperation.mailbox = Some(Mailbox::Capture(address));
        }
        if !self.maildir.is_empty() {
            let folders: BTreeMap<_, _> = self.maildir.iter().cloned().collect();
            // A recipient whose mailbox is known exists.
            let told = |address: &&String| !cooperation.recipients.contains(address);
            let more: Vec<_> = folders.keys().filter(told).cloned().collect();
            cooperation.recipients.extend(more);
            cooperation.mailbox = Some(Mailbox::Maildir(folders));
        }
        if let Some(Mailbox::Maildir(folders)) = &cooperation.mailbox {
            // Cases take the first recipients, and look into their mailboxes.
            cooperation.recipients.sort_by_key(|address| !folders.contains_key(address));
        }
        Ok(all)
    }
}

/// The server that a target file describes.
///
/// # Errors
/// The file cannot be read, in words.
pub(crate) fn target_file(path: &Path) -> Result<Described, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    Described::read(&text, folder).map_err(|error| failed(&error))
}

fn replace<T: Clone>(old: &mut Option<T>, new: &Option<T>) {
    if new.is_some() {
        old.clone_from(new);
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::{Arguments, Command};
    use clap::Parser;

    #[test]
    fn recipients_with_a_maildir_come_first() {
        let line = "smtp-conformance server a:25 --recipient b@x --maildir a@x=/a --maildir c@x=/c";
        let arguments = Arguments::parse_from(line.split(' '));
        let Command::Server(server) = arguments.command else { panic!() };
        let described = server.told.described().unwrap();
        assert_eq!(described.cooperation.recipients, ["a@x", "c@x", "b@x"]);
    }
}
