//! What all pages share: head, header, notices, footer. In templates it is the field `layout`.

use crate::error::DescribeError;
use crate::fetch::error::FetchError;
use crate::open::format::Format;
use crate::pages::assets;
use crate::pages::language::Language;
use crate::pages::visit::{LANGUAGE, Visit};
use crate::pages::{Sources, error};
use crate::refresh::sync::keeper::CatalogueError;

/// The frame of a page.
pub(super) struct Layout {
    pub visit: Visit,
    pub title: String,
    /// Whether the figures are a simulator's.
    pub is_simulator: bool,
    /// Whether the visitor can open what Prometheus reads.
    pub has_open_metrics: bool,
    /// Why there is nothing to show yet, if the upstream is the reason.
    pub trouble: Option<String>,
}

impl Layout {
    pub fn new(sources: &Sources, visit: Visit, title: String) -> Self {
        let is_simulator = sources.feeds.origin().is_simulator;
        let (trouble, has_open_metrics) = (trouble(sources, visit.language), sources.has_open_metrics);
        Self { visit, title, is_simulator, has_open_metrics, trouble }
    }

    pub fn language(&self) -> Language {
        self.visit.language
    }

    pub fn home(&self) -> String {
        self.visit.link("", &[])
    }

    pub fn link(&self, path: &str) -> String {
        self.visit.link(path, &[])
    }

    /// How many choices the collection has, and the address of its workbook.
    pub fn collection(&self) -> Option<(usize, String)> {
        let number = self.visit.collected().count();
        (number > 0).then(|| (number, self.visit.collection(Format::Workbook)))
    }

    pub fn asset(&self, name: &str) -> String {
        self.visit.file(&assets::path(name))
    }

    /// This page in the other language.
    pub fn other_language(&self) -> String {
        self.visit.here(&[(LANGUAGE, self.visit.language.other().code())])
    }
}

/// Why there is no list of tables, in a sentence, if the upstream is the reason.
fn trouble(sources: &Sources, language: Language) -> Option<String> {
    let why = sources.feeds.why_empty()?;
    let why = FetchError::from(CatalogueError::upstream(&why)?.clone());
    let english = error::in_english(&why.clone().into());
    Some(language.text(&why.describe().danish, &english).to_owned())
}
