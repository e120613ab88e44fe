//! Signing in with an account of the organisation: which tokens are believed, what they let read, and what is known of their issuer.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use jobindsats_bridge::clock::Clock;
use jobindsats_bridge::sign_in::issuer::Issuer;
use jobindsats_bridge::sign_in::name::UserName;
use jobindsats_bridge::sign_in::reader::{Account, Identity};
use jobindsats_bridge::sign_in::token::{Accepted, KeySet, TokenError};
use jobindsats_bridge::sign_in::{Credentials, users_file};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::kill::process::{Bridge, everything_in, run};
use crate::support::app::{Answer, morning};
use crate::support::canned::Canned;
use crate::support::issuer::{
    ABSENT, AUDIENCE, AUTHORIZE, EVERYTHING, FakeIssuer, Organisation, SigningKey, UNEMPLOYED,
};
use crate::support::patience::until;

const BASIC: &str = "Basic realm=\"Jobindsats\", charset=\"UTF-8\"";

fn challenges(answer: &Answer) -> Vec<&str> {
    answer.headers.get_all("WWW-Authenticate").iter().map(|value| value.to_str().unwrap()).collect()
}

fn bearer() -> String {
    format!("Bearer authorization_uri={AUTHORIZE}")
}

/// A part of a token.
fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[actix_web::test]
async fn power_query_is_told_where_accounts_sign_in_and_comes_back_with_a_token() {
    let organisation = Organisation::start().await;
    let anonymous = organisation.signed.app.get("/odata/").await;
    assert_eq!(
        (anonymous.status, challenges(&anonymous)),
        (401, vec![BASIC]),
        "nothing is known of the issuer yet"
    );
    let asked = organisation.get_as("/odata/", "Bearer").await;
    assert_eq!((asked.status, asked.code()), (401, "SignInNeeded".to_owned()));
    assert_eq!(challenges(&asked), [bearer()]);
    let anonymous = organisation.signed.app.get("/odata/").await;
    assert_eq!(challenges(&anonymous), [BASIC, &bearer()]);
    let token = organisation.issuer.token(json!({}));
    let let_in = organisation.get("/odata/", &token).await;
    assert_eq!(
        (let_in.status, let_in.header("Cache-Control")),
        (200, "private, no-cache"),
        "{}",
        let_in.text()
    );
    assert!(!let_in.text().contains(&token));
}

#[actix_web::test]
async fn without_passwords_in_the_file_nobody_is_asked_for_one() {
    let organisation = Organisation::start().await;
    let file = organisation.signed.users();
    let groups: String = std::fs::read_to_string(&file)
        .unwrap()
        .split_inclusive('\n')
        .filter(|line| line.contains(":group:"))
        .collect();
    std::fs::write(&file, groups).unwrap();
    assert!(organisation.signed.app.service.reload().is_empty());
    assert_eq!(
        challenges(&organisation.signed.app.get("/odata/").await),
        [BASIC],
        "there is nothing else to say"
    );
    organisation.get_as("/odata/", "Bearer").await;
    assert_eq!(challenges(&organisation.signed.app.get("/odata/").await), [bearer()]);
}

#[actix_web::test]
async fn tokens_are_read_however_the_header_is_spelled() {
    let organisation = Organisation::start().await;
    let token = organisation.issuer.token(json!({}));
    for header in [
        format!("bearer {token}"),
        format!("BEARER   {token}  "),
        format!("Bearer\t{token}"),
        format!("Bearer {}", SigningKey::ec().sign(&organisation.issuer.claims())),
        format!("Bearer {}", organisation.issuer.token(json!({"aud": ["elsewhere", "api://tal"]}))),
    ] {
        assert_eq!(organisation.get_as("/odata/", &header).await.status, 200, "{header}");
    }
    let twice = [format!("Bearer {token}"), format!("Bearer {token}")];
    let twice = [("Authorization", twice[0].as_str()), ("Authorization", &twice[1])];
    let refused = organisation.signed.app.get_with("/odata/", &twice).await;
    assert_eq!((refused.status, refused.code()), (400, "AmbiguousSignIn".to_owned()));
    for path in ["/metrics", "/metrics/indicators"] {
        let refused = organisation.get(path, &token).await;
        assert_eq!(refused.status, 401, "{path}");
        assert!(challenges(&refused)[0].contains("Jobindsats metrics"), "{path}");
    }
}

/// Tokens that the issuer did not sign as they are.
fn forged(issuer: &FakeIssuer) -> Vec<(&'static str, String)> {
    let (rsa, ec, next) = (SigningKey::rsa(), SigningKey::ec(), SigningKey::next());
    let claims = issuer.claims();
    let good = rsa.sign(&claims);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let named = |algorithm, id: &str| Header { kid: Some(id.to_owned()), ..Header::new(algorithm) };
    let public = rsa.public();
    let modulus = URL_SAFE_NO_PAD.decode(public["n"].as_str().unwrap()).unwrap();
    let symmetric = |secret: &[u8], algorithm| {
        encode(&named(algorithm, "rsa"), &claims, &EncodingKey::from_secret(secret).unwrap()).unwrap()
    };
    let unsigned =
        |algorithm: &str| format!("{}.{}", part(&json!({"alg": algorithm, "kid": "rsa"})), part(&claims));
    let ec_token = ec.sign(&claims);
    let ec_signature = ec_token.rsplit('.').next().unwrap();
    let more = issuer.claims_with(json!({"groups": [EVERYTHING]}));
    let bring =
        json!({"alg": "RS256", "kid": "rsa-next", "jwk": next.public(), "jku": "https://elsewhere.example"});
    let brought = encode(&serde_json::from_value(bring).unwrap(), &claims, &next.key).unwrap();
    vec![
        ("HS256 with the public key", symmetric(public.to_string().as_bytes(), Algorithm::HS256)),
        ("HS256 with the modulus", symmetric(&modulus, Algorithm::HS256)),
        (
            "HS512 with the modulus in letters",
            symmetric(public["n"].as_str().unwrap().as_bytes(), Algorithm::HS512),
        ),
        ("none, no signature", unsigned("none") + "."),
        ("None, a signature", format!("{}.{signature}", unsigned("None"))),
        ("no algorithm", format!("{}.{}.{signature}", part(&json!({"kid": "rsa"})), part(&claims))),
        ("no signature", format!("{signed}.")),
        ("two parts", signed.to_owned()),
        ("four parts", format!("{good}.{signature}")),
        ("RS256 with the key of ES256", format!("{}.{ec_signature}", unsigned("RS256"))),
        ("ES256 with the key of RS256", encode(&named(Algorithm::ES256, "rsa"), &claims, &ec.key).unwrap()),
        (
            "RS256 that names the key of ES256",
            encode(&named(Algorithm::RS256, "ec"), &claims, &rsa.key).unwrap(),
        ),
        ("another key under the same id", encode(&rsa.header(), &claims, &next.key).unwrap()),
        ("a key that the token brings", brought),
        ("a key that is not published", next.sign(&claims)),
        (
            "no id, where there are two keys",
            encode(&Header::new(Algorithm::RS256), &claims, &rsa.key).unwrap(),
        ),
        ("claims of another", format!("{header}.{}.{signature}", part(&more))),
        ("padding", format!("{good}=")),
        ("a word", "abc".to_owned()),
        ("dots", "...".to_owned()),
        ("a key", "jb_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned()),
        (
            "critical",
            encode(&Header { crit: Some(vec!["exp".to_owned()]), ..rsa.header() }, &claims, &rsa.key)
                .unwrap(),
        ),
    ]
}

#[actix_web::test]
async fn forged_tokens_are_refused_whatever_algorithm_they_name() {
    let organisation = Organisation::start().await;
    assert_eq!(organisation.get("/odata/", &organisation.issuer.token(json!({}))).await.status, 200);
    for (what, token) in forged(&organisation.issuer) {
        let refused = organisation.get("/odata/", &token).await;
        assert_eq!(
            (refused.status, refused.code()),
            (401, "TokenRefused".to_owned()),
            "{what}: {}",
            refused.text()
        );
        assert_eq!(challenges(&refused), [bearer()], "{what}");
        assert!(!refused.text().contains(&token), "{what}");
    }
}

#[actix_web::test]
async fn what_a_token_says_must_hold_here_and_now() {
    let organisation = Organisation::start().await;
    let (issuer, now) = (&organisation.issuer, morning().timestamp());
    for (claims, refusal) in [
        (json!({"exp": now - 59}), None),
        (json!({"exp": now - 60}), Some("TokenExpired")),
        (json!({"exp": now as f64 + 0.5}), None),
        (json!({"exp": 0}), Some("TokenExpired")),
        (json!({"exp": -1}), Some("TokenRefused")),
        (json!({"exp": 1e300}), Some("TokenRefused")),
        (json!({"exp": "tomorrow"}), Some("TokenRefused")),
        (json!({"exp": null}), Some("TokenRefused")),
        (json!({"nbf": now + 60}), None),
        (json!({"nbf": now + 61}), Some("TokenRefused")),
        (json!({"nbf": null}), None),
        (json!({"iss": issuer.name().trim_end_matches('/')}), Some("TokenRefused")),
        (json!({"iss": "https://sts.windows.net/another/"}), Some("TokenRefused")),
        (json!({"iss": null}), Some("TokenRefused")),
        (json!({"aud": "https://another.example"}), Some("TokenRefused")),
        (json!({"aud": ["https://another.example"]}), Some("TokenRefused")),
        (json!({"aud": []}), Some("TokenRefused")),
        (json!({"aud": format!("{AUDIENCE}/")}), Some("TokenRefused")),
        (json!({"aud": null}), Some("TokenRefused")),
        (json!({"sub": ""}), Some("TokenRefused")),
        (json!({"sub": "x".repeat(256)}), Some("TokenRefused")),
        (json!({"sub": null}), Some("TokenRefused")),
        (json!({"groups": 7}), Some("TokenRefused")),
        (json!({"padding": "x".repeat(11_000)}), None),
        (json!({"padding": "x".repeat(17_000)}), Some("TokenRefused")),
        (json!({"padding": "x".repeat(200_000)}), Some("HeadTooLarge")),
    ] {
        let answer = organisation.get("/odata/", &issuer.token(claims.clone())).await;
        let code = (answer.status != 200).then(|| answer.code());
        assert_eq!(code.as_deref(), refusal, "{:.80}: {:.500}", claims.to_string(), answer.text());
    }
}

#[actix_web::test]
async fn a_token_is_over_when_it_says_so_even_if_it_was_just_believed() {
    let organisation = Organisation::start().await;
    let token = organisation.issuer.token(json!({"exp": morning().timestamp() + 120}));
    assert_eq!(organisation.get("/odata/", &token).await.status, 200);
    organisation.signed.app.clock.advance(Duration::from_secs(179));
    assert_eq!(organisation.get("/odata/", &token).await.status, 200, "clocks may differ by a minute");
    organisation.signed.app.clock.advance(Duration::from_secs(1));
    let over = organisation.get("/odata/", &token).await;
    assert_eq!((over.status, over.code()), (401, "TokenExpired".to_owned()));
    assert_eq!(challenges(&over), [bearer()]);
}

/// The tables of the list, as somebody with such claims reads it.
async fn tables(organisation: &Organisation, claims: Value) -> Vec<String> {
    let answer =
        organisation.get("/odata/Datasets?$select=Identifier", &organisation.issuer.token(claims)).await;
    answer.rows().iter().map(|row| row["Identifier"].as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn groups_and_roles_say_which_tables_are_read() {
    let organisation = Organisation::start().await;
    let all = tables(&organisation, json!({"groups": null, "roles": [EVERYTHING]})).await;
    assert!(all.len() > 10, "{all:?}");
    for (claims, expected) in [
        (json!({}), vec!["y25i01"]),
        (json!({"groups": [ABSENT.to_uppercase(), "unknown", "CN=med, komma"]}), vec!["y30r21"]),
        (json!({"groups": [UNEMPLOYED, ABSENT]}), vec!["y25i01", "y30r21"]),
        (json!({"groups": UNEMPLOYED, "roles": ABSENT}), vec!["y25i01", "y30r21"]),
        (json!({"groups": [UNEMPLOYED], "roles": ["tal.alt"]}), all.iter().map(String::as_str).collect()),
    ] {
        let mut found = tables(&organisation, claims.clone()).await;
        found.sort();
        let mut expected: Vec<_> = expected;
        expected.sort();
        assert_eq!(found, expected, "{claims}");
    }
    let token = organisation.issuer.token(json!({}));
    let forbidden = organisation.get("/odata/jobindsats/y30r21/", &token).await;
    assert_eq!(
        (forbidden.status, forbidden.code()),
        (403, "TableNotAllowed".to_owned()),
        "{}",
        forbidden.text()
    );
    let many: Vec<String> = (0..200).map(|at| format!("{at:08}-170e-4a14-91b3-4b78e0739963")).collect();
    for (claims, code) in [
        (json!({"groups": null}), "GroupUnknown"),
        (json!({"groups": []}), "GroupUnknown"),
        (json!({"groups": many}), "GroupUnknown"),
        (json!({"groups": ["anne", "bo"], "roles": ["ingen"]}), "GroupUnknown"),
        (json!({"groups": null, "_claim_names": {"groups": "src1"}}), "TooManyGroups"),
        (json!({"groups": null, "hasgroups": true}), "TooManyGroups"),
        (json!({"groups": null, "roles": [EVERYTHING], "_claim_names": {"groups": "src1"}}), "TooManyGroups"),
        (json!({"groups": null, "hasgroups": false}), "GroupUnknown"),
        (json!({"groups": null, "_claim_names": {"photo": "src1"}}), "GroupUnknown"),
    ] {
        let refused = organisation.get("/odata/", &organisation.issuer.token(claims.clone())).await;
        assert_eq!((refused.status, refused.code()), (403, code.to_owned()), "{claims}");
    }
}

#[actix_web::test]
async fn a_group_is_no_user() {
    let organisation = Organisation::with(FakeIssuer::start().await, |options| {
        options.settings.trusted_proxies = "127.0.0.1".parse().unwrap();
        options.settings.user_header = Some("x-forwarded-user".parse().unwrap());
    })
    .await;
    let named = organisation.signed.app.get_with("/odata/", &[("X-Forwarded-User", UNEMPLOYED)]).await;
    assert_eq!((named.status, named.code()), (403, "UserUnknown".to_owned()));
    let with_password = crate::support::signed_in::basic(UNEMPLOYED, b"group");
    assert_eq!(organisation.get_as("/odata/", &with_password).await.code(), "SignInRefused");
    let listed: Vec<String> = users_file::Users::read(&organisation.signed.users()).unwrap().list().collect();
    assert!(listed.contains(&format!("{UNEMPLOYED}  group  y25i01")), "{listed:?}");
}

#[actix_web::test]
async fn an_account_is_one_client_however_its_tokens_differ() {
    let account = |subject: &str, groups: &[&str]| {
        let groups = groups.iter().map(|group| UserName::new(group).unwrap()).collect();
        Identity::Account(Account { subject: subject.to_owned(), groups, until: morning() })
    };
    assert_eq!(account("a", &[UNEMPLOYED]).client(), account("a", &[]).client());
    assert_ne!(account("a", &[]).client(), account("A", &[]).client());
    assert_ne!(account("anne", &[]).client(), Identity::User(UserName::new("anne").unwrap()).client());
}

/// Follows next links from the first page of one row each; how many pages there were until one had another status, and that one.
async fn follow(
    organisation: &Organisation,
    path: &str,
    token: &str,
    header: bool,
) -> (usize, Option<Answer>) {
    let (auth, mut pages, mut next) = (format!("Bearer {token}"), 0, Some(path.to_owned()));
    while let Some(link) = next {
        let mut headers = vec![("Prefer", "odata.maxpagesize=1")];
        headers.extend((header || pages == 0).then_some(("Authorization", auth.as_str())));
        let page = organisation.signed.app.get_with(&link, &headers).await;
        if page.status != 200 {
            return (pages, Some(page));
        }
        assert!(!page.text().contains(token), "{}", page.text());
        next = page.json()["@odata.nextLink"].as_str().map(str::to_owned);
        pages += 1;
        organisation.signed.app.clock.advance(Duration::from_secs(60));
    }
    (pages, None)
}

#[actix_web::test]
async fn next_links_go_on_without_the_token_until_it_expires() {
    let organisation = Organisation::start().await;
    let token = organisation.issuer.token(json!({}));
    let path = "/odata/jobindsats/y25i01/Landet?$top=4";
    for header in [true, false] {
        let (pages, refused) = follow(&organisation, path, &token, header).await;
        assert!(pages == 4 && refused.is_none(), "{pages} {refused:?}");
    }
    let soon = organisation.signed.app.clock.now().timestamp() + 150;
    let short = organisation.issuer.token(json!({"exp": soon}));
    let (pages, refused) = follow(&organisation, path, &short, false).await;
    assert_eq!((pages, refused.unwrap().code()), (3, "LinkExpired".to_owned()));
    let auth = format!("Bearer {token}");
    let headers = [("Prefer", "odata.maxpagesize=1"), ("Authorization", auth.as_str())];
    let first = organisation.signed.app.get_with(path, &headers).await;
    let next = first.json()["@odata.nextLink"].as_str().unwrap().to_owned();
    assert_eq!(organisation.signed.app.get(&next).await.status, 200);
    users_file::remove(&organisation.signed.users(), UserName::new(UNEMPLOYED).unwrap()).unwrap();
    assert!(organisation.signed.app.service.reload().is_empty());
    assert_eq!(
        organisation.signed.app.get(&next).await.code(),
        "LinkRefused",
        "the group reads nothing any more"
    );
    assert_eq!(organisation.get(path, &token).await.code(), "GroupUnknown");
}

#[actix_web::test]
async fn new_keys_are_fetched_when_a_token_names_one_and_at_most_once_a_minute() {
    let organisation = Organisation::start().await;
    let (issuer, app) = (&organisation.issuer, &organisation.signed.app);
    let old = issuer.token(json!({}));
    assert_eq!((organisation.get("/odata/", &old).await.status, issuer.fetches()), (200, 1));
    let new = SigningKey::next().sign(&issuer.claims());
    issuer.publish(&[SigningKey::next()]);
    for _ in 0..5 {
        assert_eq!(organisation.get("/odata/", &new).await.code(), "TokenRefused");
    }
    assert_eq!(issuer.fetches(), 1, "the keys were fetched a moment ago");
    app.clock.advance(Duration::from_secs(60));
    assert_eq!(organisation.get("/odata/", &old).await.status, 200, "a key that is known is not asked for");
    assert_eq!((organisation.get("/odata/", &new).await.status, issuer.fetches()), (200, 2));
    assert_eq!(
        organisation.get("/odata/", &old).await.code(),
        "TokenRefused",
        "its key is gone, and what was remembered"
    );
    let unnamed = encode(&Header::new(Algorithm::RS256), &issuer.claims(), &SigningKey::next().key).unwrap();
    assert_eq!(organisation.get("/odata/", &unnamed).await.status, 200, "there is one key alone");
    assert_eq!(issuer.fetches(), 2);
}

/// Public keys with which ES384 and EdDSA are verified.
fn keys_of_other_algorithms() -> [Value; 2] {
    let x = "GLUBXcPfxm0WnDeDtFi4OEGl0LFpp36NQ3RyNiJi5O-wHk3s42WhWTmsBAVCU3HY";
    let y = "SsI-u1-zcEJuY71WyMOMj71ewnmV-ikw0JYrmvHOTIVuDGBmFCZIdVMWim_eLq6M";
    let ed = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    [
        json!({"kty": "EC", "kid": "p384", "crv": "P-384", "x": x, "y": y}),
        json!({"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": ed}),
    ]
}

#[test]
fn keys_of_other_algorithms_are_none() {
    let is_one = |key: &Value| {
        let jwk: Jwk = serde_json::from_value(key.clone()).unwrap();
        assert!(DecodingKey::from_jwk(&jwk).is_ok(), "the crate could verify with {key}");
        !KeySet::read(json!({"keys": [key]}).to_string().as_bytes()).unwrap().is_empty()
    };
    for key in [SigningKey::rsa(), SigningKey::ec()] {
        assert!(is_one(&key.public()), "{}", key.id);
    }
    for key in keys_of_other_algorithms() {
        assert!(!is_one(&key), "{key}");
    }
}

#[actix_web::test]
async fn a_key_signs_only_as_the_issuer_says_and_others_are_passed_over() {
    let issuer = FakeIssuer::start().await;
    let mut keys: Vec<Value> =
        [SigningKey::rsa(), SigningKey::ec(), SigningKey::next()].iter().map(SigningKey::public).collect();
    keys[0]["alg"] = json!("RS256");
    keys[1]["use"] = json!("enc");
    keys.push(json!({"kty": "oct", "kid": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}));
    keys.push(json!({"kty": "EC", "kid": "odd", "crv": "secp256k1", "x": "AA", "y": "AA"}));
    keys.extend(keys_of_other_algorithms());
    keys.extend([json!({"kty": 7}), json!(null), json!({"kid": ["a"], "kty": "RSA"})]);
    issuer.publish_as(&issuer.discovery(), &json!({ "keys": keys }));
    let organisation = Organisation::with(issuer, |_| {}).await;
    let claims = organisation.issuer.claims();
    let sign = |algorithm, id: &str, key: &EncodingKey| {
        encode(&Header { kid: Some(id.to_owned()), ..Header::new(algorithm) }, &claims, key).unwrap()
    };
    let (rsa, next) = (SigningKey::rsa().key, SigningKey::next().key);
    let oct = EncodingKey::from_base64_secret("c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0").unwrap();
    for (token, status) in [
        (sign(Algorithm::RS256, "rsa", &rsa), 200),
        (sign(Algorithm::RS512, "rsa", &rsa), 401),
        (sign(Algorithm::PS256, "rsa", &rsa), 401),
        (sign(Algorithm::RS256, "rsa-next", &next), 200),
        (sign(Algorithm::PS256, "rsa-next", &next), 200),
        (sign(Algorithm::RS384, "rsa-next", &next), 401),
        (sign(Algorithm::RS512, "rsa-next", &next), 401),
        (sign(Algorithm::PS384, "rsa-next", &next), 401),
        (sign(Algorithm::PS512, "rsa-next", &next), 401),
        (sign(Algorithm::ES256, "ec", &SigningKey::ec().key), 401),
        (sign(Algorithm::HS256, "oct", &oct), 401),
    ] {
        let answer = organisation.get("/odata/", &token).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
}

#[actix_web::test]
async fn an_issuer_that_cannot_be_read_keeps_only_its_own_accounts_out() {
    let issuer = FakeIssuer::start().await;
    issuer.fail(Canned::Drop);
    let organisation = Organisation::with(issuer, |_| {}).await;
    let (issuer, app) = (&organisation.issuer, &organisation.signed.app);
    let token = issuer.token(json!({}));
    let others = issuer.discovery().as_object().unwrap().clone();
    let discovery = |name: &str, value: Value| {
        let mut document = others.clone();
        document.insert(name.to_owned(), value);
        Value::Object(document)
    };
    let keys = json!({"keys": [SigningKey::rsa().public()]});
    let wrong: [&dyn Fn(); 9] = [
        &|| issuer.fail(Canned::Drop),
        &|| issuer.fail(Canned::new(500, "no")),
        &|| issuer.fail(Canned::new(302, "").header("Location", "https://elsewhere.example")),
        &|| issuer.fail(Canned::ok("no JSON")),
        &|| issuer.fail(Canned::new(200, vec![b' '; 2 * 1024 * 1024])),
        &|| issuer.publish_as(&discovery("issuer", json!("https://another.example")), &keys),
        &|| issuer.publish_as(&discovery("jwks_uri", json!("http://elsewhere.example/keys")), &keys),
        &|| {
            issuer.publish_as(&discovery("authorization_endpoint", json!("https://a.example/, Basic")), &keys)
        },
        &|| issuer.publish_as(&issuer.discovery(), &json!({"keys": [{"kty": "oct", "k": "AAAA"}]})),
    ];
    for (at, fail) in wrong.iter().enumerate() {
        fail();
        for authorization in [format!("Bearer {token}"), "Bearer".to_owned()] {
            let refused = organisation.get_as("/odata/", &authorization).await;
            assert_eq!((refused.status, refused.code()), (503, "IssuerUnreachable".to_owned()), "{at}");
            assert_eq!(refused.header("Retry-After"), "60");
        }
        assert_eq!(organisation.signed.anne("/odata/").await.status, 200, "{at}");
        assert_eq!(challenges(&app.get("/odata/").await), [BASIC], "{at}");
        app.clock.advance(Duration::from_secs(60));
    }
    issuer.publish(&[SigningKey::rsa()]);
    assert_eq!(organisation.get("/odata/", &token).await.status, 200);
    issuer.fail(Canned::Drop);
    app.clock.advance(Duration::from_secs(1800));
    assert_eq!(
        organisation.get("/odata/", &SigningKey::next().sign(&issuer.claims())).await.code(),
        "TokenRefused"
    );
    assert_eq!(organisation.get("/odata/", &token).await.status, 200, "what was known stays");
}

#[actix_web::test]
async fn a_client_that_leaves_does_not_end_the_fetch_that_it_began() {
    let issuer = FakeIssuer::start().await;
    issuer.slow_down(Duration::from_millis(500));
    let organisation = Organisation::with(issuer, |_| {}).await;
    let token = organisation.issuer.token(json!({}));
    let asked = organisation.get("/odata/", &token);
    assert!(tokio::time::timeout(Duration::from_millis(100), asked).await.is_err(), "it left");
    assert_eq!(organisation.get("/odata/", &token).await.status, 200, "the fetch went on");
    assert_eq!(organisation.issuer.fetches(), 1);
}

#[actix_web::test]
async fn the_documents_are_renewed_every_hour_and_after_a_failure_every_minute() {
    let (fake, clock) = (FakeIssuer::start().await, Clock::fixed(morning()));
    let accepted = Accepted { issuer: fake.name(), audiences: vec![AUDIENCE.to_owned()] };
    let issuer = Arc::new(Issuer::new(accepted, clock.clone()).unwrap());
    fake.fail(Canned::new(500, ""));
    let stop = watch::Sender::new(false);
    let running = tokio::spawn(Arc::clone(&issuer).run(stop.subscribe()));
    let fetched = async |seconds: u64, fetches: usize| {
        clock.advance(Duration::from_secs(seconds));
        until("it sleeps", async || clock.sleepers() == 1).await;
        assert_eq!(fake.fetches(), fetches, "after {seconds} seconds");
    };
    fetched(0, 1).await;
    fetched(59, 1).await;
    assert_eq!(issuer.authorization_endpoint(), None);
    fake.publish(&[SigningKey::rsa()]);
    fetched(1, 2).await;
    assert_eq!(issuer.authorization_endpoint().as_deref(), Some(AUTHORIZE));
    fetched(3599, 2).await;
    fake.fail(Canned::Drop);
    fetched(1, 3).await;
    fetched(60, 4).await;
    assert_eq!(issuer.authorization_endpoint().as_deref(), Some(AUTHORIZE), "a failure changes nothing");
    let token = fake.token(json!({"exp": clock.now().timestamp() + 60})).into();
    assert_eq!(issuer.account(&token).await.unwrap().subject, fake.claims()["sub"]);
    assert_eq!(issuer.account(&"x.y.z".to_owned().into()).await, Err(TokenError::Malformed));
    stop.send(true).unwrap();
    running.await.unwrap();
}

#[actix_web::test]
async fn what_is_set_of_tokens_is_whole_or_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("users");
    let users = ("BRIDGE_USERS_FILE", users.to_str().unwrap());
    let (issuer, audience) =
        (("BRIDGE_TOKEN_ISSUER", "https://login.example/"), ("BRIDGE_TOKEN_AUDIENCE", AUDIENCE));
    let added = run(folder.path(), &["user", "add", UNEMPLOYED, "--group", "--tables", "y25i01"], &[users]);
    assert!(added.0, "{}", added.1);
    assert!(
        run(folder.path(), &["user", "list"], &[users]).1.contains(&format!("{UNEMPLOYED}  group  y25i01"))
    );
    let check = |settings: &[(&str, &str)]| run(folder.path(), &["check"], settings).1;
    for part in [&[users, issuer][..], &[users, audience], &[issuer, audience]] {
        assert!(check(part).contains("BRIDGE_TOKEN_ISSUER and BRIDGE_TOKEN_AUDIENCE: set both"), "{part:?}");
    }
    let in_the_clear = ("BRIDGE_TOKEN_ISSUER", "http://login.example/");
    assert!(check(&[users, in_the_clear, audience]).contains("an address with https"));
    assert!(check(&[users, issuer, audience]).contains("settings: ok"));
}

#[actix_web::test]
async fn tokens_are_in_no_log_answer_file_or_debug_output() {
    let (issuer, folder) = (FakeIssuer::start().await, tempfile::tempdir().unwrap());
    let (data, users) = (folder.path().join("data"), folder.path().join("users"));
    let name = issuer.name();
    let settings = [
        ("BRIDGE_USERS_FILE", users.to_str().unwrap()),
        ("BRIDGE_TOKEN_ISSUER", name.as_str()),
        ("BRIDGE_TOKEN_AUDIENCE", AUDIENCE),
        ("BRIDGE_LOG", "trace"),
        ("BRIDGE_ACCESS_LOG", "text"),
    ];
    assert!(run(&data, &["user", "add", UNEMPLOYED, "--group"], &settings[..1]).0);
    let (log, lines) = (folder.path().join("log"), folder.path().join("lines"));
    let bridge = Bridge::start_tracing(&data, &settings, &log, &lines).await;
    let now = Utc::now().timestamp();
    let right = issuer.token(json!({"nbf": now - 60, "exp": now + 3600}));
    let expired = issuer.token(json!({"nbf": now - 7200, "exp": now - 3600}));
    let foreign = issuer.token(json!({"nbf": now - 60, "exp": now + 3600, "aud": "https://another.example"}));
    let mut answers = String::new();
    for token in [&right, &expired, &foreign] {
        for path in ["/odata/", "/odata/jobindsats/y25i01/Landet?$top=3", "/metrics", "/nyt"] {
            answers += &bridge.whole_answer(path, &format!("Bearer {token}")).await;
        }
        answers += &bridge.whole_answer(&format!("/odata/Datasets?access_token={token}"), "").await;
        answers += &bridge
            .whole_answer(&format!("/odata/{token}?api_key={token}"), &format!("Bearer {right}"))
            .await;
    }
    assert!(answers.contains("200 OK") && answers.contains("TokenExpired"), "{answers}");
    bridge.kill();
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.len() > 10_000, "the log has every level");
    let lines = std::fs::read_to_string(&lines).unwrap();
    let printed = format!("{:?}", Credentials::Token(right.clone().into()));
    let stored = String::from_utf8_lossy(&everything_in(&data)).into_owned();
    assert!(stored.len() > 10_000, "figures are stored");
    for token in [&right, &expired, &foreign] {
        for secret in [token.as_str(), token.rsplit('.').next().unwrap()] {
            for (place, text) in [
                ("log", &log),
                ("lines", &lines),
                ("answers", &answers),
                ("debug", &printed),
                ("files", &stored),
            ] {
                assert!(!text.contains(secret), "a token is in the {place}");
            }
        }
    }
}
