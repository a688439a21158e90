//! The process around the program: the real outside world and the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut env = iwas_wg::env::Env::real();
    let code = iwas_wg::run(std::env::args_os(), &mut env);
    if code != 0 {
        env.stop.end();
    }
    ExitCode::from(code)
}
