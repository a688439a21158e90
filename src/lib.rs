//! iwas-wg
#![allow(missing_docs)]
pub mod model;
pub mod script;
