//! A made-up audience: skewed attributes, one that is different for everybody, users with several endpoints,
//! and a year of events of which few do most. Deterministic: a number has the same person in every run.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use pinion_domain::clock::iso;
use pinion_domain::id::UserId;
use pinion_store::{EndpointChange, LiveEndpoint, UserChange};
use serde_json::json;

/// The types of events, the frequent ones first, with their shares in percent of all.
pub const EVENTS: [(&str, u64); 3] = [
    ("_email.open", 70),
    ("_email.click", 20),
    ("_monetization.purchase", 10),
];
pub const DAY: i64 = 86_400_000;
const YEAR: i64 = 365 * DAY;

/// The audience, as it is at the moment `now`.
#[derive(Clone, Copy, Debug)]
pub struct People {
    pub endpoints: u32,
    pub events: u64,
    pub now: Timestamp,
}

/// What is known of one endpoint.
pub struct Person {
    pub plan: &'static str,
    pub city: u32,
    pub language: &'static str,
    pub interests: [&'static str; 2],
    pub code: u32,
    /// Days before now.
    pub signup: u32,
    pub score: f64,
    pub orders: u32,
    pub spent: Option<f64>,
    pub channel: &'static str,
    pub platform: &'static str,
    pub make: u32,
    pub version: u32,
    pub country: &'static str,
    pub latitude: f64,
    pub longitude: f64,
    pub user: u32,
    pub tier: &'static str,
    /// Milliseconds since 1970.
    pub effective: i64,
}

/// An even share of `0..1` for a number and a purpose.
fn chance(number: u64, purpose: u64) -> f64 {
    let mut bits = number
        .wrapping_mul(31)
        .wrapping_add(purpose)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ bits >> 31) >> 11) as f64 / (1_u64 << 53) as f64
}

/// One of `count`, the first ones far more often than the last.
fn skewed(chance: f64, count: u32) -> u32 {
    (chance.powi(3) * f64::from(count)) as u32
}

fn pick(chance: f64, of: &[(&'static str, f64)]) -> &'static str {
    let mut left = chance;
    for (name, share) in of {
        if left < *share {
            return name;
        }
        left -= share;
    }
    of.last().map_or("", |(name, _)| name)
}

impl People {
    pub fn person(&self, n: u32) -> Person {
        let chance_of = |purpose| chance(n.into(), purpose);
        // Four users have five endpoints.
        let user = n / 5 * 4 + n % 5 % 4;
        let interest = |purpose| {
            const ALL: [&str; 12] = [
                "tea", "books", "music", "sport", "travel", "food", "games", "art", "film", "pets", "garden",
                "cars",
            ];
            ALL[skewed(chance_of(purpose), 12) as usize]
        };
        let town = skewed(chance_of(13), 200);
        let near = |purpose| (chance_of(purpose) * 7.0).floor() / 10.0 - 0.3;
        let tenth = |degrees: f64| (degrees * 10.0).round() / 10.0;
        Person {
            plan: pick(
                chance_of(1),
                &[("free", 0.7), ("basic", 0.2), ("pro", 0.09), ("gold", 0.01)],
            ),
            city: skewed(chance_of(2), 900),
            language: pick(
                chance_of(3),
                &[("en", 0.5), ("de", 0.2), ("fr", 0.15), ("pl", 0.1), ("ja", 0.05)],
            ),
            interests: [interest(4), interest(5)],
            code: (chance_of(6) * 100_000.0) as u32,
            signup: skewed(chance_of(7), 1_095),
            score: (chance_of(8) * 100_000.0).floor() / 100.0,
            orders: skewed(chance_of(9), 60),
            spent: (chance_of(10) < 0.3).then(|| (chance_of(10) * 100_000.0).floor() / 100.0),
            channel: pick(
                chance_of(11),
                &[("EMAIL", 0.6), ("SMS", 0.15), ("GCM", 0.15), ("APNS", 0.1)],
            ),
            platform: pick(chance_of(12), &[("android", 0.5), ("ios", 0.35), ("web", 0.15)]),
            make: skewed(chance_of(16), 20),
            version: skewed(chance_of(17), 30),
            country: pick(
                chance_of(18),
                &[
                    ("US", 0.4),
                    ("DE", 0.15),
                    ("FR", 0.1),
                    ("PL", 0.1),
                    ("JP", 0.1),
                    ("BR", 0.1),
                    ("KE", 0.05),
                ],
            ),
            latitude: tenth(40.0 + chance(town.into(), 100) * 20.0 + near(14)),
            longitude: tenth(-10.0 + chance(town.into(), 101) * 40.0 + near(15)),
            user,
            tier: pick(
                chance(user.into(), 19),
                &[("none", 0.6), ("silver", 0.3), ("gold", 0.1)],
            ),
            effective: self.now.as_millisecond() - (chance_of(20).powi(2) * YEAR as f64) as i64,
        }
    }

    /// The endpoint as the store has it: everything but the user's attributes, as text.
    pub fn document(&self, n: u32) -> Result<String> {
        let person = self.person(n);
        let mut spent = String::new();
        if let Some(money) = person.spent {
            write!(spent, r#","spent":{money}"#)?;
        }
        let effective = iso(Timestamp::from_millisecond(person.effective)?);
        let Person {
            plan,
            city,
            language,
            interests: [one, other],
            code,
            score,
            orders,
            channel,
            platform,
            make,
            version,
            country,
            latitude,
            longitude,
            ..
        } = person;
        Ok(format!(
            r#"{{"Attributes":{{"plan":["{plan}"],"city":["city {city}"],"language":["{language}"],"interests":["{one}","{other}"],"code":["code-{code:05}"],"signup":["{}"],"order":["{}"]}},"Metrics":{{"score":{score},"orders":{orders}{spent}}},"ChannelType":"{channel}","CohortId":"{}","CreationDate":"2026-01-01T00:00:00.000Z","EffectiveDate":"{effective}","EndpointStatus":"ACTIVE","OptOut":"NONE","Demographic":{{"Platform":"{platform}","Make":"make {make}","AppVersion":"3.{version}","Locale":"{language}_{country}"}},"Location":{{"Country":"{country}","City":"city {city}","Latitude":{latitude},"Longitude":{longitude}}}}}"#,
            self.signup_day(person.signup)?,
            order(n),
            n % 100,
        ))
    }

    /// The endpoint as the feed of changes gives it, from the text of its document.
    pub fn change(&self, n: u32, text: &str) -> Result<EndpointChange> {
        Ok(EndpointChange {
            seq: n,
            rev: i64::from(n) + 1,
            live: Some(LiveEndpoint {
                id: format!("endpoint-{n}").into(),
                user_id: Some(user_id(self.person(n).user)),
                has_address: true,
                document: serde_json::from_str(text)?,
            }),
        })
    }

    /// The user of an endpoint, if this is the user's first endpoint.
    pub fn user_change(&self, n: u32) -> Result<Option<UserChange>> {
        let person = self.person(n);
        // The fifth of five belongs to the first one's user.
        if n % 5 == 4 {
            return Ok(None);
        }
        let document = json!({"UserAttributes": {"tier": [person.tier]}});
        Ok(Some(UserChange {
            user_id: user_id(person.user),
            rev: i64::from(n) + 1,
            document: Some(serde_json::from_value(document)?),
        }))
    }

    fn signup_day(&self, days: u32) -> Result<String> {
        let at = self.now.as_millisecond() - i64::from(days) * DAY;
        Ok(iso(Timestamp::from_millisecond(at)?)[..10].to_owned())
    }

    /// The `k`-th event: which type, whose, when. Later ones have larger numbers.
    pub fn event(&self, k: u64) -> (usize, u32, i64) {
        let share = (chance(k, 21) * 100.0) as u64;
        let kind = if share < 70 {
            0
        } else if share < 90 {
            1
        } else {
            2
        };
        // A tenth of the people do a third of everything.
        let seq = (chance(k, 22).powi(2) * f64::from(self.endpoints)) as u32;
        let at = self.now.as_millisecond() - YEAR + (k as f64 / self.events as f64 * YEAR as f64) as i64;
        (kind, seq, at)
    }

    /// Everything as tables for the peer.
    pub fn write_csv(&self, folder: &Path) -> Result<()> {
        let create = |name: &str| -> Result<_> {
            let file = File::create(folder.join(name)).with_context(|| name.to_owned())?;
            Ok(BufWriter::with_capacity(1 << 20, file))
        };
        let mut file = create("endpoints.csv")?;
        writeln!(
            file,
            "seq,plan,city,language,interests,code,signup,order_id,score,orders,spent,channel,platform,make,version,\
             country,latitude,longitude,tier,effective"
        )?;
        for n in 0..self.endpoints {
            let person = self.person(n);
            writeln!(
                file,
                "{n},{},city {},{},{}|{},code-{:05},{},{},{},{},{},{},{},make {},3.{},{},{},{},{},{}",
                person.plan,
                person.city,
                person.language,
                person.interests[0],
                person.interests[1],
                person.code,
                self.signup_day(person.signup)?,
                order(n),
                person.score,
                person.orders,
                person.spent.map(|spent| spent.to_string()).unwrap_or_default(),
                person.channel,
                person.platform,
                person.make,
                person.version,
                person.country,
                person.latitude,
                person.longitude,
                person.tier,
                person.effective,
            )?;
        }
        file.flush()?;
        let mut file = create("events.csv")?;
        writeln!(file, "type,seq,happened")?;
        for k in 0..self.events {
            let (kind, seq, at) = self.event(k);
            writeln!(file, "{},{seq},{at}", EVENTS[kind].0)?;
        }
        file.flush()?;
        Ok(())
    }
}

pub fn order(n: u32) -> String {
    let bits = u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("order-{bits:016x}-{n}")
}

fn user_id(user: u32) -> UserId {
    let bits = (u128::from(user) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    UserId::from(format!("{bits:032x}"))
}
