//! From what the machine did to what that means: who holds the ports, how sure that is, what else it could be, what to do.

pub mod advice;
pub mod alternatives;
pub(crate) mod glue;
pub mod holders;
pub mod listings;
pub(crate) mod naming;
pub(crate) mod procedure;
pub mod verdict;
