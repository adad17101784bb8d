//! This machine's kernel: [`programs`] and how they are attached, the [`table`] of Services.

pub mod programs;
pub mod table;
