//! Where a page starts: at the first row, or at the row of a skip token, in the revision of the earlier pages.
//!
//! A token has the ids of the row on each axis, which stay valid when the catalogue is read again, or for lists the row's number.

use crate::answer::error::BridgeError;
use crate::feed::facts::{self, Axis};
use crate::feed::{CellForm, CellSource};
use crate::fetch::error::FetchError;
use crate::frame::Frame;
use crate::odata::skip_token::{Fingerprint, SkipToken, SkipTokenError};
use crate::odata::value::Value;
use crate::plan::UpstreamPlan;
use crate::plan::selection::Selection;
use crate::store::block::Revision;

/// Which page is requested.
pub(super) struct PageStart {
    pub(super) token: Option<SkipToken>,
    /// The revision of earlier pages.
    pub(super) revision: Option<Revision>,
    /// The fingerprint of the query, for skip tokens.
    pub(super) fingerprint: Fingerprint,
    /// The page size that the client prefers.
    pub(super) max_page_size: Option<u64>,
    /// Whether all pages will be requested.
    pub(super) all_pages: bool,
}

impl PageStart {
    /// Reads a skip token, which must belong to the query with that canonical text.
    pub(super) fn read(
        skip_token: Option<&str>,
        identity: &str,
        max_page_size: Option<u64>,
        all_pages: bool,
    ) -> Result<Self, BridgeError> {
        let fingerprint = Fingerprint::of(identity);
        let token = skip_token.map(|text| SkipToken::decode(text, fingerprint)).transpose()?;
        let revision = token.as_ref().and_then(|token| token.revision.as_deref());
        let revision = revision.map(|text| text.parse().map_err(|_| SkipTokenError::Damaged)).transpose()?;
        Ok(Self { token, revision, fingerprint, max_page_size, all_pages })
    }

    /// How many rows earlier pages had.
    pub(super) fn delivered(&self) -> u64 {
        self.token.as_ref().map_or(0, |token| token.delivered)
    }

    /// The sort key of the row of the token.
    pub(super) fn sort_key(&self, source: Option<&CellSource>) -> Result<Option<Vec<u32>>, BridgeError> {
        let Some(token) = &self.token else { return Ok(None) };
        let Some(source) = source else {
            let numbers = token.first_key.iter().map(number).collect::<Option<_>>();
            return numbers.map(Some).ok_or_else(|| SkipTokenError::Damaged.into());
        };
        let measurement = &source.measurement;
        let position = |(axis, value): (Option<Axis>, &Value)| match (axis, value) {
            (Some(axis), Value::String(id)) => {
                facts::position_of(measurement, axis, id).and_then(|at| u32::try_from(at).ok())
            }
            (None, value) => number(value),
            _ => None,
        };
        let positions = sort_key_axes(source).zip(&token.first_key).map(position).collect::<Option<_>>();
        positions.map(Some).ok_or_else(|| FetchError::Gone { table: measurement.id.clone() }.into())
    }
}

/// A hash of the ids of the periods and members that a plan reads rows of.
pub(super) fn places_of(plan: &UpstreamPlan) -> Fingerprint {
    let (measurement, selection) = (&plan.source.measurement, &plan.selection);
    let axes = selection.shown().map(|(dimension, members)| (Axis::Dimension(dimension), members.list()));
    let mut text = String::new();
    for (axis, positions) in [(Axis::Period, selection.periods.as_slice())].into_iter().chain(axes) {
        for id in positions.iter().filter_map(|&at| facts::id_at(measurement, axis, at)) {
            text.push_str(id);
            text.push('\n');
        }
        text.push('\n');
    }
    Fingerprint::of(&text)
}

fn number(value: &Value) -> Option<u32> {
    if let Value::Integer(number) = value { u32::try_from(*number).ok() } else { None }
}

/// The key of the first row of a frame, for a token.
pub(super) fn key_of(source: Option<&CellSource>, rows: &Frame) -> Vec<Value> {
    let positions = rows.sort_keys().at(0).into_iter();
    let Some(source) = source else { return positions.map(|at| Value::Integer(at.into())).collect() };
    let id = |(axis, at): (Option<Axis>, u32)| match axis {
        Some(axis) => facts::id_at(&source.measurement, axis, at as usize).map_or(Value::Null, Value::string),
        None => Value::Integer(at.into()),
    };
    sort_key_axes(source).zip(positions).map(id).collect()
}

/// The axes of the sort key; `None` for the number that distinguishes unknown labels.
fn sort_key_axes(source: &CellSource) -> impl Iterator<Item = Option<Axis>> {
    let long = (source.form == CellForm::Long).then_some(Some(Axis::Measure));
    let shown: Vec<usize> = Selection::of_set(source).shown().map(|(dimension, _)| dimension).collect();
    let dimensions = shown.into_iter().map(|dimension| Some(Axis::Dimension(dimension)));
    [Some(Axis::Period)].into_iter().chain(dimensions).chain([None]).chain(long)
}
