//! Java's `SimpleDateFormat` patterns, in the locale en_US, for writing and for reading dates.

use std::fmt::Write as _;
use std::iter;

use jiff::ZonedDateTime;
use jiff::civil::{Date, date};
use jiff::tz::{Offset, TimeZone};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// A piece of a pattern.
enum Part {
    Text(String),
    /// A letter and how often it stands there.
    Field(char, usize),
}

fn parts(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\'' {
            // Two quotes are a quote, inside of a quoted text and outside.
            let mut text = String::new();
            if characters.next_if_eq(&'\'').is_some() {
                text.push('\'');
            } else {
                while let Some(quoted) = characters.next() {
                    if quoted == '\'' && characters.next_if_eq(&'\'').is_none() {
                        break;
                    }
                    text.push(quoted);
                }
            }
            parts.push(Part::Text(text));
        } else if character.is_ascii_alphabetic() {
            let more = iter::from_fn(|| characters.next_if_eq(&character)).count();
            parts.push(Part::Field(character, 1 + more));
        } else {
            parts.push(Part::Text(character.to_string()));
        }
    }
    parts
}

/// The date as the pattern says; the error names a letter that Java does not know.
pub(super) fn write(at: &ZonedDateTime, pattern: &str) -> Result<String, String> {
    let mut out = String::new();
    for part in parts(pattern) {
        match part {
            Part::Text(text) => out.push_str(&text),
            Part::Field(letter, width) => out.push_str(&field(at, letter, width)?),
        }
    }
    Ok(out)
}

fn field(at: &ZonedDateTime, letter: char, width: usize) -> Result<String, String> {
    let day = at.date();
    let weekday = day.weekday();
    let number = |number: i64| format!("{number:0width$}");
    let year = |year: i16| match width {
        2 => format!("{:02}", year.rem_euclid(100)),
        _ => format!("{year:0width$}"),
    };
    let name = |name: &str| if width >= 4 { name } else { &name[..3] }.to_owned();
    Ok(match letter {
        'G' => (if day.year() > 0 { "AD" } else { "BC" }).to_owned(),
        'y' => year(day.year()),
        'Y' => year(week(day).0),
        'M' | 'L' if width >= 3 => name(MONTHS[month_place(day)]),
        'M' | 'L' => number(day.month().into()),
        'w' => number(week(day).1.into()),
        'W' => number(week_of(day.day().into(), day.first_of_month())),
        'D' => number(day.day_of_year().into()),
        'd' => number(day.day().into()),
        'F' => number((i64::from(day.day()) + 6) / 7),
        'E' => name(DAYS[usize::from(weekday.to_sunday_zero_offset().unsigned_abs())]),
        'u' => number(weekday.to_monday_one_offset().into()),
        'a' => (if at.hour() < 12 { "AM" } else { "PM" }).to_owned(),
        'H' => number(at.hour().into()),
        'k' => number(if at.hour() == 0 { 24 } else { at.hour().into() }),
        'K' => number((at.hour() % 12).into()),
        'h' => number(if at.hour() % 12 == 0 {
            12
        } else {
            (at.hour() % 12).into()
        }),
        'm' => number(at.minute().into()),
        's' => number(at.second().into()),
        'S' => number((at.subsec_nanosecond() / 1_000_000).into()),
        'z' => at.strftime("%Z").to_string(),
        'Z' => shown_offset(at.offset(), "", 2),
        'X' if at.offset() == Offset::UTC => "Z".to_owned(),
        'X' => shown_offset(at.offset(), if width >= 3 { ":" } else { "" }, width.min(2)),
        _ => return Err(format!("a date pattern has no letter {letter:?}")),
    })
}

fn month_place(day: Date) -> usize {
    usize::from(day.month().unsigned_abs()) - 1
}

/// `+02`, `+0200` or `+02:00`.
fn shown_offset(offset: Offset, between: &str, parts: usize) -> String {
    let minutes = offset.seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let mut shown = format!("{sign}{:02}", minutes.abs() / 60);
    if parts > 1 {
        write!(shown, "{between}{:02}", minutes.abs() % 60).expect("a string takes all");
    }
    shown
}

/// Weeks begin on Sunday, and a week belongs to the year that its Saturday is in.
fn week(day: Date) -> (i16, i16) {
    let next_year = date(day.year().saturating_add(1).min(9_999), 1, 1);
    let until_saturday = 6 - i16::from(day.weekday().to_sunday_zero_offset());
    if day.year() < 9_999 && day.month() == 12 && i16::from(day.day()) + until_saturday > 31 {
        return (next_year.year(), 1);
    }
    let week = week_of(day.day_of_year().into(), day.first_of_year());
    (day.year(), i16::try_from(week).unwrap_or(i16::MAX))
}

/// The number of the week that a day is in, counted from a first day.
fn week_of(day: i64, first: Date) -> i64 {
    (day - 1 + i64::from(first.weekday().to_sunday_zero_offset())) / 7 + 1
}

/// What a text says by a pattern. The zone is for texts that name none; what the pattern does not ask for
/// is the first of January 1970, midnight.
pub(super) fn parse(text: &str, pattern: &str, zone: &TimeZone) -> Option<ZonedDateTime> {
    let mut read = Read::default();
    let mut rest = text.trim();
    for part in parts(pattern) {
        rest = match part {
            Part::Text(expected) => rest.strip_prefix(expected.as_str())?,
            Part::Field(letter, width) => read.field(letter, width, rest)?,
        };
    }
    if !rest.is_empty() {
        return None;
    }
    read.finish(zone)
}

struct Read {
    year: i16,
    month: i8,
    day: i8,
    hour: i8,
    is_afternoon: Option<bool>,
    minute: i8,
    second: i8,
    millis: i32,
    offset: Option<i32>,
}

impl Default for Read {
    fn default() -> Self {
        Self {
            year: 1970,
            month: 1,
            day: 1,
            hour: 0,
            is_afternoon: None,
            minute: 0,
            second: 0,
            millis: 0,
            offset: None,
        }
    }
}

impl Read {
    /// Takes a field's text and gives what is left.
    fn field<'a>(&mut self, letter: char, width: usize, text: &'a str) -> Option<&'a str> {
        match letter {
            'y' => {
                let (year, rest) = digits(text, width)?;
                let is_short = width == 2 && text.len() - rest.len() == 2;
                self.year = i16::try_from(if is_short { short_year(year) } else { year }).ok()?;
                return Some(rest);
            }
            'M' | 'L' if width >= 3 => {
                let (place, rest) = named(text, &MONTHS)?;
                self.month = i8::try_from(place + 1).ok()?;
                return Some(rest);
            }
            'E' => return named(text, &DAYS).map(|(_, rest)| rest),
            'a' => {
                let (half, rest) = text.split_at_checked(2)?;
                self.is_afternoon = Some(match half.to_ascii_uppercase().as_str() {
                    "AM" => false,
                    "PM" => true,
                    _ => return None,
                });
                return Some(rest);
            }
            'z' | 'Z' | 'X' => {
                let bare = ["GMT", "UTC"].iter().find_map(|zone| text.strip_prefix(zone));
                let offset = match (bare, text.strip_prefix('Z')) {
                    (_, Some(rest)) => Some((0, rest)),
                    (Some(rest), _) => offset(rest).or(Some((0, rest))),
                    (None, None) => offset(text),
                };
                let (offset, rest) = offset?;
                self.offset = Some(offset);
                return Some(rest);
            }
            'S' => {
                let (millis, rest) = digits(text, width)?;
                self.millis = millis;
                return Some(rest);
            }
            _ => {}
        }
        let (number, rest) = digits(text, width)?;
        let number = i8::try_from(number).ok()?;
        match letter {
            'M' | 'L' => self.month = number,
            'd' => self.day = number,
            'H' | 'K' | 'h' => self.hour = number,
            'k' => self.hour = number % 24,
            'm' => self.minute = number,
            's' => self.second = number,
            _ => return None,
        }
        Some(rest)
    }

    fn finish(self, zone: &TimeZone) -> Option<ZonedDateTime> {
        let hour = match self.is_afternoon {
            Some(is_afternoon) => self.hour % 12 + if is_afternoon { 12 } else { 0 },
            None => self.hour,
        };
        let nanos = self.millis.checked_mul(1_000_000)?;
        let local = jiff::civil::DateTime::new(
            self.year,
            self.month,
            self.day,
            hour,
            self.minute,
            self.second,
            nanos,
        );
        let local = local.ok()?;
        match self.offset {
            Some(seconds) => {
                let at = Offset::from_seconds(seconds).ok()?.to_timestamp(local).ok()?;
                Some(at.to_zoned_datetime(zone.clone()))
            }
            None => local.to_zoned_datetime(zone.clone()).ok(),
        }
    }
}

/// Leading digits: as many as there are, but no more than the pattern has if it has several.
fn digits(text: &str, width: usize) -> Option<(i32, &str)> {
    let longest = if width == 1 { 9 } else { width.min(9) };
    let count = text.bytes().take(longest).take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(count);
    Some((digits.parse().ok()?, rest))
}

/// Two digits are a year between 80 years ago and 20 years ahead in Java; here of the years 1950 to 2049,
/// so that a message does not depend on when it is made.
fn short_year(year: i32) -> i32 {
    if year < 50 { 2000 + year } else { 1900 + year }
}

/// A name or its first three letters, in any case.
fn named<'a>(text: &'a str, names: &[&str]) -> Option<(usize, &'a str)> {
    let starts = |name: &str| {
        let (start, rest) = text.split_at_checked(name.len())?;
        start.eq_ignore_ascii_case(name).then_some(rest)
    };
    let found = |length: fn(&str) -> &str| {
        let mut names = names.iter().enumerate();
        names.find_map(|(place, name)| starts(length(name)).map(|rest| (place, rest)))
    };
    found(|name| name).or_else(|| found(|name| &name[..3]))
}

/// `+2`, `+02`, `+0200` or `+02:00`, in seconds.
pub(super) fn offset(text: &str) -> Option<(i32, &str)> {
    let sign = match text.bytes().next()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, rest) = digits(&text[1..], 2)?;
    let after_colon = rest.strip_prefix(':').unwrap_or(rest);
    let (minutes, rest) = match digits(after_colon, 2) {
        Some(read) => read,
        None if after_colon.len() == rest.len() => (0, rest),
        None => return None,
    };
    (hours < 24 && minutes < 60).then_some((sign * (hours * 3_600 + minutes * 60), rest))
}
