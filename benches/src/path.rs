//! [`Path`]: a piece of work that is timed by criterion and whose instructions are counted.

use std::hint::black_box;

use stockade::{
    Ability, Base, Mount, NamespaceSandbox, Plan, Policy, Prepared, Program, Report, Sandbox,
    Stdio, Support, SyscallProfile, WasmSandbox,
};

use crate::bare::{self, Epochs};
use crate::{Failure, HELLO};

/// What is done again and again.
pub type Work = Box<dyn FnMut() -> Result<(), Failure>>;

/// A way through the library that waits for nothing, so that it takes the same instructions each time.
#[derive(Debug, Clone, Copy)]
pub struct Path {
    /// What it is called in `instructions.json`.
    pub name: &'static str,
    make: fn() -> Result<Work, Failure>,
}

/// All of them.
pub const PATHS: [Path; 11] = [
    Path { name: "policy_from_toml", make: policy_from_toml },
    Path { name: "plan_resolve", make: plan_resolve },
    Path { name: "seccomp_default", make: || seccomp(SyscallProfile::Default) },
    Path { name: "seccomp_strict", make: || seccomp(SyscallProfile::Strict) },
    Path { name: "namespace_prepare", make: namespace_prepare },
    Path { name: "namespace_report", make: namespace_report },
    Path { name: "wasm_prepare", make: wasm_prepare },
    Path { name: "wasm_run", make: wasm_run },
    Path { name: "wasm_output", make: wasm_output },
    Path { name: "wasmtime_run", make: wasmtime_run },
    Path { name: "report_to_json", make: report_to_json },
];

impl Path {
    /// What has to be there before, which is not measured; gives the work.
    ///
    /// # Errors
    /// When this machine cannot do it.
    pub fn ready(&self) -> Result<Work, Failure> {
        (self.make)()
    }
}

/// As somebody would write it.
const POLICY: &str = r#"
best_effort = ["cpus"]

[limits]
memory = "512MiB"
cpu_time = "2s"
wall_time = "1m 30s"
processes = 16
open_files = 64
file_size = "1MiB"
disk = "32MiB"
output = "64KiB"
output_overflow = "truncate"
cpus = 0.5

[filesystem]
base = "system"
mounts = [
    { bind = "/srv/cases/17", target = "/cases" },
    { tmpfs = "/work", size = "8MiB" },
]

[network]
mode = "loopback"

[process]
cwd = "/work"
env = { LANG = "C.UTF-8", PATH = "/usr/bin:/bin", CASE = "17" }

[syscalls]
profile = "strict"
"#;

fn policy_from_toml() -> Result<Work, Failure> {
    Ok(Box::new(|| {
        black_box(Policy::from_toml(black_box(POLICY))?);
        Ok(())
    }))
}

fn plan_resolve() -> Result<Work, Failure> {
    let policy = Policy::from_toml(POLICY)?;
    let support = Support::new("any", |_| Ability::enforced("by whatever there is"));
    Ok(Box::new(move || {
        black_box(Plan::resolve(black_box(&policy), &support)?);
        Ok(())
    }))
}

fn seccomp(profile: SyscallProfile) -> Result<Work, Failure> {
    let mut policy = Policy::default();
    policy.syscalls.profile = profile;
    let parts = NamespaceSandbox::parts(policy, Program::executable("/program"))?;
    Ok(Box::new(move || {
        black_box(parts.filter());
        Ok(())
    }))
}

/// All that is computed for a warden, but not the exchange with it: valgrind 3.19 does not know
/// `pidfd_open`. The root is an empty one, since another is looked at on the host, where it differs
/// from machine to machine.
fn namespace_prepare() -> Result<Work, Failure> {
    let mut policy = Policy::default();
    policy.filesystem.base = Base::Empty;
    policy.filesystem.mounts.push(Mount::file("/program", program()));
    let parts = NamespaceSandbox::parts(policy, Program::executable("/program"))?;
    Ok(Box::new(move || {
        black_box(parts.draw()?);
        Ok(())
    }))
}

/// The smallest file that passes for a static program of this machine (elf(5)): a header and one
/// entry that loads nothing.
fn program() -> Vec<u8> {
    const ELF: [u8; 8] = [0x7f, b'E', b'L', b'F', 2, 1, 1, 0];
    let machine = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    let mut file = vec![0; 64 + 56];
    file[..ELF.len()].copy_from_slice(&ELF);
    for (at, value) in [(16, 2), (18, machine), (32, 64), (54, 56), (56, 1)] {
        file[at] = value;
    }
    file
}

fn namespace_report() -> Result<Work, Failure> {
    let parts = NamespaceSandbox::parts(Policy::default(), Program::executable("/program"))?;
    Ok(Box::new(move || {
        black_box(parts.report()?);
        Ok(())
    }))
}

/// Of a module whose code is in memory.
fn wasm_prepare() -> Result<Work, Failure> {
    let sandbox = WasmSandbox::new()?;
    let program = Program::module(wat::parse_str(HELLO)?);
    let first = sandbox.prepare(&Policy::default(), &program)?;
    Ok(Box::new(move || {
        let _keep = &first;
        black_box(sandbox.prepare(&Policy::default(), &program)?);
        Ok(())
    }))
}

/// A fresh store, a line that is captured, and the report.
fn wasm_run() -> Result<Work, Failure> {
    let prepared = prepared(HELLO)?;
    Ok(Box::new(move || {
        let report = run(&*prepared)?;
        if report.stdout == b"hello\n" { Ok(()) } else { Err("it printed otherwise".into()) }
    }))
}

/// The same with 64 KiB of output, in parts of 64 bytes.
fn wasm_output() -> Result<Work, Failure> {
    const CHATTY: &str = r#"(module
        (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\10\00\00\00\40\00\00\00")
        (func (export "_start") (local $left i32)
            (local.set $left (i32.const 1024))
            (loop $again
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br_if $again (local.get $left)))))"#;
    let prepared = prepared(CHATTY)?;
    Ok(Box::new(move || {
        let report = run(&*prepared)?;
        if report.stdout.len() == 64 << 10 { Ok(()) } else { Err("it printed otherwise".into()) }
    }))
}

/// What `wasm_run` is on top of.
fn wasmtime_run() -> Result<Work, Failure> {
    let command = bare::Command::new(Epochs::On, &wat::parse_str(HELLO)?)?;
    Ok(Box::new(move || {
        let printed = command.run()?;
        if printed == b"hello\n" { Ok(()) } else { Err("it printed otherwise".into()) }
    }))
}

fn report_to_json() -> Result<Work, Failure> {
    let parts = NamespaceSandbox::parts(Policy::default(), Program::executable("/program"))?;
    let report = parts.report()?;
    Ok(Box::new(move || {
        black_box(serde_json::to_vec(black_box(&report))?);
        Ok(())
    }))
}

fn prepared(module: &str) -> Result<Box<dyn Prepared>, Failure> {
    let sandbox = WasmSandbox::new()?;
    Ok(sandbox.prepare(&Policy::default(), &Program::module(wat::parse_str(module)?))?)
}

fn run(prepared: &dyn Prepared) -> Result<Report, Failure> {
    let report = prepared.start(Stdio::captured())?.wait()?;
    if report.verdict.success() { Ok(report) } else { Err("it did not end well".into()) }
}
