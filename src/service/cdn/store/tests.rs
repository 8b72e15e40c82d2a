use super::*;
use crate::base::{Rng, Zipf};
use proptest::prelude::*;

fn name(n: u32) -> Bytes {
    Bytes::from(format!("/{n}"))
}

fn store(capacity: u64, eviction: Eviction) -> Store<u32> {
    Store::new(capacity, eviction)
}

#[test]
fn the_least_recently_used_goes_first() {
    let mut lru = store(3, Eviction::Lru);
    (1..=3).for_each(|n| assert_eq!(lru.insert(name(n), n, 1), Stored::Here { evicted: 0 }));
    assert_eq!(lru.get(b"/1").as_deref(), Some(&1));
    assert_eq!(lru.insert(name(4), 4, 1), Stored::Here { evicted: 1 });
    let here = [1, 2, 3, 4].map(|n| lru.get(&name(n)).is_some());
    assert_eq!(here, [true, false, true, true]);
    // A large one takes the room of several; one that is larger than all is not stored, and takes nobody's room.
    assert_eq!(lru.insert(name(5), 5, 2), Stored::Here { evicted: 2 });
    assert_eq!(lru.insert(name(6), 6, 4), Stored::TooLarge);
    assert_eq!((lru.used(), lru.len()), (3, 2));
    assert!(lru.remove(b"/5") && !lru.remove(b"/5"));
    assert_eq!(lru.used(), 1);
}

#[test]
fn what_is_stored_again_replaces_what_was_there() {
    for &(_, _, eviction) in TABLE {
        let mut store = store(10, eviction);
        store.insert(name(1), 1, 4);
        store.insert(name(1), 2, 4);
        assert_eq!((store.get(b"/1").as_deref(), store.used(), store.len()), (Some(&2), 4, 1));
        store.insert(name(1), 3, 7);
        assert_eq!((store.get(b"/1").as_deref(), store.used(), store.len()), (Some(&3), 7, 1));
        assert_eq!(store.insert(name(1), 4, 11), Stored::TooLarge);
        assert!(store.is_empty(), "the old one is gone all the same");
    }
}

/// A working set that fits, and a scan through it: LRU loses all of it, S3-FIFO keeps what was used twice.
#[test]
fn a_scan_passes_through_the_small_queue() {
    let kept = |eviction| {
        let mut store = store(100, eviction);
        for round in 0..4 {
            for n in 0..50 {
                if store.get(&name(n)).is_none() {
                    assert!(round == 0);
                    store.insert(name(n), n, 1);
                }
            }
        }
        for n in 1_000..2_000 {
            store.insert(name(n), n, 1);
        }
        (0..50).filter(|&n| store.get(&name(n)).is_some()).count()
    };
    assert_eq!((kept(Eviction::Lru), kept(Eviction::S3Fifo)), (0, 50));
}

/// What has gone from the small queue and comes again is worth the main queue.
#[test]
fn a_ghost_comes_back_to_stay() {
    let mut store = store(20, Eviction::S3Fifo);
    (0..21).for_each(|n| _ = store.insert(name(n), n, 1));
    assert!(store.get(b"/0").is_none(), "it was the first to go");
    store.insert(name(0), 0, 1);
    (100..140).for_each(|n| _ = store.insert(name(n), n, 1));
    assert!(store.get(b"/0").is_some());
}

proptest! {
    /// Whatever happens, the bytes are those of the objects that are there, and there is room for them.
    #[test]
    fn bytes_are_counted(policy in 0..TABLE.len(), capacity in 1..60_u64, steps in proptest::collection::vec((0..4_u8, 0..30_u32, 1..20_u64), 0..300)) {
        let mut store = store(capacity, TABLE[policy].2);
        let mut sizes = std::collections::BTreeMap::new();
        for (what, n, bytes) in steps {
            match what {
                0 | 1 => {
                    let stored = store.insert(name(n), n, bytes);
                    prop_assert_eq!(stored == Stored::TooLarge, bytes > capacity);
                    sizes.insert(n, bytes);
                }
                2 => drop(store.get(&name(n))),
                _ => drop(store.remove(&name(n))),
            }
            let here = (0..30).filter(|n| store.places.contains_key(&name(*n)));
            let used: u64 = here.map(|n| sizes[&n]).sum();
            prop_assert_eq!(store.used(), used);
            prop_assert!(used <= capacity);
        }
    }
}

/// With popularity by Zipf's law, S3-FIFO is at least as good as LRU (the paper's claim for skewed loads).
#[test]
fn s3_fifo_is_no_worse_than_lru_where_popularity_is_skewed() {
    let hits = |eviction| {
        let (mut store, zipf, mut rng) = (store(100, eviction), Zipf::new(1_000, 0.9), Rng::stream(1, "test/store"));
        let mut hits = 0;
        for _ in 0..50_000 {
            let n = u32::try_from(zipf.sample(&mut rng)).unwrap();
            if store.get(&name(n)).is_some() {
                hits += 1;
            } else {
                store.insert(name(n), n, 1);
            }
        }
        hits
    };
    let (lru, s3_fifo) = (hits(Eviction::Lru), hits(Eviction::S3Fifo));
    assert!(s3_fifo > lru, "{s3_fifo} against {lru}");
}
