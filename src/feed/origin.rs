//! The source of a feed's figures, as descriptions name it.

/// The id of the one catalogue that all tables belong to.
pub(super) const CATALOG: &str = "jobindsats";
pub(super) const LANGUAGE: &str = "da";

/// Which upstream a feed's figures come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `simulator`, or a name made from the upstream's address.
    pub name: String,
    pub is_simulator: bool,
    /// A sentence at the end of every dataset's description, such as that the figures are made up.
    pub description: Option<String>,
}

impl Origin {
    /// The source's name for readers.
    pub(super) fn source(&self) -> &'static str {
        if self.is_simulator {
            "Simulator af Jobindsats.dk"
        } else {
            "Jobindsats.dk, Styrelsen for Arbejdsmarked og Rekruttering (STAR)"
        }
    }

    /// How names of files begin: they say so if the figures are made up.
    #[must_use]
    pub fn file_prefix(&self) -> &'static str {
        if self.is_simulator { "simulator_" } else { "" }
    }

    /// The description of a service: its title, and where its figures come from.
    pub(super) fn describe_feed(&self, title: &str) -> String {
        let stop = if title.ends_with('.') { "" } else { "." };
        self.describe(&format!("{title}{stop} Kilde: {}", self.source()))
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
