//! The behaviours, each a function of a subject that panics where it is not met.

mod cancel;
mod exit;
mod files;
mod limits;
mod output;
mod receipt;
mod reuse;
mod streams;
mod world;

use crate::{Behaviour, Difference, Subject};

/// From one list: [`BEHAVIOURS`], and the macro that makes every behaviour a test.
///
/// A behaviour is followed by how it differs for modules, where it does: `native_only`, `differs` or
/// `components_differ`, with the reason. One that is missing here is dead code, which lint does not let pass.
macro_rules! behaviours {
    (@) => { None };
    (@ native_only($why:literal)) => { Some(Difference::NativeOnly($why)) };
    (@ differs($how:literal)) => { Some(Difference::Differs($how)) };
    (@ components_differ($how:literal)) => { Some(Difference::ComponentsDiffer($how)) };
    ($dollar:tt $($area:ident { $($name:ident $(: $kind:ident($why:literal))?,)* })*) => {
        /// Every behaviour.
        pub const BEHAVIOURS: &[Behaviour] = &[$($(
            Behaviour {
                area: stringify!($area),
                name: stringify!($name),
                difference: behaviours!(@ $($kind($why))?),
                check: $area::$name,
            },
        )*)*];

        /// Mounts every behaviour as a test. The expression makes an `Option` of a
        /// [`Subject`](crate::Subject); where it makes none, it has said why.
        ///
        /// After `modules:` it makes a subject whose programs are not native, and only what is
        /// documented of modules is mounted.
        #[macro_export]
        macro_rules! conformance {
            (modules: $dollar subject:expr) => { $dollar crate::conformance!(@ modules $dollar subject); };
            (@ $dollar programs:ident $dollar subject:expr) => {
                $(mod $area {
                    use super::*;
                    $($dollar crate::__behaviour! {
                        $dollar programs ($($kind)?) $area $name $dollar subject
                    })*
                })*
            };
            ($dollar subject:expr) => { $dollar crate::conformance!(@ native $dollar subject); };
        }
    };
}

/// One behaviour as a test; nothing, where it is for native programs and these are modules.
#[doc(hidden)]
#[macro_export]
macro_rules! __behaviour {
    (modules (native_only) $($behaviour:tt)*) => {};
    ($programs:ident ($($kind:ident)?) $area:ident $name:ident $subject:expr) => {
        #[test]
        fn $name() {
            if let Some(subject) = $subject {
                $crate::check(stringify!($area), stringify!($name), &subject);
            }
        }
    };
}

/// Checks one behaviour, by area and name.
///
/// # Panics
/// If the subject does not behave so, or no behaviour of its programs has that name.
pub fn check(area: &str, name: &str, subject: &dyn Subject) {
    let behaviour = BEHAVIOURS.iter().find(|one| (one.area, one.name) == (area, name));
    let behaviour = behaviour.unwrap_or_else(|| panic!("{area}::{name} is not a behaviour"));
    let native_only = matches!(behaviour.difference, Some(Difference::NativeOnly(_)));
    assert!(subject.facts().native || !native_only, "{area}::{name} is for native programs");
    (behaviour.check)(subject);
}

behaviours! { $
    cancel {
        a_kill_from_another_thread_ends_a_sleeping_program,
        a_kill_ends_a_program_that_floods_its_output,
        a_kill_after_the_end_does_nothing,
        a_kill_before_waiting_is_reported,
        dropping_a_run_ends_it,
        a_wait_that_is_not_to_go_on_ends_the_run,
        whether_to_go_on_is_asked_while_a_program_prints,
        a_wait_that_goes_on_ends_with_the_program,
    }
    exit {
        exit_codes_are_told: components_differ("the adapter of preview 1 makes every code but 0 a 1"),
        a_crash_is_told: differs("the program is `trapped`, not `signaled`"),
        an_abort_is_told: differs("the program is `trapped`, not `signaled`"),
        a_program_that_kills_itself_is_signaled: native_only("a module sends no signal"),
        a_program_that_is_not_there_is_not_found,
    }
    files {
        a_file_in_memory_is_read_and_not_written,
        a_read_only_bind_is_read_and_not_written,
        a_writable_bind_takes_files_to_the_host,
        an_in_memory_directory_is_empty_in_every_run,
        a_file_that_is_not_mounted_is_not_there,
    }
    limits {
        memory_is_limited,
        cpu_time_is_limited,
        cpu_time_of_all_tasks_is_summed: native_only("a module is one thread"),
        wall_time_is_limited,
        cpus_are_limited: differs("approximated: the guest sleeps when it is ahead of its rate"),
        processes_are_limited: native_only("a module is one thread and starts no process"),
        open_files_are_limited,
        file_size_is_limited,
        disk_is_limited,
        limits_that_are_not_reached_are_not_felt,
        processes_up_to_the_limit_are_not_refused:
            native_only("a module is one thread and starts no process"),
        a_control_that_cannot_be_met_is_refused,
    }
    output {
        output_up_to_the_limit_passes,
        one_byte_more_than_the_limit_stops,
        output_is_truncated_when_asked,
        streamed_output_stops_at_the_same_byte,
        discarded_output_is_counted,
    }
    receipt {
        every_control_asked_for_has_one_entry,
        the_report_names_policy_backend_and_version,
        timings_are_there,
        cpu_time_is_measured,
        peak_memory_is_measured,
        printed_bytes_are_counted,
    }
    reuse {
        twenty_runs_in_a_row_know_nothing_of_each_other,
        four_threads_share_what_was_prepared,
        the_plan_can_be_read_before_anything_runs,
        a_program_that_is_started_once_has_its_streams,
    }
    streams {
        no_input_is_end_of_file,
        bytes_are_read_as_given,
        a_file_is_read_from_its_position,
        a_pipe_is_read_to_its_end,
        streamed_input_and_output_are_live,
        both_outputs_are_captured_exactly,
        full_pipes_and_pending_input_do_not_deadlock,
        input_that_nobody_reads_does_not_delay_the_end,
        writing_to_a_program_that_has_ended_fails,
        a_grandchild_that_holds_the_pipes_does_not_delay_the_end: native_only("a module starts no process"),
    }
    world {
        arguments_arrive_as_given,
        the_environment_is_what_the_policy_says_and_nothing_else,
        the_working_directory_is_what_the_policy_says,
    }
}
