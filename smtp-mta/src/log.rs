//! The log, as text or as JSON: one line for each session, and one for each thing that happens to a
//! message, by its id. `docs/manual/logs.md` names them, with their fields.
//!
//! Values that come from a peer are logged as strings, which both formats quote and escape: no
//! value can end its line or pass for another field. Message content and credentials are not logged.

use crate::config::{Log, LogFormat, LogLevel};
use std::io::{self, IsTerminal};
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer, Registry,
    filter::Targets,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    reload,
};

/// Sets how important a line has to be.
#[derive(Clone, Debug)]
pub struct Level(reload::Handle<Targets, Registry>);

impl Level {
    /// Logs from `level` up from now on.
    pub fn set(&self, level: LogLevel) {
        // It fails only when the log is gone.
        drop(self.0.reload(filter(level)));
    }
}

/// Sends the log to the standard error output, for the rest of the process. Later calls change
/// nothing. A line that cannot be written is lost, such as on a disk that is full.
pub fn install(log: Log) -> Level {
    let colours = io::stderr().is_terminal();
    let (subscriber, level) = adjustable(log, colours, io::stderr);
    drop(tracing::subscriber::set_global_default(subscriber));
    level
}

/// The log, written to `writer`.
pub fn subscriber<W>(log: Log, colours: bool, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    adjustable(log, colours, writer).0
}

/// The same, and what sets its level.
fn adjustable<W>(log: Log, colours: bool, writer: W) -> (Box<dyn Subscriber + Send + Sync>, Level)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer()
        .with_ansi(colours)
        .with_target(false)
        // It would be said on the standard error output, and a thread that cannot do so panics.
        .log_internal_errors(false)
        .with_writer(writer);
    let lines = match log.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let (level, handle) = reload::Layer::new(filter(log.level));
    (Box::new(Registry::default().with(level).with(lines)), Level(handle))
}

/// Of libraries, only what somebody should know.
fn filter(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let others = level.min(LevelFilter::WARN);
    Targets::new().with_default(others).with_target(env!("CARGO_CRATE_NAME"), level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(octets)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, what: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = Log { format, level: LogLevel::Info };
        let subscriber = subscriber(log, false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, what);
        let octets = lines.0.lock().unwrap().clone();
        String::from_utf8(octets).unwrap()
    }

    const EVIL: &str = "a\r\nb\u{1b}[31m\u{85}\u{202e} outcome=\"stored\"";

    /// SEC-INJ-05
    #[test]
    fn a_text_line_stays_one_line_and_its_values_stay_values() {
        let line = logged(LogFormat::Text, || tracing::info!(from = EVIL, "message"));
        assert_eq!(line.matches('\n').count(), 1, "{line:?}");
        assert!(!line.trim_end().contains(char::is_control), "{line:?}");
        assert!(!line.contains('\u{202e}'), "{line:?}");
        assert!(!line.contains(" outcome=\"stored\""), "{line:?}");
    }

    #[test]
    fn a_json_line_is_one_object_whose_values_are_whole() {
        let line = logged(LogFormat::Json, || tracing::info!(from = EVIL, "message"));
        assert_eq!(line.matches('\n').count(), 1, "{line:?}");
        assert!(line.contains(r#""from":"a\r\nb\u001b[31m"#), "{line:?}");
        assert!(line.contains(r#"outcome=\"stored\"""#), "{line:?}");
        assert!(line.contains(r#""message":"message""#), "{line:?}");
    }

    #[test]
    fn the_level_can_be_set_while_lines_are_written() {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = Log { format: LogFormat::Text, level: LogLevel::Info };
        let (subscriber, level) = adjustable(log, false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            for set in [LogLevel::Error, LogLevel::Debug] {
                level.set(set);
                tracing::debug!("at {set:?}");
            }
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(text.ends_with(" at Debug\n") && text.lines().count() == 1, "{text:?}");
    }

    #[test]
    fn libraries_only_say_what_somebody_should_know() {
        let text = logged(LogFormat::Text, || {
            tracing::info!(target: "library", "connecting");
            tracing::warn!(target: "library", "no connection");
        });
        assert!(text.contains("no connection") && !text.contains("connecting"), "{text}");
    }

    #[test]
    fn what_is_less_important_than_the_level_is_left_out() {
        assert_eq!(logged(LogFormat::Text, || tracing::debug!("detail")), "");
    }
}
