//! What systemd is told of the service, on a socket of the test's in its place.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime};

use crate::kill::process::Bridge;
use crate::support::patience::PATIENCE;

/// The messages that come until one has that line.
fn until(socket: &UnixDatagram, line: &str) -> Vec<String> {
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let (began, mut messages, mut bytes) = (Instant::now(), Vec::new(), [0; 4096]);
    loop {
        if let Ok(length) = socket.recv(&mut bytes) {
            let message = String::from_utf8(bytes[..length].to_vec()).unwrap();
            assert!(message.ends_with('\n'), "{message:?}");
            let is_last = message.lines().any(|own| own == line);
            messages.push(message);
            if is_last {
                return messages;
            }
        }
        assert!(began.elapsed() < PATIENCE, "{line} never came: {messages:?}");
    }
}

/// Throws away what has come.
fn drain(socket: &UnixDatagram) {
    socket.set_nonblocking(true).unwrap();
    while socket.recv(&mut [0; 4096]).is_ok() {}
    socket.set_nonblocking(false).unwrap();
}

async fn start(folder: &Path, name: &str, settings: &[(&str, &str)]) -> Bridge {
    Bridge::start_with(folder, &[&[("NOTIFY_SOCKET", name)], settings].concat()).await
}

#[tokio::test]
async fn it_is_told_of_the_start_a_reload_the_end_and_signs_of_life() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let settings = [("WATCHDOG_USEC", "400000")];
    let mut bridge = start(&folder.path().join("data"), path.to_str().unwrap(), &settings).await;
    let first = until(&socket, "READY=1").remove(0);
    assert!(first.contains("\nSTATUS=") && !first.contains("WATCHDOG"), "{first:?}");
    if !first.contains("STATUS=Ready.") {
        until(&socket, "STATUS=Ready.");
    }

    drain(&socket);
    until(&socket, "WATCHDOG=1");
    let began = Instant::now();
    for _ in 0..5 {
        until(&socket, "WATCHDOG=1");
    }
    let took = began.elapsed();
    assert!(took > Duration::from_millis(750), "one in each half of the time, not {took:?} for five");

    let now = || {
        let now = clock_gettime(ClockId::Monotonic);
        i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000
    };
    let before = now();
    bridge.signal(Signal::HUP);
    let reloading = until(&socket, "RELOADING=1").pop().unwrap();
    let at = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).unwrap();
    let at: i128 = at.parse().unwrap();
    assert!((before..=now()).contains(&at), "{before} {at}");
    until(&socket, "READY=1");

    bridge.signal(Signal::TERM);
    until(&socket, "STOPPING=1");
    assert!(bridge.ends().await);
}

#[tokio::test]
async fn an_abstract_socket_will_do_and_a_watchdog_of_another_process_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("jobindsats-bridge-test-{}", std::process::id());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let settings = [("WATCHDOG_USEC", "200000"), ("WATCHDOG_PID", "1")];
    let mut bridge = start(&folder.path().join("data"), &format!("@{name}"), &settings).await;
    until(&socket, "READY=1");
    tokio::time::sleep(Duration::from_millis(600)).await;
    bridge.signal(Signal::TERM);
    let messages = until(&socket, "STOPPING=1");
    assert!(messages.iter().all(|message| !message.contains("WATCHDOG")), "{messages:?}");
    assert!(bridge.ends().await);
}

#[tokio::test]
async fn an_address_that_is_none_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["nowhere", "@", "/nonexistent/notify", "vsock:2:1234"] {
        let bridge = start(&folder.path().join("data"), name, &[("WATCHDOG_USEC", "often")]).await;
        assert_eq!(bridge.get("/healthz").await.unwrap().0, 200, "{name}");
    }
}
