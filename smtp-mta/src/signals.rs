//! The signals that the server obeys.

use crate::systemd;
use sd_notify::NotifyState;
use smtp_mta::{
    config::Config,
    log::Level,
    server::{Changes, Control, Refusal},
};
use std::io;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::spawn_blocking,
};

/// SIGTERM and SIGINT stop the server, a second one at once; SIGHUP reads the configuration again.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Obeys, in tasks of their own; `reread` reads the configuration, and blocks.
    pub(crate) fn obey(
        self,
        control: Control,
        level: Level,
        reread: impl Fn() -> Result<Config, Refusal> + Clone + Send + 'static,
    ) {
        let Self { terminate, interrupt, hangup } = self;
        tokio::spawn(stop(terminate, interrupt, control.clone()));
        tokio::spawn(reload(hangup, control, level, reread));
    }
}

async fn stop(mut terminate: Signal, mut interrupt: Signal, control: Control) {
    let mut stopping = false;
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if stopping {
            tracing::warn!("stopped at once");
            std::process::exit(1);
        }
        stopping = true;
        systemd::tell(&[NotifyState::Stopping]);
        tracing::info!("stopping");
        control.stop();
    }
}

async fn reload(
    mut hangup: Signal,
    control: Control,
    level: Level,
    reread: impl Fn() -> Result<Config, Refusal> + Clone + Send + 'static,
) {
    while hangup.recv().await.is_some() {
        let now = NotifyState::monotonic_usec_now().ok();
        systemd::tell(&[NotifyState::Reloading].into_iter().chain(now).collect::<Vec<_>>());
        match go_on(&control, &level, reread.clone()).await {
            Ok(changes) => {
                tracing::info!(changed = changes.to_string(), "configuration read again");
            }
            Err(refusal) => {
                let reason = refusal.to_string();
                tracing::error!(reason, "configuration not read again: the one before stays");
            }
        }
        systemd::tell(&[NotifyState::Ready]);
    }
}

async fn go_on(
    control: &Control,
    level: &Level,
    reread: impl Fn() -> Result<Config, Refusal> + Send + 'static,
) -> Result<Changes, Refusal> {
    let config = spawn_blocking(reread).await.map_err(|error| Refusal(error.to_string()))??;
    let log = config.log;
    let changes = control.reload(config).await?;
    level.set(log.level);
    Ok(changes)
}
