//! `list`: the names that a scenario can use.

use super::args::{List, Listing};
use super::output::{Failure, Status, Terminal};
use crate::link::{loss, queue};
use crate::report::Style;
use crate::report::table::{Align, Table};
use crate::topo::{Kind, places};
use crate::transport::congestion;

/// Prints one list to stdout.
pub(crate) fn run(list: &List, style: Style) -> Result<Status, Failure> {
    let table = match list.what {
        Listing::Places => all_places(),
        Listing::Controllers => named("controller", congestion::TABLE.iter().map(|&(name, line, _)| (name, line))),
        Listing::Queues => named("queue", queue::TABLE.iter().copied()),
        Listing::Losses => named("loss", loss::TABLE.iter().copied()),
    };
    Terminal::print(&table.render(style))?;
    Ok(Status::Fine)
}

fn named(what: &str, rows: impl Iterator<Item = (&'static str, &'static str)>) -> Table {
    let mut table = Table::new([(what, Align::Left), ("", Align::Left)]);
    rows.for_each(|(name, line)| table.row([name.into(), line.into()]));
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
