//! How requests show who they are from: `Basic` with a name and a password or a key, or a key as a query option.

use std::borrow::Cow;

use actix_web::http::Uri;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::uri::PathAndQuery;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;

use crate::sign_in::{Evidence, SignInError};

/// The query option that has a key.
const KEY_OPTION: &str = "api_key";
/// Base64 with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What the headers show.
pub fn of_headers(headers: &HeaderMap) -> Evidence {
    let mut values = headers.get_all(header::AUTHORIZATION);
    match (values.next(), values.next()) {
        (Some(value), None) => basic(value).unwrap_or_default(),
        (None, _) => Evidence::Nothing,
        (Some(_), Some(_)) => Evidence::Unreadable(SignInError::Ambiguous),
    }
}

/// Name and password of `Basic`. The password may have colons. Both are UTF-8, or Latin-1 as some clients send it.
fn basic(value: &HeaderValue) -> Option<Evidence> {
    let (scheme, encoded) = value.to_str().ok()?.trim().split_once(' ')?;
    let decoded = BASE64.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let text = String::from_utf8(decoded)
        .unwrap_or_else(|error| error.as_bytes().iter().copied().map(char::from).collect());
    let (name, password) = text.split_once(':')?;
    Some(Evidence::Password { name: name.to_owned(), password: password.to_owned().into() })
}

/// What the values of the key option show; `None` if they are empty.
pub fn of_keys(mut keys: Vec<String>) -> Option<Evidence> {
    keys.retain(|key| !key.is_empty());
    keys.dedup();
    let last = keys.pop()?;
    Some(if keys.is_empty() {
        Evidence::Key(last.into())
    } else {
        Evidence::Unreadable(SignInError::Ambiguous)
    })
}

/// An address without the options that have keys, and these; `None` if it has none.
pub fn without_keys(uri: &Uri) -> Option<(Uri, Vec<String>)> {
    let query = uri.query()?;
    let mut keys = Vec::new();
    let kept = without_key_options(query, &mut keys)?;
    let mut parts = uri.clone().into_parts();
    let target = if kept.is_empty() { uri.path().to_owned() } else { format!("{}?{kept}", uri.path()) };
    parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
    Some((Uri::from_parts(parts).ok()?, keys))
}

/// Query options without those that have keys: nothing repeats them.
pub fn without_key(query: &str) -> Cow<'_, str> {
    without_key_options(query, &mut Vec::new()).map_or(Cow::Borrowed(query), Cow::Owned)
}

/// Query options without those that have keys, which are added to the list; `None` if there are none.
fn without_key_options(query: &str, keys: &mut Vec<String>) -> Option<String> {
    let before = keys.len();
    let mut kept = Vec::new();
    for option in query.split('&') {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let name = percent_decode_str(name).decode_utf8_lossy();
        if name.trim().eq_ignore_ascii_case(KEY_OPTION) {
            keys.push(percent_decode_str(value).decode_utf8_lossy().into_owned());
        } else {
            kept.push(option);
        }
    }
    (keys.len() > before).then(|| kept.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> (String, Vec<String>) {
        let uri: Uri = text.parse().unwrap();
        without_keys(&uri)
            .map_or_else(|| (text.to_owned(), Vec::new()), |(uri, keys)| (uri.to_string(), keys))
    }

    #[test]
    fn keys_are_taken_out_of_addresses_however_they_are_written() {
        for (text, kept, keys) in [
            ("/odata/", "/odata/", vec![]),
            ("/odata/?$top=1", "/odata/?$top=1", vec![]),
            ("/odata/?api_key=a", "/odata/", vec!["a"]),
            ("/odata/?$top=1&api_key=a%2Bb&$skip=2", "/odata/?$top=1&$skip=2", vec!["a+b"]),
            ("/odata/?API%5Fkey=a&api_key=b", "/odata/", vec!["a", "b"]),
            ("http://x/odata/?api_key=a", "http://x/odata/", vec!["a"]),
            ("/odata/?my_api_key=a", "/odata/?my_api_key=a", vec![]),
        ] {
            assert_eq!(uri(text), (kept.to_owned(), keys.into_iter().map(str::to_owned).collect()), "{text}");
        }
    }
}
