//! What the kernel programs of all capabilities are written with, where aya has nothing of the kind: [`barrier`].

#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]
#![cfg_attr(not(test), no_std)]

pub mod barrier;
