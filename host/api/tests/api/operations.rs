//! The table of operations says what AWS's service model and IAM's tables say.
//!
//! `tests/fixtures/api/operations.tsv`: name, method, path and success status from botocore's model of
//! `pinpoint/2016-12-01`; resource from IAM's service authorization reference, `-` where it depends on
//! the request.

use std::collections::BTreeMap;

use pinion_api::extract::Labels;
use pinion_api::operations::{OPERATIONS, Operation};
use pinion_api::router::{RawPath, route};
use pinion_domain::id::Tenant;

const MODEL: &str = include_str!("../../../../tests/fixtures/api/operations.tsv");

fn of_aws() -> impl Iterator<Item = &'static Operation> {
    OPERATIONS
        .iter()
        .filter(|operation| operation.path.starts_with("/v1/"))
}

#[test]
fn the_table_is_the_service_model() {
    let row = |operation: &Operation| {
        format!(
            "{}\t{}\t{}\t{}",
            operation.name, operation.method, operation.path, operation.status
        )
    };
    let mut ours: Vec<_> = of_aws().map(row).collect();
    ours.sort();
    let model: Vec<_> = MODEL
        .lines()
        .map(|line| line.rsplit_once('\t').unwrap().0)
        .collect();
    assert_eq!(ours, model);
    assert_eq!(ours.len(), 122);
}

/// Every label stands for itself, so that ARNs show where labels go.
fn labels_of(operation: &Operation) -> Labels {
    let names = operation
        .path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    Labels::new(
        names
            .map(|name| match name {
                "resource-arn" => (name, "arn:aws:mobiletargeting:eu-west-1:1:apps/a".to_owned()),
                _ => (name, format!("{{{name}}}")),
            })
            .collect(),
    )
}

#[test]
fn actions_and_resources_are_those_of_iam() {
    let tenant = Tenant {
        account: "111111111111".into(),
        region: "eu-west-1".into(),
    };
    let iam: BTreeMap<&str, &str> = MODEL
        .lines()
        .map(|line| {
            (
                line.split('\t').next().unwrap(),
                line.rsplit_once('\t').unwrap().1,
            )
        })
        .collect();
    for operation in of_aws() {
        assert_eq!(operation.action(), format!("mobiletargeting:{}", operation.name));
        let arn = operation.arn(&tenant, &labels_of(operation)).unwrap();
        let expected = iam[operation.name];
        if expected == "-" {
            assert_eq!(arn.to_string(), "arn:aws:mobiletargeting:eu-west-1:1:apps/a");
            continue;
        }
        assert_eq!(
            (arn.account.as_str(), arn.region.as_str()),
            ("111111111111", "eu-west-1")
        );
        let ours: Vec<_> = arn.resource.split('/').collect();
        let theirs: Vec<_> = expected.split('/').collect();
        let same = ours.len() == theirs.len()
            && ours
                .iter()
                .zip(&theirs)
                .all(|(ours, theirs)| ours == theirs || *theirs == "{}");
        assert!(same, "{}: {} is not {expected}", operation.name, arn.resource);
    }
}

#[test]
fn our_own_operations_have_actions_of_their_own() {
    for operation in OPERATIONS
        .iter()
        .filter(|operation| operation.path.starts_with("/pinion/"))
    {
        assert_eq!(operation.action(), format!("pinion:{}", operation.name));
    }
}

#[test]
fn every_path_leads_to_its_operation() {
    for operation in OPERATIONS {
        let path = operation.path.replace(['{', '}'], "");
        let (found, _) = route(&operation.method, RawPath::parse(&path).unwrap()).unwrap();
        assert_eq!(found.name, operation.name);
    }
}
