//! Power BI projects: a semantic model in which figures cannot be added up by accident, and a report with one page.
//!
//! `tmdl` writes the model, `report` the report and the JSON around both; here they become a zip archive, or one script for Power BI's
//! TMDL view.

mod report;
mod tmdl;

use crate::catalogue::measure::{NotAdditive, Unit};
use crate::export::FileColumn;
use crate::open::{Choice, OpenError, mashup};

pub use tmdl::KEYS;

/// One choice as a table of the model.
#[derive(Debug, Clone)]
pub struct ModelTable {
    pub choice: Choice,
    /// What the table is about and where it comes from.
    pub description: String,
    pub figures: Vec<Figure>,
    /// The columns with the members of breakdowns, which figures mean nothing without.
    pub dimensions: Vec<String>,
}

/// A column of figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    pub column: String,
    pub title: String,
    pub description: String,
    /// What is counted, where it is known and the same for all.
    pub unit: Option<Unit>,
    /// Why its figures may not be summed.
    pub not_additive: NotAdditive,
}

impl Figure {
    /// How the figures look in Excel and Power BI, which write thousands and decimals as the reader's country does; `None` where their
    /// decimals are not known. A format with optional decimals would have Excel end whole numbers with a comma.
    #[must_use]
    pub fn number_format(&self) -> Option<String> {
        Some(match usize::from(self.unit?.decimals()) {
            0 => "#,##0".to_owned(),
            decimals => format!("#,##0.{}", "0".repeat(decimals)),
        })
    }
}

/// A project of several choices from one bridge.
#[derive(Debug, Clone)]
pub struct Project {
    /// Letters, digits, `-` and `_`, at most 30: Windows bounds the length of paths.
    pub name: String,
    pub title: String,
    /// The absolute address of the catalogue service, with its final slash.
    pub catalogue: String,
    pub tables: Vec<ModelTable>,
    /// Columns of `Områder` and `Perioder` in the catalogue service.
    pub areas: Vec<FileColumn>,
    pub periods: Vec<FileColumn>,
    /// How many years are kept, and how many months are read again, where figures are to be refreshed incrementally.
    pub refresh: Option<RefreshPolicy>,
}

/// Incremental refresh: only a window of periods is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshPolicy {
    pub years: u32,
    pub months: u32,
}

impl Project {
    /// The project as a zip archive with one folder.
    ///
    /// # Errors
    /// When it cannot be packed.
    pub fn zip(&self) -> Result<Vec<u8>, OpenError> {
        let names = tmdl::Names::of(self);
        let mut files = report::files(self, &names);
        files.extend(tmdl::files(self, &names));
        let name = &self.name;
        let files: Vec<_> =
            files.iter().map(|(path, text)| (format!("{name}/{path}"), text.replace('\n', "\r\n"))).collect();
        let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
        mashup::packed(&files)
    }

    /// The model as a script for the TMDL view. It leaves the model's own settings as they are.
    #[must_use]
    pub fn script(&self) -> String {
        tmdl::script(self, &tmdl::Names::of(self))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read as _};

    use super::*;
    use crate::odata::value::PrimitiveType;
    use crate::open::fixture::choice;

    fn project() -> Project {
        let column = |name: &str, primitive| FileColumn::new(name, primitive);
        let figure = Figure {
            column: "Antal".to_owned(),
            title: "Antal \"personer\"\n(uger)".to_owned(),
            description: "Må ikke lægges sammen.".to_owned(),
            unit: Some(Unit::Weeks),
            not_additive: NotAdditive::Persons,
        };
        let table = |set: &str| {
            let mut choice = Choice { set: set.to_owned(), ..choice(&[]) };
            choice.columns.push(column("Områdekode", PrimitiveType::String));
            choice.columns.push(column("Periode", PrimitiveType::String));
            ModelTable {
                choice,
                description: "Sygedagpenge.\nOpdigtede tal.".to_owned(),
                figures: vec![figure.clone()],
                dimensions: vec!["Køn".to_owned()],
            }
        };
        Project {
            name: "Samling".to_owned(),
            title: "Sygedagpenge".to_owned(),
            catalogue: "http://localhost/odata/".to_owned(),
            tables: vec![table("Hovedtal"), table("Fordelt_på_Køn")],
            areas: vec![column("Områdekode", PrimitiveType::String), column("Område", PrimitiveType::String)],
            periods: vec![column("Periode", PrimitiveType::String), column("Fra", PrimitiveType::Date)],
            refresh: None,
        }
    }

    fn files(project: &Project) -> Vec<(String, String)> {
        let mut archive = zip::ZipArchive::new(Cursor::new(project.zip().unwrap())).unwrap();
        (0..archive.len())
            .map(|index| {
                let mut file = archive.by_index(index).unwrap();
                let path = file.name().unwrap().into_owned();
                let mut text = String::new();
                file.read_to_string(&mut text).unwrap();
                (path, text)
            })
            .collect()
    }

    #[test]
    fn paths_are_short_and_plain_and_equal_choices_give_equal_bytes() {
        let project = project();
        let longest = 87 + 2 * project.name.len();
        for (path, text) in files(&project) {
            assert!(path.is_ascii() && path.len() <= longest && path.starts_with("Samling/"), "{path}");
            assert!(!text.starts_with('\u{feff}') && !text.replace("\r\n", "").contains('\n'), "{path}");
        }
        assert_eq!(project.zip().unwrap(), project.zip().unwrap());
    }

    #[test]
    fn figures_are_hidden_guarded_and_never_summed() {
        let text: String = files(&project())
            .into_iter()
            .filter(|(path, _)| path.ends_with(".tmdl"))
            .map(|(_, text)| text)
            .collect();
        let columns = text.matches("\tcolumn ").count();
        assert_eq!(text.matches("summarizeBy: none").count(), columns);
        assert!(!text.to_uppercase().contains("SUM("), "{text}");
        assert!(text.contains("discourageImplicitMeasures"));
        let measures = text.matches("\tmeasure ").count();
        assert_eq!(measures, 2);
        assert_eq!(text.matches("isAvailableInMdx: false").count(), measures);
        assert_eq!(text.matches(") = 1,").count(), measures);
    }

    #[test]
    fn measures_of_one_title_bear_their_tables_names() {
        let script = project().script();
        for name in [
            "'Antal \"personer\" (uger), Y07A02 Hovedtal'",
            "'Antal \"personer\" (uger), Y07A02 Fordelt på Køn'",
        ] {
            assert!(script.contains(&format!("measure {name} =")), "{script}");
        }
        assert!(script.contains("formatString: #,##0.0 \"uger\""), "{script}");
    }

    #[test]
    fn a_script_creates_whole_tables_one_level_deeper() {
        let script = project().script();
        assert!(
            script.starts_with(
                "createOrReplace\n\n\t/// Sygedagpenge. Opdigtede tal.\n\ttable 'Y07A02 Hovedtal'\n"
            ),
            "{script}"
        );
        assert!(!script.contains("model Model"));
        assert!(script.contains("\n\t\tpartition Områder = m\n"));
    }

    #[test]
    fn groups_without_days_are_refreshed_whole() {
        let mut project = project();
        project.refresh = Some(RefreshPolicy { years: 10, months: 24 });
        let windows = |project: &Project| project.script().matches("[Fra] >= ").count();
        assert!(windows(&project) > 0);
        for table in &mut project.tables {
            table.choice.options.push(("$apply".to_owned(), "groupby((Område))".to_owned()));
            table.choice.columns.retain(|column| column.name != "Fra");
        }
        assert_eq!(windows(&project), 0);
    }

    #[test]
    fn an_incremental_refresh_reads_a_window_of_periods() {
        let project = Project { refresh: Some(RefreshPolicy { years: 10, months: 24 }), ..project() };
        let text: String = files(&project).into_iter().map(|(_, text)| text).collect();
        assert!(text.contains("expression RangeStart = #datetime("));
        assert!(text.contains("incrementalPeriods: 24"));
        assert!(text.contains("Window = Table.SelectRows(Data, each [Fra] >= Date.From(RangeStart)"));
    }
}
