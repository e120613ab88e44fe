//! What a person sees in a browser: pages made from the catalogue and from answers to requests that any client could make.
//!
//! A page is a template in `templates/` with the struct that fills it, and a function that makes it from a [`Visit`] and the
//! [`Sources`]. Figures are asked for through [`figures`], in the words of an OData address. Texts stand in the template in both
//! languages beside each other ([`language`]). What all pages share is in [`layout`]; styles and scripts are in [`assets`].
//! Addresses, headers and statuses are [`web`](crate::web)'s.

pub mod assets;
pub mod builder;
mod chart;
mod error;
pub mod failure;
mod figures;
mod files;
pub mod find;
pub mod language;
mod layout;
pub mod measurement;
pub mod municipality;
pub mod news;
mod revised;
pub mod status;
mod tile_map;
pub mod visit;

use askama::Template;
use chrono::{DateTime, Utc};

use crate::answer::Answerer;
use crate::answer::stages::Stages;
use crate::error::ErrorDescription;
use crate::pages::language::Language;
use crate::refresh::readable::Readable;

/// What pages are made from. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sources {
    /// What the visitor may read.
    pub feeds: Readable,
    /// Answers on behalf of the visitor, whose budget pays.
    pub answerer: Answerer,
    pub stages: Stages,
    pub now: DateTime<Utc>,
    /// Whether metrics need no password.
    pub has_open_metrics: bool,
}

/// What a program reads of a page: a feed, a calendar, a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub content_type: &'static str,
    pub language: Language,
    /// Under which it is saved; `None` for what is read on and on.
    pub name: Option<String>,
    pub body: Vec<u8>,
}

/// A page, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Html {
    pub status: u16,
    pub language: Language,
    pub retry_after_seconds: Option<u64>,
    pub body: String,
}

impl Html {
    /// The page of a filled template. Writing to memory cannot fail, so an error is that of a template that refuses its values.
    fn of(status: u16, language: Language, page: &impl Template) -> Self {
        let (status, body) = page.render().map_or_else(
            |error| {
                tracing::error!(%error, "a page could not be written");
                let error = ErrorDescription::internal();
                (error.status, error.danish)
            },
            |body| (status, body),
        );
        Self { status, language, retry_after_seconds: None, body }
    }
}
