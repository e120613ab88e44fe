//! Signing in: which requests are let in, what the others are told, and what is never repeated.

use std::time::Duration;

use jobindsats_bridge::sign_in::name::UserName;
use jobindsats_bridge::sign_in::reader::Tables;
use jobindsats_bridge::sign_in::secret::{KeyHash, generate_key};
use jobindsats_bridge::sign_in::users_file::{self, Secret, Users};

use crate::kill::process::{Bridge, everything_in, run, run_with_input};
use crate::support::app::{Answer, App};
use crate::support::signed_in::{PASSWORD, SCRAPE_PASSWORD, SignedIn, basic};
use crate::support::zip_part;

#[actix_web::test]
async fn excel_is_asked_for_a_password_and_is_let_in_with_it() {
    let signed = SignedIn::start().await;
    let refused = signed.app.get("/odata/").await;
    assert_eq!((refused.status, refused.code()), (401, "SignInNeeded".to_owned()));
    assert_eq!(refused.header("WWW-Authenticate"), "Basic realm=\"Jobindsats\", charset=\"UTF-8\"");
    let let_in = signed.anne("/odata/").await;
    assert_eq!(let_in.status, 200, "{}", let_in.text());
    assert_eq!(let_in.header("Cache-Control"), "private, no-cache");
    assert!(let_in.headers.get_all("vary").iter().any(|vary| vary == "Authorization"));
    for (name, password) in [("ANNE", PASSWORD), ("anne", "r\u{f8}d: gr\u{f8}d \u{e6}")] {
        let answer =
            signed.app.get_with("/odata/", &[("Authorization", &basic(name, password.as_bytes()))]).await;
        assert_eq!(answer.status, 200, "{name}");
    }
    let latin_1: Vec<u8> = PASSWORD.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect();
    let answer = signed.app.get_with("/odata/", &[("Authorization", &basic("anne", &latin_1))]).await;
    assert_eq!(answer.status, 200, "in Latin-1");
}

#[actix_web::test]
async fn what_is_wrong_is_refused_and_named() {
    let signed = SignedIn::start().await;
    let cyrillic = "\u{430}nne";
    for wrong in [
        basic("anne", b"forkert kode"),
        basic("anne", b""),
        basic("anne", PASSWORD.to_uppercase().as_bytes()),
        basic(cyrillic, PASSWORD.as_bytes()),
        basic("nobody", PASSWORD.as_bytes()),
        basic("bo", PASSWORD.as_bytes()),
        basic("", signed.key.to_lowercase().as_bytes()),
        basic("", signed.key.replace('j', "\u{458}").as_bytes()),
    ] {
        let refused = signed.app.get_with("/odata/", &[("Authorization", &wrong)]).await;
        assert_eq!((refused.status, refused.code()), (401, "SignInRefused".to_owned()), "{wrong}");
        assert!(refused.header("WWW-Authenticate").starts_with("Basic "), "{wrong}");
    }
    for nothing in ["Basic", "Basic %%%", "Basic YW5uZQ==", "Bearer", "Bearer abc", "Negotiate abc", ""] {
        let refused = signed.app.get_with("/odata/", &[("Authorization", nothing)]).await;
        assert_eq!((refused.status, refused.code()), (401, "SignInNeeded".to_owned()), "{nothing}");
    }
    let (right, wrong) = (basic("anne", PASSWORD.as_bytes()), basic("anne", b"forkert kode"));
    let twice = signed.app.get_with("/odata/", &[("Authorization", &right), ("Authorization", &wrong)]).await;
    assert_eq!((twice.status, twice.code()), (400, "AmbiguousSignIn".to_owned()));
    let keys = format!("/odata/?api_key={}&api_key={}", signed.key, signed.other_key);
    assert_eq!(signed.app.get(&keys).await.code(), "AmbiguousSignIn");
}

#[actix_web::test]
async fn a_key_signs_in_as_a_password_and_in_the_address_and_is_never_repeated() {
    let signed = SignedIn::start().await;
    let path = "/odata/jobindsats/y25i01/Landet?$top=3";
    assert_eq!(signed.keyed(&signed.key, path).await.status, 200);
    for address in [format!("{path}&api_key={}", signed.key), format!("{path}&API%5fkey={}", signed.key)] {
        let answer = signed.app.get_with(&address, &[("Prefer", "odata.maxpagesize=1")]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.text().contains("nextLink"));
        assert!(!answer.text().contains(&signed.key));
        assert!(!answer.text().to_lowercase().contains("api_key"));
    }
    let slashed = signed.app.get(&format!("/nyt/?api_key={}&kommune=751", signed.key)).await;
    assert_eq!(slashed.header("Location"), format!("{}/nyt?kommune=751", signed.app.service.url()));
    let page = signed.app.get_with(&format!("/nyt?api_key={}", signed.key), &[("Accept", "text/html")]).await;
    assert_eq!(page.status, 200);
    assert!(!page.text().contains(&signed.key));
    let auth = basic("", signed.key.as_bytes());
    let headers =
        [("Authorization", auth.as_str()), ("Content-Type", "text/plain"), ("Prefer", "maxpagesize=1")];
    let body = format!("$top=3&api_key={}", signed.key).into_bytes();
    let posted = signed.app.post("/odata/jobindsats/y25i01/Landet/$query", &headers, body).await;
    assert!(posted.status == 200 && posted.text().contains("nextLink"), "{}", posted.text());
    assert!(!posted.text().contains(&signed.key));
    let batch = serde_json::json!({"requests": [{"id": "1", "method": "GET",
        "url": format!("Landet?$top=3&api_key={}", signed.key), "headers": {"Prefer": "maxpagesize=1"}}]});
    let headers = [("Authorization", auth.as_str()), ("Content-Type", "application/json")];
    let answer =
        signed.app.post("/odata/jobindsats/y25i01/$batch", &headers, batch.to_string().into_bytes()).await;
    assert!(answer.status == 200 && answer.text().contains("nextLink"), "{}", answer.text());
    assert!(!answer.text().contains(&signed.key));
}

#[actix_web::test]
async fn people_see_a_page_that_asks_them_to_sign_in() {
    let signed = SignedIn::start().await;
    for path in ["/", "/nyt", "/maaling/y25i01", "/nothing"] {
        let page = signed.app.get_with(path, &[("Accept", "text/html")]).await;
        assert_eq!(page.status, 401, "{path}");
        assert!(page.header("Content-Type").starts_with("text/html"), "{path}");
        assert!(page.header("WWW-Authenticate").starts_with("Basic "), "{path}");
        assert!(page.text().contains("Log ind"), "{path}: {}", page.text());
    }
    for open in ["/healthz", "/readyz", "/healthz/"] {
        assert!([200, 308].contains(&signed.app.get(open).await.status), "{open}");
    }
}

#[actix_web::test]
async fn metrics_have_a_password_of_their_own_however_their_address_is_written() {
    let signed = SignedIn::start().await;
    for path in ["/metrics", "/metrics/indicators", "/%6Detrics", "/metrics/%69ndicators", "//metrics"] {
        for header in [basic("anne", PASSWORD.as_bytes()), basic("", signed.key.as_bytes())] {
            let refused = signed.app.get_with(path, &[("Authorization", &header)]).await;
            assert!(!refused.text().contains("# TYPE"), "{path}");
            assert!([401, 404].contains(&refused.status), "{path} {}", refused.status);
        }
    }
    let scraper = basic("prometheus", SCRAPE_PASSWORD.as_bytes());
    for path in ["/metrics", "/metrics/indicators"] {
        assert_eq!(signed.app.get(path).await.status, 401);
        let scraped = signed.app.get_with(path, &[("Authorization", &scraper)]).await;
        assert!(scraped.status == 200 && scraped.text().contains("# TYPE"), "{path}");
        assert_eq!(scraped.header("Cache-Control"), "private, no-cache");
    }
    let read = signed.app.post("/api/v1/read", &[], Vec::new()).await;
    assert_eq!(read.status, 401);
    assert!(read.text().starts_with("Tallene til Prometheus kræver en adgangskode"), "{}", read.text());
    for below in ["/metrics", "/metrics/", "/metrics/nothing", "/metrics/indicators/x"] {
        let refused = signed.anne(below).await;
        assert!(refused.status == 401 && refused.header("WWW-Authenticate").contains("metrics"), "{below}");
        assert_eq!(signed.app.get(below).await.code(), "MetricsPasswordNeeded", "{below}");
    }
    let read = signed.app.post("/api/v1/read/", &[], Vec::new()).await;
    assert!(read.status == 401 && read.header("Content-Type").starts_with("text/plain"), "{}", read.text());
    assert_eq!(signed.app.post("/api/v1/read", &[("Authorization", &scraper)], Vec::new()).await.status, 415);
    assert_eq!(signed.app.get_with("/odata/", &[("Authorization", &scraper)]).await.status, 401);
    let closed = SignedIn::with(|options| options.settings.metrics_password_file = None).await;
    let refused = closed.app.get_with("/metrics", &[("Authorization", &scraper)]).await;
    assert_eq!((refused.status, refused.code()), (401, "MetricsClosed".to_owned()));
}

#[actix_web::test]
async fn wrong_keys_are_few_in_an_hour() {
    let signed = SignedIn::start().await;
    let mut told = Vec::new();
    for guess in 0..70 {
        told.push(signed.app.get(&format!("/odata/?api_key=jb_{guess}")).await.status);
    }
    assert_eq!((told[59], told[60], told[69]), (401, 429, 429));
    assert_eq!(
        signed.app.get("/odata/?api_key=jb_69").await.status,
        429,
        "what is not looked at is not known"
    );
    assert_eq!(signed.app.get("/odata/?api_key=jb_0").await.status, 401);
    let signed = SignedIn::start().await;
    for guess in 0..70 {
        let header = basic("x", format!("gæt {guess}").as_bytes());
        let refused = signed.app.get_with("/metrics", &[("Authorization", &header)]).await;
        assert_eq!(refused.status, if guess < 60 { 401 } else { 429 }, "{guess}");
    }
}

#[actix_web::test]
async fn wrong_guesses_are_few_in_an_hour_and_keep_nobody_else_out() {
    let signed = SignedIn::start().await;
    assert_eq!(signed.anne("/odata/").await.status, 200);
    let same = basic("anne", b"gemt forkert kode");
    for _ in 0..100 {
        let refused = signed.app.get_with("/odata/", &[("Authorization", &same)]).await;
        assert_eq!(refused.status, 401, "a program that repeats one wrong password guesses once");
    }
    for _ in 0..100 {
        let refused = signed.app.get("/odata/?api_key=jb_gammel").await;
        assert_eq!(refused.status, 401, "an old key counts once too");
    }
    for _ in 0..70 {
        let refused = signed.keyed(&signed.key, "/metrics/indicators").await;
        assert_eq!(refused.status, 401);
        assert!(refused.header("WWW-Authenticate").contains("Jobindsats metrics"), "a realm of its own");
    }
    let mut statuses = Vec::new();
    for guess in 0..70 {
        let header = basic("x", format!("jb_{guess}").as_bytes());
        statuses.push(signed.app.get_with("/odata/", &[("Authorization", &header)]).await);
    }
    let refused = statuses.last().unwrap();
    assert_eq!((refused.status, refused.code()), (429, "ClientBudgetExhausted".to_owned()));
    assert!(!refused.header("Retry-After").is_empty());
    let scraper = basic("prometheus", SCRAPE_PASSWORD.as_bytes());
    let scraped = signed.app.get_with("/metrics", &[("Authorization", &scraper)]).await;
    assert_eq!(scraped.status, 429, "whoever has guessed too often is not told that one is right");
    assert_eq!(signed.anne("/odata/").await.status, 200, "who has signed in stays");
    assert_eq!(signed.keyed(&signed.key, "/odata/").await.status, 200, "keys are not guesses");
    signed.app.clock.advance(Duration::from_secs(62 * 60));
    assert_eq!(signed.anne("/odata/").await.status, 200);
}

#[actix_web::test]
async fn users_are_read_again_and_a_broken_line_changes_nothing() {
    let signed = SignedIn::start().await;
    assert_eq!(signed.anne("/odata/").await.status, 200);
    let right = std::fs::read_to_string(signed.users()).unwrap();
    std::fs::write(signed.users(), format!("{right}eva:hemmelig:*\n")).unwrap();
    let faults = signed.app.service.reload();
    assert_eq!(faults.len(), 1);
    let error = faults[0].to_string();
    assert!(error.contains("line 5: the secret is no argon2 hash"), "{error}");
    assert!(!error.contains("hemmelig"), "{error}");
    assert_eq!(signed.anne("/odata/").await.status, 200);
    std::fs::write(signed.users(), &right).unwrap();
    users_file::remove(&signed.users(), UserName::new("Anne").unwrap()).unwrap();
    assert!(signed.app.service.reload().is_empty());
    assert_eq!(signed.anne("/odata/").await.status, 401, "a password is not remembered longer than its user");
    assert_eq!(signed.keyed(&signed.key, "/odata/").await.status, 200);
}

#[actix_web::test]
async fn a_password_of_metrics_that_cannot_be_read_again_stays_and_keeps_no_user() {
    let signed = SignedIn::start().await;
    let scraper = basic("prometheus", SCRAPE_PASSWORD.as_bytes());
    let scrape = async || signed.app.get_with("/metrics", &[("Authorization", &scraper)]).await;
    let is_well = "jobindsats_bridge_config_last_reload_successful 1\n";
    assert!(scrape().await.text().contains(is_well));
    let file = signed.folder.path().join("metrics");
    std::fs::remove_file(&file).unwrap();
    users_file::remove(&signed.users(), UserName::new("anne").unwrap()).unwrap();
    let faults = signed.app.service.reload();
    assert_eq!(faults.len(), 1);
    assert!(faults[0].to_string().contains("BRIDGE_METRICS_PASSWORD_FILE"), "{}", faults[0]);
    let scraped = scrape().await;
    assert_eq!(scraped.status, 200, "the earlier password stays");
    assert!(scraped.text().contains("jobindsats_bridge_config_last_reload_successful 0\n"));
    assert_eq!(signed.anne("/odata/").await.status, 401, "who is no longer a user is none");
    std::fs::write(&file, "en anden kode\n").unwrap();
    assert!(signed.app.service.reload().is_empty());
    assert_eq!(scrape().await.status, 401);
    let changed = basic("prometheus", b"en anden kode");
    let scraped = signed.app.get_with("/metrics", &[("Authorization", &changed)]).await;
    assert!(scraped.text().contains(is_well));
}

#[actix_web::test]
async fn a_password_of_metrics_is_read_again_though_the_users_cannot_be() {
    let signed = SignedIn::start().await;
    let users = std::fs::read_to_string(signed.users()).unwrap();
    let metrics = signed.folder.path().join("metrics");
    let scrape = async |password: &str| {
        let header = basic("prometheus", password.as_bytes());
        signed.app.get_with("/metrics", &[("Authorization", &header)]).await.status
    };
    std::fs::write(signed.users(), "eva:hemmelig:*\n").unwrap();
    std::fs::write(&metrics, "en anden kode\n").unwrap();
    let faults = signed.app.service.reload();
    assert_eq!(faults.len(), 1);
    assert!(faults[0].to_string().contains("BRIDGE_USERS_FILE"), "{}", faults[0]);
    assert_eq!((scrape("en anden kode").await, scrape(SCRAPE_PASSWORD).await), (200, 401));
    assert_eq!(signed.anne("/odata/").await.status, 200, "the earlier users stay");
    std::fs::write(&metrics, "x".repeat(1025)).unwrap();
    let told: Vec<String> = signed.app.service.reload().iter().map(ToString::to_string).collect();
    assert!(told.len() == 2 && told[0].contains("BRIDGE_USERS_FILE"), "{told:?}");
    assert!(told[1].contains("BRIDGE_METRICS_PASSWORD_FILE: the file holds no password"), "{told:?}");
    assert_eq!((scrape("en anden kode").await, scrape("").await), (200, 401));
    std::fs::write(signed.users(), users).unwrap();
    assert_eq!(signed.app.service.reload().len(), 1);
}

#[actix_web::test]
async fn metrics_are_private_and_left_out_of_pages_only_where_they_need_a_password() {
    let link = "href=\"./metrics/indicators\"";
    let page = async |app: &App, header: &str| {
        app.get_with("/", &[("Authorization", header), ("Accept", "text/html")]).await.text()
    };
    let open = App::start().await;
    let scraper = basic("x", b"hvad som helst");
    let scraped = open.get_with("/metrics", &[("Authorization", &scraper)]).await;
    assert_eq!(scraped.status, 200);
    assert_ne!(scraped.header("Cache-Control"), "private, no-cache");
    assert!(page(&open, &scraper).await.contains(link));
    let signed = SignedIn::start().await;
    let signed_page = page(&signed.app, &basic("anne", PASSWORD.as_bytes())).await;
    assert!(signed_page.contains("href=\"./odata/\"") && !signed_page.contains("metrics/"), "{signed_page}");
    let guarded = SignedIn::with(|options| options.settings.users_file = None).await;
    assert_eq!(guarded.app.get("/metrics").await.code(), "MetricsPasswordNeeded");
    assert!(!page(&guarded.app, "").await.contains(link));
}

/// Asks for the first page of a set in pages of one row.
async fn first_page(signed: &SignedIn, path: &str) -> String {
    let header = basic("", signed.key.as_bytes());
    let headers = [("Authorization", header.as_str()), ("Prefer", "odata.maxpagesize=1")];
    let page = signed.app.get_with(path, &headers).await;
    assert_eq!(page.status, 200, "{}", page.text());
    page.json()["@odata.nextLink"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn next_links_go_on_for_an_hour_without_a_password_and_for_nothing_else() {
    let signed = SignedIn::start().await;
    let path = "/odata/jobindsats/y25i01/Kommuner?$filter=contains(Område,'sø') and Periode eq '2026M06'";
    let next = first_page(&signed, path).await;
    let (plain, grant) = next.rsplit_once("&grant=").unwrap();
    for way in [next.clone(), next.replace('ø', "%C3%B8"), format!("{next}&api_key={}", signed.key)] {
        let answer = signed.app.get(&way).await;
        assert_eq!(answer.status, 200, "{way}: {}", answer.text());
        assert_eq!(answer.header("Cache-Control"), "private, no-cache");
    }
    let followed = signed.app.all_rows(&next).await;
    assert!(!followed.is_empty());
    for foreign in [
        format!("{}&grant={grant}", plain.replace("2026M06", "2026M05")),
        format!("{}/odata/Datasets?grant={grant}", signed.app.service.url()),
        format!("{}/odata/jobindsats/y25i02/Landet?grant={grant}", signed.app.service.url()),
        format!("{plain}&grant={}", grant.chars().rev().collect::<String>()),
        format!("{plain}&grant="),
        plain.replacen('&', "%0A", 1) + "&grant=" + grant,
        plain.replacen('&', "%26", 1) + "&grant=" + grant,
    ] {
        let refused = signed.app.get(&foreign).await;
        assert_eq!((refused.status, refused.code()), (401, "LinkRefused".to_owned()), "{foreign}");
        assert!(refused.header("WWW-Authenticate").starts_with("Basic "));
    }
    assert_eq!(signed.app.get(plain).await.code(), "SignInNeeded");
    assert_eq!(signed.app.send("POST", &next, &[]).await.status, 405, "a link is followed, not posted to");
    signed.app.clock.advance(Duration::from_secs(71 * 60));
    let expired = signed.app.get(&next).await;
    assert_eq!((expired.status, expired.code()), (401, "LinkExpired".to_owned()));
    assert_eq!(signed.keyed(&signed.key, &next).await.status, 200, "who signs in needs no grant");
}

#[actix_web::test]
async fn a_chain_of_links_ends_with_its_first_and_signing_in_begins_another() {
    let signed = SignedIn::start().await;
    let path = "/odata/jobindsats/y25i01/Landet?$filter=Periode ge '2025M01'";
    let short = [("Prefer", "odata.maxpagesize=1")];
    let next_of = |answer: &Answer| answer.json()["@odata.nextLink"].as_str().unwrap().to_owned();
    let mut next = first_page(&signed, path).await;
    for _ in 0..6 {
        let followed = signed.app.get_with(&next, &short).await;
        assert_eq!(followed.status, 200, "{}", followed.text());
        next = next_of(&followed);
        signed.app.clock.advance(Duration::from_secs(9 * 60));
    }
    let header = basic("", signed.key.as_bytes());
    let again = signed.app.get_with(&next, &[("Authorization", &header), short[0]]).await;
    let renewed = next_of(&again);
    signed.app.clock.advance(Duration::from_secs(17 * 60));
    assert_eq!(signed.app.get_with(&next, &short).await.code(), "LinkExpired", "it was given 17 minutes ago");
    assert_eq!(signed.app.get_with(&renewed, &short).await.status, 200);
}

#[actix_web::test]
async fn the_link_of_a_removed_user_leads_nowhere_and_those_of_others_go_on() {
    let signed = SignedIn::start().await;
    let next = first_page(&signed, "/odata/jobindsats/y25i01/Landet").await;
    assert!(signed.app.service.state.sign_in.reload().is_empty());
    assert_eq!(signed.app.get(&next).await.status, 200, "reading the users again ends no link");
    users_file::remove(&signed.users(), UserName::new("bo").unwrap()).unwrap();
    assert!(signed.app.service.state.sign_in.reload().is_empty());
    assert_eq!(signed.app.get(&next).await.code(), "LinkRefused");
}

#[actix_web::test]
async fn an_option_cannot_pass_for_several() {
    let signed = SignedIn::start().await;
    let next =
        first_page(&signed, "/odata/jobindsats/y25i01/Kommuner?x=1&$filter=Periode eq '2026M06'").await;
    let (address, options) = next.split_once("x=1&").unwrap();
    assert_eq!(signed.app.get(&next).await.status, 200);
    for separator in ["%0A", "%26", "%2526", "%0B"] {
        let forged =
            format!("{address}x=1{}{}", separator, options.replace("&$skip", &format!("{separator}$skip")));
        let refused = signed.app.get(&forged).await;
        assert_eq!((refused.status, refused.code()), (401, "LinkRefused".to_owned()), "{forged}");
    }
}

#[actix_web::test]
async fn a_new_key_ends_links_that_the_old_one_was_given() {
    let signed = SignedIn::start().await;
    let next = first_page(&signed, "/odata/jobindsats/y25i01/Landet").await;
    let bo = || UserName::new("bo").unwrap();
    users_file::remove(&signed.users(), bo()).unwrap();
    let secret = Secret::Key(KeyHash::of(&generate_key().unwrap()));
    users_file::add(&signed.users(), bo(), &secret, &Tables::All).unwrap();
    assert!(signed.app.service.state.sign_in.reload().is_empty());
    assert_eq!(signed.app.get(&next).await.code(), "LinkRefused");
}

#[actix_web::test]
async fn a_key_in_the_wrong_place_is_repeated_nowhere() {
    let signed = SignedIn::start().await;
    let key = &signed.key;
    let urls = [format!("http://elsewhere/odata/Datasets?api_key={key}"), format!("/odata/{key}")];
    let requests: Vec<_> = urls
        .iter()
        .enumerate()
        .map(|(id, url)| serde_json::json!({ "id": id.to_string(), "method": "GET", "url": url }))
        .collect();
    let body = serde_json::json!({ "requests": requests }).to_string().into_bytes();
    let auth = basic("", key.as_bytes());
    let headers = [("Authorization", auth.as_str()), ("Content-Type", "application/json")];
    let answered = signed.app.post("/odata/$batch", &headers, body).await;
    assert_eq!(answered.status, 200, "{}", answered.text());
    assert!(answered.text().contains("[redacted]") && !answered.text().contains(key), "{}", answered.text());
    let path = format!("/odata/Datasets%3Fapi_key={key}");
    assert!(!signed.keyed(key, &path).await.text().contains(key));
    let choice = format!("/open/samling.xlsx?valg=y25i01%2FLandet%3F%24top%3D2%26api_key%3D{key}");
    let workbook = signed.keyed(key, &choice).await;
    assert_eq!(workbook.status, 200, "{}", workbook.text());
    let texts = zip_part(&workbook.body, "xl/sharedStrings.xml");
    let texts = String::from_utf8_lossy(&texts);
    assert!(texts.contains("Landet") && !texts.contains(key.as_str()), "{texts}");
}

#[actix_web::test]
async fn a_key_within_an_option_of_a_page_is_on_no_page() {
    let signed = SignedIn::start().await;
    let encode = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let choice = format!("y25i01/Landet?$top=2&api_key={}", signed.key);
    let inner = format!("y25i01/byg?valg={}", encode(&choice));
    for (option, value) in [("valg", &choice), ("valg", &inner), ("q", &choice), ("maal", &signed.key)] {
        for value in [encode(value), encode(value).replace("%2D", "-").replace("%5F", "_")] {
            for path in ["/maaling/y25i01/byg", "/maaling/y25i01", "/", "/nyt"] {
                let address = format!("{path}?{option}={value}");
                let header = basic("", signed.key.as_bytes());
                let page = signed
                    .app
                    .get_with(&address, &[("Authorization", &header), ("Accept", "text/html")])
                    .await;
                assert!([200, 400, 404].contains(&page.status), "{address}: {}", page.status);
                let text = page.text();
                for spelled in [&signed.key, &encode(&signed.key), &encode(&encode(&signed.key))] {
                    assert!(!text.contains(spelled.as_str()), "{address}: {text}");
                }
            }
        }
    }
}

#[actix_web::test]
async fn what_is_printed_of_the_service_has_no_secret() {
    let signed = SignedIn::start().await;
    assert_eq!(signed.anne("/odata/").await.status, 200);
    let printed = format!("{:?} {:?}", signed.app.service, Users::read(&signed.users()).unwrap());
    let kept = std::fs::read_to_string(signed.users()).unwrap();
    let hashes = kept.lines().filter_map(|line| line.split(':').nth(1));
    for secret in hashes.chain([PASSWORD, SCRAPE_PASSWORD, &signed.key]) {
        assert!(!printed.contains(secret), "{secret}");
    }
}

#[actix_web::test]
async fn a_password_of_metrics_that_cannot_be_read_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (blank, long) = (folder.path().join("blank"), folder.path().join("long"));
    std::fs::write(&blank, " \n").unwrap();
    std::fs::write(&long, "x".repeat(1025)).unwrap();
    for (path, why) in [
        (folder.path(), "no regular file"),
        (std::path::Path::new("/dev/zero"), "no regular file"),
        (&folder.path().join("none"), "No such file"),
        (&blank, "the file holds no password; expected one line of at most 1024 bytes"),
        (&long, "the file holds no password"),
    ] {
        let settings = [("BRIDGE_METRICS_PASSWORD_FILE", path.to_str().unwrap())];
        let (is_well, said) = run(folder.path(), &["serve"], &settings);
        assert!(!is_well && said.contains("BRIDGE_METRICS_PASSWORD_FILE: ") && said.contains(why), "{said}");
    }
}

#[actix_web::test]
async fn links_that_everybody_may_follow_have_no_grant() {
    let app = App::start().await;
    let page =
        app.get_with("/odata/jobindsats/y25i01/Landet?api_key=x", &[("Prefer", "maxpagesize=1")]).await;
    let next = page.json()["@odata.nextLink"].as_str().unwrap().to_owned();
    assert!(!next.contains("grant") && !next.contains("api_key"), "{next}");
}

#[tokio::test]
async fn passwords_and_keys_are_in_no_log_answer_metric_or_file() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (users, metrics) = (path("users"), path("metrics"));
    let settings = [("BRIDGE_USERS_FILE", users.as_str())];
    let (password, guessed) = ("Kun-For-Anne-4711", "Forkert-Kode-4712");
    assert!(run_with_input(&data, &["user", "add", "anne"], &settings, password).0);
    let said = run(&data, &["user", "add", "bo", "--key"], &settings).1;
    let key = said.lines().find(|line| line.starts_with("jb_")).unwrap().to_owned();
    let scraping = "Kun-For-Prometheus-4713";
    std::fs::write(&metrics, scraping).unwrap();
    let settings = [
        ("BRIDGE_USERS_FILE", users.as_str()),
        ("BRIDGE_METRICS_PASSWORD_FILE", metrics.as_str()),
        ("BRIDGE_LOG", "trace"),
        ("BRIDGE_ACCESS_LOG", "text"),
    ];
    let (log, lines) = (folder.path().join("log"), folder.path().join("lines"));
    let bridge = Bridge::start_tracing(&data, &settings, &log, &lines).await;
    let mut answers = String::new();
    let encoded = |name: &str, secret: &str| basic(name, secret.as_bytes());
    let page = "/odata/jobindsats/y25i01/Landet?$top=3";
    for (path, header) in [
        ("/odata/".to_owned(), encoded("anne", password)),
        (page.to_owned(), encoded("x", &key)),
        (format!("{page}&api_key={key}"), String::new()),
        (format!("/odata/Nothing?api_key={key}&$filter=x"), String::new()),
        (format!("/odata/?api_key={key}x"), String::new()),
        ("/odata/".to_owned(), encoded("anne", guessed)),
        ("/odata/".to_owned(), format!("Bearer {guessed}")),
        ("/nyt".to_owned(), encoded("anne", password)),
        ("/status".to_owned(), encoded("anne", password)),
        ("/export/y25i01/Landet.csv?$top=3".to_owned(), encoded("anne", password)),
        ("/open/y25i01/Landet.m".to_owned(), encoded("", &key)),
        (format!("/nyt/?api_key={key}"), String::new()),
        (format!("/maaling/y25i01/byg?valg=y25i01%2FLandet%3Fapi_key%3D{key}"), encoded("anne", password)),
        (format!("/{key}?q={key}"), encoded("anne", password)),
        ("/metrics".to_owned(), encoded("x", scraping)),
        ("/metrics/indicators".to_owned(), encoded("x", scraping)),
        ("/metrics".to_owned(), encoded("x", guessed)),
    ] {
        answers += &bridge.whole_answer(&path, &header).await;
    }
    bridge.kill();
    let log = std::fs::read(&log).unwrap();
    assert!(log.len() > 10_000, "the log has every level");
    let lines = std::fs::read(&lines).unwrap();
    assert!(String::from_utf8_lossy(&lines).contains("path=/export/y25i01/Landet.csv?$top=3"));
    let stored = everything_in(&data);
    assert!(stored.len() > 10_000, "figures are stored");
    for secret in [password, guessed, &key, scraping] {
        let header = encoded("x", secret);
        let in_basic = &header[header.len() - secret.len() + 4..header.len() - 4];
        for (place, bytes) in
            [("log", &log), ("lines", &lines), ("answers", &answers.clone().into_bytes()), ("files", &stored)]
        {
            let text = String::from_utf8_lossy(bytes);
            for spelled in [secret, in_basic] {
                assert!(!text.contains(spelled), "{secret} is in the {place}");
            }
        }
    }
}
