//! The helpers of Pinpoint's guide ("Using message template helpers"), and three of our own that
//! templates do not name: printing a value, the first items of a list, a tracked link.
//!
//! Each is a function of its values. Where the guide is silent, `handlebars.java`, whose helpers
//! Pinpoint uses, decides.

mod calendar;
mod condition;
mod encode;
mod number;
mod text;

use std::borrow::Cow;
use std::sync::LazyLock;

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderError,
    RenderErrorReason, Renderable, ScopedJson,
};
use serde_json::Value as Json;

use super::LONGEST_OUTPUT;
use super::context::number_text;
use super::escape::Escape;
use super::template::Capped;
use crate::tracking::TrackingContext;
use crate::tracking::links::{LINK, write_tracked};

/// Prints a variable.
pub(super) const PRINT: &str = "pinion-value";
/// What `each` goes over.
pub(super) const FIRST: &str = "pinion-first";
/// Items that `each` takes (guide, "Default helpers").
pub(super) const LONGEST_LIST: usize = 15;

/// How a helper is written in a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Inline,
    Block,
    Both,
}

/// What a template must give a helper.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signature {
    /// The fewest values.
    pub(super) least: usize,
    pub(super) form: Form,
}

/// The signature of the helper of that name, if there is one.
pub(super) fn signature(name: &str) -> Option<Signature> {
    let built_in = match name {
        "if" | "unless" | "each" | "with" => (1, Form::Block),
        "lookup" => (2, Form::Inline),
        "not" => (1, Form::Both),
        PRINT => (1, Form::Inline),
        LINK => (0, Form::Block),
        _ if condition::ALL.iter().any(|(known, _)| *known == name) => (2, Form::Both),
        _ => {
            let (_, least, _) = PURE
                .iter()
                .flat_map(|all| all.iter())
                .find(|(known, ..)| *known == name)?;
            (*least, Form::Inline)
        }
    };
    let (least, form) = built_in;
    Some(Signature { least, form })
}

/// A helper that makes a value of values; the error says why it cannot.
type Pure = fn(&Call<'_, '_>) -> Result<Json, String>;
/// Name, fewest values, function.
type Entry = (&'static str, usize, Pure);

const PURE: [&[Entry]; 4] = [&text::ALL, &calendar::ALL, &number::ALL, &encode::ALL];

/// The engine with our helpers, for texts that are escaped that way.
pub(super) fn registry(escape: Escape) -> &'static Handlebars<'static> {
    static NONE: LazyLock<Handlebars<'static>> = LazyLock::new(|| make(Escape::None));
    static HTML: LazyLock<Handlebars<'static>> = LazyLock::new(|| make(Escape::Html));
    static JSON: LazyLock<Handlebars<'static>> = LazyLock::new(|| make(Escape::Json));
    match escape {
        Escape::None => &NONE,
        Escape::Html => &HTML,
        Escape::Json => &JSON,
    }
}

fn make(escape: Escape) -> Handlebars<'static> {
    let mut registry = Handlebars::new();
    registry.register_escape_fn(move |text| escape.text(text));
    // Not in the guide: one writes to our log, the others are the crate's own.
    for name in ["log", "raw", "ne", "len"] {
        registry.unregister_helper(name);
    }
    for (name, _, function) in PURE.into_iter().flatten() {
        registry.register_helper(name, Box::new(PureHelper(*function)));
    }
    for (name, function) in condition::ALL {
        registry.register_helper(name, Box::new(condition::Condition(function)));
    }
    registry.register_helper("not", Box::new(condition::Condition(condition::not)));
    registry.register_helper(PRINT, Box::new(PureHelper(|call| Ok(call.text(0).into()))));
    registry.register_helper(FIRST, Box::new(PureHelper(first)));
    registry.register_helper("lookup", Box::new(PureHelper(lookup)));
    registry.register_helper(LINK, Box::new(PlainLink));
    registry
}

struct PureHelper(Pure);

impl HelperDef for PureHelper {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let call = Call { helper, context };
        let value = (self.0)(&call).map_err(|problem| failure(&call, &problem))?;
        if value.as_str().is_some_and(|text| text.len() > LONGEST_OUTPUT) {
            return Err(failure(&call, TOO_LONG));
        }
        Ok(ScopedJson::Derived(value))
    }

    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let value = self.call_inner(helper, registry, context, render)?;
        print(value.as_json(), registry, render, out)
    }
}

/// Writes what a helper made.
fn print(
    value: &Json,
    registry: &Handlebars<'_>,
    render: &RenderContext<'_, '_>,
    out: &mut dyn Output,
) -> HelperResult {
    let text = printed(value);
    if render.is_disable_escape() {
        out.write(&text)?;
    } else {
        out.write(&registry.get_escape_fn()(&text))?;
    }
    Ok(())
}

const TOO_LONG: &str = "the result is too long";

fn failure(call: &Call<'_, '_>, problem: &str) -> RenderError {
    RenderErrorReason::Other(format!("{}: {problem}", call.helper.name())).into()
}

/// What a helper was given.
struct Call<'a, 'rc> {
    helper: &'a Helper<'rc>,
    context: &'a Context,
}

impl Call<'_, '_> {
    /// A value; null if it is missing.
    fn value(&self, place: usize) -> &Json {
        self.helper
            .param(place)
            .map_or(&Json::Null, |parameter| parameter.value())
    }

    fn is_missing(&self, place: usize) -> bool {
        self.value(place).is_null()
    }

    /// A value as it is printed.
    fn text(&self, place: usize) -> String {
        printed(self.value(place)).into_owned()
    }

    /// A value, or the word itself if the template has it without quotes.
    fn word(&self, place: usize) -> Option<String> {
        self.helper.param(place).map(word)
    }

    /// An option by name, or the word itself if the template has it without quotes.
    fn option(&self, name: &str) -> Option<String> {
        self.helper.hash_get(name).map(word)
    }

    fn number(&self, place: usize) -> Result<f64, String> {
        as_number(self.value(place)).ok_or_else(|| format!("{:?} is not a number", self.text(place)))
    }

    /// A length or offset: by name, or at a place.
    fn size(&self, name: &str, place: usize) -> Result<Option<usize>, String> {
        let given = self.helper.hash_get(name).or_else(|| self.helper.param(place));
        let Some(given) = given.filter(|given| !given.value().is_null()) else {
            return Ok(None);
        };
        let text = printed(given.value());
        match text.parse::<usize>() {
            Ok(size) if size <= LONGEST_OUTPUT => Ok(Some(size)),
            _ => Err(format!("{text:?} is not a length")),
        }
    }

    /// A member of the context that only helpers read.
    fn hidden(&self, key: &str) -> &Json {
        self.context.data().get(key).unwrap_or(&Json::Null)
    }
}

fn word(parameter: &handlebars::PathAndJson<'_>) -> String {
    match parameter.relative_path() {
        Some(word) if parameter.value().is_null() => word.clone(),
        _ => printed(parameter.value()).into_owned(),
    }
}

/// A value as templates print it: a list's items joined by commas.
fn printed(value: &Json) -> Cow<'_, str> {
    match value {
        Json::Null | Json::Object(_) => "".into(),
        Json::String(text) => text.into(),
        Json::Bool(truth) => truth.to_string().into(),
        Json::Number(number) => match number.as_f64() {
            Some(number) => number_text(number).into(),
            None => number.to_string().into(),
        },
        Json::Array(items) => {
            let items: Vec<_> = items.iter().map(printed).collect();
            items.join(", ").into()
        }
    }
}

/// A number, or a text that is one; lists of one count as their item.
fn as_number(value: &Json) -> Option<f64> {
    match value {
        Json::Number(number) => number.as_f64(),
        Json::Null | Json::Bool(_) | Json::Object(_) => None,
        Json::String(_) | Json::Array(_) => {
            let number: f64 = printed(value).trim().parse().ok()?;
            number.is_finite().then_some(number)
        }
    }
}

fn first(call: &Call<'_, '_>) -> Result<Json, String> {
    Ok(match call.value(0) {
        Json::Array(items) => items.iter().take(LONGEST_LIST).cloned().collect(),
        Json::Object(members) => members
            .iter()
            .take(LONGEST_LIST)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Json::Null => Json::Null,
        single => Json::from(vec![single.clone()]),
    })
}

/// `{{lookup map "name"}}` or `{{lookup list 0}}`.
fn lookup(call: &Call<'_, '_>) -> Result<Json, String> {
    let name = call.text(1);
    let found = match call.value(0) {
        Json::Array(items) => name.parse::<usize>().ok().and_then(|place| items.get(place)),
        other => other.get(&name),
    };
    Ok(found.cloned().unwrap_or_default())
}

/// A link of a message that is not tracked.
struct PlainLink;

impl HelperDef for PlainLink {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        match helper.template() {
            Some(value) => value.render(registry, context, render, out),
            None => Ok(()),
        }
    }
}

/// A link of a message that is tracked: takes the place of [`PlainLink`] for one rendering.
pub(super) struct TrackedLink<'a>(pub(super) TrackingContext<'a>);

impl HelperDef for TrackedLink<'_> {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let Some(value) = helper.template() else {
            return Ok(());
        };
        let mut tracked = String::new();
        // Where a link leads for everybody was found when the template was compiled.
        let known = helper
            .param(0)
            .and_then(|destination| destination.value().as_str());
        match known {
            Some(destination) if !self.0.tracker.is_own(destination) => {
                self.0
                    .tracker
                    .write_click(&self.0.stamp, destination, &mut tracked);
            }
            _ => {
                let mut href = Capped::default();
                value.render(registry, context, render, &mut href)?;
                write_tracked(&self.0, &href.text, &mut tracked);
            }
        }
        out.write(&tracked)?;
        Ok(())
    }
}
