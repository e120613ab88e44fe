//! Line charts as SVG, drawn here so that they need no script: lines with gaps where figures are not published, labels at their
//! ends, ticks at round numbers. Colours are classes of the style sheet, told apart by dashes as well.

use askama::Template;

/// Room around the lines.
const LEFT: f64 = 58.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 26.0;
/// The least distance of two labels at the ends of lines.
const LABEL_HEIGHT: f64 = 16.0;
/// About how wide a letter of a label is.
const LETTER: f64 = 7.2;
/// How many lines have a look of their own.
const LOOKS: usize = 6;

/// A chart, ready to be written.
#[derive(Debug, Clone, Template, PartialEq)]
#[template(path = "line_chart.html")]
pub(super) struct LineChart {
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    /// What a reader who does not see it is told.
    description: String,
    values: Vec<Tick>,
    times: Vec<Tick>,
    breaks: Vec<Tick>,
    lines: Vec<Line>,
}

/// A place on an axis.
#[derive(Debug, Clone, PartialEq)]
struct Tick {
    at: String,
    label: String,
}

#[derive(Debug, Clone, PartialEq)]
struct Line {
    look: usize,
    path: String,
    /// Figures without neighbours, which a line would not show.
    dots: Vec<(String, String)>,
    label: String,
    label_at: String,
}

/// What is drawn.
#[derive(Debug, Clone)]
pub(super) struct Drawing<'a> {
    pub width: u32,
    pub height: u32,
    pub description: String,
    /// The names of lines stand at their ends.
    pub series: Vec<(&'a str, &'a [Option<f64>])>,
    /// Positions along the time axis with labels, in order.
    pub times: Vec<(usize, String)>,
    /// Positions at which the series breaks.
    pub breaks: Vec<usize>,
    /// The look of the first line; of several charts side by side each has its own.
    pub first_look: usize,
}

impl LineChart {
    /// Draws series of equal length. `label` writes a value of the axis with so many decimals.
    pub fn draw(drawing: &Drawing<'_>, label: impl Fn(f64, u8) -> String) -> Self {
        let (width, height) = (f64::from(drawing.width), f64::from(drawing.height));
        let has_labels = drawing.series.len() > 1;
        let longest = drawing.series.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        let room = if has_labels { 10.0 + LETTER * number(longest) } else { 12.0 };
        let (right, bottom) = (width - room.min(width * 0.36), height - BOTTOM);
        let values = drawing.series.iter().flat_map(|(_, figures)| figures.iter().flatten().copied());
        let axis = Axis::of(values);
        let count = drawing.series.first().map_or(0, |(_, figures)| figures.len());
        let x = |position: usize| {
            LEFT + (right - LEFT) * number(position) / number(count.saturating_sub(1).max(1))
        };
        let y = |value: f64| bottom - (bottom - TOP) * (value - axis.low) / (axis.high - axis.low);
        let tick =
            |(position, label): &(usize, String)| Tick { at: written(x(*position)), label: label.clone() };
        let mut lines: Vec<(f64, Line)> = drawing
            .series
            .iter()
            .enumerate()
            .map(|(index, (name, figures))| {
                let (path, dots) = path(figures, &x, &y);
                let end = figures.iter().rev().flatten().next().map_or(bottom, |last| y(*last));
                let label =
                    if has_labels { shortened(name, (width - right - 8.0) / LETTER) } else { String::new() };
                let look = (drawing.first_look + index) % LOOKS + 1;
                (end, Line { look, path, dots, label, label_at: String::new() })
            })
            .collect();
        let places = spread(&lines.iter().map(|(end, _)| *end).collect::<Vec<_>>(), TOP + 4.0, bottom);
        for ((_, line), at) in lines.iter_mut().zip(places) {
            line.label_at = written(at);
        }
        Self {
            width,
            height,
            left: LEFT,
            right,
            top: TOP,
            bottom,
            description: drawing.description.clone(),
            values: axis
                .ticks()
                .map(|value| Tick { at: written(y(value)), label: label(value, axis.decimals()) })
                .collect(),
            times: drawing.times.iter().map(tick).collect(),
            breaks: drawing
                .breaks
                .iter()
                .map(|&at| Tick { at: written(x(at)), label: String::new() })
                .collect(),
            lines: lines.into_iter().map(|(_, line)| line).collect(),
        }
    }
}

/// An axis between round numbers.
struct Axis {
    low: f64,
    high: f64,
    step: f64,
}

impl Axis {
    /// From zero where the figures come near it, else around them.
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite()) {
            (least, most) = (least.min(value), most.max(value));
        }
        if least > most {
            return Self { low: 0.0, high: 1.0, step: 1.0 };
        }
        if least > 0.0 && least < most * 0.6 {
            least = 0.0;
        }
        let span = if most > least { most - least } else { most.abs().max(1.0) };
        let power = 10_f64.powf((span / 4.0).log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| span / step <= 4.5);
        let step = step.unwrap_or(power * 10.0);
        let (low, high) = ((least / step).floor() * step, (most / step).ceil() * step);
        Self { low, high: if high > low { high } else { low + step }, step }
    }

    /// As many decimals as tell the ticks apart.
    fn decimals(&self) -> u8 {
        // A smaller step is one of rounding errors.
        const MOST: u8 = 9;
        (0..MOST).find(|&decimals| self.step * 10_f64.powi(decimals.into()) > 0.999).unwrap_or(MOST)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> + use<> {
        let (low, step) = (self.low, self.step);
        let count = ((self.high - low) / step).round();
        (0..=20).map(f64::from).take_while(move |index| *index <= count).map(move |index| low + index * step)
    }
}

/// Lines between figures that follow each other, and the figures that stand alone.
fn path(
    figures: &[Option<f64>],
    x: &impl Fn(usize) -> f64,
    y: &impl Fn(f64) -> f64,
) -> (String, Vec<(String, String)>) {
    let (mut path, mut dots) = (String::new(), Vec::new());
    let at = |position: usize| figures.get(position).copied().flatten();
    for (position, figure) in figures.iter().enumerate() {
        let Some(figure) = figure else { continue };
        let before = position.checked_sub(1).and_then(at);
        let (x, y) = (written(x(position)), written(y(*figure)));
        if before.is_none() && at(position + 1).is_none() {
            dots.push((x, y));
            continue;
        }
        path += if before.is_none() { "M" } else { "L" };
        path += &format!("{x} {y}");
    }
    (path, dots)
}

/// Places for labels: near where they belong, and none over another.
fn spread(wanted: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|one, other| wanted[*one].total_cmp(&wanted[*other]));
    let mut places = wanted.to_vec();
    let mut least = top;
    for &index in &order {
        places[index] = places[index].max(least);
        least = places[index] + LABEL_HEIGHT;
    }
    let mut most = bottom;
    for &index in order.iter().rev() {
        places[index] = places[index].min(most);
        most = places[index] - LABEL_HEIGHT;
    }
    places
}

/// A name that fits in so many letters.
fn shortened(name: &str, letters: f64) -> String {
    let fits = |position: &usize| number(*position) < letters.max(3.0);
    let shown: String = name
        .chars()
        .enumerate()
        .take_while(|(position, _)| fits(position))
        .map(|(_, letter)| letter)
        .collect();
    if shown.len() < name.len() { format!("{shown}…") } else { shown }
}

/// A count as a coordinate; counts of what is drawn are small.
fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

/// A coordinate with one decimal at most.
fn written(coordinate: f64) -> String {
    let text = format!("{coordinate:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(series: &[(&str, &[Option<f64>])]) -> LineChart {
        let drawing = Drawing {
            width: 400,
            height: 200,
            description: "x".to_owned(),
            series: series.to_vec(),
            times: vec![(0, "2025".to_owned())],
            breaks: vec![1],
            first_look: 0,
        };
        LineChart::draw(&drawing, |value, _| value.to_string())
    }

    #[test]
    fn a_figure_that_is_not_published_is_a_gap() {
        let chart = drawn(&[("a", &[Some(1.0), Some(2.0), None, Some(3.0), None, Some(2.0), Some(2.0)])]);
        assert_eq!(chart.lines[0].path.matches('M').count(), 2);
        assert_eq!(chart.lines[0].path.matches('L').count(), 2);
        assert_eq!(chart.lines[0].dots.len(), 1, "a figure between two gaps is a dot");
        let nothing = drawn(&[("a", &[None, None]), ("b", &[])]);
        assert!(nothing.lines.iter().all(|line| line.path.is_empty()));
    }

    #[test]
    fn ticks_are_round_and_hold_all_figures() {
        for (least, most, expected) in [
            (0.0, 97.0, vec![0.0, 50.0, 100.0]),
            (980.0, 1020.0, vec![980.0, 990.0, 1000.0, 1010.0, 1020.0]),
            (3.0, 9.0, vec![0.0, 2.0, 4.0, 6.0, 8.0, 10.0]),
            (5.0, 5.0, vec![4.0, 6.0]),
            (-3.0, 3.0, vec![-4.0, -2.0, 0.0, 2.0, 4.0]),
        ] {
            let ticks: Vec<f64> = Axis::of([least, most].into_iter()).ticks().collect();
            assert_eq!(ticks, expected, "{least} {most}");
        }
        assert_eq!(Axis::of([f64::NAN].into_iter()).ticks().count(), 2);
    }

    #[test]
    fn ticks_have_the_decimals_that_tell_them_apart() {
        for (least, most, decimals) in [
            (0.0, 97.0, 0),
            (3.0, 9.0, 0),
            (10.0, 11.0, 1),
            (0.70, 0.78, 2),
            (0.100, 0.104, 3),
            (0.2, 0.9, 1),
        ] {
            let axis = Axis::of([least, most].into_iter());
            assert_eq!(axis.decimals(), decimals, "{least} {most} {}", axis.step);
            let digits = usize::from(decimals);
            let mut labels: Vec<String> = axis.ticks().map(|tick| format!("{tick:.digits$}")).collect();
            let count = labels.len();
            labels.dedup();
            assert_eq!(labels.len(), count, "{labels:?}");
        }
    }

    #[test]
    fn names_are_shortened_by_letters() {
        assert_eq!(shortened("Ærøskøbing", 10.0), "Ærøskøbing");
        assert_eq!(shortened("Ærøskøbing", 5.0), "Ærøsk…");
        assert_eq!(shortened("Århus", 1.0), "Årh…");
    }

    #[test]
    fn labels_stand_apart() {
        let places = spread(&[50.0, 51.0, 49.0, 180.0, 179.0], 10.0, 180.0);
        let mut sorted = places.clone();
        sorted.sort_by(f64::total_cmp);
        assert!(sorted.windows(2).all(|pair| pair[1] - pair[0] >= LABEL_HEIGHT - 0.01), "{places:?}");
        assert!(sorted[0] >= 10.0 - 0.01 && sorted[4] <= 180.01);
        assert!(places[2] < places[0] && places[0] < places[1], "in the order of the lines");
    }

    #[test]
    fn names_are_escaped() {
        let html = drawn(&[("<script>", &[Some(1.0)]), ("b\"", &[Some(2.0)])]).render().unwrap();
        assert!(!html.contains("<script>"), "{html}");
    }
}
