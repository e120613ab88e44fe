//! In which form the cells of a chunk are asked for. A form in doubt is avoided where all members of the hierarchy cost little more;
//! more calls are made once the upstream has refused a form.

use std::collections::BTreeSet;

use crate::catalogue::dimension::ROOT;
use crate::catalogue::measurement::Measurement;
use crate::fetch::request::data_request;
use crate::plan::chunk::{Chunk, ChunkDimension};
use crate::plan::cut::are_unambiguous;
use crate::upstream::forms::{Form, KnownForms, PROVEN_ADDRESS, PROVEN_LIST};
use crate::upstream::request::{DataRequest, HierarchySelection};

/// What a call costs, in cells that could be had instead.
const CALL_CELLS: u64 = 4_000;
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
    pub fn doubtful_forms(&self) -> BTreeSet<Form> {
        let mut forms = BTreeSet::new();
        let mut has_list = false;
        for (_, selection) in &self.request.hierarchies {
            if let HierarchySelection::Members(paths) = selection
                && paths.len() > 1
            {
                has_list = true;
                forms.extend(paths.iter().any(|path| path.as_str() == ROOT).then_some(Form::RootInList));
                forms.extend((paths.len() > PROVEN_LIST).then_some(Form::LongList));
            }
        }
        forms.extend(is_long(&self.request).then_some(Form::LongAddress));
        if forms.is_empty() && has_list {
            forms.insert(Form::List);
        }
        forms
    }
}

/// The requests that bring a chunk. No request of a chunk that asks for nothing.
#[must_use]
pub fn pieces(measurement: &Measurement, chunk: &Chunk, known: &KnownForms) -> Vec<Piece> {
    let mut chunks = vec![chunk.clone()];
    for position in 0..chunk.dimensions.len() {
        chunks = chunks.iter().flat_map(|chunk| in_known_form(measurement, chunk, position, known)).collect();
    }
    chunks.iter().flat_map(|chunk| short_enough(measurement, chunk, known)).collect()
}

/// A chunk with one of its dimensions asked for in a form that is in no doubt, where that costs little more.
fn in_known_form(
    measurement: &Measurement,
    chunk: &Chunk,
    position: usize,
    known: &KnownForms,
) -> Vec<Chunk> {
    let part = &chunk.dimensions[position];
    let HierarchySelection::Members(paths) = part.hierarchy_selection(measurement) else {
        return vec![chunk.clone()];
    };
    let holds_root = paths.len() > 1 && paths.iter().any(|path| path.as_str() == ROOT);
    let mut doubtful = Vec::new();
    doubtful.extend(holds_root.then_some(Form::RootInList));
    doubtful.extend((paths.len() > PROVEN_LIST).then_some(Form::LongList));
    doubtful.extend((paths.len() > 1).then_some(Form::List));
    doubtful.retain(|form| !known.is_proven(*form));
    if doubtful.is_empty() {
        return vec![chunk.clone()];
    }
    let all = with_others(measurement, chunk, position);
    if let Some(all) =
        all.filter(|all| all.cell_bound(measurement) <= chunk.cell_bound(measurement) + CALL_CELLS)
    {
        return vec![all];
    }
    let dimension = &measurement.dimensions[part.dimension];
    let (root, others): (Vec<_>, Vec<_>) =
        part.members.iter().partition(|&&member| holds_root && dimension.members[member].is_total());
    let at_most = if known.is_refused(Form::List) { 1 } else { PROVEN_LIST };
    let is_short = known.is_proven(Form::LongList) || others.len() <= at_most;
    let lists: Vec<Vec<usize>> =
        if is_short { vec![others] } else { others.chunks(at_most).map(<[_]>::to_vec).collect() };
    let lists: Vec<_> = [root].into_iter().chain(lists).filter(|list| !list.is_empty()).collect();
    let is_refused = doubtful.iter().any(|form| known.is_refused(*form));
    // More calls are made only once the upstream has refused a form.
    if lists.len() > 1 && !is_refused {
        return vec![chunk.clone()];
    }
    lists.into_iter().map(|members| with_members(chunk, position, members)).collect()
}

/// The chunk with every member of the hierarchy asked for, if no label would be doubled; what is not wanted is dropped.
fn with_others(measurement: &Measurement, chunk: &Chunk, position: usize) -> Option<Chunk> {
    let part = &chunk.dimensions[position];
    let dimension = &measurement.dimensions[part.dimension];
    let mut all: Vec<usize> =
        dimension.hierarchies[part.hierarchy].nodes.iter().map(|node| node.member).collect();
    all.dedup();
    if !are_unambiguous(dimension, &all) {
        return None;
    }
    let mut with = chunk.clone();
    with.dimensions[position].with_others = true;
    Some(with)
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
