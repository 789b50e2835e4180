//! One-time passwords: what a request may ask for, the code, and the message in thirteen languages
//! (developer guide, "Generating one-time passwords").

use rand::{CryptoRng, RngExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::channel::ChannelType;
use crate::{Error, Result};

/// What is not asked for; the guide names ranges, not defaults.
const USUAL_LENGTH: u8 = 6;
const USUAL_MINUTES: u16 = 15;
const USUAL_ATTEMPTS: u8 = 3;

/// Characters of a brand and of a reference.
const LONGEST_BRAND: usize = 20;
const LONGEST_REFERENCE: usize = 48;
/// Longer than any sender and any registered id.
const LONGEST_IDENTITY: usize = 256;

/// `SendOTPMessageRequestParameters`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SendOTPMessageRequestParameters")]
#[serde(rename_all = "PascalCase")]
pub struct SendOtp {
    /// Wrong guesses after which the code is worth nothing: 1 to 5.
    pub allowed_attempts: Option<u8>,
    /// Who sends it, in the message.
    pub brand_name: String,
    /// `SMS` alone.
    pub channel: String,
    /// Digits: 5 to 8.
    pub code_length: Option<u8>,
    /// A phone number in E.164.
    pub destination_identity: String,
    /// For regulators (DLT).
    pub entity_id: Option<String>,
    /// `en-US` if absent.
    pub language: Option<String>,
    /// A phone number, short code or sender id.
    pub origination_identity: String,
    /// What a verification must name again.
    pub reference_id: String,
    /// For regulators (DLT).
    pub template_id: Option<String>,
    /// Minutes: 5 to 60.
    pub validity_period: Option<u16>,
}

/// `VerifyOTPMessageRequestParameters`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "VerifyOTPMessageRequestParameters")]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "as in SendOtp")]
pub struct VerifyOtp {
    pub destination_identity: String,
    /// What the person typed.
    pub otp: String,
    pub reference_id: String,
}

/// A request that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Wrong guesses after which the code is worth nothing.
    pub attempts: u8,
    /// Digits.
    pub length: u8,
    /// How long it is worth anything.
    pub minutes: u16,
    /// Of the message.
    pub language: Language,
}

impl SendOtp {
    /// Checks a request and fills in what it leaves open.
    pub fn check(&self) -> Result<Terms> {
        if self.channel != ChannelType::Sms.as_str() {
            return Err(Error::invalid("Channel", "must be SMS"));
        }
        check_text("BrandName", &self.brand_name, LONGEST_BRAND)?;
        check_text("ReferenceId", &self.reference_id, LONGEST_REFERENCE)?;
        check_text(
            "OriginationIdentity",
            &self.origination_identity,
            LONGEST_IDENTITY,
        )?;
        check_number("DestinationIdentity", &self.destination_identity)?;
        for (field, id) in [("EntityId", &self.entity_id), ("TemplateId", &self.template_id)] {
            if let Some(id) = id {
                check_text(field, id, LONGEST_IDENTITY)?;
            }
        }
        let language = match self.language.as_deref() {
            None => Language::EnUs,
            Some(name) => Language::parse(name).ok_or_else(|| {
                let names: Vec<&str> = Language::ALL.iter().map(|language| language.as_str()).collect();
                Error::invalid("Language", format!("must be one of {}", names.join(", ")))
            })?,
        };
        Ok(Terms {
            attempts: within("AllowedAttempts", self.allowed_attempts, USUAL_ATTEMPTS, 1, 5)?,
            length: within("CodeLength", self.code_length, USUAL_LENGTH, 5, 8)?,
            minutes: within("ValidityPeriod", self.validity_period, USUAL_MINUTES, 5, 60)?,
            language,
        })
    }
}

impl VerifyOtp {
    /// Checks a request. A code that cannot be right is no mistake of the request: it is a wrong guess.
    pub fn check(&self) -> Result<()> {
        check_text("ReferenceId", &self.reference_id, LONGEST_REFERENCE)?;
        check_number("DestinationIdentity", &self.destination_identity)?;
        check_text("Otp", &self.otp, LONGEST_IDENTITY)
    }
}

fn within<N: Copy + PartialOrd + std::fmt::Display>(
    field: &str,
    asked: Option<N>,
    usual: N,
    least: N,
    most: N,
) -> Result<N> {
    let value = asked.unwrap_or(usual);
    if (&least..=&most).contains(&&value) {
        Ok(value)
    } else {
        Err(Error::invalid(
            field,
            format!("must be between {least} and {most}"),
        ))
    }
}

fn check_text(field: &str, text: &str, longest: usize) -> Result<()> {
    let length = text.chars().count();
    if length == 0 || length > longest || text.chars().any(char::is_control) {
        return Err(Error::invalid(
            field,
            format!("must have 1 to {longest} characters, none of them a control character"),
        ));
    }
    Ok(())
}

/// E.164: a plus and up to fifteen digits, the first of which is not 0.
fn check_number(field: &str, number: &str) -> Result<()> {
    let digits = number.strip_prefix('+').unwrap_or_default().as_bytes();
    let fits = (7..=15).contains(&digits.len()) && digits[0] != b'0' && digits.iter().all(u8::is_ascii_digit);
    if fits {
        Ok(())
    } else {
        Err(Error::invalid(
            field,
            "must be a phone number in E.164 format, such as +12065550100",
        ))
    }
}

/// A fresh code.
pub fn code(length: u8, random: &mut impl CryptoRng) -> String {
    (0..length)
        .map(|_| char::from(b'0' + random.random_range(0..10_u8)))
        .collect()
}

/// Declares the languages with their texts; `{otp}` and `{brand}` are put in.
macro_rules! languages {
    ($($name:ident = $tag:literal, $text:literal;)*) => {
        /// The languages that messages are written in.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the names are BCP 47's")]
        pub enum Language { $($name),* }

        impl Language {
            /// Every language.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The tag on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $tag),* }
            }

            fn text(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

languages! {
    DeDe = "de-DE", "Dies ist Ihr Einmalpasswort: {otp} von {brand}";
    EnGb = "en-GB", "This is your One Time Password: {otp} from {brand}";
    EnUs = "en-US", "This is your One Time Password: {otp} from {brand}";
    Es419 = "es-419", "Esta es su contraseña de un solo uso: {otp} de {brand}";
    EsEs = "es-ES", "Esta es tu contraseña de un solo uso: {otp} de {brand}";
    FrCa = "fr-CA", "Voici votre mot de passe à usage unique: {otp} de {brand}";
    FrFr = "fr-FR", "Voici votre mot de passe à usage unique : {otp} de {brand}";
    ItIt = "it-IT", "Questa è la tua password monouso: {otp} da {brand}";
    JaJp = "ja-JP", "{brand}のワンタイムパスワードは{otp}です";
    KoKr = "ko-KR", "{brand}의 일회용 비밀번호는 {otp}입니다";
    PtBr = "pt-BR", "Esta é a sua senha de uso único: {otp} de {brand}";
    ZhCn = "zh-CN", "这是您的一次性密码:{otp},来自 {brand}";
    ZhTw = "zh-TW", "這是您的一次性密碼:{otp},來自 {brand}";
}

impl Language {
    /// The language of a tag, in any case.
    pub fn parse(tag: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|language| language.as_str().eq_ignore_ascii_case(tag))
    }

    /// The message. A brand that looks like a placeholder stays as it is.
    pub fn message(self, code: &str, brand: &str) -> String {
        let text = self.text();
        let parts = text.split('{').map(|part| match part.split_once('}') {
            Some(("otp", rest)) => (code, rest),
            Some(("brand", rest)) => (brand, rest),
            _ => ("", part),
        });
        parts.fold(
            String::with_capacity(text.len() + 20),
            |message, (value, rest)| message + value + rest,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(change: &serde_json::Value) -> SendOtp {
        let mut request = json!({
            "BrandName": "Harbour Books", "ReferenceId": "login", "Channel": "SMS",
            "DestinationIdentity": "+12065550100", "OriginationIdentity": "+18555550142"
        });
        request
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        serde_json::from_value(request).unwrap()
    }

    #[test]
    fn what_is_left_open_has_usual_values() {
        let terms = Terms {
            attempts: 3,
            length: 6,
            minutes: 15,
            language: Language::EnUs,
        };
        assert_eq!(request(&json!({})).check(), Ok(terms));
    }

    #[test]
    fn ranges_are_kept_and_mistakes_named() {
        for (field, good, bad) in [
            (
                "AllowedAttempts",
                vec![json!(1), json!(5)],
                vec![json!(0), json!(6)],
            ),
            ("CodeLength", vec![json!(5), json!(8)], vec![json!(4), json!(9)]),
            (
                "ValidityPeriod",
                vec![json!(5), json!(60)],
                vec![json!(4), json!(61)],
            ),
            (
                "BrandName",
                vec![json!("ż".repeat(20))],
                vec![json!(""), json!("x".repeat(21)), json!("a\nb")],
            ),
            (
                "ReferenceId",
                vec![json!("x".repeat(48))],
                vec![json!(""), json!("x".repeat(49))],
            ),
            (
                "Language",
                vec![json!("fr-CA"), json!("EN-us")],
                vec![json!("pl-PL"), json!("")],
            ),
            ("Channel", vec![json!("SMS")], vec![json!("EMAIL"), json!("sms")]),
            (
                "DestinationIdentity",
                vec![json!("+48500100200")],
                vec![
                    json!("500100200"),
                    json!("+0123456789"),
                    json!("+1206555010a"),
                    json!("+1"),
                ],
            ),
            ("OriginationIdentity", vec![json!("BOOKS")], vec![json!("")]),
            ("EntityId", vec![json!("110")], vec![json!("1\u{7}")]),
        ] {
            for value in good {
                assert!(
                    request(&json!({ field: value })).check().is_ok(),
                    "{field} {value}"
                );
            }
            for value in bad {
                match request(&json!({ field: value })).check() {
                    Err(Error::Invalid { field: named, .. }) => assert_eq!(named, field, "{value}"),
                    other => panic!("{field} {value}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn every_language_says_code_and_brand_once() {
        assert_eq!(Language::ALL.len(), 13);
        for language in Language::ALL {
            let message = language.message("012345", "{otp}");
            assert_eq!(message.matches("012345").count(), 1, "{message}");
            assert_eq!(message.matches("{otp}").count(), 1, "{message}");
            assert!(!message.contains("{brand}"), "{message}");
            assert_eq!(Language::parse(language.as_str()), Some(*language));
        }
        assert_eq!(
            Language::EnUs.message("123456", "ExampleCorp"),
            "This is your One Time Password: 123456 from ExampleCorp"
        );
    }

    #[test]
    fn codes_have_their_digits_and_differ() {
        let mut random = rand::rng();
        let codes: std::collections::HashSet<String> = (0..100).map(|_| code(8, &mut random)).collect();
        assert!(codes.len() > 95, "{codes:?}");
        for code in codes {
            assert!(code.len() == 8 && code.bytes().all(|digit| digit.is_ascii_digit()));
        }
    }
}
