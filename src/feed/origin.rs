//! Where the figures of a feed come from, as its readers are told.

/// The catalogue that every table is in.
pub(super) const CATALOG: &str = "jobindsats";
pub(super) const LANGUAGE: &str = "da";

/// Which upstream a feed's figures come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `simulator`, or a name made from the upstream's address.
    pub name: String,
    pub is_simulator: bool,
    /// A sentence that every dataset's description ends with, such as that the figures are made up.
    pub description: Option<String>,
}

impl Origin {
    /// The source as a reader would name it.
    pub(super) fn source(&self) -> &'static str {
        if self.is_simulator {
            "Simulator af Jobindsats.dk"
        } else {
            "Jobindsats.dk, Styrelsen for Arbejdsmarked og Rekruttering (STAR)"
        }
    }

    /// The description of a dataset of that title.
    pub(super) fn describe(&self, title: &str) -> String {
        let stop = if title.ends_with('.') { "" } else { "." };
        match &self.description {
            Some(more) => format!("{title}{stop} {more}"),
            None => format!("{title}{stop}"),
        }
    }
}
