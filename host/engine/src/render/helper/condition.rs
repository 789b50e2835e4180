//! `and or not eq neq gt gte lt lte`: as a block, as a value of another helper, or inline with `yes=` and
//! `no=`.

use std::cmp::Ordering;

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, JsonTruthy, Output, PathAndJson, RenderContext,
    RenderError, Renderable, ScopedJson,
};
use serde_json::Value as Json;

use super::{as_number, print, printed};

type Test = fn(&[&Json]) -> bool;

/// Those that take two values or more.
pub(super) const ALL: [(&str, Test); 8] = [
    ("and", |values| values.iter().all(|value| value.is_truthy(false))),
    ("or", |values| values.iter().any(|value| value.is_truthy(false))),
    ("eq", |values| compare(values) == Some(Ordering::Equal)),
    ("neq", |values| compare(values) != Some(Ordering::Equal)),
    ("gt", |values| compare(values) == Some(Ordering::Greater)),
    ("gte", |values| compare(values).is_some_and(Ordering::is_ge)),
    ("lt", |values| compare(values) == Some(Ordering::Less)),
    ("lte", |values| compare(values).is_some_and(Ordering::is_le)),
];

pub(super) fn not(values: &[&Json]) -> bool {
    !values.first().is_some_and(|value| value.is_truthy(false))
}

/// Numbers, and texts that are numbers, by their size (the guide compares ages with `"17"`); others as
/// text. Nothing equals only nothing, and is neither more nor less than anything.
fn compare(values: &[&Json]) -> Option<Ordering> {
    let [left, right, ..] = values else { return None };
    match (left.is_null(), right.is_null()) {
        (true, true) => return Some(Ordering::Equal),
        (false, false) => {}
        _ => return None,
    }
    match (as_number(left), as_number(right)) {
        (Some(left), Some(right)) => left.partial_cmp(&right),
        _ => Some(printed(left).cmp(&printed(right))),
    }
}

pub(super) struct Condition(pub(super) Test);

impl Condition {
    fn holds(&self, helper: &Helper<'_>) -> bool {
        let values: Vec<&Json> = helper.params().iter().map(PathAndJson::value).collect();
        (self.0)(&values)
    }
}

impl HelperDef for Condition {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let holds = self.holds(helper);
        let said = helper.hash_get(if holds { "yes" } else { "no" });
        Ok(ScopedJson::Derived(
            said.map_or(Json::Bool(holds), |said| said.value().clone()),
        ))
    }

    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        if !helper.is_block() {
            let value = self.call_inner(helper, registry, context, render)?;
            return print(value.as_json(), registry, render, out);
        }
        let branch = if self.holds(helper) {
            helper.template()
        } else {
            helper.inverse()
        };
        branch.map_or(Ok(()), |branch| branch.render(registry, context, render, out))
    }
}
