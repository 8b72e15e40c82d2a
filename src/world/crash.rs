//! A machine crashes and starts again: its programs and sockets are gone at once, its services run anew afterwards.

use super::World;
use crate::base::Id;
use crate::host::Host;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

/// A program that runs whenever its machine starts.
pub(super) type Program = Rc<dyn Fn(Host) -> Pin<Box<dyn Future<Output = ()>>>>;

impl World {
    /// Starts a program on a machine, now and whenever the machine starts again after a crash. Programs start in the order in
    /// which they are installed.
    pub fn install<F: Future<Output = ()> + 'static>(&mut self, node: u32, program: impl Fn(Host) -> F + 'static) {
        self.spawn(node, &program);
        let program: Program = Rc::new(move |host| Box::pin(program(host)));
        self.programs[node as usize].push(program);
    }

    /// The kernel closes the connections of programs that have died: each peer is told by a reset.
    pub(super) fn reset_connections(&mut self, node: u32) {
        let connections: Vec<_> = self.nodes[node as usize].stack.connections.values().copied().collect();
        connections.into_iter().for_each(|id| self.tcp_abort(id));
    }

    /// Ends all programs of a machine and forgets its sockets. Nobody is told.
    pub(super) fn stop_programs(&mut self, node: u32) {
        let of = |candidate: u32| candidate == node;
        self.forget_sockets(of);
        self.executor.set_now(self.now);
        self.executor.kill(node);
        // What programs ask as they are dropped concerns sockets that are gone.
        while let Some((node, call)) = self.executor.next_call() {
            self.call(node, call);
        }
        self.nodes[node as usize].stack.forget();
    }

    fn forget_sockets(&mut self, of: impl Fn(u32) -> bool) {
        let ids: Vec<Id<_>> = self.connections.iter().filter(|(_, it)| of(it.node)).map(|(id, _)| id).collect();
        ids.into_iter().for_each(|id| drop(self.connections.remove(id)));
        let ids: Vec<Id<_>> = self.listeners.iter().filter(|(_, it)| of(it.node)).map(|(id, _)| id).collect();
        ids.into_iter().for_each(|id| drop(self.listeners.remove(id)));
        let ids: Vec<Id<_>> = self.datagrams.iter().filter(|(_, it)| of(it.node)).map(|(id, _)| id).collect();
        ids.into_iter().for_each(|id| drop(self.datagrams.remove(id)));
        self.quic_forget_all(of);
    }

    /// A machine starts: its services run anew.
    pub(super) fn start_programs(&mut self, node: u32) {
        let host = self.host(node).rebooted();
        self.nodes[node as usize].stack.host = host.clone();
        for program in self.programs[node as usize].clone() {
            drop(host.spawn(program(host.clone())));
        }
        self.answered = true;
    }
}
