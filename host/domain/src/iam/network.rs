//! Networks in CIDR notation, of either version of IP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Addresses that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Is the address one of the network's? An IPv4 address in IPv6's clothes is an IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let differing = Ipv4Addr::to_bits(ours) ^ Ipv4Addr::to_bits(theirs);
                differing.leading_zeros() >= self.bits
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let differing = Ipv6Addr::to_bits(ours) ^ Ipv6Addr::to_bits(theirs);
                differing.leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

/// `203.0.113.0/24`, `2001:db8::/32`, or one address.
impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no address or network, such as 203.0.113.0/24");
        let (address, bits) = match text.split_once('/') {
            None => (text, None),
            Some((address, bits)) => (address, Some(bits)),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most).ok_or_else(wrong)?,
        };
        Ok(Self { address, bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        for (network, address, expected) in [
            ("203.0.113.0/24", "203.0.113.255", true),
            ("203.0.113.0/24", "203.0.114.0", false),
            ("203.0.113.7/24", "203.0.113.1", true),
            ("203.0.113.7", "203.0.113.7", true),
            ("203.0.113.7", "203.0.113.6", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "127.0.0.1", false),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true),
            ("2001:DB8:1234:5678::/64", "2001:db8:1234:5678::9", true),
            ("2001:DB8:1234:5678::/64", "2001:db8:1234:5679::9", false),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(
                network.contains(address.parse().unwrap()),
                expected,
                "{network:?} {address}"
            );
        }
        for text in [
            "",
            "203.0.113.0/33",
            "::/129",
            "203.0.113",
            "a/8",
            "1.2.3.4/-1",
            "1.2.3.4/",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
