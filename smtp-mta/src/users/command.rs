//! `smtp-mta user`: who may log in, from the command line.

use super::{UserName, UsersFile};
use clap::Subcommand;
use std::{
    fmt::Write as _,
    io::{self, BufRead, IsTerminal},
};

/// What can be done with users. A password is asked for, or read as one line from standard input
/// if that is not a terminal; it is never an argument, which every user of the machine could see.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Let somebody log in
    Add {
        /// Such as `ada`, who sends as ada@ each local domain, or an address
        name: String,
    },
    /// Set another password
    Passwd {
        /// Whose
        name: String,
    },
    /// Let somebody no longer log in
    Delete {
        /// Whom
        name: String,
    },
    /// Print the names of all
    List,
}

impl UserCommand {
    /// Does it, and says what was done. A server that runs knows of it at the next login.
    ///
    /// # Errors
    /// A plain sentence.
    pub fn run(&self, file: &UsersFile) -> Result<String, String> {
        match self {
            Self::Add { name } => {
                let name = user_name(name)?;
                if file.contains(&name).map_err(|error| error.to_string())? {
                    return Err(format!("there is a user `{name}`: use `user passwd`"));
                }
                file.add(&name, &password()?).map_err(|error| error.to_string())?;
                Ok(format!("{name} can log in\n"))
            }
            Self::Passwd { name } => {
                let name = user_name(name)?;
                if !file.contains(&name).map_err(|error| error.to_string())? {
                    return Err(format!("there is no user `{name}`"));
                }
                file.set_password(&name, &password()?).map_err(|error| error.to_string())?;
                Ok(format!("{name} has another password\n"))
            }
            Self::Delete { name } => {
                let name = user_name(name)?;
                file.delete(&name).map_err(|error| error.to_string())?;
                Ok(format!("{name} can no longer log in\n"))
            }
            Self::List => {
                let names = file.names().map_err(|error| error.to_string())?;
                Ok(names.iter().fold(String::new(), |mut text, name| {
                    // A string takes everything.
                    let _ = writeln!(text, "{name}");
                    text
                }))
            }
        }
    }
}

fn user_name(text: &str) -> Result<UserName, String> {
    UserName::new(text)
        .ok_or_else(|| format!("`{}` cannot be the name of a user", text.escape_debug()))
}

fn failed(error: io::Error) -> String {
    format!("cannot read the password: {error}")
}

fn password() -> Result<String, String> {
    if io::stdin().is_terminal() {
        let ask = |prompt| rpassword::prompt_password(prompt).map_err(failed);
        let first = ask("Password: ")?;
        let second = ask("The same again: ")?;
        return if first == second { Ok(first) } else { Err("the two differ".into()) };
    }
    password_line()
}

/// The password on a line of standard input.
pub(crate) fn password_line() -> Result<String, String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(failed)?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}
