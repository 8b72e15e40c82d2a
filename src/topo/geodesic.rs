//! The shortest way over the Earth: geodesics on the WGS-84 ellipsoid, in metres.

use std::f64::consts::{PI, TAU};
use std::fmt;

/// A point on the Earth, in degrees.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Coordinates {
    lat: f64,
    lon: f64,
}

impl Coordinates {
    /// The point at `lat` degrees north and `lon` degrees east, or `None` outside -90..=90 and -180..=180.
    #[must_use]
    pub fn new(lat: f64, lon: f64) -> Option<Self> {
        ((-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon)).then_some(Self { lat, lon })
    }

    /// Degrees north.
    #[must_use]
    pub const fn lat(self) -> f64 {
        self.lat
    }

    /// Degrees east.
    #[must_use]
    pub const fn lon(self) -> f64 {
        self.lon
    }

    /// The point written as decimal degrees, latitude first: `51.5,-0.12`. `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (lat, lon) = text.split_once(',')?;
        Self::new(lat.trim().parse().ok()?, lon.trim().parse().ok()?)
    }
}

impl fmt::Display for Coordinates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{},{}", self.lat, self.lon))
    }
}

/// Equatorial radius of WGS-84 in metres (NIMA TR8350.2).
const EQUATOR: f64 = 6_378_137.0;
/// Flattening of WGS-84.
const FLATTENING: f64 = 1.0 / 298.257_223_563;
/// Polar radius in metres.
const POLE: f64 = EQUATOR * (1.0 - FLATTENING);

/// Length of the shortest path between two points on WGS-84, rounded to a metre.
///
/// Vincenty's inverse formula (Survey Review 23:176, 1975), good to a millimetre; for nearly antipodal points, where it does
/// not converge, the shortest path is found as the shortest of those over a midway circle (see `over_midway`). A sphere of
/// mean radius would be off by up to 0.5 %, which for London-Sydney is 85 km or 0.4 ms.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 20,004,000 m")]
pub fn distance(a: Coordinates, b: Coordinates) -> u64 {
    let (from, to) = (Point::of(a), Point::of(b));
    libm::round(vincenty(from, to).unwrap_or_else(|| over_midway(from, to))) as u64
}

/// A point as its longitude in radians and the sine and cosine of its reduced latitude.
#[derive(Clone, Copy)]
struct Point {
    lon: f64,
    sin: f64,
    cos: f64,
}

impl Point {
    fn of(at: Coordinates) -> Self {
        let (sin, cos) = libm::sincos(at.lat.to_radians());
        Self::reduced((1.0 - FLATTENING) * sin, cos, at.lon.to_radians())
    }

    /// The point whose reduced latitude has the tangent `sin / cos`.
    fn reduced(sin: f64, cos: f64, lon: f64) -> Self {
        let norm = libm::sqrt(sin * sin + cos * cos);
        Self { lon, sin: sin / norm, cos: cos / norm }
    }
}

/// Vincenty's inverse formula: the distance in metres, or `None` if it does not converge.
fn vincenty(from: Point, to: Point) -> Option<f64> {
    const ROUNDS: u32 = 60;
    let lon = libm::remainder(to.lon - from.lon, TAU);
    let mut lambda = lon;
    for _ in 0..ROUNDS {
        let (sin_lambda, cos_lambda) = libm::sincos(lambda);
        let (east, north) = (to.cos * sin_lambda, from.cos * to.sin - from.sin * to.cos * cos_lambda);
        let sin_sigma = libm::sqrt(east * east + north * north);
        let cos_sigma = from.sin * to.sin + from.cos * to.cos * cos_lambda;
        if sin_sigma < 1e-15 {
            return (cos_sigma > 0.0).then_some(0.0);
        }
        let sigma = libm::atan2(sin_sigma, cos_sigma);
        let sin_alpha = from.cos * to.cos * sin_lambda / sin_sigma;
        let cos2_alpha = 1.0 - sin_alpha * sin_alpha;
        // Along the equator the middle term has no meaning and no weight.
        let cos_2m = if cos2_alpha < 1e-15 { 0.0 } else { cos_sigma - 2.0 * from.sin * to.sin / cos2_alpha };
        let c = FLATTENING / 16.0 * cos2_alpha * (4.0 + FLATTENING * (4.0 - 3.0 * cos2_alpha));
        let previous = lambda;
        let inner = cos_2m + c * cos_sigma * (2.0 * cos_2m * cos_2m - 1.0);
        lambda = lon + (1.0 - c) * FLATTENING * sin_alpha * (sigma + c * sin_sigma * inner);
        if libm::fabs(lambda) > PI {
            return None;
        }
        if libm::fabs(lambda - previous) < 1e-12 {
            return Some(arc_metres(cos2_alpha, sigma, sin_sigma, cos_sigma, cos_2m));
        }
    }
    None
}

/// The length of an arc `sigma` of the auxiliary sphere (Vincenty's equations 3, 4 and 6).
fn arc_metres(cos2_alpha: f64, sigma: f64, sin_sigma: f64, cos_sigma: f64, cos_2m: f64) -> f64 {
    let u2 = cos2_alpha * (EQUATOR * EQUATOR - POLE * POLE) / (POLE * POLE);
    let a = 1.0 + u2 / 16_384.0 * (4_096.0 + u2 * (u2 * (320.0 - 175.0 * u2) - 768.0));
    let b = u2 / 1_024.0 * (256.0 + u2 * (u2 * (74.0 - 47.0 * u2) - 128.0));
    let square = cos_2m * cos_2m;
    let third = b / 6.0 * cos_2m * (4.0 * sin_sigma * sin_sigma - 3.0) * (4.0 * square - 3.0);
    let correction = b * sin_sigma * (cos_2m + b / 4.0 * (cos_sigma * (2.0 * square - 1.0) - third));
    POLE * a * (sigma - correction)
}

/// The distance in metres between nearly antipodal points: every path between them crosses the great circle midway, and a
/// path over any given point of that circle is two quarter-turns, for which Vincenty's formula converges at once. The
/// shortest is found by looking around the circle and then closing in on the best two bearings.
fn over_midway(from: Point, to: Point) -> f64 {
    const LOOKS: u32 = 32;
    const ROUNDS: u32 = 60;
    let over = |bearing: f64| {
        let middle = quarter_turn(from, bearing);
        let leg = |end| vincenty(end, middle).unwrap_or(f64::INFINITY);
        leg(from) + leg(to)
    };
    let step = TAU / f64::from(LOOKS);
    let mut best = f64::INFINITY;
    for look in 0..LOOKS {
        let bearing = f64::from(look) * step;
        if over(bearing) > over(bearing - step).min(over(bearing + step)) {
            continue;
        }
        // Ternary search: within one step of a lowest look the sum has a single valley.
        let (mut low, mut high) = (bearing - step, bearing + step);
        for _ in 0..ROUNDS {
            let third = (high - low) / 3.0;
            if over(low + third) < over(high - third) { high -= third } else { low += third }
        }
        best = best.min(over(f64::midpoint(low, high)));
    }
    best
}

/// The point a quarter-turn of the auxiliary sphere from `from`, setting out at `bearing` radians from north.
fn quarter_turn(from: Point, bearing: f64) -> Point {
    let (sin_bearing, cos_bearing) = libm::sincos(bearing);
    let sin = from.cos * cos_bearing;
    let turned = libm::atan2(sin_bearing, -from.sin * cos_bearing);
    Point::reduced(sin, libm::sqrt((1.0 - sin * sin).max(0.0)), from.lon + turned)
}
