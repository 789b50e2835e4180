//! What the store promises, on both databases.

mod access;
mod applications;
mod documents;
mod lifecycle;
mod plugins;
