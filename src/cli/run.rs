//! `run`: simulate, and say what users would have felt.

use super::args::{Format, Run};
use super::output::{Failure, Status, Terminal};
use crate::observe::Traffic;
use crate::report::text::{self, Options};
use crate::report::{files, json};
use crate::run::Outcome;

/// Writes what a run came to where it was asked for.
pub(crate) fn present(
    args: &Run,
    outcome: &Outcome,
    traffic: &[Traffic],
    terminal: &Terminal,
) -> Result<Status, Failure> {
    if let Some(dir) = &args.out {
        files::write_results(dir, outcome, traffic)?;
    }
    let file = args.file.display().to_string();
    let out = args.out.as_ref().map(|dir| dir.display().to_string());
    let printed = match args.format {
        Format::Text => text::summary(outcome, Options { style: terminal.out, file: Some(&file), out: out.as_deref() }),
        Format::Json => json::to_json(outcome),
        Format::Ron => json::to_ron(outcome),
    };
    Terminal::print(&printed)?;
    Ok(if outcome.is_ok() { Status::Fine } else { Status::Unexpected })
}
