//! `check`: what a scenario resolves to, every default filled in, without running it.

use super::args::Check;
use super::load::{Loaded, load};
use super::output::{Failure, Status, Terminal};
use super::serving;
use crate::base::{Bytes, Ratio, Span, Time};
use crate::link;
use crate::report::Style;
use crate::report::table::{Align, Cell, Table, WIDTH, counted, fold, grouped, listed};
use crate::scenario::build;
use crate::scenario::plan::{self, Data, Length, Node, NodeKind, Origin, Plan, TrafficKind};
use crate::service::Limit;
use crate::service::bulk::{Amount, Direction};
use crate::service::carrier::Over;
use crate::service::client::Arrivals;
use crate::topo::{Egress, NodeId, distance};
use std::fmt::Write as _;

/// Pairs of one traffic shown; of more, the rest is counted.
const PAIRS: usize = 12;
/// Names of a list shown, as of targets; of more, the rest is counted.
const NAMES: usize = 8;
/// Groups of more machines, or links, are shown up to this; of more, the rest is counted.
const MEMBERS: usize = 12;
/// Hops looked for on one way before it counts as a loop.
const FARTHEST: usize = 64;

/// Checks a scenario and prints what it resolves to.
pub(crate) fn run(args: &Check, terminal: &Terminal) -> Result<Status, Failure> {
    let loaded = load(&args.file, terminal)?;
    Terminal::print(&describe(&loaded, args.all, terminal.out))?;
    Ok(Status::Fine)
}

/// The plan as tables: `all` members of groups, or the first few.
fn describe(loaded: &Loaded, all: bool, style: Style) -> String {
    let plan = &loaded.plan;
    let mut text = format!(
        "{} {}\nseed {}   runs for {}   {}, {}, {} of traffic\n",
        style.bold(&plan.name),
        style.good("is valid"),
        plan.seed,
        plan.run_for,
        counted(plan.nodes.len() as u64, "node", "nodes"),
        counted(plan.links.len() as u64, "link", "links"),
        counted(plan.traffic.len() as u64, "kind", "kinds"),
    );
    let shared = super::anycast::table(loaded, all);
    for part in
        [nodes(loaded, all), balancers(&loaded.plan), shared, links(loaded, all), zones(loaded, all), faults(loaded)]
    {
        if !part.is_empty() {
            let _ = write!(text, "\n{}", part.render(style));
        }
    }
    for &index in &plan.written.traffic {
        traffic(&mut text, loaded, &plan.traffic[index as usize], style);
    }
    fold(&text, WIDTH)
}

/// Of each run of the same declaration the first few, or `all`; and how many of it are left out behind which.
fn some<D: PartialEq>(written: &[u32], all: bool, declared: impl Fn(u32) -> D) -> Vec<(u32, usize)> {
    let runs = written.chunk_by(|&one, &next| declared(one) == declared(next));
    let shown = runs.flat_map(|run| {
        let most = if all || run.len() <= MEMBERS { run.len() } else { NAMES };
        let left = run.len() - most;
        let last = most - 1;
        run[..most].iter().enumerate().map(move |(at, &index)| (index, if at == last { left } else { 0 }))
    });
    shown.collect()
}

/// The row that stands for those which are left out.
fn left_out(table: &mut Table, left: usize) {
    if left > 0 {
        let more = Cell::painted(format!("+ {}", grouped(left as u64)), Style::dim);
        table.row([more, Cell::painted("more like these: --all shows them", Style::dim)]);
    }
}

fn left(names: &[&str]) -> Table {
    Table::new(names.iter().map(|&name| (name, Align::Left)))
}

fn nodes(loaded: &Loaded, all: bool) -> Table {
    let plan = &loaded.plan;
    let mut table = left(&["node", "is", "address", "at", "access", "tcp", "asks"]);
    for (index, left) in some(&plan.written.nodes, all, |index| plan.nodes[index as usize].declared) {
        let node = &plan.nodes[index as usize];
        let asks: Vec<&str> = node.resolvers.iter().map(|&node| plan.nodes[node as usize].name.as_str()).collect();
        table.row([
            node.name.as_str().into(),
            kind(plan, node).into(),
            addresses(loaded, index).into(),
            node.place.as_ref().map_or_else(|| "-".into(), |place| place.name.to_string()).into(),
            node.access.unwrap_or("-").into(),
            tcp(node).into(),
            listed(asks.into_iter(), NAMES).into(),
        ]);
        left_out(&mut table, left);
    }
    table
}

/// The address of a node; of one with several links all, each with the router on it, the one that it prefers first.
fn addresses(loaded: &Loaded, node: u32) -> String {
    let graph = loaded.network.blueprint.graph();
    let uplinks = loaded.network.layout.addresses.uplinks(NodeId::first(node));
    let via = uplinks.iter().map(|up| format!("{} via {}", up.address, graph.name(graph.target(up.egress))));
    if uplinks.is_empty() { loaded.network.address(node).to_string() } else { via.collect::<Vec<_>>().join(", ") }
}

fn faults(loaded: &Loaded) -> Table {
    let plan = &loaded.plan;
    let mut table = left(&["fault", "is", "when"]);
    for &index in &plan.written.faults {
        let plan::Fault { kind, fault, .. } = &plan.faults[index as usize];
        table.row([fault.name.as_str().into(), (*kind).into(), fault.schedule.to_string().into()]);
    }
    if !table.is_empty() {
        let plan::Routing { reconverge, stagger } = plan.routing;
        let spread = if stagger.is_zero() { String::new() } else { format!(", each router up to {stagger} later") };
        table.row(["routing".into(), "follows".into(), format!("after {reconverge}{spread}").into()]);
    }
    table
}

fn kind(plan: &Plan, node: &Node) -> String {
    let declared = node.declared;
    match &node.kind {
        NodeKind::Server(config) => match &node.registering {
            None => serving::server(config),
            Some(own) => format!("{}, signs on as {}", serving::server(config), own.service),
        },
        NodeKind::Balancer(balancer) => {
            let tls = if balancer.tls.is_some() { ", TLS ends here" } else { "" };
            format!("Balancer, port {}{tls}", balancer.port)
        }
        NodeKind::Edge(edge) => serving::edge(plan, edge),
        NodeKind::PurgeControl(control) => {
            format!("PurgeControl of {}", counted(control.edges.len() as u64, "edge", "edges"))
        }
        NodeKind::Store(node) => {
            let store = &plan.stores[node.store as usize];
            let first = &plan.nodes[store.members[0] as usize];
            if first.declared == declared { "Store".into() } else { format!("Store, follows {}", first.name) }
        }
        NodeKind::Cluster(node) => {
            let masters = counted(node.shards as u64, "master", "masters");
            format!("Cluster, {} nodes, {masters}", node.members.len())
        }
        NodeKind::Anycast(anycast) => {
            let members = anycast.members.iter().map(|&node| &*plan.nodes[node as usize].name);
            let check = anycast.check.as_ref().map_or_else(String::new, |check| format!(", withdrawn by {check}"));
            format!("Anycast, announced by {}{check}", listed(members, NAMES))
        }
        other => other.name().into(),
    }
}

/// Each pool of each balancer.
fn balancers(plan: &plan::Plan) -> Table {
    let mut table =
        left(&["balancer", "sees", "pool", "to", "policy", "health", "outliers", "panic", "slow start", "connections"]);
    for &index in &plan.written.nodes {
        let node = &plan.nodes[index as usize];
        let NodeKind::Balancer(balancer) = &node.kind else { continue };
        for (place, pool) in balancer.pools.iter().enumerate() {
            let settings = &pool.settings;
            let backend = |target: &plan::Target| {
                let name = &plan.nodes[target.node as usize].name;
                let weight = if target.weight > 1 { format!(" x{}", target.weight) } else { String::new() };
                let drain = target.drain.map_or_else(String::new, |at| format!(" until {}", at - Time::ZERO));
                format!("{name}{weight}{drain}")
            };
            let to: Vec<String> = pool.targets.iter().map(backend).collect();
            let first = place == 0;
            let limit = settings.connections.map_or_else(|| "any number".into(), |most| most.to_string());
            let spoken = if pool.targets.iter().any(|target| target.tls) { ", TLS where they speak it" } else { "" };
            let warm = if settings.warm > 0 { format!(", {} of them warm", settings.warm) } else { String::new() };
            let requests = format!(
                "{limit}{warm}{spoken}, idle {}, timeout {}, {}{}{}",
                settings.idle,
                settings.timeout,
                counted(u64::from(settings.retries), "retry", "retries"),
                if settings.retry_errors { " also of errors" } else { "" },
                settings.sticky.as_ref().map_or_else(String::new, |name| format!(", sticky by {name}")),
            );
            table.row([
                if first { node.name.as_str().into() } else { Cell::default() },
                if first { balancer.layer.to_string().into() } else { Cell::default() },
                settings.name.as_str().into(),
                listed(to.iter().map(String::as_str), NAMES).into(),
                settings.algorithm.to_string().into(),
                settings.check.as_ref().map_or_else(|| "-".into(), ToString::to_string).into(),
                settings.outliers.as_ref().map_or_else(|| "-".into(), ToString::to_string).into(),
                format!("below {}", settings.panic).into(),
                settings.slow_start.map_or_else(|| "-".into(), |span| span.to_string()).into(),
                if balancer.layer.sees_requests() { requests.into() } else { "-".into() },
            ]);
        }
    }
    table
}

fn tcp(node: &plan::Node) -> String {
    if node.kind.forwards() || matches!(node.kind, NodeKind::Anycast(_)) {
        return "-".into();
    }
    let profile = match node.tcp.profile {
        plan::Profile::Linux => "linux",
        plan::Profile::Rfc => "rfc",
    };
    format!("{profile}, {}", node.tcp.congestion)
}

fn links(loaded: &Loaded, all: bool) -> Table {
    let plan = &loaded.plan;
    let mut table = left(&["link", "direction", "rate", "delay", "from", "mtu", "queue", "troubles"]);
    for (index, left) in some(&plan.written.links, all, |index| plan.links[index as usize].declared) {
        let link = &plan.links[index as usize];
        let name = |node: u32| plan.nodes[node as usize].name.as_str();
        let same = link.directions[0] == link.directions[1];
        for (way, config) in link.directions.iter().enumerate().take(if same { 1 } else { 2 }) {
            let (from, to) = if way == 0 { (link.a, link.b) } else { (link.b, link.a) };
            let arrow = if same { "<>" } else { ">" };
            table.row([
                if way == 0 { link.name.as_str().into() } else { Cell::default() },
                format!("{} {arrow} {}", name(from), name(to)).into(),
                config.rate.to_string().into(),
                config.delay.to_string().into(),
                length(link).into(),
                config.mtu.to_string().into(),
                config.queue.to_string().into(),
                troubles(config).into(),
            ]);
        }
        left_out(&mut table, left);
    }
    table
}

/// Where a link's delay comes from.
fn length(link: &plan::Link) -> String {
    match link.length {
        Length::Delay => "stated".into(),
        Length::Access => "access".into(),
        Length::Metres { metres, stretch } => {
            format!("{} x {}", kilometres(metres), trimmed(stretch.get()))
        }
    }
}

fn kilometres(metres: u64) -> String {
    match metres {
        0..=9_999 => format!("{} km", trimmed(metres as f64 / 1000.0)),
        _ => format!("{} km", grouped((metres + 500) / 1000)),
    }
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn troubles(config: &link::Config) -> String {
    let mut parts = Vec::new();
    match &config.loss {
        link::loss::Config::None => {}
        link::loss::Config::Iid(ratio) => parts.push(format!("loss {ratio}")),
        link::loss::Config::GilbertElliott { good_to_bad, bad_to_good, loss_good, loss_bad } => parts.push(format!(
            "loss {loss_good} in good times, {loss_bad} in bad (to bad {good_to_bad}, to good {bad_to_good})"
        )),
    }
    if let Some(jitter) = &config.jitter {
        let order = if config.jitter_reorders { ", reorders" } else { "" };
        parts.push(format!("jitter {jitter}{order}"));
    }
    if let Some((share, by)) = config.reorder {
        parts.push(format!("{share} held back {by}"));
    }
    let mut share = |name: &str, ratio: Ratio| {
        if !ratio.is_zero() {
            parts.push(format!("{name} {ratio}"));
        }
    };
    share("duplicated", config.duplicate);
    share("corrupted", config.corrupt);
    if parts.is_empty() { "none".into() } else { parts.join(", ") }
}

fn zones(loaded: &Loaded, all: bool) -> Table {
    let plan = &loaded.plan;
    let mut table = left(&["zone", "name", "stands for", "ttl", "known by", "given", "checked"]);
    for zone in &plan.zones {
        let name = |node: u32| plan.nodes[node as usize].name.as_str();
        let authorities: Vec<&str> = zone.authorities.iter().map(|&node| name(node)).collect();
        let most = if all || zone.records.len() <= MEMBERS { zone.records.len() } else { NAMES };
        for record in &zone.records[..most] {
            let data = match &record.data {
                Data::A(node) => format!("{} ({})", name(*node), loaded.network.address(*node)),
                Data::Cname(other) => other.clone(),
            };
            table.row([
                zone.apex.as_str().into(),
                record.name.as_str().into(),
                data.into(),
                format!("{} s", record.ttl).into(),
                listed(authorities.iter().copied(), NAMES).into(),
                given(&zone.answers, record).into(),
                zone.check.as_ref().map_or_else(|| "-".into(), ToString::to_string).into(),
            ]);
        }
        left_out(&mut table, zone.records.len() - most);
        for below in zone.delegates.iter().map(|&below| &plan.zones[below as usize]) {
            let servers = below.authorities.iter().map(|&node| {
                let address = loaded.network.address(node);
                format!("{} ({address})", plan.server_name(below, node))
            });
            table.row([
                zone.apex.as_str().into(),
                below.apex.as_str().into(),
                format!("delegated to {}", servers.collect::<Vec<_>>().join(", ")).into(),
                format!("{} s", zone.ttl).into(),
                authorities.join(", ").into(),
                "as a referral".into(),
                "-".into(),
            ]);
        }
    }
    table
}

/// When an address is given.
fn given(answers: &plan::Answers, record: &plan::Record) -> String {
    match (answers, &record.data) {
        (plan::Answers::All, _) | (_, Data::Cname(_)) => "always".into(),
        (plan::Answers::Failover, _) => "if those before it are down".into(),
        (plan::Answers::Nearest, _) => "where it is nearest".into(),
        (plan::Answers::Weighted(weights), Data::A(node)) => {
            let weight = weights.iter().find(|(weighed, _)| weighed == node).map_or(1, |(_, weight)| *weight);
            format!("by weight {weight}")
        }
    }
}

/// One traffic: what it is, then every pair that talks, with its way and what physics allows.
fn traffic(text: &mut String, loaded: &Loaded, traffic: &plan::Traffic, style: Style) {
    let _ = writeln!(text, "\n{} {}", style.bold(&traffic.name), words(traffic));
    let mut last = None;
    let mut pairs = traffic.pairs().filter(|&pair| last.replace(pair) != Some(pair));
    let mut table =
        left(&["between", "distance", "light, round trip", "path, round trip", "stretch", "way"]).indented(2);
    for (from, to) in pairs.by_ref().take(PAIRS) {
        table.row(pair(loaded, from, to));
    }
    text.push_str(&table.render(style));
    let left = pairs.count() as u64;
    if left > 0 {
        let _ = writeln!(text, "  and {} more", counted(left, "pair", "pairs"));
    }
}

fn pair(loaded: &Loaded, from: u32, to: u32) -> [Cell; 6] {
    let plan = &loaded.plan;
    let name = |node: u32| plan.nodes[node as usize].name.as_str();
    let place = |node: u32| plan.nodes[node as usize].place.as_ref().map(|place| place.at);
    let floor = build::light_between(plan, from, to).map(|one_way| one_way * 2);
    let there = way(loaded, from, to);
    let end = there.as_ref().and_then(|way| way.last()).map(|&last| loaded.network.blueprint.graph().target(last));
    let back = end.and_then(|end| way(loaded, super::anycast::number(end), from));
    let reached = end.map_or(to, super::anycast::number);
    let metres = place(from).zip(place(reached)).map(|(a, b)| distance(a, b));
    let path = there.as_ref().zip(back.as_ref()).map(|(there, back)| delay(loaded, there) + delay(loaded, back));
    let stretch = path.zip(floor).filter(|(_, floor)| !floor.is_zero());
    let or_none = |text: Option<String>| Cell::from(text.unwrap_or_else(|| "-".into()));
    [
        if reached == to {
            format!("{} > {}", name(from), name(to)).into()
        } else {
            format!("{} > {} ({})", name(from), name(to), name(reached)).into()
        },
        or_none(metres.map(kilometres)),
        or_none(floor.map(|span| span.to_string())),
        or_none(path.map(|span| span.to_string())),
        or_none(stretch.map(|(path, floor)| format!("{:.2}", path.as_nanos() as f64 / floor.as_nanos() as f64))),
        there.map_or_else(|| Cell::painted("no route", Style::bad), |way| hops(loaded, &way).into()),
    ]
}

/// The directions of links from one node to another, the first of equal ones; `None` without a route.
fn way(loaded: &Loaded, from: u32, to: u32) -> Option<Vec<Egress>> {
    let graph = loaded.network.blueprint.graph();
    let (mut at, target) = (NodeId::first(from), loaded.network.address(to));
    let mut way = Vec::new();
    while !loaded.network.layout.routers[at.index()].has(target) {
        let router = &loaded.network.layout.routers[at.index()];
        let preferred = router.uplinks().first().map(|uplink| uplink.egress);
        let egress = preferred.or_else(|| router.fib().lookup(target)?.first().copied())?;
        way.push(egress);
        at = graph.target(egress);
        if way.len() > FARTHEST {
            return None;
        }
    }
    Some(way)
}

fn delay(loaded: &Loaded, way: &[Egress]) -> Span {
    way.iter().map(|&egress| loaded.network.blueprint.direction(egress).delay).sum()
}

fn hops(loaded: &Loaded, way: &[Egress]) -> String {
    let graph = loaded.network.blueprint.graph();
    let through: Vec<&str> = way.iter().rev().skip(1).rev().map(|&egress| graph.name(graph.target(egress))).collect();
    let links = counted(way.len() as u64, "link", "links");
    if through.is_empty() { links } else { format!("{links} by {}", through.join(", ")) }
}

fn words(traffic: &plan::Traffic) -> String {
    let what = match &traffic.kind {
        TrafficKind::Http(http) => {
            let origins = http.asks.first().map_or_else(String::new, |ask| match &ask.origin {
                Origin::Name(name) => {
                    format!(" {}://{name}{}", if http.tls.is_some() { "https" } else { "http" }, http.path)
                }
                Origin::Node(_) => format!(" {}", http.path),
                Origin::Service(service) => format!(" {}{}", service, http.path),
            });
            let timeout = http.timeout.map_or_else(|| "no timeout".into(), |span| format!("timeout {span}"));
            let (arrivals, until) = (arrivals(&http.arrivals), until(http.limit));
            format!(
                "Http: {}{origins}, {arrivals}{until}, {timeout}{}",
                http.method,
                serving::extras(http) + &serving::policy(&http.policy)
            )
        }
        TrafficKind::Bulk(bulk) => {
            let amount = match bulk.amount {
                Amount::Bytes(bytes) => Bytes(bytes).to_string(),
                Amount::For(span) => format!("as much as goes in {span}"),
            };
            let way = match bulk.direction {
                Direction::Down => "from server to client",
                Direction::Up => "from client to server",
            };
            let flows = counted(u64::from(bulk.flows), "flow", "flows");
            format!("Bulk: {flows} of {amount} {way} over {}{}", over(bulk.over), controller(bulk.congestion))
        }
        TrafficKind::Messages(messages) => {
            let carrier = match messages.carrier {
                plan::Carrier::Udp => "UDP".into(),
                plan::Carrier::Tcp { congestion } => format!("TCP{}", controller(congestion)),
                plan::Carrier::Quic { congestion } => format!("QUIC{}", controller(congestion)),
            };
            let (bytes, every) = (messages.bytes, messages.every);
            format!("Messages: {bytes} bytes every {every} over {carrier}{}", until(messages.limit))
        }
        TrafficKind::Objects(objects) => {
            let count = counted(u64::from(objects.objects), "object", "objects");
            let (size, every) = (Bytes(objects.bytes), objects.every);
            let carrier = format!("{}{}", over(objects.over), controller(objects.congestion));
            format!("Objects: {count} of {size} at once every {every} over {carrier}{}", until(objects.limit))
        }
        TrafficKind::Lookups(lookups) => {
            let keys = counted(u64::from(lookups.keys), "key", "keys");
            let law = if lookups.zipf > 0.0 { format!(" by Zipf({})", lookups.zipf) } else { String::new() };
            let (arrivals, until) = (arrivals(&lookups.arrivals), until(lookups.limit));
            format!("Lookups: {keys}{law}, {} writes, {arrivals}{until}", lookups.writes)
        }
        TrafficKind::Ping(ping) => format!("Ping: {} bytes every {}{}", ping.bytes, ping.every, until(ping.limit)),
        TrafficKind::Traceroute(route) => {
            format!(
                "Traceroute: {} for each of up to {} hops",
                counted(u64::from(route.probes), "probe", "probes"),
                route.max_ttl
            )
        }
    };
    if traffic.start == Time::ZERO { what } else { format!("{what}, from {}", traffic.start - Time::ZERO) }
}

const fn over(over: Over) -> &'static str {
    match over {
        Over::Tcp => "TCP",
        Over::Quic => "QUIC",
    }
}

fn controller(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!(" ({name})"))
}

fn arrivals(arrivals: &Arrivals) -> String {
    match arrivals {
        Arrivals::Once => "once".into(),
        Arrivals::Every(span) => format!("every {span}"),
        Arrivals::Poisson { mean_gap } => format!("Poisson, every {mean_gap} on average"),
        Arrivals::At(times) => format!("at {} given", counted(times.len() as u64, "instant", "instants")),
        Arrivals::Users { count, think } => {
            format!("{} who think for {think}", counted(u64::from(*count), "user", "users"))
        }
        Arrivals::Called => "when it answers others".into(),
    }
}

fn until(limit: Limit) -> String {
    let count = limit.count.map_or_else(String::new, |n| format!(", at most {}", grouped(n)));
    let until = limit.until.map_or_else(String::new, |time| format!(", until {}", time - Time::ZERO));
    count + &until
}
