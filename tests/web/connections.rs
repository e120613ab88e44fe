//! Connections that are kept open and not used: they are closed, and other clients can still connect.

use std::io;
use std::time::Duration;

use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::web::connections::Timeouts;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::app::{App, AppOptions};
use crate::support::patience::{PATIENCE, until};
use crate::support::wire::{Wire, unread};

/// More refusals than are kept at a time until their clients have taken them.
const MANY_REFUSED: usize = 150;
/// More bytes than the kernel takes for a reader that does not read.
const LARGE: &str = "/odata/jobindsats/y25i01/Observations";

fn short() -> Timeouts {
    let second = Duration::from_secs(1);
    Timeouts { head: second, body: second, write: second, stop: second }
}

async fn app(timeouts: Timeouts, connections: usize, per_client: usize) -> App {
    let settings =
        BridgeSettings { connections, connections_per_client: per_client, ..AppOptions::default().settings };
    App::with(AppOptions { settings, timeouts, ..AppOptions::default() }).await
}

async fn open(app: &App, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(app.service.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Everything that comes until the server closes the connection.
async fn read_to_end(stream: &mut TcpStream) -> (String, io::Result<usize>) {
    let mut bytes = Vec::new();
    let end = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the connection ends");
    (String::from_utf8_lossy(&bytes).into_owned(), end)
}

/// Sends one byte after the other until the server closes the connection, and reads what it says.
async fn drip(mut stream: TcpStream, bytes: &'static [u8]) -> String {
    let (mut reader, mut writer) = stream.split();
    let dripping = async {
        for byte in bytes.iter().cycle() {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if writer.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let mut read = Vec::new();
    let reading = timeout(PATIENCE, reader.read_to_end(&mut read));
    tokio::select! {
        ended = reading => drop(ended.expect("the connection ends")),
        () = dripping => {}
    }
    String::from_utf8_lossy(&read).into_owned()
}

fn post(target: &str, headers: &str) -> String {
    format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}\r\n")
}

async fn is_served(app: &App) {
    let answer = Wire::open(app.service.address).await.get("/healthz").await;
    assert_eq!(answer.status(), 200, "{}", answer.status_line);
}

#[actix_web::test]
async fn a_head_that_drips_is_not_waited_for_whichever_request_it_is() {
    let app = app(short(), 100, 100).await;
    let first = open(&app, "").await;
    drip(first, b"x").await;
    let second = open(&app, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let read = drip(second, b"x").await;
    assert!(read.starts_with("HTTP/1.1 200 OK"), "{read}");
}

#[actix_web::test]
async fn a_body_that_does_not_come_or_drips_is_answered_with_408() {
    let app = app(short(), 100, 100).await;
    for target in ["/odata/$batch", "/odata/Datasets/$query"] {
        let mut silent = open(&app, &post(target, "Content-Length: 1000\r\n")).await;
        let (read, _) = read_to_end(&mut silent).await;
        assert!(read.starts_with("HTTP/1.1 408"), "{target}: {read}");
        assert!(read.contains("BodySlow"), "{target}: {read}");
        let dripping = open(&app, &post(target, "Content-Length: 100000\r\n")).await;
        let read = drip(dripping, b"{").await;
        assert!(read.starts_with("HTTP/1.1 408"), "{target}: {read}");
    }
    let snappy = "Content-Length: 100\r\n";
    let request = post("/api/v1/read", snappy)
        .replace("application/json", "application/x-protobuf\r\nContent-Encoding: snappy");
    let (read, _) = read_to_end(&mut open(&app, &request).await).await;
    assert!(read.starts_with("HTTP/1.1 408"), "{read}");
}

#[actix_web::test]
async fn a_body_that_nobody_reads_does_not_keep_the_connection() {
    let app = app(short(), 100, 100).await;
    for target in ["/status", "/healthz", "/export/y25i01/Landet.csv"] {
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
        let read = drip(open(&app, &request).await, b"1\r\nx\r\n").await;
        assert!(read.starts_with("HTTP/1.1 200"), "{target}: {read}");
    }
}

#[actix_web::test]
async fn a_wish_for_another_protocol_is_passed_over() {
    let app = App::start().await;
    for headers in
        ["Upgrade: websocket\r\nConnection: Upgrade", "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings"]
    {
        let request = format!("GET /odata/ HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n");
        let answer = Wire::open(app.service.address).await.send(&request).await;
        assert_eq!(answer.status(), 200, "{headers}");
        assert!(!answer.header("Connection").eq_ignore_ascii_case("upgrade"), "{headers}: {answer:?}");
    }
}

#[actix_web::test]
async fn bodies_that_never_come_and_idle_connections_take_no_place_from_others() {
    let long = Timeouts::default();
    let app = app(long, 60, 40).await;
    let mut held = Vec::new();
    for number in 0..300 {
        let request =
            if number % 2 == 0 { post("/odata/$batch", "Content-Length: 9\r\n") } else { String::new() };
        held.push(open(&app, &request).await);
        if number % 50 == 0 {
            is_served(&app).await;
        }
    }
    is_served(&app).await;
    let metrics = app.get("/metrics").await.text();
    let used =
        metrics.lines().find(|line| line.contains(r#"budget_used{resource="connections",share="client"}"#));
    let used: usize = used.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(used <= 40, "{used}");
}

#[actix_web::test]
async fn where_all_connections_are_being_answered_a_new_one_is_told_so() {
    let app = app(Timeouts::default(), 10, 4).await;
    // So that they are answered from store.
    assert_eq!(app.get(&format!("{LARGE}?$top=1")).await.status, 200);
    let mut readers = Vec::new();
    for _ in 0..4 {
        let reader = slow_reader(&app, &get(LARGE, "1.1")).await;
        // It is being answered.
        timeout(PATIENCE, reader.peek(&mut [0])).await.expect("an answer begins").unwrap();
        readers.push(reader);
    }
    let mut refused = open(&app, &get("/healthz", "1.1")).await;
    let (read, _) = read_to_end(&mut refused).await;
    assert!(read.starts_with("HTTP/1.1 429"), "{read}");
    assert!(read.contains("retry-after: 5") && read.contains("ClientBudgetExhausted"), "{read}");

    // Also where more are refused than are kept until they have taken it.
    let question = get("/healthz", "1.1");
    let many = (0..MANY_REFUSED).map(|_| open(&app, &question));
    for mut refused in futures_util::future::join_all(many).await {
        let (read, _) = read_to_end(&mut refused).await;
        assert!(read.starts_with("HTTP/1.1 429"), "{read}");
    }
}

#[actix_web::test]
async fn who_has_asked_in_part_is_told_why_the_connection_is_closed() {
    let app = app(Timeouts::default(), 60, 4).await;
    let whole = get("/healthz", "1.1");
    let body = post("/odata/$batch", "Content-Length: 9\r\n");
    for part in [&whole[..20], body.trim_end(), &body] {
        let mut asked = Vec::new();
        for _ in 0..4 {
            let mut stream = open(&app, "").await;
            stream.write_all(part.as_bytes()).await.unwrap();
            asked.push(stream);
        }
        // So that the service has read what there is.
        tokio::time::sleep(Duration::from_millis(100)).await;
        is_served(&app).await;
        let (read, _) = timeout(PATIENCE, read_to_end(&mut asked[0])).await.expect("it is closed");
        assert!(read.starts_with("HTTP/1.1 429") && read.contains("ClientBudgetExhausted"), "{part}: {read}");
    }
}

#[actix_web::test]
async fn clients_that_fill_all_places_with_new_connections_keep_nobody_out() {
    let app = app(Timeouts::default(), 40, 40).await;
    for _ in 0..5 {
        let filled = futures_util::future::join_all((0..60).map(|_| open(&app, ""))).await;
        is_served(&app).await;
        drop(filled);
    }
}

fn get(target: &str, version: &str) -> String {
    format!("GET {target} HTTP/{version}\r\nHost: localhost\r\n\r\n")
}

async fn slow_reader(app: &App, request: &str) -> TcpStream {
    unread(app.service.address, request.as_bytes()).await
}

/// How many connections are open, but for the one that asks.
async fn open_connections(app: &App) -> usize {
    let metrics = Wire::open(app.service.address).await.get("/metrics").await.text();
    let name = r#"jobindsats_bridge_budget_used{resource="connections",share="everybody"} "#;
    let used = metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    used.parse::<usize>().unwrap() - 1
}

#[actix_web::test]
async fn a_reader_that_takes_nothing_or_next_to_nothing_is_left() {
    let app = app(short(), 100, 100).await;
    let whole = app.get(LARGE).await.body.len();
    let others = open_connections(&app).await;
    for (version, bytes) in [("1.1", 0), ("1.1", 40), ("1.0", 0), ("1.0", 40)] {
        let mut stream = slow_reader(&app, &get(LARGE, version)).await;
        let mut taken = 0;
        // The server may leave meanwhile.
        while taken < bytes && stream.read_u8().await.is_ok() {
            taken += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        until("the reader is left", async || open_connections(&app).await == others).await;
        let (read, _) = read_to_end(&mut stream).await;
        assert!(read.len() < whole, "{version}: {} bytes of {whole} came", read.len());
        assert!(!read.ends_with("\r\n0\r\n\r\n"), "{version}: it must not end as if it were complete");
    }
}

#[actix_web::test]
async fn requests_behind_each_other_are_answered_in_their_order() {
    let app = App::start().await;
    let slow = get("/odata/jobindsats/y25i01/Kommuner?$top=5", "1.1");
    let last = get("/healthz", "1.1").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let mut stream = open(&app, &format!("{slow}{}{last}", get("/nothing", "1.1"))).await;
    let (read, _) = read_to_end(&mut stream).await;
    let statuses: Vec<&str> = read.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "404", "200"], "{read}");
}

#[actix_web::test]
async fn the_host_of_a_whole_address_counts_before_the_header() {
    let app = App::start().await;
    for (target, root) in [
        ("http://tal.example/odata/", "http://tal.example/odata/"),
        ("https://tal.example:8443/odata/", "https://tal.example:8443/odata/"),
        ("/odata/", "http://evil.example/odata/"),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: evil.example\r\n\r\n");
        let answer = Wire::open(app.service.address).await.send(&request).await;
        assert_eq!(answer.status(), 200, "{target}");
        assert_eq!(answer.json()["@odata.context"], format!("{root}$metadata"), "{target}");
    }
}

#[actix_web::test]
async fn a_stop_ends_within_its_limit_breaks_answers_off_visibly_and_keeps_what_was_fetched() {
    let long = Duration::from_secs(600);
    let timeouts = Timeouts { head: long, body: long, write: long, stop: Duration::from_secs(2) };
    let app = app(timeouts, 100, 100).await;
    let path = "/odata/jobindsats/y25i01/Landet?$filter=Periode eq '2026M06'";
    assert_eq!(app.get(path).await.status, 200);
    let mut reader = slow_reader(&app, &get(LARGE, "1.1")).await;
    let _idle = open(&app, "").await;
    let _body = open(&app, &post("/odata/$batch", "Content-Length: 9\r\n")).await;
    timeout(PATIENCE, reader.peek(&mut [0])).await.expect("an answer begins").unwrap();
    // Far below what the other limits would allow.
    let app = timeout(PATIENCE, app.restart()).await.expect("it stops");
    let (read, _) = read_to_end(&mut reader).await;
    assert!(!read.ends_with("\r\n0\r\n\r\n"), "the answer must not end as if it were complete");
    app.upstream().clear_requests();
    assert_eq!(app.get(path).await.status, 200);
    assert_eq!(app.data_requests(), 0);
}
