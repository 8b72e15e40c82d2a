//! Nodes: who is there, where they stand and what they do; and the names by which everything else refers to them.

use super::cluster::{self, CLUSTER};
use super::form::{Fields, Form, article, list, similar};
use super::profile::{PROFILES, Profile};
use super::store::{self, STORE};
use super::tcp::{self, Settings};
use super::{Problems, check_name, edge, inner, named_entries, server, uplinks, value};
use crate::base::Span as Duration;
use crate::scenario::ast::{Kind, Span, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{Anycast, Balancer, Node, NodeKind, Plan, Resolver};
use crate::topo::natural_order;
use crate::topo::{self, Place};
use std::collections::BTreeSet;

static HOST: Form =
    Form { name: "Host", fields: &["at", "count", "access", "uplinks", "carrier_delay", "resolver", "tcp"] };
static ROUTER: Form = Form { name: "Router", fields: &["at", "count"] };
static RESOLVER: Form = Form {
    name: "Resolver",
    fields: &["at", "count", "cache", "timeout", "attempts", "min_ttl", "max_ttl", "rotation"],
};
static AUTHORITY: Form = Form { name: "Authority", fields: &["at", "count", "zones"] };

pub(super) const FORMS: &[&Form] = &[
    &HOST,
    &ROUTER,
    &server::SERVER,
    &server::ROUTE,
    &server::WARM_UP,
    &server::IDEMPOTENCY,
    &server::SESSION,
    &server::SHED,
    &server::AIMD,
    &server::GRADIENT,
    &STORE,
    &CLUSTER,
    &RESOLVER,
    &AUTHORITY,
];

const KINDS: &[&str] = &[
    "Host",
    "Router",
    "Server",
    "Balancer",
    "Edge",
    "PurgeControl",
    "Store",
    "Cluster",
    "Resolver",
    "Authority",
    "Anycast",
    "Registry",
];

/// A declared name: one node or a group of them.
pub(super) struct Group<'a> {
    pub(super) name: &'a str,
    pub(super) span: Span,
    /// Its members in their order.
    pub(super) members: Vec<u32>,
    /// Whether it was declared with a `count`.
    counted: bool,
    /// Whether it could have been.
    countable: bool,
    /// Its own `resolver:`.
    resolver: Option<&'a Value>,
    /// Its own `uplinks:` and what belongs to them.
    pub(super) uplinks: Option<uplinks::Said<'a>>,
    /// Whether its MTU was stated.
    mtu: Option<u32>,
    /// Its own `zones:`.
    pub(super) zones: Option<&'a Value>,
    /// The whole entry of a balancer: its backends may come later in the file.
    pub(super) balancer: Option<&'a Value>,
    /// The whole entry of an edge, for the same reason.
    pub(super) edge: Option<&'a Value>,
    /// The whole entry of a server: whether it is asked for what it offers only traffic shows.
    pub(super) server: Option<&'a Value>,
    /// The whole entry of a control point.
    pub(super) control: Option<&'a Value>,
    /// The whole entry of an anycast address, for the same reason.
    pub(super) anycast: Option<&'a Value>,
    /// Where its members sign on.
    pub(super) register: Option<&'a Value>,
    /// What its members ask of others before they answer.
    pub(super) calls: Vec<server::Calls<'a>>,
    /// Where its members remember keys together.
    pub(super) keys: Option<&'a Value>,
    /// What a `Store` says of the whole store.
    pub(super) store: Option<store::Whole<'a>>,
}

/// All declared names, in the order of the file.
pub(super) struct Nodes<'a> {
    pub(super) groups: Vec<Group<'a>>,
    /// The access profile of each node.
    pub(super) access: Vec<Option<&'static Profile>>,
    /// Nodes whose declaration is wrong: nothing more is to be said about what it lacks.
    pub(super) broken: Vec<bool>,
}

/// What the members of a group have in common.
struct Template<'a> {
    count: Option<u64>,
    countable: bool,
    /// One for all members, or one for each.
    places: Vec<Place>,
    kind: NodeKind,
    settings: Settings,
    access: Option<&'static Profile>,
    resolver: Option<&'a Value>,
    uplinks: Option<uplinks::Said<'a>>,
    zones: Option<&'a Value>,
    register: Option<&'a Value>,
    calls: Vec<server::Calls<'a>>,
    keys: Option<&'a Value>,
    store: Option<store::Whole<'a>>,
    broken: bool,
}

/// Reads the nodes into the plan, in natural order.
pub(super) fn read<'a>(value: Option<&'a Value>, tcp: Settings, plan: &mut Plan, problems: &mut Problems) -> Nodes<'a> {
    let mut nodes = Nodes { groups: Vec::new(), access: Vec::new(), broken: Vec::new() };
    let Some(value) = value else { return nodes };
    let entries = named_entries(value, "nodes", problems);
    if entries.is_empty() && matches!(value.kind, Kind::Map(_)) {
        problems.add(Diagnostic::error(Code::Empty, value.span, "there are no nodes"));
    }
    let mut made: Vec<Made> = Vec::new();
    for (name, span, entry) in entries {
        check_name(name, span, problems);
        let template = template(entry, tcp, problems);
        let index = nodes.groups.len();
        let count = template.count;
        for member in 1..=count.unwrap_or(1) {
            let name = count.map_or_else(|| name.to_owned(), |_| format!("{name}/{member}"));
            let own = usize::try_from(member - 1).ok().filter(|_| template.places.len() > 1).unwrap_or(0);
            let node = Node {
                name,
                declared: span,
                place: template.places.get(own).cloned(),
                kind: template.kind.clone(),
                tcp: template.settings.tcp,
                resolvers: Vec::new(),
                access: template.access.map(|profile| profile.name),
                registering: None,
                homing: None,
            };
            made.push(Made { node, group: index, access: template.access, broken: template.broken });
        }
        nodes.groups.push(Group {
            name,
            span,
            members: Vec::new(),
            counted: count.is_some(),
            countable: template.countable,
            resolver: template.resolver,
            uplinks: template.uplinks,
            mtu: template.settings.mtu,
            zones: template.zones,
            balancer: matches!(template.kind, NodeKind::Balancer(_)).then_some(entry),
            register: template.register,
            server: matches!(template.kind, NodeKind::Server(_)).then_some(entry),
            edge: matches!(template.kind, NodeKind::Edge(_)).then_some(entry),
            control: matches!(template.kind, NodeKind::PurgeControl(_)).then_some(entry),
            anycast: matches!(template.kind, NodeKind::Anycast(_)).then_some(entry),
            calls: template.calls,
            keys: template.keys,
            store: template.store,
        });
    }
    number(made, &mut nodes, plan);
    nodes
}

/// A node that has no number yet.
struct Made {
    node: Node,
    group: usize,
    access: Option<&'static Profile>,
    broken: bool,
}

/// Puts nodes in natural order, which also numbers the members of each group.
fn number(made: Vec<Made>, nodes: &mut Nodes<'_>, plan: &mut Plan) {
    let mut order: Vec<usize> = (0..made.len()).collect();
    order.sort_by(|&left, &right| natural_order(&made[left].node.name, &made[right].node.name));
    let mut at = vec![0; made.len()];
    for (index, &old) in (0u32..).zip(&order) {
        at[old] = index;
    }
    for (made, &at) in made.iter().zip(&at) {
        nodes.groups[made.group].members.push(at);
    }
    plan.written.nodes.clone_from(&at);
    let mut sorted: Vec<(u32, Made)> = at.into_iter().zip(made).collect();
    sorted.sort_by_key(|entry| entry.0);
    for (_, made) in sorted {
        plan.nodes.push(made.node);
        nodes.access.push(made.access);
        nodes.broken.push(made.broken);
    }
}

/// What a declaration says; where it is wrong, a host stands in so that references to it are not wrong too.
fn template<'a>(entry: &'a Value, tcp: Settings, problems: &mut Problems) -> Template<'a> {
    let mut template = Template {
        count: None,
        countable: true,
        places: Vec::new(),
        kind: NodeKind::Host,
        settings: tcp,
        access: None,
        resolver: None,
        uplinks: None,
        zones: None,
        register: None,
        calls: Vec::new(),
        keys: None,
        store: None,
        broken: true,
    };
    let Some(kind) = value::choice(entry, "a node", KINDS, problems) else { return template };
    let form = match kind {
        "Host" => &HOST,
        "Router" => &ROUTER,
        "Server" => &server::SERVER,
        "Balancer" => &super::balancer::BALANCER,
        "Edge" => &edge::EDGE,
        "PurgeControl" => &edge::CONTROL,
        "Store" => &STORE,
        "Cluster" => &CLUSTER,
        "Resolver" => &RESOLVER,
        "Anycast" => &super::anycast::ANYCAST,
        "Registry" => &super::registry::REGISTRY,
        _ => &AUTHORITY,
    };
    let Some(fields) = Fields::open(form, entry, problems) else { return template };
    template.countable = form.fields.contains(&"count");
    let at = fields.get_if("at");
    template.places = at.map_or_else(Vec::new, |value| places(value, problems));
    template.broken = at.is_some() && template.places.is_empty();
    // More than 16,777,000 hosts would not fit into 10.0.0.0/8, and none of this size was ever simulated in one run.
    template.count =
        fields.get_if("count").and_then(|value| value::whole(value, "a count of nodes", 1..=1_000_000, problems));
    if let Some(Kind::List(items)) = at.map(|value| &value.kind)
        && one_or_many(&template, at, form, problems)
        && fields.at_most_one(&["at", "count"], "a list of places makes a group with a member at each", problems)
    {
        template.count = Some(items.len().max(1) as u64);
    }
    if matches!(kind, "Host" | "Server" | "Balancer" | "Edge" | "PurgeControl" | "Store" | "Cluster") {
        let access = fields.get_if("access");
        template.access = access.and_then(|value| {
            let table = PROFILES.iter().map(|profile| (profile.name, profile));
            value::named(value, "an access profile", table, problems)
        });
        if let Some(value) = fields.get("tcp") {
            template.settings = tcp::read(value, tcp, problems);
        }
    }
    match kind {
        "Host" => {
            template.resolver = fields.get("resolver");
            template.uplinks = uplinks_of(&fields, problems);
        }
        "Router" => template.kind = NodeKind::Router,
        "Server" => {
            template.keys = fields.get("idempotency").filter(|value| matches!(value.kind, Kind::Struct { .. }));
            template.kind = NodeKind::Server(server::read(&fields, problems));
            template.calls = server::calls(&fields);
            template.register = fields.get("register");
        }
        "Balancer" => template.kind = NodeKind::Balancer(Balancer::unread()),
        "Edge" => template.kind = NodeKind::Edge(edge::template(&fields, problems)),
        "PurgeControl" => template.kind = NodeKind::PurgeControl(edge::control(&fields, problems)),
        "Store" => {
            let (node, whole) = store::read(&fields, problems);
            template.kind = NodeKind::Store(node);
            template.store = Some(whole);
        }
        "Cluster" => template.kind = NodeKind::Cluster(cluster::read(&fields, template.count, problems)),
        "Resolver" => template.kind = NodeKind::Resolver(resolver(&fields, problems)),
        "Registry" => template.kind = NodeKind::Registry,
        "Anycast" => template.kind = NodeKind::Anycast(Anycast::unread()),
        _ => {
            template.zones = fields.get("zones");
            template.kind = NodeKind::Authority { zones: Vec::new() };
        }
    }
    template
}

/// What a host says of its links.
fn uplinks_of<'a>(fields: &Fields<'a>, problems: &mut Problems) -> Option<uplinks::Said<'a>> {
    let delay = fields.get("carrier_delay").and_then(|value| value::span(value, "`carrier_delay`", problems));
    let uplinks = fields.get("uplinks");
    if uplinks.is_none() {
        fields.no_effect("carrier_delay", "without `uplinks` the host does nothing about its links", problems);
    }
    Some(uplinks::Said { uplinks: uplinks?, carrier_delay: delay.unwrap_or_default() })
}

/// Whether there may be several of it; otherwise a list of places is reported.
fn one_or_many(template: &Template<'_>, at: Option<&Value>, form: &Form, problems: &mut Problems) -> bool {
    if let (Some(value), false) = (at, template.countable) {
        problems.add(
            Diagnostic::error(Code::WrongShape, value.span, format!("{} stands at one place", article(form.name)))
                .label("found a list")
                .help("declare a node of its own for each place"),
        );
    }
    template.countable
}

/// A place, or one for each member of a group; none if one of them is wrong.
fn places(value: &Value, problems: &mut Problems) -> Vec<Place> {
    let Kind::List(items) = &value.kind else { return place(value, problems).into_iter().collect() };
    if items.is_empty() {
        problems.add(Diagnostic::error(Code::Empty, value.span, "a group at no place has no members"));
    }
    let all: Vec<Option<Place>> = items.iter().map(|item| place(item, problems)).collect();
    all.into_iter().collect::<Option<Vec<Place>>>().unwrap_or_default()
}

fn place(value: &Value, problems: &mut Problems) -> Option<Place> {
    let name = value::text(value, "a place", problems)?;
    match topo::find(name) {
        Ok(place) => Some(place),
        Err(unknown) => {
            let help = if unknown.similar.is_empty() {
                "a place is a city, a cloud region such as `aws:us-east-1`, or coordinates: \"51.5,-0.12\"; `lightlag list \
                 places` shows them all"
                    .to_owned()
            } else {
                format!("did you mean {}?", list(&unknown.similar))
            };
            let message = format!("no place is called `{name}`");
            problems.add(Diagnostic::error(Code::UnknownPlace, inner(value), message).help(help));
            None
        }
    }
}

fn resolver(fields: &Fields<'_>, problems: &mut Problems) -> Resolver {
    // As `service::resolver::Config::new`.
    let mut config = Resolver {
        cache_entries: 100_000,
        timeout: Duration::from_secs(1),
        attempts: 3,
        min_ttl: 0,
        max_ttl: u32::MAX,
        rotates: false,
    };
    if let Some(value) = fields.get("cache") {
        let entries = value::whole(value, "`cache` (record sets)", 0..=1 << 32, problems);
        config.cache_entries = entries.map_or(config.cache_entries, |n| usize::try_from(n).unwrap_or(usize::MAX));
    }
    if let Some(value) = fields.get("timeout") {
        config.timeout = value::positive_span(value, "`timeout`", problems).unwrap_or(config.timeout);
    }
    if let Some(value) = fields.get("attempts") {
        let attempts = value::whole(value, "`attempts`", 1..=100, problems);
        config.attempts = attempts.and_then(|n| u32::try_from(n).ok()).unwrap_or(config.attempts);
    }
    for (name, field) in [("min_ttl", &mut config.min_ttl), ("max_ttl", &mut config.max_ttl)] {
        if let Some(value) = fields.get(name) {
            *field = super::zones::ttl(value, problems).unwrap_or(*field);
        }
    }
    if config.min_ttl > config.max_ttl {
        let span = fields.get("min_ttl").map_or(fields.span, |value| value.span);
        problems.add(
            Diagnostic::error(Code::Contradiction, span, "`min_ttl` is longer than `max_ttl`").help("exchange them"),
        );
        config.min_ttl = config.max_ttl;
    }
    if let Some(value) = fields.get("rotation") {
        config.rotates = value::word(value, "`rotation`", &["Cyclic", "Fixed"], problems) == Some("Cyclic");
    }
    if config.cache_entries == 0 {
        fields.no_effect("rotation", "it remembers nothing: `cache` is 0", problems);
        fields.no_effect("min_ttl", "it remembers nothing: `cache` is 0", problems);
    }
    config
}

impl Nodes<'_> {
    /// The nodes that a reference means: a node, all members of a group, or one of them.
    pub(super) fn find(&self, value: &Value, problems: &mut Problems) -> Option<&[u32]> {
        let name = value::text(value, "a node", problems)?;
        self.find_name(name, inner(value), problems)
    }

    /// Whether what has been found is machines and no address that several of them announce.
    pub(super) fn are_machines(value: &Value, found: &[u32], plan: &Plan, problems: &mut Problems) -> bool {
        let mut shared = found.iter().map(|&node| &plan.nodes[node as usize]);
        let Some(node) = shared.find(|node| matches!(node.kind, NodeKind::Anycast(_))) else { return true };
        problems.add(
            Diagnostic::error(Code::WrongRole, inner(value), format!("`{}` is an address and no machine", node.name))
                .also(node.declared, "an `Anycast` address")
                .help("name the machines that announce it"),
        );
        false
    }

    /// The nodes called `name`, if there are any.
    pub(super) fn named(&self, name: &str) -> Option<&[u32]> {
        if let Some(group) = self.groups.iter().find(|group| group.name == name) {
            return Some(&group.members);
        }
        let (name, member) = name.rsplit_once('/')?;
        let group = self.groups.iter().find(|group| group.name == name && group.counted)?;
        let index = member.parse::<usize>().ok()?.checked_sub(1)?;
        group.members.get(index..=index)
    }

    /// The nodes called `name`; `span` is where it stands.
    pub(super) fn find_name(&self, name: &str, span: Span, problems: &mut Problems) -> Option<&[u32]> {
        if let Some(found) = self.named(name) {
            return Some(found);
        }
        let member = name.rsplit_once('/').and_then(|(group, _)| self.groups.iter().find(|other| other.name == group));
        problems.add(match member {
            Some(group) if group.counted => {
                let last = group.members.len();
                Diagnostic::error(Code::UnknownMember, span, format!("`{}` has no member `{name}`", group.name))
                    .also(group.span, "the group is declared here")
                    .help(format!("its members are `{0}/1` to `{0}/{last}`", group.name))
            }
            Some(group) if group.anycast.is_some() => {
                let message = format!("`{}` is one address: who announces it has no number", group.name);
                Diagnostic::error(Code::UnknownMember, span, message)
                    .also(group.span, "an `Anycast` address")
                    .help(format!("write `{}`, or the name of one of the machines that announce it", group.name))
            }
            Some(group) if !group.countable => {
                Diagnostic::error(Code::UnknownMember, span, format!("`{}` is a single node", group.name))
                    .also(group.span, "declared here")
                    .help(format!("write `{}`", group.name))
            }
            Some(group) => Diagnostic::error(Code::UnknownMember, span, format!("`{}` is a single node", group.name))
                .also(group.span, "declared here without `count`")
                .help(format!("write `{}`, or give the node a `count`", group.name)),
            None => self.unknown(name, span),
        });
        None
    }

    fn unknown(&self, name: &str, span: Span) -> Diagnostic {
        let diagnostic = Diagnostic::error(Code::UnknownNode, span, format!("no node is called `{name}`"));
        let near = similar(name, self.groups.iter().map(|group| group.name));
        match self.groups.iter().find(|group| Some(group.name) == near) {
            Some(group) => diagnostic
                .also(group.span, "a node with a similar name is declared here")
                .help(format!("did you mean `{}`?", group.name)),
            None if self.groups.is_empty() || self.groups.len() > 12 => diagnostic.help("it must be a key of `nodes`"),
            None => diagnostic.help(format!("the nodes are {}", list(self.groups.iter().map(|group| group.name)))),
        }
    }

    /// What depends on links: the MTU of each node, and whom its programs ask for names.
    pub(super) fn finish(&self, plan: &mut Plan, problems: &mut Problems) {
        let mut mtu = vec![None; plan.nodes.len()];
        for link in &plan.links {
            for (end, direction) in [(link.a, 0), (link.b, 1)] {
                let least = &mut mtu[end as usize];
                let own = link.directions[direction].mtu;
                *least = Some(least.map_or(own, |least: u32| least.min(own)));
            }
        }
        let resolvers = super::paths::resolvers(plan);
        for group in &self.groups {
            let named = group.resolver.and_then(|value| self.named_resolvers(value, plan, problems));
            for &member in &group.members {
                let node = &mut plan.nodes[member as usize];
                node.tcp.mtu = group.mtu.or(mtu[member as usize]).unwrap_or(1_500);
                if matches!(node.kind, NodeKind::Host) || !group.calls.is_empty() {
                    node.resolvers = named.clone().unwrap_or_else(|| resolvers[member as usize].clone());
                }
            }
        }
    }

    /// Warns of resolvers named for those who look up no names, in a plan without errors.
    pub(super) fn asking(&self, plan: &Plan, problems: &mut Problems) {
        let asking: BTreeSet<u32> = super::rules::looking_up(plan).collect();
        for group in &self.groups {
            let (Some(value), false) = (group.resolver, group.members.iter().any(|node| asking.contains(node))) else {
                continue;
            };
            let message = format!("`resolver` of `{}` has no effect: it looks up no names", group.name);
            problems.add(
                Diagnostic::warning(Code::NoEffect, value.span, message)
                    .help("ask for a name of a zone: `to: \"http://shop.example/\"`"),
            );
        }
    }

    fn named_resolvers(&self, value: &Value, plan: &Plan, problems: &mut Problems) -> Option<Vec<u32>> {
        let mut all = Vec::new();
        if value::each(value).is_empty() {
            problems.add(
                Diagnostic::error(Code::Empty, value.span, "this names no resolver")
                    .help("leave `resolver` out: then the nearest one is asked"),
            );
        }
        for value in value::each(value) {
            let found = self.find(value, problems)?;
            let resolves = |node: &u32| {
                let is = |&node: &u32| matches!(plan.nodes[node as usize].kind, NodeKind::Resolver(_));
                plan.machines(node).iter().all(is)
            };
            if let Some(&other) = found.iter().find(|node| !resolves(node)) {
                let node = &plan.nodes[other as usize];
                problems.add(
                    Diagnostic::error(Code::WrongRole, inner(value), format!("`{}` is no resolver", node.name))
                        .also(node.declared, node.kind.described())
                        .help("name a node declared as `Resolver(..)`"),
                );
                return None;
            }
            all.extend_from_slice(found);
        }
        Some(all)
    }
}
