//! Why a request is not signed in, and what it is told.

use thiserror::Error;

use crate::budget::Exhausted;
use crate::error::{DescribeError, ErrorDescription};
use crate::sign_in::token::TokenError;

/// `Retry-After` where it was not a password's turn to be computed.
const BUSY_SECONDS: u64 = 10;

/// Why nobody is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignInError {
    #[error("the request names no user and no key; send Basic credentials, or a key as the option api_key")]
    Missing,
    #[error("the name or the password is wrong, or the key is unknown")]
    Wrong,
    #[error(
        "the request names a user or a key in two ways; send one Authorization header or one api_key, and let a proxy \
         replace the header of BRIDGE_USER_HEADER"
    )]
    Ambiguous,
    #[error("the proxy names somebody who is not in BRIDGE_USERS_FILE")]
    UnknownUser,
    #[error("the link to the next page has expired; ask for the first page again")]
    ExpiredLink,
    #[error(
        "the link to the next page belongs to another address, or was given before the service was restarted"
    )]
    ForeignLink,
    #[error(
        "the request has no password for metrics; send Basic credentials: any name, and the password of \
         BRIDGE_METRICS_PASSWORD_FILE"
    )]
    MetricsPasswordMissing,
    #[error("metrics are closed: users are set, and BRIDGE_METRICS_PASSWORD_FILE is not")]
    MetricsClosed,
    #[error("too many passwords are being looked at")]
    Busy,
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    TooManyGuesses(#[from] Exhausted),
}

impl DescribeError for SignInError {
    fn describe(&self) -> ErrorDescription {
        match self {
            Self::Missing => ErrorDescription::new(
                401,
                "SignInNeeded",
                "Log ind med brugernavn og adgangskode, eller brug en nøgle; den, der driver broen, giver dig dem.",
            ),
            Self::Wrong => ErrorDescription::new(
                401,
                "SignInRefused",
                "Brugernavnet eller adgangskoden er forkert, eller nøglen er ukendt; ret det gemte login, og prøv igen.",
            ),
            Self::Ambiguous => ErrorDescription::new(
                400,
                "AmbiguousSignIn",
                "Der er sendt flere brugere eller nøgler på én gang; send kun én.",
            ),
            Self::UnknownUser => ErrorDescription::new(
                403,
                "UserUnknown",
                "Du er logget ind, men må ikke læse tal her endnu; bed den, der driver broen, om adgang.",
            ),
            Self::ExpiredLink => ErrorDescription::new(
                401,
                "LinkExpired",
                "Linket til næste side er udløbet; hent tallene forfra, eller log ind.",
            ),
            Self::ForeignLink => ErrorDescription::new(
                401,
                "LinkRefused",
                "Linket til næste side gælder ikke her; hent tallene forfra, eller log ind.",
            ),
            Self::MetricsPasswordMissing => ErrorDescription::new(
                401,
                "MetricsPasswordNeeded",
                "Tallene til Prometheus kræver en adgangskode for sig; den, der driver broen, har den.",
            ),
            Self::MetricsClosed => ErrorDescription::new(
                401,
                "MetricsClosed",
                "Tallene til Prometheus har ingen adgangskode endnu; den, der driver broen, skal sætte én.",
            ),
            Self::Busy => {
                ErrorDescription::new(503, "SignInBusy", "Mange logger ind lige nu; prøv igen om lidt.")
                    .again_after(BUSY_SECONDS)
            }
            Self::Token(error) => error.describe(),
            Self::TooManyGuesses(error) => error.describe(),
        }
    }
}
