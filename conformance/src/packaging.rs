//! What a package installs beside the program: completions and manual pages.

use clap::Subcommand;
use clap_complete::Shell;
use clap_mangen::Man;
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The commands for those who make a package.
#[derive(Debug, Subcommand)]
pub(crate) enum Packaging {
    /// Print the script that completes commands and flags in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, or write it and one for each command into a folder
    Man {
        /// The folder, which must be there
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
}

impl Packaging {
    /// Prints or writes what is asked for about `program`.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub(crate) fn run(&self, program: clap::Command) -> io::Result<()> {
        let mut program = program.disable_help_subcommand(true);
        let mut text = Vec::new();
        match self {
            Self::Completions { shell } => text = script(*shell, &mut program),
            Self::Man { folder } => {
                program.build();
                match folder {
                    Some(folder) => write_pages(&program, folder)?,
                    None => page(&program).render(&mut text)?,
                }
            }
        }
        // A reader that has gone is no error.
        let _gone: io::Result<()> = io::stdout().lock().write_all(&text);
        Ok(())
    }
}

fn script(shell: Shell, program: &mut clap::Command) -> Vec<u8> {
    let name = program.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, program, &name, &mut script);
    // For bash, clap_complete 4.6 writes the hyphen of a name in two ways and finds no command again.
    let (wrong, right) = (name.replace('-', "__subcmd__"), name.replace('-', "__"));
    String::from_utf8_lossy(&script).replace(&wrong, &right).into_bytes()
}

fn write_pages(command: &clap::Command, folder: &Path) -> io::Result<()> {
    page(command).generate_to(folder)?;
    command.get_subcommands().try_for_each(|command| write_pages(command, folder))
}

fn page(command: &clap::Command) -> Man {
    let source = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
    // There is no date; were it empty, what follows would stand in its place.
    Man::new(command.clone()).source(source).date(" ")
}
