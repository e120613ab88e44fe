//! An organisation's sign-in on loopback, with keys that are for tests alone, and a service that takes its tokens.

use std::time::Duration;

use jobindsats_bridge::sign_in::name::UserName;
use jobindsats_bridge::sign_in::users_file::{self, Secret};
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::support::app::{Answer, AppOptions, morning};
use crate::support::canned::{Canned, CannedServer};
use crate::support::signed_in::SignedIn;

pub const AUDIENCE: &str = "https://tal.kommune.example";
pub const AUTHORIZE: &str = "https://login.example/kommune/oauth2/authorize";
/// Groups of the file of users: one with `y25i01`, one with `y30r21`, and a role with everything.
pub const UNEMPLOYED: &str = "0760b6cf-170e-4a14-91b3-4b78e0739963";
pub const ABSENT: &str = "3b2b0c93-acd8-4208-8eba-7a48db1cd4c0";
pub const EVERYTHING: &str = "Tal.Alt";

const DISCOVERY: &str = "/.well-known/openid-configuration";
const KEYS: &str = "/keys";

/// A key that signs tokens.
pub struct SigningKey {
    pub id: &'static str,
    pub algorithm: Algorithm,
    pub key: EncodingKey,
}

impl SigningKey {
    pub fn rsa() -> Self {
        let key = EncodingKey::from_rsa_der(include_bytes!("keys/rsa.der"));
        Self { id: "rsa", algorithm: Algorithm::RS256, key }
    }

    /// The one after it.
    pub fn next() -> Self {
        let key = EncodingKey::from_rsa_der(include_bytes!("keys/rsa-next.der"));
        Self { id: "rsa-next", algorithm: Algorithm::RS256, key }
    }

    pub fn ec() -> Self {
        let key = EncodingKey::from_ec_der(include_bytes!("keys/ec.der"));
        Self { id: "ec", algorithm: Algorithm::ES256, key }
    }

    /// What the issuer publishes of it. Entra ID names no algorithm.
    pub fn public(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        jwk.common.key_id = Some(self.id.to_owned());
        jwk.common.key_algorithm = None;
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        serde_json::to_value(jwk).unwrap()
    }

    pub fn header(&self) -> Header {
        Header { kid: Some(self.id.to_owned()), ..Header::new(self.algorithm) }
    }

    pub fn sign(&self, claims: &Value) -> String {
        encode(&self.header(), claims, &self.key).unwrap()
    }
}

/// The issuer.
pub struct FakeIssuer(CannedServer);

impl FakeIssuer {
    /// One that publishes two keys.
    pub async fn start() -> Self {
        let issuer = Self(CannedServer::start([]).await);
        issuer.publish(&[SigningKey::rsa(), SigningKey::ec()]);
        issuer
    }

    /// Its name, with a slash at its end as Entra ID's is.
    pub fn name(&self) -> String {
        format!("{}/", self.0.url)
    }

    /// From now on it has these keys.
    pub fn publish(&self, keys: &[SigningKey]) {
        let keys: Vec<Value> = keys.iter().map(SigningKey::public).collect();
        self.publish_as(&self.discovery(), &json!({ "keys": keys }));
    }

    pub fn publish_as(&self, discovery: &Value, keys: &Value) {
        self.0.instead([(DISCOVERY, Canned::ok(discovery)), (KEYS, Canned::ok(keys))]);
    }

    pub fn discovery(&self) -> Value {
        json!({
            "issuer": self.name(),
            "authorization_endpoint": AUTHORIZE,
            "jwks_uri": format!("{}{KEYS}", self.0.url),
            "token_endpoint": "https://login.example/kommune/oauth2/token",
        })
    }

    /// From now on its discovery document comes after a while.
    pub fn slow_down(&self, by: Duration) {
        let keys = json!({"keys": [SigningKey::rsa().public()]});
        self.0.instead([(DISCOVERY, Canned::ok(self.discovery()).slow(by)), (KEYS, Canned::ok(keys))]);
    }

    /// From now on it does this instead of an answer.
    pub fn fail(&self, canned: Canned) {
        self.0.instead([("/", canned)]);
    }

    /// How often its discovery document was fetched.
    pub fn fetches(&self) -> usize {
        let is_discovery = |request: &&String| request.starts_with(&format!("GET /v3{DISCOVERY} "));
        self.0.requests().iter().filter(is_discovery).count()
    }

    /// What a token says of somebody in a group, an hour long.
    pub fn claims(&self) -> Value {
        let now = morning().timestamp();
        json!({
            "iss": self.name(), "aud": AUDIENCE, "sub": "3OBtLXUC2ZrN_ADLNjW9X4o0lcd61py7lgHw3Skh77s",
            "iat": now - 300, "nbf": now - 300, "exp": now + 3600, "groups": [UNEMPLOYED],
        })
    }

    /// The same with other claims; null removes one.
    pub fn claims_with(&self, changes: Value) -> Value {
        let mut claims = self.claims();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => claims.as_object_mut().unwrap().remove(name),
                value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        claims
    }

    /// A token with such claims.
    pub fn token(&self, changes: Value) -> String {
        SigningKey::rsa().sign(&self.claims_with(changes))
    }
}

/// A service that takes the tokens of an issuer.
pub struct Organisation {
    pub signed: SignedIn,
    pub issuer: FakeIssuer,
}

impl Organisation {
    pub async fn start() -> Self {
        Self::with(FakeIssuer::start().await, |_| {}).await
    }

    pub async fn with(issuer: FakeIssuer, change: impl FnOnce(&mut AppOptions)) -> Self {
        let name = issuer.name();
        let signed = SignedIn::with(|options| {
            let settings = &mut options.settings;
            settings.token_issuer = Some(name);
            settings.token_audience = vec!["api://tal".to_owned(), AUDIENCE.to_owned()];
            for (group, tables) in [(UNEMPLOYED, "y25i01"), (ABSENT, "y30r21"), (EVERYTHING, "*")] {
                let (path, tables) = (settings.users_file.as_ref().unwrap(), users_file::read_tables(tables));
                users_file::add(path, UserName::new(group).unwrap(), &Secret::Group, &tables.unwrap())
                    .unwrap();
            }
            change(options);
        });
        Self { signed: signed.await, issuer }
    }

    /// Asks with a token.
    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.get_as(path, &format!("Bearer {token}")).await
    }

    /// Asks with an `Authorization`.
    pub async fn get_as(&self, path: &str, authorization: &str) -> Answer {
        self.signed.app.get_with(path, &[("Authorization", authorization)]).await
    }
}
