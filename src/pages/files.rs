//! Files that open rows where people work, as links. Every page that has rows offers the same ones, in `templates/files.html`.

use crate::export::csv::Dialect;
use crate::open::connector;
use crate::open::format::Format;
use crate::pages::visit::Visit;

/// The files of chosen rows.
pub(super) struct Files {
    pub rows: Vec<File>,
    /// Files for Power BI, each with what it is for.
    pub power_bi: Vec<(File, &'static str)>,
}

pub(super) struct File {
    pub title: &'static str,
    pub link: String,
    /// Whether its text is pasted somewhere, and so worth a button that copies it.
    pub is_pasted: bool,
}

impl Files {
    /// `link` makes the address of the rows in a folder, `open` or `export`, with an ending. The address has options.
    pub fn new(visit: &Visit, link: impl Fn(&str, &str) -> String) -> Self {
        let l = visit.language;
        let export = |title, ending| File { title, link: link("export", ending), is_pasted: false };
        let danish = |file: File| File {
            link: format!("{}&{}={}", file.link, Dialect::OPTION, Dialect::Danish.name()),
            ..file
        };
        let file = |title, format: Format| File {
            title,
            link: link("open", format.ending()),
            is_pasted: format == Format::ModelScript,
        };
        let connector = visit.file(&format!("open/{}", connector::FILE_NAME));
        Self {
            rows: vec![
                file(l.text("Excel-projektmappe", "Excel workbook"), Format::Workbook),
                file(l.text("Forbindelse til Excel (.odc)", "Connection for Excel (.odc)"), Format::ExcelConnection),
                danish(export(l.text("CSV til dansk Excel", "CSV for Danish Excel"), "csv")),
                export("CSV", "csv"),
                export("Parquet", "parquet"),
                file("Power Query (.m)", Format::PowerQuery),
            ],
            power_bi: vec![
                (
                    file(l.text("Power BI-projekt (.pbip.zip)", "Power BI project (.pbip.zip)"), Format::PowerBiProject),
                    l.text(
                        "dette udtræk som model og første side; tallene kan ikke lægges sammen ved en fejl",
                        "this choice as a model and a first page; figures cannot be added up by mistake",
                    ),
                ),
                (
                    file(l.text("TMDL-script (.tmdl)", "TMDL script (.tmdl)"), Format::ModelScript),
                    l.text("samme model til en rapport, du har i forvejen", "the same model for a report that you have already"),
                ),
                (
                    file(l.text("Forbindelsesfil (.pbids)", "Connection file (.pbids)"), Format::PowerBiConnection),
                    l.text(
                        "åbner hele målingen i Power BI Desktop; den kan ikke rumme et udtræk",
                        "opens the whole measurement in Power BI Desktop; it can hold no choice",
                    ),
                ),
                (
                    File { title: "Connector (.mez)", link: connector, is_pasted: false },
                    l.text(
                        "viser alle målinger efter emne under »Hent data«; lægges i Power BI's mappe til connectorer",
                        "lists all measurements by subject in “Get data”; belongs in Power BI's folder for connectors",
                    ),
                ),
            ],
        }
    }
}
