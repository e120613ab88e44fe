//! How requests show who they are from: `Basic` with a name and a password or a key, `Bearer` with a token, a key as a query option, the
//! grant of a link, or a header of a proxy that has signed somebody in.

use std::borrow::Cow;
use std::net::IpAddr;

use actix_web::http::Uri;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::uri::PathAndQuery;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::budget::client::TrustedProxies;
use crate::sign_in::{Credentials, SignInError};

/// The query option that has a key.
const KEY_OPTION: &str = "api_key";
/// The query option of links that has their grant.
const GRANT_OPTION: &str = "grant";
/// Base64 with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What the headers show.
pub fn of_headers(headers: &HeaderMap) -> Credentials {
    let mut values = headers.get_all(header::AUTHORIZATION);
    match (values.next(), values.next()) {
        (Some(value), None) => authorization(value).unwrap_or_default(),
        (None, _) => Credentials::Nothing,
        (Some(_), Some(_)) => Credentials::Unreadable(SignInError::Ambiguous),
    }
}

/// The user whom a trusted proxy names in its header. The header is taken out, whoever sent it: from others it says nothing. Two of them
/// are refused, because a proxy that adds its own to the client's does not say who has signed in.
pub fn of_proxy(
    headers: &mut HeaderMap,
    header: &str,
    peer: IpAddr,
    proxies: &TrustedProxies,
) -> Option<Credentials> {
    let mut values = headers.remove(header);
    let value = values.next().filter(|_| proxies.contains(peer))?;
    match values.next() {
        Some(_) => Some(Credentials::Unreadable(SignInError::Ambiguous)),
        None if value.is_empty() => None,
        None => Some(Credentials::Named(String::from_utf8_lossy(value.as_bytes()).into_owned())),
    }
}

/// What `Authorization` shows. Power Query sends `Bearer` and no token to be told who signs people in.
fn authorization(value: &HeaderValue) -> Option<Credentials> {
    let text = value.to_str().ok()?.trim();
    let (scheme, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    match scheme.to_ascii_lowercase().as_str() {
        "basic" => basic(rest.trim()),
        "bearer" => Some(Credentials::Token(rest.trim().into())),
        _ => None,
    }
}

/// Name and password of `Basic`. The password may have colons. Both are UTF-8, or Latin-1 as some clients send it.
fn basic(encoded: &str) -> Option<Credentials> {
    let decoded = BASE64.decode(encoded).ok()?;
    let text = String::from_utf8(decoded)
        .unwrap_or_else(|error| error.as_bytes().iter().copied().map(char::from).collect());
    let (name, password) = text.split_once(':')?;
    Some(Credentials::Password { name: name.to_owned(), password: password.to_owned().into() })
}

/// What the options of an address show; `None` if they show nothing.
fn of_options(taken: Taken, uri: &Uri) -> Option<Credentials> {
    let Taken { mut keys, grant, .. } = taken;
    keys.dedup();
    match (keys.pop(), keys.is_empty(), grant) {
        (Some(key), true, _) => Some(Credentials::Key(key.into())),
        (Some(_), false, _) => Some(Credentials::Unreadable(SignInError::Ambiguous)),
        (None, _, Some(grant)) => {
            let target = linked(uri.path(), uri.query().unwrap_or_default());
            Some(Credentials::Link { grant, target })
        }
        (None, ..) => None,
    }
}

/// An address without the options that show who it is from, and what they show, if it has such options.
pub fn of_address(uri: &Uri) -> Option<(Uri, Option<Credentials>)> {
    let taken = Taken::out_of(uri.query()?)?;
    let mut parts = uri.clone().into_parts();
    let path = uri.path();
    let target = if taken.kept.is_empty() { path.to_owned() } else { format!("{path}?{}", taken.kept) };
    parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
    let uri = Uri::from_parts(parts).ok()?;
    let credentials = of_options(taken, &uri);
    Some((uri, credentials))
}

/// Query options without those that show who a request is from: nothing repeats them.
pub fn without_credentials(query: &str) -> Cow<'_, str> {
    Taken::out_of(query).map_or(Cow::Borrowed(query), |taken| Cow::Owned(taken.kept))
}

/// A link with a grant.
pub fn granted(link: &str, grant: &str) -> String {
    format!("{link}&{GRANT_OPTION}={grant}")
}

/// An address below the root of the program as grants are compared: clients encode letters in their own ways. What separates options
/// is encoded within them, so that no option can pass for several.
pub fn linked(path: &str, query: &str) -> String {
    let respelled = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8_lossy();
        utf8_percent_encode(&decoded, NON_ALPHANUMERIC).to_string()
    };
    let options: Vec<String> = query.split('&').map(respelled).collect();
    format!("{}?{}", respelled(path), options.join("&"))
}

/// Query options, with those apart that show who a request is from.
struct Taken {
    /// What is left.
    kept: String,
    keys: Vec<String>,
    grant: Option<String>,
}

impl Taken {
    /// `None` if there are no such options.
    fn out_of(query: &str) -> Option<Self> {
        let (mut kept, mut keys, mut grant) = (Vec::new(), Vec::new(), None);
        for option in query.split('&') {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let name = percent_decode_str(name).decode_utf8_lossy();
            let value = || percent_decode_str(value).decode_utf8_lossy().into_owned();
            match name.trim().to_ascii_lowercase().as_str() {
                KEY_OPTION => keys.push(value()),
                GRANT_OPTION => grant = Some(value()),
                _ => kept.push(option),
            }
        }
        let is_touched = !keys.is_empty() || grant.is_some();
        keys.retain(|key| !key.is_empty());
        is_touched.then(|| Self { kept: kept.join("&"), keys, grant })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> (String, Vec<String>) {
        let uri: Uri = text.parse().unwrap();
        let keys = uri.query().and_then(Taken::out_of).map(|taken| taken.keys).unwrap_or_default();
        (of_address(&uri).map_or_else(|| text.to_owned(), |(uri, _)| uri.to_string()), keys)
    }

    #[test]
    fn keys_are_taken_out_of_addresses_however_they_are_written() {
        for (text, kept, keys) in [
            ("/odata/", "/odata/", vec![]),
            ("/odata/?$top=1", "/odata/?$top=1", vec![]),
            ("/odata/?api_key=a", "/odata/", vec!["a"]),
            ("/odata/?$top=1&api_key=a%2Bb&$skip=2", "/odata/?$top=1&$skip=2", vec!["a+b"]),
            ("/odata/?API%5Fkey=a&api_key=b", "/odata/", vec!["a", "b"]),
            ("/odata/?api_key=&grant=x", "/odata/", vec![]),
            ("http://x/odata/?api_key=a", "http://x/odata/", vec!["a"]),
            ("/odata/?my_api_key=a", "/odata/?my_api_key=a", vec![]),
        ] {
            assert_eq!(uri(text), (kept.to_owned(), keys.into_iter().map(str::to_owned).collect()), "{text}");
        }
    }

    #[test]
    fn a_link_is_the_same_however_its_letters_are_encoded() {
        let one = linked("/odata/Områder", "$filter=Område eq 'Ærø'&x=1");
        assert_eq!(
            linked("/odata/Omr%C3%A5der", "%24filter=Omr%c3%a5de%20eq%20%27%C3%86r%C3%B8%27&x=1"),
            one
        );
        assert_ne!(linked("/odata/Områder", "$filter=Område eq 'Ærø'%26x=1"), one);
        for several in ["x=1%0A$filter=a", "x=1%26$filter=a", "x=1%2526$filter=a"] {
            assert_ne!(linked("/a", several), linked("/a", "x=1&$filter=a"), "{several}");
        }
        assert_ne!(linked("/a%3Fx=1", ""), linked("/a", "x=1"));
    }
}
