//! What a program on a machine may do: async sockets, timers and tasks, on a deterministic executor.
//!
//! A program is an async function that is given a [`Host`]. Everything it asks for becomes a [`Call`] in the world's mailbox;
//! the world answers calls in the order in which they were made and wakes the waiting tasks in the order of the answers.
//! Nothing here knows the world: the [`Executor`] half belongs to it, the [`Host`] half to programs.
//!
//! Dropping a future cancels what it waits for, as a timeout should; dropping a socket closes it.

mod call;
mod condition;
mod executor;
mod inbox;
mod quic;
mod sockets;
mod steer;
pub mod sync;
mod task;
mod ticks;

pub use call::{Answer, Call, Echoed, NetError, Opened, Place, Received, SocketId, Ticket, Want};
pub use condition::{Condition, Dns};
pub use executor::Executor;
pub use inbox::Inbox;
pub use quic::{QuicCall, QuicConnection, QuicEndpoint, QuicOptions, QuicStream};
pub use sockets::{Each, EchoSocket, TcpListener, TcpStream, UdpSocket};
pub use steer::{Steer, Steered};
pub use task::{Elapsed, Host, Sleep, Task};
pub use ticks::{Ticker, Ticks};
