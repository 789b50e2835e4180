//! KPI names become rows, from rollups alone (developer guide, "Standard Amazon Pinpoint analytics
//! metrics").
//!
//! A *successful delivery* is a message that the provider took and did not bounce later. Days are UTC
//! days of occurrence. `unique-deliveries` over several runs comes from sketches, with a standard error
//! of 1.6 %; by day it counts a run's recipients on the day the run began.

use std::collections::BTreeMap;

use datasketches::hll::{HllSketch, HllType, HllUnion};
use jiff::Timestamp;
use pinion_domain as domain;
use pinion_domain::campaign::schedule::{day, day_start};
use pinion_domain::delivery::{Reason, activity_id};
use pinion_domain::id::CampaignId;
use pinion_domain::kpi::Metric;
use pinion_domain::page::PageRequest;
use pinion_store::{AppRef, Count, EventCount, RollupFilter, Run, Store};

use crate::Result;

/// What an application's KPI may be called.
const APPLICATION: &[(&str, Formula, &[Group])] = &[
    (
        "successful-delivery-rate",
        Formula::DeliveryRate,
        &[Group::None, Group::Date],
    ),
    ("successful-deliveries", Formula::Deliveries, &[Group::Campaign]),
    (
        "email-open-rate",
        Formula::OpenRate,
        &[Group::None, Group::Campaign],
    ),
    ("push-open-rate", Formula::NoData, &[Group::None, Group::Campaign]),
    (
        "unique-deliveries",
        Formula::UniqueDeliveries,
        &[Group::None, Group::Campaign, Group::Date],
    ),
    ("txn-emails-sent", Formula::Sent, &[Group::None, Group::Date]),
    (
        "txn-emails-delivered",
        Formula::Deliveries,
        &[Group::None, Group::Date],
    ),
    (
        "txn-emails-opened",
        Formula::Of(Metric::Opened),
        &[Group::None, Group::Date],
    ),
    (
        "txn-emails-clicked",
        Formula::Of(Metric::Clicked),
        &[Group::None, Group::Date],
    ),
    (
        "txn-emails-delivery-rate",
        Formula::DeliveryRate,
        &[Group::None, Group::Date],
    ),
    (
        "txn-emails-complaint-rate",
        Formula::ComplaintRate,
        &[Group::None, Group::Date],
    ),
    (
        "txn-emails-with-complaints",
        Formula::Of(Metric::Complained),
        &[Group::None, Group::Date],
    ),
    (
        "txn-emails-hard-bounced",
        Formula::HardBounces,
        &[Group::None, Group::Date],
    ),
    (
        "txn-emails-soft-bounced",
        Formula::Of(Metric::SoftBounced),
        &[Group::None, Group::Date],
    ),
    (
        "txn-emails-unique-opens",
        Formula::Of(Metric::UniqueOpened),
        &[Group::None, Group::Date],
    ),
    (
        "txn-emails-unique-clicks",
        Formula::Of(Metric::UniqueClicked),
        &[Group::None, Group::Date],
    ),
    (
        "txn-sms-sent",
        Formula::NoData,
        &[Group::None, Group::Date, Group::Country],
    ),
    (
        "txn-sms-sent-by-parts",
        Formula::NoData,
        &[Group::None, Group::Country],
    ),
    (
        "txn-sms-delivered",
        Formula::NoData,
        &[Group::None, Group::Date, Group::Country],
    ),
    (
        "txn-sms-delivered-by-parts",
        Formula::NoData,
        &[Group::None, Group::Country],
    ),
    (
        "txn-sms-delivery-rate",
        Formula::NoData,
        &[Group::None, Group::Date],
    ),
    ("txn-sms-error-distribution", Formula::NoData, &[Group::None]),
    ("txn-sms-average-price", Formula::NoData, &[Group::Country]),
    (
        "txn-sms-average-price-by-parts",
        Formula::NoData,
        &[Group::Country],
    ),
    ("txn-sms-total-price", Formula::NoData, &[Group::Country]),
];

/// What a campaign's KPI may be called.
const CAMPAIGN: &[(&str, Formula, &[Group])] = &[
    ("attempted-deliveries", Formula::Sent, &[Group::Activity]),
    ("successful-deliveries", Formula::Deliveries, &[Group::Activity]),
    (
        "successful-delivery-rate",
        Formula::DeliveryRate,
        &[Group::None, Group::Activity, Group::Date],
    ),
    (
        "unique-deliveries",
        Formula::UniqueDeliveries,
        &[Group::None, Group::Activity, Group::Date],
    ),
    (
        "hard-bounce-rate",
        Formula::HardBounceRate,
        &[Group::None, Group::Activity],
    ),
    (
        "email-open-rate",
        Formula::OpenRate,
        &[Group::None, Group::Activity],
    ),
    ("push-open-rate", Formula::NoData, &[Group::None, Group::Activity]),
    ("clicks", Formula::Of(Metric::Clicked), &[Group::Activity]),
    (
        "direct-email-opens",
        Formula::Of(Metric::Opened),
        &[Group::Activity],
    ),
    ("direct-push-opens", Formula::NoData, &[Group::Activity]),
    ("sms-spend", Formula::NoData, &[Group::None]),
];

/// What a journey's KPI may be called. Each is known by two names: for the journey as a whole, and for
/// each of its activities.
const JOURNEY: &[&str] = &[
    "sent",
    "delivered",
    "opened",
    "clicked",
    "complained",
    "hardbounced",
    "softbounced",
    "rejected",
    "unsubscribed",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Formula {
    Sent,
    Deliveries,
    DeliveryRate,
    OpenRate,
    HardBounces,
    HardBounceRate,
    ComplaintRate,
    UniqueDeliveries,
    Of(Metric),
    /// Of a channel that does not exist yet.
    NoData,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    None,
    Date,
    Campaign,
    Activity,
    Country,
}

impl Group {
    fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Date => "-grouped-by-date",
            Self::Campaign => "-grouped-by-campaign",
            Self::Activity => "-grouped-by-campaign-activity",
            Self::Country => "-grouped-by-country",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Date => "Date",
            Self::Campaign => "CampaignId",
            Self::Activity => "CampaignActivityId",
            Self::Country => "CountryCode",
        }
    }
}

/// A row of `BaseKpiResult`.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What the row is about: key and value; absent when not grouped.
    pub grouped_by: Option<(&'static str, String)>,
    /// Name of the value.
    pub key: String,
    /// The value.
    pub value: f64,
}

/// A KPI of an application between two moments.
///
/// Fails with `NotFound` for a name that the guide does not know.
pub async fn application(
    store: &Store,
    app: &AppRef,
    name: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Row>> {
    let (base, formula, group) = find(APPLICATION, name)?;
    let transactional = base.starts_with("txn-");
    let facts = Facts::read(store, app, RollupFilter { runs: None, from, to }).await?;
    let facts = facts.filter(|run_no| (run_no == 0) == transactional);
    facts.rows(store, app, base, formula, group).await
}

/// A KPI of a campaign between two moments.
///
/// Fails with `NotFound` for a name that the guide does not know.
pub async fn campaign(
    store: &Store,
    app: &AppRef,
    campaign: &CampaignId,
    name: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Row>> {
    let (base, formula, group) = find(CAMPAIGN, name)?;
    let mut runs = Vec::new();
    let mut page = PageRequest::default();
    loop {
        let found = store.runs(app, campaign, &page).await?;
        runs.extend(found.items.iter().map(|run| run.no));
        match found.next_token {
            Some(token) => page = PageRequest::parse(None, Some(&token))?,
            None => break,
        }
    }
    let facts = Facts::read(
        store,
        app,
        RollupFilter {
            runs: Some(runs),
            from,
            to,
        },
    )
    .await?;
    facts.rows(store, app, base, formula, group).await
}

/// A KPI of a journey. No journey has run yet, so there is nothing to count.
///
/// Fails with `NotFound` for a name that the guide does not know.
pub fn journey(name: &str) -> Result<Vec<Row>> {
    let of_all = name.strip_prefix("journey-emails-");
    let of_each = name
        .strip_prefix("emails-")
        .and_then(|name| name.strip_suffix("-grouped-by-journey-activity"));
    match of_all.or(of_each) {
        Some(counted) if JOURNEY.contains(&counted) => Ok(Vec::new()),
        _ => Err(domain::Error::not_found("KPI", name).into()),
    }
}

fn find(
    table: &'static [(&'static str, Formula, &'static [Group])],
    name: &str,
) -> Result<(&'static str, Formula, Group)> {
    let found = table.iter().find_map(|(base, formula, groups)| {
        let suffix = name.strip_prefix(base)?;
        let group = groups.iter().find(|group| group.suffix() == suffix)?;
        Some((*base, *formula, *group))
    });
    Ok(found.ok_or_else(|| domain::Error::not_found("KPI", name))?)
}

/// The counters that formulas are made of.
#[derive(Clone, Debug, Default)]
struct Totals {
    by_metric: BTreeMap<Metric, u64>,
    /// The runs in this group, for unique counts.
    runs: BTreeMap<i64, u64>,
}

impl Totals {
    fn of(&self, metric: Metric) -> f64 {
        // Counts stay far below 2^53.
        self.by_metric.get(&metric).copied().unwrap_or(0) as f64
    }

    fn deliveries(&self) -> f64 {
        (self.of(Metric::Accepted) - self.of(Metric::BouncedLater)).max(0.0)
    }

    fn hard_bounces(&self) -> f64 {
        self.of(Metric::HardBounced) + self.of(Metric::BouncedLater)
    }

    fn value(&self, formula: Formula) -> f64 {
        let rate = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        match formula {
            Formula::Sent => self.of(Metric::Attempted),
            Formula::Deliveries => self.deliveries(),
            Formula::DeliveryRate => rate(self.deliveries(), self.of(Metric::Attempted)),
            Formula::OpenRate => rate(self.of(Metric::UniqueOpened), self.deliveries()),
            Formula::HardBounces => self.hard_bounces(),
            Formula::HardBounceRate => rate(self.hard_bounces(), self.of(Metric::Attempted)),
            Formula::ComplaintRate => rate(self.of(Metric::Complained), self.deliveries()),
            Formula::Of(metric) => self.of(metric),
            Formula::UniqueDeliveries | Formula::NoData => 0.0,
        }
    }
}

struct Facts {
    ledger: Vec<Count>,
    events: Vec<EventCount>,
}

impl Facts {
    async fn read(store: &Store, app: &AppRef, filter: RollupFilter) -> Result<Self> {
        let ledger = store.ledger_rollup(app, filter.clone()).await?;
        let events = store.event_rollup(app, filter).await?;
        Ok(Self { ledger, events })
    }

    fn filter(mut self, keep: impl Fn(i64) -> bool) -> Self {
        self.ledger.retain(|count| keep(count.run_no));
        self.events.retain(|count| keep(count.run_no));
        self
    }

    async fn rows(
        &self,
        store: &Store,
        app: &AppRef,
        base: &str,
        formula: Formula,
        group: Group,
    ) -> Result<Vec<Row>> {
        if formula == Formula::NoData || (self.ledger.is_empty() && self.events.is_empty()) {
            return Ok(Vec::new());
        }
        let runs = self.runs(store).await?;
        let mut groups: BTreeMap<String, Totals> = BTreeMap::new();
        for count in &self.ledger {
            let totals = groups
                .entry(label(group, count.run_no, count.treatment, count.minute, &runs))
                .or_default();
            for metric in Metric::of_reason(count.reason) {
                *totals.by_metric.entry(*metric).or_default() += count.count;
            }
            if count.reason == Reason::Accepted {
                *totals.runs.entry(count.run_no).or_default() += count.count;
            }
        }
        for count in &self.events {
            let totals = groups
                .entry(label(group, count.run_no, count.treatment, count.minute, &runs))
                .or_default();
            *totals.by_metric.entry(count.metric).or_default() += count.count;
        }
        let mut rows = Vec::with_capacity(groups.len());
        for (name, totals) in groups {
            let value = if formula == Formula::UniqueDeliveries {
                unique(store, app, &totals.runs).await?
            } else {
                totals.value(formula)
            };
            let grouped_by = (group != Group::None).then(|| (group.key(), name));
            rows.push(Row {
                grouped_by,
                key: pascal(base),
                value,
            });
        }
        Ok(rows)
    }

    async fn runs(&self, store: &Store) -> Result<BTreeMap<i64, Run>> {
        let mut runs = BTreeMap::new();
        let numbers = self
            .ledger
            .iter()
            .map(|count| count.run_no)
            .chain(self.events.iter().map(|count| count.run_no));
        for no in numbers.filter(|no| *no != 0) {
            if let std::collections::btree_map::Entry::Vacant(entry) = runs.entry(no)
                && let Some((_, run)) = store.run(no).await?
            {
                entry.insert(run);
            }
        }
        Ok(runs)
    }
}

fn label(group: Group, run_no: i64, treatment: u8, minute: i64, runs: &BTreeMap<i64, Run>) -> String {
    match group {
        Group::None | Group::Country => String::new(),
        Group::Date => {
            let at = Timestamp::from_second(minute * 60).unwrap_or(Timestamp::UNIX_EPOCH);
            day_start(day(at)).strftime("%Y-%m-%d").to_string()
        }
        Group::Campaign => runs
            .get(&run_no)
            .map(|run| run.campaign.to_string())
            .unwrap_or_default(),
        Group::Activity => runs
            .get(&run_no)
            .map(|run| activity_id(&run.id, treatment))
            .unwrap_or_default(),
    }
}

/// Recipients that were reached at least once: exact for one run, from sketches for several.
async fn unique(store: &Store, app: &AppRef, runs: &BTreeMap<i64, u64>) -> Result<f64> {
    if let (1, Some(count)) = (runs.len(), runs.values().next()) {
        return Ok(*count as f64);
    }
    let numbers: Vec<i64> = runs.keys().copied().collect();
    let mut union = HllUnion::new(SKETCH_SIZE).expect("the size is one that the sketch allows");
    for bytes in store.accepted_sketches(app, &numbers).await? {
        if let Ok(sketch) = HllSketch::deserialize(&bytes) {
            union.update(&sketch);
        }
    }
    Ok(union.to_sketch(HllType::Hll8).estimate().round())
}

/// Binary logarithm of a sketch's size: 4,096 registers, a standard error of 1.6 %.
pub(crate) const SKETCH_SIZE: u8 = 12;

/// `email-open-rate` → `EmailOpenRate`.
fn pascal(name: &str) -> String {
    name.split('-')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_uppercase().chain(letters).collect::<String>())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All names of the guide's tables ("Standard Amazon Pinpoint analytics metrics").
    const GUIDE: &[(&str, &str)] = &[
        (
            "application",
            "successful-delivery-rate successful-delivery-rate-grouped-by-date email-open-rate
             email-open-rate-grouped-by-campaign unique-deliveries unique-deliveries-grouped-by-campaign
             unique-deliveries-grouped-by-date successful-deliveries-grouped-by-campaign push-open-rate
             push-open-rate-grouped-by-campaign
             txn-emails-clicked txn-emails-clicked-grouped-by-date txn-emails-complaint-rate
             txn-emails-complaint-rate-grouped-by-date txn-emails-with-complaints
             txn-emails-with-complaints-grouped-by-date txn-emails-delivered
             txn-emails-delivered-grouped-by-date txn-emails-delivery-rate
             txn-emails-delivery-rate-grouped-by-date txn-emails-hard-bounced
             txn-emails-hard-bounced-grouped-by-date txn-emails-opened txn-emails-opened-grouped-by-date
             txn-emails-sent txn-emails-sent-grouped-by-date txn-emails-soft-bounced
             txn-emails-soft-bounced-grouped-by-date txn-emails-unique-clicks
             txn-emails-unique-clicks-grouped-by-date txn-emails-unique-opens
             txn-emails-unique-opens-grouped-by-date
             txn-sms-average-price-grouped-by-country txn-sms-average-price-by-parts-grouped-by-country
             txn-sms-delivered txn-sms-delivered-grouped-by-country txn-sms-delivered-grouped-by-date
             txn-sms-error-distribution txn-sms-delivery-rate txn-sms-delivery-rate-grouped-by-date
             txn-sms-delivered-by-parts txn-sms-delivered-by-parts-grouped-by-country txn-sms-sent-by-parts
             txn-sms-sent-by-parts-grouped-by-country txn-sms-sent txn-sms-sent-grouped-by-country
             txn-sms-sent-grouped-by-date txn-sms-total-price-grouped-by-country",
        ),
        (
            "campaign",
            "hard-bounce-rate hard-bounce-rate-grouped-by-campaign-activity successful-delivery-rate
             successful-delivery-rate-grouped-by-campaign-activity successful-delivery-rate-grouped-by-date
             email-open-rate email-open-rate-grouped-by-campaign-activity
             direct-email-opens-grouped-by-campaign-activity unique-deliveries
             unique-deliveries-grouped-by-campaign-activity unique-deliveries-grouped-by-date
             clicks-grouped-by-campaign-activity successful-deliveries-grouped-by-campaign-activity
             attempted-deliveries-grouped-by-campaign-activity push-open-rate
             push-open-rate-grouped-by-campaign-activity direct-push-opens-grouped-by-campaign-activity
             sms-spend",
        ),
        (
            "journey",
            "journey-emails-clicked emails-clicked-grouped-by-journey-activity journey-emails-complained
             emails-complained-grouped-by-journey-activity journey-emails-delivered
             emails-delivered-grouped-by-journey-activity journey-emails-hardbounced
             emails-hardbounced-grouped-by-journey-activity journey-emails-opened
             emails-opened-grouped-by-journey-activity journey-emails-rejected
             emails-rejected-grouped-by-journey-activity journey-emails-sent
             emails-sent-grouped-by-journey-activity journey-emails-softbounced
             emails-softbounced-grouped-by-journey-activity journey-emails-unsubscribed
             emails-unsubscribed-grouped-by-journey-activity",
        ),
    ];

    fn is_known(of: &str, name: &str) -> bool {
        match of {
            "application" => find(APPLICATION, name).is_ok(),
            "campaign" => find(CAMPAIGN, name).is_ok(),
            _ => journey(name).is_ok(),
        }
    }

    #[test]
    fn the_names_of_the_guide_are_known_and_no_others() {
        let mut names = std::collections::BTreeSet::new();
        for (of, known) in GUIDE {
            for name in known.split_whitespace() {
                assert!(is_known(of, name), "{of}: {name}");
                names.insert(name);
            }
        }
        assert_eq!(names.len(), 78);
        let ours: usize = [APPLICATION, CAMPAIGN]
            .iter()
            .flat_map(|table| table.iter())
            .map(|(.., groups)| groups.len())
            .sum();
        let guide: usize = GUIDE
            .iter()
            .map(|(_, known)| known.split_whitespace().count())
            .sum();
        assert_eq!(ours + 2 * JOURNEY.len(), guide);
        for (of, name) in [
            ("application", "successful-deliveries"),
            ("application", "hard-bounce-rate"),
            ("campaign", "attempted-deliveries"),
            ("campaign", "unheard-of"),
            ("journey", "journey-emails"),
            ("journey", "emails-sent"),
            ("journey", "journey-emails-sent-grouped-by-journey-activity"),
        ] {
            assert!(!is_known(of, name), "{of}: {name}");
        }
    }

    #[test]
    fn keys_are_the_names_in_pascal_case() {
        assert_eq!(pascal("txn-emails-delivery-rate"), "TxnEmailsDeliveryRate");
    }

    #[test]
    fn rates_of_nothing_are_nothing() {
        assert_eq!(Totals::default().value(Formula::DeliveryRate), 0.0);
    }
}
