//! The command line: what can be asked, in which words.

use crate::base::Span;
use crate::scenario::quantity;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// A deterministic, packet-level network simulator: one file, one command, and every nanosecond accounted for.
#[derive(Debug, Parser)]
#[command(name = "lightlag", version, propagate_version = true, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 fine, 1 an expectation failed, 2 the scenario or the command line is wrong, \
                        3 a file could not be read or written, or lightlag itself is at fault.")]
pub(crate) struct Cli {
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    pub(crate) color: ColorChoice,
    /// Say nothing on stderr but errors: no progress, no warnings
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// When to use colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check a scenario and show what it resolves to, without running it
    Check(Check),
    /// Run a scenario and say what users would have felt
    Run(Run),
    /// Explain one request, message or echo: where its time went
    Explain(Explain),
    /// Draw results of `run --out` as SVG
    Plot(Plot),
    /// List what a scenario can name
    List(List),
    /// Run packet scripts against the TCP machine, on virtual time
    Packetdrill(Packetdrill),
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The scenario
    pub(crate) file: PathBuf,
    /// Show every member of large groups, not only the first few
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The scenario
    pub(crate) file: PathBuf,
    /// How to print the results; docs/results.md describes the fields of json and ron
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Also write the results, with every latency sample, into this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Seed of all chance, instead of the scenario's
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Also keep the windows of senders and the depths of queues over time, at most one row in so long [default: 10ms]
    #[arg(long, value_name = "EVERY", require_equals = true, num_args = 0..=1, default_missing_value = "10ms", value_parser = interval)]
    pub(crate) series: Option<Span>,
    /// Also write qlog files of TCP and QUIC connections into this directory, one for each end
    #[arg(long, value_name = "DIR")]
    pub(crate) qlog: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) pcap: Pcap,
}

/// A duration that is not zero.
fn interval(text: &str) -> Result<Span, String> {
    let span = quantity::span(text).map_err(|problem| format!("{}; {}", problem.message, problem.help))?;
    if span.is_zero() { Err("an interval cannot be zero; write \"10ms\"".into()) } else { Ok(span) }
}

/// Captures of packets.
#[derive(Debug, Args)]
pub(crate) struct Pcap {
    /// Also write captures (pcapng, for Wireshark and tshark) into this directory: one a host, one a link end of a router
    #[arg(long = "pcap", value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Capture only at these nodes and at both ends of these links; a group's name means its members
    #[arg(long = "pcap-at", value_name = "NODE_OR_LINK", value_delimiter = ',', requires = "dir")]
    pub(crate) at: Vec<String>,
    /// Keep only so many bytes of each packet; checksums of longer packets can then not be verified
    #[arg(long = "pcap-snaplen", value_name = "BYTES", requires = "dir", value_parser = clap::value_parser!(u32).range(68..=65_535))]
    pub(crate) snap_len: Option<u32>,
}

/// How results are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Format {
    /// A summary of one screen
    Text,
    /// One JSON object
    Json,
    /// The same in RON
    Ron,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
#[command(group = clap::ArgGroup::new("which").args(["request", "slowest", "median"]))]
pub(crate) struct Explain {
    /// The scenario
    pub(crate) file: PathBuf,
    /// Of which traffic; needed where the scenario has several
    #[arg(long, value_name = "NAME")]
    pub(crate) traffic: Option<String>,
    /// The request, message or echo with this number, counted from 0
    #[arg(long, value_name = "N")]
    pub(crate) request: Option<u64>,
    /// The slowest that ended well
    #[arg(long)]
    pub(crate) slowest: bool,
    /// The one at the median (what is explained unless you ask for another)
    #[arg(long)]
    pub(crate) median: bool,
    /// Also draw every packet as a sequence diagram
    #[arg(long)]
    pub(crate) packets: bool,
    /// Draw with ASCII only
    #[arg(long)]
    pub(crate) ascii: bool,
    /// Columns to draw the diagram in
    #[arg(long, value_name = "COLUMNS", default_value_t = 100, value_parser = clap::value_parser!(u16).range(60..=1000))]
    pub(crate) width: u16,
    /// Seed of all chance, instead of the scenario's
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Plot {
    /// What to draw
    #[command(subcommand)]
    pub(crate) figure: Figure,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Figure {
    /// Which share of requests took at most how long
    Cdf(PlotArgs),
    /// Which share took longer, on logarithmic axes: the slow ones
    Tail(PlotArgs),
    /// Percentiles of latency during the run
    Time(PlotArgs),
    /// Useful bits per second during the run
    Goodput(PlotArgs),
    /// Latency or goodput against loss, one run a point
    Loss(LossArgs),
    /// Congestion windows during the run; needs results of `run --series --out`
    Cwnd(StateArgs),
    /// Depths of queues during the run; needs results of `run --series --out`
    Queue(StateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    /// A directory that `run --series --out` wrote
    #[arg(value_name = "DIR")]
    pub(crate) results: PathBuf,
    /// Only senders on this node or queues of this link or node; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) at: Vec<String>,
    /// Where to write the SVG; `-` is stdout [default: the figure's name in the directory]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct PlotArgs {
    /// Directories that `run --out` wrote
    #[arg(required = true, value_name = "DIR")]
    pub(crate) results: Vec<PathBuf>,
    /// Only this traffic; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) traffic: Vec<String>,
    /// Where to write the SVG; `-` is stdout [default: the figure's name in the first directory]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct LossArgs {
    #[command(flatten)]
    pub(crate) plot: PlotArgs,
    /// What to draw against loss
    #[arg(long, value_enum, default_value_t = LossMeasure::Latency)]
    pub(crate) measure: LossMeasure,
}

/// What can be drawn against loss.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum LossMeasure {
    /// Median and 99th percentile
    Latency,
    /// Useful bits per second
    Goodput,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// What to list
    #[arg(value_enum)]
    pub(crate) what: Listing,
}

/// What can be listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Listing {
    /// Cities and cloud regions for `at`
    Places,
    /// Congestion controllers
    Controllers,
    /// Queue disciplines of links
    Queues,
    /// Loss models of links
    Losses,
    /// Kinds of faults
    Faults,
    /// What servers share, and what askers do about those that fail or are slow
    Resilience,
    /// How balancers choose among servers
    Policies,
    /// What edges evict, and what origins can tell them.
    Caches,
    /// Which of several addresses name servers give
    Answers,
    /// Access profiles of hosts
    Profiles,
    /// Everything that a scenario can say, with the names of its fields
    Forms,
    /// Codes of errors and warnings
    Diagnostics,
}

/// Exit codes: 0 every script passes, 1 one fails, 2 none fails but one holds something not supported, 3 one could not be read.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Packetdrill {
    /// Scripts in the language of packetdrill
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Print one JSON object a script: file, status (pass, fail, unsupported), line, reason
    #[arg(long)]
    pub(crate) json: bool,
    /// Times must hold to the nanosecond, whatever tolerance a script allows
    #[arg(long)]
    pub(crate) exact: bool,
    /// Fail where a segment is left at the end that nobody expected
    #[arg(long)]
    pub(crate) strict_end: bool,
    /// Do not compare windows
    #[arg(long)]
    pub(crate) no_win: bool,
    /// Let plain acknowledgments of in-order data come where the script has none
    #[arg(long)]
    pub(crate) extra_acks: bool,
    /// Compare PSH and the value of the window scale too
    #[arg(long)]
    pub(crate) strict: bool,
}
