//! The `git-xtrack` program: everything it does is in the library.
fn main() -> std::process::ExitCode {
    xtrack::cli::main()
}
