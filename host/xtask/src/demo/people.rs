//! Ten thousand readers of a bookshop's letter, and a few lines that are no readers: a CSV as Pinpoint
//! imports it. The same every time.

use std::fmt::Write as _;

/// Readers.
pub const READERS: u64 = 10_000;

/// A name that stands more than once has several values.
const HEADER: &str = "Id,ChannelType,Address,OptOut,EndpointStatus,Attributes.interests,Attributes.interests,\
    Attributes.interests,Metrics.booksBought,Demographic.Locale,Location.City,Location.Country,User.UserId,\
    User.UserAttributes.FirstName,User.UserAttributes.LastName,User.UserAttributes.FavouriteBook";

/// Locale, country, city, first names, last names.
type Land = (
    &'static str,
    &'static str,
    &'static str,
    [&'static str; 4],
    [&'static str; 3],
);

const LANDS: [Land; 8] = [
    (
        "en-GB",
        "GB",
        "Bristol",
        ["Siobhán", "Oliver", "Anne-Marie \"Mimi\"", "Zoë"],
        ["O’Brien", "Smith, Jr.", "Ng"],
    ),
    (
        "pl-PL",
        "PL",
        "Gdańsk",
        ["Żaneta", "Łukasz", "Małgorzata", "Święcisław"],
        ["Wójcik", "Źrebak", "Nowak"],
    ),
    (
        "de-DE",
        "DE",
        "Köln",
        ["Jürgen", "Änne", "Klaus", "Björn"],
        ["Groß", "Müller", "von der Heide"],
    ),
    (
        "fr-FR",
        "FR",
        "Besançon",
        ["François", "Hélène", "Maëlys", "Noël"],
        ["Lefèvre", "d’Été", "Garçon"],
    ),
    (
        "es-ES",
        "ES",
        "A Coruña",
        ["José", "Begoña", "Íñigo", "Lucía"],
        ["Muñoz", "García, hijo", "Núñez"],
    ),
    (
        "ja-JP",
        "JP",
        "横浜市",
        ["明美", "健太", "さくら", "翔"],
        ["佐藤", "鈴木", "高橋"],
    ),
    (
        "zh-TW",
        "TW",
        "臺北市",
        ["雅婷", "家豪", "怡君", "志明"],
        ["陳", "林", "黃"],
    ),
    (
        "fi-FI",
        "FI",
        "Jyväskylä",
        ["Äijö", "Väinö", "Aino", "Pekka"],
        ["Mäkinen", "Hämäläinen", "Öhman"],
    ),
];

const INTERESTS: [&str; 8] = [
    "crime",
    "travel",
    "history",
    "poetry",
    "cooking",
    "science",
    "comics",
    "sea stories",
];

const BOOKS: [&str; 5] = [
    "Moby-Dick; or, The Whale",
    "The \"Unsinkable\" Molly",
    "紅樓夢",
    "Lalka, tom I",
    "L’Étranger",
];

/// What must be refused, and why: the reasons that the import is to find.
const BROKEN: [(u64, &[u8]); 8] = [
    (1_207, b"broken-1,EMAIL,\"never closed@readers.test,NONE,ACTIVE,,,,1,en-GB,,,b1,,,"),
    (2_345, b"broken-2,EMAIL,too.short@readers.test"),
    (3_999, b"broken-3,PIGEON,coo@readers.test,NONE,ACTIVE,,,,1,en-GB,,,b3,,,"),
    (4_321, b"broken-4,EMAIL,b4@readers.test,NONE,ACTIVE,,,,plenty,en-GB,,,b4,,,"),
    (5_555, b",EMAIL,,NONE,ACTIVE,,,,1,en-GB,,,,,,"),
    (6_789, b"broken-6,EMAIL,b6@readers.test,NONE,ACTIVE,,,,1,en-GB,K\xf6ln,DE,b6,,,"),
    (8_080, b"broken-7,EMAIL,b7@readers.test,PERHAPS,ACTIVE,,,,1,en-GB,,,b7,,,"),
    (9_876, b"broken-8,EMAIL,b8@readers.test,NONE,ACTIVE,,,,1,en-GB,,,b8,,,\"a title of more than a hundred \
        characters, which is longer than any value of an attribute may be, here or at AWS, whatever it says\""),
];

/// Lines that are to be refused.
pub const REFUSED: usize = BROKEN.len();

/// The file.
pub fn csv() -> Vec<u8> {
    let mut file = HEADER.replace(' ', "").into_bytes();
    file.push(b'\n');
    let mut number = 1;
    for reader in 0..READERS {
        number += 1;
        while let Some((_, line)) = BROKEN.iter().find(|(at, _)| *at == number) {
            file.extend_from_slice(line);
            file.push(b'\n');
            number += 1;
        }
        file.extend_from_slice(line(reader).as_bytes());
    }
    file
}

/// The id of a reader's endpoint.
pub fn id(reader: u64) -> String {
    format!("reader-{reader:05}")
}

fn line(reader: u64) -> String {
    let mut dice = Dice::new(reader);
    let (locale, country, city, first, last) = LANDS[dice.below(LANDS.len() as u64) as usize];
    // Addresses that the outbox refuses, defers, or refuses after the whole message.
    let kind = match dice.below(1_000) {
        0..20 => "bounce+",
        20..35 => "defer+",
        35..40 => "reject+",
        _ => "",
    };
    let opt_out = if dice.below(100) < 3 { "ALL" } else { "NONE" };
    let status = if dice.below(100) < 2 { "INACTIVE" } else { "ACTIVE" };
    let wanted = dice.below(4);
    let start = dice.below(INTERESTS.len() as u64);
    let interest = |place: u64| {
        let index = (start + place * 3) % INTERESTS.len() as u64;
        if place < wanted {
            INTERESTS[index as usize]
        } else {
            ""
        }
    };
    let bought = dice.below(40);
    // A few never said their names; the templates have a word for them.
    let first = if dice.below(20) == 0 {
        ""
    } else {
        first[dice.below(4) as usize]
    };
    let last = last[dice.below(3) as usize];
    let book = BOOKS[dice.below(5) as usize];
    let cells = [
        &id(reader),
        "EMAIL",
        &format!("{kind}reader{reader}@readers.test"),
        opt_out,
        status,
        interest(0),
        interest(1),
        interest(2),
        &bought.to_string(),
        locale,
        city,
        country,
        &format!("user-{reader}"),
        first,
        last,
        book,
    ];
    let mut line = String::new();
    for (place, cell) in cells.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = match cell.contains([',', '"']) {
            true => write!(line, "{comma}\"{}\"", cell.replace('"', "\"\"")),
            false => write!(line, "{comma}{cell}"),
        };
    }
    line.push('\n');
    line
}

/// Chance that is the same every time (SplitMix64).
pub struct Dice(u64);

impl Dice {
    /// One for each seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    /// 0 up to, but not including, `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_lines_stand_where_they_say() {
        let file = csv();
        let lines: Vec<&[u8]> = file.split(|byte| *byte == b'\n').collect();
        for (number, line) in BROKEN {
            assert_eq!(lines[usize::try_from(number).unwrap() - 1], line);
        }
        assert_eq!(lines.len() as u64, 1 + READERS + REFUSED as u64 + 1);
    }

    #[test]
    fn there_is_something_of_everything() {
        let file = String::from_utf8_lossy(&csv()).into_owned();
        for part in [
            "bounce+",
            "defer+",
            "reject+",
            ",ALL,",
            ",INACTIVE,",
            "Żaneta",
            "明美",
            "\"Anne-Marie \"\"Mimi\"\"\"",
        ] {
            assert!(file.contains(part), "{part}");
        }
    }
}
