//! What is known of a request beside its action and resource: the values of condition keys.

use std::collections::{BTreeMap, BTreeSet};

/// Keys of AWS's user guide, "AWS global condition context keys", in lower case. Those that Pinion never
/// sets are absent in every request, as they are at AWS where they do not apply.
const GLOBAL: &[&str] = &[
    "assumedroot",
    "calledvia",
    "calledviafirst",
    "calledvialast",
    "chatbotsourcearn",
    "currenttime",
    "ec2instancesourceprivateipv4",
    "ec2instancesourcevpc",
    "epochtime",
    "federatedprovider",
    "multifactorauthage",
    "multifactorauthpresent",
    "principalaccount",
    "principalarn",
    "principalisawsservice",
    "principalorgid",
    "principalorgpaths",
    "principalservicename",
    "principalservicenameslist",
    "principaltype",
    "referer",
    "requestedregion",
    "resourceaccount",
    "resourceorgid",
    "resourceorgpaths",
    "securetransport",
    "signinsessionarn",
    "sourceaccount",
    "sourcearn",
    "sourceidentity",
    "sourceip",
    "sourceorgid",
    "sourceorgpaths",
    "sourceowner",
    "sourcevpc",
    "sourcevpcarn",
    "sourcevpce",
    "tagkeys",
    "tokenissuetime",
    "useragent",
    "userid",
    "username",
    "viaawsservice",
    "vpceaccount",
    "vpceorgid",
    "vpceorgpaths",
    "vpcsourceip",
];

/// Global keys that end in the name of a tag.
const WITH_TAG: &[&str] = &["principaltag/", "requesttag/", "resourcetag/"];

/// Checks that a text can be a condition key, and gives it in lower case: keys have no case. A global key
/// that AWS does not know is refused, since a deny that hangs on a misspelt key would never deny.
pub(crate) fn key(text: &str) -> Result<String, String> {
    let lower = text.trim().to_lowercase();
    let Some((service, name)) = lower.split_once(':') else {
        return Err(format!("{text:?} is not a condition key, such as aws:SourceIp"));
    };
    if service.is_empty() || name.is_empty() {
        return Err(format!("{text:?} is not a condition key, such as aws:SourceIp"));
    }
    let tagged = |prefix: &str| name.strip_prefix(prefix).is_some_and(|tag| !tag.is_empty());
    if service == "aws" && !GLOBAL.contains(&name) && !WITH_TAG.iter().any(|prefix| tagged(prefix)) {
        return Err(format!("{text:?} is not one of AWS's global condition keys"));
    }
    Ok(lower)
}

/// The values of condition keys for one request. A key has one value or, like `aws:TagKeys`, many.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    /// Gives a key one value.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.0.insert(key.to_lowercase(), vec![value.into()]);
    }

    /// Gives a key many values, or none: the key is present all the same.
    pub fn set_all(&mut self, key: &str, values: impl IntoIterator<Item = String>) {
        self.0.insert(key.to_lowercase(), values.into_iter().collect());
    }

    /// Gives `prefix/TAG` the value of each tag. Keys have no case, so of two tags whose names differ
    /// in nothing else the later one counts.
    pub fn set_tags<'t>(&mut self, prefix: &str, tags: impl IntoIterator<Item = (&'t String, &'t String)>) {
        for (tag, value) in tags {
            self.set(&format!("{prefix}/{tag}"), value.as_str());
        }
    }

    /// The values of a key in lower case.
    pub(crate) fn get(&self, key: &str) -> Option<&[String]> {
        self.0.get(key).map(Vec::as_slice)
    }
}

/// The keys that policies look at, so that nothing is looked up in vain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Keys(pub(crate) BTreeSet<String>);

impl Keys {
    /// Does any key begin so? Write it in lower case: `aws:resourcetag/`.
    pub fn any_begins(&self, prefix: &str) -> bool {
        self.0
            .range(prefix.to_owned()..)
            .next()
            .is_some_and(|key| key.starts_with(prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_no_case_and_a_known_name() {
        for (text, expected) in [
            ("aws:SourceIp", Some("aws:sourceip")),
            ("AWS:sourceIP", Some("aws:sourceip")),
            ("aws:PrincipalTag/Team One", Some("aws:principaltag/team one")),
            ("sts:ExternalId", Some("sts:externalid")),
            ("idp.example.com/a:sub", Some("idp.example.com/a:sub")),
            ("aws:SorceIp", None),
            ("aws:PrincipalTag/", None),
            ("aws:", None),
            ("SourceIp", None),
            (":sub", None),
        ] {
            assert_eq!(key(text).ok().as_deref(), expected, "{text}");
        }
        let mut sorted = GLOBAL.to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, GLOBAL);
    }

    #[test]
    fn keys_are_found_by_how_they_begin() {
        let keys = Keys(["aws:resourcetag/a", "aws:sourceip"].map(str::to_owned).into());
        for (prefix, expected) in [
            ("aws:resourcetag/", true),
            ("aws:sourceip", true),
            ("aws:requesttag/", false),
            ("aws:tagkeys", false),
        ] {
            assert_eq!(keys.any_begins(prefix), expected, "{prefix}");
        }
    }
}
