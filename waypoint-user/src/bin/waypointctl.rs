//! The command line: parses arguments, calls `cli`, prints.
#![forbid(unsafe_code)]

use std::{
    env,
    io::{self, IsTerminal},
    process::ExitCode,
};

use clap::Parser;
use tokio::runtime::Builder;
use waypoint_user::cli::{
    self, Cli, Console, Error, Outcome,
    console::{Look, Stream},
};

/// Exits with 0 if everything is as it should be, 1 if not, 2 if that cannot be said.
fn main() -> ExitCode {
    let cli = Cli::parse();
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let plain = env::var_os("NO_COLOR").is_some_and(|word| !word.is_empty());
    let looks = [out.is_terminal(), err.is_terminal()].map(|terminal| Look::new(terminal, plain));
    let [out_look, err_look] = looks;
    let out = Stream::new(&mut out, out_look);
    let mut console = Console { out, err: Stream::new(&mut err, err_look) };
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => return complain(&cause, ExitCode::from(UNSAID)),
    };
    match runtime.block_on(cli::run(&cli, &mut console)) {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::Amiss) => ExitCode::from(AMISS),
        Err(error) if error.is_unheard() => ExitCode::SUCCESS,
        Err(error) => {
            let code = if Error::is_answer(&error) { AMISS } else { UNSAID };
            complain(&error, ExitCode::from(code))
        }
    }
}

/// Says why there is no answer.
fn complain(error: &dyn std::error::Error, code: ExitCode) -> ExitCode {
    eprintln!("waypointctl: {error}");
    code
}

/// Something is not as it should be.
const AMISS: u8 = 1;
/// Nobody can say whether it is.
const UNSAID: u8 = 2;
