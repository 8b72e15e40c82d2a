//! From a path to a plan that can be run, or to diagnostics on stderr.

use super::output::{Failure, Terminal};
use crate::report::Style;
use crate::report::files;
use crate::scenario::build::{self, Network};
use crate::scenario::plan::Plan;
use crate::scenario::render::{self, Colour, Source};
use crate::scenario::{self, Diagnostic};
use std::path::Path;

/// A checked scenario and its network.
pub(crate) struct Loaded {
    /// The plan.
    pub(crate) plan: Plan,
    /// Its network, laid out.
    pub(crate) network: Network,
    /// What its author should know, one line each.
    pub(crate) warnings: Vec<String>,
}

/// Columns that diagnostics may take.
const WIDTH: usize = 120;

/// Reads, checks and lays out a scenario; warnings go to stderr.
pub(crate) fn load(path: &Path, terminal: &Terminal) -> Result<Loaded, Failure> {
    let text = files::read_text(path)?;
    let shown = path.display().to_string();
    let source = Source { path: &shown, text: &text };
    let colour = if terminal.err == Style::Ansi { Colour::Always } else { Colour::Never };
    let render = |diagnostics: &[Diagnostic]| {
        format!("{}{}\n", render::text(source, diagnostics, colour, WIDTH), render::summary(diagnostics))
    };
    let name = path.file_stem().map_or_else(|| "scenario".into(), |stem| stem.to_string_lossy().into_owned());
    let (plan, warnings) = scenario::parse(&text, &name).map_err(|faults| Failure::Diagnosed(render(&faults)))?;
    if !warnings.is_empty() {
        terminal.note(&render(&warnings));
    }
    let network = build::lay_out(&plan)
        .map_err(|errors| Failure::broken(format!("the addresses of a checked plan clash: {errors:?}")))?;
    let lines = render::lines(source, &warnings);
    let warnings = lines.lines().map(str::to_owned).collect();
    Ok(Loaded { plan, network, warnings })
}
