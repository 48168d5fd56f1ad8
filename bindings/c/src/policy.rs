//! A policy that C sets up step by step, valid after each.

use std::time::Duration;

use stockade::{
    Access, Base, Bytes, Control, Cpus, Limit, Mount, Policy as Asked, PolicyError, PolicyFormat,
};

use crate::exported::handles::Policy;
use crate::failure::Failure;
use crate::words::choose;

/// Stands for no bound at all.
pub(crate) const UNLIMITED: u64 = u64::MAX;

impl Policy {
    pub(crate) fn parse(text: &str, format: PolicyFormat) -> Result<Self, Failure> {
        Ok(Self { asked: Asked::from_text(text, format)? })
    }

    pub(crate) fn to_json(&self) -> Result<String, Failure> {
        serde_json::to_string(&self.asked).map_err(Failure::defect)
    }

    /// Makes a change, and takes it back if the policy is then not a valid one.
    fn change<T>(&mut self, part: impl Fn(&mut Asked) -> &mut T, value: T) -> Result<(), Failure> {
        let old = std::mem::replace(part(&mut self.asked), value);
        self.validate().inspect_err(|_| *part(&mut self.asked) = old)
    }

    fn validate(&self) -> Result<(), Failure> {
        Ok(self.asked.validate()?)
    }

    /// Sets what has few values, by the number of one.
    pub(crate) fn choose(&mut self, choice: i32) -> Result<(), Failure> {
        // None of these can make a policy invalid.
        choose(&mut self.asked, choice)
    }

    /// Sets a limit: bytes, nanoseconds, thousandths of a core or a count.
    pub(crate) fn set_limit(&mut self, control: Control, amount: u64) -> Result<(), Failure> {
        let bytes = limit(amount, Bytes);
        let time = limit(amount, Duration::from_nanos);
        let count = limit(amount, |count| count);
        match control {
            Control::Memory => self.change(|policy| &mut policy.limits.memory, bytes),
            Control::CpuTime => self.change(|policy| &mut policy.limits.cpu_time, time),
            Control::WallTime => self.change(|policy| &mut policy.limits.wall_time, time),
            Control::Cpus => {
                let cpus = cpus(amount)?;
                self.change(|policy| &mut policy.limits.cpus, cpus)
            }
            Control::Processes => self.change(|policy| &mut policy.limits.processes, count),
            Control::OpenFiles => self.change(|policy| &mut policy.limits.open_files, count),
            Control::FileSize => self.change(|policy| &mut policy.limits.file_size, bytes),
            Control::Disk => self.change(|policy| &mut policy.limits.disk, bytes),
            Control::Output => self.change(|policy| &mut policy.limits.output, bytes),
            Control::Fuel => self.change(|policy| &mut policy.limits.fuel, count.get()),
            other => {
                let wrong = format!("is `{other}`, which is no limit");
                Err(Failure::argument("control", wrong))
            }
        }
    }

    pub(crate) fn set_rootfs(&mut self, path: std::path::PathBuf) -> Result<(), Failure> {
        self.change(|policy| &mut policy.filesystem.base, Base::Rootfs(path))
    }

    pub(crate) fn set_writable_rootfs(&mut self, path: std::path::PathBuf) -> Result<(), Failure> {
        self.change(|policy| &mut policy.filesystem.base, Base::WritableRootfs(path))
    }

    pub(crate) fn mount(&mut self, mount: Mount) -> Result<(), Failure> {
        self.asked.filesystem.mounts.push(mount);
        self.validate().inspect_err(|_| drop(self.asked.filesystem.mounts.pop()))
    }

    pub(crate) fn bind(
        &mut self,
        source: std::path::PathBuf,
        target: &str,
        access: Access,
    ) -> Result<(), Failure> {
        self.mount(match access {
            Access::Ro => Mount::read_only(source, target),
            Access::Rw => Mount::read_write(source, target),
        })
    }

    pub(crate) fn set_process(
        &mut self,
        cwd: Option<&str>,
        hostname: Option<&str>,
    ) -> Result<(), Failure> {
        let mut process = self.asked.process.clone();
        cwd.inspect(|cwd| (*cwd).clone_into(&mut process.cwd));
        hostname.inspect(|hostname| (*hostname).clone_into(&mut process.hostname));
        self.change(|policy| &mut policy.process, process)
    }

    /// Sets a variable of the environment, or removes it.
    pub(crate) fn set_env(&mut self, name: &str, value: Option<&str>) -> Result<(), Failure> {
        let env = &mut self.asked.process.env;
        let old = match value {
            Some(value) => env.insert(name.to_owned(), value.to_owned()),
            None => env.remove(name),
        };
        self.validate().inspect_err(|_| {
            let env = &mut self.asked.process.env;
            match old {
                Some(old) => env.insert(name.to_owned(), old),
                None => env.remove(name),
            };
        })
    }

    pub(crate) fn set_best_effort(&mut self, control: Control) {
        self.asked.best_effort.insert(control);
    }
}

fn limit<T>(amount: u64, unit: impl Fn(u64) -> T) -> Limit<T> {
    if amount == UNLIMITED { Limit::Unlimited } else { Limit::At(unit(amount)) }
}

/// A share of the processors, from thousandths.
fn cpus(amount: u64) -> Result<Option<Cpus>, Failure> {
    if amount == UNLIMITED {
        return Ok(None);
    }
    let milli = u32::try_from(amount).map_err(|_| {
        let expected = "thousandths of a core, up to 4096 cores";
        Failure::from(PolicyError::value("limits.cpus", amount.to_string(), expected))
    })?;
    Ok(Some(Cpus::from_milli(milli)))
}
