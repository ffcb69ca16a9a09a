//! A client that a person starts by hand, for each case anew.

use super::sender::{Ended, Fixed, Manners, Need, Order, Running, Sender};
use std::{
    fs::{self, File},
    io::{self, Write},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    time::Duration,
};

/// A person who starts a client. What it says of the message is not known: the dialogue alone is
/// judged.
#[derive(Debug)]
pub struct ByHand {
    address: SocketAddr,
    manners: Manners,
}

impl ByHand {
    /// Listens on `address`; waits for the person so long, and when the client has gone so long for
    /// it to come again.
    ///
    /// # Errors
    /// The address is not free.
    pub fn listen(address: SocketAddr, patience: Duration, again: Duration) -> io::Result<Self> {
        let address = TcpListener::bind(address)?.local_addr()?;
        let manners = Manners { queues: true, patience, again, ..Manners::default() };
        Ok(Self { address, manners })
    }
}

impl Sender for ByHand {
    fn serves(&self, need: Need) -> bool {
        // A person has no name server to tell, and most clients do not know REQUIRETLS.
        !matches!(need, Need::Mx | Need::Dane | Need::RequireTls)
    }

    fn uses(&self, _: Need, _: &str) -> bool {
        false
    }

    fn fixed(&self) -> Fixed {
        Fixed { server: Some(self.address), dns: None }
    }

    fn manners(&self) -> &Manners {
        &self.manners
    }

    fn start(&self, order: &Order<'_>) -> io::Result<Box<dyn Running>> {
        let file = std::env::temp_dir().join(format!("{}.eml", order.message.token));
        File::create_new(&file)?.write_all(&order.message.eml())?;
        let how = match order.need {
            Need::Plain => "in clear",
            Need::StartTls => "with STARTTLS required",
            Need::Auth => "signing in",
            Need::StartTlsAuth => "with STARTTLS required, signing in",
            Need::Utf8 => "with addresses outside ASCII",
            Need::Mx => "by MX",
            Need::Dane => "by MX, with DANE",
            Need::RequireTls => "with REQUIRETLS",
        };
        eprintln!(
            "\n{}: send {} to {}, {how}\n  from <{}> to <{}>\n  trust {} for TLS; user {}, password {}",
            order.message.token,
            file.display(),
            order.server,
            order.from.escape_debug(),
            order.to.join(">, <").escape_debug(),
            order.ca.display(),
            super::sasl::USER,
            super::sasl::PASSWORD,
        );
        Ok(Box::new(Person { file }))
    }
}

/// The client runs somewhere; when it ends is not known.
struct Person {
    file: PathBuf,
}

impl Running for Person {
    fn ended(&mut self) -> Option<Ended> {
        None
    }

    fn stop(&mut self) {}
}

impl Drop for Person {
    fn drop(&mut self) {
        // Somebody may have taken it away.
        drop(fs::remove_file(&self.file));
    }
}
