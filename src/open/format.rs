//! The kinds of files that open chosen rows, with their endings.

/// The kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Workbook,
    ExcelConnection,
    PowerBiConnection,
    PowerBiProject,
    ModelScript,
    PowerQuery,
    Connector,
}

impl Format {
    const ALL: [Self; 7] = [
        Self::Workbook,
        Self::ExcelConnection,
        Self::PowerBiConnection,
        Self::PowerBiProject,
        Self::ModelScript,
        Self::PowerQuery,
        Self::Connector,
    ];

    /// The name of a file without its ending, and its format.
    #[must_use]
    pub fn split(file: &str) -> Option<(&str, Self)> {
        Self::ALL.into_iter().find_map(|format| {
            let stem = file.strip_suffix(format.ending())?.strip_suffix('.')?;
            (!stem.is_empty()).then_some((stem, format))
        })
    }

    /// The end of its name, without a dot.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Self::Workbook => "xlsx",
            Self::ExcelConnection => "odc",
            Self::PowerBiConnection => "pbids",
            Self::PowerBiProject => "pbip.zip",
            Self::ModelScript => "tmdl",
            Self::PowerQuery => "m",
            Self::Connector => "mez",
        }
    }

    /// What it is sent as.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Workbook => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::ExcelConnection => "text/x-ms-odc; charset=utf-8",
            Self::PowerBiConnection => "application/json; charset=utf-8",
            Self::PowerBiProject => "application/zip",
            Self::ModelScript | Self::PowerQuery => "text/plain; charset=utf-8",
            Self::Connector => "application/octet-stream",
        }
    }

    /// Whether a file of the format can hold several choices.
    #[must_use]
    pub fn holds_several(self) -> bool {
        matches!(self, Self::Workbook | Self::PowerBiProject | Self::ModelScript)
    }
}
