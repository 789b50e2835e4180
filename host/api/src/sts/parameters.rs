//! What a request of the query protocol says: pairs in the body, the query, or both.

use std::collections::BTreeMap;

use pinion_domain::iam::entity::{SHORTEST_SESSION, is_plain};
use url::form_urlencoded;

use super::answer::Fault;

/// Parameters by name.
#[derive(Debug)]
pub(super) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Reads them. One that is given twice is refused, for nobody can say which counts.
    pub(super) fn read(query: &str, body: &[u8]) -> Result<Self, Fault> {
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(body)) {
            // Of a presigned request, and read elsewhere.
            if name.starts_with("X-Amz-") {
                continue;
            }
            if parameters
                .insert(name.clone().into_owned(), value.into_owned())
                .is_some()
            {
                return Err(Fault::invalid(format!("{name}: is given more than once")));
            }
        }
        Ok(Self(parameters))
    }

    /// The value of a parameter; an empty one counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The value of a parameter that must be there.
    pub(super) fn required(&self, name: &'static str) -> Result<&str, Fault> {
        self.get(name)
            .ok_or_else(|| Fault::sender("MissingParameter", format!("{name}: is missing")))
    }

    /// `DurationSeconds`.
    pub(super) fn seconds(&self, usual: u32, most: u32) -> Result<u32, Fault> {
        let Some(text) = self.get("DurationSeconds") else {
            return Ok(usual);
        };
        text.parse()
            .ok()
            .filter(|seconds| (SHORTEST_SESSION..=most).contains(seconds))
            .ok_or_else(|| {
                let range = format!("{SHORTEST_SESSION} to {most}");
                Fault::invalid(format!(
                    "DurationSeconds: must be a number of seconds from {range}"
                ))
            })
    }

    /// A name of 2 to 64 plain characters.
    pub(super) fn plain(&self, name: &'static str) -> Result<Option<&str>, Fault> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        if (2..=64).contains(&text.len()) && is_plain(text) {
            return Ok(Some(text));
        }
        let problem = "must be 2 to 64 letters, digits and characters of +=,.@-_";
        Err(Fault::invalid(format!("{name}: {problem}")))
    }

    /// The items of a list, each with its members: `Tags.member.1.Key` is `Key` of the first. An item that is a
    /// text has it under the empty name.
    pub(super) fn list(&self, name: &str) -> Vec<BTreeMap<&str, &str>> {
        let prefix = format!("{name}.member.");
        let mut items: BTreeMap<u32, BTreeMap<&str, &str>> = BTreeMap::new();
        for (parameter, value) in &self.0 {
            let Some(rest) = parameter.strip_prefix(&prefix) else {
                continue;
            };
            let (number, member) = rest.split_once('.').unwrap_or((rest, ""));
            if let Ok(number) = number.parse() {
                items.entry(number).or_default().insert(member, value);
            }
        }
        items.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_in_their_order() {
        let body =
            b"Tags.member.10.Key=c&Tags.member.2.Key=b%20b&Tags.member.2.Value=x+y&K.member.1=t&K.member.x=u";
        let parameters = Parameters::read("Action=A&X-Amz-Date=1", body).unwrap();
        assert_eq!(parameters.get("Action"), Some("A"));
        assert_eq!(parameters.get("X-Amz-Date"), None);
        assert_eq!(
            parameters.list("Tags"),
            [
                BTreeMap::from([("Key", "b b"), ("Value", "x y")]),
                BTreeMap::from([("Key", "c")]),
            ]
        );
        assert_eq!(parameters.list("K"), [BTreeMap::from([("", "t")])]);
        assert!(Parameters::read("Action=A", b"Action=B").is_err());
    }
}
