//! `stockade doctor`: what this host can enforce, and the fix for what it cannot.

use std::error::Error as StdError;
use std::fs;
use std::io::{self, IsTerminal, Write};

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};
use serde::Serialize;
use stockade::{
    Ability, Control, ErrorKind, NamespaceSandbox, Policy, Program, Result, Sandbox, Support,
    WasmSandbox,
};

use crate::exit::Exit;

/// The JSON of `doctor --json`. Every member is always there; what is absent is null.
#[derive(Debug, Serialize)]
struct Findings {
    version: &'static str,
    host: Host,
    backends: Vec<BackendFindings>,
}

#[derive(Debug, Serialize)]
struct Host {
    arch: &'static str,
    /// `uname -r`
    kernel: Option<String>,
}

#[derive(Debug, Serialize)]
struct BackendFindings {
    backend: String,
    available: bool,
    /// Why it is not available.
    error: Option<String>,
    /// What would make it available.
    hint: Option<String>,
    /// One for each control, in the order of the documentation; none if it is not available.
    controls: Vec<ControlFindings>,
}

#[derive(Debug, Serialize)]
struct ControlFindings {
    control: Control,
    /// `enforced`, `approximated` or `unavailable`
    status: &'static str,
    mechanism: Option<String>,
    reason: Option<String>,
    fix: Option<String>,
}

/// Prints what every backend of this build can do here.
pub(crate) fn doctor(json: bool) -> io::Result<Exit> {
    let findings = findings();
    let mut text = if json { serde_json::to_string_pretty(&findings)? } else { render(&findings) };
    text.push('\n');
    io::stdout().write_all(text.as_bytes())?;
    Ok(Exit::SUCCESS)
}

fn findings() -> Findings {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
    Findings {
        version: env!("CARGO_PKG_VERSION"),
        host: Host {
            arch: std::env::consts::ARCH,
            kernel: kernel.map(|release| release.trim().to_owned()),
        },
        backends: vec![
            backend("namespace", NamespaceSandbox::new().and_then(tried_native)),
            backend("wasm", WasmSandbox::new().and_then(tried_wasm)),
        ],
    }
}

/// A module with an empty function `_start`.
const EMPTY: &[u8] = b"\0asm\x01\0\0\0\
    \x01\x04\x01\x60\0\0\
    \x03\x02\x01\0\
    \x07\x0a\x01\x06_start\0\0\
    \x0a\x04\x01\x02\0\x0b";

fn tried_native(sandbox: NamespaceSandbox) -> Result<NamespaceSandbox> {
    match tried(&sandbox, &Program::executable("true")) {
        // A host without the program says nothing about the walls.
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(sandbox),
    }
}

fn tried_wasm(sandbox: WasmSandbox) -> Result<WasmSandbox> {
    tried(&sandbox, &Program::module(EMPTY)).map(|()| sandbox)
}

/// Really runs something: only then does every wall stand.
fn tried(sandbox: &dyn Sandbox, program: &Program) -> Result<()> {
    let mut policy = Policy::default();
    policy.best_effort.extend(Control::ALL);
    sandbox.run(&policy, program).map(drop)
}

fn backend(name: &str, sandbox: Result<impl Sandbox>) -> BackendFindings {
    match sandbox {
        Ok(sandbox) => {
            let support = sandbox.support();
            BackendFindings {
                backend: support.backend.clone(),
                available: true,
                error: None,
                hint: None,
                controls: Control::ALL.map(|control| examine(support, control)).into(),
            }
        }
        Err(error) => BackendFindings {
            backend: name.to_owned(),
            available: false,
            error: Some(chain(&error)),
            hint: error.hint().map(str::to_owned),
            controls: Vec::new(),
        },
    }
}

fn examine(support: &Support, control: Control) -> ControlFindings {
    let (status, mechanism, reason, fix) = match support.ability(control) {
        Ability::Enforced { mechanism } => ("enforced", Some(mechanism), None, None),
        Ability::Approximated { mechanism, reason, fix } => {
            ("approximated", Some(mechanism), Some(reason), fix)
        }
        Ability::Unavailable { reason, fix } => ("unavailable", None, Some(reason), fix),
        other => ("unavailable", None, Some(format!("{other:?}")), None),
    };
    ControlFindings { control, status, mechanism, reason, fix }
}

/// An error and its causes in one line.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

fn render(findings: &Findings) -> String {
    let kernel = findings.host.kernel.as_deref().unwrap_or("unknown");
    let head = format!("stockade {}, {}, kernel {kernel}", findings.version, findings.host.arch);
    let backends = findings.backends.iter().map(|backend| match &backend.error {
        None => format!("{} backend\n{}", backend.backend, table(&backend.controls)),
        Some(error) => {
            let hint = backend.hint.as_ref().map(|hint| format!("\n  hint: {hint}"));
            format!(
                "{} backend: not available: {error}{}",
                backend.backend,
                hint.unwrap_or_default()
            )
        }
    });
    std::iter::once(head).chain(backends).collect::<Vec<_>>().join("\n\n")
}

fn table(controls: &[ControlFindings]) -> String {
    let mut table = Table::new();
    let rule = LineStyle::none().fill('─').junction('─');
    table.load_style(TableStyle::new().header_separator(rule));
    if io::stdout().is_terminal()
        && let Some((terminal_size::Width(width), _)) = terminal_size::terminal_size()
    {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(width);
    }
    table.set_header(["control", "status", "mechanism", "reason and fix"]);
    for findings in controls {
        let fix = findings.fix.as_ref().map(|fix| format!("fix: {fix}"));
        let notes: Vec<_> = findings.reason.iter().chain(&fix).map(String::as_str).collect();
        table.add_row([
            findings.control.name(),
            findings.status,
            findings.mechanism.as_deref().unwrap_or("–"),
            &notes.join("\n"),
        ]);
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests;
