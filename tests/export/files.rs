//! Files that are made whole first: their length is known and they can be sought in.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::simulator::{Faults, Publish};

use super::app_with_small_pages;
use crate::support::app::{Answer, App, AppOptions};
use crate::support::wire::Wire;

const CSV: &str = "/export/y25i01/Kommuner.csv?$filter=Periode ge '2026M01'";
const PARQUET: &str = "/export/y25i01/Kommuner.parquet?$filter=Periode ge '2026M01'";
/// More than a megabyte.
const LARGE: &str = "/export/y25i01/Kommuner.csv?$filter=Periode ge '2015M01'";

fn folder(app: &App) -> PathBuf {
    app.folder.path().join("simulator/files")
}

/// The files that are there, whole or not.
fn names(app: &App) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder(app)) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Waits for something, for a minute at most.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether a file is being made.
fn is_begun(app: &App) -> bool {
    names(app).iter().any(|name| name.ends_with(".new"))
}

/// Waits for the file that is made while another reads on.
async fn until_made(app: &App) {
    until("a file is made", async || !names(app).is_empty() && !is_begun(app)).await;
}

async fn head(app: &App, path: &str) -> Answer {
    app.send("HEAD", path, &[]).await
}

async fn range(app: &App, path: &str, range: &str) -> Answer {
    app.get_with(path, &[("Range", range)]).await
}

/// The headers without those that differ from one moment to the next.
fn lasting(answer: &Answer) -> BTreeMap<String, String> {
    let headers =
        answer.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    headers.filter(|(name, _)| !["date", "server-timing", "age"].contains(&name.as_str())).collect()
}

async fn app_with(change: impl FnOnce(&mut BridgeSettings)) -> App {
    let mut settings = AppOptions::default().settings;
    change(&mut settings);
    App::with(AppOptions { settings, ..AppOptions::default() }).await
}

#[actix_web::test]
async fn head_says_what_get_gives_and_ranges_are_its_parts() {
    let app = app_with_small_pages().await;
    for path in
        [CSV, PARQUET, "/export/y25i01/OmrådeCodes.csv", "/export/Y25I01/Kommuner.csv?dialekt=dansk&$top=9"]
    {
        let head = head(&app, path).await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        let whole = app.get(path).await;
        assert_eq!((whole.status, lasting(&whole)), (200, lasting(&head)), "{path}");
        assert_eq!(whole.header("accept-ranges"), "bytes");
        let length = whole.body.len();
        assert_eq!(whole.header("content-length"), length.to_string());
        let tag = whole.header("etag");
        assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 20, "{tag}");
        let mut parts = Vec::new();
        for (first, last) in [(0, 0), (1, 999.min(length - 2)), (parts_end(length), length + 5000)] {
            let part = range(&app, path, &format!("bytes={first}-{last}")).await;
            let end = last.min(length - 1);
            assert_eq!(part.status, 206, "{path}: {first}-{last}");
            assert_eq!(part.header("content-range"), format!("bytes {first}-{end}/{length}"));
            assert_eq!(part.header("content-length"), (end + 1 - first).to_string());
            assert_eq!(part.header("etag"), tag);
            parts.extend(part.body);
        }
        assert_eq!(parts, whole.body, "{path}");
        assert_eq!(range(&app, path, "bytes=-7").await.body, whole.body[length - 7..]);
        assert_eq!(range(&app, path, "bytes=5-").await.body, whole.body[5..]);
    }
}

/// Where the third part begins, behind the first thousand bytes or all but one of them.
fn parts_end(length: usize) -> usize {
    1000.min(length - 1)
}

#[actix_web::test]
async fn ranges_and_conditions_that_do_not_fit_are_answered_as_http_says() {
    let app = App::start().await;
    let whole = app.get(CSV).await;
    until_made(&app).await;
    let tag = head(&app, CSV).await.header("etag").to_owned();
    let beyond = range(&app, CSV, &format!("bytes={}-", whole.body.len())).await;
    assert_eq!((beyond.status, beyond.code().as_str()), (416, "NoSuchRange"));
    assert_eq!(beyond.header("content-range"), format!("bytes */{}", whole.body.len()));
    for several in ["bytes=0-1,5-9", "bytes=x-y", "lines=1-2"] {
        let answer = range(&app, CSV, several).await;
        assert_eq!((answer.status, &answer.body), (200, &whole.body), "{several}");
    }
    let held = app.get_with(CSV, &[("If-None-Match", &tag)]).await;
    assert_eq!((held.status, held.body.len(), held.header("etag")), (304, 0, tag.as_str()));
    let held = app.send("HEAD", CSV, &[("If-None-Match", &tag)]).await;
    assert_eq!(held.status, 304);
    let part = app.get_with(CSV, &[("If-Range", &tag), ("If-Match", &tag), ("Range", "bytes=0-3")]).await;
    assert_eq!((part.status, part.text().as_str()), (206, "Peri"));
    let other = app.get_with(CSV, &[("If-Match", "\"x\""), ("Range", "bytes=0-3")]).await;
    assert_eq!((other.status, other.code().as_str()), (412, "NoMatch"));
    let dated = [("If-Range", "Tue, 01 Sep 2026 08:00:00 GMT"), ("Range", "bytes=0-3")];
    assert_eq!(app.get_with(CSV, &dated).await.status, 200);
    let zipped = app.get_with(CSV, &[("Accept-Encoding", "gzip"), ("Range", "bytes=0-3")]).await;
    assert_eq!(
        (zipped.status, zipped.text().as_str()),
        (206, "Peri"),
        "a range is one of the bytes of the file"
    );
    let head = app.send("HEAD", CSV, &[("Range", "bytes=0-3")]).await;
    assert_eq!((head.status, head.header("content-length")), (200, whole.body.len().to_string().as_str()));
}

#[actix_web::test]
async fn a_first_reader_gets_the_file_as_it_comes_and_the_next_gets_it_whole() {
    let app = app_with_small_pages().await;
    let first = app.get(PARQUET).await;
    assert_eq!((first.header("transfer-encoding"), first.header("content-length")), ("chunked", ""));
    until_made(&app).await;
    let asked = app.data_requests();
    let next = app.get(PARQUET).await;
    assert_eq!(next.header("content-length"), first.body.len().to_string());
    assert_eq!(next.body, first.body);
    // The same in another spelling.
    let other = head(&app, "/export/Y25I01/Kommuner.parquet?filter=Periode ge '2026M01'").await;
    assert_eq!(other.header("etag"), next.header("etag"));
    assert_eq!((app.data_requests(), names(&app).len()), (asked, 1));
    // All is stored: this one need not be read twice.
    let stored = app.get("/export/y25i01/Kommuner.csv?$filter=Periode ge '2026M03'").await;
    assert_eq!(stored.header("content-length"), stored.body.len().to_string());
    assert_eq!(app.data_requests(), asked);
}

#[actix_web::test]
async fn many_at_once_make_one_file() {
    let app = app_with_small_pages().await;
    app.upstream().set_faults(Faults { delay_ms: 50, ..Faults::default() });
    let heads = join_all((0..6).map(|_| head(&app, CSV)));
    let most = async {
        let mut most = 0;
        until("one is made", async || {
            most = most.max(names(&app).len());
            most > 0 && !is_begun(&app)
        })
        .await;
        most
    };
    let (heads, most) = futures_util::join!(heads, most);
    assert_eq!((most, names(&app).len()), (1, 1));
    for answer in &heads {
        assert_eq!((answer.status, answer.header("etag")), (200, heads[0].header("etag")));
    }
}

#[actix_web::test]
async fn parts_of_two_revisions_are_never_put_together() {
    let app = app_with_small_pages().await;
    let first = range(&app, CSV, "bytes=0-99").await;
    let tag = first.header("etag").to_owned();
    assert_eq!((first.status, tag.is_empty()), (206, false));
    app.upstream().publish(&Publish { table: "y25i01".into(), ..Publish::default() }).unwrap();
    app.clock.advance(Duration::from_secs(20 * 60));
    let rest = app.get_with(CSV, &[("Range", "bytes=100-"), ("If-Range", &tag)]).await;
    assert_eq!((rest.status, rest.body.len().to_string().as_str()), (200, rest.header("content-length")));
    assert_ne!(rest.header("etag"), tag);
    assert!(rest.text().starts_with("Periode,"), "the whole new file");
    let part = range(&app, CSV, "bytes=100-").await;
    assert_eq!((part.status, part.header("etag")), (206, rest.header("etag")));
    assert_eq!(part.body, rest.body[100..]);
    assert_eq!(app.get_with(CSV, &[("If-Match", &tag)]).await.status, 412);
}

#[actix_web::test]
async fn a_file_is_made_again_when_its_figures_are_a_day_old() {
    let app = App::start().await;
    let tag = head(&app, CSV).await.header("etag").to_owned();
    app.clock.advance(Duration::from_secs(20 * 60 * 60));
    assert_eq!(head(&app, CSV).await.header("age"), (20 * 60 * 60).to_string());
    let asked = app.data_requests();
    app.clock.advance(Duration::from_secs(5 * 60 * 60));
    let again = head(&app, CSV).await;
    assert_eq!((again.header("age"), again.header("etag")), ("0", tag.as_str()), "the same figures");
    assert!(app.data_requests() > asked);
    let asked = app.data_requests();
    app.clock.advance(Duration::from_secs(25 * 60 * 60));
    let held = app.get_with(CSV, &[("If-None-Match", &tag)]).await;
    assert_eq!((held.status, held.header("age"), held.header("etag")), (304, "0", tag.as_str()));
    assert!(app.data_requests() > asked);
    app.clock.advance(Duration::from_secs(25 * 60 * 60));
    let other = app.get_with(CSV, &[("If-None-Match", "\"x\"")]).await;
    assert_eq!((other.status, other.header("transfer-encoding")), (200, "chunked"), "the bytes at once");
}

#[actix_web::test]
async fn what_can_be_too_large_is_sent_as_it_comes_and_says_so() {
    let app = app_with(|settings| settings.file_mb = 1).await;
    let head = head(&app, LARGE).await;
    assert_eq!((head.status, head.header("accept-ranges")), (200, "none"));
    let whole = range(&app, LARGE, "bytes=0-9").await;
    assert_eq!((whole.status, whole.header("accept-ranges")), (200, "none"));
    assert_eq!((whole.header("content-length"), whole.header("etag")), ("", ""));
    assert!(whole.body.len() > 1024 * 1024, "{}", whole.body.len());
    assert_eq!(names(&app), [""; 0]);
    let target = LARGE.replace(' ', "%20");
    let refused = Wire::http10(app.service.address, &format!("GET {target}"), "", "").await;
    assert_eq!(
        (refused.status(), refused.json()["error"]["code"].as_str()),
        (400, Some("TooLargeForHttp10"))
    );
    let small = Wire::http10(app.service.address, "GET /export/y25i01/Landet.csv", "", "").await;
    assert_eq!((small.status(), small.header("Transfer-Encoding"), small.complete), (200, "", true));
    assert_eq!(small.header("Content-Length"), small.body.len().to_string());
    assert_eq!(small.body, app.get("/export/y25i01/Landet.csv").await.body);
}

#[actix_web::test]
async fn who_needs_the_length_waits_for_a_while_and_finds_the_file_later() {
    let mut settings = app_with_small_pages_settings();
    settings.answer_seconds = 1;
    let app = App::with(AppOptions { settings, ..AppOptions::default() }).await;
    // No page waits for long, all of them together do.
    app.upstream().set_faults(Faults { delay_ms: 100, ..Faults::default() });
    let path = "/export/y25i01/Kommuner.csv?$filter=Periode ge '2018M01'";
    let early = head(&app, path).await;
    assert_eq!(early.status, 503);
    assert!(early.header("retry-after").parse::<u32>().unwrap() > 0);
    let part = range(&app, path, "bytes=0-9").await;
    assert_eq!(part.status, 503, "{}", part.text());
    assert_eq!(part.code(), "FileNotReady");
    app.upstream().set_faults(Faults::default());
    until("the file is there", async || range(&app, path, "bytes=0-9").await.status != 503).await;
    let late = range(&app, path, "bytes=0-9").await;
    assert_eq!((late.status, late.text().as_str()), (206, "Periode,Pe"));
}

fn app_with_small_pages_settings() -> BridgeSettings {
    BridgeSettings { page_rows: 37, cell_limit: 500, ..AppOptions::default().settings }
}

#[actix_web::test]
async fn errors_are_told_to_those_who_wait_for_a_file() {
    let app = App::start().await;
    app.upstream().set_faults(Faults { server_error: 1000, ..Faults::default() });
    let failed = range(&app, CSV, "bytes=0-9").await;
    assert_eq!((failed.status, failed.code().as_str()), (503, "UpstreamAway"), "{}", failed.text());
    assert_eq!(head(&app, "/export/y25i01/Kommuner.csv?$filter=Nope eq 1").await.status, 400);
    assert_eq!(head(&app, "/export/y25i01/Nope.csv").await.status, 404);
    assert!(names(&app).is_empty());
}

#[actix_web::test]
async fn nothing_of_an_earlier_process_is_served() {
    let app = App::start().await;
    let tag = head(&app, CSV).await.header("etag").to_owned();
    let before = names(&app);
    let app = app
        .stopped(|data| {
            for name in ["0123.new", "leftover.csv"] {
                fs::write(data.join("simulator/files").join(name), b"half").unwrap();
            }
            fs::write(data.join("simulator/files").join(&before[0]), b"half").unwrap();
        })
        .await;
    assert_eq!(names(&app), [""; 0]);
    app.upstream().clear_requests();
    assert_eq!(head(&app, CSV).await.header("etag"), tag, "the same bytes again");
    assert_eq!((app.data_requests(), names(&app).len()), (0, 1));
}

#[actix_web::test]
async fn made_files_leave_the_disk_when_they_were_used_least_recently() {
    let app = app_with(|settings| settings.disk_mb = 1).await;
    let path = |top: usize| format!("/export/y25i01/Kommuner.csv?$filter=Periode ge '2026M01'&$top={top}");
    let tag = head(&app, &path(500)).await.header("etag").to_owned();
    for top in 501..520 {
        assert_eq!(head(&app, &path(top)).await.status, 200);
        let sizes = fs::read_dir(folder(&app)).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
        assert!(sizes.sum::<u64>() <= 1024 * 1024);
    }
    let count = names(&app).len();
    assert!((3..19).contains(&count), "{count}");
    assert_eq!(head(&app, &path(500)).await.header("etag"), tag, "made again, with the same bytes");
}

#[actix_web::test]
async fn without_a_disk_files_are_sent_as_they_come() {
    let app = App::start().await;
    let app = app.stopped(|data| fs::write(data.join("simulator/files"), b"in the way").unwrap()).await;
    let head = head(&app, CSV).await;
    assert_eq!((head.status, head.header("accept-ranges")), (200, "none"));
    let whole = range(&app, CSV, "bytes=0-9").await;
    assert_eq!((whole.status, whole.header("content-length")), (200, ""));
    let target = CSV.replace(' ', "%20");
    for (method, length) in [("GET", whole.body.len()), ("HEAD", 0)] {
        let old = Wire::http10(app.service.address, &format!("{method} {target}"), "", "").await;
        assert_eq!((old.status(), old.body.len(), old.complete), (200, length, true), "{method}");
        assert_eq!(old.header("Content-Length"), whole.body.len().to_string(), "{method}");
    }
}

#[actix_web::test]
async fn what_is_larger_than_the_disk_has_room_for_is_sent_as_it_comes() {
    let app = app_with(|settings| settings.disk_mb = 1).await;
    let path = "/export/y25i01/Kommuner.csv?$filter=Periode ge '2022M01'";
    let whole = app.get(path).await;
    assert_eq!((whole.status, whole.header("accept-ranges")), (200, "none"));
    assert!(whole.body.len() > 256 * 1024, "{}", whole.body.len());
    let target = path.replace(' ', "%20");
    let old = Wire::http10(app.service.address, &format!("GET {target}"), "", "").await;
    assert_eq!((old.status(), old.body == whole.body, old.complete), (200, true, true));
}

#[actix_web::test]
async fn what_becomes_larger_than_was_expected_is_sent_as_it_comes() {
    let app = app_with(|settings| settings.file_mb = 1).await;
    let long = "x".repeat(1000);
    let rows = "$filter=Periode ge '2025M01'";
    let path = format!("/export/y25i01/Kommuner.csv?{rows}&$compute=concat('{long}',Område) as Langt");
    let begun = until("it is begun", async || is_begun(&app));
    let (first, ()) = futures_util::join!(head(&app, &path), begun);
    assert_eq!((first.status, first.header("accept-ranges"), names(&app).len()), (200, "none", 0));
    let in_vain = async {
        until("it is made in vain", async || is_begun(&app)).await;
        panic!("it is made in vain again");
    };
    let whole = tokio::select! {
        whole = range(&app, &path, "bytes=0-9") => whole,
        () = in_vain => unreachable!(),
    };
    assert_eq!((whole.status, whole.header("accept-ranges")), (200, "none"));
    assert!(whole.body.len() > 1024 * 1024, "{}", whole.body.len());
    let target = path.replace(' ', "%20").replace('å', "%C3%A5");
    let refused = Wire::http10(app.service.address, &format!("GET {target}"), "", "").await;
    assert_eq!(refused.json()["error"]["code"].as_str(), Some("TooLargeForHttp10"));
    assert_eq!(names(&app), [""; 0]);
}

#[actix_web::test]
async fn a_file_that_cannot_be_kept_is_sent_as_it_comes() {
    let app = app_with_small_pages().await;
    app.upstream().set_faults(Faults { delay_ms: 50, ..Faults::default() });
    let broken = async {
        until("it is begun", async || is_begun(&app)).await;
        fs::remove_dir_all(folder(&app)).unwrap();
    };
    let (part, ()) = futures_util::join!(range(&app, CSV, "bytes=0-9"), broken);
    assert_eq!((part.status, part.header("accept-ranges")), (200, "none"));
    assert!(part.body.len() > 10);
    let again = range(&app, CSV, "bytes=0-9").await;
    assert_eq!((again.status, &again.body[..]), (206, &part.body[..10]));
}

#[actix_web::test]
async fn a_file_is_made_for_as_long_as_somebody_waits_for_it() {
    let app = app_with_small_pages().await;
    app.upstream().set_faults(Faults { delay_ms: 200, ..Faults::default() });
    let path = "/export/y25i01/Kommuner.csv?$filter=Periode ge '2018M01'";
    let begun = || async {
        until("it is begun", async || is_begun(&app)).await;
    };
    tokio::select! {
        answer = head(&app, path) => panic!("{}", answer.status),
        () = begun() => {}
    }
    until("it is given up", async || names(&app).is_empty()).await;
    // Who leaves takes nothing from those who stay.
    let stays = head(&app, CSV);
    let leaves = async {
        tokio::select! {
            answer = head(&app, CSV) => panic!("{}", answer.status),
            () = begun() => {}
        }
    };
    let (stays, ()) = futures_util::join!(stays, leaves);
    assert_eq!((stays.status, stays.header("accept-ranges")), (200, "bytes"));
}

#[actix_web::test]
async fn a_list_with_conditions_on_figures_is_made_once() {
    let app = App::start().await;
    let condition = "Observations/any(o:o/Periode eq '2026MM06' and o/Value gt 5)";
    let path = format!("/export/y25i10/OmrådeCodes.csv?$filter={condition}");
    let tag = head(&app, &path).await.header("etag").to_owned();
    assert_ne!(tag, "");
    let (made, asked) = (names(&app), app.data_requests());
    let again = app.get_with(&path, &[("If-None-Match", &tag)]).await;
    assert_eq!((again.status, names(&app), app.data_requests()), (304, made, asked));
}

#[actix_web::test]
async fn a_file_that_is_gone_is_made_again() {
    let app = App::start().await;
    let tag = head(&app, CSV).await.header("etag").to_owned();
    fs::remove_file(folder(&app).join(&names(&app)[0])).unwrap();
    let again = app.get(CSV).await;
    assert_eq!((again.status, again.header("etag")), (200, tag.as_str()));
}

#[actix_web::test]
async fn a_file_that_was_changed_is_made_again() {
    let app = App::start().await;
    let tag = head(&app, CSV).await.header("etag").to_owned();
    let whole = app.get(CSV).await.body;
    let mut other = whole.clone();
    other[9] ^= 1;
    for damaged in [&whole[..100], &other[..]] {
        // File systems keep time in steps of some milliseconds.
        tokio::time::sleep(Duration::from_millis(50)).await;
        fs::write(folder(&app).join(&names(&app)[0]), damaged).unwrap();
        let again = app.get(CSV).await;
        assert_eq!((again.status, again.header("etag")), (200, tag.as_str()));
        assert_eq!((again.body, names(&app).len()), (whole.clone(), 1));
    }
}

#[actix_web::test]
async fn what_depends_on_the_time_is_a_new_file_in_the_next_minute() {
    let app = App::start().await;
    let path = "/export/y25i01/Landet.csv?$filter=Fra lt now()&$compute=now() as Nu";
    let first = app.send("HEAD", path, &[]).await;
    assert_eq!((first.status, first.header("accept-ranges")), (200, "bytes"));
    app.clock.advance(Duration::from_secs(5));
    assert_eq!(head(&app, path).await.header("etag"), first.header("etag"));
    app.clock.advance(Duration::from_secs(60));
    assert_ne!(head(&app, path).await.header("etag"), first.header("etag"));
}
