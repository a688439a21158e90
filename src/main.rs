//! The process around the program: completions, the real outside world, the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    iwas_wg::cli::complete();
    let mut env = iwas_wg::env::Env::real();
    ExitCode::from(iwas_wg::run(std::env::args_os(), &mut env))
}
