//! Access tokens of an organisation's sign-in (OpenID Connect, OAuth 2.0): what is demanded of one, and what it says of its bearer. A
//! token is a JWT; the crate `jsonwebtoken` checks its signature. The algorithm is one of its key's, whatever the token says.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use crate::error::{DescribeError, ErrorDescription, PAUSE_SECONDS};
use crate::sign_in::name::UserName;
use crate::sign_in::reader::Account;

/// The most bytes of a token. One with two hundred groups, the most that Entra ID lists, has about 12,000.
const LONGEST: usize = 16 * 1024;
/// The most bytes of a subject.
const LONGEST_SUBJECT: usize = 255;
/// By how many seconds the issuer's clock and this machine's may differ.
const LEEWAY: i64 = 60;

/// Which tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Their `iss`, letter by letter.
    pub issuer: String,
    /// What may be in their `aud`.
    pub audiences: Vec<String>,
}

/// Why a token signs nobody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    #[error("the issuer of BRIDGE_TOKEN_ISSUER cannot be asked for its keys; the log says why")]
    NoKeys,
    #[error("the token has more than {LONGEST} bytes")]
    TooLong,
    #[error("the token is no signed JWT with the claims iss, aud, sub and exp")]
    Malformed,
    #[error("the issuer has no key with the id that the token names")]
    UnknownKey,
    #[error("the token's algorithm is none of its key's")]
    Algorithm,
    #[error("the token's signature is not the issuer's")]
    Signature,
    #[error("the token's iss is not BRIDGE_TOKEN_ISSUER")]
    Issuer,
    #[error("the token's aud is not in BRIDGE_TOKEN_AUDIENCE")]
    Audience,
    #[error("the token is not valid yet")]
    Early,
    #[error("the token has expired")]
    Expired,
    #[error(
        "the token lists no groups, because they are too many (_claim_names, hasgroups); let the issuer send only groups that are \
         assigned to the application, or app roles"
    )]
    TooManyGroups,
    #[error("none of the token's groups and roles is in BRIDGE_USERS_FILE")]
    NoGroup,
}

impl DescribeError for TokenError {
    fn describe(&self) -> ErrorDescription {
        match self {
            Self::NoKeys => ErrorDescription::new(
                503,
                "IssuerUnreachable",
                "Organisationens login svarer ikke lige nu; prøv igen om lidt.",
            )
            .again_after(PAUSE_SECONDS),
            Self::TooLong
            | Self::Malformed
            | Self::UnknownKey
            | Self::Algorithm
            | Self::Signature
            | Self::Issuer
            | Self::Audience
            | Self::Early => ErrorDescription::new(
                401,
                "TokenRefused",
                "Dit login med organisationens konto gælder ikke her; log ud og ind igen, eller spørg den, der driver broen.",
            ),
            Self::Expired => ErrorDescription::new(
                401,
                "TokenExpired",
                "Dit login med organisationens konto er udløbet; log ind igen.",
            ),
            Self::TooManyGroups => ErrorDescription::new(
                403,
                "TooManyGroups",
                "Du er med i flere grupper, end organisationens login kan nævne; bed den, der driver broen, om adgang.",
            ),
            Self::NoGroup => ErrorDescription::new(
                403,
                "GroupUnknown",
                "Du er logget ind, men ingen af dine grupper må læse tal her endnu; bed den, der driver broen, om adgang.",
            ),
        }
    }
}

/// What else the crate may find wrong is that the token is no JWT.
impl From<jsonwebtoken::errors::Error> for TokenError {
    fn from(error: jsonwebtoken::errors::Error) -> Self {
        match error.kind() {
            ErrorKind::InvalidSignature => Self::Signature,
            ErrorKind::InvalidAlgorithm => Self::Algorithm,
            ErrorKind::InvalidIssuer => Self::Issuer,
            ErrorKind::InvalidAudience => Self::Audience,
            _ => Self::Malformed,
        }
    }
}

/// The keys with which an issuer signs.
#[derive(Debug, Default)]
pub struct KeySet(Vec<Key>);

/// A public key, and the algorithms that it may be used with.
struct Key {
    id: Option<String>,
    key: DecodingKey,
    algorithms: Vec<Algorithm>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}

impl KeySet {
    /// Reads a JWK set. Keys that sign no tokens, or are of a kind that is not known here, are left out.
    ///
    /// # Errors
    /// When it is no such set.
    pub fn read(json: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let document: Document = serde_json::from_slice(json)?;
        Ok(Self(document.keys.into_iter().filter_map(Key::read).collect()))
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key of an id. A token need not name it if the issuer has one alone.
    fn find(&self, id: Option<&str>) -> Option<&Key> {
        match (id, self.0.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(id), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id)),
        }
    }
}

impl Key {
    fn read(json: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(json).ok()?;
        let is_for_signatures = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
        let may_be = |algorithm: &&Algorithm| {
            jwk.common.key_algorithm.is_none_or(|only| only == KeyAlgorithm::from(**algorithm))
        };
        let algorithms: Vec<Algorithm> = algorithms(&jwk.algorithm).iter().filter(may_be).copied().collect();
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        (is_for_signatures && !algorithms.is_empty()).then_some(Self {
            id: jwk.common.key_id,
            key,
            algorithms,
        })
    }
}

/// What a key of that type signs with: what OpenID Connect demands (RS256), and the two beside it that providers use. A key that both sides
/// know (`oct`) is none of an issuer's for others.
fn algorithms(key: &AlgorithmParameters) -> &'static [Algorithm] {
    use Algorithm::{ES256, PS256, RS256};
    match key {
        AlgorithmParameters::RSA(_) => &[RS256, PS256],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => &[ES256],
        _ => &[],
    }
}

/// What is read of a token, beside `iss` and `aud`, which the crate compares.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    #[serde(default)]
    groups: Names,
    #[serde(default)]
    roles: Names,
    /// Of Entra ID: claims that are too long to be in the token, and where to ask for them.
    #[serde(default, rename = "_claim_names")]
    elsewhere: Option<Value>,
    /// The same, in some of its tokens.
    #[serde(default)]
    hasgroups: Option<Value>,
}

/// One name or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    One(String),
    Several(Vec<String>),
}

impl Default for Names {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Names {
    fn iter(&self) -> std::slice::Iter<'_, String> {
        match self {
            Self::One(name) => std::slice::from_ref(name).iter(),
            Self::Several(names) => names.iter(),
        }
    }
}

impl Claims {
    /// Whether groups are missing because they are too many.
    fn lack_groups(&self) -> bool {
        let named = self.elsewhere.as_ref().and_then(|names| names.get("groups"));
        named.is_some() || self.hasgroups.as_ref().is_some_and(|has| *has != Value::Bool(false))
    }

    /// The groups and roles that the file of users can name.
    fn groups(&self) -> BTreeSet<UserName> {
        self.groups.iter().chain(self.roles.iter()).filter_map(|name| UserName::new(name).ok()).collect()
    }
}

impl Accepted {
    /// Whom a token belongs to.
    ///
    /// # Errors
    /// When it is not to be believed, or does not say which groups its bearer is in.
    pub fn account(
        &self,
        token: &SecretString,
        keys: &KeySet,
        now: DateTime<Utc>,
    ) -> Result<Account, TokenError> {
        let token = token.expose_secret();
        if token.len() > LONGEST {
            return Err(TokenError::TooLong);
        }
        let header = decode_header(token)?;
        let key = keys.find(header.kid.as_deref()).ok_or(TokenError::UnknownKey)?;
        let claims = decode::<Claims>(token, &key.key, &self.validation(key))?.claims;
        let (until, from) = (instant(claims.exp)?, claims.nbf.map(instant).transpose()?);
        if now - TimeDelta::seconds(LEEWAY) >= until {
            return Err(TokenError::Expired);
        }
        if from.is_some_and(|from| now + TimeDelta::seconds(LEEWAY) < from) {
            return Err(TokenError::Early);
        }
        if claims.sub.is_empty() || claims.sub.len() > LONGEST_SUBJECT {
            return Err(TokenError::Malformed);
        }
        if claims.lack_groups() {
            return Err(TokenError::TooManyGroups);
        }
        let groups = claims.groups();
        Ok(Account { subject: claims.sub, groups, until })
    }

    /// What the crate is to demand. It asks the machine for the time, so that times are compared here.
    fn validation(&self, key: &Key) -> Validation {
        let mut validation = Validation { algorithms: key.algorithms.clone(), ..Validation::default() };
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&self.audiences);
        validation
    }
}

/// The instant of a claim, in seconds since 1970.
fn instant(seconds: f64) -> Result<DateTime<Utc>, TokenError> {
    // Too large and too small numbers become the largest and the smallest, which are no instants.
    DateTime::from_timestamp(seconds as i64, 0).ok_or(TokenError::Malformed)
}
