//! Which pool a request goes to: by its path, a header field, a cookie.

use crate::app::http1::{Request, cookie};
use crate::service::balancer::policy::{Algorithm, HashKey, key};
use std::net::SocketAddrV4;

/// A way to a pool for requests that meet all its conditions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// Conditions, at least one.
    pub when: Vec<Match>,
    /// Place of the pool among the balancer's.
    pub pool: usize,
}

/// A condition on a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Match {
    /// Its path, without the query; one that ends in `*` stands for everything that begins with the rest.
    Path(String),
    /// A header field, with this value if one is given.
    Header(String, Option<String>),
    /// A cookie, with this value if one is given.
    Cookie(String, Option<String>),
}

impl Route {
    pub(super) fn takes(&self, request: &Request) -> bool {
        self.when.iter().all(|condition| condition.holds(request))
    }
}

impl Match {
    fn holds(&self, request: &Request) -> bool {
        let is = |found: Option<&[u8]>, value: &Option<String>| {
            found.is_some_and(|found| value.as_ref().is_none_or(|value| value.as_bytes() == found))
        };
        match self {
            Self::Path(pattern) => match pattern.strip_suffix('*') {
                Some(start) => path(request).starts_with(start.as_bytes()),
                None => path(request) == pattern.as_bytes(),
            },
            Self::Header(name, value) => is(request.fields.get(name), value),
            Self::Cookie(name, value) => is(cookie(&request.fields, name), value),
        }
    }
}

/// The target without its query.
fn path(request: &Request) -> &[u8] {
    request.target.split(|&byte| byte == b'?').next().unwrap_or_default()
}

/// What a policy hashes of a request; 0 if it hashes nothing.
pub(in crate::service) fn hash_of(algorithm: &Algorithm, request: &Request, client: SocketAddrV4) -> u64 {
    algorithm.hash_key().map_or(0, |what| hash(what, request, client))
}

/// What a policy wants to be hashed of a request.
fn hash(what: &HashKey, request: &Request, client: SocketAddrV4) -> u64 {
    let inside = match what {
        HashKey::Address => None,
        HashKey::Connection => {
            let bytes = [&client.ip().octets()[..], &client.port().to_be_bytes()].concat();
            return key(&bytes);
        }
        HashKey::Path => Some(path(request)),
        HashKey::Header(name) => request.fields.get(name),
        HashKey::Cookie(name) => cookie(&request.fields, name),
    };
    inside.map_or_else(|| key(&client.ip().octets()), key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::http1::Method;
    use std::net::Ipv4Addr;

    fn request(target: &str, fields: &[(&'static str, &'static str)]) -> Request {
        let mut request = Request::new(Method::Get, target);
        fields.iter().for_each(|&(name, value)| request.fields.push(name, value));
        request
    }

    #[test]
    fn all_conditions_of_a_route_must_hold() {
        let text = |text: &str| Some(text.to_owned());
        let route = |when: Vec<Match>| Route { when, pool: 0 };
        let beta = route(vec![Match::Path("/api/*".into()), Match::Header("X-Group".into(), text("beta"))]);
        assert!(beta.takes(&request("/api/user?id=1", &[("x-group", "beta")])));
        assert!(!beta.takes(&request("/api/user", &[("x-group", "alpha")])));
        assert!(!beta.takes(&request("/img/api/", &[("x-group", "beta")])));
        let exact = route(vec![Match::Path("/api".into())]);
        assert!(exact.takes(&request("/api?x", &[])) && !exact.takes(&request("/api/", &[])));
        let known = route(vec![Match::Cookie("session".into(), None)]);
        assert!(known.takes(&request("/", &[("Cookie", "a=b; session=7")])));
        assert!(!known.takes(&request("/", &[("Cookie", "xsession=7")])));
    }

    #[test]
    fn what_is_missing_falls_back_to_the_address() {
        let client = |last, port| SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, last), port);
        let of = |what: &HashKey, target, client| hash(what, &request(target, &[("X-User", "7")]), client);
        let address = HashKey::Address;
        assert_eq!(of(&address, "/", client(1, 1)), of(&address, "/x", client(1, 2)));
        assert_ne!(of(&address, "/", client(1, 1)), of(&address, "/", client(2, 1)));
        assert_ne!(of(&HashKey::Connection, "/", client(1, 1)), of(&HashKey::Connection, "/", client(1, 2)));
        assert_eq!(of(&HashKey::Path, "/a?b", client(1, 1)), of(&HashKey::Path, "/a?c", client(2, 1)));
        let user = HashKey::Header("x-user".into());
        assert_eq!(of(&user, "/", client(1, 1)), of(&user, "/", client(2, 1)));
        let absent = HashKey::Header("x-none".into());
        assert_eq!(of(&absent, "/", client(1, 1)), of(&address, "/", client(1, 1)));
    }
}
