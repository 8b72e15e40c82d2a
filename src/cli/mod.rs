//! Words on the terminal, exit codes, files: everything between a person and a run.

mod anycast;
mod args;
mod check;
mod explain;
mod list;
mod load;
mod output;
mod packetdrill;
mod pcap;
mod plot;
mod qlog;
mod run;
mod series;
mod serving;

pub use output::Status;

use args::{Cli, Command};
use clap::Parser;
use output::Terminal;
use std::process::ExitCode;

/// Does what the command line asks.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; that nobody reads them is none either.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Status::Wrong as u8 } else { Status::Fine as u8 });
        }
    };
    let terminal = Terminal::new(cli.color, cli.quiet);
    let done = match &cli.command {
        Command::Check(args) => check::run(args, &terminal),
        Command::Run(args) => run::run(args, &terminal),
        Command::Explain(args) => explain::run(args, &terminal),
        Command::Plot(args) => plot::run(args),
        Command::List(args) => list::run(args, terminal.out),
        Command::Packetdrill(args) => packetdrill::run(args, &terminal),
    };
    let status = done.unwrap_or_else(|failure| terminal.failed(&failure));
    ExitCode::from(status as u8)
}
