//! What an older store does not have of the present one, and the other way round: what a restore
//! would take back.

use super::{Location, LocationName};
use std::{collections::HashMap, net::Ipv4Addr};

/// The locations that differ, each list sorted by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Setback {
    /// Locations that were added since.
    pub added: Vec<LocationName>,
    /// Locations that were removed since.
    pub removed: Vec<LocationName>,
    /// Locations whose keys are others since.
    pub rekeyed: Vec<LocationName>,
    /// Addresses that were given since, and the locations that have them.
    pub addresses: Vec<(LocationName, Ipv4Addr)>,
}

impl Setback {
    /// Compares the locations of the present store with those of the older one.
    pub fn between(present: &[Location], older: &[Location]) -> Self {
        let mut before: HashMap<&LocationName, &Location> = older.iter().map(|l| (&l.name, l)).collect();
        let mut all = Self::default();
        for l in present {
            let was = before.remove(&l.name);
            match was {
                None => all.added.push(l.name.clone()),
                Some(was) if !was.peer_keys().eq(l.peer_keys()) => all.rekeyed.push(l.name.clone()),
                Some(_) => {}
            }
            let given = addresses(l).filter(|a| !was.is_some_and(|was| addresses(was).any(|b| *a == b)));
            all.addresses.extend(given.map(|a| (l.name.clone(), a)));
        }
        all.removed = before.into_keys().cloned().collect();
        for names in [&mut all.added, &mut all.removed, &mut all.rekeyed] {
            names.sort();
        }
        all.addresses.sort();
        all
    }

    /// What differs, a line for each kind.
    pub fn lines(&self) -> Vec<String> {
        let addresses: Vec<String> = self.addresses.iter().map(|(n, a)| format!("{a} ({n})")).collect();
        [
            line("added since, and gone after it", &self.added),
            line("removed since, and back after it", &self.removed),
            line("with other keys since, and with the old ones after it", &self.rekeyed),
            line("addresses given since, and not given again before all others", &addresses),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The present and the next address of a location.
fn addresses(l: &Location) -> impl Iterator<Item = Ipv4Addr> {
    l.vpn_ip.into_iter().chain(l.moving.as_ref().map(|m| m.vpn_ip))
}

/// One line about all of them, which names the first ones; `None` about none.
pub fn line(what: &str, all: &[impl ToString]) -> Option<String> {
    const NAMED: usize = 10;
    let named: Vec<String> = all.iter().take(NAMED).map(ToString::to_string).collect();
    let more = match all.len().saturating_sub(NAMED) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    (!named.is_empty()).then(|| format!("{what}: {}{more}", named.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{KeyMode, PublicKey};
    use jiff::Timestamp;

    fn site(name: &str, key: Option<u8>, ip: u8) -> Location {
        let mut l = Location::new(name.parse().expect("name"), KeyMode::Stored, Timestamp::UNIX_EPOCH);
        l.public_key = key.map(|k| PublicKey::from_bytes([k; 32]));
        l.vpn_ip = Some(Ipv4Addr::new(10, 0, 0, ip));
        l
    }

    #[test]
    fn every_kind_of_difference_is_named() {
        let older = [site("a", Some(1), 2), site("b", Some(2), 3), site("c", Some(3), 4), site("d", None, 5)];
        let present =
            [site("a", Some(1), 2), site("b", Some(9), 3), site("d", Some(4), 7), site("e", Some(5), 6)];
        let all = Setback::between(&present, &older);
        assert_eq!(
            all.lines(),
            [
                "added since, and gone after it: e",
                "removed since, and back after it: c",
                "with other keys since, and with the old ones after it: b, d",
                "addresses given since, and not given again before all others: 10.0.0.7 (d), 10.0.0.6 (e)",
            ]
        );
        assert_eq!(Setback::between(&older, &older).lines(), Vec::<String>::new());
    }

    #[test]
    fn a_long_list_is_cut() {
        let many: Vec<u8> = (0..12).collect();
        assert_eq!(line("n", &many).as_deref(), Some("n: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"));
    }
}
