//! Connection files: `.pbids` opens a service in Power BI Desktop, `.odc` a query in Excel.

use quick_xml::escape::escape;
use serde_json::json;

use super::Choice;
use super::power_query::{Query, Typing};

/// A file that opens the service of a table in Power BI Desktop, which then shows its sets. It can name no set and no filter.
#[must_use]
pub fn pbids(service: &str) -> String {
    let details = json!({ "protocol": "odata", "address": { "url": service } });
    let file = json!({
        "version": "0.1",
        "connections": [{ "details": details, "options": {}, "mode": "Import" }],
    });
    format!("{file:#}")
}

/// A file that opens a query in Excel: HTML around XML, which holds the query as escaped XML.
#[must_use]
pub fn odc(choice: &Choice) -> String {
    // The name stands in a connection string, where only letters and digits are safe.
    let name: String = choice.name().chars().filter(|letter| letter.is_alphanumeric()).collect();
    let mashup = mashup(&name, choice);
    let title = escape(&choice.title);
    format!(
        r#"<html xmlns:o="urn:schemas-microsoft-com:office:office" xmlns="http://www.w3.org/TR/REC-html40">
<head>
<meta http-equiv="Content-Type" content="text/x-ms-odc; charset=utf-8" />
<meta name="ProgId" content="ODC.Database" />
<meta name="SourceType" content="OLEDB" />
<title>{title}</title>
<xml id="docprops"><o:DocumentProperties xmlns:o="urn:schemas-microsoft-com:office:office" xmlns="http://www.w3.org/TR/REC-html40">
  <o:Description>{title}</o:Description>
  <o:Name>{name}</o:Name>
</o:DocumentProperties></xml>
<xml id="msodc"><odc:OfficeDataConnection xmlns:odc="urn:schemas-microsoft-com:office:odc" xmlns="http://www.w3.org/TR/REC-html40">
  <odc:PowerQueryConnection odc:Type="OLEDB">
    <odc:ConnectionString>Provider=Microsoft.Mashup.OleDb.1;Data Source=$Workbook$;Location={name};Extended Properties=&quot;&quot;</odc:ConnectionString>
    <odc:CommandType>SQL</odc:CommandType>
    <odc:CommandText>SELECT * FROM [{name}]</odc:CommandText>
  </odc:PowerQueryConnection>
  <odc:PowerQueryMashupData>{}</odc:PowerQueryMashupData>
</odc:OfficeDataConnection></xml>
</head>
<body></body>
</html>
"#,
        escape(&mashup)
    )
}

fn mashup(name: &str, choice: &Choice) -> String {
    // The end of the XML section may only stand in a text of the query, where M has another spelling for it.
    let query =
        Query::of(choice, Typing::Declared).to_string().replace('\n', "\r\n").replace("]]>", "]]#(003E)");
    format!(
        "<Mashup xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xmlns=\"http://schemas.microsoft.com/DataMashup\"><Client>EXCEL</Client><Version>2.83.5894.761</Version>\
         <MinVersion>2.21.0.0</MinVersion><Culture>da-DK</Culture><SafeCombine>true</SafeCombine><Items>\
         <Query Name=\"{name}\"><Formula><![CDATA[{query}]]></Formula><IsParameterQuery xsi:nil=\"true\" />\
         <IsDirectQuery xsi:nil=\"true\" /></Query></Items></Mashup>"
    )
}

#[cfg(test)]
mod tests {
    use super::super::fixture::choice;
    use super::*;

    /// The text of the element of that name, unescaped.
    fn text_of(xml: &str, name: &str) -> String {
        let mut reader = quick_xml::Reader::from_str(xml);
        reader.config_mut().check_end_names = true;
        let (mut inside, mut text) = (false, String::new());
        loop {
            use quick_xml::events::Event;
            match reader.read_event().unwrap() {
                Event::Start(tag) => inside |= tag.name().as_ref() == name,
                Event::End(tag) if tag.name().as_ref() == name => inside = false,
                Event::Text(part) if inside => text.push_str(&part),
                Event::CData(part) if inside => text.push_str(&part),
                Event::GeneralRef(part) if inside => match part.resolve_char_ref().unwrap() {
                    Some(letter) => text.push(letter),
                    None => text.push_str(quick_xml::escape::resolve_predefined_entity(&part).unwrap()),
                },
                Event::Eof => return text,
                _ => {}
            }
        }
    }

    #[test]
    fn a_connection_file_holds_the_query_in_both_layers() {
        let chosen =
            Choice { title: "<Ledige> & \"unge\"".to_owned(), ..choice(&[("$filter", "Område eq '<&>'")]) };
        let file = odc(&chosen);
        assert_eq!(text_of(&file, "o:Description"), chosen.title);
        let mashup = text_of(&file, "odc:PowerQueryMashupData");
        let formula = text_of(&mashup, "Formula");
        assert_eq!(formula.replace("\r\n", "\n"), Query::of(&chosen, Typing::Declared).to_string());
        assert_eq!(file.matches("Y07A02Kommuner").count(), 4, "{file}");
    }

    #[test]
    fn a_text_that_would_end_the_section_is_spelled_otherwise() {
        let file = odc(&choice(&[("$filter", "Område eq ']]>'")]));
        let formula = text_of(&text_of(&file, "odc:PowerQueryMashupData"), "Formula");
        assert!(formula.contains("']]#(003E)'"), "{formula}");
    }

    #[test]
    fn power_bi_is_told_the_service() {
        let file: serde_json::Value = serde_json::from_str(&pbids("http://localhost/odata/")).unwrap();
        assert_eq!(file["connections"][0]["details"]["address"]["url"], "http://localhost/odata/");
        assert_eq!(file["connections"].as_array().unwrap().len(), 1);
    }
}
