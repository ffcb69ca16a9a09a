//! What the process logs.

use serde_json::Value;
use smtp_mta::{
    config::{Log, LogFormat, LogLevel},
    log::subscriber,
};
use std::{
    io,
    sync::{Arc, Mutex},
};

/// All that the process logs from now on. There can be one in a process, so one test in a file.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    pub(crate) fn of_process(format: LogFormat, level: LogLevel) -> Self {
        let lines = Self::default();
        let writer = lines.clone();
        let subscriber = subscriber(Log { format, level }, false, move || writer.clone());
        tracing::subscriber::set_global_default(subscriber).unwrap();
        lines
    }

    /// All that the server and its libraries have to say, down to the last line of any of them, by
    /// `tracing` and by `log`. No configuration shows so much.
    pub(crate) fn of_all_libraries() -> Self {
        let lines = Self::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::level_filters::LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        log::set_boxed_logger(Box::new(lines.clone())).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
        lines
    }

    /// What was logged so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}: {}\n", record.level(), record.target(), record.args());
        self.0.lock().unwrap().extend_from_slice(line.as_bytes());
    }
    fn flush(&self) {}
}

/// The lines of a log in JSON.
pub(crate) fn events(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
