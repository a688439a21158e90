//! What is told on standard error: a failure, or a warning.

use super::{SCHEMA_VERSION, Serialize};
use crate::error::{Error, Fault};

#[derive(Debug, Serialize)]
struct ErrorBody<'a> {
    code: &'static str,
    exit: u8,
    message: &'a str,
    hint: Option<&'a str>,
    /// Only where a file was refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rows: Vec<FaultReport<'a>>,
}

/// What is wrong with one line of a file.
#[derive(Debug, Serialize)]
struct FaultReport<'a> {
    line: u64,
    name: Option<&'a str>,
    code: &'static str,
    message: &'a str,
    hint: Option<&'a str>,
}

impl<'a> FaultReport<'a> {
    fn new(f: &'a Fault) -> Self {
        let (name, hint) = (f.name.as_deref(), f.hint.as_deref());
        Self { line: f.line, name, code: f.kind.code(), message: &f.message, hint }
    }
}

/// A failure, on standard error.
#[derive(Debug, Serialize)]
pub struct ErrorReport<'a> {
    schema_version: u32,
    error: ErrorBody<'a>,
}

impl<'a> ErrorReport<'a> {
    pub(in crate::output) fn new(e: &'a Error) -> Self {
        Self::with_exit(e, e.kind.exit())
    }

    pub(in crate::output) fn with_exit(e: &'a Error, exit: u8) -> Self {
        let error = ErrorBody {
            code: e.kind.code(),
            exit,
            message: &e.message,
            hint: e.hint.as_deref(),
            rows: e.faults.iter().map(FaultReport::new).collect(),
        };
        Self { schema_version: SCHEMA_VERSION, error }
    }
}

#[derive(Debug, Serialize)]
struct WarningBody<'a> {
    message: &'a str,
}

/// A warning, on standard error.
#[derive(Debug, Serialize)]
pub struct WarningReport<'a> {
    schema_version: u32,
    warning: WarningBody<'a>,
}

impl<'a> WarningReport<'a> {
    pub(in crate::output) fn new(message: &'a str) -> Self {
        Self { schema_version: SCHEMA_VERSION, warning: WarningBody { message } }
    }
}
