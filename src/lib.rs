//! git xtrack.
pub mod error;
pub mod run;
/// cli
pub mod cli {
    /// main
    pub fn main() -> std::process::ExitCode {
        std::process::ExitCode::SUCCESS
    }
}
