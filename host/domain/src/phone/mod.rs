//! What a phone number tells, by the numbering plans of libphonenumber: nobody is asked over the network.
//!
//! A number that was carried to another provider looks like one of the provider that it came from.

mod countries;

use namba::{CarrierName, Format, NumberKind, PhoneNumber, Region, TimeZones};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{Error, Result};
use countries::COUNTRIES;

/// `NumberValidateRequest`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct NumberValidateRequest {
    /// The country of a number that names none.
    pub iso_country_code: Option<String>,
    /// With or without its country code.
    pub phone_number: Option<String>,
}

/// `NumberValidateResponse`, as far as a numbering plan tells.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct NumberValidateResponse {
    /// Who got the number's range.
    pub carrier: Option<String>,
    #[serde(rename = "CleansedPhoneNumberE164")]
    pub cleansed_phone_number_e164: Option<String>,
    /// Digits alone.
    pub cleansed_phone_number_national: Option<String>,
    pub country: Option<String>,
    pub country_code_iso2: Option<String>,
    /// The calling code.
    pub country_code_numeric: Option<String>,
    pub original_country_code_iso2: Option<String>,
    pub original_phone_number: String,
    pub phone_type: PhoneType,
    pub phone_type_code: u8,
    /// Absent if neither the number's range nor its country lies in just one.
    pub timezone: Option<String>,
}

/// `PhoneType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub enum PhoneType {
    Mobile,
    Landline,
    Voip,
    #[default]
    Invalid,
    Other,
}

impl PhoneType {
    /// `PhoneTypeCode`. Nothing tells prepaid numbers, which would be 5.
    fn code(self) -> u8 {
        match self {
            Self::Mobile => 0,
            Self::Landline => 1,
            Self::Voip => 2,
            Self::Invalid => 3,
            Self::Other => 4,
        }
    }

    fn of(kind: NumberKind) -> Self {
        match kind {
            // North America and some others do not tell them apart; a text message may arrive.
            NumberKind::Mobile | NumberKind::FixedLineOrMobile => Self::Mobile,
            NumberKind::FixedLine => Self::Landline,
            NumberKind::Voip => Self::Voip,
            NumberKind::Unknown => Self::Invalid,
            _ => Self::Other,
        }
    }
}

/// Tells what a number tells. A number that can be none is INVALID and no error; no number at all is one.
pub fn validate(request: &NumberValidateRequest) -> Result<NumberValidateResponse> {
    let written = request.phone_number.as_deref().unwrap_or_default().trim();
    if written.is_empty() {
        return Err(Error::invalid("PhoneNumber", "is required"));
    }
    let named = request
        .iso_country_code
        .as_deref()
        .filter(|code| !code.is_empty());
    let region = match named {
        None => None,
        Some(code) => Some(Region::new(code).map_err(|_| {
            Error::invalid(
                "IsoCountryCode",
                "must be the two letters of a country that has phone numbers",
            )
        })?),
    };
    let original = NumberValidateResponse {
        original_country_code_iso2: named.map(str::to_owned),
        original_phone_number: written.to_owned(),
        phone_type_code: PhoneType::Invalid.code(),
        ..NumberValidateResponse::default()
    };
    let Some(number) = parse(written, region) else {
        return Ok(original);
    };
    let phone_type = PhoneType::of(number.assess().kind());
    if phone_type == PhoneType::Invalid {
        return Ok(original);
    }
    let region = number.region();
    let code = region.as_ref().map(|region| region.as_str().to_owned());
    let (country, country_zone) = code.as_deref().and_then(country).unzip();
    Ok(NumberValidateResponse {
        carrier: CarrierName::for_number(&number).map(|carrier| carrier.as_ref().to_owned()),
        cleansed_phone_number_e164: Some(number.format(Format::E164).to_string()),
        cleansed_phone_number_national: Some(number.national_number().to_owned()),
        country: country.map(str::to_owned),
        country_code_iso2: code,
        country_code_numeric: Some(number.calling_code().value().to_string()),
        phone_type,
        phone_type_code: phone_type.code(),
        timezone: range_zone(&number).or(country_zone.flatten().map(str::to_owned)),
        ..original
    })
}

/// Digits that begin with a country code are one even without the plus.
fn parse(written: &str, region: Option<Region>) -> Option<PhoneNumber> {
    if written.starts_with('+') {
        return namba::parse(written).ok();
    }
    let national = region.and_then(|region| namba::parse_in(region, written).ok());
    national
        .filter(|number| number.assess().is_valid())
        .or_else(|| namba::parse(&format!("+{written}")).ok())
}

/// The time zone of the number's range, if it lies in just one.
fn range_zone(number: &PhoneNumber) -> Option<String> {
    let zones = TimeZones::for_number(number)?;
    let mut zones = zones.iter();
    let first = zones.next()?;
    // Numbers that belong to no place are in the zone `Etc/Unknown`.
    (zones.next().is_none() && first != "Etc/Unknown").then(|| first.to_owned())
}

/// Name and only time zone.
fn country(code: &str) -> Option<(&'static str, Option<&'static str>)> {
    let place = COUNTRIES.binary_search_by_key(&code, |(code, ..)| code).ok()?;
    let (_, name, zone) = COUNTRIES[place];
    Some((name, zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(number: &str, country: Option<&str>) -> NumberValidateResponse {
        validate(&NumberValidateRequest {
            iso_country_code: country.map(str::to_owned),
            phone_number: Some(number.to_owned()),
        })
        .unwrap()
    }

    #[test]
    fn numbers_tell_type_country_and_zone() {
        for (number, country, e164, national, iso, name, kind, code, zone) in [
            (
                "+12065550142",
                None,
                "+12065550142",
                "2065550142",
                "US",
                "United States",
                PhoneType::Mobile,
                0,
                Some("America/Los_Angeles"),
            ),
            (
                "1 (206) 555-0142",
                None,
                "+12065550142",
                "2065550142",
                "US",
                "United States",
                PhoneType::Mobile,
                0,
                Some("America/Los_Angeles"),
            ),
            (
                "07400 123456",
                Some("GB"),
                "+447400123456",
                "7400123456",
                "GB",
                "United Kingdom",
                PhoneType::Mobile,
                0,
                Some("Europe/London"),
            ),
            (
                "+49 30 123456",
                None,
                "+4930123456",
                "30123456",
                "DE",
                "Germany",
                PhoneType::Landline,
                1,
                Some("Europe/Berlin"),
            ),
            // Italy keeps the zero.
            (
                "+39 06 1234 5678",
                None,
                "+390612345678",
                "0612345678",
                "IT",
                "Italy",
                PhoneType::Landline,
                1,
                Some("Europe/Rome"),
            ),
            (
                "+48512345678",
                Some("de"),
                "+48512345678",
                "512345678",
                "PL",
                "Poland",
                PhoneType::Mobile,
                0,
                Some("Europe/Warsaw"),
            ),
            (
                "0800 1234567",
                Some("DE"),
                "+498001234567",
                "8001234567",
                "DE",
                "Germany",
                PhoneType::Other,
                4,
                Some("Europe/Berlin"),
            ),
        ] {
            let told = told(number, country);
            assert_eq!(told.original_phone_number, number);
            assert_eq!(told.original_country_code_iso2.as_deref(), country);
            assert_eq!(told.cleansed_phone_number_e164.as_deref(), Some(e164), "{number}");
            assert_eq!(
                told.cleansed_phone_number_national.as_deref(),
                Some(national),
                "{number}"
            );
            assert_eq!(told.country_code_iso2.as_deref(), Some(iso), "{number}");
            assert_eq!(told.country.as_deref(), Some(name), "{number}");
            assert_eq!((told.phone_type, told.phone_type_code), (kind, code), "{number}");
            assert_eq!(told.timezone.as_deref(), zone, "{number}");
        }
    }

    #[test]
    fn what_is_no_number_is_invalid() {
        for number in [
            "abc",
            "+1",
            "+10000000000",
            "12",
            "+999123456789",
            "日本",
            "+",
            "++49",
            "%2B1",
            "0",
        ] {
            let told = told(number, None);
            assert_eq!(
                (told.phone_type, told.phone_type_code),
                (PhoneType::Invalid, 3),
                "{number}"
            );
            assert_eq!(told.cleansed_phone_number_e164, None, "{number}");
        }
    }

    #[test]
    fn mistakes_name_their_member() {
        for (number, country, wrong) in [
            (None, None, "PhoneNumber"),
            (Some(" "), None, "PhoneNumber"),
            (Some("1"), Some("Germany"), "IsoCountryCode"),
            (Some("1"), Some("ZZ"), "IsoCountryCode"),
        ] {
            let request = NumberValidateRequest {
                iso_country_code: country.map(str::to_owned),
                phone_number: number.map(str::to_owned),
            };
            match validate(&request) {
                Err(Error::Invalid { field, .. }) => assert_eq!(field, wrong),
                other => panic!("{request:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn countries_are_in_order_for_the_search() {
        assert!(COUNTRIES.is_sorted_by_key(|(code, ..)| code));
        for (code, ..) in COUNTRIES {
            assert!(Region::new(code).is_ok(), "{code}");
        }
    }
}
