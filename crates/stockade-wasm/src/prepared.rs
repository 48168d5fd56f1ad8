//! [`WasmPrepared`]: a linked module and a plan.

use std::sync::Arc;

use stockade_core::{Execution, Plan, Prepared, Result, Stdio};

use crate::command::Command;
use crate::execution::WasmExecution;
use crate::run::Job;
use crate::setting::Setting;

/// A plan bound to a command.
pub(crate) struct WasmPrepared {
    setting: Arc<Setting>,
    command: Arc<Command>,
}

impl WasmPrepared {
    pub(crate) fn new(setting: Setting, command: Command) -> Self {
        Self { setting: Arc::new(setting), command: Arc::new(command) }
    }
}

impl Prepared for WasmPrepared {
    fn plan(&self) -> &Plan {
        &self.setting.plan
    }

    fn start(&self, stdio: Stdio) -> Result<Box<dyn Execution>> {
        let (guest, live_input) = self.setting.guest(stdio);
        let tether = Arc::clone(&guest.tether);
        let outputs = [guest.stdout.live(), guest.stderr.live()];
        let (setting, command) = (Arc::clone(&self.setting), Arc::clone(&self.command));
        let job = Job { setting, command, guest };
        Ok(Box::new(WasmExecution::new(job, tether, live_input, outputs)?))
    }
}
