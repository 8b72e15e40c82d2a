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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;
    use crate::topo::find;

    fn at(lat: f64, lon: f64) -> Coordinates {
        Coordinates::new(lat, lon).unwrap()
    }

    /// Metres between the coordinates of built-in cities by Karney's geodesics (Journal of Geodesy 87, 2013), from the
    /// `geographiclib` package 2.x for Python.
    const CITIES: [(&str, &str, u64); 36] = [
        ("New York", "London", 5_585_226),
        ("New York", "San Francisco", 4_139_115),
        ("New York", "São Paulo", 7_657_559),
        ("London", "Paris", 344_137),
        ("London", "Frankfurt", 639_537),
        ("London", "Sydney", 16_988_910),
        ("London", "Johannesburg", 9_039_309),
        ("London", "Hong Kong", 9_643_585),
        ("Amsterdam", "Stockholm", 1_128_122),
        ("Dublin", "Seattle", 7_300_805),
        ("Madrid", "Buenos Aires", 10_020_936),
        ("Milan", "Cairo", 2_572_736),
        ("Frankfurt", "Singapore", 10_268_542),
        ("Tokyo", "San Francisco", 8_289_534),
        ("Tokyo", "Osaka", 397_289),
        ("Tokyo", "Sydney", 7_792_827),
        ("Singapore", "Jakarta", 894_081),
        ("Singapore", "Mumbai", 3_908_168),
        ("Mumbai", "Dubai", 1_929_617),
        ("Seoul", "Hong Kong", 2_093_045),
        ("Sydney", "Auckland", 2_160_731),
        ("Auckland", "Santiago", 9_691_544),
        ("Auckland", "Madrid", 19_587_884),
        ("Miami", "Bogotá", 2_431_200),
        ("Mexico City", "Dallas", 1_497_554),
        ("Los Angeles", "Honolulu", 4_124_982),
        ("Chicago", "Toronto", 705_673),
        ("Washington", "Miami", 1_484_797),
        ("Cape Town", "Johannesburg", 1_261_133),
        ("Cape Town", "Perth", 8_715_200),
        ("Nairobi", "Lagos", 3_811_087),
        ("Lagos", "Accra", 409_842),
        ("Quito", "Kampala", 12_368_483),
        ("Suva", "Honolulu", 5_071_993),
        ("Anchorage", "Reykjavik", 5_441_218),
        ("Vladivostok", "Seattle", 7_609_149),
    ];

    /// Latitude, longitude, latitude, longitude, metres: from the same package; poles, the equator, the date line, and the
    /// neighbourhood of the antipode, where Vincenty's formula gives up.
    const POINTS: [(f64, f64, f64, f64, u64); 26] = [
        (0.0, 0.0, 0.0, 1.0, 111_319),
        (0.0, 0.0, 1.0, 0.0, 110_574),
        (0.0, 0.0, 90.0, 0.0, 10_001_966),
        (0.0, 0.0, 0.0, 179.0, 19_926_189),
        (0.0, 0.0, 0.0, 179.39, 19_969_603),
        (0.0, 0.0, 0.0, 179.3967, 19_970_349),
        (0.0, 0.0, 0.0, 179.41, 19_971_813),
        (0.0, 0.0, 0.0, 179.5, 19_980_862),
        (0.0, 0.0, 0.0, 180.0, 20_003_931),
        (0.0, 0.0, 0.5, 179.39, 19_930_472),
        (0.0, 0.0, 0.5, 179.5, 19_936_289),
        (0.0, 0.0, 0.5, 179.7, 19_944_127),
        (0.0, 0.0, 0.0001, 179.9999, 20_003_920),
        (30.0, 0.0, -30.0, 180.0, 20_003_931),
        (30.0, 0.0, -30.0, 179.8, 20_000_239),
        (30.0, 0.0, -29.9, 179.9, 19_992_090),
        (-41.3, 174.8, 41.3, -5.1, 20_003_008),
        (60.0, 20.0, -60.0, -160.2, 20_000_239),
        (89.9, 10.0, -89.9, -170.0, 20_003_931),
        (90.0, 0.0, -90.0, 0.0, 20_003_931),
        (51.5, -0.1, 51.5, -0.1, 0),
        (10.0, 179.9, 10.0, -179.9, 21_928),
        (-90.0, 0.0, -90.0, 77.0, 0),
        (41.0, -74.0, 41.000_01, -74.0, 1),
        // Land's End to John o' Groats, and the baseline of the Australian test case for Vincenty's formula.
        (50.066_32, -5.714_75, 58.644_02, -3.070_09, 969_954),
        (-37.951_033, 144.424_868, -37.652_821, 143.926_496, 54_972),
    ];

    #[test]
    fn cities_are_as_far_apart_as_a_geodesic_library_says() {
        for (a, b, metres) in CITIES {
            let found = distance(find(a).unwrap().at, find(b).unwrap().at);
            assert!(found.abs_diff(metres) <= 1, "{a} to {b}: {found} m, should be {metres} m");
        }
    }

    #[test]
    fn awkward_points_are_as_far_apart_as_a_geodesic_library_says() {
        for (lat1, lon1, lat2, lon2, metres) in POINTS {
            let found = distance(at(lat1, lon1), at(lat2, lon2));
            assert!(found.abs_diff(metres) <= 1, "{lat1},{lon1} to {lat2},{lon2}: {found} m, should be {metres} m");
        }
    }

    #[test]
    fn distance_is_a_metric() {
        let mut rng = Rng::stream(3, "test/geodesic");
        let mut point = || at(rng.unit() * 180.0 - 90.0, rng.unit() * 360.0 - 180.0);
        for _ in 0..2_000 {
            let (a, b, c) = (point(), point(), point());
            assert_eq!(distance(a, b), distance(b, a), "{a} and {b}");
            assert!(distance(a, c) <= distance(a, b) + distance(b, c) + 2, "{a} by {b} to {c}");
            assert!(distance(a, b) <= 20_003_932, "{a} to {b} is more than half a meridian");
        }
    }

    #[test]
    fn nearly_antipodal_points_keep_the_triangle_inequality_tight() {
        // The antipode of `a` moved by up to a degree: what is lost on half a meridian is no more than the move.
        let mut rng = Rng::stream(4, "test/antipodes");
        for _ in 0..50 {
            let (lat, lon) = (rng.unit() * 160.0 - 80.0, rng.unit() * 178.0);
            let (north, east) = (rng.unit() * 2.0 - 1.0, rng.unit() * 2.0 - 1.0);
            let (a, antipode) = (at(lat, lon), at(-lat, lon - 180.0));
            let near = at(-lat + north, lon - 180.0 + east.max(-lon));
            let (whole, moved, gap) = (distance(a, antipode), distance(a, near), distance(antipode, near));
            assert_eq!(whole, 20_003_931, "half a meridian from {a}");
            assert!(moved <= whole + 1 && moved + gap + 1 >= whole, "{a} to {near}: {moved}, {gap}");
        }
    }

    #[test]
    fn coordinates_are_read_as_people_write_them() {
        assert_eq!(Coordinates::parse("51.5,-0.12"), Some(at(51.5, -0.12)));
        assert_eq!(Coordinates::parse(" -33.9 , 18 "), Some(at(-33.9, 18.0)));
        for bad in ["51.5", "51.5;-0.12", "91,0", "0,180.1", "nan,0", "a,b", ""] {
            assert_eq!(Coordinates::parse(bad), None, "{bad}");
        }
    }
}
