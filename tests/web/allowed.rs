//! The tables of a user: nothing of another table is found at any address.

use std::collections::BTreeSet;

use jobindsats_bridge::catalogue::Catalogue;
use jobindsats_bridge::catalogue::id::MeasurementId;
use jobindsats_bridge::simulator::Faults;

use crate::support::app::{Answer, App};
use crate::support::revised::revise;
use crate::support::signed_in::{SignedIn, basic};

/// Addresses that exist whatever the tables are.
const ADDRESSES: [&str; 44] = [
    "/",
    "/?q=ledige",
    "/?q=dagpenge&sprog=en",
    "/status",
    "/nyt",
    "/nyt?alle=ja",
    "/nyt.atom",
    "/nyt.ics",
    "/nyt.csv",
    "/healthz",
    "/healthz/",
    "/readyz",
    "/readyz/",
    "/metrics",
    "/metrics/",
    "/metrics/indicators",
    "/metrics/indicators/",
    "/api/v1/read",
    "/api/v1/read/",
    "/assets",
    "/assets/page.css",
    "/status/",
    "/odata",
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

/// Those that everybody may read, and everybody's cache may keep.
const OPEN: [&str; 5] = ["/healthz", "/healthz/", "/readyz", "/readyz/", "/assets/page.css"];

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

/// What a text names: ids or titles.
fn named(text: &str, names: &BTreeSet<String>) -> BTreeSet<String> {
    let text = text.to_lowercase();
    names.iter().filter(|name| text.contains(name.as_str())).cloned().collect()
}

/// The titles of tables in lower case, without those that other tables have, too, and those that are a part of one.
fn titles(catalogue: &Catalogue, tables: &BTreeSet<String>) -> BTreeSet<String> {
    let of = |is_wanted: bool| {
        let wanted = move |id: &MeasurementId| tables.contains(id.as_str()) == is_wanted;
        let heads = catalogue.heads.values().filter(move |head| wanted(&head.id));
        heads.map(|head| head.title.to_lowercase())
    };
    let others: Vec<String> = of(false).collect();
    let subjects = || catalogue.subjects.iter().map(|subject| subject.label.to_lowercase());
    let is_elsewhere =
        |title: &String| others.iter().cloned().chain(subjects()).any(|other| other.contains(title.as_str()));
    of(true).filter(|title| !is_elsewhere(title)).collect()
}

/// The addresses that the service has, with what is variable in them as `…`.
fn patterns() -> Vec<String> {
    let source = include_str!("../../src/web/routes.rs");
    let texts = source.split('"').skip(1).step_by(2).filter(|text| text.starts_with('/'));
    texts.map(|text| regex::Regex::new(r"\{[^}]*\}").unwrap().replace_all(text, "…").into_owned()).collect()
}

#[test]
fn no_address_is_forgotten() {
    let asked: Vec<String> = ADDRESSES.into_iter().map(str::to_owned).chain(addresses(READ)).collect();
    let found = patterns();
    assert!(found.len() > 15, "{found:?}");
    for pattern in found {
        let form = regex::escape(&pattern).replace('…', ".+");
        let form = regex::Regex::new(&format!("^{form}$")).unwrap();
        let is_asked = asked.iter().any(|address| form.is_match(address.split('?').next().unwrap()));
        assert!(is_asked, "{pattern} is asked by nobody");
    }
}

#[actix_web::test]
async fn nothing_of_another_table_is_found_at_any_address() {
    let signed = SignedIn::with(|options| options.sync = true).await;
    let app = &signed.app;
    revise(app, HIDDEN, 2);
    revise(app, READ, 2);
    let all: BTreeSet<String> =
        app.service.state.catalogue.current().heads.keys().map(ToString::to_string).collect();
    let allowed: BTreeSet<String> = ["y25i01", "y30r21"].map(str::to_owned).into();
    let hidden: BTreeSet<String> = all.difference(&allowed).cloned().collect();
    let [anne, bo, nobody] = [
        basic("anne", crate::support::signed_in::PASSWORD.as_bytes()),
        basic("", signed.key.as_bytes()),
        basic("", signed.other_key.as_bytes()),
    ];
    let catalogue = app.service.state.catalogue.current();
    let mut found = BTreeSet::new();
    // Who may read everything asks first, so that whatever is kept for others is there.
    for path in ADDRESSES.into_iter().map(str::to_owned).chain(addresses(READ)) {
        let answer = ask(app, &anne, &path).await;
        found.extend(named(&answer.text(), &hidden));
        let (is_table, is_open) = (path.to_lowercase().contains(READ), OPEN.contains(&path.as_str()));
        for (header, secret) in [(&bo, &hidden), (&nobody, &all)] {
            let other = ask(app, header, &path).await;
            let said = other.text().replace(&path, "");
            let secrets: BTreeSet<String> = secret.union(&titles(&catalogue, secret)).cloned().collect();
            let is_asked_for = |name: &String| path.to_lowercase().contains(name.as_str());
            let names: Vec<_> =
                named(&said, &secrets).into_iter().filter(|name| !is_asked_for(name)).collect();
            assert!(names.is_empty(), "{path}: {names:?}");
            if is_table && header == &nobody {
                assert_eq!(other.status, 403, "{path}: {}", other.text());
            } else if path != "/nyt.csv" && header == &bo {
                assert_eq!(other.status, answer.status, "{path}: {}", other.text());
            }
            if other.status != 401 && !is_open {
                assert_eq!(other.header("Cache-Control"), "private, no-cache", "{path}: {}", other.status);
            }
        }
    }
    let (told, secret) = (ask(app, &anne, "/odata/Datasets").await.text(), titles(&catalogue, &hidden));
    assert!(secret.len() > 20, "{secret:?}");
    assert_eq!(named(&told, &secret), secret, "the titles are told to who may read everything");
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
