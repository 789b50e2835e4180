//! Values of policies: texts with wildcards and policy variables, and ARNs of them.

use super::context::{self, Context};
use crate::glob::{Glob, Token};

/// How a text of a policy is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// Are `*` and `?` wildcards? In `StringEquals` they are not.
    pub wildcards: bool,
    /// Are there variables, `${aws:username}`? Only in version 2012-10-17.
    pub variables: bool,
    /// Does case not matter?
    pub fold: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Token(Token),
    Variable { key: String, default: Option<String> },
}

/// A text with wildcards and variables.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pattern {
    fold: bool,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// Without variables: compiled once.
    Fixed(Glob),
    /// Completed for each request.
    Open(Vec<Part>),
}

impl Pattern {
    pub(crate) fn parse(text: &str, reading: Reading) -> Result<Self, String> {
        Ok(Self::of(parts(text, reading)?, reading.fold))
    }

    fn of(parts: Vec<Part>, fold: bool) -> Self {
        let tokens: Option<Vec<Token>> = parts
            .iter()
            .map(|part| match part {
                Part::Token(token) => Some(*token),
                Part::Variable { .. } => None,
            })
            .collect();
        let kind = match tokens {
            Some(tokens) => Kind::Fixed(glob(&tokens, fold)),
            None => Kind::Open(parts),
        };
        Self { fold, kind }
    }

    /// Does the whole text match? A variable without a value matches nothing, and neither does a text
    /// with it. A variable's value stands for itself: wildcards in it are letters.
    pub(crate) fn matches(&self, text: &str, context: &Context) -> bool {
        let folded;
        let text = if self.fold {
            folded = text.to_lowercase();
            &folded
        } else {
            text
        };
        match &self.kind {
            Kind::Fixed(glob) => glob.matches(text),
            Kind::Open(parts) => {
                let mut tokens = Vec::new();
                for part in parts {
                    match part {
                        Part::Token(token) => tokens.push(*token),
                        Part::Variable { key, default } => {
                            let value = match context.get(key) {
                                Some([one]) => one,
                                _ => match default {
                                    Some(default) => default,
                                    None => return false,
                                },
                            };
                            tokens.extend(value.chars().map(Token::Char));
                        }
                    }
                }
                glob(&tokens, self.fold).matches(text)
            }
        }
    }

    /// The keys of its variables.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        let parts = match &self.kind {
            Kind::Fixed(_) => &[][..],
            Kind::Open(parts) => parts,
        };
        parts.iter().filter_map(|part| match part {
            Part::Token(_) => None,
            Part::Variable { key, .. } => Some(key.as_str()),
        })
    }
}

fn glob(tokens: &[Token], fold: bool) -> Glob {
    if !fold {
        return Glob::new(tokens);
    }
    let mut folded = Vec::with_capacity(tokens.len());
    for token in tokens {
        match token {
            Token::Char(letter) => folded.extend(letter.to_lowercase().map(Token::Char)),
            wildcard => folded.push(*wildcard),
        }
    }
    Glob::new(&folded)
}

fn parts(text: &str, reading: Reading) -> Result<Vec<Part>, String> {
    let token = |letter| {
        Part::Token(if reading.wildcards {
            Token::of(letter)
        } else {
            Token::Char(letter)
        })
    };
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        match rest.strip_prefix("${") {
            Some(behind) if reading.variables => {
                let (inside, after) = variable(behind)?;
                parts.push(inside);
                rest = after;
            }
            _ => {
                parts.push(token(letter));
                rest = &rest[letter.len_utf8()..];
            }
        }
    }
    Ok(parts)
}

/// Reads what is behind `${`: `*}`, `?}`, `$}`, `KEY}` or `KEY, 'DEFAULT'}`.
fn variable(text: &str) -> Result<(Part, &str), String> {
    for literal in ['*', '?', '$'] {
        if let Some(after) = text.strip_prefix(literal).and_then(|rest| rest.strip_prefix('}')) {
            return Ok((Part::Token(Token::Char(literal)), after));
        }
    }
    let end = text
        .find([',', '}'])
        .ok_or_else(|| format!("the variable ${{{text} is not closed"))?;
    let key = context::key(&text[..end])?;
    if text[end..].starts_with('}') {
        return Ok((Part::Variable { key, default: None }, &text[end + 1..]));
    }
    let malformed = || format!("the variable ${{{text} has no default of the form 'text'");
    let quoted = text[end + 1..]
        .trim_start()
        .strip_prefix('\'')
        .ok_or_else(malformed)?;
    let (default, after) = quoted.split_once('\'').ok_or_else(malformed)?;
    let after = after.trim_start().strip_prefix('}').ok_or_else(malformed)?;
    let default = Some(default.to_owned());
    Ok((Part::Variable { key, default }, after))
}

/// An ARN with wildcards, compared part by part: a `*` never reaches over a colon, except in the last part.
/// Parts that are missing at the end are anything.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ArnPattern {
    Anything,
    Parts(Vec<Pattern>),
}

/// `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`
const ARN_PARTS: usize = 6;

impl ArnPattern {
    pub(crate) fn parse(text: &str, variables: bool) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Anything);
        }
        if !text.starts_with("arn:") {
            return Err(format!("{text:?} is neither * nor an ARN"));
        }
        let reading = Reading {
            wildcards: true,
            variables,
            fold: false,
        };
        let mut patterns = Vec::new();
        let mut part = Vec::new();
        for next in parts(text, reading)? {
            if next == Part::Token(Token::Char(':')) && patterns.len() + 1 < ARN_PARTS {
                patterns.push(Pattern::of(std::mem::take(&mut part), false));
            } else {
                part.push(next);
            }
        }
        patterns.push(Pattern::of(part, false));
        Ok(Self::Parts(patterns))
    }

    pub(crate) fn matches(&self, arn: &str, context: &Context) -> bool {
        match self {
            Self::Anything => true,
            Self::Parts(patterns) => {
                let parts: Vec<&str> = arn.splitn(ARN_PARTS, ':').collect();
                parts.len() == ARN_PARTS
                    && patterns
                        .iter()
                        .zip(parts)
                        .all(|(pattern, part)| pattern.matches(part, context))
            }
        }
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        let patterns = match self {
            Self::Anything => &[][..],
            Self::Parts(patterns) => patterns,
        };
        patterns.iter().flat_map(Pattern::keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIKE: Reading = Reading {
        wildcards: true,
        variables: true,
        fold: false,
    };

    fn context() -> Context {
        let mut context = Context::default();
        context.set("aws:username", "ann*");
        context.set("aws:PrincipalTag/Team", "crew");
        context.set_all("aws:TagKeys", ["a".to_owned(), "b".to_owned()]);
        context
    }

    #[test]
    fn variables_are_filled_in() {
        for (pattern, text, expected) in [
            ("home/${aws:username}/*", "home/ann*/x", true),
            // The value's star is a letter.
            ("home/${aws:username}/*", "home/annie/x", false),
            ("${aws:principaltag/TEAM}", "crew", true),
            ("${aws:PrincipalTag/none}", "", false),
            ("${aws:PrincipalTag/none, 'all hands'}!", "all hands!", true),
            ("${aws:PrincipalTag/none,''}", "", true),
            ("${aws:PrincipalTag/Team, 'else'}", "crew", true),
            // A key of many values is no variable.
            ("${aws:TagKeys}", "a", false),
            ("a${*}b${?}c${$}d", "a*b?c$d", true),
            ("a${*}b", "axb", false),
            ("100$", "100$", true),
            ("$$", "$$", true),
        ] {
            let pattern = Pattern::parse(pattern, LIKE).unwrap();
            assert_eq!(
                pattern.matches(text, &context()),
                expected,
                "{pattern:?} on {text}"
            );
        }
    }

    #[test]
    fn variables_that_cannot_be_read_are_refused() {
        for text in [
            "${aws:username",
            "${username}",
            "${aws:usrname}",
            "${}",
            "${aws:username, none}",
            "${aws:username, 'x}",
            "${aws:username, 'x'",
        ] {
            assert!(Pattern::parse(text, LIKE).is_err(), "{text}");
        }
        // Version 2008-10-17 has none.
        let old = Reading {
            variables: false,
            ..LIKE
        };
        let pattern = Pattern::parse("${aws:username", old).unwrap();
        assert!(pattern.matches("${aws:username", &context()));
    }

    #[test]
    fn case_can_be_left_aside() {
        let fold = Reading { fold: true, ..LIKE };
        let pattern = Pattern::parse("ŻÓŁW-${aws:PrincipalTag/Team}-*", fold).unwrap();
        assert!(pattern.matches("żółw-CREW-x", &context()));
        assert!(!Pattern::parse("A", LIKE).unwrap().matches("a", &context()));
    }

    #[test]
    fn stars_stay_in_their_part_of_an_arn() {
        let arn = "arn:aws:mobiletargeting:eu-west-1:111111111111:apps/a:b/campaigns/c";
        for (pattern, expected) in [
            ("*", true),
            ("arn:*", true),
            ("arn:aws:mobiletargeting", true),
            ("arn:aws:mobiletargeting:*:*:*", true),
            ("arn:aws:mobiletargeting:*:111111111111:apps/*", true),
            ("arn:aws:mobiletargeting:eu-west-?:*:apps/*/campaigns/c", true),
            ("arn:aws:mobiletargeting:*:apps/a:b/campaigns/c", false),
            ("arn:aws:mobiletargeting:*:*:apps/a", false),
            ("arn:aws:s3:*:*:*", false),
            (
                "arn:aws:mobile*:eu-west-1:111111111111:apps/${aws:PrincipalTag/Team, 'a:b'}/*",
                false,
            ),
            (
                "arn:aws:mobile*:eu-west-1:111111111111:apps/${aws:PrincipalTag/none, 'a:b'}/*",
                true,
            ),
        ] {
            let parsed = ArnPattern::parse(pattern, true).unwrap();
            assert_eq!(parsed.matches(arn, &context()), expected, "{pattern}");
        }
        assert!(ArnPattern::parse("apps/*", true).is_err());
        assert!(
            !ArnPattern::parse("arn:*", true)
                .unwrap()
                .matches("apps/a", &context())
        );
    }
}
