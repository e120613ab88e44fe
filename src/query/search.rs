//! `$search`: words and phrases in the titles and labels of a row, in any letter case.
//!
//! It becomes a condition, which is pushed down like others. Rows of `Observations`, which have only codes, are searched by the titles
//! of the codes. Tables are searched by the index of the catalogue, which knows more of them than their row tells.

use super::error::QueryError;
use super::expr::Binder;
use super::{BoundExpr, BoundExprKind};
use crate::catalogue::id::MeasurementId;
use crate::feed::Navigation;
use crate::feed::column::{Column, Fact, MemberFact, PeriodFact};
use crate::odata::uri::syntax::{Expr, ExprKind, MemberPath, MemberStep, PathRoot, SearchExpr, Span};
use crate::odata::value::{PrimitiveType, Value};
use crate::search::SearchIndex;

/// The columns of lists that are searched.
const TITLES: [&str; 20] = [
    "Identifier",
    "Id",
    "Title",
    "Subject",
    "Group",
    "Level",
    "Unit",
    "Code",
    "Column",
    "Table",
    "Period",
    "Area",
    "Measure",
    "Members",
    "Område",
    "Områdekode",
    "Områdeniveau",
    "Region",
    "Periode",
    "Periodenavn",
];

/// The condition that is true for the rows that the search finds. It is never unknown.
pub(super) fn condition(binder: &Binder<'_>, search: &SearchExpr) -> Result<BoundExpr, QueryError> {
    let found = match &binder.set.index {
        Some(index) => Searched::Tables(index),
        None => Searched::Texts(texts(binder)?),
    };
    SearchBinder { binder, found }.condition(search)
}

/// What is searched.
enum Searched<'a> {
    /// The texts of each row.
    Texts(Vec<BoundExpr>),
    /// The tables that are the rows, by their key.
    Tables(&'a SearchIndex),
}

struct SearchBinder<'a> {
    binder: &'a Binder<'a>,
    found: Searched<'a>,
}

impl SearchBinder<'_> {
    fn condition(&self, search: &SearchExpr) -> Result<BoundExpr, QueryError> {
        Ok(match search {
            SearchExpr::Word(word) => match &self.found {
                Searched::Texts(texts) => self.anywhere(texts, word)?,
                Searched::Tables(index) => self.tables(&index.with_word(word))?,
            },
            SearchExpr::Phrase(words) => match &self.found {
                Searched::Texts(texts) => self.anywhere(texts, words)?,
                Searched::Tables(index) => self.tables(&index.with_phrase(words))?,
            },
            SearchExpr::Not(inner) => {
                BoundExpr::boolean(BoundExprKind::Not(Box::new(self.condition(inner)?)))
            }
            SearchExpr::And(left, right) => BoundExpr::all([self.condition(left)?, self.condition(right)?]),
            SearchExpr::Or(left, right) => BoundExpr::any([self.condition(left)?, self.condition(right)?]),
        })
    }

    /// The rows with these keys.
    fn tables(&self, ids: &[&MeasurementId]) -> Result<BoundExpr, QueryError> {
        let key = self.binder.set.key.first().copied().unwrap_or_default();
        self.binder.charge(1)?;
        let column = BoundExpr {
            kind: BoundExprKind::Column(key),
            primitive: self.binder.set.columns.get(key).map(|column| column.primitive),
        };
        let ids = ids.iter().map(|id| Value::string(id.as_str())).collect();
        Ok(BoundExpr::boolean(BoundExprKind::In(Box::new(column), ids)))
    }

    fn anywhere(&self, texts: &[BoundExpr], words: &str) -> Result<BoundExpr, QueryError> {
        self.binder.charge(texts.iter().map(|text| text.nodes().count() + 1).sum())?;
        let words = Value::string(&words.to_lowercase());
        let found = |text: &BoundExpr| {
            BoundExpr::boolean(BoundExprKind::ContainsWords(Box::new(text.clone()), words.clone()))
        };
        Ok(BoundExpr::any(texts.iter().map(found)))
    }
}

/// The searched texts of a row.
fn texts(binder: &Binder<'_>) -> Result<Vec<BoundExpr>, QueryError> {
    let columns = binder.set.columns.iter().enumerate();
    let own: Vec<BoundExpr> = columns
        .filter(|(_, column)| is_title(column))
        .map(|(index, column)| BoundExpr {
            kind: BoundExprKind::Column(index),
            primitive: Some(column.primitive),
        })
        .collect();
    let is_titled = |navigation: &&Navigation| {
        let target = binder.feed.sets.get(navigation.target);
        !navigation.collection && target.is_some_and(|target| target.column_index("Title").is_some())
    };
    let navigations = binder.set.navigation.iter().filter(is_titled).filter(|_| own.is_empty());
    let titles = navigations
        .map(|navigation| binder.bind(&title_of(&navigation.name)))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(if own.is_empty() { titles } else { own })
}

fn is_title(column: &Column) -> bool {
    let is_text = column.primitive == PrimitiveType::String;
    is_text
        && match column.fact {
            Fact::Period(fact) => fact == PeriodFact::Id,
            Fact::Member(_, fact) => fact == MemberFact::Label,
            Fact::Listed(_) => TITLES.contains(&column.name.as_str()),
            Fact::Measure(_) | Fact::Value | Fact::Status | Fact::ValueAttribute => false,
            Fact::Updated | Fact::ObservationId | Fact::MeasureCode => false,
        }
}

/// The path to the title of a navigation property's target.
fn title_of(navigation: &str) -> Expr {
    let span = Span::default();
    let step = |name: &str| MemberStep::Name { name: name.to_owned(), key: None, span };
    let path = MemberPath { root: PathRoot::This, steps: vec![step(navigation), step("Title")] };
    Expr { kind: ExprKind::Path(path), span }
}
