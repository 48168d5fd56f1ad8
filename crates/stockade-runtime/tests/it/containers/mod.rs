//! Containers from `create` to `delete`, by hand.

mod bad_input;
mod crowd;
mod death;
mod exec;
mod files;
mod groups;
mod hooks;
mod identity;
mod modules;
mod namespaces;
mod seccomp;
mod stages;
mod systemd;
