//! The part of a workbook that holds its Power Query queries, as Microsoft's [MS-QDEFF] describes it: a binary of little-endian
//! lengths and contents, in Base64, in XML.

use std::io::{Cursor, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::power_query::{self, Query, Typing};
use super::{Choice, OpenError};

/// What stays as it is in the path of an item.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*');

const DECLARATION: &str = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>";
const NAMESPACES: &str =
    "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";

/// A query of a workbook under its name there.
#[derive(Debug, Clone, Copy)]
pub struct NamedQuery<'a> {
    pub name: &'a str,
    pub choice: &'a Choice,
}

/// The custom XML part with all queries of a workbook, in UTF-16.
///
/// # Errors
/// When a package cannot be packed.
pub fn data_mashup(queries: &[NamedQuery<'_>]) -> Result<Vec<u8>, OpenError> {
    let package = packed(&[
        ("Config/Package.xml", package_xml()),
        ("[Content_Types].xml", content_types()),
        ("Formulas/Section1.m", section(queries)),
    ])?;
    let mut metadata = 0_u32.to_le_bytes().to_vec();
    append(&mut metadata, metadata_xml(queries).as_bytes())?;
    append(&mut metadata, &packed(&[])?)?;
    let mut bytes = 0_u32.to_le_bytes().to_vec();
    for part in [&package[..], permissions().as_bytes(), &metadata, &[]] {
        append(&mut bytes, part)?;
    }
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"utf-16\"?><DataMashup xmlns=\"http://schemas.microsoft.com/DataMashup\">{}</DataMashup>",
        STANDARD.encode(bytes)
    );
    Ok("\u{feff}".encode_utf16().chain(xml.encode_utf16()).flat_map(u16::to_le_bytes).collect())
}

/// Appends a part with its length in front.
fn append(bytes: &mut Vec<u8>, part: &[u8]) -> Result<(), OpenError> {
    let length =
        u32::try_from(part.len()).map_err(|_| std::io::Error::from(std::io::ErrorKind::FileTooLarge))?;
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(part);
    Ok(())
}

/// A zip archive of these files, without times.
pub(super) fn packed(files: &[(&str, String)]) -> Result<Vec<u8>, OpenError> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in files {
        archive.start_file(*path, file_options())?;
        archive.write_all(content.as_bytes())?;
    }
    Ok(archive.finish()?.into_inner())
}

/// How files are packed: the same bytes at any time.
pub(super) fn file_options() -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default())
}

/// The text of all queries.
fn section(queries: &[NamedQuery<'_>]) -> String {
    let mut section = "section Section1;\n".to_owned();
    for query in queries {
        let name = format!("#{}", power_query::text(query.name));
        section += &format!("\nshared {name} = {};\n", Query::of(query.choice, Typing::Declared));
    }
    section.trim_end().replace('\n', "\r\n")
}

fn package_xml() -> String {
    format!(
        "{DECLARATION}<Package {NAMESPACES}><Version>2.99.202.0</Version><MinVersion>2.21.0.0</MinVersion>\
         <Culture>da-DK</Culture></Package>"
    )
}

fn content_types() -> String {
    format!(
        "{DECLARATION}<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">\
         <Default Extension=\"xml\" ContentType=\"text/xml\" /><Default Extension=\"m\" ContentType=\"application/x-ms-m\" /></Types>"
    )
}

fn permissions() -> String {
    format!(
        "{DECLARATION}<PermissionList {NAMESPACES}><CanEvaluateFuturePackages>false</CanEvaluateFuturePackages>\
         <FirewallEnabled>true</FirewallEnabled></PermissionList>"
    )
}

/// An item for the section, one for each query, and one for each of its steps: a query without an item breaks all of them.
fn metadata_xml(queries: &[NamedQuery<'_>]) -> String {
    let mut items = item("AllFormulas", "", "");
    for query in queries {
        let path = format!("Section1/{}", utf8_percent_encode(query.name, PATH));
        items += &item("Formula", &path, &entries(query));
        for step in Query::of(query.choice, Typing::Declared).step_names() {
            items += &item("Formula", &format!("{path}/{step}"), "");
        }
    }
    format!(
        "{DECLARATION}<LocalPackageMetadataFile {NAMESPACES}><Items>{items}</Items></LocalPackageMetadataFile>"
    )
}

fn item(kind: &str, path: &str, entries: &str) -> String {
    let path = quick_xml::escape::escape(path);
    format!(
        "<Item><ItemLocation><ItemType>{kind}</ItemType><ItemPath>{path}</ItemPath></ItemLocation>\
         <StableEntries>{entries}</StableEntries></Item>"
    )
}

/// What Excel keeps of a query that fills a table. Numbers begin with `l`, texts with `s`.
fn entries(query: &NamedQuery<'_>) -> String {
    let values = [
        ("IsPrivate", "l0".to_owned()),
        ("FillEnabled", "l1".to_owned()),
        ("FillObjectType", "sTable".to_owned()),
        ("FillToDataModelEnabled", "l0".to_owned()),
        ("QueryID", format!("s{}", query.choice.id(query.name))),
        ("FillTarget", format!("s{}", query.name)),
        ("FillTargetNameCustomized", "l1".to_owned()),
        ("NameUpdatedAfterFill", "l0".to_owned()),
    ];
    let entry = |(kind, value): (&str, String)| format!("<Entry Type=\"{kind}\" Value=\"{value}\" />");
    values.map(entry).concat()
}

#[cfg(test)]
mod tests {

    use super::super::fixture::{choice, part};
    use super::*;

    /// The next part of the binary.
    fn take<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
        let (length, rest) = bytes.split_at(4);
        let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
        let (part, rest) = rest.split_at(length);
        *bytes = rest;
        part
    }

    fn decoded(xml: &[u8]) -> Vec<u8> {
        assert_eq!(xml[..2], [0xff, 0xfe]);
        let units: Vec<u16> = xml[2..].chunks(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
        let xml = String::from_utf16(&units).unwrap();
        let (_, inner) = xml.split_once("DataMashup\">").unwrap();
        STANDARD.decode(inner.strip_suffix("</DataMashup>").unwrap()).unwrap()
    }

    #[test]
    fn the_binary_has_the_parts_that_excel_reads() {
        let chosen = choice(&[("$filter", "Område eq 'Æ & Å'")]);
        let queries = [NamedQuery { name: "Y07A02_Kommuner", choice: &chosen }];
        let bytes = decoded(&data_mashup(&queries).unwrap());
        let (version, mut rest) = bytes.split_at(4);
        assert_eq!(version, [0; 4]);
        let package = take(&mut rest);
        let archive = zip::ZipArchive::new(Cursor::new(package)).unwrap();
        let names: Vec<_> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
        assert_eq!(names, ["Config/Package.xml", "[Content_Types].xml", "Formulas/Section1.m"]);
        let section = part(package, "Formulas/Section1.m");
        assert!(
            section.starts_with("section Section1;\r\n\r\nshared #\"Y07A02_Kommuner\" = let\r\n"),
            "{section}"
        );
        assert!(section.ends_with("in\r\n    Times;"), "{section}");
        assert!(section.contains("Æ & Å"), "XML escaping does not touch M: {section}");
        assert!(String::from_utf8_lossy(take(&mut rest)).contains("<FirewallEnabled>true"));
        let mut metadata = &take(&mut rest)[4..];
        let items = String::from_utf8(take(&mut metadata).to_vec()).unwrap();
        for path in [
            "",
            "Section1/Y07A02_Kommuner",
            "Section1/Y07A02_Kommuner/Source",
            "Section1/Y07A02_Kommuner/Times",
        ] {
            assert!(items.contains(&format!("<ItemPath>{path}</ItemPath>")), "{path} in {items}");
        }
        assert_eq!(take(&mut metadata), [&b"PK\x05\x06"[..], &[0; 18]].concat());
        assert_eq!((metadata, rest), (&[][..], &[0; 4][..]));
    }

    #[test]
    fn the_same_choice_gives_the_same_bytes() {
        let chosen = choice(&[]);
        let queries = [NamedQuery { name: "A", choice: &chosen }, NamedQuery { name: "B", choice: &chosen }];
        assert_eq!(data_mashup(&queries).unwrap(), data_mashup(&queries).unwrap());
    }
}
