//! Heads as browsers and servers send them, of realistic size, or padded to a stated size.

use super::head::{Method, Request, Response};
use crate::base::Time;
use bytes::Bytes;

/// Product name in heads.
const PRODUCT: &str = concat!("lightlag/", env!("CARGO_PKG_VERSION"));

/// How a request's head is filled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum HeadSize {
    /// With the fields of a browser: about 400 bytes.
    #[default]
    Browser,
    /// With as few fields as possible, padded to so many bytes in all.
    Exactly(u64),
}

/// What a request's head is made from.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Method.
    pub method: Method,
    /// Path and query.
    pub target: &'a str,
    /// Name of the host, with the port unless it is 80.
    pub host: &'a str,
    /// Bytes of body.
    pub body: u64,
    /// Whether this is the last request on its connection.
    pub close: bool,
    /// How the head is filled.
    pub size: HeadSize,
    /// Further fields, names and values; one that the head would have anyway is replaced.
    pub fields: &'a [(String, String)],
}

impl Ask<'_> {
    /// The head. One that is larger than asked for without padding stays so: compare [`Ask::smallest`].
    #[must_use]
    pub fn head(&self) -> Request {
        match self.size {
            HeadSize::Browser => self.browser(),
            HeadSize::Exactly(bytes) => self.padded(usize::try_from(bytes).unwrap_or(usize::MAX)),
        }
    }

    /// Bytes of the smallest head for this.
    #[must_use]
    pub fn smallest(&self) -> u64 {
        self.bare(self.agent()).wire_len() as u64
    }

    fn browser(&self) -> Request {
        let mut request = Request::new(self.method, self.target);
        let fields = &mut request.fields;
        fields.push("Host", self.host.to_owned());
        fields.push("Connection", if self.close { "close" } else { "keep-alive" });
        if self.body > 0 {
            fields.push("Content-Length", self.body.to_string());
            fields.push("Content-Type", "application/json");
        }
        fields.push(
            "User-Agent",
            Bytes::from_static(
                concat!("Mozilla/5.0 (X11; Linux x86_64) lightlag/", env!("CARGO_PKG_VERSION")).as_bytes(),
            ),
        );
        let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
        fields.push("Accept", accept);
        fields.push("Accept-Encoding", "gzip, deflate");
        fields.push("Accept-Language", "en-US,en;q=0.9");
        fields.push("Upgrade-Insecure-Requests", "1");
        self.fields.iter().for_each(|(name, value)| fields.set(name, value));
        request
    }

    fn bare(&self, agent: &str) -> Request {
        let mut request = Request::new(self.method, self.target);
        request.fields.push("Host", self.host.to_owned());
        if self.close {
            request.fields.push("Connection", "close");
        }
        if self.body > 0 {
            request.fields.push("Content-Length", self.body.to_string());
        }
        self.fields.iter().for_each(|(name, value)| request.fields.set(name, value));
        request.fields.set("User-Agent", agent);
        request
    }

    fn padded(&self, bytes: usize) -> Request {
        let request = self.bare(self.agent());
        let missing = bytes.saturating_sub(request.wire_len());
        if missing == 0 { request } else { self.bare(&format!("{}{}", self.agent(), ".".repeat(missing))) }
    }

    /// What the program calls itself, before padding.
    fn agent(&self) -> &str {
        let own = self.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("user-agent"));
        own.map_or(PRODUCT, |(_, value)| value)
    }
}

/// A response's head as a web server sends it at `now`, with a body of `body` bytes.
#[must_use]
pub fn answer(status: u16, body: u64, close: bool, now: Time) -> Response {
    let mut response = Response::new(status);
    let fields = &mut response.fields;
    fields.push("Server", Bytes::from_static(PRODUCT.as_bytes()));
    fields.push("Date", date(now));
    if status != 204 && status != 304 {
        fields.push("Content-Type", "text/html; charset=utf-8");
        fields.push("Content-Length", body.to_string());
    }
    fields.push("Connection", if close { "close" } else { "keep-alive" });
    response
}

/// The simulation's instants as dates (RFC 9110 5.6.7): it begins with the year 2026, a Thursday.
#[must_use]
pub fn date(now: Time) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = now.as_nanos() / 1_000_000_000;
    let days = seconds / 86_400;
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let (mut year, mut day, mut month) = (2026, days, 0_usize);
    while day >= 365 + u64::from(leap(year)) {
        day -= 365 + u64::from(leap(year));
        year += 1;
    }
    let length = |month: usize| match month {
        1 => 28 + u64::from(leap(year)),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    };
    while day >= length(month) {
        day -= length(month);
        month += 1;
    }
    let weekday = DAYS[usize::try_from(days % 7).unwrap_or(0)];
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{weekday}, {:02} {} {year} {hour:02}:{minute:02}:{second:02} GMT", day + 1, MONTHS[month])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;

    fn ask(size: HeadSize) -> Ask<'static> {
        Ask { method: Method::Get, target: "/", host: "shop.example", body: 0, close: false, size, fields: &[] }
    }

    #[test]
    fn heads_have_the_size_of_real_ones() {
        let browser = ask(HeadSize::Browser).head().wire_len();
        assert!((300..600).contains(&browser), "{browser}");
        let server = answer(200, 1024, false, Time::ZERO).encode().len();
        assert!((120..300).contains(&server), "{server}");
    }

    #[test]
    fn a_head_is_padded_to_the_byte_from_the_smallest_on() {
        let smallest = ask(HeadSize::Browser).smallest();
        assert!(smallest <= 100, "the reference measurements ask with 100 bytes: {smallest}");
        for bytes in [smallest, smallest + 1, 100, 200, 8_000] {
            let head = ask(HeadSize::Exactly(bytes)).head();
            assert_eq!(head.encode().len() as u64, bytes);
            assert_eq!(Request::decode(&head.encode()), Ok(head));
        }
        assert_eq!(ask(HeadSize::Exactly(10)).head().wire_len() as u64, smallest);
    }

    #[test]
    fn fields_of_ones_own_are_there_once_and_count() {
        let fields = [("X-Group", "beta"), ("user-agent", "robot"), ("Accept", "text/plain")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let browser = Ask { fields: &fields, ..ask(HeadSize::Browser) }.head();
        assert_eq!(browser.fields.get("x-group"), Some(&b"beta"[..]));
        assert_eq!(browser.fields.all("accept").collect::<Vec<_>>(), [b"text/plain"]);
        assert_eq!(browser.fields.all("user-agent").count(), 1);
        let padded = Ask { fields: &fields, ..ask(HeadSize::Exactly(300)) };
        assert_eq!(padded.head().encode().len(), 300);
        assert!(padded.head().fields.get("User-Agent").is_some_and(|agent| agent.starts_with(b"robot.")));
        assert!(padded.smallest() > ask(HeadSize::Browser).smallest());
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let after_days = |days: u64| date(Time::ZERO + Span::from_secs(days * 86_400));
        assert_eq!(date(Time::ZERO + Span::from_secs(3_661)), "Thu, 01 Jan 2026 01:01:01 GMT");
        assert_eq!(after_days(58), "Sat, 28 Feb 2026 00:00:00 GMT");
        assert_eq!(after_days(59), "Sun, 01 Mar 2026 00:00:00 GMT");
        assert_eq!(after_days(364), "Thu, 31 Dec 2026 00:00:00 GMT");
        assert_eq!(after_days(365), "Fri, 01 Jan 2027 00:00:00 GMT");
        // 2028 is a leap year.
        assert_eq!(after_days(730 + 59), "Tue, 29 Feb 2028 00:00:00 GMT");
    }
}
