//! The whole program in-process, with a fake interface, a fixed clock and known randomness, and
//! a few dozen runs of the real binary for what only a process can show.
#![allow(missing_docs, reason = "tests are named by what they show")]

mod addresses;
mod conf;
mod generated;
mod heartbeat;
mod init;
mod location;
mod output;
mod processes;
mod provision;
mod secrets;
mod status;
mod support;
mod sync;
