//! Results as files in a directory: each appears whole or not at all, and `outcome.json` last of all.

use super::json;
use crate::observe::metrics::INTERVAL;
use crate::observe::{Sample, Traffic};
use crate::run::Outcome;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
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
    fn new(path: &Path, verb: &'static str, why: &dyn fmt::Display) -> Self {
        Self { path: path.to_owned(), verb, why: why.to_string() }
    }
}

/// Writes `bytes` to `path`: first beside it under another name, then renamed, so that nobody ever sees a part.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let write = || -> io::Result<()> {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(|error| {
        // The error that matters has happened already; a leftover is told apart by its name.
        let _ = fs::remove_file(&beside);
        FileError::new(path, "write", &error)
    })
}

/// The name of a traffic as part of a file's name: what is neither letter, digit, `.`, `_` nor `-` becomes `-`.
fn file_stem(name: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let stem: String = name.chars().map(safe).collect();
    if stem.starts_with('.') { format!("-{stem}") } else { stem }
}

/// File stems of the traffic, in order, each different from all others.
fn file_stems<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
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
/// `NAME.goodput.csv`, then `traffic.csv`, `links.csv` and `outcome.json`.
pub fn write_results(dir: &Path, outcome: &Outcome, traffic: &[Traffic]) -> Result<(), FileError> {
    fs::create_dir_all(dir).map_err(|error| FileError::new(dir, "make", &error))?;
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
    write_whole(&last, json::to_json(outcome).as_bytes())
}

type Table = csv::Writer<Vec<u8>>;

fn write_table(path: &Path, fill: impl FnOnce(&mut Table) -> csv::Result<()>) -> Result<(), FileError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    fill(&mut table).map_err(|error| FileError::new(path, "write", &error))?;
    let bytes = table.into_inner().map_err(|error| FileError::new(path, "write", &error.error()))?;
    write_whole(path, &bytes)
}

/// One row for each that ended well, in order of time: number, end, latency, phases.
fn samples(table: &mut Table, traffic: &Traffic) -> csv::Result<()> {
    let phases = traffic.plan.kind.phases().iter().map(|phase| format!("{}_ns", phase.name()));
    table.write_record(["number", "end_ns", "latency_ns"].map(String::from).into_iter().chain(phases))?;
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
