//! What runs inside an emulated machine that was booted with another kernel; [`crate::host`] is its other side.
//!
//! The machine's whole file system is an initramfs with this program as its /init, the daemon, nginx and ip(8). No module
//! is loaded and nothing is installed.
//!
//! * [`boot`] process 1: mounts, starts the story as a process of its own, and hands the report to the other side
//! * [`report`] what is handed over; [`steps`] a step a line, and where it ended
//! * [`story`] what a kernel has to show that must work; [`refusal`] what one that cannot
//! * [`fixture`] the pod in which it plays
//! * [`flags`] receive calls that only TCP serves
//! * [`found`] what the daemon's own probe found; [`web`] nginx, and a client that compares every byte
//! * [`host`] the other side: which kernels there are, and booting one

pub mod boot;
pub mod fixture;
pub mod flags;
pub mod found;
pub mod host;
pub mod refusal;
pub mod report;
pub mod steps;
pub mod story;
pub mod web;
