//! `JobindsatsBridge.mez`: a custom connector for Power BI Desktop, with a navigation table by subject. Its source is `connector.pq`.

use super::{OpenError, mashup, power_query};

/// The name of the file.
pub const FILE_NAME: &str = "JobindsatsBridge.mez";

const SOURCE: &str = include_str!("connector.pq");

/// The connector with the address of a catalogue service as the sample value.
///
/// # Errors
/// When it cannot be packed.
pub fn mez(catalogue: &str) -> Result<Vec<u8>, OpenError> {
    mashup::packed(&[("JobindsatsBridge.pq", source(catalogue))])
}

/// The text of the connector, with the byte-order mark that Power BI expects.
fn source(catalogue: &str) -> String {
    format!("\u{feff}{}", SOURCE.replace("@ADDRESS@", &power_query::text(catalogue)).replace('\n', "\r\n"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::open::fixture::part;

    #[test]
    fn the_package_holds_one_source_with_the_address() {
        let bytes = mez("https://jobindsats.example/a\"b/odata/").unwrap();
        assert_eq!(zip::ZipArchive::new(Cursor::new(&bytes)).unwrap().len(), 1);
        let text = part(&bytes, "JobindsatsBridge.pq");
        assert!(text.starts_with("\u{feff}[Version = \"1.0.0\"]\r\nsection JobindsatsBridge;\r\n"), "{text}");
        assert!(text.contains("{\"https://jobindsats.example/a\"\"b/odata/\"}"), "{text}");
        assert!(!text.contains('@'), "{text}");
    }
}
