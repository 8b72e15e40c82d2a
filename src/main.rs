//! The `lightlag` command.

fn main() -> std::process::ExitCode {
    lightlag::cli::main()
}
