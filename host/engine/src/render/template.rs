//! One compiled text.

use std::collections::BTreeMap;
use std::io;

use handlebars::template::{HelperTemplate, Parameter, TemplateElement};
use handlebars::{Context, Output, RenderContext, Renderable};
use serde_json::Value as Json;

use super::context::{Defaults, MESSAGE_ID, NOW, ROOTS, Scope, Variable, context};
use super::escape::Escape;
use super::helper::{self, PRINT, TrackedLink};
use super::inspect::{self, Inspected};
use super::{LONGEST_OUTPUT, RenderError, RenderInput, TemplateError};
use crate::tracking::links::{LINK, UNSUBSCRIBE, destination, write_click, write_tracked};

/// A compiled text of a message.
#[derive(Debug)]
pub struct Template {
    escape: Escape,
    variables: Vec<Variable>,
    listed: Vec<String>,
    program: Program,
}

#[derive(Debug)]
enum Program {
    /// Nothing but text, variables and links.
    Pieces(Vec<Piece>),
    /// Blocks, helpers, partials.
    Handlebars {
        root: Box<handlebars::Template>,
        /// The context must hold all there is.
        everything: bool,
        /// The context must hold time and message id.
        moment: bool,
    },
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Variable {
        /// Place among the template's variables.
        place: usize,
        index: Option<usize>,
        escape: Escape,
    },
    /// The value of an `href`.
    Link {
        value: Vec<Piece>,
        /// Where it leads, if that does not depend on the recipient.
        destination: Option<String>,
    },
}

impl Template {
    /// Compiles a template. Errors: syntax, unknown helpers and partials, and what would take too much
    /// work for one message.
    pub fn compile(source: &str, escape: Escape) -> Result<Self, TemplateError> {
        inspect::check_source(source)?;
        let mut root = handlebars::Template::compile(source).map_err(|error| {
            let line = error.pos().map_or(1, |(line, _)| line);
            TemplateError::at(line, error.reason().to_string())
        })?;
        let Inspected {
            variables,
            listed,
            everything,
            moment,
        } = inspect::inspect(&mut root)?;
        let program = match pieces(&root, &variables, escape) {
            Some(pieces) => Program::Pieces(pieces),
            None => Program::Handlebars {
                root: Box::new(root),
                everything,
                moment,
            },
        };
        Ok(Self {
            escape,
            variables,
            listed,
            program,
        })
    }

    /// Compiles for the `handlebars` crate what would do as pieces.
    #[cfg(test)]
    pub(super) fn compile_slowly(source: &str, escape: Escape) -> Result<Self, TemplateError> {
        let mut root = handlebars::Template::compile(source)
            .map_err(|error| TemplateError::at(1, error.reason().to_string()))?;
        let inspected = inspect::inspect(&mut root)?;
        Ok(Self {
            escape,
            variables: inspected.variables,
            listed: inspected.listed,
            program: Program::Handlebars {
                root: Box::new(root),
                everything: inspected.everything,
                moment: inspected.moment,
            },
        })
    }

    #[cfg(test)]
    pub(super) fn is_pieces(&self) -> bool {
        matches!(self.program, Program::Pieces(_))
    }

    /// The text for one recipient, without defaults and tracking.
    pub fn render(&self, input: &RenderInput<'_>) -> Result<String, RenderError> {
        let scope = Scope {
            input,
            defaults: &Defaults::new(),
            track: None,
        };
        self.render_in(&scope, "text")
    }

    /// The text in a scope; `part` names it in errors.
    pub(super) fn render_in(&self, scope: &Scope<'_>, part: &str) -> Result<String, RenderError> {
        let text = match &self.program {
            Program::Pieces(pieces) => {
                let length = pieces.iter().map(Piece::usual_length).sum();
                let mut text = String::with_capacity(length);
                self.write(pieces, scope, &mut text);
                text
            }
            Program::Handlebars {
                root,
                everything,
                moment,
            } => self.run(root, *everything, *moment, scope, part)?,
        };
        if text.len() > LONGEST_OUTPUT {
            return Err(RenderError::TooLong {
                part: part.to_owned(),
            });
        }
        Ok(text)
    }

    fn write(&self, pieces: &[Piece], scope: &Scope<'_>, out: &mut String) {
        for piece in pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Variable { place, index, escape } => {
                    self.variables[*place]
                        .value(scope)
                        .write(*index, |text| escape.write(text, out));
                }
                Piece::Link { value, destination } => {
                    let Some(track) = scope.track else {
                        self.write(value, scope, out);
                        continue;
                    };
                    match (value.as_slice(), destination) {
                        ([Piece::Text(href)], Some(destination)) => {
                            write_click(track, href, destination, out);
                        }
                        _ => {
                            let mut href = String::new();
                            self.write(value, scope, &mut href);
                            write_tracked(track, &href, out);
                        }
                    }
                }
            }
        }
    }

    fn run(
        &self,
        root: &handlebars::Template,
        everything: bool,
        moment: bool,
        scope: &Scope<'_>,
        part: &str,
    ) -> Result<String, RenderError> {
        let mut data = context(&self.variables, everything, scope);
        if moment && let Json::Object(data) = &mut data {
            data.insert(NOW.to_owned(), scope.input.now.as_microsecond().into());
            data.insert(MESSAGE_ID.to_owned(), scope.input.message_id.as_str().into());
        }
        let data = Context::from(data);
        let mut render = RenderContext::new(None);
        if let Some(track) = scope.track {
            render.register_local_helper(LINK, Box::new(TrackedLink(*track)));
        }
        let mut out = Capped::default();
        root.render(helper::registry(self.escape), &data, &mut render, &mut out)
            .map_err(|error| {
                if out.is_full {
                    return RenderError::TooLong {
                        part: part.to_owned(),
                    };
                }
                RenderError::Failed {
                    part: part.to_owned(),
                    line: error.line_no.unwrap_or(0),
                    message: error.reason().to_string(),
                }
            })?;
        Ok(out.text)
    }
}

/// The dotted paths that a template reads from the root, sorted: for warnings before anything is sent.
pub fn variables(template: &Template) -> Vec<String> {
    template.listed.clone()
}

/// The paths whose first name is neither one of Pinpoint's nor a default: they stay empty unless each
/// message brings a substitution.
pub fn unknown_roots(template: &Template, defaults: &BTreeMap<String, String>) -> Vec<String> {
    let known = |path: &str| {
        let root = path.split('.').next().unwrap_or(path);
        ROOTS.contains(&root) || UNSUBSCRIBE.contains(&path) || defaults.contains_key(path)
    };
    template
        .listed
        .iter()
        .filter(|path| !known(path))
        .cloned()
        .collect()
}

impl Piece {
    /// Roughly what it takes in the output.
    fn usual_length(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Variable { .. } => 24,
            Self::Link { .. } => 240,
        }
    }
}

/// The template as pieces, if it is simple enough.
fn pieces(template: &handlebars::Template, variables: &[Variable], escape: Escape) -> Option<Vec<Piece>> {
    let mut pieces: Vec<Piece> = Vec::new();
    for element in &template.elements {
        match element {
            TemplateElement::RawString(text) => match pieces.last_mut() {
                Some(Piece::Text(before)) => before.push_str(text),
                _ => pieces.push(Piece::Text(text.clone())),
            },
            TemplateElement::Comment(_) => {}
            TemplateElement::Expression(printed) => pieces.push(variable(printed, variables, escape)?),
            TemplateElement::HtmlExpression(printed) => {
                pieces.push(variable(printed, variables, Escape::None)?);
            }
            TemplateElement::HelperBlock(block) if block.name.as_name() == Some(LINK) => {
                let value = self::pieces(block.template.as_ref()?, variables, escape)?;
                let destination = match value.as_slice() {
                    [Piece::Text(href)] => destination(href).map(String::from),
                    _ => None,
                };
                pieces.push(Piece::Link { value, destination });
            }
            _ => return None,
        }
    }
    Some(pieces)
}

/// A variable that is only printed.
fn variable(printed: &HelperTemplate, variables: &[Variable], escape: Escape) -> Option<Piece> {
    if printed.name.as_name() != Some(PRINT) {
        return None;
    }
    let path = match printed.params.as_slice() {
        [Parameter::Path(path)] => path,
        // What can never have a value.
        [Parameter::Literal(Json::Null)] => return Some(Piece::Text(String::new())),
        _ => return None,
    };
    let (names, index) = inspect::names(path)?;
    Some(Piece::Variable {
        place: variables.iter().position(|variable| variable.names() == names)?,
        index,
        escape,
    })
}

/// Takes no more than [`LONGEST_OUTPUT`].
#[derive(Default)]
pub(super) struct Capped {
    pub(super) text: String,
    is_full: bool,
}

impl Output for Capped {
    fn write(&mut self, text: &str) -> io::Result<()> {
        if self.text.len() + text.len() > LONGEST_OUTPUT {
            self.is_full = true;
            return Err(io::Error::other("too long"));
        }
        self.text.push_str(text);
        Ok(())
    }
}
