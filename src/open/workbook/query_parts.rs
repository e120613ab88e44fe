//! The parts of a package that make each table of a workbook the result of a Power Query query. `rust_xlsxwriter` does not know them:
//! they are added to the package that it wrote.

use std::io::{Cursor, Read as _, Write as _};

use arrow_array::RecordBatch;
use quick_xml::escape::escape;
use zip::{ZipArchive, ZipWriter};

use super::{Names, Sheet};
use crate::export::FileColumn;
use crate::open::mashup::{self, NamedQuery};
use crate::open::{Choice, OpenError};

const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006";
const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
const SPREADSHEET: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";

/// Adds the parts that make each table the result of a query.
pub(super) fn with_queries(workbook: &[u8], sheets: &[Sheet], names: &[Names]) -> Result<Vec<u8>, OpenError> {
    let mut archive = ZipArchive::new(Cursor::new(workbook))?;
    let mut package = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let path = archive.by_index_raw(index)?.name()?.into_owned();
        let Some(patch) = patch_for(&path, sheets, names) else {
            package.raw_copy_file(archive.by_index_raw(index)?)?;
            continue;
        };
        let mut xml = String::new();
        archive.by_index(index)?.read_to_string(&mut xml)?;
        put(&mut package, &path, patch.apply(&path, xml)?.as_bytes())?;
    }
    for (path, content) in added_parts(sheets, names)? {
        put(&mut package, &path, &content)?;
    }
    Ok(package.finish()?.into_inner())
}

fn put(package: &mut ZipWriter<Cursor<Vec<u8>>>, path: &str, content: &[u8]) -> Result<(), OpenError> {
    package.start_file(path, mashup::file_options())?;
    Ok(package.write_all(content)?)
}

/// Marks, each of which stands once in the part, and what to write in their places.
#[derive(Debug, Default)]
struct Patch(Vec<(String, String)>);

impl Patch {
    fn replace(mut self, mark: impl Into<String>, text: String) -> Self {
        self.0.push((mark.into(), text));
        self
    }

    fn apply(&self, part: &str, mut xml: String) -> Result<String, OpenError> {
        for (mark, text) in &self.0 {
            let mut found = xml.match_indices(mark.as_str()).map(|(at, _)| at);
            let (Some(at), None) = (found.next(), found.next()) else {
                return Err(OpenError::Mark { part: part.to_owned(), mark: mark.clone() });
            };
            xml.replace_range(at..at + mark.len(), text);
        }
        Ok(xml)
    }
}

/// What is added to a part that the workbook has already.
fn patch_for(path: &str, sheets: &[Sheet], names: &[Names]) -> Option<Patch> {
    const TYPE: &str = "application/vnd.openxmlformats-officedocument";
    let patch = Patch::default();
    match path {
        "[Content_Types].xml" => {
            let part = |part: &str, kind: &str| {
                format!("<Override PartName=\"{part}\" ContentType=\"{TYPE}.{kind}+xml\"/>")
            };
            let mut added = part("/xl/connections.xml", "spreadsheetml.connections");
            added += &part("/customXml/itemProps1.xml", "customXmlProperties");
            for number in 1..=sheets.len() {
                added +=
                    &part(&format!("/xl/queryTables/queryTable{number}.xml"), "spreadsheetml.queryTable");
            }
            Some(patch.replace("</Types>", added + "</Types>"))
        }
        "xl/_rels/workbook.xml.rels" => {
            let relationships = format!(
                "<Relationship Id=\"rIdConnections\" Type=\"{OFFICE}/relationships/connections\" Target=\"connections.xml\"/>\
                 <Relationship Id=\"rIdQueries\" Type=\"{OFFICE}/relationships/customXml\" Target=\"../customXml/item1.xml\"/></Relationships>"
            );
            Some(patch.replace("</Relationships>", relationships))
        }
        "xl/workbook.xml" => Some(patch.replace("<calcPr", defined_names(sheets, names) + "<calcPr")),
        _ => {
            let number: usize = path.strip_prefix("xl/tables/table")?.strip_suffix(".xml")?.parse().ok()?;
            let columns = sheets.get(number.checked_sub(1)?)?.choice.columns.len();
            let patch = patch.replace(
                " totalsRowShown=\"0\"",
                " tableType=\"queryTable\" totalsRowShown=\"0\"".to_owned(),
            );
            let column = |patch: Patch, id: usize| {
                let mark = format!("<tableColumn id=\"{id}\" ");
                let text = format!("{mark}uniqueName=\"{id}\" queryTableFieldId=\"{id}\" ");
                patch.replace(mark, text)
            };
            Some((1..=columns).fold(patch, column))
        }
    }
}

/// The ranges that the queries fill.
fn defined_names(sheets: &[Sheet], names: &[Names]) -> String {
    let range = |(position, (sheet, names)): (usize, (&Sheet, &Names))| {
        let rows: usize = sheet.rows.iter().map(RecordBatch::num_rows).sum();
        let last = rust_xlsxwriter::utility::column_number_to_name(
            sheet.choice.columns.len().saturating_sub(1) as u16,
        );
        format!(
            "<definedName name=\"ExternalData_{}\" localSheetId=\"{position}\" hidden=\"1\">'{}'!$A$1:${last}${}</definedName>",
            position + 1,
            escape(names.sheet.replace('\'', "''").as_str()),
            rows.max(1) + 1,
        )
    };
    let ranges: String = sheets.iter().zip(names).enumerate().map(range).collect();
    format!("<definedNames>{ranges}</definedNames>")
}

/// The parts that an ordinary workbook does not have.
fn added_parts(sheets: &[Sheet], names: &[Names]) -> Result<Vec<(String, Vec<u8>)>, OpenError> {
    let queries: Vec<_> = sheets
        .iter()
        .zip(names)
        .map(|(sheet, names)| NamedQuery { name: &names.query, choice: &sheet.choice })
        .collect();
    let mut parts = vec![
        ("customXml/item1.xml".to_owned(), mashup::data_mashup(&queries)?),
        ("customXml/itemProps1.xml".to_owned(), item_properties(sheets).into_bytes()),
        (
            "customXml/_rels/item1.xml.rels".to_owned(),
            relationship("customXmlProps", "itemProps1.xml").into_bytes(),
        ),
        ("xl/connections.xml".to_owned(), connections(names).into_bytes()),
    ];
    for (number, sheet) in (1..).zip(sheets) {
        let target = format!("../queryTables/queryTable{number}.xml");
        parts.push((
            format!("xl/tables/_rels/table{number}.xml.rels"),
            relationship("queryTable", &target).into_bytes(),
        ));
        parts.push((
            format!("xl/queryTables/queryTable{number}.xml"),
            query_table(number, &sheet.choice).into_bytes(),
        ));
    }
    Ok(parts)
}

fn relationship(kind: &str, target: &str) -> String {
    format!(
        "{DECLARATION}<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">\
         <Relationship Id=\"rId1\" Type=\"{OFFICE}/relationships/{kind}\" Target=\"{target}\"/></Relationships>"
    )
}

fn item_properties(sheets: &[Sheet]) -> String {
    let id = sheets
        .first()
        .map(|sheet| sheet.choice.id("item").braced().to_string().to_uppercase())
        .unwrap_or_default();
    format!(
        "{DECLARATION}<ds:datastoreItem ds:itemID=\"{id}\" xmlns:ds=\"{OFFICE}/customXml\"><ds:schemaRefs>\
         <ds:schemaRef ds:uri=\"http://schemas.microsoft.com/DataMashup\"/></ds:schemaRefs></ds:datastoreItem>"
    )
}

fn connections(names: &[Names]) -> String {
    let connection = |(id, names): (usize, &Names)| {
        let name = escape(names.query.as_str());
        format!(
            "<connection id=\"{id}\" keepAlive=\"1\" name=\"Query - {name}\" \
             description=\"Connection to the '{name}' query in the workbook.\" type=\"5\" refreshedVersion=\"8\" background=\"1\" \
             saveData=\"1\"><dbPr connection=\"Provider=Microsoft.Mashup.OleDb.1;Data Source=$Workbook$;Location={name};\
             Extended Properties=&quot;&quot;\" command=\"SELECT * FROM [{name}]\"/></connection>"
        )
    };
    let connections: String = (1..).zip(names).map(connection).collect();
    format!("{DECLARATION}<connections xmlns=\"{SPREADSHEET}\">{connections}</connections>")
}

fn query_table(number: usize, choice: &Choice) -> String {
    let field = |(id, column): (usize, &FileColumn)| {
        format!(
            "<queryTableField id=\"{id}\" name=\"{}\" tableColumnId=\"{id}\"/>",
            escape(column.name.as_str())
        )
    };
    let fields: String = (1..).zip(&choice.columns).map(field).collect();
    let count = choice.columns.len();
    format!(
        "{DECLARATION}<queryTable xmlns=\"{SPREADSHEET}\" name=\"ExternalData_{number}\" connectionId=\"{number}\" autoFormatId=\"16\" \
         applyNumberFormats=\"0\" applyBorderFormats=\"0\" applyFontFormats=\"0\" applyPatternFormats=\"0\" \
         applyAlignmentFormats=\"0\" applyWidthHeightFormats=\"0\"><queryTableRefresh nextId=\"{}\">\
         <queryTableFields count=\"{count}\">{fields}</queryTableFields></queryTableRefresh></queryTable>",
        count + 1
    )
}
