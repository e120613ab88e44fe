//! Which figures a request to the upstream asks for, read from its address alone.

use std::collections::{BTreeMap, HashMap};

use jobindsats_bridge::catalogue::measurement::Measurement;

/// Figures of one table as numbers, each with how often it was asked for.
#[derive(Debug, Default)]
pub struct RequestedFigures {
    pub times: HashMap<u64, u32>,
    pub calls: u64,
}

impl RequestedFigures {
    /// Figures asked for, those asked for twice counted twice.
    pub fn total(&self) -> u64 {
        self.times.values().map(|times| u64::from(*times)).sum()
    }

    /// Counts the figures of a request.
    pub fn add(&mut self, measurement: &Measurement, target: &str) {
        self.calls += 1;
        for figure in figures(&axes(measurement, target)) {
            *self.times.entry(figure).or_default() += 1;
        }
    }
}

/// The places of a box of figures on each axis, with the length of the axis: periods, each dimension, measures.
pub type Axes = Vec<(Vec<usize>, usize)>;

/// Every figure of a box, as the number of its place in the table.
pub fn figures(axes: &Axes) -> Vec<u64> {
    axes.iter().fold(vec![0], |figures, (places, length)| {
        let next = |figure: u64| places.iter().map(move |&place| figure * *length as u64 + place as u64);
        figures.into_iter().flat_map(next).collect()
    })
}

/// The box that an address asks for. A dimension that is not named stands at its total.
pub fn axes(measurement: &Measurement, target: &str) -> Axes {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let pairs: BTreeMap<String, String> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(k, v)| (decode(k), decode(v)))
        .collect();
    let named = |prefix: &'static str| {
        pairs
            .iter()
            .filter_map(move |(key, value)| Some((key.strip_prefix(prefix)?.to_owned(), value.clone())))
    };
    let periods: Vec<usize> =
        named("period.").flat_map(|(kind, value)| periods(measurement, &kind, &value)).collect();
    let mut axes = vec![(periods, measurement.periods.len())];
    let chosen: BTreeMap<String, String> = named("hierarchy.").collect();
    for dimension in &measurement.dimensions {
        let hierarchy = dimension
            .hierarchies
            .iter()
            .find_map(|hierarchy| Some((hierarchy, chosen.get(hierarchy.id.as_str())?)));
        let mut members: Vec<usize> = match hierarchy {
            None => vec![0],
            Some((hierarchy, value)) => {
                let wanted = |node: &&jobindsats_bridge::catalogue::dimension::Node| match value
                    .strip_prefix("level:")
                {
                    Some(level) => {
                        node.path.as_str() != "/"
                            && node.level.is_some_and(|at| hierarchy.levels[at].id.as_str() == level)
                    }
                    None => value == "*" || value.split(',').any(|path| path == node.path.as_str()),
                };
                hierarchy.nodes.iter().filter(wanted).map(|node| node.member).collect()
            }
        };
        members.sort_unstable();
        members.dedup();
        axes.push((members, dimension.members.len()));
    }
    let measures = (0..measurement.measures.len()).filter(|&at| {
        named("mgroup.").any(|(group, value)| {
            let measure = &measurement.measures[at];
            group == "*"
                || group == measure.group_id.as_str()
                    && (value == "*" || value.split(',').any(|id| id == measure.source_id.as_str()))
        })
    });
    axes.push((measures.collect(), measurement.measures.len()));
    axes
}

fn periods(measurement: &Measurement, kind: &str, value: &str) -> Vec<usize> {
    let of_kind =
        (0..measurement.periods.len()).filter(|&at| measurement.periods[at].type_id.as_str() == kind);
    match value.strip_prefix("latest:") {
        Some(count) => of_kind.take(count.parse().unwrap()).collect(),
        None => of_kind
            .filter(|&at| value.split(',').any(|id| id == measurement.periods[at].id.as_str()))
            .collect(),
    }
}
