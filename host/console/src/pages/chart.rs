//! The plot over time: where every bar and label goes. `report/live.html` writes it as SVG.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::grouped;
use super::report::Minute;

const WIDTH: f64 = 900.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 8.0;
/// Above a panel, for its title and legend.
const HEADING: f64 = 38.0;
/// Below the last panel, for times.
const TIMES: f64 = 24.0;
const SLOTS: i64 = 96;
/// A short run is not stretched over the whole width.
const FEWEST_SLOTS: i64 = 15;
/// Minutes that a bar may stand for.
const SIZES: &[i64] = &[1, 2, 5, 10, 15, 30, 60, 120, 360, 720, 1440, 10_080];

/// A drawing of two panels over one axis: what became of messages, and what recipients did.
#[derive(Debug, Serialize)]
pub(super) struct Timeline {
    width: String,
    height: String,
    left: String,
    right: String,
    /// What a bar stands for.
    per: String,
    panels: Vec<Panel>,
    /// Where times are written.
    base: String,
    times: Vec<Label>,
    /// The same in words.
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Panel {
    title: &'static str,
    legend: Vec<Label>,
    /// The line of title and legend.
    heading: String,
    grid: Vec<Label>,
    bars: Vec<Bar>,
    /// Invisible columns that carry the words shown on hovering.
    columns: Vec<Column>,
}

/// A text at a place; `class` is set where it has a colour.
#[derive(Debug, Serialize)]
struct Label {
    at: String,
    text: String,
    class: &'static str,
}

#[derive(Debug, Serialize)]
struct Bar {
    x: String,
    y: String,
    width: String,
    height: String,
    class: &'static str,
}

#[derive(Debug, Serialize)]
struct Column {
    x: String,
    y: String,
    width: String,
    height: String,
    words: String,
}

#[derive(Debug, Serialize)]
struct Row {
    time: String,
    counts: [String; 5],
}

/// Names and classes in the order of [`counts`].
const SERIES: [(&str, &str); 5] = [
    ("accepted", "accepted"),
    ("failed", "failed"),
    ("skipped", "skipped"),
    ("opened", "opened"),
    ("clicked", "clicked"),
];

fn counts(minute: &Minute) -> [u64; 5] {
    [
        minute.accepted,
        minute.failed,
        minute.skipped,
        minute.opened,
        minute.clicked,
    ]
}

/// The drawing, if anything happened.
pub(super) fn timeline(minutes: &[Minute]) -> Option<Timeline> {
    let minute_of = |minute: &Minute| minute.minute.as_second().div_euclid(60);
    let first = minutes.iter().map(minute_of).min()?;
    let last = minutes.iter().map(minute_of).max()?;
    let size = bar_size(last - first + 1);
    let start = first.div_euclid(size);
    let slots = (last.div_euclid(size) - start + 1).max(FEWEST_SLOTS);
    let mut filled: BTreeMap<i64, [u64; 5]> = BTreeMap::new();
    for minute in minutes {
        let slot = filled
            .entry(minute_of(minute).div_euclid(size) - start)
            .or_default();
        for (sum, count) in slot.iter_mut().zip(counts(minute)) {
            *sum += count;
        }
    }
    let pitch = (WIDTH - LEFT - RIGHT) / slots as f64;
    let time = |slot: i64| Timestamp::from_second((start + slot) * size * 60).unwrap_or_default();
    let words = |slot: i64| time(slot).strftime("%Y-%m-%d %H:%M").to_string();

    let outcomes = Frame {
        title: "Messages",
        top: HEADING,
        height: 150.0,
        series: 0..3,
    };
    let responses = Frame {
        title: "Responses",
        top: outcomes.top + outcomes.height + HEADING,
        height: 100.0,
        series: 3..5,
    };
    let base = responses.top + responses.height;
    let panels = [outcomes, responses].map(|frame| frame.panel(&filled, pitch, &words));

    let step = ceil(slots, 8);
    let format = match size * slots {
        1441.. if size >= 1440 => "%m-%d",
        1441.. => "%m-%d %H:%M",
        _ => "%H:%M",
    };
    let times = (0..slots)
        .step_by(usize::try_from(step).unwrap_or(1))
        .map(|slot| Label {
            at: number(LEFT + (slot as f64 + 0.5) * pitch),
            text: time(slot).strftime(format).to_string(),
            class: "",
        });
    let rows = filled.iter().map(|(slot, counts)| Row {
        time: words(*slot),
        counts: counts.map(grouped),
    });
    Some(Timeline {
        width: number(WIDTH),
        height: number(base + TIMES),
        left: number(LEFT),
        right: number(WIDTH - RIGHT),
        per: per(size),
        panels: panels.into(),
        base: number(base + 16.0),
        times: times.collect(),
        rows: rows.collect(),
    })
}

/// One panel's place, and which series it shows: stacked.
struct Frame {
    title: &'static str,
    top: f64,
    height: f64,
    series: std::ops::Range<usize>,
}

impl Frame {
    fn panel(&self, filled: &BTreeMap<i64, [u64; 5]>, pitch: f64, words: &dyn Fn(i64) -> String) -> Panel {
        let largest = filled
            .values()
            .map(|counts| counts[self.series.clone()].iter().sum::<u64>())
            .max()
            .unwrap_or(0);
        let (step, lines) = scale(largest);
        let unit = self.height / (step * lines) as f64;
        let bottom = self.top + self.height;
        let width = (pitch * 0.8).min(36.0);

        let (mut bars, mut columns) = (Vec::new(), Vec::new());
        for (slot, counts) in filled {
            let x = LEFT + *slot as f64 * pitch;
            let mut y = bottom;
            let mut said = words(*slot);
            for series in self.series.clone() {
                let (name, class) = SERIES[series];
                said += &format!("\n{name} {}", grouped(counts[series]));
                if counts[series] == 0 {
                    continue;
                }
                // What happened is seen, however little it is beside the rest.
                let height = (counts[series] as f64 * unit).max(1.0);
                y -= height;
                bars.push(Bar {
                    x: number(x + (pitch - width) / 2.0),
                    y: number(y),
                    width: number(width),
                    height: number(height),
                    class,
                });
            }
            columns.push(Column {
                x: number(x),
                y: number(self.top),
                width: number(pitch),
                height: number(self.height),
                words: said,
            });
        }
        let mut right = LEFT + 96.0;
        let legend = SERIES[self.series.clone()].iter().map(|(name, class)| {
            let at = number(right);
            // Its square, the word, and a gap.
            right += 40.0 + 7.0 * name.len() as f64;
            Label {
                at,
                text: (*name).to_owned(),
                class,
            }
        });
        let grid = (0..=lines).map(|line| Label {
            at: number(bottom - (line * step) as f64 * unit),
            text: short(line * step),
            class: "",
        });
        Panel {
            title: self.title,
            legend: legend.collect(),
            heading: number(self.top - 14.0),
            grid: grid.collect(),
            bars,
            columns,
        }
    }
}

fn bar_size(minutes: i64) -> i64 {
    let fitting = SIZES.iter().copied().find(|size| ceil(minutes, *size) <= SLOTS);
    fitting.unwrap_or_else(|| ceil(minutes, SLOTS))
}

fn ceil(whole: i64, part: i64) -> i64 {
    (whole + part - 1) / part
}

fn per(size: i64) -> String {
    match size {
        1 => "minute".to_owned(),
        60 => "hour".to_owned(),
        1440 => "day".to_owned(),
        10_080 => "week".to_owned(),
        2..60 => format!("{size} minutes"),
        61..1440 => format!("{} hours", size / 60),
        _ => format!("{} days", ceil(size, 1440)),
    }
}

/// Distance and number of the lines of a grid: 1, 2 or 5 times a power of ten, at most five of them.
fn scale(largest: u64) -> (u64, u64) {
    let mut step = 1;
    loop {
        for factor in [1, 2, 5] {
            if largest <= step * factor * 5 {
                return (step * factor, largest.div_ceil(step * factor).max(1));
            }
        }
        step *= 10;
    }
}

/// A count as an axis says it.
fn short(count: u64) -> String {
    match count {
        0..10_000 => grouped(count),
        10_000..1_000_000 => format!("{}k", number(count as f64 / 1e3)),
        _ => format!("{}M", number(count as f64 / 1e6)),
    }
}

/// A coordinate without idle digits.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(at: i64, counts: [u64; 5]) -> Minute {
        let [accepted, failed, skipped, opened, clicked] = counts;
        Minute {
            minute: Timestamp::from_second(at * 60).unwrap(),
            accepted,
            failed,
            skipped,
            opened,
            clicked,
        }
    }

    #[test]
    fn bars_stack_from_the_base_line() {
        let drawing = timeline(&[minute(10, [80, 20, 0, 1, 0]), minute(12, [0; 5])]).unwrap();
        let bars: Vec<_> = drawing.panels[0]
            .bars
            .iter()
            .map(|bar| (bar.class, bar.y.as_str(), bar.height.as_str()))
            .collect();
        // 100 is the top of a grid of 20, 40 …, 150 points high; its base is at 188.
        assert_eq!(bars, [("accepted", "68", "120"), ("failed", "38", "30")]);
        assert_eq!(drawing.panels[1].bars.len(), 1);
        assert_eq!(drawing.rows.len(), 2);
        assert_eq!(drawing.per, "minute");
        assert_eq!(drawing.times[0].text, "00:10");
        assert!(
            drawing.panels[0].columns[0]
                .words
                .ends_with("accepted 80\nfailed 20\nskipped 0")
        );
    }

    #[test]
    fn long_times_get_wider_bars_and_nothing_is_lost() {
        for (minutes, per) in [
            (96, "minute"),
            (97, "2 minutes"),
            (24 * 60, "15 minutes"),
            (30 * 24 * 60, "12 hours"),
            (365 * 24 * 60, "7 days"),
        ] {
            let all: Vec<_> = (0..minutes).map(|at| minute(at + 7, [1; 5])).collect();
            let drawing = timeline(&all).unwrap();
            if minutes != 365 * 24 * 60 {
                assert_eq!(drawing.per, per);
            }
            assert!(drawing.rows.len() <= 97, "{}", drawing.rows.len());
            let sum: u64 = drawing
                .rows
                .iter()
                .map(|row| row.counts[0].replace('\u{202f}', "").parse::<u64>().unwrap())
                .sum();
            assert_eq!(sum, u64::try_from(minutes).unwrap());
        }
        assert!(timeline(&[]).is_none());
    }

    #[test]
    fn grids_have_round_numbers() {
        for (largest, expected) in [
            (0, (1, 1)),
            (1, (1, 1)),
            (5, (1, 5)),
            (6, (2, 3)),
            (101, (50, 3)),
            (4800, (1000, 5)),
            (1_000_000, (200_000, 5)),
        ] {
            assert_eq!(scale(largest), expected, "{largest}");
        }
    }
}
