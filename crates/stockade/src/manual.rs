//! The manual: one page per subject, each with an example that is compiled and run.
//!
//! | page | answers |
//! |---|---|
//! | [`policy`] | what can be asked for, with every default and unit |
//! | [`limits`] | what each limit counts, and what a program sees when it hits it |
//! | [`filesystem`] | which files a program sees, and how to give it more |
//! | [`network`] | which network a program reaches |
//! | [`privileges`] | as whom a program runs, and which system calls it has |
//! | [`wasm`] | what a WebAssembly module gets, and what limits mean for it |
//! | [`plugins`] | calling a module's functions, and letting it call yours |
//! | [`runtimes`] | Python and JavaScript source in the WebAssembly backend |
//! | [`stdio`] | input, output, and reading along while a program runs |
//! | [`warm`] | sandboxes that are built before a run is asked for |
//! | [`batch`] | running many jobs at once, as many as the host has room for |
//! | [`verdicts`] | why a run ended, and which of two reasons wins |
//! | [`receipt`] | what enforced each control, and what `best_effort` allows |
//! | [`errors`] | why a run did not happen, and what to do about it |
//! | [`command_line`] | the `stockade` command and its exit status |
//! | [`c`] | the same from C, and from what calls C |
//! | [`which_hosts`] | what a host must offer, and what is missing without it |
//! | [`doctor`] | what this host can enforce, and what to do about the rest |
//! | [`attacks`] | trying to break out, on this host |
//! | [`bench`](mod@bench) | what isolation costs on this machine, and what it is worth |
//! | [`bundles`] | running bundles of the Open Container Initiative, and what becomes of each of their fields |
//! | [`containers`] | what works inside a container, and with which options |
//! | [`container_runtime`] | running containers in the place of runc, and which walls they have |
//! | [`docker`], [`containerd`], [`podman`] | how each engine, and Kubernetes, is told of it |
//! | [`images`] | images of containers as the root that a program sees |
//! | [`compatibility`] | which ordinary programs were compared inside and outside, and where they differ |
//! | [`conformance`] | what holds on every backend, and where modules differ |
//! | [`examples`] | one runnable file per question |

#[doc = include_str!("manual/policy.md")]
pub mod policy {}

#[doc = include_str!("manual/limits.md")]
pub mod limits {}

#[doc = include_str!("manual/filesystem.md")]
pub mod filesystem {}

#[doc = include_str!("manual/network.md")]
pub mod network {}

#[doc = include_str!("manual/privileges.md")]
pub mod privileges {}

#[doc = include_str!("manual/wasm.md")]
pub mod wasm {}

#[doc = include_str!("manual/plugins.md")]
pub mod plugins {}
#[doc = include_str!("manual/runtimes.md")]
pub mod runtimes {}

#[doc = include_str!("manual/stdio.md")]
pub mod stdio {}

#[doc = include_str!("manual/warm.md")]
pub mod warm {}
#[doc = include_str!("manual/batch.md")]
pub mod batch {}

#[doc = include_str!("manual/verdicts.md")]
pub mod verdicts {}

#[doc = include_str!("manual/receipt.md")]
pub mod receipt {}

#[doc = include_str!("manual/errors.md")]
pub mod errors {}

#[doc = include_str!("manual/command_line.md")]
pub mod command_line {}

#[doc = include_str!("manual/c.md")]
pub mod c {}

#[doc = include_str!("manual/which_hosts.md")]
pub mod which_hosts {}

#[doc = include_str!("manual/doctor.md")]
pub mod doctor {}
#[doc = include_str!("manual/attacks.md")]
pub mod attacks {}
#[doc = include_str!("manual/bench.md")]
pub mod bench {}
#[doc = include_str!("manual/bundles.md")]
pub mod bundles {}
#[doc = include_str!("manual/containers.md")]
pub mod containers {}

#[doc = include_str!("manual/compatibility.md")]
pub mod compatibility {}

#[doc = include_str!("manual/images.md")]
pub mod images {}

#[doc = include_str!("manual/conformance.md")]
pub mod conformance {}

#[doc = include_str!("manual/examples.md")]
pub mod examples {}

#[doc = include_str!("manual/container_runtime.md")]
pub mod container_runtime {}

#[doc = include_str!("manual/docker.md")]
pub mod docker {}

#[doc = include_str!("manual/containerd.md")]
pub mod containerd {}

#[doc = include_str!("manual/podman.md")]
pub mod podman {}
