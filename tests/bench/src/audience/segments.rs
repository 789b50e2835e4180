//! What is asked: each condition as a segment's document and as the peer's SQL.

use jiff::Timestamp;
use pinion_domain::clock::iso;
use serde_json::{Value, json};

use super::people::{DAY, order};

/// A question.
pub struct Question {
    pub name: &'static str,
    pub document: Value,
    pub sql: String,
    /// Bytes of columns and events that must be read at least, per endpoint.
    pub bytes: f64,
    /// Must both count the same?
    pub exact: bool,
}

/// A segment that others build on.
pub fn stored(id: &str) -> Option<Value> {
    match id {
        "paying" => {
            Some(json!({"Dimensions": {"Attributes": {"plan": {"Values": ["basic", "pro", "gold"]}}}}))
        }
        "paying-germans" => Some(json!({"SegmentGroups": {"Groups": [{
            "SourceSegments": [{"Id": "paying"}],
            "Dimensions": [{"Location": {"Country": {"Values": ["DE"]}}}]}]}})),
        _ => None,
    }
}

/// The great circle as Pinion measures it, behind the box that an index could use.
fn circle(latitude: f64, longitude: f64, kilometers: f64) -> String {
    let box_of = kilometers / 111.0 + 0.1;
    let wide = box_of / latitude.to_radians().cos();
    format!(
        "latitude between {} and {} and longitude between {} and {} and
         2 * 6371.0088 * asin(sqrt(least(1, pow(sin(radians(latitude - {latitude}) / 2), 2)
         + cos(radians({latitude})) * cos(radians(latitude)) * pow(sin(radians(longitude - {longitude}) / 2), 2))))
         <= {kilometers}",
        latitude - box_of,
        latitude + box_of,
        longitude - wide,
        longitude + wide
    )
}

/// All of them. `per_endpoint` is how many events there are for each.
pub fn all(now: Timestamp, per_endpoint: f64) -> Vec<Question> {
    let millis = now.as_millisecond();
    let ago = |days: i64| millis - days * DAY;
    let day = |days: i64| {
        Timestamp::from_millisecond(ago(days))
            .map(|at| iso(at)[..10].to_owned())
            .unwrap_or_default()
    };
    let attributes = |attributes: Value| json!({"Dimensions": {"Attributes": attributes}});
    let set = |values: Value| json!({"Values": values});
    let endpoints = |condition: &str| format!("select count(*) from endpoint where {condition}");
    let row = |name, document, sql, bytes| Question {
        name,
        document,
        sql,
        bytes,
        exact: true,
    };
    let recency = json!({"Recency": {"Duration": "DAY_30", "RecencyType": "ACTIVE"}});
    // Events of the last days of a year, six bytes each, and a byte a row to count in.
    let events = |share: f64, days: f64| 1.0 + per_endpoint * share * days / 365.0 * 6.0;
    let opens = |settings: &str| attributes(json!({"event:_email.open": {"Values": [settings]}}));
    vec![
        row(
            "one attribute equal",
            attributes(json!({"plan": set(json!(["pro"]))})),
            endpoints("plan = 'pro'"),
            1.0,
        ),
        row(
            "all of three, and none of one",
            json!({"SegmentGroups": {"Include": "ALL", "Groups": [
                {"Dimensions": [{"Demographic": {"Channel": set(json!(["EMAIL"])), "Platform": set(json!(["ios"]))},
                                 "Location": {"Country": set(json!(["DE", "FR", "PL"]))}}]},
                {"Type": "NONE", "Dimensions": [{"Attributes": {"interests": set(json!(["tea"]))}}]}]}}),
            endpoints(
                "channel = 'EMAIL' and platform = 'ios' and country in ('DE', 'FR', 'PL')
                 and not list_contains(interests, 'tea')",
            ),
            4.0,
        ),
        row(
            "metric range and recency",
            json!({"SegmentGroups": {"Groups": [{"Type": "ALL", "Dimensions": [
                {"Metrics": {"score": {"ComparisonOperator": "GREATER_THAN", "Value": 250}}, "Behavior": recency},
                {"Metrics": {"score": {"ComparisonOperator": "LESS_THAN_OR_EQUAL", "Value": 500}}}]}]}}),
            endpoints(&format!("score > 250 and score <= 500 and effective >= {}", ago(30))),
            24.0,
        ),
        row(
            "one of 100,000 values contains a text",
            attributes(json!({"code": {"AttributeType": "CONTAINS", "Values": ["77"]}})),
            endpoints("contains(code, '77')"),
            4.0,
        ),
        row(
            "one of 100,000 values equal",
            attributes(json!({"code": set(json!(["code-00777"]))})),
            endpoints("code = 'code-00777'"),
            4.0,
        ),
        row(
            "an attribute that is different for everybody",
            attributes(json!({"order": set(json!([order(4_242)]))})),
            endpoints(&format!("order_id = '{}'", order(4_242))),
            4.0,
        ),
        row(
            "a date between two days",
            attributes(json!({"signup": {"AttributeType": "BETWEEN", "Values": [day(90), day(30)]}})),
            endpoints(&format!("signup between '{}' and '{}'", day(90), day(30))),
            2.0,
        ),
        row(
            "within 150 km of a place",
            json!({"Dimensions": {"Location": {"GPSPoint": {
                "Coordinates": {"Latitude": 50.05, "Longitude": 8.55}, "RangeInKilometers": 150}}}}),
            endpoints(&circle(50.05, 8.55, 150.0)),
            2.0,
        ),
        row(
            "an attribute of the user",
            json!({"Dimensions": {"UserAttributes": {"tier": set(json!(["gold"]))}}}),
            endpoints("tier = 'gold'"),
            4.8,
        ),
        row(
            "segments on segments",
            json!({"SegmentGroups": {"Include": "ALL", "Groups": [
                {"SourceSegments": [{"Id": "paying-germans"}]},
                {"Type": "NONE", "Dimensions": [{"Demographic": {"Channel": set(json!(["SMS"]))}}]}]}}),
            endpoints("plan in ('basic', 'pro', 'gold') and country = 'DE' and channel <> 'SMS'"),
            3.0,
        ),
        Question {
            name: "a tenth of everybody, by lot",
            document: attributes(json!({"random:spring": set(json!([r#"{"To": 10}"#]))})),
            sql: endpoints("hash(seq) % 100 < 10"),
            bytes: 0.0,
            exact: false,
        },
        row(
            "opened three times in 30 days",
            opens(r#"{"AtLeast": 3, "WithinDays": 30}"#),
            format!(
                "select count(*) from (select seq from event where type = '_email.open' and happened >= {}
                 group by seq having count(*) >= 3)",
                ago(30)
            ),
            events(0.7, 30.0),
        ),
        row(
            "opened ten times, ever",
            opens(r#"{"AtLeast": 10}"#),
            "select count(*) from (select seq from event where type = '_email.open' group by seq having count(*) >= 10)"
                .to_owned(),
            events(0.7, 365.0),
        ),
        row(
            "bought nothing in 7 days",
            attributes(json!({"event:_monetization.purchase": set(json!([r#"{"AtMost": 0, "WithinDays": 7}"#]))})),
            format!(
                "select count(*) from endpoint where not exists (select 1 from event
                 where event.seq = endpoint.seq and type = '_monetization.purchase' and happened >= {})",
                ago(7)
            ),
            events(0.1, 7.0),
        ),
        row(
            "clicked before the first purchase",
            attributes(json!({"event:_email.click": set(json!([r#"{"Before": "_monetization.purchase"}"#]))})),
            "select count(*) from (select seq,
                min(happened) filter (type = '_email.click') as click,
                min(happened) filter (type = '_monetization.purchase') as purchase
             from event where type in ('_email.click', '_monetization.purchase') group by seq)
             where click < purchase"
                .to_owned(),
            16.0 + events(0.3, 365.0),
        ),
        Question {
            name: "predicate component engagement-score",
            document: attributes(json!({"plugin:engagement-score": set(json!([r#"{"min": 25}"#]))})),
            sql: format!(
                "select count(*) from (select seq, sum(weight * log2(1 + count) * pow(0.5, ({millis} - last) / {}))
                 as score from (select seq, type, count(*) as count, max(happened) as last,
                    case type when '_email.open' then 1 when '_email.click' then 3 else 10 end as weight
                    from event group by seq, type) group by seq) where score >= 25",
                30.0 * DAY as f64
            ),
            bytes: 3.0 * 16.0 + events(1.0, 365.0),
            // The component computes its powers in another way, so the last bit of a score may differ.
            exact: false,
        },
    ]
}
