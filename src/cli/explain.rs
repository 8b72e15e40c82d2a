//! `explain`: one request, message or echo, and where its time went.

use super::args::Explain;
use super::load::{Loaded, load};
use super::output::{Failure, Status, Terminal};
use super::run::to_the_end;
use crate::observe::cases::explainable;
use crate::observe::sequence::{self, Cast, Charset, EchoMark, Sequence};
use crate::observe::{Case, Cases, Pick, Plan, Story};
use crate::report::explain::{Context, explain, fetched, moved};
use crate::run::{Observer, Simulation, observed};
use crate::topo::Egress;
use crate::trace::{Echo, Mask, PacketRecord, Record};

/// Runs the scenario once to find the case, and once more for its packets where they are wanted: the second run is the same.
pub(crate) fn run(args: &Explain, terminal: &Terminal) -> Result<Status, Failure> {
    let loaded = load(&args.file, terminal)?;
    let plans = observed(&loaded.plan);
    let index = traffic(args, &plans)?;
    let mut cases = Cases::new(u32::try_from(index).unwrap_or(u32::MAX));
    observe(&loaded, args, &mut cases, terminal);
    cases.finish();
    let name = &plans[index].name;
    let case = cases.pick(pick(args)).ok_or_else(|| missing(args, name, cases.len()))?;
    let nodes: Vec<String> = loaded.plan.nodes.iter().map(|node| node.name.clone()).collect();
    let traffics: Vec<&str> = plans.iter().map(|plan| plan.name.as_str()).collect();
    let context = Context {
        traffic: name,
        nodes: &nodes,
        traffics: &traffics,
        light_floor: plans[index].light_floor,
        style: terminal.out,
    };
    let mut text = explain(case, &cases.parts(case), context);
    text.push_str(&fetched(case, &cases.fetches(case), context));
    text.push_str(&moved(case, &cases.moves(case), |node, address| loaded.network.via(node, address)));
    if args.packets {
        let cast = cast(&loaded, nodes);
        let mut sequence = match case.story {
            Story::Echo(Echo { sent, ttl, answer, .. }) => Sequence::of_echo(EchoMark { sent, ttl, answer }, &cast),
            _ => Sequence::new(&cases.stretches(case), &cast),
        };
        observe(&loaded, args, &mut sequence, terminal);
        text.push_str(&diagram(args, case, &sequence, &cast));
    }
    Terminal::print(&text)?;
    Ok(Status::Fine)
}

fn observe(loaded: &Loaded, args: &Explain, observer: &mut dyn Observer, terminal: &Terminal) {
    let mask = observer.mask();
    let mut simulation = Simulation::new(&loaded.plan, &loaded.network, args.seed, mask);
    to_the_end(&mut simulation, loaded.plan.run_for.as_nanos(), &mut [observer], terminal);
}

impl Observer for Cases {
    fn mask(&self) -> Mask {
        Mask::TRAFFIC
    }

    fn record(&mut self, record: &Record) {
        Self::record(self, record);
    }
}

impl Observer for Sequence {
    fn mask(&self) -> Mask {
        Mask::PACKETS
    }

    fn packet(&mut self, record: &PacketRecord) {
        Self::packet(self, record);
    }
}

fn cast(loaded: &Loaded, nodes: Vec<String>) -> Cast {
    let graph = loaded.network.blueprint.graph();
    let ends = |egress: Egress| format!("{} > {}", graph.name(graph.source(egress)), graph.name(graph.target(egress)));
    let links = graph.links().flat_map(|link| {
        let forward = Egress::forward(link);
        [forward, forward.reversed()].map(ends)
    });
    Cast { links: links.collect(), addresses: loaded.network.names().collect(), nodes }
}

/// Which case was asked for.
const fn pick(args: &Explain) -> Pick {
    match (args.request, args.slowest) {
        (Some(number), _) => Pick::Number(number),
        (None, true) => Pick::Slowest,
        (None, false) => Pick::Median,
    }
}

/// Which traffic was asked for: its number in the plan.
fn traffic(args: &Explain, plans: &[Plan]) -> Result<usize, Failure> {
    let names =
        |wanted: fn(&Plan) -> bool| plans.iter().filter(|plan| wanted(plan)).map(|plan| plan.name.as_str()).collect();
    let can: Vec<&str> = names(|plan| explainable(plan.kind));
    if can.is_empty() {
        return Err(Failure::wrong("there is nothing to explain here: bulk transfers are not divided into phases"));
    }
    let Some(wanted) = &args.traffic else {
        let [only] = can.as_slice() else {
            return Err(Failure::wrong(format!(
                "explain which traffic? choose with --traffic among {}",
                can.join(", ")
            )));
        };
        return Ok(plans.iter().position(|plan| plan.name == *only).unwrap_or(0));
    };
    match plans.iter().position(|plan| plan.name == *wanted) {
        Some(place) if explainable(plans[place].kind) => Ok(place),
        Some(_) => Err(Failure::wrong(format!("`{wanted}` is a bulk transfer, which is not divided into phases"))),
        None => {
            let all: Vec<&str> = names(|_| true);
            Err(Failure::wrong(format!("no traffic is called `{wanted}`; there is {}", all.join(", "))))
        }
    }
}

/// Why a case that was asked for is not there.
fn missing(args: &Explain, name: &str, known: usize) -> Failure {
    match args.request {
        Some(number) => {
            Failure::wrong(format!("`{name}` has no number {number} that had ended when the run did; {known} had"))
        }
        None => Failure::wrong(format!("nothing of `{name}` had ended when the run did")),
    }
}

/// The packets of a case as a diagram.
fn diagram(args: &Explain, case: &Case, sequence: &Sequence, cast: &Cast) -> String {
    let steps = sequence.steps();
    if steps.is_empty() {
        return "\nnone of its packets is known\n".into();
    }
    let charset = if args.ascii { Charset::Ascii } else { Charset::Unicode };
    format!("\n{}", sequence::draw(&steps, cast, case.start, usize::from(args.width), charset))
}
