//! Packet scripts against the real TCP machine, on virtual time.
//!
//! A script (the language of packetdrill) plays both the program on one host, by system calls, and its peer, packet by packet. Between
//! them stands [`crate::transport::tcp::Connection`], the machine that every simulated host runs. Nothing is executed and no
//! time passes outside: commands in backticks only choose settings, and the clock jumps from event to event.
//!
//! What a script may contain that this interpreter does not know is found before anything runs, and named:
//! [`Verdict::Unsupported`].

mod calls;
mod commands;
mod cursor;
mod expression;
mod mapping;
mod matcher;
mod packets;
mod play;
mod report;
mod script;
mod stack;

pub use report::{Failure, Verdict};
pub use script::Problem;

/// How strictly a script is judged.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, named where it is set")]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Strictness {
    /// Times must hold to the nanosecond, instead of within the script's tolerance.
    pub exact: bool,
    /// Segments that nobody expected fail the script at its end too, not only where the next packet is expected.
    pub whole_end: bool,
    /// Windows are not compared.
    pub any_window: bool,
    /// Plain acknowledgments of in-order data may come where the script has none.
    pub extra_acks: bool,
    /// PSH and the value of the window scale are compared too.
    pub push_and_scale: bool,
}

/// Runs a script.
#[must_use]
pub fn run(text: &str, strictness: Strictness) -> Verdict {
    match script::parse(text) {
        Ok(script) => play::play(&script, strictness),
        Err(problem) => Verdict::Unsupported(problem),
    }
}
