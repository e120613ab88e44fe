//! Content negotiation: chooses an answer's representation from `Accept` and `$format`.
//!
//! Parses media ranges as clients really write them and makes the `Content-Type` of the answer. Two rules go before the quality
//! values: `$metadata` is XML unless a client accepts only JSON, because Excel prefers JSON in its `Accept` and then fails to read
//! it; and a range with unknown parameters is ignored, not refused.

use std::cmp::Reverse;

use crate::error::{DescribeError, ErrorDescription};

/// What is being negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    ServiceDocument,
    /// Entities, properties and everything else that is JSON only.
    Data,
    Metadata,
    /// The digits of `/$count`.
    Count,
    /// The text of `/$value`.
    RawValue,
}

/// The format of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    Xml,
    Text,
}

/// How much control information a JSON answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MetadataLevel {
    None,
    #[default]
    Minimal,
    Full,
}

/// The outcome of a negotiation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    pub format: Format,
    pub metadata: MetadataLevel,
    /// Whether `Edm.Int64` and `Edm.Decimal` are written as strings.
    pub ieee754_compatible: bool,
    /// The value of the `Content-Type` header.
    pub content_type: String,
}

/// Why no representation is acceptable to the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NegotiationError {
    #[error("the Accept header `{accept}` matches nothing that is offered here; offered: {offered}")]
    Accept { accept: String, offered: &'static str },
    #[error("$format names `{format}`, which is not offered here; offered: {offered}")]
    Format { format: String, offered: &'static str },
}

impl DescribeError for NegotiationError {
    fn describe(&self) -> ErrorDescription {
        match self {
            Self::Accept { .. } => ErrorDescription::new(
                406,
                "NotAcceptable",
                "Svaret findes ikke i det format, der bedes om; bed om application/json.",
            )
            .on("Accept"),
            Self::Format { .. } => ErrorDescription::new(
                406,
                "NotAcceptable",
                "Svaret findes ikke i det format, der bedes om; skriv $format=json, eller udelad $format.",
            )
            .on("$format"),
        }
    }
}

const JSON: &str = "application/json";
const XML: &str = "application/xml";
const TEXT: &str = "text/plain";

/// Chooses the representation; `$format` takes precedence over `Accept`. The caller joins several `Accept` headers with commas.
pub fn negotiate(
    accept: Option<&str>,
    format: Option<&str>,
    kind: Kind,
) -> Result<Negotiated, NegotiationError> {
    match kind {
        Kind::Count => return Ok(text(TEXT)),
        // Without the charset, HTTP libraries decode Danish letters as Latin-1.
        Kind::RawValue => return Ok(text("text/plain;charset=utf-8")),
        Kind::ServiceDocument | Kind::Data | Kind::Metadata => {}
    }
    if let Some(format) = format {
        return by_format(format, kind);
    }
    let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else {
        return Ok(Parameters::default().answer(default_format(kind)));
    };
    by_accept(accept, kind)
        .ok_or_else(|| NegotiationError::Accept { accept: accept.to_owned(), offered: offered(kind) })
}

fn default_format(kind: Kind) -> Format {
    match kind {
        Kind::Metadata => Format::Xml,
        Kind::ServiceDocument | Kind::Data => Format::Json,
        Kind::Count | Kind::RawValue => Format::Text,
    }
}

fn offered(kind: Kind) -> &'static str {
    match kind {
        Kind::Metadata => "application/xml, application/json",
        Kind::ServiceDocument | Kind::Data => JSON,
        Kind::Count | Kind::RawValue => TEXT,
    }
}

fn by_format(format: &str, kind: Kind) -> Result<Negotiated, NegotiationError> {
    let refused = || NegotiationError::Format { format: format.to_owned(), offered: offered(kind) };
    let range = MediaRange::parse(format).ok_or_else(refused)?;
    let chosen = match range.media_type.as_str() {
        "json" | JSON => Format::Json,
        "xml" | XML if kind == Kind::Metadata => Format::Xml,
        _ => return Err(refused()),
    };
    let parameters = range.parameters(chosen).ok_or_else(refused)?;
    Ok(parameters.answer(chosen))
}

fn by_accept(accept: &str, kind: Kind) -> Option<Negotiated> {
    let ranges: Vec<MediaRange> = split(accept, ',').into_iter().filter_map(MediaRange::parse).collect();
    match kind {
        Kind::Metadata => best(&ranges, Format::Xml).or_else(|| best(&ranges, Format::Json)),
        _ => best(&ranges, Format::Json),
    }
}

/// The outcome for the best range that matches the format: highest quality, then most specific, then first.
fn best(ranges: &[MediaRange], format: Format) -> Option<Negotiated> {
    let refused =
        ranges.iter().any(|range| range.quality == 0 && range.names(format) && range.parameters.is_empty());
    let matching = ranges.iter().filter_map(|range| {
        let fits = range.names(format) || (range.is_wildcard_for(format) && !refused);
        if range.quality == 0 || !fits {
            return None;
        }
        Some((range, range.parameters(format)?))
    });
    let (_, parameters) = matching.min_by_key(|(range, _)| {
        let specific = (range.names(format), range.parameters.len());
        Reverse((range.quality, specific))
    })?;
    Some(parameters.answer(format))
}

/// One element of `Accept`, or the value of `$format`. Type and parameter names are in lower case.
struct MediaRange {
    media_type: String,
    parameters: Vec<(String, String)>,
    /// In thousandths.
    quality: u16,
}

impl MediaRange {
    /// Parses one range; `None` for a malformed one, which is ignored.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = split(text, ';').into_iter();
        let media_type = parts.next()?.trim().to_ascii_lowercase();
        let mut range = Self { media_type, parameters: Vec::new(), quality: 1000 };
        for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=')?;
            let name = name.trim().to_ascii_lowercase();
            let value = value.trim().trim_matches('"').to_owned();
            match name.as_str() {
                "q" => range.quality = quality(&value)?,
                _ => range.parameters.push((name, value)),
            }
        }
        (!range.media_type.is_empty()).then_some(range)
    }

    fn names(&self, format: Format) -> bool {
        self.media_type
            == match format {
                Format::Json => JSON,
                Format::Xml => XML,
                Format::Text => TEXT,
            }
    }

    /// Whether the range matches any type. Old Java clients write a single `*`.
    fn is_wildcard_for(&self, format: Format) -> bool {
        match self.media_type.as_str() {
            "*/*" | "*" => true,
            "application/*" => format != Format::Text,
            "text/*" => format == Format::Text,
            _ => false,
        }
    }

    /// The known parameters; `None` if one is unknown.
    fn parameters(&self, format: Format) -> Option<Parameters> {
        let mut parameters = Parameters::default();
        for (name, value) in &self.parameters {
            parameters.read(name, value, format)?;
        }
        Some(parameters)
    }
}

/// Thousandths of a quality value between 0 and 1.
fn quality(text: &str) -> Option<u16> {
    let value: f32 = text.parse().ok()?;
    // Between 0 and 1, so the cast cannot overflow.
    (0.0..=1.0).contains(&value).then_some((value * 1000.0) as u16)
}

/// Splits at a separator outside quoted strings.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    text.split(move |next| {
        quoted ^= next == '"';
        next == separator && !quoted
    })
    .collect()
}

/// The parameters of a range.
#[derive(Default)]
struct Parameters {
    metadata: MetadataLevel,
    ieee754_compatible: bool,
    /// Whether the metadata parameter was written without its prefix, as 4.01 allows.
    short_metadata: bool,
    /// The other known parameters, as the answer's `Content-Type` repeats them.
    echo: String,
}

impl Parameters {
    fn read(&mut self, name: &str, value: &str, format: Format) -> Option<()> {
        let lower = value.to_ascii_lowercase();
        let short = name.strip_prefix("odata.").unwrap_or(name);
        match (short, lower.as_str(), format) {
            ("charset", "utf-8" | "utf8", _) => self.echo.push_str(";charset=utf-8"),
            ("metadata", level, Format::Json) => {
                self.metadata = metadata_level(level)?;
                self.short_metadata = short == name;
            }
            ("ieee754compatible", "true" | "false", Format::Json) => {
                self.ieee754_compatible = lower == "true";
                self.echo_flag("IEEE754Compatible", &lower);
            }
            // Permits exponents, but does not require them: digits alone are always allowed.
            ("exponentialdecimals", "true" | "false", Format::Json) => {
                self.echo_flag("ExponentialDecimals", &lower);
            }
            ("streaming", "true" | "false", Format::Json) => self.echo_flag(name, &lower),
            _ => return None,
        }
        Some(())
    }

    fn echo_flag(&mut self, name: &str, value: &str) {
        self.echo.extend([";", name, "=", value]);
    }

    fn answer(&self, format: Format) -> Negotiated {
        let content_type = match format {
            Format::Json => {
                let prefix = if self.short_metadata { "" } else { "odata." };
                let level = match self.metadata {
                    MetadataLevel::None => "none",
                    MetadataLevel::Minimal => "minimal",
                    MetadataLevel::Full => "full",
                };
                format!("{JSON};{prefix}metadata={level}{}", self.echo)
            }
            Format::Xml => format!("{XML}{}", self.echo),
            Format::Text => TEXT.to_owned(),
        };
        Negotiated {
            format,
            metadata: self.metadata,
            ieee754_compatible: self.ieee754_compatible,
            content_type,
        }
    }
}

fn metadata_level(text: &str) -> Option<MetadataLevel> {
    match text {
        "none" => Some(MetadataLevel::None),
        "minimal" => Some(MetadataLevel::Minimal),
        "full" => Some(MetadataLevel::Full),
        _ => None,
    }
}

fn text(content_type: &str) -> Negotiated {
    Negotiated { content_type: content_type.to_owned(), ..Parameters::default().answer(Format::Text) }
}

#[cfg(test)]
mod tests;
