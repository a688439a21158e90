//! Choosing the next VPN address without looking at all of them.
//!
//! The lowest never-used address is found from a remembered place upwards: each step is one
//! look-up in a unique index, and a place once passed is never walked again. Only when no such
//! address is left do the addresses of removed locations return, oldest first.

use super::{Change, Store, StoreError, locations::conversion, ranges::Ranges};
use crate::model::{LocationName, Pool};
use ipnet::Ipv4Net;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, types::Type};
use std::{collections::HashSet, net::Ipv4Addr};

/// An address that is free, and where the next search may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The address.
    pub address: Ipv4Addr,
    next: Option<i64>,
}

/// Who has an address, as far as the store knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressHolder {
    /// The hub.
    Hub,
    /// The hub had it, and it was not released since.
    FormerHub,
    /// The location has it as its own address, or is being moved to it.
    Location(String),
    /// The peer of the location may speak for this range.
    Range(String, Ipv4Net),
}

/// The pool has no free address.
#[derive(Debug, thiserror::Error)]
#[error(
    "no free address left in {network} ({used} held by locations, {reserved} reserved, {}1 the hub's)",
    if *.otherwise == 0 { String::new() } else { format!("{} by allowed IPs and otherwise, ", .otherwise) }
)]
pub struct Exhausted {
    /// The network in CIDR notation.
    pub network: String,
    /// Addresses of the pool that locations hold.
    pub used: u64,
    /// Addresses that are reserved.
    pub reserved: u64,
    /// Addresses that are held otherwise: by moves, by ranges, and by what the store does not know.
    pub otherwise: u64,
}

impl Store {
    /// The address that the next location would get; takes nothing.
    ///
    /// # Errors
    /// [`StoreError::Exhausted`] if there is none.
    pub fn next_address(&self, pool: &Pool) -> Result<Ipv4Addr, StoreError> {
        choose(&self.conn, pool).map(|c| c.address)
    }

    /// The addresses that so many locations would get one after the other, those in `besides` left
    /// out; fewer if there are no more. Takes nothing.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn next_addresses(
        &self,
        pool: &Pool,
        count: usize,
        besides: &HashSet<Ipv4Addr>,
    ) -> Result<Vec<Choice>, StoreError> {
        let mut walk = Walk::begin(&self.conn, pool)?;
        let mut all = Vec::with_capacity(count);
        while all.len() < count {
            match walk.next()? {
                Some(choice) if besides.contains(&choice.address) => {}
                Some(choice) => all.push(choice),
                None => break,
            }
        }
        Ok(all)
    }

    /// How many locations hold an address of the pool, and how many one that it does not admit.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn held_addresses(&self, pool: &Pool) -> Result<(u64, u64), StoreError> {
        let mut query = self.conn.prepare("SELECT vpn_ip FROM location WHERE vpn_ip IS NOT NULL")?;
        let mut rows = query.query([])?;
        let (mut held, mut outside) = (0, 0);
        while let Some(row) = rows.next()? {
            match pool.admits(Ipv4Addr::from(row.get::<_, u32>(0)?)) {
                Ok(()) => held += 1,
                Err(_) => outside += 1,
            }
        }
        Ok((held, outside))
    }

    /// Who has an address of this network, the location `except` aside.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn holder_of_address(
        &self,
        address: Ipv4Addr,
        network: Ipv4Net,
        except: Option<&LocationName>,
    ) -> Result<Option<AddressHolder>, StoreError> {
        let ip = u32::from(address);
        let mut hub = self.conn.prepare_cached("SELECT former FROM hub_address WHERE ip = ?1")?;
        if let Some(former) = hub.query_row([ip], |r| r.get(0)).optional()? {
            return Ok(Some(if former { AddressHolder::FormerHub } else { AddressHolder::Hub }));
        }
        let mut own = self.conn.prepare_cached(
            "SELECT name FROM location WHERE vpn_ip = ?1
             UNION ALL SELECT l.name FROM pending_address m JOIN location l ON l.id = m.location_id
                        WHERE m.vpn_ip = ?1",
        )?;
        let holder: Option<String> = own.query_row([ip], |r| r.get(0)).optional()?;
        if let Some(holder) = holder {
            let is_other = except.is_none_or(|own| own.as_str() != holder);
            return Ok(is_other.then_some(AddressHolder::Location(holder)));
        }
        let id = except.map(|own| id_of(&self.conn, own)).transpose()?.flatten();
        let Some((net, holder)) = Ranges::within(&self.conn, network)?.holding(address, id)? else {
            return Ok(None);
        };
        let name = self.conn.query_row("SELECT name FROM location WHERE id = ?1", [holder], |r| r.get(0))?;
        Ok(Some(AddressHolder::Range(name, net)))
    }

    /// The hub's former addresses that were not released, in their order.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn former_hub_addresses(&self) -> Result<Vec<Ipv4Net>, StoreError> {
        let mut query =
            self.conn.prepare_cached("SELECT ip, prefix FROM hub_address WHERE former ORDER BY ip")?;
        let rows = query.query_map([], |r| net(r, 0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Notes the address of a hub of which none was noted yet.
    ///
    /// # Errors
    /// [`StoreError::Taken`] if a location has it.
    pub fn note_hub_address(&self, address: Ipv4Net) -> Result<(), StoreError> {
        self.conn.execute(
            "INSERT INTO hub_address (ip, prefix, former) VALUES (?1, ?2, 0)",
            (u32::from(address.addr()), address.prefix_len()),
        )?;
        Ok(())
    }
}

impl Change<'_> {
    /// Takes the next free address, which is then nobody else's once this change is committed.
    ///
    /// # Errors
    /// [`StoreError::Exhausted`] if there is none.
    pub fn take_next_address(&self, pool: &Pool) -> Result<Ipv4Addr, StoreError> {
        let choice = choose(self, pool)?;
        self.take_choices(pool, &[choice])?;
        Ok(choice.address)
    }

    /// Takes addresses that [`Store::next_addresses`] gave, in their order.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn take_choices(&self, pool: &Pool, choices: &[Choice]) -> Result<(), StoreError> {
        if let Some(next) = choices.last().and_then(|c| c.next) {
            self.prepare_cached(
                "INSERT INTO allocation (pool, next_ip) VALUES (?1, ?2)
                 ON CONFLICT (pool) DO UPDATE SET next_ip = excluded.next_ip",
            )?
            .execute((pool.fingerprint(), next))?;
        }
        choices.iter().try_for_each(|c| self.take_address(c.address))
    }

    /// Notes that an address is used again, if it was freed before.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn take_address(&self, address: Ipv4Addr) -> Result<(), StoreError> {
        self.prepare_cached("DELETE FROM freed_address WHERE vpn_ip = ?1")?.execute([u32::from(address)])?;
        Ok(())
    }

    /// Gives the hub another address. The present one stays held as a former one, because routers
    /// know the hub by it.
    ///
    /// # Errors
    /// [`StoreError::Taken`] if a location has the address.
    pub fn move_hub(&self, to: Ipv4Net) -> Result<(), StoreError> {
        self.execute("UPDATE hub_address SET former = 1 WHERE NOT former", [])?;
        self.execute("DELETE FROM hub_address WHERE ip = ?1", [u32::from(to.addr())])?;
        self.take_address(to.addr())?;
        self.execute(
            "INSERT INTO hub_address (ip, prefix, former) VALUES (?1, ?2, 0)",
            (u32::from(to.addr()), to.prefix_len()),
        )?;
        Ok(())
    }

    /// Lets a former address of the hub go; it returns after every other free one. `false` if it is
    /// none.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn release_hub_address(&self, address: Ipv4Addr) -> Result<bool, StoreError> {
        let ip = u32::from(address);
        let released = self.execute("DELETE FROM hub_address WHERE ip = ?1 AND former", [ip])? > 0;
        if released {
            self.free_address(address)?;
        }
        Ok(released)
    }

    /// Puts an address at the end of the queue of freed ones.
    pub(super) fn free_address(&self, address: Ipv4Addr) -> Result<(), StoreError> {
        self.prepare_cached("INSERT OR REPLACE INTO freed_address (vpn_ip) VALUES (?1)")?
            .execute([u32::from(address)])?;
        Ok(())
    }
}

fn choose(conn: &Connection, pool: &Pool) -> Result<Choice, StoreError> {
    if let Some(choice) = Walk::begin(conn, pool)?.next()? {
        return Ok(choice);
    }
    let used: u64 = conn.query_row(
        "SELECT count(*) FROM location WHERE vpn_ip BETWEEN ?1 AND ?2",
        (u32::from(pool.network().network()), u32::from(pool.network().broadcast())),
        |r| r.get::<_, u32>(0).map(u64::from),
    )?;
    Err(Exhausted { network: pool.network().to_string(), used, reserved: pool.capacity().1, otherwise: 0 }
        .into())
}

/// An address and its prefix length, from this column and the next.
pub(super) fn net(r: &Row<'_>, column: usize) -> rusqlite::Result<Ipv4Net> {
    let (ip, prefix) = (r.get::<_, u32>(column)?, r.get(column + 1)?);
    Ipv4Net::new(ip.into(), prefix).map_err(conversion(column + 1, Type::Integer))
}

fn id_of(conn: &Connection, name: &LocationName) -> Result<Option<i64>, StoreError> {
    let mut query = conn.prepare_cached("SELECT id FROM location WHERE name = ?1")?;
    Ok(query.query_row([name.as_str()], |r| r.get(0)).optional()?)
}

/// The free addresses of a pool in the order in which they are handed out.
struct Walk<'a> {
    pool: &'a Pool,
    /// The next never-used candidate; `None` past the end.
    at: Option<Ipv4Addr>,
    held: CachedStatement<'a>,
    was_freed: CachedStatement<'a>,
    ranges: Ranges<'a>,
    /// Those of removed locations, the oldest last; read when the others are through.
    freed: Option<Vec<Ipv4Addr>>,
    conn: &'a Connection,
}

impl<'a> Walk<'a> {
    fn begin(conn: &'a Connection, pool: &'a Pool) -> Result<Self, StoreError> {
        let remembered: Option<i64> = conn
            .prepare_cached("SELECT next_ip FROM allocation WHERE pool = ?1")?
            .query_row([pool.fingerprint()], |r| r.get(0))
            .optional()?;
        // A remembered place past the last IPv4 address means that there is nothing left to walk.
        let at = match remembered {
            None => pool.next_from(None),
            Some(n) => u32::try_from(n).ok().and_then(|n| pool.next_from(Some(Ipv4Addr::from(n)))),
        };
        let held = conn.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM location WHERE vpn_ip = ?1)
                 OR EXISTS (SELECT 1 FROM pending_address WHERE vpn_ip = ?1)
                 OR EXISTS (SELECT 1 FROM hub_address WHERE ip = ?1)",
        )?;
        let was_freed =
            conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM freed_address WHERE vpn_ip = ?1)")?;
        let ranges = Ranges::within(conn, pool.network())?;
        Ok(Self { pool, at, held, was_freed, ranges, freed: None, conn })
    }

    fn next(&mut self) -> Result<Option<Choice>, StoreError> {
        while let Some(address) = self.at {
            let range = self.ranges.holding(address, None)?;
            // A range is jumped over whole.
            let n = u32::from(range.map_or(address, |(net, _)| net.broadcast()));
            self.at = n.checked_add(1).and_then(|n| self.pool.next_from(Some(Ipv4Addr::from(n))));
            if range.is_none() && !is(&mut self.held, address)? && !is(&mut self.was_freed, address)? {
                return Ok(Some(Choice { address, next: Some(i64::from(n) + 1) }));
            }
        }
        if self.freed.is_none() {
            let mut query = self.conn.prepare_cached("SELECT vpn_ip FROM freed_address ORDER BY seq DESC")?;
            let rows = query.query_map([], |r| Ok(Ipv4Addr::from(r.get::<_, u32>(0)?)))?;
            self.freed = Some(rows.collect::<Result<_, _>>()?);
        }
        let end = i64::from(u32::from(self.pool.network().broadcast())) + 1;
        while let Some(address) = self.freed.as_mut().and_then(Vec::pop) {
            let free = self.pool.admits(address).is_ok()
                && !is(&mut self.held, address)?
                && self.ranges.holding(address, None)?.is_none();
            if free {
                return Ok(Some(Choice { address, next: Some(end) }));
            }
        }
        Ok(None)
    }
}

/// What a statement says of an address.
fn is(statement: &mut CachedStatement<'_>, address: Ipv4Addr) -> Result<bool, StoreError> {
    Ok(statement.query_row([u32::from(address)], |r| r.get(0))?)
}
