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

/// From one list: [`check`], and the macro that makes every behaviour a test.
///
/// A behaviour that is missing here is dead code, which lint does not let pass.
macro_rules! behaviours {
    ($dollar:tt $($module:ident { $($name:ident,)* })*) => {
        /// Checks one behaviour, by module and name.
        ///
        /// # Panics
        /// If the subject does not behave so, or no behaviour has that name.
        pub fn check(module: &str, name: &str, subject: &dyn $crate::Subject) {
            match (module, name) {
                $($((stringify!($module), stringify!($name)) => $module::$name(subject),)*)*
                _ => panic!("{module}::{name} is not a behaviour"),
            }
        }

        /// Mounts every behaviour as a test. The expression makes an `Option` of a
        /// [`Subject`](crate::Subject); where it makes none, it has said why.
        #[macro_export]
        macro_rules! conformance {
            ($dollar subject:expr) => {
                $(mod $module {
                    use super::*;
                    $(#[test]
                    fn $name() {
                        if let Some(subject) = $dollar subject {
                            $dollar crate::check(
                                stringify!($module),
                                stringify!($name),
                                &subject,
                            );
                        }
                    })*
                })*
            };
        }
    };
}

behaviours! { $
    cancel {
        a_kill_from_another_thread_ends_a_sleeping_program,
        a_kill_ends_a_program_that_floods_its_output,
        a_kill_after_the_end_does_nothing,
        a_kill_before_waiting_is_reported,
        dropping_a_run_ends_it,
    }
    exit {
        exit_codes_are_told,
        a_crash_is_told,
        an_abort_is_told,
        a_program_that_kills_itself_is_signaled,
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
        cpu_time_of_all_tasks_is_summed,
        wall_time_is_limited,
        cpus_are_limited,
        processes_are_limited,
        open_files_are_limited,
        file_size_is_limited,
        disk_is_limited,
        limits_that_are_not_reached_are_not_felt,
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
        a_grandchild_that_holds_the_pipes_does_not_delay_the_end,
    }
    world {
        arguments_arrive_as_given,
        the_environment_is_the_policys_and_nothing_else,
        the_working_directory_is_the_policys,
    }
}
