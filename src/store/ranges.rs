//! What adopted peers may speak for besides their own addresses, as ranges that can be asked for.
//!
//! A network has one holder: its text is a primary key, and a whole host is a key across tables
//! (triggers). A look-up asks for the few prefix lengths that there are, so its cost does not depend
//! on how many ranges there are.

use super::{Change, Store, StoreError};
use crate::model::{LocationName, Scope};
use ipnet::{IpNet, Ipv4Net};
use rusqlite::{Connection, OptionalExtension};
use std::net::Ipv4Addr;

/// A network that an older version let two locations have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contested {
    /// The location that lost it.
    pub location: String,
    /// The network.
    pub net: String,
    /// The location that has it.
    pub holder: String,
}

/// Two locations of which one may speak for the address of the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// The location with the range.
    pub location: String,
    /// Its range.
    pub net: Ipv4Net,
    /// The location inside.
    pub inside: String,
    /// Its address.
    pub address: Ipv4Addr,
}

/// The ranges of locations that hold addresses of one network: those inside of it, and it itself.
/// A wider one is a route: the addresses of the VPN inside of it are not meant.
pub(super) struct Ranges<'a> {
    conn: &'a Connection,
    prefixes: Vec<u8>,
}

impl<'a> Ranges<'a> {
    pub(super) fn within(conn: &'a Connection, network: Ipv4Net) -> Result<Self, StoreError> {
        // A walk from one prefix length to the next, each a look-up in the index.
        let mut query = conn.prepare_cached(
            "WITH RECURSIVE present (p) AS (
                 SELECT min(prefix) FROM wider_range WHERE prefix >= ?1
                 UNION ALL SELECT (SELECT min(prefix) FROM wider_range WHERE prefix > p)
                             FROM present WHERE p IS NOT NULL)
             SELECT p FROM present WHERE p IS NOT NULL",
        )?;
        let prefixes = query.query_map([network.prefix_len()], |r| r.get(0))?.collect::<Result<_, _>>()?;
        Ok(Self { conn, prefixes })
    }

    /// The range that holds an address, the narrowest first, and the row number of its location.
    /// That of the location `except` does not count.
    pub(super) fn holding(
        &self,
        address: Ipv4Addr,
        except: Option<i64>,
    ) -> Result<Option<(Ipv4Net, i64)>, StoreError> {
        for prefix in self.prefixes.iter().rev() {
            let net = Ipv4Net::new_assert(address, *prefix).trunc();
            let mut query = self
                .conn
                .prepare_cached("SELECT location_id FROM wider_range WHERE prefix = ?1 AND first = ?2")?;
            let found: Option<i64> =
                query.query_row((prefix, u32::from(net.network())), |r| r.get(0)).optional()?;
            if let Some(id) = found.filter(|id| Some(*id) != except) {
                return Ok(Some((net, id)));
            }
        }
        Ok(None)
    }
}

/// Notes what a peer may speak for, one row for each network.
pub(super) fn insert(conn: &Connection, location_id: i64, net: &IpNet) -> Result<(), StoreError> {
    let range = match net {
        IpNet::V4(net) => Some((net.prefix_len(), u32::from(net.network()), u32::from(net.broadcast()))),
        IpNet::V6(_) => None,
    };
    conn.prepare_cached(
        "INSERT INTO wider_range (net, location_id, prefix, first, last) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((
        net.to_string(),
        location_id,
        range.map(|r| r.0),
        range.map(|r| r.1),
        range.map(|r| r.2),
    ))?;
    Ok(())
}

/// Fills the table from the texts of the peers. Where an older version let two locations have one
/// network, the location whose own address it is keeps it, else the one that was there first.
pub(super) fn fill(conn: &Connection) -> Result<(), StoreError> {
    let mut query = conn.prepare(
        "SELECT location_id, wider_allowed FROM peer WHERE wider_allowed IS NOT NULL ORDER BY location_id",
    )?;
    let all = query
        .query_map([], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    for (id, text) in all {
        let mut kept = Vec::new();
        for part in text.split(',') {
            let damaged =
                || StoreError::Damaged { what: "a peer has an allowed IP that is no network".into() };
            let net: IpNet = part.parse().map_err(|_| damaged())?;
            match insert(conn, id, &net) {
                Ok(()) => kept.push(part),
                Err(StoreError::Taken { .. }) => {
                    conn.prepare_cached(
                        "INSERT OR IGNORE INTO contested_range (location_id, net, holder)
                         SELECT ?1, ?2, name FROM location
                          WHERE id <> ?1 AND (vpn_ip = ?3
                             OR id IN (SELECT location_id FROM wider_range WHERE net = ?2)
                             OR id IN (SELECT location_id FROM pending_address WHERE vpn_ip = ?3))",
                    )?
                    .execute((id, part, host(&net)))?;
                }
                Err(e) => return Err(e),
            }
        }
        let kept = Some(kept.join(",")).filter(|text| !text.is_empty());
        conn.prepare_cached("UPDATE peer SET wider_allowed = ?2 WHERE location_id = ?1")?
            .execute((id, kept))?;
    }
    Ok(())
}

/// The number of a whole IPv4 host.
fn host(net: &IpNet) -> Option<u32> {
    match net {
        IpNet::V4(net) if net.prefix_len() == 32 => Some(u32::from(net.addr())),
        _ => None,
    }
}

impl Store {
    /// Networks that an older version let two locations have.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn contested(&self) -> Result<Vec<Contested>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT l.name, c.net, c.holder FROM contested_range c JOIN location l ON l.id = c.location_id
              ORDER BY l.name, c.net",
        )?;
        let rows = query
            .query_map([], |r| Ok(Contested { location: r.get(0)?, net: r.get(1)?, holder: r.get(2)? }))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Locations inside the ranges of others, for ranges that hold addresses of this network; the
    /// first one inside each range.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn overlaps(&self, network: Ipv4Net) -> Result<Vec<Overlap>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT l.name, w.first, w.prefix, i.name, min(i.vpn_ip) FROM wider_range w
               JOIN location l ON l.id = w.location_id
               JOIN location i ON i.vpn_ip BETWEEN w.first AND w.last AND i.id <> w.location_id
              WHERE w.prefix >= ?1 GROUP BY w.net ORDER BY w.first",
        )?;
        let rows = query.query_map([network.prefix_len()], |r| {
            Ok(Overlap {
                location: r.get(0)?,
                net: super::addresses::net(r, 1)?,
                inside: r.get(3)?,
                address: Ipv4Addr::from(r.get::<_, u32>(4)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Locations of a scope whose address is not one of this network's.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn outside(&self, network: Ipv4Net, scope: &Scope) -> Result<Vec<String>, StoreError> {
        // Two searches in the index of the addresses, not a walk over all of them.
        let mut query = self.conn.prepare_cached(
            "SELECT name, org FROM location WHERE vpn_ip < ?1 OR vpn_ip > ?2 ORDER BY name",
        )?;
        let bounds = (u32::from(network.network()), u32::from(network.broadcast()));
        let rows = query.query_map(bounds, |r| Ok((r.get(0)?, super::locations::parsed_option(r, 1)?)))?;
        let all = rows.collect::<Result<Vec<(String, Option<crate::model::Org>)>, _>>()?;
        Ok(all.into_iter().filter(|(_, org)| scope.covers(org.as_ref())).map(|(name, _)| name).collect())
    }
}

impl Change<'_> {
    /// Says what else than its own address a peer may speak for.
    ///
    /// # Errors
    /// [`StoreError::Taken`] if one of the networks is another location's.
    pub fn set_wider_allowed(&self, name: &LocationName, wider: &[IpNet]) -> Result<(), StoreError> {
        let id = self.id(name)?;
        let text = wider.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        self.prepare_cached("UPDATE peer SET wider_allowed = ?2 WHERE location_id = ?1")?
            .execute((id, Some(text).filter(|t| !t.is_empty())))?;
        self.prepare_cached("DELETE FROM wider_range WHERE location_id = ?1")?.execute([id])?;
        self.prepare_cached("DELETE FROM contested_range WHERE location_id = ?1")?.execute([id])?;
        wider.iter().try_for_each(|net| insert(self, id, net))
    }
}
