//! Links: what joins nodes, how fast, how long and how faulty; one declaration between groups makes many links.

use super::form::{Fields, Form};
use super::nodes::Nodes;
use super::profile::{self, Profile};
use super::{Problems, check_name, dist, inner, queue, value};
use crate::base::{BitRate, Dist, Ratio, Span as Duration};
use crate::link::{self, loss};
use crate::scenario::ast::{Kind, Span, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{Length, Link, Plan};
use crate::topo::natural_order;
use crate::topo::{Stretch, cable_metres, distance, fiber_delay};

static LINK: Form = Form {
    name: "link",
    fields: &[
        "between",
        "name",
        "rate",
        "delay",
        "distance",
        "stretch",
        "mtu",
        "queue",
        "loss",
        "jitter",
        "overtake",
        "reorder",
        "duplicate",
        "corrupt",
        "a_to_b",
        "b_to_a",
        "mesh",
    ],
};
static DIRECTION: Form = Form {
    name: "direction",
    fields: &["rate", "delay", "queue", "loss", "jitter", "overtake", "reorder", "duplicate", "corrupt"],
};
static REORDER: Form = Form { name: "reorder", fields: &["share", "by"] };
static GILBERT_ELLIOTT: Form =
    Form { name: "GilbertElliott", fields: &["good_to_bad", "bad_to_good", "loss_good", "loss_bad"] };

pub(super) const FORMS: &[&Form] = &[&LINK, &DIRECTION, &REORDER, &GILBERT_ELLIOTT];

/// The rate of a link that says nothing and ends at no access line.
const RATE_BPS: u64 = 1_000_000_000;

/// What a declaration says about one direction; what it leaves open comes from defaults.
#[derive(Clone, Default)]
struct Direction {
    rate: Option<BitRate>,
    delay: Option<Duration>,
    queue: Option<link::queue::Config>,
    loss: Option<loss::Config>,
    jitter: Option<Dist>,
    overtake: Option<bool>,
    reorder: Option<(Ratio, Duration)>,
    duplicate: Option<Ratio>,
    corrupt: Option<Ratio>,
}

/// A declaration: one link, or one for each pair.
struct Declared<'a> {
    name: Option<(&'a str, Span)>,
    span: Span,
    pairs: Vec<(u32, u32)>,
    directions: [Direction; 2],
    distance: Option<u64>,
    /// Where delay or distance is stated.
    length_span: Span,
    stretch: Option<Stretch>,
    mtu: u32,
    /// Where the queue is stated.
    queue_span: Span,
}

/// Reads all links into the plan, in natural order of their names.
pub(super) fn read(value: &Value, nodes: &Nodes<'_>, plan: &mut Plan, problems: &mut Problems) {
    let Kind::List(items) = &value.kind else {
        value::wrong::<()>(value, "links are a list: [(between: (\"a\", \"b\"), rate: \"100Mbps\")]", problems);
        return;
    };
    let mut made: Vec<Link> = Vec::new();
    for item in items {
        let Some(declared) = declaration(item, nodes, plan, problems) else { continue };
        let many = declared.pairs.len() > 1;
        let mut silent = Problems::default();
        for (index, &(a, b)) in declared.pairs.iter().enumerate() {
            // What is wrong with one link of many is wrong with all: it is said once.
            let problems = if index == 0 { &mut *problems } else { &mut silent };
            let Some((directions, length, access)) = settle(&declared, (a, b), nodes, plan, problems) else { break };
            let (from, to) = (&plan.nodes[a as usize], &plan.nodes[b as usize]);
            judge_queues(&declared, &directions, problems);
            let name = match declared.name {
                Some((name, _)) if many => format!("{name}/{}", index + 1),
                Some((name, _)) => name.to_owned(),
                None => format!("{}-{}", from.name, to.name),
            };
            let geodesic = from.place.as_ref().zip(to.place.as_ref()).map(|(from, to)| distance(from.at, to.at));
            made.push(Link { name, declared: declared.span, a, b, directions, length, geodesic, access });
        }
    }
    name_apart(&mut made, problems);
    let mut order: Vec<usize> = (0..made.len()).collect();
    order.sort_by(|&left, &right| natural_order(&made[left].name, &made[right].name));
    let mut at = vec![0; made.len()];
    for (index, &old) in (0u32..).zip(&order) {
        at[old] = index;
    }
    plan.written.links = at;
    plan.links = order.into_iter().map(|old| made[old].clone()).collect();
}

/// Gives parallel links without names of their own different names, and reports links that share a given one.
fn name_apart(links: &mut [Link], problems: &mut Problems) {
    let mut seen: std::collections::BTreeMap<String, (u32, Span)> = std::collections::BTreeMap::new();
    for link in links {
        let default = link.name.clone();
        let entry = seen.entry(default.clone()).or_insert((0, link.declared));
        entry.0 += 1;
        if entry.0 > 1 {
            link.name = format!("{default}#{}", entry.0);
            problems.add(
                Diagnostic::warning(
                    Code::DuplicateName,
                    link.declared,
                    format!("a second link is called `{default}`: it becomes `{}`", link.name),
                )
                .also(entry.1, "the first one")
                .help("give it a `name` of its own"),
            );
        }
    }
}

fn declaration<'a>(item: &'a Value, nodes: &Nodes<'_>, plan: &Plan, problems: &mut Problems) -> Option<Declared<'a>> {
    let fields = Fields::open(&LINK, item, problems)?;
    let name = fields.get("name").and_then(|value| {
        let name = value::text(value, "a link's name", problems)?;
        check_name(name, inner(value), problems).then_some((name, inner(value)))
    });
    let mesh = fields.get("mesh").and_then(|value| value::flag(value, "`mesh`", problems)).unwrap_or(false);
    let between = fields.need("between", "(\"a\", \"b\")", problems);
    let pairs = between.and_then(|value| pairs(value, mesh, nodes, plan, problems));
    let both = direction(&fields, problems);
    let mut directions = [both.clone(), both];
    let mut said: Vec<&str> = DIRECTION.fields.to_vec();
    for (name, direction_of) in ["a_to_b", "b_to_a"].into_iter().zip(&mut directions) {
        let Some(value) = fields.get(name) else { continue };
        let Some(own) = Fields::open(&DIRECTION, value, problems) else { continue };
        said.retain(|field| own.get(field).is_some());
        let own = direction(&own, problems);
        *direction_of = own.or(direction_of);
    }
    if fields.get("a_to_b").is_some() && fields.get("b_to_a").is_some() {
        said.iter().for_each(|name| fields.no_effect(name, "each direction has its own", problems));
    }
    let one = fields.at_most_one(&["delay", "distance"], "each decides how long light is on its way", problems);
    let distance = fields.get("distance").and_then(|value| value::distance(value, "`distance`", problems));
    let stretch = fields.get("stretch").and_then(|value| stretch(value, problems));
    if one && directions.iter().all(|direction| direction.delay.is_some()) {
        fields.no_effect("stretch", "the delay is given", problems);
    }
    for (direction, inside) in directions.iter().zip(["a_to_b", "b_to_a"]) {
        if direction.jitter.is_none() && direction.overtake.is_some() {
            let name = if fields.get("overtake").is_some() { "overtake" } else { inside };
            fields.no_effect(name, "without `jitter` packets do not overtake each other", problems);
            break;
        }
    }
    let mtu = fields.get("mtu").and_then(|value| mtu(value, problems)).unwrap_or(1_500);
    let queue_span = fields.get("queue").or(fields.get("a_to_b")).or(fields.get("b_to_a"));
    let queue_span = queue_span.map_or(item.span, |value| value.span);
    let pairs = pairs?;
    if pairs.len() == 1 && mesh {
        fields.no_effect("mesh", "both ends are single nodes", problems);
    }
    let span = between?.span;
    let length_span = fields.get("delay").or(fields.get("distance")).map_or(span, |value| value.span);
    Some(Declared { name, span, pairs, directions, distance, length_span, stretch, mtu, queue_span })
}

/// Which nodes a declaration joins.
fn pairs(
    value: &Value,
    mesh: bool,
    nodes: &Nodes<'_>,
    plan: &Plan,
    problems: &mut Problems,
) -> Option<Vec<(u32, u32)>> {
    let (Kind::Tuple { name: None, items } | Kind::List(items)) = &value.kind else {
        return value::wrong(value, "`between` names two nodes: (\"a\", \"b\")", problems);
    };
    let [first, second] = &items[..] else {
        return value::wrong(value, "`between` names two nodes: (\"a\", \"b\")", problems);
    };
    let mut end = |value| nodes.find(value, problems).filter(|found| Nodes::are_machines(value, found, plan, problems));
    let (a, b) = (end(first), end(second));
    let (a, b) = (a?, b?);
    if a == b {
        if mesh && a.len() > 1 {
            let all = a.iter().enumerate();
            return Some(all.flat_map(|(index, &x)| a[index + 1..].iter().map(move |&y| (x, y))).collect());
        }
        let message = format!("a link needs two different ends, not `{}` twice", value::text(first, "", problems)?);
        let diagnostic = Diagnostic::error(Code::Contradiction, value.span, message);
        problems.add(if a.len() > 1 { diagnostic.help("`mesh: true` joins every two members") } else { diagnostic });
        return None;
    }
    if mesh {
        return Some(a.iter().flat_map(|&x| b.iter().map(move |&y| (x, y))).filter(|(x, y)| x != y).collect());
    }
    let (m, n) = (a.len(), b.len());
    if m.is_multiple_of(n) || n.is_multiple_of(m) {
        let most = m.max(n);
        return Some((0..most).map(|index| (a[index * m / most], b[index * n / most])).collect());
    }
    let names = (&plan.nodes[a[0] as usize].name, &plan.nodes[b[0] as usize].name);
    problems.add(
        Diagnostic::error(Code::Contradiction, value.span, format!("{m} members cannot be dealt out evenly to {n}"))
            .label(format!("from `{}` on and from `{}` on", names.0, names.1))
            .help(
                "`mesh: true` joins every member with every other; otherwise one count must be a multiple of the other",
            ),
    );
    None
}

fn direction(fields: &Fields<'_>, problems: &mut Problems) -> Direction {
    let share = |name: &str, problems: &mut Problems| {
        fields.get(name).and_then(|value| value::ratio(value, &format!("`{name}`"), problems))
    };
    Direction {
        rate: fields.get("rate").and_then(|value| value::rate(value, "`rate`", problems)),
        delay: fields.get("delay").and_then(|value| value::span(value, "`delay`", problems)),
        queue: fields.get("queue").and_then(|value| queue::read(value, problems)),
        loss: fields.get("loss").and_then(|value| loss(value, problems)),
        jitter: fields.get("jitter").and_then(|value| jitter(value, problems)),
        overtake: fields.get("overtake").and_then(|value| value::flag(value, "`overtake`", problems)),
        reorder: fields.get("reorder").and_then(|value| reorder(value, problems)),
        duplicate: share("duplicate", problems),
        corrupt: share("corrupt", problems),
    }
}

impl Direction {
    /// This, and what it leaves open from `other`.
    fn or(self, other: &Self) -> Self {
        Self {
            rate: self.rate.or(other.rate),
            delay: self.delay.or(other.delay),
            queue: self.queue.or_else(|| other.queue.clone()),
            loss: self.loss.or(other.loss),
            jitter: self.jitter.or(other.jitter),
            overtake: self.overtake.or(other.overtake),
            reorder: self.reorder.or(other.reorder),
            duplicate: self.duplicate.or(other.duplicate),
            corrupt: self.corrupt.or(other.corrupt),
        }
    }
}

/// The largest packet: IPv4's smallest possible MTU is 68 bytes (RFC 791), its largest packet 65,535.
pub(super) fn mtu(value: &Value, problems: &mut Problems) -> Option<u32> {
    let bytes = match value.kind {
        Kind::Number(_) => value::whole(value, "an MTU (bytes)", 68..=65_535, problems),
        _ => value::bytes(value, "an MTU", 68..=65_535, problems),
    };
    bytes.and_then(|bytes| u32::try_from(bytes).ok())
}

fn stretch(value: &Value, problems: &mut Problems) -> Option<Stretch> {
    // Light in vacuum is the limit; see `Stretch::new`.
    let factor = value::real(value, "`stretch`", Stretch::VACUUM.get()..=1_000.0, problems)?;
    Stretch::new(factor)
}

pub(super) fn loss(value: &Value, problems: &mut Problems) -> Option<loss::Config> {
    if value.variant().is_none() {
        let ratio = value::ratio(value, "`loss`", problems)?;
        return Some(if ratio.is_zero() { loss::Config::None } else { loss::Config::Iid(ratio) });
    }
    value::choice(value, "`loss`", &["GilbertElliott"], problems)?;
    let fields = Fields::open(&GILBERT_ELLIOTT, value, problems)?;
    let mut share = |name: &str, default: Option<Ratio>| {
        let value = match default {
            Some(_) => fields.get(name),
            None => fields.need(name, "\"1%\"", problems),
        };
        value.map_or(default, |value| value::ratio(value, &format!("`{name}`"), problems))
    };
    let (good_to_bad, bad_to_good) = (share("good_to_bad", None), share("bad_to_good", None));
    // Gilbert's model: nothing is lost in the good state and everything in the bad one.
    let (loss_good, loss_bad) = (share("loss_good", Some(Ratio::ZERO)), share("loss_bad", Some(Ratio::ONE)));
    Some(loss::Config::GilbertElliott {
        good_to_bad: good_to_bad?,
        bad_to_good: bad_to_good?,
        loss_good: loss_good?,
        loss_bad: loss_bad?,
    })
}

/// A distribution; a duration alone is the longest of a uniform one.
fn jitter(value: &Value, problems: &mut Problems) -> Option<Dist> {
    Some(match dist::read(value, "`jitter`", problems)? {
        Dist::Constant(high) if value.variant().is_none() => Dist::Uniform { low: Duration::ZERO, high },
        other => other,
    })
}

fn reorder(value: &Value, problems: &mut Problems) -> Option<(Ratio, Duration)> {
    let fields = Fields::open(&REORDER, value, problems)?;
    let share = fields.need("share", "\"1%\"", problems);
    let share = share.and_then(|value| value::ratio(value, "`share`", problems));
    let by = fields.need("by", "\"10ms\"", problems);
    let by = by.and_then(|value| value::positive_span(value, "`by`", problems));
    Some((share?, by?))
}

/// Everything about one link, with what its ends add: places and access profiles.
fn settle(
    declared: &Declared<'_>,
    (a, b): (u32, u32),
    nodes: &Nodes<'_>,
    plan: &Plan,
    problems: &mut Problems,
) -> Option<([link::Config; 2], Length, [Duration; 2])> {
    let places = [a, b].map(|node| plan.nodes[node as usize].place.as_ref());
    let profiles = [a, b].map(|node| nodes.access[node as usize]);
    let [Some(near), Some(far)] = places else {
        return settle_without_places(declared, (a, b), nodes, plan, problems);
    };
    let metres = declared.distance.unwrap_or_else(|| cable_metres(near.at, far.at));
    let stretch = declared.stretch.unwrap_or_default();
    let given = declared.directions.iter().all(|direction| direction.delay.is_some());
    let length = if given { Length::Delay } else { Length::Metres { metres, stretch } };
    let floor = fiber_delay(distance(near.at, far.at), Stretch::STRAIGHT);
    let stated = declared.directions.iter().filter_map(|direction| direction.delay);
    let shortest = stated.chain(declared.distance.map(|metres| fiber_delay(metres, stretch))).min();
    if let Some(shortest) = shortest.filter(|&shortest| shortest < floor) {
        problems.add(
            Diagnostic::warning(
                Code::FasterThanLight,
                declared.length_span,
                format!("{shortest} from {} to {} is faster than light in fiber", near.name, far.name),
            )
            .label(format!("the shortest way takes {floor}"))
            .help("leave `delay` out to have it computed from the places, or use `stretch` below 1 for radio links"),
        );
    }
    Some(finish(declared, profiles, fiber_delay(metres, stretch), length))
}

fn settle_without_places(
    declared: &Declared<'_>,
    (a, b): (u32, u32),
    nodes: &Nodes<'_>,
    plan: &Plan,
    problems: &mut Problems,
) -> Option<([link::Config; 2], Length, [Duration; 2])> {
    let profiles = [a, b].map(|node| nodes.access[node as usize]);
    let given = declared.directions.iter().all(|direction| direction.delay.is_some());
    let (delay, length) = match declared.distance {
        _ if given => (Duration::ZERO, Length::Delay),
        Some(metres) => {
            let stretch = declared.stretch.unwrap_or_default();
            (fiber_delay(metres, stretch), Length::Metres { metres, stretch })
        }
        // What is wrong with its ends has been said.
        None if [a, b].iter().any(|&end| nodes.broken[end as usize]) => return None,
        None if profiles.iter().any(Option::is_some) => (Duration::ZERO, Length::Access),
        None => {
            let lost = [a, b].map(|node| &plan.nodes[node as usize]).into_iter().find(|node| node.place.is_none());
            let mut diagnostic = Diagnostic::error(Code::MissingDelay, declared.span, "this link has no delay")
                .help("give it a `delay` or a `distance`, or both nodes a place with `at`");
            if let Some(node) = lost {
                diagnostic = diagnostic.also(node.declared, format!("`{}` has no place", node.name));
            }
            problems.add(diagnostic);
            return None;
        }
    };
    Some(finish(declared, profiles, delay, length))
}

/// What is wrong with the queues that a declaration states; said once where both directions have the same.
fn judge_queues(declared: &Declared<'_>, made: &[link::Config; 2], problems: &mut Problems) {
    for (way, config) in made.iter().enumerate() {
        let said = declared.directions[way].queue.is_some();
        let again = way == 1 && config.queue == made[0].queue && config.rate == made[0].rate;
        if said && !again {
            queue::judge(&config.queue, declared.queue_span, config.mtu, config.rate, problems);
        }
    }
}

/// Fills in what a declaration leaves open.
fn finish(
    declared: &Declared<'_>,
    profiles: [Option<&'static Profile>; 2],
    delay: Duration,
    length: Length,
) -> ([link::Config; 2], Length, [Duration; 2]) {
    let mut access = [Duration::ZERO; 2];
    let directions = [0, 1].map(|way| {
        let said = &declared.directions[way];
        // From `a` to `b` is up for `a` and down for `b`.
        let ends = [(profiles[way], 1), (profiles[1 - way], 0)];
        let ends: Vec<(&Profile, usize)> = ends.into_iter().filter_map(|(p, way)| Some((p?, way))).collect();
        access[way] = ends.iter().map(|(profile, way)| profile.delays()[*way]).sum();
        let line = ends.iter().map(|(profile, way)| profile.rates()[*way]).min();
        let default = BitRate::from_bps(RATE_BPS).expect("the default rate is positive");
        let rate = said.rate.or(line).unwrap_or(default);
        let mut config = link::Config::new(rate, said.delay.unwrap_or(delay) + access[way]);
        config.mtu = declared.mtu;
        if let Some(queue) = &said.queue {
            config.queue = queue.clone();
        } else if line.is_some() {
            config.queue = profile::access_queue(rate);
        }
        config.loss = said.loss.unwrap_or_else(|| access_loss(&ends));
        config.jitter = said.jitter;
        config.jitter_reorders = said.overtake.unwrap_or(false);
        config.reorder = said.reorder.filter(|(share, _)| !share.is_zero());
        config.duplicate = said.duplicate.unwrap_or(Ratio::ZERO);
        config.corrupt = said.corrupt.unwrap_or(Ratio::ZERO);
        config
    });
    (directions, length, access)
}

/// What the access lines lose, one after the other.
fn access_loss(ends: &[(&Profile, usize)]) -> loss::Config {
    let pass: f64 = ends.iter().map(|(profile, _)| 1.0 - profile.loss().get()).product();
    match Ratio::new(1.0 - pass) {
        Some(loss) if pass < 1.0 => loss::Config::Iid(loss),
        _ => loss::Config::None,
    }
}
