//! `run --qlog`: a file for each end of each TCP and each QUIC connection.

use super::load::Loaded;
use super::output::Failure;
use crate::observe::qlog::{End, Log as Events};
use crate::report::files::FileError;
use crate::report::qlog::{self, Header, Log, Vantage};
use crate::report::table::counted;
use crate::run::Observer;
use crate::trace::{Mask, PacketRecord, Record};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// Files under way: an observer of the run.
pub(crate) struct Qlogs {
    dir: PathBuf,
    scenario: String,
    nodes: Vec<String>,
    names: BTreeMap<Ipv4Addr, u32>,
    events: Events,
    files: BTreeMap<End, Log>,
    failed: Option<FileError>,
}

impl Qlogs {
    /// Files in `dir`, which is made if need be.
    pub(crate) fn new(dir: &Path, loaded: &Loaded, seed: u64) -> Result<Self, Failure> {
        crate::report::files::make_dir(dir)?;
        let plan = &loaded.plan;
        Ok(Self {
            dir: dir.to_owned(),
            scenario: format!("{}, seed {seed}", plan.name),
            nodes: plan.nodes.iter().map(|node| node.name.clone()).collect(),
            names: loaded.network.names().collect(),
            events: Events::default(),
            files: BTreeMap::new(),
            failed: None,
        })
    }

    fn write_ready(&mut self) {
        while self.failed.is_none()
            && let Some(event) = self.events.next_event()
        {
            let identity = self.events.identity(event.end);
            self.failed = self.write(event.end, |log| {
                let (name, data) = qlog::event(&event.what, identity);
                log.event(event.time, name, &data)
            });
        }
    }

    /// Writes to the file of an end, which is started if need be.
    fn write(&mut self, end: End, put: impl FnOnce(&mut Log) -> Result<(), FileError>) -> Option<FileError> {
        if !self.files.contains_key(&end) {
            let (path, header) = self.about(end);
            match Log::create(&path, &header) {
                Ok(log) => drop(self.files.insert(end, log)),
                Err(error) => return Some(error),
            }
        }
        put(self.files.get_mut(&end)?).err()
    }

    /// Where the file of an end stands and what it says of itself.
    fn about(&self, end: End) -> (PathBuf, Header) {
        let (flow, node) = end;
        let node = self.nodes.get(node as usize).cloned().unwrap_or_default();
        let identity = self.events.identity(end);
        let peer = identity.map_or_else(String::new, |identity| {
            let peer = self.names.get(identity.remote.ip()).and_then(|&number| self.nodes.get(number as usize));
            format!("{}.{}", peer.map_or("unknown", String::as_str), identity.remote.port())
        });
        let port = identity.map_or(0, |identity| identity.local.port());
        let opened = identity.is_some_and(|identity| identity.opened);
        let name = format!("{node}.{port}-{peer}").replace('/', "-");
        let header = Header {
            title: format!("{}: {node} port {port} to {peer}", self.scenario),
            node,
            vantage: if opened { Vantage::Client } else { Vantage::Server },
            group: flow.to_string(),
            protocol: if self.events.is_quic(end) { "QUIC" } else { "TCP" },
        };
        // Ports are used again: the flow tells one connection from the next.
        (self.dir.join(format!("{name}.flow{flow}.sqlog")), header)
    }

    /// The run is over: the files appear. Gives words about them.
    pub(crate) fn finish(mut self) -> Result<String, Failure> {
        self.events.finish();
        self.write_ready();
        if let Some(error) = self.failed {
            return Err(error.into());
        }
        let written = self.files.len() as u64;
        self.files.into_values().try_for_each(Log::commit)?;
        Ok(format!("wrote {} to `{}`\n", counted(written, "qlog file", "qlog files"), self.dir.display()))
    }
}

impl Observer for Qlogs {
    fn mask(&self) -> Mask {
        Mask::SERIES.and(Mask::PACKETS)
    }

    fn record(&mut self, record: &Record) {
        self.events.record(record);
    }

    fn packet(&mut self, record: &PacketRecord) {
        self.events.packet(record);
        self.write_ready();
    }
}
