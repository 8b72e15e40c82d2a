//! What happened over time as tables: `senders.csv` and `queues.csv`.

use super::files::{FileError, Table, optional, write_table};
use crate::run::series::SeriesOutcome;
use std::path::Path;
use std::{fs, io};

/// Writes both tables into `dir`, or takes those of an earlier run away if there is nothing to write.
pub(super) fn write_series(dir: &Path, series: Option<&SeriesOutcome>) -> Result<(), FileError> {
    let paths = ["senders.csv", "queues.csv"].map(|name| dir.join(name));
    let Some(series) = series else {
        return paths.iter().try_for_each(|path| match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::new(path, "replace", &error)),
            _ => Ok(()),
        });
    };
    write_table(&paths[0], |table| senders(table, series))?;
    write_table(&paths[1], |table| queues(table, series))
}

/// One row for each state of each sender.
fn senders(table: &mut Table, series: &SeriesOutcome) -> csv::Result<()> {
    table.write_record([
        "node",
        "peer",
        "local",
        "remote",
        "flow",
        "time_ns",
        "cwnd_bytes",
        "ssthresh_bytes",
        "in_flight_bytes",
        "srtt_ns",
        "rttvar_ns",
        "rto_ns",
        "pacing_bps",
        "retransmitted",
    ])?;
    for sender in &series.senders {
        for row in 0..sender.time_ns.len() {
            table.write_record([
                sender.node.clone(),
                sender.peer.clone(),
                sender.local.clone(),
                sender.remote.clone(),
                sender.flow.to_string(),
                sender.time_ns[row].to_string(),
                sender.cwnd_bytes[row].to_string(),
                optional(sender.ssthresh_bytes[row]),
                sender.in_flight_bytes[row].to_string(),
                sender.srtt_ns[row].to_string(),
                sender.rttvar_ns[row].to_string(),
                sender.rto_ns[row].to_string(),
                optional(sender.pacing_bps[row]),
                sender.retransmitted[row].to_string(),
            ])?;
        }
    }
    Ok(())
}

/// One row for each interval of each direction: where it ends, and the depth in it.
fn queues(table: &mut Table, series: &SeriesOutcome) -> csv::Result<()> {
    table.write_record(["link", "from", "to", "end_ns", "max_bytes", "mean_bytes", "max_packets"])?;
    for queue in &series.queues {
        for row in 0..queue.max_bytes.len() {
            table.write_record([
                queue.link.clone(),
                queue.from.clone(),
                queue.to.clone(),
                (series.every_ns * (row as u64 + 1)).to_string(),
                queue.max_bytes[row].to_string(),
                queue.mean_bytes[row].to_string(),
                queue.max_packets[row].to_string(),
            ])?;
        }
    }
    Ok(())
}
