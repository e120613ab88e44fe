//! The tile map: one tile for each municipality, coloured where figures of places of different size can be compared.

use askama::Template;
use rust_decimal::Decimal;

use crate::catalogue::value::Figure;
use crate::pages::municipality::{self, Municipality};

/// How many shades there are; the style sheet has a class for each.
const SHADES: usize = 5;
/// The size of a tile with the gap after it.
const STEP: u32 = 52;

/// The map, ready to be written.
#[derive(Debug, Template)]
#[template(path = "tile_map.html")]
pub(super) struct TileMap {
    width: u32,
    height: u32,
    description: String,
    tiles: Vec<Tile>,
    /// The shades with the least and greatest figure of each; empty where nothing is coloured.
    pub legend: Vec<(usize, String, String)>,
    pub has_hidden: bool,
}

#[derive(Debug)]
struct Tile {
    x: u32,
    y: u32,
    short: &'static str,
    /// Name and figure, shown when it is pointed at.
    title: String,
    figure: String,
    link: String,
    class: String,
}

/// What is shown on the map.
pub(super) struct Shown<'a> {
    pub description: String,
    /// The figure of a municipality.
    pub figure: &'a dyn Fn(&Municipality) -> Figure,
    pub written: &'a dyn Fn(Decimal) -> String,
    pub hidden: &'a str,
    pub link: &'a dyn Fn(&Municipality) -> String,
    pub chosen: Option<&'a Municipality>,
    /// Whether figures of different places can be compared by colour.
    pub is_coloured: bool,
}

impl TileMap {
    pub fn draw(shown: &Shown<'_>) -> Self {
        let figures: Vec<(&Municipality, Figure)> =
            municipality::all().iter().map(|one| (one, (shown.figure)(one))).collect();
        let limits = if shown.is_coloured { limits(&figures) } else { Vec::new() };
        let tiles = figures.iter().map(|(one, figure)| tile(shown, &limits, one, *figure)).collect();
        let end = |position: fn(&Municipality) -> u32| {
            municipality::all().iter().map(position).max().unwrap_or_default() + 1
        };
        Self {
            width: end(|one| one.column) * STEP,
            height: end(|one| one.row) * STEP,
            description: shown.description.clone(),
            tiles,
            legend: legend(shown, &limits, &figures),
            has_hidden: figures.iter().any(|(_, figure)| figure.is_none()),
        }
    }
}

fn tile(shown: &Shown<'_>, limits: &[Decimal], one: &Municipality, figure: Figure) -> Tile {
    let written = figure.map(|figure| (shown.written)(figure));
    let shade = figure.map(|figure| shade(limits, figure)).filter(|_| shown.is_coloured);
    let mut class = match (shade, figure) {
        (Some(shade), _) => format!("q{shade}"),
        (None, Some(_)) => "plain".to_owned(),
        (None, None) => "none".to_owned(),
    };
    if shown.chosen == Some(one) {
        class += " chosen";
    }
    Tile {
        x: one.column * STEP,
        y: one.row * STEP,
        short: one.short,
        title: format!("{}: {}", one.name, written.as_deref().unwrap_or(shown.hidden)),
        figure: written.unwrap_or_else(|| "–".to_owned()),
        link: (shown.link)(one),
        class,
    }
}

/// The least figure of each shade but the first, so that about as many municipalities have each.
fn limits(figures: &[(&Municipality, Figure)]) -> Vec<Decimal> {
    let mut known: Vec<Decimal> = figures.iter().filter_map(|(_, figure)| *figure).collect();
    known.sort();
    let mut limits: Vec<Decimal> =
        (1..SHADES).filter_map(|shade| known.get(known.len() * shade / SHADES).copied()).collect();
    limits.dedup();
    limits
}

/// From 1 to [`SHADES`].
fn shade(limits: &[Decimal], figure: Decimal) -> usize {
    1 + limits.iter().filter(|limit| figure >= **limit).count()
}

fn legend(
    shown: &Shown<'_>,
    limits: &[Decimal],
    figures: &[(&Municipality, Figure)],
) -> Vec<(usize, String, String)> {
    let range = |wanted: usize| {
        let of_shade =
            figures.iter().filter_map(|(_, figure)| *figure).filter(|it| shade(limits, *it) == wanted);
        let (least, most) = of_shade.fold((None, None), |(least, most): (Figure, Figure), it| {
            (Some(least.map_or(it, |least| least.min(it))), Some(most.map_or(it, |most| most.max(it))))
        });
        Some((wanted, (shown.written)(least?), (shown.written)(most?)))
    };
    if shown.is_coloured { (1..=SHADES).filter_map(range).collect() } else { Vec::new() }
}
