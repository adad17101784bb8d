//! What measures, and what shows it: `make demo`, `make bench`, `make scale`.
//!
//! * [`demo`] two pods with real Envoys, before and after; [`benchmark`] ratios against plain TCP; [`published`] another
//!   design to compare with
//! * [`scale`] what operator and daemon cost where there are many nodes, and many pods
//! * [`sample`] one measured window and medians; [`windows`] windows in turns; [`report`] tables and pictures

pub mod benchmark;
pub mod demo;
pub mod published;
pub mod report;
pub mod sample;
pub mod scale;
pub mod windows;
