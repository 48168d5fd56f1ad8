//! What a person reads: aligned, as wide as the terminal, without colour.

use std::io::{self, IsTerminal};

use comfy_table::{ColumnConstraint, ContentArrangement, Table, TableStyle};

use stockade::doctor::{Advice, BackendFindings, ControlFindings, Findings, Host};

/// Without a terminal, and on one that is wider.
const WIDEST: u16 = 100;
const NARROWEST: u16 = 60;

pub(super) fn render(findings: &Findings) -> String {
    render_at(findings, width())
}

/// How wide lines may be.
pub(crate) fn width() -> u16 {
    let width = match terminal_size::terminal_size() {
        Some((terminal_size::Width(width), _)) if io::stdout().is_terminal() => width,
        _ => WIDEST,
    };
    width.clamp(NARROWEST, WIDEST)
}

pub(super) fn render_at(findings: &Findings, width: u16) -> String {
    let mut blocks = vec![head(findings.version, &findings.host, width)];
    blocks.extend(findings.backends.iter().map(|found| backend(found, width)));
    blocks.push(to_do(findings, width));
    blocks.join("\n\n")
}

pub(super) fn head(version: &str, host: &Host, width: u16) -> String {
    let kernel = host.kernel.as_deref().unwrap_or("of unknown version");
    let mut text = format!("Stockade {version} on Linux {kernel}, {}", host.arch);
    match host.uid {
        Some(0) => text.push_str(", as root"),
        Some(uid) => text.push_str(&format!(", as user {uid}")),
        None => {}
    }
    match host.cgroups {
        Some(version) => text.push_str(&format!(", cgroups {version}")),
        None => text.push_str(", no cgroups"),
    }
    if let Some(engine) = &host.container {
        text.push_str(&format!(", which looks like a container ({engine})"));
    }
    if host.seccomp {
        text.push_str(", under a seccomp filter");
    }
    let mut text = wrap(&text, "", width);
    if let Some(waiting) = waiting(host) {
        text.push('\n');
        text.push_str(&wrap(&waiting, "", width));
    }
    text
}

/// What waits, if anything does.
fn waiting(host: &Host) -> Option<String> {
    let count = |number: usize, what: &str, plural: &str| match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}{plural}"),
    };
    let sandboxes = host.waiting.sandboxes.filter(|number| *number != 0)?;
    let (verb, of) = match (sandboxes, host.uid) {
        (1, Some(0)) => ("waits", ""),
        (1, _) => ("waits", " of this user"),
        (_, Some(0)) => ("wait", ""),
        (_, _) => ("wait", " of this user"),
    };
    let sandboxes = count(sandboxes, "sandbox", "es");
    let helpers = count(host.waiting.helpers.unwrap_or(0), "helper process", "es");
    Some(format!("{sandboxes}{of} {verb} for a start, built by {helpers}"))
}

fn backend(found: &BackendFindings, width: u16) -> String {
    let about = match found.backend.as_str() {
        "namespace" => "native programs behind Linux namespaces",
        _ => "WebAssembly modules and components",
    };
    let verdict = match (found.available, found.default_policy) {
        (false, _) => "NOT AVAILABLE",
        (true, true) => "meets the default policy",
        (true, false) => "does NOT meet the default policy",
    };
    let tried = found.tried.iter().map(|trial| {
        let mark = if trial.ok { "ok" } else { "no" };
        vec![mark.to_owned(), trial.what.to_owned(), trial.found.clone()]
    });
    let title = wrap(&format!("{}: {about}", found.backend), "", width);
    let mut text = format!("{title}\n  {verdict}\n\n  tried here\n");
    text.push_str(&table(tried.collect(), width));
    if found.available {
        text.push_str("\n\n  controls\n");
        text.push_str(&table(found.controls.iter().map(row).collect(), width));
    }
    text
}

fn row(found: &ControlFindings) -> Vec<String> {
    let how: Vec<_> = found.mechanism.iter().chain(&found.reason).map(String::as_str).collect();
    vec![found.status.to_owned(), found.control.name().to_owned(), how.join("\n")]
}

fn table(rows: Vec<Vec<String>>, width: u16) -> String {
    let mut table = Table::new();
    table.load_style(TableStyle::new());
    table.set_content_arrangement(ContentArrangement::Dynamic);
    // What it has beyond the text is trimmed or indentation.
    table.set_width(width - 2);
    table.add_rows(rows);
    // Words and names stay whole; what is said about them is broken.
    for column in table.column_iter_mut().take(2) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    indent(&table.trim_fmt(), "  ")
}

fn to_do(findings: &Findings, width: u16) -> String {
    let mut text = String::from("what to do\n");
    if findings.advice.is_empty() {
        let all = if findings.default_policy {
            "nothing: every backend meets the default policy here"
        } else {
            "nothing that is known helps; please report this output"
        };
        text.push_str(&wrap(all, "   ", width));
    }
    for (index, advice) in findings.advice.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        text.push_str(&item(index + 1, advice, width));
    }
    text
}

/// One thing to do. Commands have lines of their own, as long as they are, so that they can be
/// copied; a single word in backticks is a name.
fn item(number: usize, advice: &Advice, width: u16) -> String {
    let title = wrap(&format!("for {}", helped(advice)), "    ", width);
    let mut lines = vec![format!("{number:>2}. {}", title.trim_start())];
    let mut prose = String::new();
    let close = |prose: &mut String, lines: &mut Vec<String>| {
        let text = prose.trim_matches([' ', ',', ';']);
        if !text.is_empty() {
            lines.push(wrap(text, "    ", width));
        }
        prose.clear();
    };
    for (at, piece) in advice.fix.split('`').enumerate() {
        match (at % 2, piece.contains(' ')) {
            (0, _) => prose.push_str(piece),
            (_, false) => prose.push_str(&format!("`{piece}`")),
            (_, true) => {
                close(&mut prose, &mut lines);
                lines.push(format!("      $ {piece}"));
            }
        }
    }
    close(&mut prose, &mut lines);
    lines.join("\n")
}

fn helped(advice: &Advice) -> String {
    let names = advice.helps.iter().map(|helped| match helped.control {
        Some(control) => control.name().to_owned(),
        None => "everything".to_owned(),
    });
    let backend = advice.helps.first().map_or("", |helped| helped.backend.as_str());
    format!("{} ({backend})", names.collect::<Vec<_>>().join(", "))
}

fn indent(text: &str, by: &str) -> String {
    text.lines().map(|line| format!("{by}{line}")).collect::<Vec<_>>().join("\n")
}

/// Breaks prose at blanks.
pub(crate) fn wrap(text: &str, by: &str, width: u16) -> String {
    let mut lines = vec![by.to_owned()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is a first");
        let blank = line.len() > by.len();
        if blank && line.chars().count() + 1 + word.chars().count() > usize::from(width) {
            lines.push(format!("{by}{word}"));
        } else {
            if blank {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}
