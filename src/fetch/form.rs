//! Writes a chunk as requests in forms that the upstream has not refused: with all members of the hierarchy where that costs little
//! more, otherwise in several requests. Forms that are only in doubt are avoided earlier, when requests are planned
//! (`plan/missing.rs`).

use std::collections::BTreeSet;

use crate::catalogue::measurement::Measurement;
use crate::fetch::request::data_request;
use crate::plan::chunk::{Chunk, ChunkDimension};
use crate::plan::missing::{Limits, cheap_whole};
use crate::upstream::forms::{Form, KnownForms, PROVEN_ADDRESS, PROVEN_LIST};
use crate::upstream::request::{DataRequest, HierarchySelection};

/// Room in an address for the upstream's root.
const ROOT_CHARACTERS: usize = 40;

/// A chunk as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub chunk: Chunk,
    pub request: DataRequest,
}

impl Piece {
    /// Forms of the request that the upstream may refuse; any list where there is none in doubt.
    #[must_use]
    pub fn doubtful_forms(&self, measurement: &Measurement) -> BTreeSet<Form> {
        let parts = self.chunk.dimensions.iter();
        let mut forms: BTreeSet<Form> = parts.flat_map(|part| part.forms(measurement)).collect();
        let has_list = forms.remove(&Form::List);
        forms.extend(is_long(&self.request).then_some(Form::LongAddress));
        if forms.is_empty() && has_list {
            forms.insert(Form::List);
        }
        forms
    }
}

/// The requests that bring a chunk. No request of a chunk that asks for nothing.
#[must_use]
pub fn pieces(measurement: &Measurement, chunk: &Chunk, limits: &Limits) -> Vec<Piece> {
    let mut chunks = vec![chunk.clone()];
    for position in 0..chunk.dimensions.len() {
        let in_form = |chunk| in_known_form(measurement, chunk, position, limits);
        chunks = chunks.iter().flat_map(in_form).collect();
    }
    chunks.iter().flat_map(|chunk| short_enough(measurement, chunk, &limits.forms)).collect()
}

/// A chunk with one of its dimensions asked for in a form that was not refused.
fn in_known_form(measurement: &Measurement, chunk: &Chunk, position: usize, limits: &Limits) -> Vec<Chunk> {
    let (part, known) = (&chunk.dimensions[position], &limits.forms);
    let forms = part.forms(measurement);
    if !forms.iter().any(|form| known.is_refused(*form)) {
        return vec![chunk.clone()];
    }
    if let Some(whole) = cheap_whole(measurement, chunk, position, limits.cells) {
        return vec![whole];
    }
    let dimension = &measurement.dimensions[part.dimension];
    let (root, others): (Vec<_>, Vec<_>) =
        part.members.iter().partition(|&&member| dimension.members[member].is_total());
    let at_most = if known.is_refused(Form::List) { 1 } else { PROVEN_LIST };
    let is_short = known.is_proven(Form::LongList) || others.len() <= at_most;
    let lists: Vec<Vec<usize>> =
        if is_short { vec![others] } else { others.chunks(at_most).map(<[_]>::to_vec).collect() };
    let lists: Vec<_> = [root].into_iter().chain(lists).filter(|list| !list.is_empty()).collect();
    lists.into_iter().map(|members| with_members(chunk, position, members)).collect()
}

fn with_members(chunk: &Chunk, position: usize, members: Vec<usize>) -> Chunk {
    let mut with = chunk.clone();
    with.dimensions[position] =
        ChunkDimension { members, with_others: false, ..with.dimensions[position].clone() };
    with
}

/// A chunk in addresses that are in no doubt, once the upstream has refused others: the longest list is halved until they are.
fn short_enough(measurement: &Measurement, chunk: &Chunk, known: &KnownForms) -> Vec<Piece> {
    let Some(request) = data_request(measurement, chunk) else { return Vec::new() };
    let piece = || vec![Piece { chunk: chunk.clone(), request: request.clone() }];
    if !is_long(&request) || !known.is_refused(Form::LongAddress) {
        return piece();
    }
    let halves = halved(measurement, chunk);
    if halves.is_empty() {
        piece()
    } else {
        halves.iter().flat_map(|half| short_enough(measurement, half, known)).collect()
    }
}

/// A chunk with its longest list in halves.
fn halved(measurement: &Measurement, chunk: &Chunk) -> Vec<Chunk> {
    let is_list = |part: &ChunkDimension| {
        matches!(part.hierarchy_selection(measurement), HierarchySelection::Members(_))
    };
    let listed = chunk.dimensions.iter().enumerate().filter(|(_, part)| is_list(part));
    let longest = listed.map(|(position, part)| (part.members.len(), position)).max();
    match longest.filter(|(length, _)| *length > 1 && *length >= chunk.periods.len()) {
        Some((length, position)) => {
            let members = &chunk.dimensions[position].members;
            let halves = members.chunks(length.div_ceil(2));
            halves.map(|half| with_members(chunk, position, half.to_vec())).collect()
        }
        None if chunk.periods.len() > 1 && chunk.newest(measurement).is_none() => {
            let halves = chunk.periods.chunks(chunk.periods.len().div_ceil(2));
            halves.map(|half| Chunk { periods: half.to_vec(), ..chunk.clone() }).collect()
        }
        None => Vec::new(),
    }
}

fn is_long(request: &DataRequest) -> bool {
    request.path_and_query().len() + ROOT_CHARACTERS > PROVEN_ADDRESS
}

#[cfg(test)]
mod tests {
    use crate::plan::cut::cut;
    use crate::plan::fixture::table;
    use crate::plan::selection::{Members, Selection};

    use super::*;

    #[test]
    fn all_members_are_asked_for_in_place_of_a_refused_list_only_within_the_limit() {
        let table = table();
        let named = [vec![0, 1, 2], vec![0], vec![0]].map(Members::Named).to_vec();
        let selection = Selection { periods: vec![0], members: named, measures: vec![0] };
        let chunk = cut(&table, &selection, u64::MAX).unwrap().get(0).unwrap();
        let lists = |cells: u64| -> Vec<(Vec<usize>, bool)> {
            let forms = KnownForms { refused: [Form::RootInList].into(), ..KnownForms::default() };
            let pieces = pieces(&table, &chunk, &Limits { cells, forms });
            let areas = pieces.iter().map(|piece| &piece.chunk.dimensions[0]);
            areas.map(|areas| (areas.members.clone(), areas.with_others)).collect()
        };
        // Three places of five columns; all of them are five.
        assert_eq!(lists(25), [(vec![0, 1, 2], true)]);
        assert_eq!(lists(24), [(vec![0], false), (vec![1, 2], false)]);
    }
}
