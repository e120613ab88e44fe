//! Plans the requests for the figures of a box that are neither stored nor on their way, in few calls.
//!
//! A request is a box, and a call costs as much as some thousands of cells. So a request may include figures that are not wanted
//! yet if that saves calls: all measures of few rows, and more periods of very few rows. It includes figures that are stored or on
//! their way only where leaving them out would take many more calls. [`Leeway`] limits both.

use std::cmp::Reverse;

use crate::catalogue::dimension::Dimension;
use crate::catalogue::measurement::Measurement;
use crate::plan::chunk::{Chunk, ChunkError, LONGEST_PERIOD_LIST};
use crate::plan::cut::{cut, with_others};
use crate::plan::figure_box::{FigureBox, Positions, missing};
use crate::plan::selection::{Members, Selection};
use crate::upstream::forms::KnownForms;

/// A call costs as much as so many cells: the upstream takes about a second for one, whatever it brings.
pub const CALL_CELLS: u64 = 15_000;
/// A request may be filled with periods up to this part of what a call costs.
const FILLED: u64 = 3;
/// For each call that is saved at most so many figures are asked for again.
const MOST_AGAIN: u64 = 300;
/// Boxes are merged only if there are at most so many.
const MOST_MERGED: usize = 24;
/// Missing boxes that are tried as the beginning of a larger one.
const MOST_SEEDS: usize = 8;

/// The position on a dimension's axis of figures that do not name it: the total's, or one of its own where there is no total.
#[must_use]
pub fn unnamed_position(dimension: &Dimension) -> usize {
    dimension.total().unwrap_or(dimension.members.len())
}

/// The figures of a chunk.
#[must_use]
pub fn figures_of(measurement: &Measurement, chunk: &Chunk) -> FigureBox {
    let mut axes = vec![chunk.periods.iter().copied().collect::<Positions>()];
    let mut named = chunk.dimensions.iter().peekable();
    for (index, dimension) in measurement.dimensions.iter().enumerate() {
        let part = named.next_if(|part| part.dimension == index);
        axes.push(match part {
            Some(part) => part.members.iter().copied().collect(),
            None => [unnamed_position(dimension)].into_iter().collect(),
        });
    }
    axes.push(chunk.measures.iter().copied().collect());
    FigureBox::new(axes)
}

/// Requests for what is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requests {
    pub chunks: Vec<Chunk>,
    /// How many figures they bring.
    pub figures: u64,
    /// How many of these are held already.
    pub again: u64,
    /// How many of these nobody wanted.
    pub spare: u64,
}

/// What the upstream takes in one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    pub cells: u64,
    pub forms: KnownForms,
}

/// What may be asked for beside what is missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leeway {
    /// More periods of the same rows where that costs little: a client that reads several periods is likely to read the series.
    pub more_periods: bool,
    /// The most figures that are held and requested again, where that saves calls.
    pub again: u64,
    /// The most figures that are neither held nor wanted, not counting all measures of few rows.
    pub spare: u64,
}

/// The requests that bring what is wanted and not held; nothing is asked for twice.
///
/// # Errors
/// When a single row is above the limit, or a member stands in no hierarchy.
pub fn requests(
    measurement: &Measurement,
    wanted: &FigureBox,
    held: &[FigureBox],
    limits: &Limits,
    leeway: Leeway,
) -> Result<Requests, ChunkError> {
    let planning = Planning { measurement, limits, held: held.to_vec() };
    let apart = planning.clone().apart(wanted, leeway)?;
    let together = if apart.len() > 1 && leeway.again > 0 {
        planning.together(wanted, apart.len() as u64, leeway)?
    } else {
        None
    };
    let chunks = together.unwrap_or(apart);
    let brings: Vec<FigureBox> = chunks.iter().map(|chunk| figures_of(measurement, chunk)).collect();
    let figures: u64 = brings.iter().map(FigureBox::count).sum();
    let new: u64 = brings.iter().flat_map(|one| missing(one, held)).map(|one| one.count()).sum();
    let wanted: u64 = missing(wanted, held).iter().map(FigureBox::count).sum();
    Ok(Requests { chunks, figures, again: figures - new, spare: new.saturating_sub(wanted) })
}

/// What requests take.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    calls: u64,
    cells: u64,
}

impl Cost {
    fn and(self, other: Self) -> Self {
        Self { calls: self.calls.saturating_add(other.calls), cells: self.cells.saturating_add(other.cells) }
    }

    fn in_cells(self) -> u64 {
        self.calls.saturating_mul(CALL_CELLS).saturating_add(self.cells)
    }
}

/// A box, and how many calls bring it.
struct CountedBox {
    figures: FigureBox,
    calls: u64,
}

/// A box in place of several.
struct Merger {
    both: CountedBox,
    /// How many calls fewer it takes.
    saved: u64,
    /// How many figures more it brings.
    more: u64,
}

#[derive(Clone)]
struct Planning<'a> {
    measurement: &'a Measurement,
    limits: &'a Limits,
    /// What is in store or on its way, and what is to be asked for.
    held: Vec<FigureBox>,
}

impl Planning<'_> {
    /// Requests for what is wanted and not held, box by box.
    fn apart(mut self, wanted: &FigureBox, mut leeway: Leeway) -> Result<Vec<Chunk>, ChunkError> {
        let axis = self.measure_axis();
        let all: Positions = (0..self.measurement.measures.len()).collect();
        let whole = wanted.with(axis, all.clone());
        let rows_held: Vec<FigureBox> = self.held.iter().map(|held| held.with(axis, all.clone())).collect();
        let mut boxes = Vec::new();
        let free = cover(missing(&whole, &rows_held), &rows_held);
        for rows in self.merged(free, &mut leeway.again) {
            // Of these rows no measure is held, except for the few figures that merging added.
            let one_by_one = self.measure_by_measure(&rows, &wanted.axes()[axis]);
            boxes.extend(if self.all_together(&one_by_one, &rows, &mut leeway)? {
                vec![rows]
            } else {
                one_by_one
            });
        }
        let held = self.held.len();
        self.held.extend(boxes.iter().cloned());
        for one in self.measure_by_measure(wanted, &wanted.axes()[axis]) {
            let rest = cover(missing(&one, &self.held), &self.held);
            let rest = self.merged(rest, &mut leeway.again);
            self.held.extend(rest.iter().cloned());
            boxes.extend(rest);
        }
        self.held.truncate(held);
        let mut boxes = self.across_measures(boxes, &mut leeway)?;
        for at in 0..boxes.len() {
            boxes[at] = self.filled(&boxes[at], &boxes, &mut leeway)?;
        }
        let mut chunks = Vec::new();
        for figures in &boxes {
            chunks.extend(
                cut(self.measurement, &selection_of(self.measurement, figures), self.limits.cells)?.iter(),
            );
        }
        Ok(self.without_held(&chunks, leeway.spare))
    }

    /// The same boxes with two made one, again and again the two that save most calls, as long as few figures are asked for again
    /// for each call that is saved.
    fn merged(&self, boxes: Vec<FigureBox>, again: &mut u64) -> Vec<FigureBox> {
        if *again == 0 || !(2..=MOST_MERGED).contains(&boxes.len()) {
            return boxes;
        }
        // Counting the calls of a box means planning them, so it is done once for each box.
        let mut counted: Vec<CountedBox> = boxes.into_iter().map(|figures| self.counted(figures)).collect();
        while *again > 0 {
            let pairs = counted.iter().enumerate();
            let pairs = pairs.flat_map(|(at, one)| counted[at + 1..].iter().map(move |other| (one, other)));
            let mergers = pairs
                .filter_map(|(one, other)| self.merger(one.figures.around(&other.figures), &counted, *again));
            let best = mergers.min_by_key(|merger| (Reverse(merger.saved), merger.more));
            let Some(Merger { both, more, .. }) = best else { break };
            *again -= more;
            counted.retain(|one| !both.figures.covers(&one.figures));
            counted.push(both);
        }
        counted.into_iter().map(|one| one.figures).collect()
    }

    /// A box and its calls. One that cannot be asked for has none, so that no merger saves them.
    fn counted(&self, figures: FigureBox) -> CountedBox {
        let calls = self.cost(&figures).map_or(0, |cost| cost.calls);
        CountedBox { figures, calls }
    }

    /// A box in place of those inside it, if that saves calls and asks for few more figures for each.
    fn merger(&self, both: FigureBox, boxes: &[CountedBox], again: u64) -> Option<Merger> {
        let inside = || boxes.iter().filter(|one| both.covers(&one.figures));
        let calls: u64 = inside().map(|one| one.calls).sum();
        let figures: u64 = inside().map(|one| one.figures.count()).sum();
        // Most pairs end here, before their calls are planned.
        if both.count().saturating_sub(figures) > again.min(calls * MOST_AGAIN) {
            return None;
        }
        // Boxes that were merged before may overlap, so the sum of their figures is not enough.
        let more: u64 = missing(&both, inside().map(|one| &one.figures)).iter().map(FigureBox::count).sum();
        let both = self.counted(both);
        let saved = if both.calls == 0 { 0 } else { calls.saturating_sub(both.calls) };
        (saved > 0 && more <= again.min(saved * MOST_AGAIN)).then_some(Merger { both, saved, more })
    }

    /// The same boxes with those of several measures made one of all measures, where few of its figures are held for each call that
    /// this saves, and the others cost less than the calls.
    fn across_measures(
        &self,
        mut boxes: Vec<FigureBox>,
        leeway: &mut Leeway,
    ) -> Result<Vec<FigureBox>, ChunkError> {
        let axis = self.measure_axis();
        let all: Positions = (0..self.measurement.measures.len()).collect();
        for rows in boxes.clone() {
            let both = rows.with(axis, all.clone());
            let Ok(cost) = self.cost(&both) else { continue };
            let (inside, others): (Vec<_>, Vec<_>) = boxes.iter().cloned().partition(|one| both.covers(one));
            let mut calls = 0;
            for one in &inside {
                calls += self.cost(one)?.calls;
            }
            let saved = calls.saturating_sub(cost.calls);
            let new: u64 = missing(&both, self.held.iter().chain(&others)).iter().map(FigureBox::count).sum();
            let wanted: u64 = inside.iter().map(FigureBox::count).sum();
            let (more, spare) = (both.count() - new, new.saturating_sub(wanted));
            if saved > 0
                && more <= leeway.again.min(saved * MOST_AGAIN)
                && spare <= leeway.spare.min(saved * CALL_CELLS)
            {
                leeway.again -= more;
                leeway.spare -= spare;
                boxes = others;
                boxes.push(both);
            }
        }
        Ok(boxes)
    }

    /// Everything that is wanted in fewer requests, if that asks for no more than so many figures again, and for few of them for
    /// each call that it saves.
    fn together(
        &self,
        wanted: &FigureBox,
        calls: u64,
        leeway: Leeway,
    ) -> Result<Option<Vec<Chunk>>, ChunkError> {
        let axis = self.measure_axis();
        let left = missing(wanted, &self.held);
        let wanted_count: u64 = left.iter().map(FigureBox::count).sum();
        let Some(around) = left.into_iter().reduce(|all, one| all.around(&one)) else { return Ok(None) };
        let all: Positions = (0..self.measurement.measures.len()).collect();
        let newest = self.newest_periods(&around);
        let candidates = [around.with(0, newest.clone()), around].into_iter().flat_map(|around| {
            let one = (around.axes()[axis].len() == 1).then(|| around.clone());
            one.into_iter().chain([around.with(axis, all.clone())])
        });
        for candidate in candidates {
            let Ok(cost) = self.cost(&candidate) else { continue };
            let new: u64 = missing(&candidate, &self.held).iter().map(FigureBox::count).sum();
            let again = candidate.count() - new;
            let saved = calls.saturating_sub(cost.calls);
            if again <= leeway.again.min(saved.saturating_mul(MOST_AGAIN))
                && new <= saved.saturating_mul(CALL_CELLS)
                && new.saturating_sub(wanted_count) <= leeway.spare
            {
                let chunks =
                    cut(self.measurement, &selection_of(self.measurement, &candidate), self.limits.cells)?;
                let chunks: Vec<Chunk> =
                    chunks.iter().flat_map(|chunk| chunk.in_lists(self.measurement)).collect();
                return Ok((chunks.len() as u64 <= cost.calls).then_some(chunks));
            }
        }
        Ok(None)
    }

    /// The requests that these chunks are: a chunk that is asked for with other members of its hierarchy brings those too, if
    /// nobody has them and no other chunk brings them; else it is asked for in lists. So is one whose list would be of a form in doubt.
    fn without_held(&self, chunks: &[Chunk], mut spare: u64) -> Vec<Chunk> {
        let mut figures: Vec<FigureBox> =
            chunks.iter().map(|chunk| figures_of(self.measurement, chunk)).collect();
        let mut requests = Vec::new();
        for (at, chunk) in chunks.iter().enumerate() {
            let whole = self.without_doubtful_lists(chunk).with_all_members(self.measurement);
            let brings = figures_of(self.measurement, &whole);
            let mut others =
                figures.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, other)| other);
            let more = brings.count() - figures[at].count();
            if more <= spare
                && !others.any(|other| other.meets(&brings))
                && !self.held.iter().any(|held| held.meets(&brings))
            {
                spare -= more;
                figures[at] = brings;
                requests.push(whole);
            } else {
                requests.extend(chunk.in_lists(self.measurement));
            }
        }
        requests
    }

    /// A chunk with all members of a hierarchy asked for where the form of their list is in doubt, if that costs little more.
    fn without_doubtful_lists(&self, chunk: &Chunk) -> Chunk {
        (0..chunk.dimensions.len()).fold(chunk.clone(), |chunk, position| {
            let forms = chunk.dimensions[position].forms(self.measurement);
            let is_in_doubt = forms.iter().any(|form| !self.limits.forms.is_proven(*form));
            let whole =
                is_in_doubt.then(|| cheap_whole(self.measurement, &chunk, position, self.limits.cells));
            whole.flatten().unwrap_or(chunk)
        })
    }

    /// Whether rows are asked for with all measures: below the cost of a call always, if it takes no more calls.
    fn all_together(
        &self,
        one_by_one: &[FigureBox],
        all: &FigureBox,
        leeway: &mut Leeway,
    ) -> Result<bool, ChunkError> {
        let mut apart = Cost::default();
        for one in one_by_one {
            apart = apart.and(self.cost(one)?);
        }
        // A row with one measure may be within the limit even if a row with all measures is not.
        let Ok(cost) = self.cost(all) else { return Ok(false) };
        let wanted: u64 = one_by_one.iter().map(FigureBox::count).sum();
        let spare = all.count() - wanted;
        let is_little = cost.cells <= CALL_CELLS && cost.calls <= apart.calls;
        let is_chosen = is_little || spare <= leeway.spare && cost.in_cells() <= apart.in_cells();
        if is_chosen {
            leeway.spare = leeway.spare.saturating_sub(spare);
        }
        Ok(is_chosen)
    }

    /// A box of several periods that costs little, with more of them, which the next who looks at the same rows will want:
    /// nothing that anybody has, and in no more calls.
    fn filled(
        &self,
        figures: &FigureBox,
        others: &[FigureBox],
        leeway: &mut Leeway,
    ) -> Result<FigureBox, ChunkError> {
        let periods = &self.measurement.periods;
        let several = figures.axes()[0].len() > 1 && leeway.more_periods;
        let Some(first) = figures.axes()[0].iter().next().filter(|_| several) else {
            return Ok(figures.clone());
        };
        let of_type = (0..periods.len()).filter(|&at| periods[at].type_id == periods[first].type_id);
        let others = self.held.iter().chain(others).filter(|other| !figures.covers(other));
        let free = figures.free_positions(0, &of_type.collect(), others);
        let cost = self.cost(figures)?;
        for most in [usize::MAX, LONGEST_PERIOD_LIST] {
            let room = most.saturating_sub(figures.axes()[0].len());
            let more: Positions = free.iter().take(room).chain(figures.axes()[0].iter()).collect();
            let filled = figures.with(0, more);
            let filled_cost = self.cost(&filled)?;
            let spare = filled.count() - figures.count();
            if filled_cost.calls <= cost.calls
                && filled_cost.cells <= CALL_CELLS / FILLED
                && spare <= leeway.spare
            {
                leeway.spare -= spare;
                return Ok(filled);
            }
        }
        Ok(figures.clone())
    }

    /// The periods of a box and all newer ones of their type: those are asked for by their number, however many they are.
    fn newest_periods(&self, figures: &FigureBox) -> Positions {
        let periods = &self.measurement.periods;
        let Some(oldest) = figures.axes()[0].iter().last() else { return Positions::default() };
        let newer = (0..=oldest).filter(|&at| periods[at].type_id == periods[oldest].type_id);
        newer.chain(figures.axes()[0].iter()).collect()
    }

    fn cost(&self, figures: &FigureBox) -> Result<Cost, ChunkError> {
        let chunks = cut(self.measurement, &selection_of(self.measurement, figures), self.limits.cells)?;
        Ok(Cost { calls: chunks.count(), cells: chunks.cells() })
    }

    fn measure_axis(&self) -> usize {
        1 + self.measurement.dimensions.len()
    }

    /// A request names one measure or all.
    fn measure_by_measure(&self, figures: &FigureBox, measures: &Positions) -> Vec<FigureBox> {
        let axis = self.measure_axis();
        measures.iter().map(|measure| figures.with(axis, [measure].into_iter().collect())).collect()
    }
}

/// A chunk with every member of a dimension's hierarchy asked for, a form that is in no doubt; `None` if that would double a label,
/// go beyond the limit, or bring more cells in addition than a call costs.
#[must_use]
pub fn cheap_whole(
    measurement: &Measurement,
    chunk: &Chunk,
    position: usize,
    cell_limit: u64,
) -> Option<Chunk> {
    let most = cell_limit.min(chunk.cell_bound(measurement).saturating_add(CALL_CELLS));
    with_others(measurement, chunk, position).filter(|whole| whole.cell_bound(measurement) <= most)
}

/// Boxes without anything that is held that together are what is missing, each as large as it easily gets.
fn cover(mut left: Vec<FigureBox>, held: &[FigureBox]) -> Vec<FigureBox> {
    let mut held = held.to_vec();
    let mut boxes = Vec::new();
    while let Some(axes) = left.first().map(|first| first.axes().len()) {
        let orders = (0..axes).map(|first| (first..axes).chain(0..first).collect::<Vec<_>>());
        let orders: Vec<Vec<usize>> = orders.chain([(0..axes).rev().collect()]).collect();
        let seeds = left.iter().take(MOST_SEEDS);
        let grown = seeds.flat_map(|seed| orders.iter().map(|order| seed.grown(order, &left, &held)));
        let Some(best) = grown.max_by_key(FigureBox::count) else { break };
        left = left.iter().flat_map(|one| missing(one, [&best])).collect();
        held.push(best.clone());
        boxes.push(best);
    }
    boxes
}

/// A box as a selection. Dimensions that stand at their total are not named; an area always is.
fn selection_of(measurement: &Measurement, figures: &FigureBox) -> Selection {
    let (periods, rest) = (figures.axes()[0].iter().collect(), &figures.axes()[1..]);
    let members = measurement.dimensions.iter().zip(rest).map(|(dimension, positions)| {
        let is_unnamed = positions.len() == 1 && positions.contains(unnamed_position(dimension));
        let is_named = !is_unnamed || dimension.is_area() && dimension.total().is_some();
        if is_named { Members::Named(positions.iter().collect()) } else { Members::Unnamed }
    });
    let measures = rest.last().map(|measures| measures.iter().collect()).unwrap_or_default();
    Selection { periods, members: members.collect(), measures }
}
