//! Words to the outside: results to stdout, words to stderr, and what ends a command early.

use super::args::ColorChoice;
use crate::report::Style;
use crate::report::files::FileError;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Fine.
    Fine = 0,
    /// The run is valid, an expectation failed.
    Unexpected = 1,
    /// The scenario or the command line is wrong.
    Wrong = 2,
    /// A file could not be read or written, or lightlag itself is at fault.
    Broken = 3,
}

/// Why a command could not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Words for the user, and the status to end with.
    Said(Status, String),
    /// Diagnostics, already rendered.
    Diagnosed(String),
    /// Nobody reads our stdout any more: no failure at all.
    NobodyReads,
}

impl Failure {
    /// The user asked for something that there is not.
    pub(crate) fn wrong(words: impl Into<String>) -> Self {
        Self::Said(Status::Wrong, words.into())
    }

    /// Something outside the scenario did not work.
    pub(crate) fn broken(words: impl Into<String>) -> Self {
        Self::Said(Status::Broken, words.into())
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::broken(error.to_string())
    }
}

/// Where words go and how they look.
pub(crate) struct Terminal {
    /// Whether stdout shows colour.
    pub(crate) out: Style,
    /// Whether stderr shows colour.
    pub(crate) err: Style,
    /// Whether to keep words on stderr to errors.
    pub(crate) quiet: bool,
}

impl Terminal {
    /// As the user and the terminal want it.
    pub(crate) fn new(color: ColorChoice, quiet: bool) -> Self {
        #[expect(clippy::disallowed_methods, reason = "how words look is no input of a simulation")]
        let no_color = std::env::var("NO_COLOR").is_ok_and(|value| !value.is_empty());
        let style = |is_terminal: bool| match color {
            ColorChoice::Always => Style::Ansi,
            ColorChoice::Auto if is_terminal && !no_color => Style::Ansi,
            _ => Style::Plain,
        };
        Self { out: style(io::stdout().is_terminal()), err: style(io::stderr().is_terminal()), quiet }
    }

    /// Writes results to stdout.
    pub(crate) fn print(text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::NobodyReads),
            Err(error) => Err(Failure::broken(format!("cannot write to stdout: {error}"))),
            Ok(()) => Ok(()),
        }
    }

    /// Writes words to stderr, unless the user wants quiet. That nobody reads them is no failure.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            say(text);
        }
    }

    /// Writes why a command failed; gives the status to end with.
    pub(crate) fn failed(&self, failure: &Failure) -> Status {
        match failure {
            Failure::Said(status, words) => {
                say(&format!("{} {words}\n", self.err.bad("error:")));
                *status
            }
            Failure::Diagnosed(text) => {
                say(text);
                Status::Wrong
            }
            Failure::NobodyReads => Status::Fine,
        }
    }
}

/// Writes to stderr whatever happens to it.
fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// How far a run has come, shown on stderr once it has taken a second and only to a person.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    started: Stopwatch,
}

impl Progress {
    /// Progress of a run of `total_ns` simulated nanoseconds.
    pub(crate) fn new(terminal: &Terminal, total_ns: u64) -> Self {
        let shown = !terminal.quiet && io::stderr().is_terminal();
        let bar = shown.then(|| {
            let bar = ProgressBar::with_draw_target(Some(total_ns), ProgressDrawTarget::hidden());
            let template = "{bar:32} {percent:>3}% of the simulated time, about {eta} left";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("##-"));
            }
            bar
        });
        Self { bar, started: Stopwatch::start() }
    }

    /// The run has come to `at_ns` simulated nanoseconds.
    pub(crate) fn at(&self, at_ns: u64) {
        let Some(bar) = &self.bar else { return };
        if bar.is_hidden() {
            if self.started.elapsed() < Duration::from_secs(1) {
                return;
            }
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        bar.set_position(at_ns);
    }

    /// The run is over: takes the bar away.
    pub(crate) fn done(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Real time on this machine: for progress and for `performance`, never for the simulation.
#[expect(clippy::disallowed_types, reason = "what a run costs on this machine is measured on this machine")]
pub(crate) struct Stopwatch {
    wall: std::time::Instant,
    cpu_ns: u64,
}

impl Stopwatch {
    /// Starts it.
    #[expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "see the type")]
    pub(crate) fn start() -> Self {
        Self { wall: std::time::Instant::now(), cpu_ns: cpu_ns().unwrap_or(0) }
    }

    /// Wall-clock time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.wall.elapsed()
    }

    /// Wall-clock and processor time since the start.
    pub(crate) fn performance(&self) -> crate::run::outcome::Performance {
        crate::run::outcome::Performance {
            wall_ns: u64::try_from(self.elapsed().as_nanos()).unwrap_or(u64::MAX),
            cpu_ns: cpu_ns().map_or(0, |now| now.saturating_sub(self.cpu_ns)),
        }
    }
}

/// Processor time of this process in nanoseconds where the system tells (Linux: `/proc/self/schedstat`).
#[expect(clippy::disallowed_methods, reason = "cli reads files")]
fn cpu_ns() -> Option<u64> {
    std::fs::read_to_string("/proc/self/schedstat").ok()?.split_whitespace().next()?.parse().ok()
}
