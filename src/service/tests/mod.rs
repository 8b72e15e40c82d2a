//! Laws and stories of roles over an ideal network, where nothing but the roles takes time.

mod names;
mod pages;
mod queues;
mod transfers;

use crate::base::Span;
use crate::service::client::Origin;
use crate::service::ideal::{Ideal, addr};
use crate::service::stub::Stub;
use crate::service::{client, server, stub};
use crate::trace::{Exchange, Lookup, Record, Request};

const MS: Span = Span::from_millis(1);

fn requests(net: &Ideal) -> Vec<Request> {
    let mut requests: Vec<Request> = net
        .records
        .iter()
        .filter_map(|record| match record {
            Record::Request(request) => Some(*request),
            _ => None,
        })
        .collect();
    requests.sort_by_key(|request| request.number);
    for r in &requests {
        let instants = [r.start, r.resolved, r.connected, r.written, r.end];
        assert!(instants.is_sorted(), "{r:?}");
    }
    requests
}

fn exchanges(net: &Ideal) -> Vec<Exchange> {
    let exchange = |record: &Record| match record {
        Record::Exchange(exchange) => Some(*exchange),
        _ => None,
    };
    net.records.iter().filter_map(exchange).collect()
}

fn lookups(net: &Ideal) -> Vec<Lookup> {
    let lookup = |record: &Record| match record {
        Record::Lookup(lookup) => Some(*lookup),
        _ => None,
    };
    net.records.iter().filter_map(lookup).collect()
}

/// A server on host 1.
fn serve(net: &Ideal, config: server::Config) {
    net.spawn(1, |host| server::run(host, config));
}

/// Users on host 2 who ask host 1 by its address, with `change` made to what they would do otherwise.
fn ask(net: &Ideal, change: impl FnOnce(&mut client::Config)) {
    let mut config = client::Config::new(0, "pages", Origin::Addr(addr(1)));
    change(&mut config);
    net.spawn(2, |host| async move {
        let stub = Stub::new(&host, stub::Config::new(Vec::new()));
        client::run(host, stub, config).await;
    });
}
