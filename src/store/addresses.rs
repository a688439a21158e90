//! Choosing the next VPN address without looking at all of them.
//!
//! The lowest never-used address is found from a remembered place upwards: each step is one
//! look-up in a unique index, and a place once passed is never walked again. Only when no such
//! address is left do the addresses of removed locations return, oldest first.

use super::{Change, Store, StoreError};
use crate::model::Pool;
use rusqlite::{CachedStatement, Connection, OptionalExtension};
use std::{collections::HashSet, net::Ipv4Addr};

/// An address that is free, and where the next search may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The address.
    pub address: Ipv4Addr,
    next: Option<i64>,
}

/// The pool has no free address.
#[derive(Debug, thiserror::Error)]
#[error("no free address left in {network} ({used} held by locations, {reserved} reserved, 1 the hub's)")]
pub struct Exhausted {
    /// The network in CIDR notation.
    pub network: String,
    /// Addresses of the pool that locations hold.
    pub used: u64,
    /// Addresses that are reserved.
    pub reserved: u64,
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

    /// The name of the location that holds an address.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn holder_of_address(&self, address: Ipv4Addr) -> Result<Option<String>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT name FROM location WHERE vpn_ip = ?1
             UNION ALL SELECT l.name FROM pending_address m JOIN location l ON l.id = m.location_id
                        WHERE m.vpn_ip = ?1",
        )?;
        Ok(query.query_row([u32::from(address)], |r| r.get(0)).optional()?)
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
    Err(Exhausted { network: pool.network().to_string(), used, reserved: pool.capacity().1 }.into())
}

/// The free addresses of a pool in the order in which they are handed out.
struct Walk<'a> {
    pool: &'a Pool,
    /// The next never-used candidate; `None` past the end.
    at: Option<Ipv4Addr>,
    used: CachedStatement<'a>,
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
        let used = conn.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM location WHERE vpn_ip = ?1)
                 OR EXISTS (SELECT 1 FROM pending_address WHERE vpn_ip = ?1)
                 OR EXISTS (SELECT 1 FROM freed_address WHERE vpn_ip = ?1)",
        )?;
        Ok(Self { pool, at, used, freed: None, conn })
    }

    fn next(&mut self) -> Result<Option<Choice>, StoreError> {
        while let Some(address) = self.at {
            let n = u32::from(address);
            self.at = n.checked_add(1).and_then(|n| self.pool.next_from(Some(Ipv4Addr::from(n))));
            if !self.used.query_row([n], |r| r.get::<_, bool>(0))? {
                return Ok(Some(Choice { address, next: Some(i64::from(n) + 1) }));
            }
        }
        if self.freed.is_none() {
            let mut query = self.conn.prepare_cached("SELECT vpn_ip FROM freed_address ORDER BY seq DESC")?;
            let rows = query.query_map([], |r| Ok(Ipv4Addr::from(r.get::<_, u32>(0)?)))?;
            self.freed = Some(rows.collect::<Result<_, _>>()?);
        }
        let end = i64::from(u32::from(self.pool.network().broadcast())) + 1;
        let freed = self.freed.iter_mut().flat_map(|all| std::iter::from_fn(|| all.pop()));
        let mut admitted = freed.filter(|a| self.pool.admits(*a).is_ok());
        Ok(admitted.next().map(|address| Choice { address, next: Some(end) }))
    }
}
