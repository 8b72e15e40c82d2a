//! Places people know by name: cities of the world and the regions of three clouds.
//!
//! A city is called by its name (`São Paulo`); a cloud region by `provider:region` as the provider writes it (`aws:us-east-1`,
//! `gcp:us-east1`, `azure:eastus`) or by the region alone, since no two providers share one. Upper and lower case, accents
//! and the space between words (`sao-paulo`, `new_york`) do not matter for cities. Decimal degrees are a place too.

use super::geodesic::Coordinates;
use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

/// The operator of a cloud region.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Provider {
    /// Amazon Web Services.
    Aws,
    /// Google Cloud.
    GoogleCloud,
    /// Microsoft Azure.
    Azure,
}

impl Provider {
    /// Every provider.
    pub const ALL: [Self; 3] = [Self::Aws, Self::GoogleCloud, Self::Azure];

    /// The prefix of its regions' names: `aws`, `gcp`, `azure`.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::GoogleCloud => "gcp",
            Self::Azure => "azure",
        }
    }
}

/// What a place is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A city, with its country as ISO 3166-1 alpha-2.
    City {
        /// `GB`, `BR`...
        country: &'static str,
    },
    /// A cloud region, with the location that its provider publishes.
    CloudRegion {
        /// Whose.
        provider: Provider,
        /// `N. Virginia`, `Frankfurt, Germany`...
        location: &'static str,
    },
    /// A point given by its coordinates.
    Point,
}

/// A place on Earth.
#[derive(Clone, PartialEq, Debug)]
pub struct Place {
    /// Its full name: `São Paulo`, `aws:us-east-1`, `51.5,-0.12`.
    pub name: Cow<'static, str>,
    /// Where it is.
    pub at: Coordinates,
    /// What it is.
    pub kind: Kind,
    /// Where the coordinates come from.
    pub source: Cow<'static, str>,
}

/// No place has this name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unknown {
    /// The name asked for.
    pub name: String,
    /// Names of places that look like it, nearest first; at most three.
    pub similar: Vec<String>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no place is called `{}`", self.name)?;
        for (index, name) in self.similar.iter().enumerate() {
            write!(f, "{}`{name}`", if index == 0 { "; did you mean " } else { ", " })?;
        }
        Ok(())
    }
}

impl std::error::Error for Unknown {}

/// Name, country, latitude, longitude, other names, `GeoNames` id.
const CITIES: &str = include_str!("cities.tsv");
/// Provider, region, latitude, longitude, published location, town.
const REGIONS: &str = include_str!("regions.tsv");

/// The built-in places and all their names in folded form, sorted for search.
struct Atlas {
    places: Vec<Place>,
    names: Vec<(String, usize)>,
}

static ATLAS: LazyLock<Atlas> = LazyLock::new(|| {
    let mut atlas = Atlas { places: Vec::new(), names: Vec::new() };
    rows(CITIES).for_each(|row| atlas.city(row));
    rows(REGIONS).for_each(|row| atlas.region(row));
    atlas.names.sort();
    atlas
});

/// The columns of the lines that are not comments.
fn rows(table: &'static str) -> impl Iterator<Item = [&'static str; 6]> {
    table.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut columns = line.split('\t');
        std::array::from_fn(|_| columns.next().expect("the built-in tables have six columns"))
    })
}

fn coordinates(lat: &str, lon: &str) -> Coordinates {
    let degrees = |text: &str| text.parse().expect("the built-in tables hold decimal degrees");
    Coordinates::new(degrees(lat), degrees(lon)).expect("the built-in tables hold points on Earth")
}

impl Atlas {
    fn city(&mut self, [name, country, lat, lon, others, id]: [&'static str; 6]) {
        let index = self.places.len();
        self.places.push(Place {
            name: Cow::Borrowed(name),
            at: coordinates(lat, lon),
            kind: Kind::City { country },
            source: Cow::Owned(format!("GeoNames {id} (CC BY 4.0)")),
        });
        let others = others.split(';').filter(|other| !other.is_empty());
        self.names.extend(std::iter::once(name).chain(others).map(|name| (fold(name), index)));
    }

    fn region(&mut self, [provider, region, lat, lon, location, town]: [&'static str; 6]) {
        let index = self.places.len();
        let provider = Provider::ALL.into_iter().find(|known| known.prefix() == provider);
        let provider = provider.expect("the built-in table names known providers");
        let name = format!("{}:{region}", provider.prefix());
        self.names.extend([(name.clone(), index), (region.to_owned(), index)]);
        self.places.push(Place {
            name: Cow::Owned(name),
            at: coordinates(lat, lon),
            kind: Kind::CloudRegion { provider, location },
            source: Cow::Owned(format!("published location \"{location}\", placed at {town}")),
        });
    }

    fn named(&self, folded: &str) -> Option<&Place> {
        let at = self.names.binary_search_by(|(name, _)| name.as_str().cmp(folded)).ok()?;
        self.places.get(self.names.get(at)?.1)
    }
}

/// All built-in places: the cities by name, then the regions by provider.
#[must_use]
pub fn places() -> &'static [Place] {
    &ATLAS.places
}

/// The place called `name`, or the point with those coordinates.
pub fn find(name: &str) -> Result<Place, Unknown> {
    let name = name.trim();
    if let Some(at) = Coordinates::parse(name) {
        return Ok(Place { name: Cow::Owned(at.to_string()), at, kind: Kind::Point, source: Cow::Borrowed("given") });
    }
    let exact = ATLAS.named(&name.to_lowercase());
    exact.or_else(|| ATLAS.named(&fold(name))).cloned().ok_or_else(|| unknown(name))
}

/// The nearest names by Jaro-Winkler similarity; what is less similar than 0.8 looks like another word.
fn unknown(name: &str) -> Unknown {
    let folded = fold(name);
    let mut near: Vec<(f64, usize)> = Vec::new();
    for (known, index) in &ATLAS.names {
        let score = strsim::jaro_winkler(&folded, &fold(known));
        if score < 0.8 {
            continue;
        }
        match near.iter_mut().find(|(_, other)| other == index) {
            Some(entry) => entry.0 = entry.0.max(score),
            None => near.push((score, *index)),
        }
    }
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let similar = near.iter().take(3).map(|&(_, index)| ATLAS.places[index].name.to_string()).collect();
    Unknown { name: name.to_owned(), similar }
}

/// Lower case without accents, words separated by one space. Of the letters that differ between writings of the same city
/// name, those of Latin-1 and Latin Extended-A are known.
fn fold(name: &str) -> String {
    let mut folded = String::with_capacity(name.len());
    for letter in name.chars().flat_map(char::to_lowercase) {
        match letter {
            ' ' | '-' | '_' | '.' | ',' | '\u{a0}' => {
                if !folded.is_empty() && !folded.ends_with(' ') {
                    folded.push(' ');
                }
            }
            '\'' | '\u{2019}' | '\u{300}'..='\u{36f}' => {}
            _ => folded.push_str(plain(letter).unwrap_or(letter.encode_utf8(&mut [0; 4]))),
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

/// The letter that people without the right keyboard type.
const fn plain(letter: char) -> Option<&'static str> {
    Some(match letter {
        'à'..='å' | 'ā' | 'ă' | 'ą' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => "o",
        'œ' => "oe",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ß' => "ss",
        'ţ' | 'ť' | 'ŧ' | 'ț' => "t",
        'þ' => "th",
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => "u",
        'ŵ' => "w",
        'ý' | 'ÿ' | 'ŷ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topo::distance;
    use std::collections::BTreeMap;

    fn name(asked: &str) -> String {
        find(asked).unwrap_or_else(|unknown| panic!("{unknown}")).name.into_owned()
    }

    #[test]
    fn cities_answer_to_what_people_type() {
        for asked in ["São Paulo", "sao paulo", "SAO PAULO", "são-paulo", " Sao_Paulo ", "Sa\u{303}o Paulo"] {
            assert_eq!(name(asked), "São Paulo", "{asked}");
        }
        assert_eq!(name("NYC"), "New York");
        assert_eq!(name("new york city"), "New York");
        assert_eq!(name("Washington, D.C."), "Washington");
        assert_eq!(name("Bengaluru"), "Bangalore");
        assert_eq!(name("zürich"), "Zurich");
        assert_eq!(name("İstanbul"), "Istanbul");
    }

    #[test]
    fn regions_answer_with_and_without_their_provider() {
        assert_eq!(name("us-east-1"), "aws:us-east-1");
        assert_eq!(name("AWS:us-east-1"), "aws:us-east-1");
        assert_eq!(name("us-east1"), "gcp:us-east1");
        assert_eq!(name("eastus"), "azure:eastus");
        assert_eq!(name("azure:eastus2"), "azure:eastus2");
        // A hyphen more or less is another region, hundreds of kilometres away.
        assert!(distance(find("us-east-1").unwrap().at, find("us-east1").unwrap().at) > 500_000);
        assert!(find("gcp:us-east-1").is_err());
    }

    #[test]
    fn coordinates_are_a_place() {
        let place = find("51.5, -0.12").unwrap();
        assert_eq!((place.name.as_ref(), place.kind), ("51.5,-0.12", Kind::Point));
        assert!(find("91,0").is_err());
    }

    #[test]
    fn a_misspelt_name_brings_names_like_it() {
        let similar = |asked: &str| find(asked).unwrap_err().similar;
        assert_eq!(similar("Lodnon")[0], "London");
        assert_eq!(similar("Frankfrut")[0], "Frankfurt");
        assert!(similar("us-est-1").contains(&"aws:us-east-1".to_owned()));
        assert!(similar("New Yrok").len() <= 3);
        assert!(similar("qqqqqq").is_empty());
        let text = find("Lodnon").unwrap_err().to_string();
        assert!(text.starts_with("no place is called `Lodnon`; did you mean `London`"), "{text}");
    }

    #[test]
    fn no_two_places_share_a_name() {
        let mut owner = BTreeMap::new();
        for (name, index) in &ATLAS.names {
            let other = owner.insert(name, index);
            assert!(other.is_none_or(|other| other == index), "two places are called {name}");
        }
        for place in places() {
            assert_eq!(find(&place.name).as_ref(), Ok(place));
        }
    }

    #[test]
    fn the_world_is_covered() {
        let cities = places().iter().filter(|place| matches!(place.kind, Kind::City { .. })).count();
        assert!(cities >= 60, "{cities} cities");
        for provider in Provider::ALL {
            let of_provider =
                |place: &&Place| matches!(place.kind, Kind::CloudRegion { provider: p, .. } if p == provider);
            assert!(places().iter().filter(of_provider).count() >= 35, "{provider:?}");
        }
        // Every half of every hemisphere, and every continent.
        for asked in ["Anchorage", "Buenos Aires", "Reykjavik", "Nairobi", "Ulaanbaatar", "Auckland"] {
            name(asked);
        }
    }

    #[test]
    fn a_region_lies_where_its_provider_says() {
        // Regions named after a city that is in the table lie within 60 km of it.
        let mut checked = 0;
        for region in places() {
            let Kind::CloudRegion { location, .. } = region.kind else { continue };
            let town = location.split(',').next().unwrap_or(location);
            let Ok(city) = find(town) else { continue };
            if let Kind::City { .. } = city.kind {
                let gap = distance(region.at, city.at);
                assert!(gap < 60_000, "{} is {gap} m from {town}", region.name);
                checked += 1;
            }
        }
        assert!(checked >= 80, "{checked} regions are named after a city");
    }
}
