//! The whole program in-process, with a fake interface, a fixed clock and known randomness, and
//! a few dozen runs of the real binary for what only a process can show.
#![allow(missing_docs, reason = "tests are named by what they show")]

mod access;
mod addresses;
mod adopt;
mod adopt_sources;
mod announce;
mod backup;
mod bad_input;
mod check;
mod clock;
mod comfort;
mod completions;
mod conf;
mod crash;
mod doctor;
mod examples;
mod generated;
mod heartbeat;
mod history;
mod import;
mod init;
mod interrupt;
mod inventory;
mod known_conf;
mod layers;
mod life;
mod location;
mod output;
mod peers;
mod processes;
mod provision;
mod remedies;
mod routeros;
mod script;
mod scripts;
mod sealed;
mod secrets;
mod status;
mod stranger;
mod support;
mod sync;
mod trust;
mod watch;
mod wg_quick;
mod year;
