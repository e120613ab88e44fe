//! Chooses the protocol version of an answer.

use std::fmt;

use crate::error::{DescribeError, ErrorDescription};

/// A supported version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Version {
    #[default]
    V4,
    V401,
}

impl Version {
    /// The value of the `OData-Version` header.
    #[must_use]
    pub fn header(self) -> &'static str {
        match self {
            Self::V4 => "4.0",
            Self::V401 => "4.01",
        }
    }

    /// What control information begins with: 4.0 names it `@odata.context`, 4.01 `@context`.
    #[must_use]
    pub fn control_prefix(self) -> &'static str {
        match self {
            Self::V4 => "@odata.",
            Self::V401 => "@",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.header())
    }
}

/// Why no supported version satisfies a version header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    #[error("the header {header} has the value `{value}`; expected a version such as `4.0`")]
    Malformed { header: &'static str, value: String },
    #[error("the header {header} asks for version {value}; versions 4.0 and 4.01 are spoken here")]
    NotSpoken { header: &'static str, value: String },
}

impl DescribeError for VersionError {
    fn describe(&self) -> ErrorDescription {
        ErrorDescription::new(
            400,
            "UnsupportedVersion",
            "Broen taler OData 4.0; bed om OData-MaxVersion 4.0 eller nyere.",
        )
        .on("OData-MaxVersion")
    }
}

const MAX_VERSION: &str = "OData-MaxVersion";
const REQUEST_VERSION: &str = "OData-Version";

/// The version to answer with, from the headers `OData-MaxVersion` and `OData-Version`.
///
/// Without `OData-MaxVersion` the answer is 4.0, the oldest supported version, so that a client that sends no header never sees
/// newer constructs. `OData-Version` describes the request and only has to be a supported one.
pub fn negotiate(max: Option<&str>, request: Option<&str>) -> Result<Version, VersionError> {
    if let Some(value) = request {
        let newest = lowest(REQUEST_VERSION, value)?;
        if newest > (4, 1) {
            let (header, value) = (REQUEST_VERSION, value.to_owned());
            return Err(VersionError::NotSpoken { header, value });
        }
    }
    match max {
        Some(value) if lowest(MAX_VERSION, value)? > (4, 0) => Ok(Version::V401),
        _ => Ok(Version::V4),
    }
}

/// The lowest version of a header: proxies join repeated headers with commas.
fn lowest(header: &'static str, value: &str) -> Result<(u32, u32), VersionError> {
    let mut lowest: Option<(u32, u32)> = None;
    for item in value.split(',') {
        let version =
            parse(item).ok_or_else(|| VersionError::Malformed { header, value: value.to_owned() })?;
        lowest = Some(lowest.map_or(version, |found| found.min(version)));
    }
    match lowest {
        Some(version) if version >= (4, 0) => Ok(version),
        _ => Err(VersionError::NotSpoken { header, value: value.to_owned() }),
    }
}

/// Major and minor version; older .NET clients write `4.0;NetFx`.
fn parse(text: &str) -> Option<(u32, u32)> {
    let text = text.split(';').next()?.trim();
    let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| {
        let sound = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        sound.then(|| part.parse().ok()).flatten()
    };
    Some((digits(major)?, digits(minor)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_version_that_the_client_allows_is_spoken() {
        for (max, version) in [
            (None, Version::V4),
            (Some("4.0"), Version::V4),
            (Some("4"), Version::V4),
            (Some(" 4.0 ;NetFx"), Version::V4),
            (Some("4.0,4.0"), Version::V4),
            (Some("4.01, 4.0"), Version::V4),
            (Some("4.01"), Version::V401),
            (Some("5.0"), Version::V401),
        ] {
            assert_eq!(negotiate(max, None), Ok(version), "{max:?}");
        }
    }

    #[test]
    fn a_version_on_a_read_request_changes_nothing() {
        assert_eq!(negotiate(None, Some("4.01")), Ok(Version::V4));
        assert_eq!(negotiate(Some("4.01"), Some("4.0")), Ok(Version::V401));
    }

    #[test]
    fn versions_that_cannot_be_met_are_refused() {
        for value in ["3.0", "0", "2.0;NetFx"] {
            let refused = negotiate(Some(value), None);
            assert!(matches!(refused, Err(VersionError::NotSpoken { .. })), "{value}");
        }
        for value in ["", "four", "4.x", "4.", "-4", "+4.0", "4.0.1", "99999999999.0"] {
            let refused = negotiate(Some(value), None);
            assert!(matches!(refused, Err(VersionError::Malformed { .. })), "{value}");
        }
        assert!(negotiate(None, Some("5.0")).is_err());
        assert!(negotiate(Some("4.0"), Some("3.0")).is_err());
    }
}
