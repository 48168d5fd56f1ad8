//! The program's file and its environment.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use oci_spec::runtime::Process;
use rustix::fs::{self, Access, AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::failure::{Failure, Outcome};

/// The variables that the program gets: those of the configuration, of two alike the last, and a HOME.
///
/// Where the configuration has no HOME it is the one that /etc/passwd has for the user, as in runc: so
/// this is asked for inside the container's root.
pub(crate) fn environment(process: &Process) -> Outcome<Vec<String>> {
    let mut variables: Vec<String> = Vec::new();
    for variable in process.env().iter().flatten() {
        let Some((name, value)) = variable.split_once('=') else {
            return Err(Failure::new(format!("invalid environment variable: {variable:?}")));
        };
        if name.is_empty() {
            return Err(Failure::new(format!(
                "invalid environment variable: name cannot be empty: {variable:?}"
            )));
        }
        if variable.contains('\0') {
            return Err(Failure::new(format!(
                "invalid environment variable: {name:?} contains nul byte (\\x00)"
            )));
        }
        if name == "HOME" && value.is_empty() {
            continue;
        }
        match variables.iter_mut().find(|known| named(known, name).is_some()) {
            Some(known) => known.clone_from(variable),
            None => variables.push(variable.clone()),
        }
    }
    if !variables.iter().any(|known| named(known, "HOME").is_some()) {
        let home = home(process.user().uid()).unwrap_or_else(|| "/".into());
        variables.push(format!("HOME={home}"));
    }
    Ok(variables)
}

/// The value, if that is the variable's name.
fn named<'a>(variable: &'a str, name: &str) -> Option<&'a str> {
    variable.strip_prefix(name)?.strip_prefix('=')
}

/// How much of /etc/passwd is looked at. It is the container's and may be anything.
const PASSWD_BYTES: u64 = 4 << 20;

/// The user's home according to /etc/passwd.
fn home(uid: u32) -> Option<String> {
    // A pipe or a device at this place must not stop us.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = fs::openat(CWD, "/etc/passwd", flags, Mode::empty()).ok()?;
    if FileType::from_raw_mode(fs::fstat(&file).ok()?.st_mode) != FileType::RegularFile {
        return None;
    }
    home_in(BufReader::new(File::from(file).take(PASSWD_BYTES)), uid).ok().flatten()
}

/// Name, password, uid, gid, comment, home, shell.
fn home_in(passwd: impl BufRead, uid: u32) -> io::Result<Option<String>> {
    for line in passwd.split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        let mut fields = line.trim().split(':');
        let is_user = fields.nth(2).is_some_and(|field| field.parse() == Ok(uid));
        if let (true, Some(home)) = (is_user, fields.nth(2)) {
            let usable = !home.is_empty() && !home.contains('\0');
            return Ok(usable.then(|| home.to_owned()));
        }
    }
    Ok(None)
}

/// Finds the program as execvp(3) would with the environment, from the working directory: by its path,
/// or, where its name has no slash, in the folders of PATH. With the user's rights, if it is asked for
/// after [`Identity::take`](super::Identity::take).
pub(crate) fn find_executable(name: &str, env: &[String], cwd: &Path) -> Outcome<PathBuf> {
    let failed = |why: &str| Failure::new(format!("exec: {name:?}: {why}"));
    if name.is_empty() {
        return Err(failed("executable file not found in $PATH"));
    }
    if name.contains('/') {
        let path = cwd.join(name);
        return match executable(&path) {
            Ok(()) => Ok(path),
            Err(Errno::NOENT) => Err(failed(&format!("stat {name}: no such file or directory"))),
            Err(Errno::NOTDIR) => Err(failed(&format!("stat {name}: not a directory"))),
            // Engines look for the latter, as execve(2) has it.
            Err(Errno::ISDIR) => Err(failed("is a directory: permission denied")),
            Err(Errno::ACCESS | Errno::PERM) => Err(failed("permission denied")),
            Err(error) => Err(failed(&error.to_string())),
        };
    }
    let folders = env.iter().rev().find_map(|variable| named(variable, "PATH")).unwrap_or("");
    let mut found = Err(failed("executable file not found in $PATH"));
    for folder in folders.split(':').filter(|_| !folders.is_empty()) {
        let path = cwd.join(folder).join(name);
        match executable(&path) {
            Ok(()) => return Ok(path),
            // It is there, and nothing after it may be found either.
            Err(Errno::ACCESS) if fs::stat(&path).is_ok() => {
                found = Err(failed("permission denied"));
            }
            Err(_) => {}
        }
    }
    found
}

/// Whether this process may execute the file.
fn executable(path: &Path) -> Result<(), Errno> {
    let about = fs::stat(path)?;
    if FileType::from_raw_mode(about.st_mode) == FileType::Directory {
        return Err(Errno::ISDIR);
    }
    fs::accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn home_is_that_of_the_uid_and_no_other() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n\
                      # a remark\n\
                      short:x:7\n\
                      eleven:x:11:0::/eleven:\n\
                      one:x:1:0:A comment:/home/one:/bin/sh\n\
                      again:x:1:0::/other:\n\
                      none:x:5:5:::\n";
        for (uid, home) in [
            (0, Some("/root")),
            (1, Some("/home/one")),
            (11, Some("/eleven")),
            (5, None),
            (7, None),
            (111, None),
        ] {
            let found = home_in(Cursor::new(passwd), uid).expect("nothing fails to read");
            assert_eq!(found.as_deref(), home, "{uid}");
        }
    }

    #[test]
    fn variables_are_checked_and_the_last_one_of_a_name_counts() {
        let environment_of = |env: &[&str]| {
            let mut process = Process::default();
            process.set_env(Some(env.iter().map(|&one| one.to_owned()).collect()));
            environment(&process).map_err(|failure| failure.to_string())
        };
        assert_eq!(
            environment_of(&["A=1", "HOME=/x", "B=", "A=2=3"]),
            Ok(vec!["A=2=3".into(), "HOME=/x".into(), "B=".into()])
        );
        for wrong in ["A", "=1", "A=1\0"] {
            let failure = environment_of(&[wrong]).expect_err("refused");
            assert!(failure.starts_with("invalid environment variable"), "{failure}");
        }
        let homes = environment_of(&["HOME="]).expect("it is looked for");
        assert_eq!(homes.len(), 1, "{homes:?}");
        assert!(homes[0].len() > "HOME=".len(), "{homes:?}");
    }

    #[test]
    fn programs_are_found_in_the_words_that_engines_look_for() {
        let folder = std::env::temp_dir().join(format!("stockade-find-{}", std::process::id()));
        let (first, second) = (folder.join("first"), folder.join("second"));
        for folder in [&first, &second] {
            std::fs::create_dir_all(folder).expect("a folder for files");
        }
        let file = |path: PathBuf, mode| {
            std::fs::write(&path, "").expect("a file");
            fs::chmod(&path, Mode::from_raw_mode(mode)).expect("a mode");
        };
        std::fs::create_dir_all(first.join("tool")).expect("a folder of the same name");
        file(second.join("tool"), 0o755);
        file(first.join("plain"), 0o644);
        let path = format!("PATH={}:{}", first.display(), second.display());
        let env = ["PATH=/nowhere".to_owned(), path];
        let find = |name: &str| {
            find_executable(name, &env, &folder).map_err(|failure| failure.to_string())
        };
        assert_eq!(find("tool"), Ok(second.join("tool")));
        assert_eq!(find("second/tool"), Ok(folder.join("second/tool")));
        assert_eq!(find("./second/tool"), Ok(folder.join("./second/tool")));
        for (name, words) in [
            ("absent", "executable file not found in $PATH"),
            ("", "executable file not found in $PATH"),
            ("plain", "permission denied"),
            ("first/plain", "permission denied"),
            ("first/tool", "is a directory"),
            ("./absent", "stat ./absent: no such file or directory"),
            ("first/plain/x", "not a directory"),
        ] {
            assert_eq!(
                find(name).map_err(|failure| failure.contains(words)),
                Err(true),
                "{name}: {:?}",
                find(name)
            );
        }
        let none = find_executable("tool", &[], &second).expect_err("there is no PATH");
        assert!(none.to_string().contains("not found in $PATH"), "{none}");
        std::fs::remove_dir_all(&folder).expect("what this test made");
    }
}
