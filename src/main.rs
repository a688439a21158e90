//! The process around the program: the real outside world and the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut env = iwas_wg::env::Env::real();
    ExitCode::from(iwas_wg::run(std::env::args_os(), &mut env))
}
