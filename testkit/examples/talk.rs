//! Speaks a dialogue with any server: `cargo run -p testkit --example talk -- 127.0.0.1:2525 FILE`.

use std::{env, error::Error, fs, process::ExitCode};
use testkit::{dialogue::Dialogue, line::SocketLine};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args: Vec<_> = env::args().skip(1).collect();
    let [address, file] = &args[..] else {
        return Err("what is needed: ADDRESS:PORT FILE".into());
    };
    let dialogue: Dialogue = fs::read_to_string(file)?.parse()?;
    match dialogue.run_blocking(&mut SocketLine::connect(address.parse()?)?) {
        Ok(transcript) => {
            print!("{transcript}");
            Ok(ExitCode::SUCCESS)
        }
        Err(deviation) => {
            eprintln!("{deviation}");
            Ok(ExitCode::FAILURE)
        }
    }
}
