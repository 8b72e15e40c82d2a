//! `run --pcap`: which link ends to capture at, and from packets to files.

use super::args::Pcap;
use super::load::Loaded;
use super::output::Failure;
use crate::observe::capture::Capture;
use crate::report::captures::{About, Captures, Tap};
use crate::report::files::FileError;
use crate::report::pcapng::Interface;
use crate::report::table::counted;
use crate::run::Observer;
use crate::scenario::plan::Plan;
use crate::scenario::suggest;
use crate::topo::Egress;
use crate::trace::{Mask, PacketRecord};
use std::path::Path;

/// Captures under way: an observer of the run.
pub(crate) struct Pcaps {
    capture: Capture,
    files: Captures,
    bytes: Vec<u8>,
    failed: Option<FileError>,
}

impl Pcaps {
    /// What the command line asks for; `None` if it asks for none.
    pub(crate) fn new(args: &Pcap, loaded: &Loaded, seed: u64) -> Result<Option<Self>, Failure> {
        let Some(dir) = &args.dir else { return Ok(None) };
        let plan = &loaded.plan;
        let watched = watched(&args.at, plan)?;
        let taps: Vec<Tap> = (0u32..)
            .zip(&watched)
            .filter(|&(_, &watched)| watched)
            .map(|(end, _)| tap(end, loaded, args.snap_len.unwrap_or(0)))
            .collect();
        let about = About { scenario: &plan.name, seed, ends: watched.len() };
        let files = Captures::create(dir, &taps, about)?;
        Ok(Some(Self { capture: Capture::new(watched), files, bytes: Vec::new(), failed: None }))
    }

    /// Writes the frames of which everything is known. After a failure nothing more is written.
    fn write_ready(&mut self) {
        while self.failed.is_none()
            && let Some(frame) = self.capture.next_frame(&mut self.bytes)
        {
            self.failed = self.files.frame(&frame, &self.bytes).err();
        }
    }

    /// The run is over: the files appear. Gives words about them.
    pub(crate) fn finish(mut self, dir: &Path) -> Result<String, Failure> {
        self.capture.finish();
        self.write_ready();
        if let Some(error) = self.failed {
            return Err(error.into());
        }
        let written = self.files.finish()?.len() as u64;
        Ok(format!("wrote {} to `{}`\n", counted(written, "capture", "captures"), dir.display()))
    }
}

impl Observer for Pcaps {
    fn mask(&self) -> Mask {
        Mask::PACKETS
    }

    fn packet(&mut self, record: &PacketRecord) {
        self.capture.packet(record);
        self.write_ready();
    }
}

/// Which node a link end belongs to.
fn node_of(end: u32, plan: &Plan) -> usize {
    let link = &plan.links[end as usize / 2];
    [link.a, link.b][end as usize % 2] as usize
}

/// Which link ends are meant: all, or those of the nodes, groups and links that are named.
fn watched(names: &[String], plan: &Plan) -> Result<Vec<bool>, Failure> {
    let ends = u32::try_from(plan.links.len() * 2).unwrap_or(u32::MAX);
    if names.is_empty() {
        return Ok(vec![true; ends as usize]);
    }
    let mut watched = vec![false; ends as usize];
    for name in names {
        let member = format!("{name}/");
        let mut found = false;
        for end in 0..ends {
            let (node, link) = (&plan.nodes[node_of(end, plan)].name, &plan.links[end as usize / 2].name);
            if node == name || link == name || node.starts_with(&member) {
                watched[end as usize] = true;
                found = true;
            }
        }
        if !found {
            return Err(Failure::wrong(nowhere(name, plan)));
        }
    }
    Ok(watched)
}

/// Why there is nothing to capture at a place of this name.
fn nowhere(name: &str, plan: &Plan) -> String {
    if plan.nodes.iter().any(|node| node.name == name) {
        return format!("--pcap-at: no link leads to `{name}`: there is nothing to capture");
    }
    let nodes = plan.nodes.iter().map(|node| node.name.as_str());
    let links = plan.links.iter().map(|link| link.name.as_str());
    let advice = match suggest::closest(name, nodes.clone().chain(links.clone())) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("{}; {}", suggest::choices("nodes", nodes), suggest::choices("links", links)),
    };
    format!("--pcap-at: no node, group or link is called `{name}`; {advice}")
}

/// What a file says of a link end, and which file.
fn tap(end: u32, loaded: &Loaded, snap_len: u32) -> Tap {
    let plan = &loaded.plan;
    let link = &plan.links[end as usize / 2];
    let (here, there) = (node_of(end, plan), node_of(end ^ 1, plan));
    let node = &plan.nodes[here];
    let file = if node.kind.forwards() { format!("{}.{}", node.name, link.name) } else { node.name.clone() };
    let config = &link.directions[end as usize % 2];
    let interface = Interface {
        name: format!("{}:{}", node.name, link.name),
        description: format!(
            "end of link {} at {}, towards {}: {} one way",
            link.name, node.name, plan.nodes[there].name, config.delay
        ),
        address: loaded.network.address_on(u32::try_from(here).unwrap_or(u32::MAX), Egress::from_number(end)),
        speed: config.rate.as_bps(),
        snap_len,
    };
    Tap { end, file, interface }
}
