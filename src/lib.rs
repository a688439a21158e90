//! iwas-wg
#![allow(missing_docs)]
pub mod model;
