//! The hostile corpus: every file of `tests/fixtures/hostile` is a plugin that misbehaves and what must come of
//! it, while another application's plugin sends. What a file may say is in that folder's README.md.

#[cfg(test)]
mod bystander;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod case;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod guest;
#[cfg(test)]
mod log;
#[cfg(test)]
#[path = "../plugins/support.rs"]
#[allow(dead_code, reason = "the corpus needs a part of what the other tests need")]
mod support;
#[cfg(test)]
mod web;
