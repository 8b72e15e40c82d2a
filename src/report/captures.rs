//! Captures of a run as pcapng files: one for each host, and for each link end of a router.
//!
//! A packet that passes through a router would stand twice in one file, and a reader would take the second for a
//! retransmission; hence its files hold a link end each.

use super::files::{FileError, file_stems, make_dir};
use super::part::Part;
use super::pcapng::{self, Captured, Direction, Interface};
use crate::observe::capture::{Frame, Way};
use std::path::{Path, PathBuf};

/// A link end to capture at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tap {
    /// Its number: link `n` has the ends `2n` (the one named first) and `2n + 1`.
    pub end: u32,
    /// Name of the file that it goes to, without ending; taps with the same name share a file.
    pub file: String,
    /// What the file says of it.
    pub interface: Interface,
}

/// What all files say.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Name of the scenario.
    pub scenario: &'a str,
    /// Its seed.
    pub seed: u64,
    /// Link ends of the plan.
    pub ends: usize,
}

/// Where the frames of a link end go.
#[derive(Clone, Copy, Debug)]
struct Place {
    file: usize,
    interface: u32,
    snap_len: u32,
}

/// Files under way: they appear together when the run is over.
#[derive(Debug)]
pub struct Captures {
    /// By link end.
    places: Vec<Option<Place>>,
    files: Vec<Part>,
    block: Vec<u8>,
}

impl Captures {
    /// Starts the files of `taps` in `dir`, which is made if need be.
    pub fn create(dir: &Path, taps: &[Tap], about: About<'_>) -> Result<Self, FileError> {
        make_dir(dir)?;
        let mut names: Vec<&str> = Vec::new();
        let mut places = vec![None; about.ends];
        let mut heads: Vec<(u32, Vec<u8>)> = Vec::new();
        let comment = format!("scenario {}, seed {}; time is simulated and begins at 0", about.scenario, about.seed);
        for tap in taps {
            let file = names.iter().position(|name| *name == tap.file).unwrap_or(names.len());
            if file == names.len() {
                names.push(&tap.file);
                let mut head = Vec::new();
                pcapng::section(&mut head, concat!("lightlag ", env!("CARGO_PKG_VERSION")), &comment);
                heads.push((0, head));
            }
            let (interfaces, head) = &mut heads[file];
            pcapng::interface(head, &tap.interface);
            places[tap.end as usize] = Some(Place { file, interface: *interfaces, snap_len: tap.interface.snap_len });
            *interfaces += 1;
        }
        let mut files = Vec::new();
        for (stem, (_, head)) in file_stems(names.into_iter()).iter().zip(heads) {
            let mut part = Part::create(&dir.join(format!("{stem}.pcapng")))?;
            part.write(&head)?;
            files.push(part);
        }
        Ok(Self { places, files, block: Vec::new() })
    }

    /// Writes a frame and its bytes; one at a link end that is not captured is left out.
    pub fn frame(&mut self, frame: &Frame, bytes: &[u8]) -> Result<(), FileError> {
        let Some(place) = self.places[frame.end as usize] else { return Ok(()) };
        let comments: Vec<String> = frame.marks.iter().map(ToString::to_string).collect();
        let captured = Captured {
            interface: place.interface,
            nanos: frame.time.as_nanos(),
            direction: if frame.way == Way::In { Direction::Inbound } else { Direction::Outbound },
            packet_id: frame.serial,
            bytes,
            comments: &comments,
        };
        self.block.clear();
        pcapng::packet(&mut self.block, &captured, place.snap_len);
        self.files[place.file].write(&self.block)
    }

    /// The run is over: the files take their places. Gives their paths.
    pub fn finish(self) -> Result<Vec<PathBuf>, FileError> {
        let paths = self.files.iter().map(|file| file.path().to_owned()).collect();
        self.files.into_iter().try_for_each(Part::commit)?;
        Ok(paths)
    }
}
