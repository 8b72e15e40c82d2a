//! Ends: reliable and paced; sans-IO state machines that never see a clock or a network.

pub mod congestion;
pub mod quic;
pub mod rtt;
pub mod tcp;
