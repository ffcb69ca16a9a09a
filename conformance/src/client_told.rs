//! The client that is judged: the sender file or the command, and the flags.

use crate::cli::Client;
use smtp_conformance::client::{
    by_hand::ByHand,
    command::{CommandSender, Commands, SenderFile},
    sender::{Manners, Sender},
};
use std::{fs, path::Path, time::Duration};

/// The client, as it was told of.
pub(crate) struct Described {
    /// Its name.
    pub(crate) name: String,
    /// Its name and version; empty if nobody told.
    pub(crate) software: String,
    /// How it is made to send.
    pub(crate) sender: Box<dyn Sender>,
}

impl Client {
    /// What is told of it; a flag wins over the file.
    ///
    /// # Errors
    /// The file cannot be read, or the listener not be had; in words.
    pub(crate) fn described(&self) -> Result<Described, String> {
        if let Some(address) = self.listen {
            let usual = Duration::from_secs(300);
            let patience = self.patience.unwrap_or(usual);
            let again = self.again.unwrap_or(Manners::default().again);
            let by_hand = ByHand::listen(address, patience, again)
                .map_err(|error| format!("cannot listen on {address}: {error}"))?;
            return Ok(Described {
                name: format!("the client of {address}"),
                software: self.software.clone().unwrap_or_default(),
                sender: Box::new(by_hand),
            });
        }
        let (mut file, folder) = match &self.sender {
            None => (SenderFile { commands: short(&self.command), ..SenderFile::default() }, None),
            Some(path) => {
                let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
                let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
                let file = toml::from_str(&text).map_err(|error| failed(&error))?;
                (file, path.parent().filter(|folder| !folder.as_os_str().is_empty()))
            }
        };
        if file.name.is_empty() {
            file.name = self.command.first().cloned().unwrap_or_else(|| "the client".into());
        }
        file.exit_temporary.extend(&self.exit_temporary);
        file.exit_permanent.extend(&self.exit_permanent);
        file.queues |= self.queues;
        let folder = folder.unwrap_or(Path::new("."));
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let mut manners = file.manners();
        manners.patience = self.patience.unwrap_or(manners.patience);
        manners.again = self.again.unwrap_or(manners.again);
        Ok(Described {
            name: file.name.clone(),
            software: self.software.clone().or(file.software.take()).unwrap_or_default(),
            sender: Box::new(CommandSender::new(file, &folder, manners)),
        })
    }
}

/// A command that can do no more than its words say: one with `{dns}` finds servers by MX.
fn short(words: &[String]) -> Commands {
    let dns = words.iter().any(|word| word.contains("{dns"));
    let words = Some(words.to_vec());
    Commands {
        plain: if dns { None } else { words.clone() },
        mx: if dns { words } else { None },
        ..Commands::default()
    }
}
