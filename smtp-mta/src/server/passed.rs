//! Sockets that were open before the server: systemd's socket activation (sd_listen_fds(3)).

use super::Refusal;
use crate::config::Listener;
use listenfd::ListenFd;
use std::{
    env,
    net::{SocketAddr, TcpListener},
};

/// Listening sockets that somebody passed to this process.
#[derive(Debug, Default)]
pub struct Passed(Vec<Socket>);

#[derive(Debug)]
struct Socket {
    /// `FileDescriptorName=` of the unit.
    name: String,
    address: SocketAddr,
    socket: TcpListener,
}

impl Passed {
    /// Those that the environment tells of, `LISTEN_FDS` and `LISTEN_FDNAMES`; none if it tells of
    /// none, or they are for another process. Takes them: to be called once, before there is a
    /// second thread.
    ///
    /// # Errors
    /// One of them is not a TCP socket.
    pub fn from_env() -> Result<Self, Refusal> {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut passed = ListenFd::from_env();
        let mut sockets = Vec::new();
        for place in 0..passed.len() {
            let name = names.next().unwrap_or_default().to_owned();
            let cannot = |error| Refusal(format!("cannot use a socket that was passed: {error}"));
            if let Some(socket) = passed.take_tcp_listener(place).map_err(cannot)? {
                let address = socket.local_addr().map_err(cannot)?;
                sockets.push(Socket { name, address, socket });
            }
        }
        Ok(Self(sockets))
    }

    /// The socket of each listener, if one was passed for it: one that has its address, or else is
    /// named like its role.
    ///
    /// # Errors
    /// A socket is for none of `listeners`: connections to it would wait for ever.
    pub(super) fn assign(
        self,
        listeners: &[Listener],
    ) -> Result<Vec<Option<TcpListener>>, Refusal> {
        let mut assigned: Vec<_> = listeners.iter().map(|_| None).collect();
        let mut assign = |sockets: Vec<Socket>, fits: fn(&Listener, &Socket) -> bool| {
            let mut left = Vec::new();
            for socket in sockets {
                let mut places = assigned.iter_mut().zip(listeners);
                match places.find(|(place, it)| place.is_none() && fits(it, &socket)) {
                    Some((place, _)) => *place = Some(socket.socket),
                    None => left.push(socket),
                }
            }
            left
        };
        let left = assign(self.0, |listener, socket| listener.address == socket.address);
        let left = assign(left, |listener, socket| listener.role.name() == socket.name);
        match left.first() {
            None => Ok(assigned),
            Some(Socket { name, address, .. }) => Err(Refusal(format!(
                "a socket was passed for {address}, named `{name}`, but no listener has this \
                 address, nor a role of this name that has no socket yet"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Role, TlsStart};

    fn listener(address: SocketAddr, role: Role) -> Listener {
        Listener::new(address, role, TlsStart::Starttls)
    }

    fn socket(name: &str) -> Socket {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        Socket { name: name.into(), address: socket.local_addr().unwrap(), socket }
    }

    fn ports(assigned: &[Option<TcpListener>]) -> Vec<Option<SocketAddr>> {
        assigned.iter().map(|it| it.as_ref().map(|it| it.local_addr().unwrap())).collect()
    }

    #[test]
    fn an_address_comes_before_a_name_and_the_rest_is_opened() {
        let elsewhere = "192.0.2.1:25".parse().unwrap();
        let (named, addressed) = (socket("mx"), socket("mx"));
        let (by_name, by_address) = (Some(named.address), Some(addressed.address));
        let listeners = [
            listener(elsewhere, Role::Submission),
            listener(elsewhere, Role::Mx),
            listener(addressed.address, Role::Mx),
        ];
        let assigned = Passed(vec![named, addressed]).assign(&listeners).unwrap();
        assert_eq!(ports(&assigned), [None, by_name, by_address]);
    }

    #[test]
    fn a_socket_that_nobody_wants_is_named() {
        let (first, second) = (socket("mx"), socket("mx"));
        let address = second.address;
        let listeners = [listener("192.0.2.1:25".parse().unwrap(), Role::Mx)];
        let refused = Passed(vec![first, second]).assign(&listeners).unwrap_err();
        let says = format!("a socket was passed for {address}, named `mx`, but no listener");
        assert!(refused.0.starts_with(&says), "{refused}");
    }
}
