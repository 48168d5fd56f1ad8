//! `stockade-oci`: a container runtime with the arguments of runc.
#![allow(dead_code)]

mod failure;
mod seccomp;
mod sys;

fn main() {}
