//! What the demo prints. On a terminal a progress bar is drawn over itself; elsewhere only its end is
//! printed, so that a log stays readable.

use std::io::{IsTerminal, Write};

/// Cells of a bar.
const WIDTH: u64 = 32;

/// Standard output, as a list of steps.
#[derive(Default)]
pub struct Screen {
    steps: usize,
}

impl Screen {
    /// Begins a step.
    pub fn step(&mut self, what: &str) {
        self.steps += 1;
        self.line(&format!("\n{:2}. {what}", self.steps));
    }

    /// A line of the step.
    pub fn say(&self, text: &str) {
        self.line(&format!("    {text}"));
    }

    /// How far it is; the last time, when `done` is `total`, the line stays.
    pub fn progress(&self, done: u64, total: u64, note: &str) {
        let last = done >= total;
        if !std::io::stdout().is_terminal() && !last {
            return;
        }
        let full = (done.min(total) * WIDTH).checked_div(total).unwrap_or(WIDTH);
        let bar: String = (0..WIDTH)
            .map(|cell| if cell < full { '█' } else { '░' })
            .collect();
        let line = format!("    {bar} {} of {} {note}", grouped(done), grouped(total));
        if last {
            self.write(&format!("\r\x1b[K{line}\n"), &format!("{line}\n"));
        } else {
            self.write(&format!("\r\x1b[K{line}"), "");
        }
    }

    /// A table with a heading; all columns but the first are figures.
    pub fn table(&self, heading: &[&str], rows: &[Vec<String>]) {
        let heading: Vec<String> = heading.iter().map(|cell| (*cell).to_owned()).collect();
        let all: Vec<&Vec<String>> = std::iter::once(&heading).chain(rows).collect();
        let width = |column: usize| {
            all.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        for row in &all {
            let cells = row.iter().enumerate().map(|(column, cell)| match column {
                0 => format!("{cell:width$}", width = width(0)),
                _ => format!("  {cell:>width$}", width = width(column)),
            });
            self.say(cells.collect::<String>().trim_end());
        }
    }

    fn line(&self, text: &str) {
        self.write(&format!("{text}\n"), &format!("{text}\n"));
    }

    fn write(&self, terminal: &str, elsewhere: &str) {
        let mut out = std::io::stdout().lock();
        let text = if out.is_terminal() { terminal } else { elsewhere };
        // Whoever closed the other end does not want to know.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

/// `12,345`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_grouped() {
        for (number, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), expected);
        }
    }
}
