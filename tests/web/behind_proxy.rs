//! Users whom a proxy has signed in: it names them in a header, which says nothing if anybody else sends it.

use jobindsats_bridge::sign_in::name::UserName;
use jobindsats_bridge::sign_in::reader::Tables;
use jobindsats_bridge::sign_in::users_file::{self, Secret};

use crate::support::app::{Answer, AppOptions};
use crate::support::signed_in::{PASSWORD, SCRAPE_PASSWORD, SignedIn, basic};

const HEADER: &str = "X-Forwarded-User";

/// A service that takes the word of one proxy: `dorte` reads everything and has neither a password nor a key.
async fn behind(proxies: &str, change: impl FnOnce(&mut AppOptions)) -> SignedIn {
    let signed = SignedIn::with(|options| {
        options.settings.trusted_proxies = proxies.parse().unwrap();
        options.settings.user_header = Some(HEADER.parse().unwrap());
        change(options);
    })
    .await;
    let dorte = UserName::new("dorte@kommune.example").unwrap();
    users_file::add(&signed.users(), dorte, &Secret::None, &Tables::All).unwrap();
    assert!(signed.app.service.reload().is_empty());
    signed
}

async fn named(signed: &SignedIn, name: &str, path: &str) -> Answer {
    signed.app.get_with(path, &[(HEADER, name)]).await
}

fn said(answer: &Answer) -> (u16, String) {
    (answer.status, answer.code())
}

#[actix_web::test]
async fn whom_a_trusted_proxy_names_reads_what_that_user_may() {
    let signed = behind("127.0.0.1", |_| {}).await;
    for name in ["dorte@kommune.example", " Dorte@Kommune.Example "] {
        let answer = named(&signed, name, "/odata/jobindsats/y25i02/Landet?$top=1").await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        assert_eq!(answer.header("Cache-Control"), "private, no-cache");
    }
    assert_eq!(named(&signed, "bo", "/odata/jobindsats/y25i01/Landet?$top=1").await.status, 200);
    let path = "/odata/jobindsats/y25i02/Landet?$top=1";
    assert_eq!(said(&named(&signed, "bo", path).await).0, 403, "the list of tables holds");
    let listed = named(&signed, "bo", "/odata/Datasets").await;
    assert_eq!(listed.rows().len(), 2, "{}", listed.text());
    let next = signed
        .app
        .get_with("/odata/jobindsats/y25i01/Landet", &[(HEADER, "bo"), ("Prefer", "odata.maxpagesize=1")])
        .await;
    let next = next.json()["@odata.nextLink"].as_str().unwrap().to_owned();
    assert_eq!(signed.app.get(&next).await.status, 200, "its links go on");
}

#[actix_web::test]
async fn the_header_says_nothing_from_elsewhere() {
    let signed = behind("192.0.2.1", |_| {}).await;
    let forged = named(&signed, "dorte@kommune.example", "/odata/").await;
    assert_eq!(said(&forged), (401, "SignInNeeded".to_owned()));
    let hops = [(HEADER, "anne"), ("X-Forwarded-For", "192.0.2.1")];
    assert_eq!(signed.app.get_with("/odata/", &hops).await.status, 401, "a forged hop is no proxy");
    let anne = basic("anne", PASSWORD.as_bytes());
    let both = [(HEADER, "bo"), ("Authorization", anne.as_str())];
    let answer = signed.app.get_with("/odata/jobindsats/y25i02/Landet?$top=1", &both).await;
    assert_eq!(answer.status, 200, "who signs in here is not another: {}", answer.text());
    let trusting = SignedIn::with(|options| {
        options.settings.trusted_proxies = "127.0.0.1".parse().unwrap();
    })
    .await;
    assert_eq!(
        named(&trusting, "anne", "/odata/").await.status,
        401,
        "without the setting there is no header"
    );
}

#[actix_web::test]
async fn a_header_that_names_no_single_user_is_refused() {
    let signed = behind("127.0.0.1", |_| {}).await;
    let cyrillic = "dorte@k\u{43e}mmune.example";
    for name in ["nobody", cyrillic, "bo,anne", "bo anne", "bo:x", "*", "jb_x", &"x".repeat(2000)] {
        let refused = named(&signed, name, "/odata/").await;
        assert_eq!(said(&refused), (403, "UserUnknown".to_owned()), "{name}");
        assert_eq!(refused.header("WWW-Authenticate"), "", "a password would not help");
        assert!(!refused.text().contains(name) || name == "*", "{name}");
    }
    assert_eq!(said(&named(&signed, &signed.key, "/odata/").await).0, 403, "a key is no name");
    for twice in [[(HEADER, "anne"), (HEADER, "bo")], [(HEADER, ""), ("x-forwarded-user", "anne")]] {
        assert_eq!(said(&signed.app.get_with("/odata/", &twice).await), (400, "AmbiguousSignIn".to_owned()));
    }
    for nobody in [(HEADER, ""), (HEADER, "  "), ("X_Forwarded_User", "anne"), ("X-Forwarded-User2", "anne")]
    {
        let refused = signed.app.get_with("/odata/", &[nobody]).await;
        assert_eq!(said(&refused), (401, "SignInNeeded".to_owned()), "{nobody:?}");
    }
    let page = signed.app.get_with("/", &[(HEADER, "nobody"), ("Accept", "text/html")]).await;
    assert!(page.status == 403 && page.text().contains("bed den, der driver broen"), "{}", page.text());
}

#[actix_web::test]
async fn whom_the_proxy_names_counts_before_what_the_request_shows() {
    let signed = behind("127.0.0.1", |_| {}).await;
    let (anne, path) = (basic("anne", PASSWORD.as_bytes()), "/odata/jobindsats/y25i02/Landet?$top=1");
    let both = [(HEADER, "bo"), ("Authorization", anne.as_str())];
    assert_eq!(signed.app.get_with(path, &both).await.status, 403);
    assert_eq!(named(&signed, "bo", &format!("{path}&api_key={}", signed.other_key)).await.status, 403);
    let unnamed = [(HEADER, ""), ("Authorization", anne.as_str())];
    assert_eq!(signed.app.get_with(path, &unnamed).await.status, 200, "Excel passes a proxy without a page");
    let dorte = "dorte@kommune.example";
    assert_eq!(named(&signed, dorte, "/metrics").await.status, 401, "metrics are no user's");
    let scraper = basic("x", SCRAPE_PASSWORD.as_bytes());
    assert_eq!(signed.app.get_with("/metrics", &[("Authorization", scraper.as_str())]).await.status, 200);
    for password in ["", "-"] {
        let guess = basic(dorte, password.as_bytes());
        let refused = signed.app.get_with("/odata/", &[("Authorization", &guess)]).await;
        assert_eq!(refused.status, 401, "who has no password signs in with none");
    }
}

#[actix_web::test]
async fn a_user_is_one_client_from_every_address_and_two_behind_one_address_are_two() {
    let signed = behind("127.0.0.1", |options| options.settings.client_calls_per_hour = Some(1)).await;
    let asked = async |name: &str, hop: &str, period: &str| {
        let path = format!("/odata/jobindsats/y25i01/Landet?$filter=Periode eq '{period}'");
        signed.app.get_with(&path, &[(HEADER, name), ("X-Forwarded-For", hop)]).await.status
    };
    assert_eq!(asked("bo", "203.0.113.1", "2026M01").await, 200);
    assert_eq!(asked("BO", "203.0.113.2", "2026M02").await, 429);
    assert_eq!(asked("anne", "203.0.113.1", "2026M03").await, 200);
    assert_eq!(asked("anne", "203.0.113.1", "2026M04").await, 429);
}

/// A block of a configuration: its name, its lines, and the blocks within it.
#[derive(Default)]
struct Block {
    name: String,
    lines: Vec<String>,
    within: Vec<Block>,
}

impl Block {
    /// The blocks of nginx and of Caddy alike: `{` at the end of a line begins one, and `}` on a line of its own ends it.
    fn read(name: &str, lines: &mut dyn Iterator<Item = &str>) -> Self {
        let mut block = Self { name: name.to_owned(), ..Self::default() };
        while let Some(line) = lines.next().map(str::trim).filter(|line| *line != "}") {
            match line.strip_suffix('{') {
                Some(name) => block.within.push(Self::read(name.trim(), lines)),
                None => block.lines.push(line.split_whitespace().collect::<Vec<_>>().join(" ")),
            }
        }
        block
    }

    /// Each block that passes requests on to the bridge, and the lines that say which headers it sends: in nginx those of the blocks
    /// around it hold where it has none of its own.
    fn passing(&self, around: &[String], found: &mut Vec<(String, Vec<String>)>) {
        let sets = |line: &&String| line.starts_with("proxy_set_header ") || line.starts_with("header_up ");
        let own: Vec<String> = self.lines.iter().filter(sets).cloned().collect();
        let headers = if own.is_empty() { around } else { &own };
        let to_bridges = |line: &String| [":8080", "http://bridges"].iter().any(|to| line.contains(to));
        let passes = |line: &String| line.starts_with("proxy_pass http://") && to_bridges(line);
        if self.lines.iter().any(passes) || self.name.starts_with("reverse_proxy ") {
            found.push((self.name.clone(), headers.to_vec()));
        }
        self.within.iter().for_each(|block| block.passing(headers, found));
    }
}

#[test]
fn every_recipe_takes_away_or_sets_the_header_that_names_the_user() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        if !["proxy_pass ", "reverse_proxy "].iter().any(|passes| text.contains(passes)) {
            continue;
        }
        let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.trim().starts_with('#'));
        let mut found = Vec::new();
        Block::read("", &mut lines.into_iter()).passing(&[], &mut found);
        assert!(!found.is_empty(), "{}", path.display());
        let right =
            ["proxy_set_header X-Forwarded-User \"\";", "proxy_set_header X-Forwarded-User $signed_in;"];
        for (name, headers) in found {
            let is_right =
                |line: &String| right.contains(&line.as_str()) || line == "header_up -X-Forwarded-User";
            assert!(headers.iter().any(is_right), "{}, {name}: {headers:?}", path.display());
            let lets_through = text.contains(right[1]) && !text.contains("auth_request_set $signed_in");
            assert!(!lets_through, "{}: nothing says who has signed in", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 6, "{seen}");
}
