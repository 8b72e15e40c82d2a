//! Laws of the policies.

use super::*;
use crate::base::Dist;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

fn pool(weights: &[u32]) -> Vec<Candidate> {
    let one = |(id, &weight): (usize, &u32)| Candidate { id, weight, share: weight * 1_000, active: 0 };
    weights.iter().enumerate().map(one).collect()
}

fn at(now: Time) -> Asked {
    Asked { now, key: 0 }
}

fn rng() -> Rng {
    Rng::stream(7, "test/balancer")
}

/// Ids chosen in turn, nothing being outstanding.
fn picks(algorithm: &Algorithm, among: &[Candidate], n: usize) -> Vec<usize> {
    let members = among.iter().map(|one| one.id + 1).max().unwrap();
    let (mut policy, mut rng) = (algorithm.policy(members, 0), rng());
    (0..n).map(|_| among[policy.pick(among, at(Time::ZERO), &mut rng)].id).collect()
}

#[test]
fn the_table_names_every_policy() {
    let inner = Box::new(Algorithm::Random);
    let hash = Algorithm::ConsistentHash { key: HashKey::Path, points: 1, load: None };
    let all = [
        Algorithm::RoundRobin,
        Algorithm::Weighted,
        Algorithm::Random,
        Algorithm::LeastConnections,
        Algorithm::PeakEwma { decay: Algorithm::DECAY },
        Algorithm::IpHash,
        hash,
        Algorithm::Maglev { key: HashKey::Address, table: 7 },
        Algorithm::TwoChoices,
        Algorithm::Subset { size: 1, of: inner },
    ];
    assert!(all.iter().map(Algorithm::name).eq(TABLE.iter().map(|&(name, _)| name)));
}

#[test]
fn round_robin_takes_each_in_turn_and_passes_over_those_that_went() {
    assert_eq!(picks(&Algorithm::RoundRobin, &pool(&[1, 1, 1]), 5), [0, 1, 2, 0, 1]);
    let mut left = pool(&[1, 1, 1]);
    let (mut policy, mut rng) = (Algorithm::RoundRobin.policy(3, 0), rng());
    assert_eq!(policy.pick(&left, at(Time::ZERO), &mut rng), 0);
    left.remove(1);
    assert_eq!(left[policy.pick(&left, at(Time::ZERO), &mut rng)].id, 2);
}

/// The order in nginx's own description of the algorithm: a 5, b 1, c 1 give a a b a c a a.
#[test]
fn smooth_weights_spread_the_heaviest() {
    assert_eq!(picks(&Algorithm::Weighted, &pool(&[5, 1, 1]), 14), [[0, 0, 1, 0, 2, 0, 0]; 2].concat());
}

#[test]
fn random_shares_are_the_weights() {
    let picked = picks(&Algorithm::Random, &pool(&[3, 1]), 40_000);
    let first = picked.iter().filter(|&&id| id == 0).count();
    // Three standard deviations are 260.
    assert!((29_740..=30_260).contains(&first), "{first}");
}

/// Long-lived connections to servers of which one starts late: round robin leaves it behind for ever, least connections fills it up
/// until all are level.
#[test]
fn least_connections_levels_long_lived_connections_and_round_robin_does_not() {
    let spread = |algorithm: &Algorithm| {
        let (mut policy, mut rng) = (algorithm.policy(4, 0), rng());
        let mut all = pool(&[1; 4]);
        for connection in 0..600 {
            let there = if connection < 300 { 3 } else { 4 };
            let place = policy.pick(&all[..there], at(Time::ZERO), &mut rng);
            all[place].active += 1;
        }
        let active = all.iter().map(|one| one.active);
        (active.clone().min().unwrap(), active.max().unwrap())
    };
    assert_eq!(spread(&Algorithm::LeastConnections), (150, 150));
    assert_eq!(spread(&Algorithm::RoundRobin), (75, 175));
}

#[test]
fn the_fewest_connections_are_counted_for_the_weight() {
    let (mut policy, mut rng) = (Algorithm::LeastConnections.policy(2, 0), rng());
    let mut all = pool(&[3, 1]);
    for _ in 0..400 {
        let place = policy.pick(&all, at(Time::ZERO), &mut rng);
        all[place].active += 1;
    }
    assert_eq!((all[0].active, all[1].active), (300, 100));
}

#[test]
fn a_peak_counts_at_once_and_is_forgotten_slowly() {
    let (mut policy, mut rng) = (PeakEwma::new(2, Span::from_secs(10)), rng());
    let all = pool(&[1, 1]);
    let ms = Span::from_millis;
    let start = Time::ZERO + Span::from_secs(1);
    policy.answered(0, ms(10), start);
    policy.answered(1, ms(10), start);
    policy.answered(0, ms(500), start);
    assert_eq!(policy.pick(&all, at(start), &mut rng), 1);
    // Two at 10 ms cost less than one at 500.
    let busy = [all[0], Candidate { active: 40, ..all[1] }];
    assert_eq!(policy.pick(&busy, at(start), &mut rng), 1);
    let busier = [all[0], Candidate { active: 60, ..all[1] }];
    assert_eq!(policy.pick(&busier, at(start), &mut rng), 0);
    // After a decay time 500 ms count for 500/e.
    let later = start + Span::from_secs(10);
    policy.answered(1, ms(200), later);
    assert_eq!(policy.pick(&all, at(later), &mut rng), 0, "184 ms are less than 200");
    // Ten decay times later the peak is forgotten: who has not been asked for so long is asked again.
    let much_later = start + Span::from_secs(110);
    policy.answered(1, ms(1), much_later);
    assert_eq!(policy.pick(&all, at(much_later), &mut rng), 0);
}

fn keys() -> impl Iterator<Item = u64> {
    (0_u32..20_000).map(|n| key(&n.to_be_bytes()))
}

/// Shares of ten backends, and the part of the keys of others that moves when one of them goes.
fn moved(algorithm: &Algorithm) -> (Vec<usize>, f64) {
    let (mut policy, mut rng) = (algorithm.policy(10, 0), rng());
    let all = pool(&[1; 10]);
    let mut owner = |among: &[Candidate], key| among[policy.pick(among, Asked { now: Time::ZERO, key }, &mut rng)].id;
    let before: Vec<usize> = keys().map(|key| owner(&all, key)).collect();
    let mut left = all.clone();
    left.remove(4);
    let after = keys().map(|key| owner(&left, key));
    let moved = before.iter().zip(after).filter(|&(&old, new)| old != new).count();
    let share = |id| before.iter().filter(|&&owner| owner == id).count();
    ((0..10).map(share).collect(), moved as f64 / before.len() as f64)
}

#[test]
fn consistent_hashing_moves_the_keys_of_the_one_that_went_and_no_other() {
    let (shares, moved) = moved(&Algorithm::ConsistentHash { key: HashKey::Path, points: 100, load: None });
    assert!((moved - shares[4] as f64 / 20_000.0).abs() < f64::EPSILON, "{moved}, {shares:?}");
    // A share's standard deviation is a root of 100th: three of them either side.
    assert!(shares.iter().all(|share| (1_400..2_600).contains(share)), "{shares:?}");
}

#[test]
fn maglev_shares_evenly_and_moves_little_more_than_it_must() {
    let (shares, moved) = moved(&Algorithm::Maglev { key: HashKey::Path, table: 65_537 });
    // The table's shares differ by an entry; what the keys add is chance: four standard deviations of a binomial are 170.
    assert!(shares.iter().all(|share| (1_830..2_170).contains(share)), "{shares:?}");
    let must = shares[4] as f64 / 20_000.0;
    // The paper's figure 12: with 65,537 entries a few percent of the rest change too.
    assert!(moved >= must && moved < must + 0.05, "{moved}, {must}");
}

#[test]
fn the_remainder_of_a_hash_moves_nearly_every_key() {
    let (_, moved) = moved(&Algorithm::IpHash);
    // Shares of a tenth become shares of a ninth, laid end to end: half of the keys or more lie elsewhere.
    assert!(moved > 0.45, "{moved}");
}

#[test]
fn weights_are_shares_of_the_hashed_too() {
    for algorithm in [
        Algorithm::ConsistentHash { key: HashKey::Path, points: 400, load: None },
        Algorithm::Maglev { key: HashKey::Path, table: 65_537 },
        Algorithm::IpHash,
    ] {
        let (mut policy, mut rng) = (algorithm.policy(2, 0), rng());
        let all = pool(&[3, 1]);
        let first = keys().filter(|&key| policy.pick(&all, Asked { now: Time::ZERO, key }, &mut rng) == 0).count();
        assert!((14_000..16_000).contains(&first), "{algorithm:?}: {first}");
    }
}

/// Most keys are one hot key: without a bound its backend has nearly everything, with one never more than a quarter above the mean.
#[test]
fn bounded_load_is_never_exceeded() {
    let most = |load: Option<u32>| {
        let (mut policy, mut rng) = (Ring::new(100, load), rng());
        let mut all = pool(&[1; 8]);
        let mut under_way: Vec<usize> = Vec::new();
        let mut worst = 0.0_f64;
        for n in 0..20_000_u32 {
            let key = if rng.chance(0.9) { key(b"hot") } else { key(&n.to_be_bytes()) };
            let place = policy.pick(&all, Asked { now: Time::ZERO, key }, &mut rng);
            all[place].active += 1;
            under_way.push(place);
            let bound = (1.25 * under_way.len() as f64 / 8.0).ceil();
            worst = worst.max(f64::from(all[place].active) - bound);
            while under_way.len() > 80 {
                let gone = under_way.swap_remove(usize::try_from(rng.below(under_way.len() as u64)).unwrap());
                all[gone].active -= 1;
            }
        }
        worst
    };
    assert!(most(Some(125)) <= 0.0);
    assert!(most(None) > 50.0);
}

/// Mean time in a system of `n` queues with exponential work of mean 1 under Poisson arrivals, `load` to each.
fn supermarket(algorithm: &Algorithm, n: usize, load: f64) -> f64 {
    let (mut policy, mut draws) = (algorithm.policy(n, 0), rng());
    let mut rng = Rng::stream(7, "test/balancer/queues");
    let mut queues = pool(&vec![1; n]);
    // Work conserving queues first come first served: when each becomes free.
    let mut free = vec![Time::ZERO; n];
    let mut leaving: BinaryHeap<Reverse<(Time, usize)>> = BinaryHeap::new();
    let (work, gap) = (Span::from_secs(1), Span::from_secs_f64(1.0 / (load * n as f64)));
    let (arrivals, skipped) = (400_000, 100_000);
    let (mut now, mut total) = (Time::ZERO, 0.0);
    for arrival in 0..arrivals {
        now += Dist::Exponential { mean: gap }.sample(&mut rng);
        while let Some(&Reverse((time, place))) = leaving.peek()
            && time <= now
        {
            leaving.pop();
            queues[place].active -= 1;
        }
        let place = policy.pick(&queues, at(now), &mut draws);
        queues[place].active += 1;
        free[place] = free[place].max(now) + Dist::Exponential { mean: work }.sample(&mut rng);
        leaving.push(Reverse((free[place], place)));
        if arrival >= skipped {
            total += free[place].since(now).as_secs_f64();
        }
    }
    total / f64::from(arrivals - skipped)
}

/// The supermarket model (Mitzenmacher 2001; Vvedenskaya et al. 1996): with d choices the mean time is the sum over i of
/// load^((d^i - d) / (d - 1)): 10 for one choice at a load of 0.9, 2.614 for two.
#[test]
fn two_choices_take_the_time_of_the_supermarket_model() {
    let law: f64 = (1..10).map(|i| libm::pow(0.9, f64::from((1 << i) - 2))).sum();
    assert!((law - 2.614).abs() < 0.001, "{law}");
    let two = supermarket(&Algorithm::TwoChoices, 500, 0.9);
    assert!((two / law - 1.0).abs() < 0.03, "{two}, law {law}");
    let one = supermarket(&Algorithm::Random, 500, 0.9);
    assert!((one / 10.0 - 1.0).abs() < 0.1, "{one}");
}

/// Each round of balancers covers every backend equally often.
#[test]
fn subsets_are_dealt_out_evenly() {
    let (members, size) = (12, 4);
    let mut served = vec![0; members];
    for instance in 0..30 {
        let subset = Subset::new(size, members, instance, Box::new(RoundRobin::default()));
        assert_eq!(subset.members().len(), size);
        subset.members().iter().for_each(|&id| served[id] += 1);
    }
    assert_eq!(served, vec![30 * size / members; members]);
}

#[test]
fn a_subset_keeps_to_itself_while_one_of_it_is_left() {
    let mut subset = Subset::new(2, 6, 0, Box::new(RoundRobin::default()));
    let mine = subset.members().to_vec();
    let (all, mut rng) = (pool(&[1; 6]), rng());
    for _ in 0..10 {
        assert!(mine.contains(&all[subset.pick(&all, at(Time::ZERO), &mut rng)].id));
    }
    let others: Vec<Candidate> = all.iter().copied().filter(|one| !mine.contains(&one.id)).collect();
    let place = subset.pick(&others, at(Time::ZERO), &mut rng);
    assert!(place < others.len());
}

#[test]
fn one_that_starts_slowly_gets_its_share_of_a_share() {
    for algorithm in [Algorithm::Weighted, Algorithm::Random, Algorithm::TwoChoices, Algorithm::LeastConnections] {
        assert!(algorithm.starts_slowly());
    }
    let mut all = pool(&[1, 1]);
    all[1].share = 100;
    let picked = picks(&Algorithm::Weighted, &all, 1_100);
    assert_eq!(picked.iter().filter(|&&id| id == 1).count(), 100);
}
