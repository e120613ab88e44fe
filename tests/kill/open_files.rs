//! The program with few files that it may have open.

use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::process::Bridge;
use crate::support::open_files::allow_open_files;

/// Connections that are opened: nearly as many as files may be open, some of which the program needs for itself.
const BODIES: usize = 1_010;
/// Much less than the 30 seconds for which a body is waited for.
const PATIENCE: Duration = Duration::from_secs(15);

#[tokio::test]
async fn bodies_that_never_come_leave_the_program_able_to_answer() {
    allow_open_files(4 * BODIES as u64);
    let body = b"POST /odata/$batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n";
    let small = [("BRIDGE_CONNECTIONS", "50"), ("BRIDGE_CONNECTIONS_PER_CLIENT", "50")];
    for (limit, settings) in
        [("ulimit -Sn 1024", &[][..]), ("ulimit -n 1024", &[]), ("ulimit -n 1024", &small)]
    {
        let folder = tempfile::tempdir().unwrap();
        let bridge = Bridge::start_limited(folder.path(), limit, settings).await;
        let mut held = Vec::new();
        for _ in 0..BODIES {
            held.push(bridge.ask_unread(body).await);
        }
        // On a connection of its own: an earlier one that waits unused may have been closed for a new one.
        let mut asked =
            bridge.ask_unread(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
        let mut answer = String::new();
        let read = tokio::time::timeout(PATIENCE, asked.read_to_string(&mut answer)).await;
        read.unwrap_or_else(|_| panic!("{limit}, {settings:?}: no answer")).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{limit}, {settings:?}: {answer}");
    }
}
