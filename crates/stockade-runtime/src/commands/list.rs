//! `list`: every container under a root directory.

use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};

use crate::args::{ListArgs, Shown};
use crate::failure::{Context, Outcome};
use crate::state::OCI_VERSION;

use super::Caller;

/// One line. What has no state that can be read is listed too, so that it can be found and deleted.
struct Line {
    pid: i64,
    value: Value,
}

pub(super) fn list(caller: &Caller, args: &ListArgs) -> Outcome<()> {
    let ids = caller.home.ids()?;
    if args.quiet {
        return if ids.is_empty() { Ok(()) } else { super::print(&ids.join("\n")) };
    }
    let names = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut lines = Vec::new();
    for id in ids {
        match line(caller, &id, &names) {
            Ok(line) => lines.push(line),
            // It was deleted meanwhile, or is another's.
            Err(failure) => caller.log.warn(&format!("{id}: {failure}")),
        }
    }
    match args.format {
        Shown::Json => super::print_line(&lines.iter().map(|line| &line.value).collect::<Vec<_>>()),
        Shown::Table => super::print(table(&lines).trim_end()),
    }
}

fn line(caller: &Caller, id: &str, names: &str) -> Outcome<Line> {
    let entry = caller.home.find(id)?;
    let state = entry.state().unwrap_or_else(|failure| {
        caller.log.warn(&format!("{id}: {failure}"));
        None
    });
    let Some(state) = state else {
        let status = if entry.try_lock()?.is_none() { "creating" } else { "stopped" };
        let value = json!({
            "ociVersion": OCI_VERSION, "id": id, "pid": 0, "status": status, "bundle": "",
            "rootfs": "", "created": "", "owner": "",
        });
        return Ok(Line { pid: 0, value });
    };
    let mut shown = state.shown(state.status(&entry))?;
    shown.owner = user(names, state.owner);
    let value = serde_json::to_value(&shown).context(|| "it cannot be written".into())?;
    Ok(Line { pid: shown.pid.into(), value })
}

/// The name of a user, or the number after `#`.
fn user(names: &str, uid: u32) -> String {
    let mut users = names.lines().map(|line| line.split(':'));
    let name = users.find_map(|mut fields| {
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    });
    name.map_or_else(|| format!("#{uid}"), str::to_owned)
}

const COLUMNS: [(&str, &str); 6] = [
    ("ID", "id"),
    ("PID", "pid"),
    ("STATUS", "status"),
    ("BUNDLE", "bundle"),
    ("CREATED", "created"),
    ("OWNER", "owner"),
];

/// Columns as wide as what is in them, and at least 12 characters, as runc's.
fn table(lines: &[Line]) -> String {
    let cell = |line: &Line, key: &str| match &line.value[key] {
        Value::String(text) => text.clone(),
        _ => line.pid.to_string(),
    };
    let mut rows = vec![COLUMNS.map(|(title, _)| title.to_owned())];
    rows.extend(lines.iter().map(|line| COLUMNS.map(|(_, key)| cell(line, key))));
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|column| {
            let longest = rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
            (longest + 3).max(12)
        })
        .collect();
    let mut table = String::new();
    for row in rows {
        let mut text = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "{cell:width$}");
        }
        let _ = writeln!(table, "{}", text.trim_end());
    }
    table
}

#[cfg(test)]
mod tests;
