//! Reads a compiled template before it is ever rendered: which variables it names, whether its helpers
//! and partials exist, and how much work it can be at most.
//!
//! It also prepares the template: variables that are only printed go through our own `pinion-value`
//! helper (lists are printed differently here), `each` sees at most fifteen items, and each `uuid` gets
//! its own number.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;

use handlebars::template::{
    BlockParam, DecoratorTemplate, HelperTemplate, Parameter, Subexpression, TemplateElement,
};
use handlebars::{Path, PathSeg};
use serde_json::Value as Json;

use super::TemplateError;
use super::context::Variable;
use super::helper::{FIRST, Form, LONGEST_LIST, PRINT, signature};
use crate::tracking::links::{LINK, destination};

/// Expressions in one template; the parser's time grows with their number times the length.
const MOST_EXPRESSIONS: usize = 2_000;
/// Blocks, else-ifs and partials inside each other; parser and renderer call themselves for each.
const DEEPEST: usize = 64;
/// Brackets inside each other within an expression.
const DEEPEST_EXPRESSION: usize = 32;
/// Pieces that rendering visits if every list is as long as it may be.
const MOST_WORK: u64 = 200_000;

/// What a template is about.
pub(super) struct Inspected {
    pub(super) variables: Vec<Variable>,
    /// Dotted paths from the root, sorted.
    pub(super) listed: Vec<String>,
    /// It looks at the context as a whole.
    pub(super) everything: bool,
    /// It asks for time or chance.
    pub(super) moment: bool,
}

/// Refuses what would be too much for the parser, which trusts its input.
pub(super) fn check_source(source: &str) -> Result<(), TemplateError> {
    let mut at = 0;
    let mut expressions = 0;
    // For each open block, how deep it is with its else-ifs.
    let mut blocks: Vec<usize> = Vec::new();
    while let Some(start) = source[at..].find("{{") {
        let start = at + start;
        let rest = &source[start..];
        let length = rest.find("}}").map_or(rest.len(), |end| end + 2);
        let expression = &rest[..length];
        let inside = expression.trim_start_matches(['{', '~']).trim_start();
        expressions += 1;
        if inside.starts_with('#') {
            blocks.push(1);
        } else if inside.starts_with('/') {
            blocks.pop();
        } else if let Some(condition) = inside.strip_prefix("else").or(inside.strip_prefix('^'))
            && !condition.trim_start().starts_with(['~', '}'])
            && let Some(block) = blocks.last_mut()
        {
            *block += 1;
        }
        let problem = if expressions > MOST_EXPRESSIONS {
            format!("more than {MOST_EXPRESSIONS} expressions")
        } else if blocks.iter().sum::<usize>() > DEEPEST {
            format!("blocks are nested more than {DEEPEST} deep")
        } else if deepest_bracket(expression) > DEEPEST_EXPRESSION {
            format!("brackets are nested more than {DEEPEST_EXPRESSION} deep")
        } else {
            at = start + length;
            continue;
        };
        let line = 1 + source[..start].matches('\n').count();
        return Err(TemplateError::at(line, problem));
    }
    Ok(())
}

fn deepest_bracket(expression: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in expression.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Reads and prepares a template.
pub(super) fn inspect(template: &mut handlebars::Template) -> Result<Inspected, TemplateError> {
    let mut inspector = Inspector {
        factor: 1,
        ..Inspector::default()
    };
    inspector.units.insert(String::new(), Unit::default());
    inspector.template(template, false)?;
    inspector.check_work()?;
    Ok(Inspected {
        variables: inspector.variables,
        listed: inspector.listed.into_iter().collect(),
        everything: inspector.everything,
        moment: inspector.moment,
    })
}

/// The names of a path from the root and the index at its end; `None` if it is no such path.
pub(super) fn names(path: &Path) -> Option<(Vec<String>, Option<usize>)> {
    let Path::Relative((segments, raw)) = path else {
        return None;
    };
    if raw.contains("../") {
        return None;
    }
    split(segments)
}

fn split(segments: &[PathSeg]) -> Option<(Vec<String>, Option<usize>)> {
    let mut names: Vec<String> = segments
        .iter()
        .filter_map(|segment| match segment {
            PathSeg::Named(name) => Some(name.clone()),
            _ => None,
        })
        .collect();
    let index = names.last()?.parse().ok();
    // `Attributes.2024` is an attribute, `Attributes.plan.0` an item.
    if index.is_none() || names.len() == 1 || Variable::new(names[..names.len() - 1].to_vec()).is_branch() {
        return Some((names, None));
    }
    names.pop();
    Some((names, index))
}

/// The template itself (by the empty name) or an inline partial.
#[derive(Default)]
struct Unit {
    work: u64,
    deepest: usize,
    calls: Vec<Call>,
}

struct Call {
    partial: String,
    times: u64,
    depth: usize,
    line: usize,
    /// The block that stands in if there is no such partial.
    has_fallback: bool,
}

#[derive(Default)]
struct Inspector {
    variables: Vec<Variable>,
    listed: BTreeSet<String>,
    everything: bool,
    moment: bool,
    uuids: u64,
    /// Names that blocks give to their items.
    locals: Vec<String>,
    units: BTreeMap<String, Unit>,
    /// The unit that is being read.
    unit: String,
    /// How often the present place is rendered at most.
    factor: u64,
    depth: usize,
    line: usize,
}

impl Inspector {
    /// `inside`: names may belong to an item instead of the root.
    fn template(&mut self, template: &mut handlebars::Template, inside: bool) -> Result<(), TemplateError> {
        self.depth += 1;
        for (place, element) in template.elements.iter_mut().enumerate() {
            if let Some(mapping) = template.mapping.get(place) {
                self.line = mapping.0;
            }
            let (factor, depth) = (self.factor, self.depth);
            let unit = self.unit();
            unit.work = unit.work.saturating_add(factor);
            unit.deepest = unit.deepest.max(depth);
            match element {
                TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
                TemplateElement::Expression(helper) | TemplateElement::HtmlExpression(helper) => {
                    self.expression(helper, inside)?;
                }
                TemplateElement::HelperBlock(helper) => self.block(helper, inside)?,
                TemplateElement::DecoratorBlock(decorator) => self.inline_partial(decorator)?,
                TemplateElement::DecoratorExpression(decorator) => {
                    return Err(self.error(format!("unknown decorator {}", shown(&decorator.name))));
                }
                TemplateElement::PartialExpression(partial) | TemplateElement::PartialBlock(partial) => {
                    self.partial(partial, inside)?;
                }
                _ => return Err(self.error("this is not supported in messages")),
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// `{{name}}`, `{{path.to.value}}` or `{{helper value}}`.
    fn expression(&mut self, helper: &mut HelperTemplate, inside: bool) -> Result<(), TemplateError> {
        let is_name = helper.params.is_empty() && helper.hash.is_empty();
        let stands_alone = helper
            .name
            .as_name()
            .and_then(signature)
            .is_some_and(|signature| signature.least == 0 && signature.form == Form::Inline);
        if is_name && !stands_alone {
            let value = mem::replace(&mut helper.name, Parameter::Name(PRINT.to_owned()));
            helper.params.push(value);
        }
        self.call(helper, Form::Inline, inside)
    }

    fn block(&mut self, helper: &mut HelperTemplate, inside: bool) -> Result<(), TemplateError> {
        self.call(helper, Form::Block, inside)?;
        let name = helper.name.as_name().unwrap_or_default();
        let is_each = name == "each";
        let changes_context = is_each || name == "with";
        if name == LINK
            && let Some(href) = helper.template.as_ref().and_then(literal)
            && let Some(destination) = destination(href)
        {
            helper.params = vec![Parameter::Literal(Json::from(destination))];
        }
        if is_each {
            let list = helper.params.remove(0);
            let first = Subexpression::new(Parameter::Name(FIRST.to_owned()), vec![list], HashMap::new());
            helper.params.insert(0, Parameter::Subexpression(first));
        }
        let (factor, locals) = (self.factor, self.locals.len());
        if is_each {
            self.factor = factor.saturating_mul(LONGEST_LIST as u64);
        }
        match &helper.block_param {
            Some(BlockParam::Single(name)) => self.locals.extend(name.as_name().map(str::to_owned)),
            Some(BlockParam::Pair((value, key))) => {
                let names = [value, key].into_iter().filter_map(Parameter::as_name);
                self.locals.extend(names.map(str::to_owned));
            }
            _ => {}
        }
        if let Some(body) = &mut helper.template {
            self.template(body, inside || changes_context)?;
        }
        self.locals.truncate(locals);
        self.factor = factor;
        if let Some(otherwise) = &mut helper.inverse {
            self.template(otherwise, inside)?;
        }
        Ok(())
    }

    /// Checks a helper's name and what it is given.
    fn call(&mut self, helper: &mut HelperTemplate, form: Form, inside: bool) -> Result<(), TemplateError> {
        let Some(name) = helper.name.as_name().map(str::to_owned) else {
            return Err(self.error("a helper's name cannot be computed"));
        };
        let Some(signature) = signature(&name) else {
            return Err(self.error(format!("unknown helper {name:?}")));
        };
        if signature.form != Form::Both && signature.form != form {
            let problem = match form {
                Form::Block => format!("{name} cannot be a block"),
                _ => format!("{name} must be a block: {{{{#{name} …}}}} … {{{{/{name}}}}}"),
            };
            return Err(self.error(problem));
        }
        if helper.params.len() < signature.least {
            let least = signature.least;
            return Err(self.error(format!("{name} needs at least {least} values")));
        }
        match name.as_str() {
            "now" => self.moment = true,
            "uuid" => {
                self.moment = true;
                helper.params = vec![Parameter::Literal(Json::from(self.uuids))];
                self.uuids += 1;
            }
            _ => {}
        }
        for (place, parameter) in helper.params.iter_mut().enumerate() {
            // The guide writes the words of `inflect` without quotes.
            let is_word = name == "inflect" && place > 0;
            self.parameter(parameter, inside, !is_word)?;
        }
        for parameter in helper.hash.values_mut() {
            self.parameter(parameter, inside, true)?;
        }
        Ok(())
    }

    fn parameter(
        &mut self,
        parameter: &mut Parameter,
        inside: bool,
        is_listed: bool,
    ) -> Result<(), TemplateError> {
        match parameter {
            Parameter::Path(path) => {
                if !self.path(path, inside, is_listed) {
                    *parameter = Parameter::Literal(Json::Null);
                }
                Ok(())
            }
            Parameter::Subexpression(subexpression) => match subexpression.element.as_mut() {
                TemplateElement::Expression(helper) => self.call(helper, Form::Inline, inside),
                _ => Err(self.error("only a helper can stand in parentheses")),
            },
            // Names and literals.
            _ => Ok(()),
        }
    }

    /// Notes a variable. False if it can never have a value, whatever the recipient.
    fn path(&mut self, path: &Path, inside: bool, is_listed: bool) -> bool {
        let Path::Relative((segments, raw)) = path else {
            return true;
        };
        let from_root = raw.starts_with("@root");
        let may_be_root = !inside || from_root || raw.contains("../");
        let Some((names, index)) = split(segments) else {
            // `this` on its own: the item, or all there is.
            self.everything |= may_be_root;
            return true;
        };
        if !from_root && self.locals.contains(&names[0]) {
            return true;
        }
        // The engine takes a name below a list for an error; here it is a value that is missing.
        let below_list = (1..names.len()).any(|end| Variable::new(names[..end].to_vec()).is_list());
        if below_list && may_be_root {
            return false;
        }
        let known = self.variables.iter().position(|known| known.names() == names);
        let place = known.unwrap_or_else(|| {
            self.variables.push(Variable::new(names));
            self.variables.len() - 1
        });
        let variable = &mut self.variables[place];
        variable.indexed |= index.is_some();
        // A slash is how time zones are written; as a path it has been out of use for long.
        let is_word = raw.contains('/') && !raw.contains("./");
        if may_be_root && is_listed && !is_word && !raw.starts_with("pinion-") {
            self.listed.insert(variable.key().to_owned());
        }
        true
    }

    /// `{{#*inline "name"}}…{{/inline}}`.
    fn inline_partial(&mut self, decorator: &mut DecoratorTemplate) -> Result<(), TemplateError> {
        if decorator.name.as_name() != Some("inline") {
            return Err(self.error(format!("unknown decorator {}", shown(&decorator.name))));
        }
        let [Parameter::Literal(Json::String(name))] = decorator.params.as_slice() else {
            return Err(self.error("an inline partial needs a name in quotes"));
        };
        let outer = (
            mem::replace(&mut self.unit, name.clone()),
            mem::replace(&mut self.factor, 1),
            mem::take(&mut self.depth),
        );
        self.unit();
        if let Some(body) = &mut decorator.template {
            self.template(body, false)?;
        }
        (self.unit, self.factor, self.depth) = outer;
        Ok(())
    }

    /// `{{> name}}` or `{{#> name}}…{{/name}}`.
    fn partial(&mut self, partial: &mut DecoratorTemplate, inside: bool) -> Result<(), TemplateError> {
        let Some(name) = partial.name.as_name().map(str::to_owned) else {
            return Err(self.error("a partial's name cannot be computed"));
        };
        for parameter in partial.params.iter_mut().chain(partial.hash.values_mut()) {
            self.parameter(parameter, inside, true)?;
        }
        if let Some(body) = &mut partial.template {
            self.template(body, inside)?;
        }
        if name == "@partial-block" {
            return Ok(());
        }
        let call = Call {
            partial: name,
            times: self.factor,
            depth: self.depth,
            line: self.line,
            has_fallback: partial.template.is_some(),
        };
        self.unit().calls.push(call);
        Ok(())
    }

    fn unit(&mut self) -> &mut Unit {
        self.units.entry(self.unit.clone()).or_default()
    }

    /// Adds up what partials cost where they are used, and finds those that use themselves.
    fn check_work(&self) -> Result<(), TemplateError> {
        let mut done = BTreeMap::new();
        let (work, depth) = self.total("", &mut Vec::new(), &mut done)?;
        if work > MOST_WORK {
            return Err(TemplateError::at(
                1,
                "loops and partials multiply to too much work for one message",
            ));
        }
        if depth > DEEPEST {
            return Err(TemplateError::at(
                1,
                format!("partials and blocks are nested more than {DEEPEST} deep"),
            ));
        }
        Ok(())
    }

    fn total<'a>(
        &'a self,
        name: &'a str,
        open: &mut Vec<&'a str>,
        done: &mut BTreeMap<&'a str, (u64, usize)>,
    ) -> Result<(u64, usize), TemplateError> {
        if let Some(total) = done.get(name) {
            return Ok(*total);
        }
        let unit = &self.units[name];
        let (mut work, mut deepest) = (unit.work, unit.deepest);
        open.push(name);
        for call in &unit.calls {
            let partial = call.partial.as_str();
            if open.contains(&partial) {
                return Err(TemplateError::at(
                    call.line,
                    format!("the partial {partial:?} uses itself"),
                ));
            }
            if open.len() > DEEPEST {
                return Err(TemplateError::at(call.line, "partials are nested too deep"));
            }
            if !self.units.contains_key(partial) {
                if call.has_fallback {
                    continue;
                }
                return Err(TemplateError::at(
                    call.line,
                    format!("there is no inline partial {partial:?}"),
                ));
            }
            let (inner, depth) = self.total(partial, open, done)?;
            work = work.saturating_add(inner.saturating_mul(call.times));
            deepest = deepest.max(call.depth + depth);
        }
        open.pop();
        done.insert(name, (work, deepest));
        Ok((work, deepest))
    }

    fn error(&self, message: impl Into<String>) -> TemplateError {
        TemplateError::at(self.line.max(1), message)
    }
}

/// A template's text if there is nothing else in it.
fn literal(template: &handlebars::Template) -> Option<&str> {
    match template.elements.as_slice() {
        [TemplateElement::RawString(text)] => Some(text),
        _ => None,
    }
}

fn shown(name: &Parameter) -> String {
    format!("{:?}", name.as_name().unwrap_or("that is computed"))
}
