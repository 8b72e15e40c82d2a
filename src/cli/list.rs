//! `list`: the names that a scenario can use.

use super::args::{List, Listing};
use super::output::{Failure, Status, Terminal};
use crate::base::{BitRate, Ratio, Span};
use crate::link::{loss, queue};
use crate::report::Style;
use crate::report::table::{Align, Table};
use crate::scenario::Code;
use crate::scenario::schema::{FORMS, PROFILES, faults};
use crate::service::answers;
use crate::service::balancer::policy;
use crate::service::cdn;
use crate::service::client::{Policy, backoff, jitter};
use crate::service::server;
use crate::topo::{Kind, places};
use crate::transport::congestion;

/// Prints one list to stdout.
pub(crate) fn run(list: &List, style: Style) -> Result<Status, Failure> {
    let table = match list.what {
        Listing::Places => all_places(),
        Listing::Controllers => named("controller", congestion::TABLE.iter().map(|&(name, line, _)| (name, line))),
        Listing::Queues => named("queue", queue::TABLE.iter().copied()),
        Listing::Losses => named("loss", loss::TABLE.iter().copied()),
        Listing::Faults => named("fault", faults::kinds()),
        Listing::Resilience => named("policy", resilience()),
        Listing::Answers => named("answers", answers::TABLE.iter().copied()),
        Listing::Caches => named("cache", caches()),
        Listing::Policies => named("policy", policy::TABLE.iter().copied()),
        Listing::Profiles => profiles(),
        Listing::Forms => forms(),
        Listing::Diagnostics => named("code", Code::TABLE.iter().map(|code| (code.name(), code.explanation()))),
    };
    Terminal::print(&table.render(style))?;
    Ok(Status::Fine)
}

fn named(what: &str, rows: impl Iterator<Item = (&'static str, &'static str)>) -> Table {
    let mut table = Table::new([(what, Align::Left), ("", Align::Left)]);
    rows.for_each(|(name, line)| table.row([name.into(), line.into()]));
    table
}

/// What goes first from a cache, then what responses say to it.
fn caches() -> impl Iterator<Item = (&'static str, &'static str)> {
    let evictions = cdn::store::TABLE.iter().map(|&(name, line, _)| (name, line));
    evictions.chain(cdn::control::TABLE.iter().copied())
}

/// Policies of askers, then the choices for each that has some, each under the field that it belongs to.
fn resilience() -> impl Iterator<Item = (&'static str, &'static str)> {
    let growths = backoff::TABLE.iter().copied();
    let jitters = jitter::TABLE.iter().map(|&(name, _, line)| (name, line));
    Policy::TABLE.iter().copied().chain(growths).chain(jitters).chain(server::TABLE.iter().copied())
}

fn profiles() -> Table {
    let mut table = Table::new([
        ("access", Align::Left),
        ("down", Align::Right),
        ("up", Align::Right),
        ("delay down", Align::Right),
        ("delay up", Align::Right),
        ("loss", Align::Right),
        ("source", Align::Left),
    ]);
    let rate = |bps| BitRate::from_bps(bps).map_or_else(|| "-".into(), |rate| rate.to_string());
    for profile in PROFILES {
        let loss = Ratio::new(f64::from(profile.loss_permille) / 1000.0).unwrap_or_default();
        table.row([
            profile.name.into(),
            rate(profile.down_bps).into(),
            rate(profile.up_bps).into(),
            Span::from_micros(profile.down_us).to_string().into(),
            Span::from_micros(profile.up_us).to_string().into(),
            loss.to_string().into(),
            profile.source.into(),
        ]);
    }
    table
}

fn forms() -> Table {
    let mut table = Table::new([("form", Align::Left), ("fields", Align::Left)]);
    FORMS.iter().copied().flatten().for_each(|form| table.row([form.name.into(), form.fields.join(", ").into()]));
    table
}

fn all_places() -> Table {
    let mut table = Table::new([
        ("place", Align::Left),
        ("latitude", Align::Right),
        ("longitude", Align::Right),
        ("", Align::Left),
        ("source", Align::Left),
    ]);
    for place in places() {
        let about = match place.kind {
            Kind::City { country } => country,
            Kind::CloudRegion { location, .. } => location,
            Kind::Point => "",
        };
        table.row([
            place.name.as_ref().into(),
            format!("{:.4}", place.at.lat()).into(),
            format!("{:.4}", place.at.lon()).into(),
            about.into(),
            place.source.as_ref().into(),
        ]);
    }
    table
}
