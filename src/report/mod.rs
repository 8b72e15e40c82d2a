//! Outcomes as words, tables, figures, files and snapshots: one value, many renderings.

pub mod captures;
pub mod explain;
pub mod figure;
pub mod files;
#[cfg(test)]
pub(crate) mod fixture;
pub mod json;
pub mod part;
pub mod pcapng;
pub mod qlog;
mod series;
pub mod snapshot;
pub mod style;
pub mod table;
pub mod text;
mod timeline;

pub use style::Style;
