//! Helpers for texts.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::{Call, Entry, LONGEST_OUTPUT, TOO_LONG, printed};

pub(super) const ALL: [Entry; 16] = [
    ("abbreviate", 2, |call| on_text(call, abbreviate)),
    ("capitalize", 1, |call| on_text(call, capitalize)),
    ("capitalizeFirst", 1, |call| {
        on_text(call, |_, text| Ok(upper_first(text)))
    }),
    ("center", 1, |call| on_text(call, center)),
    ("cut", 1, |call| on_text(call, cut)),
    ("inflect", 3, inflect),
    ("join", 2, join),
    ("ljust", 1, |call| {
        on_text(call, |call, text| pad(call, text, false))
    }),
    ("lower", 1, |call| {
        on_text(call, |_, text| Ok(text.to_lowercase()))
    }),
    ("ordinalize", 1, |call| on_text(call, ordinalize)),
    ("replace", 3, |call| on_text(call, replace)),
    ("rjust", 1, |call| {
        on_text(call, |call, text| pad(call, text, true))
    }),
    ("slugify", 1, |call| on_text(call, |_, text| Ok(slugify(text)))),
    ("stripTags", 1, |call| {
        on_text(call, |_, text| Ok(strip_tags(text)))
    }),
    ("substring", 2, |call| on_text(call, substring)),
    ("upper", 1, |call| {
        on_text(call, |_, text| Ok(text.to_uppercase()))
    }),
];

/// Nothing becomes nothing.
fn on_text(
    call: &Call<'_, '_>,
    function: impl Fn(&Call<'_, '_>, &str) -> Result<String, String>,
) -> Result<Json, String> {
    if call.is_missing(0) {
        return Ok(Json::Null);
    }
    function(call, &call.text(0)).map(Json::from)
}

/// The dots count towards the length.
fn abbreviate(call: &Call<'_, '_>, text: &str) -> Result<String, String> {
    let width = call.size("width", 1)?.ok_or("the length is missing")?;
    if text.chars().count() <= width {
        return Ok(text.to_owned());
    }
    let kept = text.chars().take(width.saturating_sub(3));
    Ok(kept.chain("...".chars()).take(width).collect())
}

/// Words are what stands between white space; the rest of a word stays unless `fully=true`.
fn capitalize(call: &Call<'_, '_>, text: &str) -> Result<String, String> {
    let fully = call.option("fully").is_some_and(|fully| fully == "true");
    let text = if fully {
        text.to_lowercase().into()
    } else {
        Cow::from(text)
    };
    Ok(text
        .split_inclusive(char::is_whitespace)
        .map(upper_first)
        .collect())
}

fn upper_first(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

fn center(call: &Call<'_, '_>, text: &str) -> Result<String, String> {
    let (missing, with) = padding(call, text)?;
    let left = missing / 2;
    Ok(fill(&with, left) + text + &fill(&with, missing - left))
}

fn pad(call: &Call<'_, '_>, text: &str, on_left: bool) -> Result<String, String> {
    let (missing, with) = padding(call, text)?;
    let fill = fill(&with, missing);
    Ok(if on_left {
        fill + text
    } else {
        text.to_owned() + &fill
    })
}

/// How many characters are missing, and with what to fill.
fn padding(call: &Call<'_, '_>, text: &str) -> Result<(usize, String), String> {
    let size = call.size("size", 1)?.ok_or("the length is missing")?;
    // Four bytes a character at most.
    if size > LONGEST_OUTPUT / 4 {
        return Err(TOO_LONG.to_owned());
    }
    let with = call.option("pad").filter(|with| !with.is_empty());
    let missing = size.saturating_sub(text.chars().count());
    Ok((missing, with.unwrap_or_else(|| " ".to_owned())))
}

fn fill(with: &str, length: usize) -> String {
    with.chars().cycle().take(length).collect()
}

fn cut(call: &Call<'_, '_>, text: &str) -> Result<String, String> {
    let what = call.word(1).unwrap_or_else(|| " ".to_owned());
    if what.is_empty() {
        return Ok(text.to_owned());
    }
    Ok(text.replace(&what, ""))
}

fn inflect(call: &Call<'_, '_>) -> Result<Json, String> {
    if call.is_missing(0) {
        return Ok(Json::Null);
    }
    let place = if call.number(0)? == 1.0 { 1 } else { 2 };
    let form = call.word(place).unwrap_or_default();
    let with_count = call.option("includeCount").or_else(|| call.word(3));
    Ok(if with_count.as_deref() == Some("true") {
        format!("{} {form}", call.text(0)).into()
    } else {
        form.into()
    })
}

/// Joins the items of a list, or all values but the last, which stands between.
fn join(call: &Call<'_, '_>) -> Result<Json, String> {
    let last = call.helper.params().len() - 1;
    let items: Vec<_> = match call.value(0) {
        Json::Null if last == 1 => return Ok(Json::Null),
        Json::Array(items) => items.iter().map(printed).collect(),
        _ => (0..last).map(|place| printed(call.value(place))).collect(),
    };
    let separator = printed(call.value(last));
    let length: usize = items.iter().map(|item| item.len() + separator.len()).sum();
    if length > LONGEST_OUTPUT {
        return Err(TOO_LONG.to_owned());
    }
    let joined = items.join(&*separator);
    let option = |name| call.option(name).unwrap_or_default();
    Ok((option("prefix") + &joined + &option("suffix")).into())
}

/// `1st 2nd 3rd 4th … 11th 12th 13th … 21st`.
fn ordinalize(_: &Call<'_, '_>, text: &str) -> Result<String, String> {
    let number: i64 = text
        .trim()
        .parse()
        .map_err(|_| format!("{text:?} is not a whole number"))?;
    let (tens, ones) = (number.unsigned_abs() / 10 % 10, number.unsigned_abs() % 10);
    let ending = match (tens, ones) {
        (1, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    Ok(format!("{number}{ending}"))
}

fn replace(call: &Call<'_, '_>, text: &str) -> Result<String, String> {
    let (from, to) = (call.text(1), call.text(2));
    if from.is_empty() {
        return Ok(text.to_owned());
    }
    if text.len() + text.matches(&from).count() * to.len() > LONGEST_OUTPUT {
        return Err(TOO_LONG.to_owned());
    }
    Ok(text.replace(&from, &to))
}

/// Letters, digits and underscores in lower case; white space becomes a hyphen, the rest goes.
fn slugify(text: &str) -> String {
    let kept = text.trim().chars().filter_map(|character| match character {
        _ if character.is_whitespace() => Some('-'),
        _ if character.is_alphanumeric() || character == '_' => Some(character),
        _ => None,
    });
    kept.flat_map(char::to_lowercase).collect()
}

fn strip_tags(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let Some(end) = rest[start..].find('>') else { break };
        plain.push_str(&rest[..start]);
        rest = &rest[start + end + 1..];
    }
    plain + rest
}

/// Offsets count characters; those beyond the end mean the end.
fn substring(call: &Call<'_, '_>, text: &str) -> Result<String, String> {
    let start = call.size("startOffset", 1)?.unwrap_or(0);
    let end = call.size("endOffset", 2)?.unwrap_or(usize::MAX);
    Ok(text.chars().take(end).skip(start).collect())
}
