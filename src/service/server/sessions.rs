//! Sessions in a server's memory: what a user put there is found again by a cookie, at this server and as long as it lives.

use crate::app::http1::{Request, SetCookie, cookie, path_matches};
use crate::base::{Rng, Span, Time};
use crate::trace::SessionEvent;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

/// How a server keeps sessions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// Name of the cookie by which they are found.
    pub cookie: String,
    /// Requests for this path and below have one.
    pub path: String,
    /// One that nobody asks for is forgotten after so long.
    pub idle: Span,
    /// How long users keep the cookie; `None`: as long as they are there.
    pub max_age: Option<Span>,
}

impl Session {
    /// For all paths, forgotten after half an hour as in Java's servlets, with a cookie that ends with the user.
    #[must_use]
    pub fn new(cookie: &str) -> Self {
        Self { cookie: cookie.to_owned(), path: "/".to_owned(), idle: Span::from_secs(1_800), max_age: None }
    }
}

/// The sessions of one server since it started.
pub(super) struct Sessions {
    config: Session,
    known: RefCell<BTreeMap<String, Time>>,
    /// When each may be due to be forgotten, the earliest first; one that was used since is looked at again later.
    due: RefCell<VecDeque<(Time, String)>>,
    /// Draws their names, which nobody can guess.
    names: RefCell<Rng>,
}

impl Sessions {
    pub(super) fn new(config: Session, names: Rng) -> Self {
        Self { config, known: RefCell::default(), due: RefCell::default(), names: RefCell::new(names) }
    }

    /// What is known of the session of a request for `path`, and the cookie to be set if another one begins; `None` if such
    /// requests have none.
    pub(super) fn visit(&self, request: &Request, path: &[u8], now: Time) -> Option<(SessionEvent, Option<SetCookie>)> {
        let Session { cookie: name, path: own, idle, max_age } = &self.config;
        if !std::str::from_utf8(path).is_ok_and(|path| path_matches(own, path)) {
            return None;
        }
        self.forget(now);
        let mut known = self.known.borrow_mut();
        let named = cookie(&request.fields, name).and_then(|value| std::str::from_utf8(value).ok());
        if let Some(used) = named.and_then(|named| known.get_mut(named)) {
            *used = now;
            return Some((SessionEvent::Found, None));
        }
        let event = if named.is_some() { SessionEvent::Lost } else { SessionEvent::Begun };
        let mut names = self.names.borrow_mut();
        let value = format!("{:016x}{:016x}", names.bits(), names.bits());
        known.insert(value.clone(), now);
        self.due.borrow_mut().push_back((now.saturating_add(*idle), value.clone()));
        let set = SetCookie { name: name.clone(), value, path: Some(own.clone()), max_age: *max_age, secure: false };
        Some((event, Some(set)))
    }

    /// Forgets those that nobody has asked for.
    fn forget(&self, now: Time) {
        let (mut known, mut due) = (self.known.borrow_mut(), self.due.borrow_mut());
        while due.front().is_some_and(|(time, _)| *time <= now) {
            let Some((_, name)) = due.pop_front() else { return };
            let Some(&used) = known.get(&name) else { continue };
            let ends = used.saturating_add(self.config.idle);
            if ends <= now {
                known.remove(&name);
            } else {
                // Those behind it fall due after the latest use of all, which is now at the latest.
                let at = due.partition_point(|(time, _)| *time <= ends);
                due.insert(at, (ends, name));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::http1::Method;

    fn sessions(label: &str) -> Sessions {
        let config = Session { path: "/cart".to_owned(), idle: Span::from_secs(60), ..Session::new("cart") };
        Sessions::new(config, Rng::stream(1, label))
    }

    fn visit(
        sessions: &Sessions,
        cookie: Option<&str>,
        path: &str,
        now: u64,
    ) -> Option<(SessionEvent, Option<String>)> {
        let mut request = Request::new(Method::Get, path);
        if let Some(value) = cookie {
            request.fields.push("Cookie", format!("cart={value}"));
        }
        let (event, set) = sessions.visit(&request, path.as_bytes(), Time::ZERO + Span::from_secs(now))?;
        Some((event, set.map(|set| set.value)))
    }

    #[test]
    fn a_session_is_found_until_it_has_idled_for_too_long() {
        let sessions = sessions("one");
        let Some((SessionEvent::Begun, Some(name))) = visit(&sessions, None, "/cart", 0) else { panic!("one begins") };
        let found = Some((SessionEvent::Found, None));
        assert_eq!(visit(&sessions, Some(&name), "/cart/add", 59), found);
        assert_eq!(visit(&sessions, Some(&name), "/cart", 118), found, "59 s after the last use");
        let Some((SessionEvent::Lost, Some(other))) = visit(&sessions, Some(&name), "/cart", 178) else {
            panic!("60 s after the last use it is forgotten")
        };
        assert_ne!(other, name);
        assert_eq!(visit(&sessions, Some(&other), "/cart", 179), found);
        assert_eq!(visit(&sessions, None, "/health", 180), None, "another path has none");
    }

    #[test]
    fn another_server_does_not_know_it() {
        let (here, there) = (sessions("one"), sessions("two"));
        let Some((_, Some(name))) = visit(&here, None, "/cart", 0) else { panic!("one begins") };
        assert!(matches!(visit(&there, Some(&name), "/cart", 1), Some((SessionEvent::Lost, Some(_)))));
        assert_eq!(visit(&here, Some(&name), "/cart", 2), Some((SessionEvent::Found, None)));
    }
}
