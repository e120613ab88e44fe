//! Skip tokens: they say where the next page begins.
//!
//! A token contains the key of the next row rather than an offset, so that a late page costs no more than the first. It belongs to
//! one query and one revision of the data. It is opaque to clients; a checksum detects damage. It needs no signature, because a
//! forged token gives access to nothing that another query would not.

mod binary;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::value::Value;
use crate::error::{DescribeError, ErrorDescription};
use binary::{Reader, Writer};

const FORMAT: u8 = 4;
const CHECKSUM_BYTES: usize = 8;
/// Longer than any token made here; what is longer is not decoded at all.
const MAX_TEXT_BYTES: usize = 16 * 1024;

/// A hash of a text, such as a query's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut bytes = [0; 16];
        for (byte, hashed) in bytes.iter_mut().zip(Sha256::digest(text)) {
            *byte = hashed;
        }
        Self(bytes)
    }
}

/// The state of a download after a page.
#[derive(Debug, Clone, PartialEq)]
pub struct SkipToken {
    pub fingerprint: Fingerprint,
    /// The revision of the data that the first page was read from; lists have none.
    pub revision: Option<String>,
    /// The key of the next page's first row.
    pub first_key: Vec<Value>,
    /// How many rows have been delivered so far, for `$top`.
    pub delivered: u64,
    /// How many rows match, where the first page counted them.
    pub total: Option<u64>,
    /// A hash of the places that rows can stand at, where each page depends on all rows: as an order by figures does.
    pub places: Option<Fingerprint>,
}

/// Why a token cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SkipTokenError {
    #[error("the skip token is damaged; expected one taken unchanged from a next link")]
    Damaged,
    #[error("the skip token has format {found}; expected format {FORMAT}, so the download must begin anew")]
    Format { found: u8 },
    #[error("the skip token belongs to another query; expected the next link unchanged")]
    OtherQuery,
}

impl DescribeError for SkipTokenError {
    fn describe(&self) -> ErrorDescription {
        match self {
            Self::OtherQuery => ErrorDescription::new(
                400,
                "SkipTokenOfAnotherQuery",
                "Sidens $skiptoken hører til en anden forespørgsel; følg det næste link uændret.",
            ),
            Self::Damaged | Self::Format { .. } => ErrorDescription::new(
                400,
                "DamagedSkipToken",
                "Sidens $skiptoken er beskadiget; følg det næste link uændret, eller begynd forfra.",
            ),
        }
        .on("$skiptoken")
    }
}

impl SkipToken {
    /// The token as text that needs no encoding in a URL.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut writer = Writer::default();
        writer.byte(FORMAT);
        writer.raw(&self.fingerprint.0);
        writer.unsigned(self.delivered);
        writer.unsigned(self.total.map_or(0, |total| total.saturating_add(1)));
        writer.bytes(self.revision.as_deref().unwrap_or_default().as_bytes());
        writer.values(&self.first_key);
        writer.bytes(self.places.as_ref().map_or(&[], |places| &places.0));
        Self::sealed(writer.into_bytes())
    }

    /// The text for the bytes of a token: them and their checksum.
    #[must_use]
    pub fn sealed(mut bytes: Vec<u8>) -> String {
        let checksum = checksum(&bytes);
        bytes.extend_from_slice(&checksum);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Decodes a token, which must belong to the query.
    pub fn decode(text: &str, query: Fingerprint) -> Result<Self, SkipTokenError> {
        let bytes = verified(text).ok_or(SkipTokenError::Damaged)?;
        let mut reader = Reader::new(&bytes);
        let format = reader.byte().ok_or(SkipTokenError::Damaged)?;
        if format != FORMAT {
            return Err(SkipTokenError::Format { found: format });
        }
        let token = Self::read(&mut reader).ok_or(SkipTokenError::Damaged)?;
        match token.fingerprint == query {
            true => Ok(token),
            false => Err(SkipTokenError::OtherQuery),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let token = Self {
            fingerprint: Fingerprint(reader.array()?),
            delivered: reader.unsigned()?,
            total: reader.unsigned()?.checked_sub(1),
            revision: Some(reader.text()?.to_owned()).filter(|revision| !revision.is_empty()),
            first_key: reader.values()?,
            places: match reader.bytes()? {
                [] => None,
                places => Some(Fingerprint(places.try_into().ok()?)),
            },
        };
        reader.is_empty().then_some(token)
    }
}

/// The bytes of a token without its checksum, if the checksum is right.
fn verified(text: &str) -> Option<Vec<u8>> {
    if text.len() > MAX_TEXT_BYTES {
        return None;
    }
    let mut bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let length = bytes.len().checked_sub(CHECKSUM_BYTES)?;
    let found = bytes.split_off(length);
    (found == checksum(&bytes)).then_some(bytes)
}

fn checksum(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).into_iter().take(CHECKSUM_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, TimeDelta};
    use proptest::prelude::*;
    use rust_decimal::Decimal;
    use uuid::Uuid;

    use super::*;

    fn token(first_key: Vec<Value>) -> SkipToken {
        SkipToken {
            fingerprint: Fingerprint::of("Hovedtal?$top=5"),
            revision: Some("2026-07-27T08:00:00Z/ø".to_owned()),
            first_key,
            delivered: 10_000,
            total: Some(12_345),
            places: None,
        }
    }

    fn any_instant() -> impl Strategy<Value = DateTime<FixedOffset>> {
        (-62_135_596_800_i64..253_402_300_800, 0..1_000_000_000_u32, -86_399..86_400).prop_map(
            |(seconds, nanos, offset)| {
                let offset = FixedOffset::east_opt(offset).unwrap();
                let utc = DateTime::from_timestamp(seconds, nanos).unwrap();
                utc.with_timezone(&offset)
            },
        )
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Boolean),
            any::<i64>().prop_map(Value::Integer),
            (any::<i64>(), 0..=28_u32)
                .prop_map(|(number, scale)| Value::Decimal(Decimal::new(number, scale))),
            (-1e300..1e300_f64).prop_map(Value::Double),
            any::<String>().prop_map(|text| Value::string(&text)),
            (-100_000..100_000)
                .prop_map(|days| { Value::Date(NaiveDate::from_num_days_from_ce_opt(days).unwrap()) }),
            (0..86_400_u32, 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| {
                let time = NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanos);
                Value::TimeOfDay(time.unwrap())
            }),
            any_instant().prop_map(Value::DateTimeOffset),
            any::<i32>().prop_map(|seconds| Value::Duration(TimeDelta::new(seconds.into(), 7).unwrap())),
            any::<u128>().prop_map(|number| Value::Guid(Uuid::from_u128(number))),
            any::<Vec<u8>>().prop_map(|bytes| Value::Binary(Arc::from(bytes))),
        ];
        scalar.prop_recursive(2, 8, 4, |item| prop::collection::vec(item, 0..4).prop_map(Value::List))
    }

    proptest! {
        #[test]
        fn every_token_reads_back(
            first_key in prop::collection::vec(any_value(), 0..6),
            revision in prop::option::of("\\PC{1,20}"),
            delivered in any::<u64>(),
            places in prop::option::of(".{0,5}"),
        ) {
            let places = places.map(|text| Fingerprint::of(&text));
            let token = SkipToken { revision, delivered, places, ..token(first_key) };
            let text = token.encode();
            prop_assume!(text.len() <= MAX_TEXT_BYTES);
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
            prop_assert_eq!(SkipToken::decode(&text, token.fingerprint), Ok(token));
        }

        #[test]
        fn nonsense_is_never_a_token(text in "\\PC{0,80}") {
            let refused = SkipToken::decode(&text, Fingerprint::of(""));
            prop_assert_eq!(refused, Err(SkipTokenError::Damaged));
        }

        #[test]
        fn whatever_the_checksum_vouches_for_is_read_without_panic(content in any::<Vec<u8>>()) {
            let mut bytes = vec![FORMAT];
            bytes.extend(content);
            let _ = SkipToken::decode(&sealed(bytes), Fingerprint::of(""));
        }
    }

    fn sealed(mut bytes: Vec<u8>) -> String {
        let checksum = checksum(&bytes);
        bytes.extend(checksum);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    #[test]
    fn every_changed_bit_and_every_cut_is_noticed() {
        let token = token(vec![Value::string("2026M06"), Value::Null, Value::Integer(-1)]);
        let text = token.encode();
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let refused = SkipToken::decode(&URL_SAFE_NO_PAD.encode(damaged), token.fingerprint);
            assert_eq!(refused, Err(SkipTokenError::Damaged), "bit {bit}");
        }
        for end in 0..text.len() {
            let refused = SkipToken::decode(&text[..end], token.fingerprint);
            assert_eq!(refused, Err(SkipTokenError::Damaged), "cut at {end}");
        }
    }

    #[test]
    fn a_token_of_another_query_or_format_has_an_error_of_its_own() {
        let token = token(Vec::new());
        let refused = SkipToken::decode(&token.encode(), Fingerprint::of("Hovedtal?$top=6"));
        assert_eq!(refused, Err(SkipTokenError::OtherQuery));
        let newer = sealed(vec![9, 1, 2, 3]);
        let refused = SkipToken::decode(&newer, token.fingerprint);
        assert_eq!(refused, Err(SkipTokenError::Format { found: 9 }));
    }

    #[test]
    fn deep_lists_and_false_lengths_do_not_exhaust_anything() {
        let mut deep = vec![FORMAT];
        deep.extend([0; 16]);
        deep.extend([0, 0, 1]);
        deep.extend([12, 1].repeat(5_000));
        let mut long = vec![FORMAT];
        long.extend([0; 16]);
        long.extend([0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
        for bytes in [deep, long] {
            let refused = SkipToken::decode(&sealed(bytes), Fingerprint([0; 16]));
            assert_eq!(refused, Err(SkipTokenError::Damaged));
        }
        let huge = "A".repeat(10_000_000);
        let refused = SkipToken::decode(&huge, Fingerprint([0; 16]));
        assert_eq!(refused, Err(SkipTokenError::Damaged));
    }
}
