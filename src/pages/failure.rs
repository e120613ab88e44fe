//! The page of an error: what went wrong in one sentence, and where to go on.

use askama::Template;

use crate::answer::error::BridgeError;
use crate::observe::request;
use crate::pages::error::PageError;
use crate::pages::language::Language;
use crate::pages::layout::Layout;
use crate::pages::visit::Visit;
use crate::pages::{Html, Sources};

#[derive(Template)]
#[template(path = "failure.html")]
struct Failure {
    layout: Layout,
    l: Language,
    sentence: String,
    /// The code of the error, to quote when asking for help.
    code: &'static str,
    status: u16,
    request_id: String,
}

/// The page of an error that ended a request, or of an address that does not exist.
#[must_use]
pub fn page(sources: &Sources, visit: Visit, error: &BridgeError) -> Html {
    of(sources, visit, PageError::from(error))
}

/// The page of an error of a page.
pub(super) fn of(sources: &Sources, visit: Visit, error: PageError) -> Html {
    let l = visit.language;
    let title = if error.status == 404 {
        l.text("Siden findes ikke", "Page not found")
    } else {
        l.text("Det gik ikke", "That did not work")
    };
    let page = Failure {
        layout: Layout::new(sources, visit, title.to_owned()),
        l,
        sentence: l.text(&error.danish, &error.english).to_owned(),
        code: error.code,
        status: error.status,
        request_id: request::id().to_string(),
    };
    Html { retry_after_seconds: error.retry_after_seconds, ..Html::of(error.status, l, &page) }
}
