//! `dateFormat` and `now`.

mod pattern;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ZonedDateTime};
use pinion_domain::clock::parse_iso;
use serde_json::Value as Json;

use super::super::context::NOW;
use super::{Call, Entry};

pub(super) const ALL: [Entry; 2] = [("dateFormat", 1, date_format), ("now", 0, now)];

/// `{{dateFormat date inputFormat="…" outputFormat="…" tz=…}}`; `handlebars.java` also has the format as
/// second value.
fn date_format(call: &Call<'_, '_>) -> Result<Json, String> {
    if call.is_missing(0) {
        return Ok(Json::Null);
    }
    let zone = zone(call)?;
    let text = call.text(0);
    let at = match call.option("inputFormat") {
        Some(format) => pattern::parse(&text, style(&format), &zone),
        None => read(&text, &zone),
    };
    let at = at.ok_or_else(|| format!("{text:?} is not a date of that format"))?;
    let format = call
        .option("outputFormat")
        .or_else(|| call.option("format"))
        .or_else(|| call.word(1));
    written(&at, format.as_deref())
}

/// `{{now "format" tz=…}}`: when the message is made.
fn now(call: &Call<'_, '_>) -> Result<Json, String> {
    let zone = zone(call)?;
    let micros = call.hidden(NOW).as_i64().unwrap_or_default();
    let at = Timestamp::from_microsecond(micros).map_err(|error| error.to_string())?;
    let format = call.word(0).or_else(|| call.option("format"));
    written(&at.to_zoned_datetime(zone), format.as_deref())
}

fn written(at: &ZonedDateTime, format: Option<&str>) -> Result<Json, String> {
    pattern::write(at, style(format.unwrap_or("medium"))).map(Json::from)
}

/// Java's date styles of the locale en_US.
fn style(format: &str) -> &str {
    match format {
        "full" => "EEEE, MMMM d, y",
        "long" => "MMMM d, y",
        "medium" | "" => "MMM d, y",
        "short" => "M/d/yy",
        pattern => pattern,
    }
}

/// A date without `inputFormat`: ISO 8601, or milliseconds since 1970. What names no zone is a date in
/// the zone asked for, so it does not move to the day before.
fn read(text: &str, zone: &TimeZone) -> Option<ZonedDateTime> {
    let text = text.trim();
    if let Ok(millis) = text.parse::<i64>() {
        let at = Timestamp::from_millisecond(millis).ok()?;
        return Some(at.to_zoned_datetime(zone.clone()));
    }
    let names_zone = text.ends_with('Z') || text.parse::<Timestamp>().is_ok();
    if !names_zone && let Ok(local) = text.parse::<DateTime>() {
        return local.to_zoned_datetime(zone.clone()).ok();
    }
    Some(parse_iso(text)?.to_zoned_datetime(zone.clone()))
}

/// The zone of `tz=`, UTC without it.
fn zone(call: &Call<'_, '_>) -> Result<TimeZone, String> {
    match call.option("tz").as_deref() {
        None | Some("" | "UTC" | "GMT" | "Z") => Ok(TimeZone::UTC),
        Some(name) => fixed(name)
            .or_else(|| TimeZone::get(name).ok())
            .ok_or_else(|| format!("there is no time zone {name:?}")),
    }
}

/// `GMT+2`, `UTC-03:30`, as Java writes zones without a name.
fn fixed(name: &str) -> Option<TimeZone> {
    let offset = name.strip_prefix("GMT").or(name.strip_prefix("UTC"))?;
    let (offset, rest) = pattern::offset(offset)?;
    rest.is_empty()
        .then(|| Offset::from_seconds(offset).ok())?
        .map(Offset::to_time_zone)
}
