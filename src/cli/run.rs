//! `run`: simulate, and say what users would have felt.

use super::args::{Format, Run};
use super::load::load;
use super::output::{Failure, Progress, Status, Stopwatch, Terminal};
use super::pcap::Pcaps;
use super::qlog::Qlogs;
use super::series::SeriesObserver;
use crate::base::Time;
use crate::report::text::{self, Options};
use crate::report::{files, json};
use crate::run::{Observer, Simulation};
use crate::trace::Mask;

/// Runs a scenario and writes what it came to where it was asked for.
pub(crate) fn run(args: &Run, terminal: &Terminal) -> Result<Status, Failure> {
    let loaded = load(&args.file, terminal)?;
    let seed = args.seed.unwrap_or(loaded.plan.seed);
    let mut pcaps = Pcaps::new(&args.pcap, &loaded, seed)?;
    let mut qlogs = args.qlog.as_ref().map(|dir| Qlogs::new(dir, &loaded, seed)).transpose()?;
    let mut series = args.series.map(SeriesObserver::new);
    let stopwatch = Stopwatch::start();
    let mut observers: Vec<&mut dyn Observer> = Vec::new();
    observers.extend(pcaps.iter_mut().map(|pcaps| pcaps as &mut dyn Observer));
    observers.extend(qlogs.iter_mut().map(|qlogs| qlogs as &mut dyn Observer));
    observers.extend(series.iter_mut().map(|series| series as &mut dyn Observer));
    let mask = observers.iter().fold(Mask::NONE, |mask, observer| mask.and(observer.mask()));
    let mut simulation = Simulation::new(&loaded.plan, &loaded.network, args.seed, mask);
    to_the_end(&mut simulation, loaded.plan.run_for.as_nanos(), &mut observers, terminal);
    let end = simulation.world().now();
    let (mut outcome, traffic) = simulation.outcome(stopwatch.performance(), loaded.warnings.clone());
    outcome.series = series.map(|series| series.finish(end, &loaded));
    if let (Some(pcaps), Some(dir)) = (pcaps, &args.pcap.dir) {
        terminal.note(&pcaps.finish(dir)?);
    }
    if let Some(qlogs) = qlogs {
        terminal.note(&qlogs.finish()?);
    }
    if let Some(dir) = &args.out {
        files::write_results(dir, &outcome, &traffic)?;
    }
    let file = args.file.display().to_string();
    let out = args.out.as_ref().map(|dir| dir.display().to_string());
    let printed = match args.format {
        Format::Text => text::summary(
            &outcome,
            Options { style: terminal.out, file: Some(&file), out: out.as_deref(), seed: args.seed, warned: true },
        ),
        Format::Json => json::to_json(&outcome),
        Format::Ron => json::to_ron(&outcome),
    };
    Terminal::print(&printed)?;
    Ok(if outcome.is_ok() { Status::Fine } else { Status::Unexpected })
}

/// Runs a simulation to its end and shows how far it has come.
pub(crate) fn to_the_end(
    simulation: &mut Simulation<'_>,
    total_ns: u64,
    observers: &mut [&mut dyn Observer],
    terminal: &Terminal,
) {
    let progress = Progress::new(terminal, total_ns);
    while simulation.step(observers) {
        progress.at(simulation.world().now().since(Time::ZERO).as_nanos());
    }
    progress.done();
}
