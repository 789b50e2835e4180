//! Who gets which treatment: a stable hash of campaign and endpoint, so that a recipient keeps its
//! treatment over all runs of a campaign.

use sha2::{Digest, Sha256};

use super::CampaignDocument;
use crate::id::CampaignId;

/// What a recipient gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// Nothing, to compare with.
    Holdout,
    /// Treatment number: 0 is the campaign's own message, `n` the n-th additional treatment.
    Treatment(u8),
}

/// The shares of a campaign, in hundredths of a percent from the start of the range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    holdout: u16,
    /// Upper bound of each additional treatment's range.
    additional: Vec<u16>,
}

impl Split {
    /// The shares that a campaign's document names.
    pub fn of(campaign: &CampaignDocument) -> Self {
        let percent = |share: u8| u16::from(share) * 100;
        let holdout = percent(campaign.holdout_percent.unwrap_or(0));
        let mut bound = holdout;
        let additional = campaign
            .additional_treatments
            .iter()
            .map(|treatment| {
                bound += percent(treatment.treatment.size_percent);
                bound
            })
            .collect();
        Self { holdout, additional }
    }

    /// The variant at a point of the range 0..10,000.
    pub fn variant(&self, point: u16) -> Variant {
        if point < self.holdout {
            return Variant::Holdout;
        }
        match self.additional.iter().position(|bound| point < *bound) {
            Some(index) => Variant::Treatment(u8::try_from(index + 1).unwrap_or(u8::MAX)),
            None => Variant::Treatment(0),
        }
    }
}

/// The point of an endpoint (by its `seq`, which is never reused) in a campaign's range 0..10,000.
pub fn split(campaign: &CampaignId, seq: u32) -> u16 {
    let mut hash = Sha256::new();
    hash.update(campaign.as_str());
    hash.update(seq.to_be_bytes());
    let digest = hash.finalize();
    let number = u64::from_be_bytes(digest[..8].try_into().expect("a digest has 32 bytes"));
    u16::try_from(number % 10_000).expect("less than 10,000")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::{Treatment, WriteTreatment};

    #[test]
    fn shares_are_kept_within_a_percent() {
        let document = CampaignDocument {
            holdout_percent: Some(10),
            additional_treatments: vec![Treatment {
                id: "t1".into(),
                treatment: WriteTreatment {
                    size_percent: 45,
                    ..WriteTreatment::default()
                },
            }],
            ..CampaignDocument::default()
        };
        let shares = Split::of(&document);
        let campaign = CampaignId::from("c");
        let mut counts = [0_u32; 3];
        for n in 0..100_000 {
            match shares.variant(split(&campaign, n)) {
                Variant::Holdout => counts[0] += 1,
                Variant::Treatment(0) => counts[1] += 1,
                Variant::Treatment(_) => counts[2] += 1,
            }
        }
        for (count, expected) in counts.into_iter().zip([10_000_u32, 45_000, 45_000]) {
            assert!(count.abs_diff(expected) < 1_000, "{counts:?}");
        }
    }
}
