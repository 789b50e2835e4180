//! Helpers for numbers and truth.

use serde_json::Value as Json;

use super::super::context::number_json;
use super::{Call, Entry};

pub(super) const ALL: [Entry; 9] = [
    ("add", 2, |call| on_two(call, |left, right| left + right)),
    ("ceiling", 1, |call| on_one(call, f64::ceil)),
    ("divide", 2, |call| on_two(call, |left, right| left / right)),
    ("floor", 1, |call| on_one(call, f64::floor)),
    ("modulo", 2, |call| on_two(call, |left, right| left % right)),
    ("multiply", 2, |call| on_two(call, |left, right| left * right)),
    // A half goes up, as in Java.
    ("round", 1, |call| on_one(call, |number| (number + 0.5).floor())),
    ("subtract", 2, |call| on_two(call, |left, right| left - right)),
    ("yesno", 1, yes_no),
];

/// Nothing becomes nothing.
fn on_one(call: &Call<'_, '_>, function: fn(f64) -> f64) -> Result<Json, String> {
    if call.is_missing(0) {
        return Ok(Json::Null);
    }
    result(function(call.number(0)?))
}

fn on_two(call: &Call<'_, '_>, function: fn(f64, f64) -> f64) -> Result<Json, String> {
    if call.is_missing(0) || call.is_missing(1) {
        return Ok(Json::Null);
    }
    result(function(call.number(0)?, call.number(1)?))
}

/// Eight decimals, as the guide shows (5 / 2.3 is 2.17391304), which also hides what binary fractions
/// leave over.
fn result(number: f64) -> Result<Json, String> {
    if !number.is_finite() {
        return Err("there is no such number".to_owned());
    }
    let rounded = (number * 1e8).round() / 1e8;
    Ok(number_json(if rounded.is_finite() { rounded } else { number }))
}

/// What is neither true nor false is `maybe`.
fn yes_no(call: &Call<'_, '_>) -> Result<Json, String> {
    let said = match call.text(0).to_ascii_lowercase().as_str() {
        "true" => "yes",
        "false" => "no",
        _ => "maybe",
    };
    Ok(call.option(said).unwrap_or_else(|| said.to_owned()).into())
}
