//! What each kind of condition means, on plain values. A condition is read from its document once
//! (which is also the check of the document) and then asked as often as there are values: by the
//! matcher for one endpoint, by the columns for each distinct value.

use std::collections::HashSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{
    AttributeDimension, AttributeType, DimensionType, GpsPoint, MetricDimension, Recency, SetDimension,
};
use crate::channel::ChannelType;
use crate::clock::parse_iso;
use crate::{Error, Result};

/// One of, or none of, some texts: `SetDimension`, and attributes of the types INCLUSIVE and
/// EXCLUSIVE. Case counts.
#[derive(Clone, Debug, PartialEq)]
pub struct SetTest {
    inclusive: bool,
    values: HashSet<String>,
}

impl SetTest {
    /// Reads a dimension; `field` is its path in errors.
    pub fn of(dimension: &SetDimension, field: &str) -> Result<Self> {
        some_values(&dimension.values, field)?;
        Ok(Self {
            inclusive: dimension.dimension_type != Some(DimensionType::Exclusive),
            values: dimension.values.iter().cloned().collect(),
        })
    }

    /// Reads a dimension of channel types, whose names are known. The comparison is by name: `PUSH`
    /// does not stand for `APNS` and the other services.
    pub fn of_channels(dimension: &SetDimension, field: &str) -> Result<Self> {
        for value in &dimension.values {
            if value.parse::<ChannelType>().is_err() {
                return Err(Error::invalid(
                    format!("{field}.Values"),
                    format!(
                        "{value} is not a channel type; those are {}",
                        ChannelType::ALL.map(ChannelType::as_str).join(", ")
                    ),
                ));
            }
        }
        Self::of(dimension, field)
    }

    /// Must it be one of the values?
    pub fn is_inclusive(&self) -> bool {
        self.inclusive
    }

    /// What is compared with.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(String::as_str)
    }

    /// Is any of the values one of those given (INCLUSIVE), or none of them (EXCLUSIVE, which a thing
    /// without values fulfils)?
    pub fn matches<'a>(&self, values: impl IntoIterator<Item = &'a str>) -> bool {
        let found = values.into_iter().any(|value| self.values.contains(value));
        found == self.inclusive
    }
}

/// An `AttributeDimension`, read. Values of dates that the endpoint has in another form than ISO 8601
/// match no date condition; a list matches when any of its values does.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub enum AttributeTest {
    Set(SetTest),
    Contains(Vec<String>),
    Before(Vec<Timestamp>),
    After(Vec<Timestamp>),
    On(Vec<Date>),
    Between(Timestamp, Timestamp),
}

impl AttributeTest {
    /// Reads a dimension; `field` is its path in errors.
    pub fn of(dimension: &AttributeDimension, field: &str) -> Result<Self> {
        let AttributeDimension {
            attribute_type,
            values,
        } = dimension;
        some_values(values, field)?;
        let set = |inclusive| SetTest {
            inclusive,
            values: values.iter().cloned().collect(),
        };
        let instants = || {
            let field = format!("{field}.Values");
            values
                .iter()
                .map(|value| instant(value, &field))
                .collect::<Result<Vec<_>>>()
        };
        Ok(match attribute_type.unwrap_or(AttributeType::Inclusive) {
            AttributeType::Inclusive => Self::Set(set(true)),
            AttributeType::Exclusive => Self::Set(set(false)),
            AttributeType::Contains => Self::Contains(values.clone()),
            AttributeType::Before => Self::Before(instants()?),
            AttributeType::After => Self::After(instants()?),
            AttributeType::On => Self::On(instants()?.into_iter().map(utc_day).collect()),
            AttributeType::Between => match instants()?.as_slice() {
                &[from, to] if from <= to => Self::Between(from, to),
                [_, _] => {
                    return Err(Error::invalid(
                        format!("{field}.Values"),
                        "the first instant of BETWEEN must not be after the second",
                    ));
                }
                other => {
                    return Err(Error::invalid(
                        format!("{field}.Values"),
                        format!("BETWEEN takes two instants, not {}", other.len()),
                    ));
                }
            },
        })
    }

    /// Do an attribute's values fulfil it? An absent attribute has none.
    pub fn matches<'a>(&self, values: impl IntoIterator<Item = &'a str>) -> bool {
        let mut values = values.into_iter();
        let mut any_instant =
            |test: &dyn Fn(Timestamp) -> bool| values.any(|value| parse_iso(value).is_some_and(test));
        match self {
            Self::Before(bounds) => any_instant(&|at| bounds.iter().any(|bound| at < *bound)),
            Self::After(bounds) => any_instant(&|at| bounds.iter().any(|bound| at > *bound)),
            Self::On(days) => any_instant(&|at| days.contains(&utc_day(at))),
            Self::Between(from, to) => any_instant(&|at| (*from..=*to).contains(&at)),
            Self::Contains(parts) => values.any(|value| parts.iter().any(|part| value.contains(part))),
            Self::Set(set) => set.matches(values),
        }
    }
}

/// A `MetricDimension`, read: the numbers from `low` to `high`, both included. All operators are one
/// comparison that way, which columns make without asking which it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetricTest {
    low: f64,
    high: f64,
}

impl MetricTest {
    /// Reads a dimension; `field` is its path in errors.
    pub fn of(dimension: &MetricDimension, field: &str) -> Result<Self> {
        let value = dimension.value;
        if !value.is_finite() {
            return Err(Error::invalid(
                format!("{field}.Value"),
                "must be a finite number",
            ));
        }
        let (low, high) = match dimension.comparison_operator.as_str() {
            "GREATER_THAN" => (value.next_up(), f64::INFINITY),
            "LESS_THAN" => (f64::NEG_INFINITY, value.next_down()),
            "GREATER_THAN_OR_EQUAL" => (value, f64::INFINITY),
            "LESS_THAN_OR_EQUAL" => (f64::NEG_INFINITY, value),
            "EQUAL" => (value, value),
            other => {
                return Err(Error::invalid(
                    format!("{field}.ComparisonOperator"),
                    format!(
                        "{other:?} is not one of GREATER_THAN, LESS_THAN, GREATER_THAN_OR_EQUAL, \
                         LESS_THAN_OR_EQUAL and EQUAL"
                    ),
                ));
            }
        };
        Ok(Self { low, high })
    }

    /// Does a metric fulfil it? NaN stands for an absent metric, which fulfils none.
    pub fn holds(&self, metric: f64) -> bool {
        self.low <= metric && metric <= self.high
    }

    /// Does a metric fulfil it?
    pub fn matches(&self, metric: Option<f64>) -> bool {
        self.holds(metric.unwrap_or(f64::NAN))
    }
}

/// A `RecencyDimension`, read: was the endpoint updated within the time before now? One that says it
/// will be updated in the future counts as active, one that does not say when as inactive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecencyTest {
    active: bool,
    within: SignedDuration,
}

impl RecencyTest {
    /// Reads a dimension; `field` is its path in errors.
    pub fn of(dimension: &Recency, field: &str) -> Result<Self> {
        let hours = match dimension.duration.as_str() {
            "HR_24" => 24,
            "DAY_7" => 7 * 24,
            "DAY_14" => 14 * 24,
            "DAY_30" => 30 * 24,
            other => {
                return Err(Error::invalid(
                    format!("{field}.Duration"),
                    format!("{other:?} is not one of HR_24, DAY_7, DAY_14 and DAY_30"),
                ));
            }
        };
        let active = match dimension.recency_type.as_str() {
            "ACTIVE" => true,
            "INACTIVE" => false,
            other => {
                return Err(Error::invalid(
                    format!("{field}.RecencyType"),
                    format!("{other:?} is neither ACTIVE nor INACTIVE"),
                ));
            }
        };
        Ok(Self {
            active,
            within: SignedDuration::from_hours(hours),
        })
    }

    /// Decides about the time of the last update, in microseconds since 1970; `i64::MIN` is none.
    pub fn test(&self, now: Timestamp) -> impl Fn(i64) -> bool + use<> {
        let since = now.as_microsecond().saturating_sub(micros_of(self.within));
        let active = self.active;
        move |at| (at >= since) == active
    }

    /// Does the time of the last update, in microseconds since 1970, fulfil it?
    pub fn matches(&self, effective: Option<i64>, now: Timestamp) -> bool {
        self.test(now)(effective.unwrap_or(i64::MIN))
    }
}

/// A `GPSPointDimension`, read: a circle on the Earth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CircleTest {
    latitude: f64,
    longitude: f64,
    kilometers: f64,
}

impl CircleTest {
    /// Reads a dimension; `field` is its path in errors.
    pub fn of(dimension: &GpsPoint, field: &str) -> Result<Self> {
        let (latitude, longitude) = (dimension.coordinates.latitude, dimension.coordinates.longitude);
        for (name, degrees, most) in [("Latitude", latitude, 90.0), ("Longitude", longitude, 180.0)] {
            if !(-most..=most).contains(&degrees) {
                return Err(Error::invalid(
                    format!("{field}.Coordinates.{name}"),
                    format!("must be between -{most} and {most} degrees"),
                ));
            }
        }
        match dimension.range_in_kilometers {
            Some(kilometers) if kilometers > 0.0 && kilometers.is_finite() => Ok(Self {
                latitude,
                longitude,
                kilometers,
            }),
            _ => Err(Error::invalid(
                format!("{field}.RangeInKilometers"),
                "must be a number above 0",
            )),
        }
    }

    /// Is a point (degrees) within the circle? What has no place is nowhere.
    pub fn matches(&self, latitude: Option<f64>, longitude: Option<f64>) -> bool {
        let (Some(latitude), Some(longitude)) = (latitude, longitude) else {
            return false;
        };
        self.kilometers_to(latitude, longitude) <= self.kilometers
    }

    /// The haversine formula on a sphere of the Earth's mean radius.
    fn kilometers_to(&self, latitude: f64, longitude: f64) -> f64 {
        const EARTH_RADIUS_KM: f64 = 6371.0088;
        let (from, to) = (self.latitude.to_radians(), latitude.to_radians());
        let half_sine = |degrees: f64| (degrees.to_radians() / 2.0).sin();
        let a = half_sine(latitude - self.latitude).powi(2)
            + from.cos() * to.cos() * half_sine(longitude - self.longitude).powi(2);
        2.0 * EARTH_RADIUS_KM * a.min(1.0).sqrt().asin()
    }
}

/// A stored ISO instant in microseconds since 1970.
pub fn micros(text: &str) -> Option<i64> {
    parse_iso(text).map(Timestamp::as_microsecond)
}

fn micros_of(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn utc_day(at: Timestamp) -> Date {
    at.to_zoned_datetime(TimeZone::UTC).date()
}

fn some_values(values: &[String], field: &str) -> Result<()> {
    if values.is_empty() {
        return Err(Error::invalid(
            format!("{field}.Values"),
            "must hold at least one value",
        ));
    }
    Ok(())
}

pub(super) fn instant(text: &str, field: &str) -> Result<Timestamp> {
    parse_iso(text).ok_or_else(|| Error::invalid(field, format!("{text:?} is not an ISO 8601 instant")))
}

#[cfg(test)]
mod tests {
    use super::super::Coordinates;
    use super::*;

    fn texts(values: &[&str]) -> Vec<String> {
        values.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn attributes() {
        use AttributeType::*;
        let check = |kind: Option<AttributeType>, given: &[&str], values: &[&str], expected: bool| {
            let dimension = AttributeDimension {
                attribute_type: kind,
                values: texts(given),
            };
            let test = AttributeTest::of(&dimension, "F").unwrap();
            assert_eq!(
                test.matches(values.iter().copied()),
                expected,
                "{kind:?} {given:?} on {values:?}"
            );
        };
        check(None, &["a"], &["a"], true);
        check(Some(Inclusive), &["a", "b"], &["x", "b"], true);
        check(Some(Inclusive), &["a"], &["A"], false);
        check(Some(Inclusive), &["a"], &["ab"], false);
        check(Some(Inclusive), &["a"], &[], false);
        check(Some(Inclusive), &[""], &[], false);
        check(Some(Inclusive), &[""], &[""], true);
        check(Some(Exclusive), &["a", "b"], &["x", "b"], false);
        check(Some(Exclusive), &["a"], &["x"], true);
        check(Some(Exclusive), &["a"], &[], true);
        check(Some(Contains), &["ell", "zzz"], &["x", "hello"], true);
        check(Some(Contains), &["ELL"], &["hello"], false);
        check(Some(Contains), &["a"], &[], false);
        let day = "2026-05-10";
        check(Some(Before), &[day], &["2026-05-09T23:59:59.999Z"], true);
        check(Some(Before), &[day], &["2026-05-10T00:00:00Z"], false);
        check(Some(Before), &[day], &["soon", "2020-01-01"], true);
        check(Some(Before), &[day], &["soon"], false);
        check(Some(Before), &[day], &[], false);
        check(Some(Before), &["2020-01-01", day], &["2026-01-01"], true);
        check(Some(After), &[day], &["2026-05-10T00:00:00.001Z"], true);
        check(Some(After), &[day], &["2026-05-10"], false);
        check(Some(After), &[day], &["2026-05-10T01:00:00+02:00"], false);
        check(Some(After), &["2030-01-01", day], &["2027-01-01"], true);
        check(
            Some(On),
            &["2026-05-10T23:00:00Z"],
            &["2026-05-10T01:00:00Z"],
            true,
        );
        check(Some(On), &[day], &["2026-05-11T01:00:00+02:00"], true);
        check(Some(On), &[day], &["2026-05-11T00:00:00Z"], false);
        check(Some(On), &[day, "2026-05-11"], &["2026-05-11"], true);
        check(Some(Between), &[day, "2026-05-12"], &[day], true);
        check(
            Some(Between),
            &[day, "2026-05-12"],
            &["2026-05-12T00:00:00Z"],
            true,
        );
        check(
            Some(Between),
            &[day, "2026-05-12"],
            &["2026-05-12T00:00:01Z"],
            false,
        );
        check(
            Some(Between),
            &[day, "2026-05-12"],
            &["2026-05-09", "2026-05-11"],
            true,
        );
        check(Some(Between), &[day, "2026-05-12"], &[], false);
    }

    #[test]
    fn sets() {
        let check = |kind, given: &[&str], value: Option<&str>, expected: bool| {
            let dimension = SetDimension {
                dimension_type: kind,
                values: texts(given),
            };
            let test = SetTest::of(&dimension, "F").unwrap();
            assert_eq!(test.matches(value), expected, "{kind:?} {given:?} on {value:?}");
        };
        check(None, &["US", "CA"], Some("CA"), true);
        check(Some(DimensionType::Inclusive), &["US"], Some("us"), false);
        check(Some(DimensionType::Inclusive), &["US"], None, false);
        check(Some(DimensionType::Exclusive), &["US"], Some("US"), false);
        check(Some(DimensionType::Exclusive), &["US"], Some("DE"), true);
        check(Some(DimensionType::Exclusive), &["US"], None, true);
    }

    #[test]
    fn metrics() {
        let check = |operator: &str, value: f64, metric: Option<f64>, expected: bool| {
            let dimension = MetricDimension {
                comparison_operator: operator.to_owned(),
                value,
            };
            let test = MetricTest::of(&dimension, "F").unwrap();
            assert_eq!(test.matches(metric), expected, "{metric:?} {operator} {value}");
        };
        for (operator, below, equal, above) in [
            ("GREATER_THAN", false, false, true),
            ("GREATER_THAN_OR_EQUAL", false, true, true),
            ("LESS_THAN", true, false, false),
            ("LESS_THAN_OR_EQUAL", true, true, false),
            ("EQUAL", false, true, false),
        ] {
            check(operator, 2.5, Some(2.0), below);
            check(operator, 2.5, Some(2.5), equal);
            check(operator, 2.5, Some(3.0), above);
            check(operator, 2.5, None, false);
            check(operator, -0.0, Some(0.0), equal);
        }
    }

    #[test]
    fn recency() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let check = |duration: &str, effective: &str, active: bool| {
            for (kind, expected) in [("ACTIVE", active), ("INACTIVE", !active)] {
                let dimension = Recency {
                    duration: duration.to_owned(),
                    recency_type: kind.to_owned(),
                };
                let test = RecencyTest::of(&dimension, "F").unwrap();
                assert_eq!(
                    test.matches(micros(effective), now),
                    expected,
                    "{kind} {duration} on {effective:?}"
                );
            }
        };
        check("HR_24", "2026-11-22T12:00:00.000Z", true);
        check("HR_24", "2026-11-22T11:59:59.999Z", false);
        check("DAY_7", "2026-11-16T12:00:00.000Z", true);
        check("DAY_7", "2026-11-16T11:59:59.999Z", false);
        check("DAY_14", "2026-11-09T12:00:00.000Z", true);
        check("DAY_14", "2026-11-09T11:59:59.999Z", false);
        check("DAY_30", "2026-10-24T12:00:00.000Z", true);
        check("DAY_30", "2026-10-24T11:59:59.999Z", false);
        check("HR_24", "2030-01-01T00:00:00.000Z", true);
        check("DAY_30", "never", false);
    }

    #[test]
    fn circles() {
        let check = |centre: (f64, f64), kilometers: f64, point: (Option<f64>, Option<f64>), expected| {
            let dimension = GpsPoint {
                coordinates: Coordinates {
                    latitude: centre.0,
                    longitude: centre.1,
                },
                range_in_kilometers: Some(kilometers),
            };
            let test = CircleTest::of(&dimension, "F").unwrap();
            assert_eq!(
                test.matches(point.0, point.1),
                expected,
                "{point:?} within {kilometers} km of {centre:?}"
            );
        };
        let (berlin, paris) = ((52.52, 13.405), (Some(48.8566), Some(2.3522)));
        // 877.5 km apart.
        check(berlin, 870.0, paris, false);
        check(berlin, 885.0, paris, true);
        check(berlin, 0.001, (Some(berlin.0), Some(berlin.1)), true);
        // Across the date line, and over a pole.
        check((0.0, 179.9), 23.0, (Some(0.0), Some(-179.9)), true);
        check((89.9, 0.0), 23.0, (Some(89.9), Some(180.0)), true);
        // Half the circumference: 20,015 km.
        check((0.0, 0.0), 20_000.0, (Some(0.0), Some(180.0)), false);
        check((0.0, 0.0), 20_100.0, (Some(0.0), Some(180.0)), true);
        check(berlin, 30_000.0, (None, Some(13.4)), false);
        check(berlin, 30_000.0, (Some(52.5), None), false);
    }
}
