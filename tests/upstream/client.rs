//! The upstream client's calls, retries and failures.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jobindsats_bridge::catalogue::figures::figure_at;
use jobindsats_bridge::catalogue::id::MeasurementId;
use jobindsats_bridge::clock::Clock;
use jobindsats_bridge::observe::metrics::Metrics;
use jobindsats_bridge::observe::upstream_observer::Endpoint;
use jobindsats_bridge::upstream::client::{ClientOptions, HttpUpstream, Upstream};
use jobindsats_bridge::upstream::decode::DecodeError;
use jobindsats_bridge::upstream::error::{Failure, UpstreamError};
use jobindsats_bridge::upstream::request::DataRequest;
use jobindsats_bridge::upstream::retry::Urgency;

use super::{Calls, ONE_CELL, client, one_cell, options};
use crate::support::canned::{Canned, CannedServer};
use crate::support::patience::until;

const FORBIDDEN: &str = "You do not have permission to view this directory or page.";

/// The failure of a request for one cell, and how many calls it took.
async fn failure(answers: impl IntoIterator<Item = Canned>) -> (UpstreamError, usize) {
    let server = CannedServer::start(answers).await;
    let error = client(&server).data(&one_cell()).await.unwrap_err();
    (error, server.count())
}

#[tokio::test]
async fn a_call_states_who_asks_with_which_key_and_accepts_gzip() {
    let server = CannedServer::start([Canned::ok(ONE_CELL)]).await;
    let table = client(&server).data(&one_cell()).await.unwrap();
    assert_eq!(figure_at(&table.figures[0], 0), Some(7.into()));
    let request = server.requests().remove(0).to_lowercase();
    let line =
        "get /v3/data/y25i01?mgroup.*=*&period.m=2026m06&hierarchy._nykom=%2f&format=json http/1.1\r\n";
    assert!(request.starts_with(line), "{request}");
    for header in [
        "authorization: bearer hemmelig-0123456789\r\n",
        "accept-encoding: gzip\r\n",
        concat!("user-agent: jobindsats-bridge/", env!("CARGO_PKG_VERSION"), "\r\n"),
    ] {
        assert!(request.contains(header), "{header} in {request}");
    }
}

#[tokio::test]
async fn the_three_metadata_calls_have_their_addresses() {
    let table = r#"[{"table_id": "y25i01"}]"#;
    let server = CannedServer::start_by_path([
        ("/tables", Canned::ok("[]")),
        ("/subjects", Canned::ok("[]")),
        ("/table/", Canned::ok(table)),
    ])
    .await;
    let client = client(&server);
    client.subjects().await.unwrap();
    client.tables().await.unwrap();
    let table = client.table(&MeasurementId::from("y25i01"), Urgency::Background).await.unwrap();
    assert_eq!(table.table_id.as_str(), "y25i01", "a list of one is unwrapped");
    let lines: Vec<_> =
        server.requests().iter().map(|request| request.lines().next().unwrap().to_owned()).collect();
    assert_eq!(
        lines,
        [
            "GET /v3/subjects?format=json HTTP/1.1",
            "GET /v3/tables?format=json HTTP/1.1",
            "GET /v3/table/y25i01?format=json HTTP/1.1"
        ]
    );
}

#[tokio::test]
async fn a_compressed_answer_is_read() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(ONE_CELL.as_bytes()).unwrap();
    let answer = Canned::new(200, gzip.finish().unwrap()).header("Content-Encoding", "gzip");
    let server = CannedServer::start([answer]).await;
    assert_eq!(client(&server).data(&one_cell()).await.unwrap().row_count(), 1);
}

/// What unpacks to more than an answer may have is given up while it is unpacked.
#[tokio::test]
async fn an_answer_that_unpacks_to_too_much_is_refused() {
    let limit = 4 * 1024 * 1024;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&vec![b' '; limit + 1]).unwrap();
    let packed = gzip.finish().unwrap();
    assert!(packed.len() < limit / 500, "{} bytes", packed.len());
    let server = CannedServer::start([Canned::new(200, packed).header("Content-Encoding", "gzip")]).await;
    let error = client(&server).tables().await.unwrap_err();
    assert_eq!(error.failure, Failure::Decode(DecodeError::TooLong { limit }));
}

#[tokio::test]
async fn passing_trouble_is_tried_again_until_it_has_passed() {
    let troubles = [
        ("drop", Canned::Drop),
        ("break off", Canned::BreakOff("{\"columns\"")),
        ("hang", Canned::Hang),
        ("gateway", Canned::new(403, FORBIDDEN)),
        ("gateway page", Canned::new(403, "<html>no</html>")),
        ("updating", Canned::cause(422, "Unknown period type: M")),
        ("busy", Canned::new(429, "")),
        ("failing", Canned::new(500, "oh no")),
        ("down", Canned::new(503, "")),
    ];
    for (name, trouble) in troubles {
        let server = CannedServer::start([trouble, Canned::ok(ONE_CELL)]).await;
        let answer = client(&server).data(&one_cell()).await;
        assert!(answer.is_ok(), "{name}: {answer:?}");
        assert_eq!(server.count(), 2, "{name}");
    }
}

#[tokio::test]
async fn lasting_trouble_is_given_up_after_four_tries() {
    for (answer, expected) in [
        (Canned::new(403, FORBIDDEN), Failure::Forbidden),
        (Canned::new(502, "<html>"), Failure::Gateway { status: 502, retry_after: None }),
        (Canned::new(429, ""), Failure::RateLimited { retry_after: None }),
        (
            Canned::cause(422, "Unknown period type: M"),
            Failure::Updating { cause: "Unknown period type: M".to_owned() },
        ),
    ] {
        let (error, calls) = failure([answer]).await;
        assert_eq!((&error.failure, calls), (&expected, 4));
    }
}

#[tokio::test]
async fn a_failure_that_a_retry_cannot_mend_is_not_retried() {
    let unknown = "Unknown hierarchies: ['_x', '_y']";
    let few = "Requested latest:60 for type M, but only 28 periods are available.";
    let large = "The request passes the limit of 200000 cells.";
    let refused = |status, cause: &str| Failure::Refused { status, cause: cause.to_owned() };
    for (answer, expected) in [
        (Canned::cause(401, "Bad token"), Failure::Unauthorized),
        (Canned::new(401, ""), Failure::Unauthorized),
        (Canned::cause(404, "No such table"), refused(404, "No such table")),
        (Canned::cause(422, unknown), refused(422, unknown)),
        (Canned::cause(422, few), refused(422, few)),
        (Canned::cause(422, large), Failure::TooLarge { status: 422, cause: large.to_owned() }),
        (Canned::new(301, "").header("Location", "http://127.0.0.1:9/"), refused(301, "no reason given")),
    ] {
        let (error, calls) = failure([answer]).await;
        assert_eq!((&error.failure, calls), (&expected, 1));
    }
}

#[tokio::test]
async fn nonsense_is_an_error_that_is_not_asked_for_again() {
    let wrong_type =
        r#"{"columns": ["Periode", "Område", "Antal"], "rows": [["2026M06", "Hele landet", "7"]]}"#;
    let wrong_columns = r#"{"columns": ["Periode", "Antal"], "rows": []}"#;
    for body in ["<!DOCTYPE html><html></html>", "", &ONE_CELL[..60], wrong_type, wrong_columns, "[]", "null"]
    {
        let (error, calls) = failure([Canned::ok(body)]).await;
        assert!(matches!(error.failure, Failure::Decode(_)), "{body}: {error}");
        assert_eq!(calls, 1, "{body}");
    }
    let server = CannedServer::start([Canned::ok("<html>")]).await;
    let error = client(&server).tables().await.unwrap_err();
    assert_eq!(error.failure, Failure::Decode(DecodeError::Html));
}

#[tokio::test]
async fn an_error_names_the_call_and_the_request_id() {
    let (error, _) = failure([Canned::cause(422, "Unknown hierarchies: ['_x']")]).await;
    assert_eq!(error.to_string(), "data/y25i01: 422, refused: Unknown hierarchies: ['_x'] (request_id r-17)");
    assert_eq!((error.endpoint, error.request_id.as_deref()), (Endpoint::Data, Some("r-17")));
}

#[tokio::test]
async fn figures_that_time_out_twice_are_given_back() {
    let (error, calls) = failure([Canned::Hang]).await;
    assert_eq!((error.failure, calls), (Failure::Timeout { after: Duration::from_millis(400) }, 2));
}

#[tokio::test]
async fn no_connection_is_a_failure_like_others() {
    let server = CannedServer::start([Canned::Drop]).await;
    let options = options(&server);
    drop(server);
    let error = HttpUpstream::new(options).unwrap().subjects().await.unwrap_err();
    assert!(matches!(error.failure, Failure::Connect { .. }), "{error}");
}

#[tokio::test]
async fn retry_after_is_waited_for_if_it_is_short() {
    let server =
        CannedServer::start([Canned::new(429, "").header("Retry-After", "1"), Canned::ok(ONE_CELL)]).await;
    let started = Instant::now();
    client(&server).data(&one_cell()).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));

    let (error, calls) = failure([Canned::new(429, "").header("Retry-After", "3600")]).await;
    let told = Failure::RateLimited { retry_after: Some(Duration::from_secs(3600)) };
    assert_eq!((error.failure, calls), (told, 1));
}

#[tokio::test]
async fn no_more_calls_are_out_at_once_than_allowed() {
    let server = CannedServer::start([Canned::ok(ONE_CELL).slow(Duration::from_millis(30))]).await;
    let client = client(&server);
    let request = one_cell();
    futures_util::future::join_all((0..8).map(|_| client.data(&request))).await;
    assert_eq!((server.count(), server.most_at_once()), (8, 2));
}

#[tokio::test]
async fn five_failures_in_a_row_open_the_circuit_until_a_probe_succeeds() {
    let server = CannedServer::start([Canned::new(500, "")]).await;
    let options = options(&server);
    let clock = options.clock.clone();
    let client = HttpUpstream::new(options).unwrap();
    client.subjects().await.unwrap_err();
    let error = client.subjects().await.unwrap_err();
    assert_eq!(error.failure, Failure::Server { status: 500, retry_after: None }, "the cause is told");
    let error = client.subjects().await.unwrap_err();
    assert_eq!(error.failure, Failure::CircuitOpen { retry_after: Duration::from_secs(30) });
    assert_eq!(server.count(), 5);

    clock.advance(Duration::from_secs(30));
    server.instead([("/", Canned::ok("[]"))]);
    client.subjects().await.unwrap();
    assert_eq!(server.count(), 6);
}

#[tokio::test]
async fn a_table_that_always_fails_does_not_lock_out_the_others() {
    let server = CannedServer::start_by_path([
        ("/data/y25i01", Canned::new(500, "")),
        ("/data/y1", Canned::ok(ONE_CELL)),
    ])
    .await;
    let client = client(&server);
    for _ in 0..6 {
        client.data(&one_cell()).await.unwrap_err();
    }
    let asked = server.count();
    let error = client.data(&one_cell()).await.unwrap_err();
    assert!(matches!(error.failure, Failure::CircuitOpen { .. }), "{error}");
    assert_eq!((server.count(), client.has_room()), (asked, true));
    client.data(&DataRequest { table: "y1".into(), ..one_cell() }).await.unwrap();
}

#[tokio::test]
async fn refusals_with_a_reason_never_open_the_circuit() {
    let server = CannedServer::start([Canned::cause(404, "No such table")]).await;
    let client = client(&server);
    for _ in 0..8 {
        client.data(&one_cell()).await.unwrap_err();
    }
    assert_eq!(server.count(), 8);
}

#[tokio::test]
async fn nothing_is_asked_in_the_closed_hour_nor_just_before_it() {
    let server = CannedServer::start([Canned::ok("[]")]).await;
    let timeout = Duration::from_secs(120);
    for (instant, is_asked) in [
        ("2026-09-01T19:57:59Z", true),
        ("2026-09-01T19:58:00Z", false),
        ("2026-09-01T20:00:00Z", false),
        ("2026-09-01T20:59:59Z", false),
        ("2026-09-01T21:00:00Z", true),
        ("2026-10-25T20:30:00Z", true),
        ("2026-10-25T21:30:00Z", false),
    ] {
        let before = server.count();
        let clock = Clock::fixed(instant.parse().unwrap());
        let client = HttpUpstream::new(ClientOptions { clock, timeout, ..options(&server) }).unwrap();
        let answer = client.subjects().await;
        assert_eq!((answer.is_ok(), server.count() - before), (is_asked, usize::from(is_asked)), "{instant}");
        if let Err(error) = answer {
            assert!(matches!(error.failure, Failure::Closed { .. }), "{error}");
        }
    }
}

#[tokio::test]
async fn a_further_try_does_not_run_into_the_closed_hour_either() {
    let server = CannedServer::start([Canned::new(503, "").slow(Duration::from_millis(500))]).await;
    let clock = Clock::fixed("2026-09-01T19:59:00Z".parse().unwrap());
    let client = HttpUpstream::new(ClientOptions { clock: clock.clone(), ..options(&server) }).unwrap();
    let passing_time = async {
        until("the first try", async || server.count() == 1).await;
        clock.advance(Duration::from_secs(60));
    };
    let (answer, ()) = tokio::join!(client.subjects(), passing_time);
    let opens_at = "2026-09-01T21:00:00Z".parse().unwrap();
    assert_eq!((answer.unwrap_err().failure, server.count()), (Failure::Closed { opens_at }, 1));
}

#[tokio::test]
async fn a_call_that_is_given_up_gives_its_place_back() {
    let server = CannedServer::start([Canned::Hang]).await;
    let client = HttpUpstream::new(ClientOptions { concurrency: 1, ..options(&server) }).unwrap();
    tokio::select! {
        answer = client.subjects() => panic!("nothing answers: {answer:?}"),
        () = until("the call", async || server.count() == 1) => {}
    }
    server.instead([("/", Canned::ok("[]"))]);
    client.subjects().await.unwrap();
}

#[tokio::test]
async fn there_is_room_for_what_nobody_waits_for_while_a_call_is_left_and_the_upstream_is_open_and_well() {
    for (concurrency, out, room) in [(3, 0, true), (3, 1, true), (3, 2, false), (1, 0, true), (1, 1, false)] {
        let server = CannedServer::start([Canned::Hang]).await;
        let client = HttpUpstream::new(ClientOptions { concurrency, ..options(&server) }).unwrap();
        assert!(client.has_room());
        let calls = futures_util::future::join_all((0..out).map(|_| client.subjects()));
        let look = async {
            while server.count() < out {
                tokio::task::yield_now().await;
            }
            assert_eq!(client.has_room(), room, "{out} of {concurrency} calls are out");
        };
        tokio::select! {
            biased;
            _ = calls, if out > 0 => panic!("they hang"),
            () = look => {}
        }
    }
    let server = CannedServer::start([Canned::new(500, "")]).await;
    let clock = Clock::fixed("2026-10-25T20:50:00Z".parse().unwrap());
    let timeout = Duration::from_secs(120);
    let open =
        HttpUpstream::new(ClientOptions { clock: clock.clone(), timeout, ..options(&server) }).unwrap();
    assert!(open.has_room());
    for (minutes, room) in [(8, false), (61, false), (1, true)] {
        clock.advance(Duration::from_secs(60 * minutes));
        assert_eq!(open.has_room(), room, "at {}", clock.now());
    }
    for _ in 0..2 {
        open.subjects().await.unwrap_err();
    }
    assert!(!open.has_room(), "the circuit is open");
}

#[tokio::test]
async fn an_upstream_without_a_closed_hour_is_asked_at_any_time() {
    let server = CannedServer::start([Canned::ok("[]")]).await;
    let clock = Clock::fixed("2026-09-01T20:30:00Z".parse().unwrap());
    let client = HttpUpstream::new(ClientOptions { clock, closed_hour: false, ..options(&server) }).unwrap();
    client.subjects().await.unwrap();
}

#[tokio::test]
async fn every_try_is_observed() {
    let server =
        CannedServer::start([Canned::Hang, Canned::Drop, Canned::cause(503, "down"), Canned::ok(ONE_CELL)])
            .await;
    let calls = Arc::new(Calls::default());
    let observer: Arc<Calls> = Arc::clone(&calls);
    let client = HttpUpstream::new(ClientOptions { observer, ..options(&server) }).unwrap();
    client.data(&one_cell()).await.unwrap();
    let calls = calls.0.lock().unwrap().clone();
    let outcomes: Vec<_> = calls.iter().map(|call| call.outcome.code().into_owned()).collect();
    assert_eq!(outcomes, ["timeout", "connect", "503", "200"]);
    assert!(
        calls.iter().all(|call| call.endpoint == Endpoint::Data && call.table.as_deref() == Some("y25i01"))
    );
    assert_eq!(calls[2].request_id.as_deref(), Some("r-17"));
    assert!(calls[0].duration >= Duration::from_millis(300));
}

#[tokio::test]
async fn metrics_count_calls_show_those_under_way_and_the_circuit() {
    let server = CannedServer::start([Canned::Hang]).await;
    let metrics = Arc::new(Metrics::new("1", "r").unwrap());
    let observer: Arc<Metrics> = Arc::clone(&metrics);
    let client = HttpUpstream::new(ClientOptions { observer, ..options(&server) }).unwrap();
    let rendered = || String::from_utf8(metrics.render()).unwrap();
    let shows = |line: &str| {
        let text = rendered();
        assert!(text.contains(&format!("\njobindsats_bridge_upstream_{line}\n")), "{line} in {text}");
    };
    let watch = async {
        until("the call shows", async || rendered().contains("upstream_in_flight_requests 1\n")).await;
        shows("circuit_open 0");
    };
    let request = one_cell();
    let (answer, ()) = tokio::join!(client.data(&request), watch);
    answer.unwrap_err();
    shows("in_flight_requests 0");
    shows("requests_total{code=\"timeout\",endpoint=\"data\"} 2");
    server.instead([("/", Canned::new(500, ""))]);
    client.subjects().await.unwrap_err();
    shows("circuit_open 1");
    shows("requests_total{code=\"500\",endpoint=\"subjects\"} 3");
}

#[tokio::test]
async fn an_address_that_is_none_is_refused() {
    let server = CannedServer::start([Canned::Drop]).await;
    for wrong in ["", "jobindsats", "ftp://a/v3", "http://", "file:///etc", "http://a/v3?x=1"] {
        let options = ClientOptions { base_url: wrong.to_owned(), ..options(&server) };
        assert!(HttpUpstream::new(options).is_err(), "{wrong}");
    }
    for right in ["https://api.jobindsats.dk/v3", "https://api.jobindsats.dk/v3/"] {
        let options = ClientOptions { base_url: right.to_owned(), ..options(&server) };
        assert!(HttpUpstream::new(options).is_ok(), "{right}");
    }
}
