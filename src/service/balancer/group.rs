//! A pool at work: who of its members may be chosen, what each has, and what has been noticed about them.

use super::config::Pool;
use super::outlier::{Outliers, Record as Standing};
use super::policy::{Asked, Candidate, Policy};
use super::slow_start;
use crate::base::{Rng, Span, Time};
use crate::trace::Judged;

/// The members' state and the policy. Nothing here knows of packets: checks, answers and instants are told to it.
pub struct Group {
    config: Pool,
    members: Vec<Member>,
    policy: Box<dyn Policy>,
    rng: Rng,
    panicking: bool,
    notices: Vec<(Judged, usize)>,
    among: Vec<Candidate>,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    /// Whether its health checks say so; everybody is healthy until they have failed.
    healthy: bool,
    /// Checks in a row that contradict that.
    against: u32,
    standing: Standing,
    draining: bool,
    active: u32,
    /// When it came back.
    since: Option<Time>,
}

impl Member {
    const fn usable(&self) -> bool {
        self.healthy && !self.standing.is_ejected()
    }
}

impl Group {
    /// All members healthy, with nothing to do. `rng` draws what the policy leaves to chance; `instance` numbers the balancers
    /// that share the pool.
    #[must_use]
    pub fn new(config: Pool, instance: u32, rng: Rng) -> Self {
        let fresh = Member {
            healthy: true,
            against: 0,
            standing: Standing::default(),
            draining: false,
            active: 0,
            since: None,
        };
        Self {
            members: vec![fresh; config.members.len()],
            policy: config.algorithm.policy(config.members.len(), instance),
            rng,
            panicking: false,
            notices: Vec::new(),
            among: Vec::new(),
            config,
        }
    }

    /// What it was told.
    #[must_use]
    pub const fn config(&self) -> &Pool {
        &self.config
    }

    /// Requests or connections of a member.
    #[must_use]
    pub fn active(&self, id: usize) -> u32 {
        self.members[id].active
    }

    /// What was noticed since the last call, and about whom.
    pub fn notices(&mut self) -> Vec<(Judged, usize)> {
        std::mem::take(&mut self.notices)
    }

    /// The member for the next request or connection, none of those that were `tried`; `None` if nobody may be chosen.
    pub fn choose(&mut self, asked: Asked, tried: &[usize]) -> Option<usize> {
        self.among.clear();
        for (id, member) in self.members.iter().enumerate() {
            if self.takes(id) && !tried.contains(&id) {
                let weight = self.config.members[id].weight;
                let share = slow_start::share(weight, member.since, self.config.slow_start, asked.now);
                self.among.push(Candidate { id, weight, share, active: member.active });
            }
        }
        if self.among.is_empty() {
            return None;
        }
        let place = self.policy.pick(&self.among, asked, &mut self.rng);
        Some(self.among[place].id)
    }

    /// Whether a member may be sent something new. While too few are healthy all may that are not draining: to send everything to
    /// the few would fell them too.
    #[must_use]
    pub fn takes(&self, id: usize) -> bool {
        let member = &self.members[id];
        !member.draining && (member.usable() || self.panicking)
    }

    /// A member has been sent something.
    pub fn began(&mut self, id: usize) {
        self.members[id].active += 1;
    }

    /// It is rid of it.
    pub fn ended(&mut self, id: usize) {
        let member = &mut self.members[id];
        member.active -= 1;
        if member.draining && member.active == 0 {
            self.notices.push((Judged::Drained, id));
        }
    }

    /// A member has answered, well or not, so long after it was asked.
    pub fn answered(&mut self, id: usize, well: bool, latency: Span, now: Time) {
        self.policy.answered(id, latency, now);
        let Some(rules) = self.config.outliers else { return };
        if self.members[id].standing.ended(well, &rules) {
            let ejected = self.members.iter().filter(|member| member.standing.is_ejected()).count();
            if rules.allows(ejected, self.members.len()) {
                self.members[id].standing.eject(now);
                self.notices.push((Judged::Ejected, id));
                self.judge();
            }
        }
    }

    /// The look at the ejected that comes at every interval.
    pub fn look(&mut self, rules: &Outliers, now: Time) {
        for (id, member) in self.members.iter_mut().enumerate() {
            if member.standing.look(now, rules) {
                member.since = Some(now);
                self.notices.push((Judged::Readmitted, id));
            }
        }
        self.judge();
    }

    /// A health check of a member ended; `fall` failures in a row make it unhealthy, `rise` successes healthy again.
    pub fn checked(&mut self, id: usize, well: bool, (fall, rise): (u32, u32), now: Time) {
        let member = &mut self.members[id];
        if member.healthy == well {
            member.against = 0;
            return;
        }
        member.against += 1;
        if member.against < if well { rise } else { fall } {
            return;
        }
        (member.healthy, member.against) = (well, 0);
        if well {
            member.since = Some(now);
        }
        self.notices.push((if well { Judged::Up } else { Judged::Down }, id));
        self.judge();
    }

    /// A member gets nothing new from now on.
    pub fn drain(&mut self, id: usize) {
        self.members[id].draining = true;
        self.notices.push((Judged::Draining, id));
        if self.members[id].active == 0 {
            self.notices.push((Judged::Drained, id));
        }
        self.judge();
    }

    /// Whether so few are healthy that it is better not to look. Those that drain do not count either way.
    fn judge(&mut self) {
        let here = self.members.iter().filter(|member| !member.draining);
        let (all, usable) =
            here.fold((0_u32, 0_u32), |(all, usable), member| (all + 1, usable + u32::from(member.usable())));
        let panicking = f64::from(usable) < self.config.panic.get() * f64::from(all);
        if panicking != self.panicking {
            self.panicking = panicking;
            self.notices.push((if panicking { Judged::Panic } else { Judged::Calm }, 0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Member as Settings;
    use super::super::policy::Algorithm;
    use super::*;
    use crate::base::Ratio;
    use std::net::{Ipv4Addr, SocketAddrV4};

    fn group(members: u8, change: impl FnOnce(&mut Pool)) -> Group {
        let member = |n: u8| Settings {
            node: u32::from(n),
            name: format!("shop/{n}"),
            at: SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, n), 80),
            tls: false,
            weight: 1,
            drain: None,
        };
        let mut pool = Pool::new("shop", (1..=members).map(member).collect());
        change(&mut pool);
        Group::new(pool, 0, Rng::stream(1, "test/group"))
    }

    fn asked(now: Time) -> Asked {
        Asked { now, key: 0 }
    }

    fn chosen(group: &mut Group, n: usize) -> Vec<usize> {
        (0..n).filter_map(|_| group.choose(asked(Time::ZERO), &[])).collect()
    }

    #[test]
    fn failures_in_a_row_take_a_member_out_and_successes_in_a_row_bring_it_back() {
        let mut group = group(3, |_| {});
        let mut check = |well| {
            group.checked(1, well, (3, 2), Time::ZERO);
            (group.takes(1), group.notices())
        };
        assert_eq!(check(false), (true, vec![]));
        assert_eq!(check(false), (true, vec![]));
        assert_eq!(check(true), (true, vec![]), "not in a row");
        assert_eq!(check(false), (true, vec![]));
        assert_eq!(check(false), (true, vec![]));
        assert_eq!(check(false), (false, vec![(Judged::Down, 1)]));
        assert_eq!(check(true), (false, vec![]));
        assert_eq!(check(true), (true, vec![(Judged::Up, 1)]));
    }

    #[test]
    fn below_the_threshold_all_are_used_but_those_that_drain() {
        let mut group = group(4, |_| {});
        group.checked(0, false, (1, 1), Time::ZERO);
        group.checked(1, false, (1, 1), Time::ZERO);
        assert_eq!(chosen(&mut group, 4), [2, 3, 2, 3], "half are healthy: that is enough");
        group.drain(3);
        assert_eq!(group.notices().last(), Some(&(Judged::Panic, 0)));
        assert_eq!(chosen(&mut group, 4), [0, 1, 2, 0]);
        group.checked(0, true, (1, 1), Time::ZERO);
        assert_eq!(group.notices(), [(Judged::Up, 0), (Judged::Calm, 0)]);
        assert_eq!(chosen(&mut group, 3), [2, 0, 2]);
    }

    #[test]
    fn one_that_drains_is_drained_when_its_last_request_has_ended() {
        let mut group = group(2, |_| {});
        group.began(0);
        group.began(0);
        group.drain(0);
        assert_eq!(group.notices(), [(Judged::Draining, 0)]);
        group.ended(0);
        assert_eq!(group.notices(), []);
        group.ended(0);
        assert_eq!(group.notices(), [(Judged::Drained, 0)]);
    }

    #[test]
    fn the_last_one_drained_leaves_nobody() {
        let mut group = group(1, |_| {});
        group.drain(0);
        assert_eq!(group.choose(asked(Time::ZERO), &[]), None);
    }

    #[test]
    fn an_outlier_is_left_out_and_comes_back_slowly() {
        let rules = Outliers { share: Ratio::new(0.5).unwrap(), ..Outliers::new() };
        let mut group = group(4, |pool| {
            pool.outliers = Some(rules);
            pool.algorithm = Algorithm::Weighted;
            pool.slow_start = Some(Span::from_secs(60));
        });
        for _ in 0..5 {
            group.answered(2, false, Span::ZERO, Time::ZERO);
        }
        assert_eq!(group.notices(), [(Judged::Ejected, 2)]);
        assert!(!chosen(&mut group, 8).contains(&2));
        let back = Time::ZERO + Span::from_secs(30);
        group.look(&rules, back);
        assert_eq!(group.notices(), [(Judged::Readmitted, 2)]);
        let n = (0..310).filter(|_| group.choose(asked(back), &[]) == Some(2)).count();
        assert_eq!(n, 10, "a tenth of a share beside three whole ones");
    }

    /// Whatever happens in whatever order: nothing is sent to one that drains, nor, unless there is panic, to one that is down
    /// or ejected, and what is active is what began and has not ended.
    #[test]
    fn nobody_who_drains_or_is_down_is_chosen() {
        let rules = Outliers { consecutive: 2, ..Outliers::new() };
        for (seed, (name, _)) in (0..).zip(super::super::policy::TABLE) {
            let algorithm = match *name {
                "Weighted" => Algorithm::Weighted,
                "Random" => Algorithm::Random,
                "LeastConnections" => Algorithm::LeastConnections,
                "PeakEwma" => Algorithm::PeakEwma { decay: Algorithm::DECAY },
                "IpHash" => Algorithm::IpHash,
                "ConsistentHash" => Algorithm::ConsistentHash {
                    key: super::super::policy::HashKey::Address,
                    points: 20,
                    load: Some(125),
                },
                "Maglev" => Algorithm::Maglev { key: super::super::policy::HashKey::Address, table: 251 },
                "TwoChoices" => Algorithm::TwoChoices,
                "Subset" => Algorithm::Subset { size: 3, of: Box::new(Algorithm::Random) },
                _ => Algorithm::RoundRobin,
            };
            let mut group = group(7, |pool| {
                pool.algorithm = algorithm;
                pool.outliers = Some(rules);
                pool.slow_start = Some(Span::from_secs(5));
            });
            let mut chance = Rng::stream(seed, "test/group/events");
            let mut under_way: Vec<usize> = Vec::new();
            let mut sent = 0;
            for step in 0..5_000_u64 {
                let now = Time::ZERO + Span::from_millis(step * 10);
                let id = usize::try_from(chance.below(7)).unwrap();
                match chance.below(20) {
                    0 => group.checked(id, chance.chance(0.6), (2, 2), now),
                    1 => group.answered(id, chance.chance(0.3), Span::from_millis(chance.below(100)), now),
                    2 => group.look(&rules, now),
                    3 if step % 900 == 0 => group.drain(id),
                    4..=9 if !under_way.is_empty() => {
                        let index = usize::try_from(chance.below(under_way.len() as u64)).unwrap();
                        group.ended(under_way.swap_remove(index));
                    }
                    _ => {
                        let key = chance.bits();
                        let tried: Vec<usize> = if chance.chance(0.2) { vec![id] } else { Vec::new() };
                        let Some(id) = group.choose(Asked { now, key }, &tried) else { continue };
                        assert!(!tried.contains(&id), "{name}");
                        let member = group.members[id];
                        assert!(!member.draining, "{name}: sent to one that drains");
                        assert!(member.usable() || group.panicking, "{name}: sent to one that is out");
                        group.began(id);
                        under_way.push(id);
                        sent += 1;
                    }
                }
                let active: u32 = group.members.iter().map(|member| member.active).sum();
                assert_eq!(active as usize, under_way.len());
            }
            assert!(sent > 1_000, "{name}: {sent}");
        }
    }
}
