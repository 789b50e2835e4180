//! Where variables get their values: from substitutions, a personalizer, the endpoint, defaults, in
//! this order.

use std::borrow::Cow;
use std::collections::BTreeMap;

use pinion_domain::clock::iso;
use pinion_domain::endpoint::Endpoint;
use pinion_domain::extension::columns::{Column, ColumnData, bit};
use serde_json::{Map, Value as Json};

use super::{PersonalizedRow, RenderInput};
use crate::tracking::TrackingContext;
use crate::tracking::links::{PIXEL, UNSUBSCRIBE, pixel};

/// The names that a template's variables may begin with; others are substitutions.
pub const ROOTS: [&str; 15] = [
    "Address",
    "Attributes",
    "ChannelType",
    "CreationDate",
    "Demographic",
    "EffectiveDate",
    "EndpointStatus",
    "Id",
    "Location",
    "Metrics",
    "OptOut",
    "RecommendationItems",
    "Recommendations",
    "RequestId",
    "User",
];

/// Keys of the context that only helpers read.
pub(super) const NOW: &str = "pinion-now";
pub(super) const MESSAGE_ID: &str = "pinion-message-id";

/// A template's own defaults, by name or path.
pub(super) type Defaults = BTreeMap<String, String>;

/// All that a template may print, for one message.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) input: &'a RenderInput<'a>,
    pub(super) defaults: &'a Defaults,
    pub(super) track: Option<&'a TrackingContext<'a>>,
}

/// A variable's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Missing,
    Text(Cow<'a, str>),
    List(&'a [String]),
    Number(f64),
}

impl Value<'_> {
    /// Appends the value as it is printed; with an index, one item of a list.
    pub(super) fn write(&self, index: Option<usize>, mut write: impl FnMut(&str)) {
        match (self, index) {
            (Self::Text(text), None | Some(0)) => write(text),
            (Self::Number(number), None | Some(0)) => write(&number_text(*number)),
            (Self::List(values), Some(index)) => {
                if let Some(value) = values.get(index) {
                    write(value);
                }
            }
            (Self::List(values), None) => {
                for (place, value) in values.iter().enumerate() {
                    if place > 0 {
                        write(", ");
                    }
                    write(value);
                }
            }
            (Self::Missing | Self::Text(_) | Self::Number(_), _) => {}
        }
    }

    fn json(&self, as_list: bool) -> Option<Json> {
        let single = match self {
            Self::Missing => return None,
            Self::List(values) => return Some(Json::from(values.to_vec())),
            Self::Text(text) => Json::from(text.as_ref()),
            Self::Number(number) => number_json(*number),
        };
        Some(if as_list { Json::from(vec![single]) } else { single })
    }
}

/// Whole numbers without a fraction: `5`, not `5.0`.
pub(super) fn number_text(number: f64) -> String {
    number_json(number).to_string()
}

pub(super) fn number_json(number: f64) -> Json {
    // Beyond 2^53 a double no longer tells whole numbers apart.
    if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
        #[expect(clippy::cast_possible_truncation, reason = "checked to fit")]
        return Json::from(number as i64);
    }
    Json::from(number)
}

/// A member that is one string.
type Member = fn(&Endpoint) -> Option<&str>;

macro_rules! part {
    ($part:ident . $member:ident) => {
        |endpoint| endpoint.document.$part.as_ref()?.$member.as_deref()
    };
}

const MEMBERS: [(&str, Member); 21] = [
    ("Address", |endpoint| endpoint.address.as_deref()),
    ("ChannelType", |endpoint| {
        Some(endpoint.document.channel_type?.as_str())
    }),
    ("CreationDate", |endpoint| Some(&endpoint.document.creation_date)),
    ("Demographic.AppVersion", part!(demographic.app_version)),
    ("Demographic.Locale", part!(demographic.locale)),
    ("Demographic.Make", part!(demographic.make)),
    ("Demographic.Model", part!(demographic.model)),
    ("Demographic.ModelVersion", part!(demographic.model_version)),
    ("Demographic.Platform", part!(demographic.platform)),
    ("Demographic.PlatformVersion", part!(demographic.platform_version)),
    ("Demographic.Timezone", part!(demographic.timezone)),
    ("EffectiveDate", |endpoint| {
        Some(&endpoint.document.effective_date)
    }),
    ("EndpointStatus", |endpoint| {
        Some(&endpoint.document.endpoint_status)
    }),
    ("Id", |endpoint| Some(endpoint.id.as_str())),
    ("Location.City", part!(location.city)),
    ("Location.Country", part!(location.country)),
    ("Location.PostalCode", part!(location.postal_code)),
    ("Location.Region", part!(location.region)),
    ("OptOut", |endpoint| Some(&endpoint.document.opt_out)),
    ("RequestId", |endpoint| endpoint.document.request_id.as_deref()),
    ("User.UserId", |endpoint| {
        Some(endpoint.user_id.as_ref()?.as_str())
    }),
];

/// Where a variable's value is, decided when the template is compiled.
#[derive(Clone, Debug)]
enum Source {
    Member(Member),
    Latitude,
    Longitude,
    Attribute(String),
    UserAttribute(String),
    Metric(String),
    /// Only a personalizer gives it.
    Recommendation,
    Pixel,
    Unsubscribe,
    /// Only substitutions and defaults give it.
    Substitution,
    /// Not a value but everything below a name.
    Branch,
}

impl Source {
    /// Of a variable that is not one of [`MEMBERS`].
    fn of(names: &[&str], key: &str) -> Self {
        match names {
            _ if UNSUBSCRIBE.contains(&key) => Self::Unsubscribe,
            [PIXEL] => Self::Pixel,
            ["Location", "Latitude"] => Self::Latitude,
            ["Location", "Longitude"] => Self::Longitude,
            ["Attributes", name] => Self::Attribute((*name).to_owned()),
            ["User", "UserAttributes", name] => Self::UserAttribute((*name).to_owned()),
            ["Metrics", name] => Self::Metric((*name).to_owned()),
            ["RecommendationItems"] | ["Recommendations", _] => Self::Recommendation,
            ["Attributes" | "Demographic" | "Location" | "Metrics" | "Recommendations" | "User"]
            | ["User", "UserAttributes"] => Self::Branch,
            _ => Self::Substitution,
        }
    }
}

/// A variable that a template names, from the root and without an index.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    names: Vec<String>,
    /// The names with dots between: as substitutions and columns are named.
    key: String,
    source: Source,
    /// Somewhere an item of it is asked for, so it must look like a list.
    pub(super) indexed: bool,
}

impl Variable {
    pub(super) fn new(names: Vec<String>) -> Self {
        let key = names.join(".");
        let parts: Vec<&str> = names.iter().map(String::as_str).collect();
        let member = MEMBERS.iter().find(|(name, _)| *name == key);
        let source = member.map_or_else(|| Source::of(&parts, &key), |(_, member)| Source::Member(*member));
        Self {
            names,
            key,
            source,
            indexed: false,
        }
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The dotted path.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Can the last name of a path below this one only be an index?
    pub(super) fn is_list(&self) -> bool {
        matches!(
            self.source,
            Source::Attribute(_) | Source::UserAttribute(_) | Source::Recommendation
        )
    }

    /// Is it not a value but everything below a name?
    pub(super) fn is_branch(&self) -> bool {
        matches!(self.source, Source::Branch)
    }

    /// The value for one message.
    pub(super) fn value<'a>(&self, scope: &Scope<'a>) -> Value<'a> {
        let input = scope.input;
        match (&self.source, scope.track) {
            (Source::Unsubscribe, Some(track)) => {
                return Value::Text(track.tracker.unsubscribe_url(&track.stamp).into());
            }
            (Source::Pixel, Some(track)) => return Value::Text(pixel(track.tracker, &track.stamp).into()),
            (Source::Pixel, None) => return Value::Missing,
            _ => {}
        }
        for layer in input.substitutions {
            if let Some(values) = layer.get(&self.key) {
                return list(values);
            }
        }
        if self.is_list()
            && let Some(row) = input.personalized
            && let Some(value) = row.cell(&self.key)
        {
            return value;
        }
        let own = self.of_endpoint(input.endpoint);
        if own == Value::Missing {
            return text(scope.defaults.get(&self.key).map(String::as_str));
        }
        own
    }

    /// What the endpoint itself has.
    pub(super) fn of_endpoint<'a>(&self, endpoint: &'a Endpoint) -> Value<'a> {
        let document = &endpoint.document;
        match &self.source {
            Source::Member(member) => text(member(endpoint)),
            Source::Latitude => number(document.location.as_ref().and_then(|place| place.latitude)),
            Source::Longitude => number(document.location.as_ref().and_then(|place| place.longitude)),
            Source::Attribute(name) => document
                .attributes
                .get(name)
                .map_or(Value::Missing, |values| list(values)),
            Source::UserAttribute(name) => {
                let user = endpoint.user.as_ref();
                user.and_then(|user| user.user_attributes.get(name))
                    .map_or(Value::Missing, |values| list(values))
            }
            Source::Metric(name) => number(document.metrics.get(name).copied()),
            _ => Value::Missing,
        }
    }
}

fn text(text: Option<&str>) -> Value<'_> {
    text.map_or(Value::Missing, |text| Value::Text(text.into()))
}

fn number<'a>(number: Option<f64>) -> Value<'a> {
    number.map_or(Value::Missing, Value::Number)
}

/// An empty list counts as no value, so a default may stand in.
fn list(values: &[String]) -> Value<'_> {
    if values.is_empty() {
        return Value::Missing;
    }
    Value::List(values)
}

impl<'a> PersonalizedRow<'a> {
    /// The recipient's cell of the output of that name.
    pub(super) fn cell(&self, output: &str) -> Option<Value<'a>> {
        let place = self.outputs.iter().position(|spec| spec.path == output)?;
        let column: &Column = self.answer.columns.get(place)?;
        if !bit(&column.valid, self.row, true) {
            return None;
        }
        match &column.data {
            ColumnData::Text(cells) => Some(Value::Text(cells.get(self.row)?.into())),
            ColumnData::Number(cells) => Some(Value::Number(*cells.get(self.row)?)),
            ColumnData::Integer(cells) => Some(Value::Text(cells.get(self.row)?.to_string().into())),
            ColumnData::Instant(cells) => {
                let at = jiff::Timestamp::from_microsecond(*cells.get(self.row)?).ok()?;
                Some(Value::Text(iso(at).into()))
            }
            // A personalizer's answer has no dictionary.
            ColumnData::Codes(_) => None,
        }
    }
}

/// The context that the `handlebars` crate reads: just these variables.
pub(super) fn context(variables: &[Variable], everything: bool, scope: &Scope<'_>) -> Json {
    let mut root = Map::new();
    if everything {
        for name in ROOTS {
            branch(name, scope, &mut root);
        }
        for name in names_below("", scope) {
            insert(&mut root, &Variable::new(vec![name]), scope);
        }
    }
    for variable in variables {
        if variable.is_branch() {
            branch(&variable.key, scope, &mut root);
        }
    }
    for variable in variables {
        insert(&mut root, variable, scope);
    }
    Json::Object(root)
}

/// Everything below a root, or the root itself.
fn branch(root: &str, scope: &Scope<'_>, into: &mut Map<String, Json>) {
    let document = &scope.input.endpoint.document;
    let mut add = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        insert(into, &Variable::new(names), scope);
    };
    for (key, _) in MEMBERS {
        if key == root || key.strip_prefix(root).is_some_and(|rest| rest.starts_with('.')) {
            add(&key.split('.').collect::<Vec<_>>());
        }
    }
    let attributes = |prefix: [&'static str; 2]| names_below(&format!("{}.", prefix.join(".")), scope);
    match root {
        "Location" => {
            add(&["Location", "Latitude"]);
            add(&["Location", "Longitude"]);
        }
        "Attributes" | "Recommendations" => {
            if root == "Attributes" {
                document.attributes.keys().for_each(|name| add(&[root, name]));
            }
            for name in names_below(&format!("{root}."), scope) {
                add(&[root, &name]);
            }
        }
        "Metrics" => document.metrics.keys().for_each(|name| add(&[root, name])),
        "User" | "User.UserAttributes" => {
            if let Some(user) = &scope.input.endpoint.user {
                for name in user.user_attributes.keys() {
                    add(&["User", "UserAttributes", name]);
                }
            }
            for name in attributes(["User", "UserAttributes"]) {
                add(&["User", "UserAttributes", &name]);
            }
        }
        "RecommendationItems" => add(&[root]),
        _ => {}
    }
}

/// The last names of substitutions, defaults and columns that begin with `prefix`.
fn names_below(prefix: &str, scope: &Scope<'_>) -> Vec<String> {
    let substitutions = scope.input.substitutions.iter().flat_map(|layer| layer.keys());
    let columns = scope.input.personalized.map_or(&[][..], |row| row.outputs);
    substitutions
        .chain(scope.defaults.keys())
        .chain(columns.iter().map(|spec| &spec.path))
        .filter_map(|key| key.strip_prefix(prefix))
        // From the root, a dotted name is a path to somewhere below.
        .filter(|name| !name.is_empty() && (!prefix.is_empty() || !name.contains('.')))
        .map(str::to_owned)
        .collect()
}

/// Puts a variable's value at its place.
fn insert(root: &mut Map<String, Json>, variable: &Variable, scope: &Scope<'_>) {
    let Some(value) = variable.value(scope).json(variable.indexed || variable.is_list()) else {
        return;
    };
    let Some((last, path)) = variable.names.split_last() else {
        return;
    };
    let mut place = root;
    for name in path {
        let below = place
            .entry(name.as_str())
            .or_insert_with(|| Json::Object(Map::new()));
        // A substitution has taken the name for a text; what would be below it cannot be reached.
        let Json::Object(below) = below else { return };
        place = below;
    }
    place.insert(last.clone(), value);
}
