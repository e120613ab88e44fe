//! The tables of a user: nothing of another table is found at any address.

use std::collections::{BTreeMap, BTreeSet};

use jobindsats_bridge::catalogue::id::{MeasureId, PeriodId};
use jobindsats_bridge::simulator::Faults;
use jobindsats_bridge::store::change::{Changes, FigureChange};

use crate::support::app::{Answer, App};
use crate::support::signed_in::{SignedIn, basic};

/// Addresses that exist whatever the tables are.
const ADDRESSES: [&str; 30] = [
    "/",
    "/?q=ledige",
    "/?q=dagpenge&sprog=en",
    "/status",
    "/nyt",
    "/nyt?alle=ja",
    "/nyt.atom",
    "/nyt.ics",
    "/nyt.csv",
    "/odata/",
    "/odata/$metadata",
    "/odata/$metadata?$format=json",
    "/odata/Datasets",
    "/odata/Datasets?$search=ledige",
    "/odata/Datasets/$count",
    "/odata/Datasets?$apply=groupby((Subject))",
    "/odata/Revisions",
    "/odata/Catalogs",
    "/odata/Subjects",
    "/odata/StatusCodes",
    "/odata/Perioder",
    "/odata/Områder?$top=1",
    "/odata/$all",
    "/odata/Y25I0",
    "/odata/jobindsats/",
    "/odata/jobindsats/y25i0/",
    "/export/y25i0/Landet.csv",
    "/open/JobindsatsBridge.mez",
    "/maaling/y25i0",
    "/nothing",
];

/// Addresses of one table.
const OF_TABLE: [&str; 21] = [
    "/odata/jobindsats/{table}",
    "/odata/jobindsats/{table}/",
    "/odata/jobindsats/{table}/$metadata",
    "/odata/jobindsats/{table}/Data/$count",
    "/odata/jobindsats/{table}/Data?$top=1",
    "/odata/jobindsats/{table}/Properties",
    "/odata/jobindsats/{TABLE}/Data?$top=1",
    "/odata/jobindsats/{table}/Data?$top=1&explain=plan",
    "/odata/{table}?$top=1",
    "/odata/{TABLE}?$top=1",
    "/odata/{table}/$count",
    "/export/{table}/Data.csv?$top=1",
    "/export/{TABLE}/Data.parquet?$top=1",
    "/open/{table}/Data.xlsx?$top=1",
    "/open/{table}/Data.m",
    "/open/{table}/Data.odc",
    "/open/{table}/Data.pbids",
    "/open/samling.xlsx?valg={table}/Data%3F$top=1",
    "/maaling/{table}",
    "/maaling/{TABLE}?kommune=751",
    "/maaling/{table}/byg",
];

const READ: &str = "y25i01";
const HIDDEN: &str = "y25i03";

fn addresses(table: &str) -> Vec<String> {
    OF_TABLE.iter().map(|at| at.replace("{table}", table).replace("{TABLE}", &table.to_uppercase())).collect()
}

async fn ask(app: &App, header: &str, path: &str) -> Answer {
    let accept = if path.starts_with("/odata") { "*/*" } else { "text/html, */*" };
    app.get_with(path, &[("Authorization", header), ("Accept", accept)]).await
}

/// The tables that a text names.
fn named(text: &str, tables: &BTreeSet<String>) -> BTreeSet<String> {
    let text = text.to_lowercase();
    tables.iter().filter(|table| text.contains(table.as_str())).cloned().collect()
}

/// A figure of the table was revised.
fn revise(app: &App, table: &str) {
    let state = &app.service.state;
    let catalogue = state.catalogue.current();
    let measurement = catalogue.measurement(table).unwrap();
    let change = FigureChange {
        period: PeriodId::from("2026M06"),
        members: BTreeMap::new(),
        measure: MeasureId::from(measurement.measures[0].id.as_str()),
        before: Some(1),
        after: Some(2),
    };
    let changes = Changes { figures: vec![change], ..Changes::default() };
    state.feeds.keeper.revisions.note(measurement, &changes, app.clock.now());
}

#[actix_web::test]
async fn nothing_of_another_table_is_found_at_any_address() {
    let signed = SignedIn::with(|options| options.sync = true).await;
    let app = &signed.app;
    revise(app, HIDDEN);
    revise(app, READ);
    let all: BTreeSet<String> =
        app.service.state.catalogue.current().heads.keys().map(ToString::to_string).collect();
    let allowed: BTreeSet<String> = ["y25i01", "y30r21"].map(str::to_owned).into();
    let hidden: BTreeSet<String> = all.difference(&allowed).cloned().collect();
    let [anne, bo, nobody] = [
        basic("anne", crate::support::signed_in::PASSWORD.as_bytes()),
        basic("", signed.key.as_bytes()),
        basic("", signed.other_key.as_bytes()),
    ];
    let mut found = BTreeSet::new();
    // Who may read everything asks first, so that whatever is kept for others is there.
    for path in ADDRESSES.into_iter().map(str::to_owned).chain(addresses(READ)) {
        let answer = ask(app, &anne, &path).await;
        found.extend(named(&answer.text(), &hidden));
        let is_table = path.to_lowercase().contains(READ);
        for (header, secret) in [(&bo, &hidden), (&nobody, &all)] {
            let other = ask(app, header, &path).await;
            let said = other.text().replace(&path, "");
            let is_asked_for = |table: &String| path.to_lowercase().contains(table.as_str());
            let names: Vec<_> =
                named(&said, secret).into_iter().filter(|table| !is_asked_for(table)).collect();
            assert!(names.is_empty(), "{path}: {names:?}");
            if is_table && header == &nobody {
                assert_eq!(other.status, 403, "{path}: {}", other.text());
            } else if path != "/nyt.csv" && allowed.iter().any(|_| header == &bo) {
                assert_eq!(other.status, answer.status, "{path}: {}", other.text());
            }
            if other.status == 200 && !other.header("ETag").is_empty() && !path.starts_with("/open") {
                assert_eq!(other.header("Cache-Control"), "private, no-cache", "{path}");
            }
        }
    }
    assert_eq!(found, hidden, "whoever may read everything finds everything");
    for path in addresses(HIDDEN) {
        let answer = ask(app, &anne, &path).await;
        assert!(answer.status != 403 && answer.status != 401, "{path}");
        for header in [&bo, &nobody] {
            let refused = ask(app, header, &path).await;
            assert_eq!(refused.status, 403, "{path}: {}", refused.text());
            assert!(refused.text().contains("adgang til"), "{path}: {}", refused.text());
        }
    }
}

#[actix_web::test]
async fn what_failed_is_told_to_those_who_may_read_everything() {
    let signed = SignedIn::start().await;
    signed.app.upstream().set_faults(Faults { unauthorized: 100, ..Faults::default() });
    assert_eq!(signed.anne("/odata/jobindsats/y25i03/Landet?$top=1").await.status, 502);
    let told = signed.anne("/status").await.text();
    assert!(told.contains("y25i03"), "{told}");
    let told = signed.keyed(&signed.key, "/status").await.text();
    assert!(!told.contains("y25i03"), "{told}");
}

#[actix_web::test]
async fn a_batch_answers_each_request_as_its_reader_may_read_it() {
    let signed = SignedIn::start().await;
    let part = |id: &str, url: &str| serde_json::json!({"id": id, "method": "GET", "url": url});
    let parts = [
        part("1", "/odata/jobindsats/y25i01/Landet?$top=1"),
        part("2", "/odata/jobindsats/y25i03/Landet?$top=1"),
    ];
    let body = serde_json::json!({"requests": parts}).to_string().into_bytes();
    let header = basic("", signed.key.as_bytes());
    let headers = [
        ("Authorization", header.as_str()),
        ("Content-Type", "application/json"),
        ("Prefer", "continue-on-error"),
    ];
    let answer = signed.app.post("/odata/$batch", &headers, body).await.json();
    assert_eq!(answer["responses"][0]["status"], 200, "{answer}");
    assert_eq!(answer["responses"][1]["status"], 403, "{answer}");
    assert_eq!(answer["responses"][1]["body"]["error"]["code"], "TableNotAllowed");
}
