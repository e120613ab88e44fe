//! How requests show who they are from: `Basic` with a name and a password or a key, `Bearer` with a token, a key as a query option, the
//! grant of a link, or a header of a proxy that has signed somebody in.

use std::borrow::Cow;
use std::net::IpAddr;

use actix_web::dev::ServiceRequest;
use actix_web::http::Uri;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::uri::PathAndQuery;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::budget::client::TrustedProxies;
use crate::settings::redact::without_user_secrets;
use crate::sign_in::{Credentials, SignInError};
use crate::web::client;
use crate::web::state::AppState;

/// The query option that has a key.
const KEY_OPTION: &str = "api_key";
/// The query option of links that has their grant.
const GRANT_OPTION: &str = "grant";
/// Base64 with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Takes out of a request what it shows of who it is from, so that nothing logs, keeps or repeats it. Where it shows several things, the
/// first of these counts: whom a trusted proxy has signed in, the key of the address, the `Authorization` header, the grant of the link.
pub fn take(request: &mut ServiceRequest, state: Option<&AppState>) -> Credentials {
    let peer = client::peer(request.peer_addr());
    let headers = request.headers_mut();
    let named =
        state.and_then(|state| of_proxy(headers, state.user_header.as_ref()?.as_str(), peer, &state.proxies));
    let authorization = of_headers(headers);
    headers.remove(header::AUTHORIZATION);
    let (key, link) = match of_address(request.uri()) {
        Some((uri, shown)) => {
            request.match_info_mut().get_mut().update(&uri);
            request.head_mut().uri = uri;
            (shown.key, shown.link)
        }
        None => (None, None),
    };
    named.or(key).or(authorization).or(link).unwrap_or_default()
}

/// What the header `Authorization` shows.
fn of_headers(headers: &HeaderMap) -> Option<Credentials> {
    let mut values = headers.get_all(header::AUTHORIZATION);
    let value = values.next()?;
    match values.next() {
        Some(_) => Some(Credentials::Unreadable(SignInError::Ambiguous)),
        None => authorization(value),
    }
}

/// The user whom a trusted proxy names in its header. The header is taken out, whoever sent it: from others it says nothing. Two of them
/// are refused, because a proxy that adds its own to the client's does not say who has signed in.
fn of_proxy(
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

/// What the options of an address show.
#[derive(Default)]
struct Shown {
    key: Option<Credentials>,
    link: Option<Credentials>,
}

/// An address without the options that show who it is from, and what they show. Other options may have an address in them, and that a key:
/// it shows nothing and is cut out, because pages repeat their options. `None` if there is nothing to take out.
fn of_address(uri: &Uri) -> Option<(Uri, Shown)> {
    let query = uri.query()?;
    let taken = Taken::out_of(query);
    let kept = without_user_secrets(taken.as_ref().map_or(query, |taken| &taken.kept)).into_owned();
    if taken.is_none() && kept == query {
        return None;
    }
    let mut parts = uri.clone().into_parts();
    let path = uri.path();
    let target = if kept.is_empty() { path.to_owned() } else { format!("{path}?{kept}") };
    parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
    let uri = Uri::from_parts(parts).ok()?;
    let shown = taken.map(|taken| taken.shown(&uri)).unwrap_or_default();
    Some((uri, shown))
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
    /// What the options show; `uri` is the address without them.
    fn shown(self, uri: &Uri) -> Shown {
        let Self { mut keys, grant, .. } = self;
        keys.dedup();
        let key = keys.pop().map(|key| match keys.is_empty() {
            true => Credentials::Key(key.into()),
            false => Credentials::Unreadable(SignInError::Ambiguous),
        });
        let target = || linked(uri.path(), uri.query().unwrap_or_default());
        let link = grant.map(|grant| Credentials::Link { grant, target: target() });
        Shown { key, link }
    }

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
    fn a_key_within_another_option_is_cut_out_and_shows_nothing() {
        let key = format!("jb_{}", "a-_Z9".repeat(9).split_at(43).0);
        for (text, kept, keys) in [
            (
                format!("/a?valg=y25i01%2FLandet%3Fapi_key%3D{key}&x=1"),
                "/a?valg=y25i01%2FLandet%3Fapi_key%3D[redacted]&x=1",
                vec![],
            ),
            (format!("/a?valg={key}&api_key=b"), "/a?valg=[redacted]", vec!["b".to_owned()]),
            (format!("/a?api_key={key}"), "/a", vec![key.clone()]),
        ] {
            assert_eq!(uri(&text), (kept.to_owned(), keys), "{text}");
        }
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
