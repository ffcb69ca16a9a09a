//! The unix socket `control` in the data folder.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io,
    os::{
        fd::AsRawFd,
        unix::{
            fs::{DirBuilderExt, PermissionsExt},
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
};

/// Its name in the data folder.
const NAME: &str = "control";

/// Where it is made, so that nobody else comes to it before it is closed to others.
const MAKING: &str = "control.new";

/// Octets that fit into the address of a unix socket on every system (`sun_path`, unix(7)).
const ADDRESS: usize = 103;

/// Where the socket is.
pub(super) fn path(data: &Path) -> PathBuf {
    data.join(NAME)
}

/// Makes the socket, for its owner only from the first moment. One that a killed server has left
/// is replaced: the caller holds the lock of the folder.
pub(super) fn bind(data: &Path) -> io::Result<UnixListener> {
    let making = data.join(MAKING);
    remove(&making)?;
    DirBuilder::new().mode(0o700).create(&making)?;
    let listener = at(&making, NAME, UnixListener::bind)?;
    let made = making.join(NAME);
    fs::set_permissions(&made, Permissions::from_mode(0o600))?;
    fs::rename(made, path(data))?;
    fs::remove_dir(making)?;
    Ok(listener)
}

/// Connects to the server that uses the folder.
pub(super) fn connect(data: &Path) -> io::Result<UnixStream> {
    at(data, NAME, UnixStream::connect)
}

/// Uses the path of `name` in `folder` as the address of a socket. One that is too long is reached
/// through the open folder, where the system has such paths.
fn at<T>(folder: &Path, name: &str, use_it: impl Fn(PathBuf) -> io::Result<T>) -> io::Result<T> {
    let path = folder.join(name);
    if path.as_os_str().len() <= ADDRESS {
        return use_it(path);
    }
    let open = File::open(folder)?;
    let through = Path::new("/proc/self/fd").join(open.as_raw_fd().to_string());
    if !through.exists() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidFilename,
            format!("its path is longer than the {ADDRESS} octets that a socket's may have"),
        ));
    }
    use_it(through.join(name))
}

/// Removes what a server that was killed has left of the making.
fn remove(making: &Path) -> io::Result<()> {
    match fs::remove_dir_all(making) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_for_its_owner_only_and_replaces_one_that_was_left() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            // What a killed server leaves: a socket where nobody listens, one half made.
            fs::create_dir(folder.path().join(MAKING)).unwrap();
            let listener = bind(folder.path()).unwrap();
            let mode = fs::metadata(path(folder.path())).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            assert!(!folder.path().join(MAKING).exists());
            connect(folder.path()).unwrap();
            drop(listener);
            let refused = connect(folder.path()).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        }
    }

    #[test]
    fn a_path_of_any_length_will_do() {
        let folder = tempfile::tempdir().unwrap();
        let long = folder.path().join("x".repeat(200));
        fs::create_dir(&long).unwrap();
        let _listener = bind(&long).unwrap();
        connect(&long).unwrap();
        let mode = fs::metadata(path(&long)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
