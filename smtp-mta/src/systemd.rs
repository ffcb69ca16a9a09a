//! What the service manager is told, if there is one (sd_notify(3)).

use sd_notify::NotifyState;

/// Tells it; without `NOTIFY_SOCKET` there is nobody to tell.
pub(crate) fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(reason = error.to_string(), "the service manager cannot be told");
    }
}
