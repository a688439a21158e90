//! The whole program and its rooms, in process.

mod routeros;
mod script;
