//! The contract on the front page of the crate, and its decided readings, line by line.

mod bodies;
mod desk;
mod needs;
mod sessions;
mod time;
mod tokens;

use std::time::Duration;

const ENVELOPE: &str = "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n";
const MINUTE: Duration = Duration::from_secs(60);
