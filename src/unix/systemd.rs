//! Tells systemd how the service is, where systemd has started it: a few lines of text on the socket that `NOTIFY_SOCKET` names, as
//! sd_notify(3) describes. Elsewhere nobody is told anything.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The service manager, if there is one.
#[derive(Debug)]
pub struct ServiceManager {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// How long it waits for a sign of life before it starts the service again.
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one that the environment names. An address that cannot be used is as none, with a line in the log.
    #[must_use]
    pub fn from_env() -> Self {
        let name = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty());
        let socket = name.and_then(|name| {
            let made = address(&name).and_then(|address| Ok((UnixDatagram::unbound()?, address)));
            made.inspect_err(
                |error| tracing::warn!(%error, "NOTIFY_SOCKET: systemd is not told how the service is"),
            )
            .ok()
        });
        let number = |name: &str| env::var(name).ok()?.parse().ok();
        let is_ours = number("WATCHDOG_PID").is_none_or(|id: u64| id == u64::from(process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|&length| length > 0 && is_ours);
        Self { watchdog: watchdog.map(Duration::from_micros).filter(|_| socket.is_some()), socket }
    }

    /// How often it wants a sign of life: twice in the time after which it misses one.
    #[must_use]
    pub fn alive_every(&self) -> Option<Duration> {
        self.watchdog.map(|within| within / 2)
    }

    /// The service takes requests, at the start or again after it has read its configuration.
    pub fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={}\n", one_line(status)));
    }

    /// What a person reads of the service.
    pub fn status(&self, status: &str) {
        self.tell(&format!("STATUS={}\n", one_line(status)));
    }

    /// The configuration is read again.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let microseconds = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}\n"));
    }

    /// The service ends.
    pub fn stopping(&self) {
        self.tell("STOPPING=1\n");
    }

    /// The sign of life.
    pub fn alive(&self) {
        self.tell("WATCHDOG=1\n");
    }

    fn tell(&self, message: &str) {
        if let Some((socket, address)) = &self.socket
            && let Err(error) = socket.send_to_addr(message.as_bytes(), address)
        {
            tracing::debug!(%error, "systemd could not be told how the service is");
        }
    }
}

/// A name that begins with `@` is abstract: it is in no folder.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => {
            use std::os::linux::net::SocketAddrExt;
            SocketAddr::from_abstract_name(name)
        }
        [b'/', ..] => SocketAddr::from_pathname(name),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is neither a path nor an abstract name")),
    }
}

/// A status must not be able to say something else in a line of its own.
fn one_line(text: &str) -> String {
    text.replace(|letter: char| letter.is_control(), " ")
}
