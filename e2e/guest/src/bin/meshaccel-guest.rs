//! `meshaccel-guest`: what an emulated machine runs; see [`meshaccel_e2e_guest`].
//!
//! As process 1 it boots the machine, and starts itself again for the story.

use std::process::ExitCode;

use meshaccel_e2e_guest::report::Expect;
use meshaccel_e2e_guest::{boot, refusal, story};

fn main() -> ExitCode {
    if std::process::id() == 1 {
        boot::run();
    }
    if std::env::args().nth(1).as_deref() != Some("story") {
        eprintln!("error: this program boots an emulated machine (make test-kernels) and does nothing elsewhere");
        return ExitCode::FAILURE;
    }
    let refused = std::env::var(Expect::PARAMETER).is_ok_and(|word| word == Expect::Refused.word());
    let told = if refused { refusal::tell() } else { story::tell() };
    match told {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("meshaccel: the story cannot be told: {error:#}");
            ExitCode::FAILURE
        }
    }
}
