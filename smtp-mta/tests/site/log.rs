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

    /// What was logged so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// The lines of a log in JSON.
pub(crate) fn events(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
