//! Results as files in a directory: each appears whole or not at all, and `outcome.json` last of all.

use super::json;
pub use super::part::write_whole;
use crate::observe::metrics::INTERVAL;
use crate::observe::{Sample, Traffic};
use crate::run::Outcome;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Why files could not be written or read.
#[derive(Debug)]
pub struct FileError {
    /// Which file or directory.
    pub path: PathBuf,
    /// What could not be done: `write`, `read`.
    pub verb: &'static str,
    /// Why.
    pub why: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} `{}`: {}", self.verb, self.path.display(), self.why)
    }
}

impl std::error::Error for FileError {}

impl FileError {
    pub(super) fn new(path: &Path, verb: &'static str, why: &dyn fmt::Display) -> Self {
        Self { path: path.to_owned(), verb, why: why.to_string() }
    }
}

/// Makes a directory and those above it.
pub fn make_dir(dir: &Path) -> Result<(), FileError> {
    fs::create_dir_all(dir).map_err(|error| FileError::new(dir, "make", &error))
}

/// A name as part of a file's name: what is neither letter, digit, `.`, `_` nor `-` becomes `-`.
fn file_stem(name: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let stem: String = name.chars().map(safe).collect();
    if stem.starts_with('.') { format!("-{stem}") } else { stem }
}

/// File stems of names, in order, each different from all others.
pub(super) fn file_stems<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut stems: Vec<String> = Vec::new();
    for name in names {
        let stem = file_stem(name);
        let free = (1..).map(|n| if n == 1 { stem.clone() } else { format!("{stem}~{n}") });
        let chosen = free.into_iter().find(|candidate| !stems.contains(candidate));
        stems.extend(chosen);
    }
    stems
}

/// Writes the results of a run into `dir`, which is made if need be: for each traffic `NAME.samples.csv` and
/// `NAME.goodput.csv`, then `traffic.csv`, `links.csv`, with series
/// `senders.csv` and `queues.csv`, and `outcome.json`.
pub fn write_results(dir: &Path, outcome: &Outcome, traffic: &[Traffic]) -> Result<(), FileError> {
    make_dir(dir)?;
    // While files are being replaced, the directory must not look complete.
    let last = dir.join("outcome.json");
    match fs::remove_file(&last) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(FileError::new(&last, "replace", &error)),
        _ => {}
    }
    let stems = file_stems(traffic.iter().map(|traffic| traffic.plan.name.as_str()));
    for (traffic, stem) in traffic.iter().zip(stems) {
        write_table(&dir.join(format!("{stem}.samples.csv")), |table| samples(table, traffic))?;
        write_table(&dir.join(format!("{stem}.goodput.csv")), |table| goodput(table, traffic))?;
    }
    write_table(&dir.join("traffic.csv"), |table| traffic_table(table, outcome))?;
    write_table(&dir.join("links.csv"), |table| link_table(table, outcome))?;
    super::series::write_series(dir, outcome.series.as_ref())?;
    write_whole(&last, json::to_json(outcome).as_bytes())
}

pub(super) type Table = csv::Writer<Vec<u8>>;

pub(super) fn write_table(path: &Path, fill: impl FnOnce(&mut Table) -> csv::Result<()>) -> Result<(), FileError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    fill(&mut table).map_err(|error| FileError::new(path, "write", &error))?;
    let bytes = table.into_inner().map_err(|error| FileError::new(path, "write", &error.error()))?;
    write_whole(path, &bytes)
}

/// One row for each that ended well, in order of time: number, end, latency, phases.
fn samples(table: &mut Table, traffic: &Traffic) -> csv::Result<()> {
    let phases = traffic.plan.kind.phases().iter().map(|phase| format!("{}_ns", phase.name()));
    table.write_record(["number", "end_ns", "latency_ns"].map(String::from).into_iter().chain(phases))?;
    let samples = traffic.samples.as_slice();
    let mut order: Vec<usize> = (0..samples.len()).collect();
    order.sort_by_key(|&index| (samples[index].time, traffic.number(index)));
    for index in order {
        let Sample { time, latency } = samples[index];
        let row = [traffic.number(index), time.as_nanos(), latency.as_nanos()];
        let shares = traffic.budget(index).iter().map(|(_, share)| share.as_nanos());
        table.write_record(row.into_iter().chain(shares).map(|n| n.to_string()))?;
    }
    Ok(())
}

/// One row for each interval of the run: where it ends, useful bytes in it.
fn goodput(table: &mut Table, traffic: &Traffic) -> csv::Result<()> {
    table.write_record(["end_ns", "useful_bytes"])?;
    for (place, bytes) in traffic.intervals.iter().enumerate() {
        let end = INTERVAL * (place as u64 + 1);
        table.write_record([end.as_nanos().to_string(), bytes.to_string()])?;
    }
    Ok(())
}

pub(super) fn optional(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// One row for each traffic: the columns of `outcome.json` that are single numbers.
fn traffic_table(table: &mut Table, outcome: &Outcome) -> csv::Result<()> {
    table.write_record([
        "traffic",
        "started",
        "ok",
        "failed",
        "unfinished",
        "duplicates",
        "ok_share",
        "min_ns",
        "mean_ns",
        "p50_ns",
        "p90_ns",
        "p99_ns",
        "p99_9_ns",
        "max_ns",
        "useful_bytes",
        "goodput_bps",
    ])?;
    for (name, traffic) in &outcome.traffic {
        let latency = traffic.latency_ns;
        let of = |part: fn(&crate::run::outcome::Latency) -> Option<u64>| optional(latency.as_ref().and_then(part));
        let counts = &traffic.counts;
        table.write_record([
            name.clone(),
            counts.started.to_string(),
            counts.ok.to_string(),
            counts.failed.to_string(),
            counts.unfinished.to_string(),
            counts.duplicates.to_string(),
            optional(traffic.ok_share.map(crate::run::outcome::Share::get)),
            of(|latency| Some(latency.min)),
            of(|latency| Some(latency.mean)),
            of(|latency| latency.p50),
            of(|latency| latency.p90),
            of(|latency| latency.p99),
            of(|latency| latency.p99_9),
            of(|latency| Some(latency.max)),
            traffic.useful_bytes.to_string(),
            traffic.goodput_bps.to_string(),
        ])?;
    }
    Ok(())
}

/// One row for each direction of each link.
fn link_table(table: &mut Table, outcome: &Outcome) -> csv::Result<()> {
    table.write_record([
        "link",
        "from",
        "to",
        "packets",
        "bytes",
        "utilisation",
        "queue_max_bytes",
        "queue_mean_bytes",
        "dropped",
        "marked",
    ])?;
    for (name, link) in &outcome.links {
        for (from, to, direction) in [(&link.a, &link.b, &link.a_to_b), (&link.b, &link.a, &link.b_to_a)] {
            table.write_record([
                name.clone(),
                from.clone(),
                to.clone(),
                direction.packets.to_string(),
                direction.bytes.to_string(),
                direction.utilisation.get().to_string(),
                direction.queue.max_bytes.to_string(),
                direction.queue.mean_bytes.to_string(),
                direction.drops.values().sum::<u64>().to_string(),
                direction.marks.to_string(),
            ])?;
        }
    }
    Ok(())
}

/// What `run --out` wrote, read back for figures.
#[derive(Clone, Debug)]
pub struct Results {
    /// The directory as the user named it.
    pub dir: PathBuf,
    /// The outcome.
    pub outcome: Outcome,
    /// Completion time and latency in nanoseconds of every sample, by traffic in the outcome's order.
    pub samples: Vec<Vec<(u64, u64)>>,
    /// End in nanoseconds and useful bytes of every interval, by traffic in the outcome's order.
    pub goodput: Vec<Vec<(u64, u64)>>,
}

/// Reads a directory that [`write_results`] wrote.
pub fn read_results(dir: &Path) -> Result<Results, FileError> {
    let path = dir.join("outcome.json");
    let text = read_text(&path)?;
    let outcome = json::from_json(&text).map_err(|error| FileError::new(&path, "read", &error))?;
    let stems = file_stems(outcome.traffic.keys().map(String::as_str));
    let table = |kind: &str, columns| {
        let read = |stem| read_pairs(&dir.join(format!("{stem}.{kind}.csv")), columns);
        stems.iter().map(read).collect::<Result<Vec<_>, _>>()
    };
    let samples = table("samples", ["end_ns", "latency_ns"])?;
    let goodput = table("goodput", ["end_ns", "useful_bytes"])?;
    Ok(Results { dir: dir.to_owned(), outcome, samples, goodput })
}

/// The text of a file.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    let mut text = String::new();
    File::open(path)
        .and_then(|mut file| io::Read::read_to_string(&mut file, &mut text))
        .map_err(|error| FileError::new(path, "read", &error))?;
    Ok(text)
}

/// Two columns of whole numbers of a table.
fn read_pairs(path: &Path, columns: [&str; 2]) -> Result<Vec<(u64, u64)>, FileError> {
    let text = read_text(path)?;
    let mut table = csv::Reader::from_reader(text.as_bytes());
    let head = table.headers().map_err(|error| FileError::new(path, "read", &error))?.clone();
    let place = |name: &str| head.iter().position(|column| column == name);
    let [Some(first), Some(second)] = columns.map(place) else {
        return Err(FileError::new(path, "read", &format!("it lacks one of the columns {}", columns.join(", "))));
    };
    let mut pairs = Vec::new();
    for row in table.records() {
        let row = row.map_err(|error| FileError::new(path, "read", &error))?;
        let number = |place| row.get(place).and_then(|cell: &str| cell.parse().ok());
        let (Some(a), Some(b)) = (number(first), number(second)) else {
            let line = row.position().map_or(0, csv::Position::line);
            let why = format!("line {line}: {} must be whole numbers", columns.join(" and "));
            return Err(FileError::new(path, "read", &why));
        };
        pairs.push((a, b));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_of_any_name_has_a_file_of_its_own() {
        let stems = file_stems(["pages", "a/b", "a b", "../etc", "São Paulo"].into_iter());
        assert_eq!(stems, ["pages", "a-b", "a-b~2", "-..-etc", "São-Paulo"]);
    }

    #[test]
    fn a_file_appears_whole_and_leaves_nothing_beside() {
        let dir = std::env::temp_dir().join(format!("lightlag-files-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        write_whole(&dir.join("x"), b"old").unwrap();
        write_whole(&dir.join("x"), b"new").unwrap();
        assert_eq!(read_text(&dir.join("x")).unwrap(), "new");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        let error = write_whole(&dir.join("missing/x"), b"").unwrap_err();
        assert!(error.to_string().starts_with("cannot write `"), "{error}");
        fs::remove_dir_all(&dir).unwrap();
    }
}
