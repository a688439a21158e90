//! `iwas-wg`: onboard `MikroTik` routers to a `WireGuard` hub and know which site is dark.
//!
//! The store is the truth; the interface, its conf and the routers' scripts are projections of it.
//! A change goes parse, settings, lock, read, pure plan, prepare what can fail, commit, project,
//! print, in this order and no other, so that a crash at any point loses nothing and a closed
//! pipe undoes nothing.
//!
//! The rooms, and which of them each may knock at (a test holds the code to it):
//!
//! ```text
//! main ─ cli ─ commands ─┬─ output ── error ── every room's error
//!                        ├─ settings  config.toml, environment, flags
//!                        ├─ access    who may do what, and on which part of the fleet
//!                        ├─ store     SQLite, the only room that knows SQL
//!                        ├─ device    the WireGuard interface, kernel or userspace
//!                        ├─ wgconf    wg0.conf, every foreign line kept
//!                        ├─ script    RouterOS and wg-quick
//!                        ├─ vault     age
//!                        ├─ env       streams, clock, randomness, devices: all of the outside
//!                        └─ fsx       atomic files, the lock
//!                             └────── model: pure values and functions, below all of them
//! ```
//!
//! Rooms on one level do not know each other: a command joins them through `model`. A third-party
//! crate is named in one room only, so replacing it touches one folder.

pub mod access;
pub mod cli;
pub mod commands;
pub mod device;
pub mod env;
pub mod error;
pub mod fsx;
pub mod model;
pub mod output;
pub mod script;
pub mod settings;
pub mod store;
pub mod vault;
pub mod wgconf;

pub use cli::run;
