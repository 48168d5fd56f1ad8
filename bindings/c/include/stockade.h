/*
 * Stockade: run programs and WebAssembly modules that you do not trust, under limits, and learn
 * truthfully how they ended.
 *
 *     const char *argv[] = { "python3", "-c", "print(6 * 7)", NULL };
 *     stockade_report *report = NULL;
 *     stockade_error *error = NULL;
 *     if (stockade_run(NULL, NULL, argv, NULL, &report, &error) != STOCKADE_OK) {
 *       fprintf(stderr, "%s\n", stockade_error_message(error));
 *       stockade_error_free(error);
 *       return 1;
 *     }
 *     printf("%s %d: %s", stockade_name(stockade_report_verdict(report)),
 *            (int)stockade_report_code(report),
 *            (const char *)stockade_report_output(report, STOCKADE_STDOUT, NULL));
 *     stockade_report_free(report);
 *
 * prints "exited 0: 42". A program that ends badly is no error: that is a verdict, and the report has
 * it. An error says that nothing ran, or that what became of it is not known.
 *
 * Rules
 *
 * Status.     A function that can fail returns an int32_t: STOCKADE_OK, which is 0, or the kind of the
 *             error. Its last parameter takes the error itself, for you to free; NULL if you do not
 *             want it. It is written only on failure, and what it pointed to before is not freed. The
 *             other results are written only on success.
 * Ownership.  What a function gives by a pointer to a pointer is yours, and freed by the function of
 *             its type; a `char **` by stockade_string_free. A `const` pointer that is returned belongs
 *             to the object it was asked of, and is there as long as that. What you give is copied
 *             before the call returns: it may be on the stack. Only `user_data` has to last.
 * NULL.       Where something is needed NULL is an error, not a crash. Where it means a default, the
 *             function says so. Every function that frees takes NULL.
 * Strings.    End with a NUL. Text is UTF-8, else it is an error, and so are names and paths inside a
 *             sandbox; paths of the host, arguments of programs and what they print are bytes as they
 *             are.
 * Files.      Have descriptors 0, 1 and 2 open, to /dev/null at least: those of the library are where
 *             the kernel puts them, and are lost to it when they are closed or replaced. All of them
 *             are closed when a program is executed.
 * Threads.    A function whose first parameter is a pointer to const may be called from many threads at
 *             once, for one object too. Of the others, one call at a time for one object. What frees an
 *             object is its last call.
 * Callbacks.  Are called on a thread that is in a call of yours: one that waits for a run, calls an
 *             instance, or gets an image. They must return: what longjmp out of one does is undefined,
 *             and an exception ends the process. They may call this library.
 * Workers.    A run has threads of the library only if one of its streams is a descriptor, a pipe or a
 *             function, or if STOCKADE_END was asked for: `stockade-run` and one `stockade-stream` per
 *             output. The backend for modules has `stockade-epoch`, threads while it compiles, and
 *             `stockade-guest` for a run whose caller has little stack. A pull has up to five. No signal of
 *             yours is given to those that last.
 * Children.   Your own are never waited for, and SIGCHLD is never touched: runs are held by sockets.
 *             Opening a backend for namespaces starts a helper process, which may be one SIGCHLD then;
 *             runs are none.
 * Signals.    Handlers are installed by the backend for modules alone, when it is opened: for SIGSEGV,
 *             SIGBUS, SIGILL and SIGFPE, of which traps are made; what is not of a module is passed on
 *             to yours, whether it was there before or comes later. A program that does not read its
 *             input causes no SIGPIPE here. Calls that wait go on when a handler of yours returns.
 * fork.       A child must not use what its parent opened or started: it gets STOCKADE_HOST_LOST, and
 *             freeing it there touches nothing of the parent's. What a child opens itself works.
 *             Policies, reports and errors are data, stores, images and roots are files, and all may be
 *             used. A fork waits for what other threads are opening, preparing, loading or starting at the
 *             time, but not for images.
 * Unloading.  The library stays in memory after dlclose, since its handlers and threads are in it.
 * Panics.     A defect of the library is STOCKADE_INTERNAL. Nothing is printed.
 * Stability.  Programs that are linked with one version run with every later one of the same SONAME,
 *             which before 1.0 is the minor version. Numbers keep their meaning, structures their
 *             layout; functions and numbers are added. JSON may gain members.
 */

#ifndef STOCKADE_H
#define STOCKADE_H

#include <stddef.h>
#include <stdint.h>

/** The version that this header is of; `stockade_version` tells that of the library. */
#define STOCKADE_VERSION "0.1.0"
#define STOCKADE_VERSION_MAJOR 0
#define STOCKADE_VERSION_MINOR 1
#define STOCKADE_VERSION_PATCH 0

#ifdef __cplusplus
extern "C" {
#endif

/* Handles --------------------------------------------------------------------------------------
 *
 * What a program holds of this library. Each is made by one function, freed by one, and opaque.
 */

/** A module's call of a function of the host's, while that function runs. */
typedef struct stockade_call stockade_call;

/**
 * Why a call did not do what it was asked. It is never needed: the status says what sort of failure it was.
 */
typedef struct stockade_error stockade_error;

/** One run of a program. */
typedef struct stockade_execution stockade_execution;

/** What an image says of itself. Data. */
typedef struct stockade_image stockade_image;

/** A memory and state of a module, for one call at a time. */
typedef struct stockade_instance stockade_instance;

/** A WebAssembly module whose functions are called. */
typedef struct stockade_module stockade_module;

/**
 * What is asked: limits, files, network, process, system calls. Data, always valid, without ties to
 * anything.
 */
typedef struct stockade_policy stockade_policy;

/** A policy bound to a program, to be started many times and by many threads. */
typedef struct stockade_prepared stockade_prepared;

/**
 * What became of a run: why it ended, what it used and printed, and what enforced each limit. Data.
 */
typedef struct stockade_report stockade_report;

/** An image whose files are there to be run. */
typedef struct stockade_root stockade_root;

/** A backend, to be used many times and by many threads. */
typedef struct stockade_sandbox stockade_sandbox;

/** Where images are kept. */
typedef struct stockade_store stockade_store;

/* What went wrong ------------------------------------------------------------------------------ */

/** It worked. */
#define STOCKADE_OK 0
/** A policy or a description of a program is wrong; the message names the key and the value. */
#define STOCKADE_INVALID_POLICY 1
/** This host or backend cannot enforce what was asked, and nothing was started. */
#define STOCKADE_UNSUPPORTED 2
/** A program, a file or a function that was named does not exist. */
#define STOCKADE_NOT_FOUND 3
/** The host denied access to something that was named. */
#define STOCKADE_PERMISSION_DENIED 4
/** Building the sandbox failed; the message has the step and the reason. */
#define STOCKADE_SETUP 5
/** What held the sandbox is gone, or the object belongs to the parent of this process. */
#define STOCKADE_HOST_LOST 6
/** Reading or writing the program's streams failed. */
#define STOCKADE_IO 7
/** A defect in Stockade. */
#define STOCKADE_INTERNAL 8

/**
 * An argument makes no sense: NULL, text that is not UTF-8, an unknown number, or something used in an
 * order that makes no sense. The message names it.
 */
#define STOCKADE_INVALID_ARGUMENT 9

/**
 * A call of an instance did not return: a limit, a trap, an exit or a kill has ended the instance.
 */
#define STOCKADE_ENDED 10

/** The kind of an error, which is the status that the call returned. STOCKADE_OK for NULL. */
int32_t stockade_error_kind(const stockade_error *error);

/**
 * What went wrong, with its causes, in one line without a full stop. It names the argument, the key or the
 * file.
 *
 * The string belongs to the error. NULL for NULL.
 */
const char *stockade_error_message(const stockade_error *error);

/**
 * What to do about it, in one line.
 *
 * The string belongs to the error. NULL for NULL, and where there is no advice.
 */
const char *stockade_error_hint(const stockade_error *error);

/**
 * Everything known of an error, as JSON: `kind` as a word, `message`, `hint`, `errno` of the system or null,
 * and `unmet`, the controls that this host cannot enforce, each with `control`, `reason`, `fix` and
 * `approximable`.
 *
 * Errors: STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_error_json(const stockade_error *error, char **json, stockade_error **failure);

/** Frees an error. NULL is allowed. */
void stockade_error_free(stockade_error *error);

/* What is asked -------------------------------------------------------------------------------- */

/** Limit in bytes: what the whole workload may hold. Default 256 MiB, at least 1 MiB. */
#define STOCKADE_CONTROL_MEMORY 200
/** Limit in nanoseconds: processor time of all tasks together. Default 10 s, at least 1 ms. */
#define STOCKADE_CONTROL_CPU_TIME 201
/** Limit in nanoseconds: from start to end, sleeping included. Default 30 s, at least 1 ms. */
#define STOCKADE_CONTROL_WALL_TIME 202
/** Limit in thousandths of a core: 500 is half a core. Not bounded unless set. */
#define STOCKADE_CONTROL_CPUS 203
/** Limit as a count: tasks alive at once; threads count. Default 64. */
#define STOCKADE_CONTROL_PROCESSES 204
/** Limit as a count: open files of each process. Default 256, at least 8. */
#define STOCKADE_CONTROL_OPEN_FILES 205
/** Limit in bytes: any one file that is written. Default 64 MiB. */
#define STOCKADE_CONTROL_FILE_SIZE 206
/** Limit in bytes: all writable in-memory directories together. Default 64 MiB, at least 64 KiB. */
#define STOCKADE_CONTROL_DISK 207
/** Limit in bytes: each of standard output and standard error. Default 1 MiB. */
#define STOCKADE_CONTROL_OUTPUT 208
/** Limit as a count: instructions of WebAssembly. Not bounded unless set; modules alone. */
#define STOCKADE_CONTROL_FUEL 209
/** The files a program sees. */
#define STOCKADE_CONTROL_FILESYSTEM 210
/** The network a program reaches. */
#define STOCKADE_CONTROL_NETWORK 211
/** The system calls a program may use. */
#define STOCKADE_CONTROL_SYSCALLS 212
/** What a program may do that an ordinary user may not: nothing. */
#define STOCKADE_CONTROL_PRIVILEGES 213
/** The processes a program sees, and that none outlives the run. */
#define STOCKADE_CONTROL_PROCESS_TREE 214
/** Objects of System V and POSIX that processes share. */
#define STOCKADE_CONTROL_IPC 215

/**
 * The host's /usr, /bin, /sbin and /lib*, read-only, with a minimal /etc and /dev, a /proc of the
 * sandbox's own and an in-memory /tmp. The default.
 */
#define STOCKADE_BASE_SYSTEM 500
/** Nothing but /dev, /proc and /tmp. */
#define STOCKADE_BASE_EMPTY 501
/** No network at all. The default. */
#define STOCKADE_NETWORK_NONE 510
/** A loopback interface of the sandbox's own. */
#define STOCKADE_NETWORK_LOOPBACK 511
/** The host's network, unfiltered. */
#define STOCKADE_NETWORK_HOST 512
/** System calls of interpreters, compilers and virtual machines. The default. */
#define STOCKADE_SYSCALLS_DEFAULT 520
/** System calls of compiled programs and simple scripts, and no other. */
#define STOCKADE_SYSCALLS_STRICT 521
/** A run that reaches the limit of output is stopped. The default. */
#define STOCKADE_OUTPUT_STOP 530
/** What is beyond the limit of output is dropped, and the report says so. */
#define STOCKADE_OUTPUT_TRUNCATE 531
/** The program may read what it is given. */
#define STOCKADE_READ_ONLY 540
/** The program may read and change what it is given. */
#define STOCKADE_READ_WRITE 541
/** For stockade_policy_set_limit: no bound. */
#define STOCKADE_UNLIMITED UINT64_MAX

/**
 * A policy with every default, all of which are closed: no network, no file of the host's but its system
 * directories, none of its environment, and a bound on every quantity.
 *
 * Free it by stockade_policy_free. Errors: STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_policy_new(stockade_policy **policy, stockade_error **error);

/**
 * A policy from JSON, such as `{ "limits": { "memory": "64MiB", "wall_time": "2s" } }`, of at most 1 MiB.
 * The manual has every key.
 *
 * Free it by stockade_policy_free. Errors: STOCKADE_INVALID_POLICY names the unknown key, the value that
 * makes no sense or the place of the mistake; STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_policy_from_json(const char *text, stockade_policy **policy,
                                  stockade_error **error);

/** A policy from TOML; else as stockade_policy_from_json. */
int32_t stockade_policy_from_toml(const char *text, stockade_policy **policy,
                                  stockade_error **error);

/**
 * The policy as JSON, every key written out.
 *
 * Errors: STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_policy_to_json(const stockade_policy *policy, char **json, stockade_error **error);

/** Frees a policy. What was prepared or started with it goes on. NULL is allowed. */
void stockade_policy_free(stockade_policy *policy);

/**
 * Sets what has few values, by the number of one: a STOCKADE_BASE, a STOCKADE_NETWORK, a STOCKADE_SYSCALLS,
 * or STOCKADE_OUTPUT_STOP or STOCKADE_OUTPUT_TRUNCATE.
 *
 * Errors: STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_policy_set(stockade_policy *policy, int32_t choice, stockade_error **error);

/**
 * Sets a limit: one of STOCKADE_CONTROL_MEMORY to STOCKADE_CONTROL_FUEL, in the unit that stands there, or
 * STOCKADE_UNLIMITED.
 *
 * Errors: STOCKADE_INVALID_POLICY for an amount that makes no sense, and then the policy is as it was;
 * STOCKADE_INVALID_ARGUMENT for a control that is no limit.
 */
int32_t stockade_policy_set_limit(stockade_policy *policy, int32_t control, uint64_t amount,
                                  stockade_error **error);

/**
 * Has a directory of the host, read-only, stand at `/`. It must hold /dev, /proc and /tmp as directories,
 * over which the sandbox's own are put.
 *
 * Errors: STOCKADE_INVALID_POLICY for an empty path; STOCKADE_INVALID_ARGUMENT. Whether it exists is found
 * out when a program is prepared.
 */
int32_t stockade_policy_set_rootfs(stockade_policy *policy, const char *path,
                                   stockade_error **error);

/**
 * As stockade_policy_set_rootfs, and the program may write to it. What it writes is in memory, counts
 * towards the limit on disk and is gone with the run; the directory itself is not changed.
 *
 * Errors: as those of stockade_policy_set_rootfs.
 */
int32_t stockade_policy_set_writable_rootfs(stockade_policy *policy, const char *path,
                                            stockade_error **error);

/**
 * Shows the program a file or directory of the host, `source`, at the absolute path `target`. `access` is
 * STOCKADE_READ_ONLY or STOCKADE_READ_WRITE. A relative source is looked up from the working directory of
 * the process when a program is prepared.
 *
 * Errors: STOCKADE_INVALID_POLICY for a target that is no plain absolute path or is used twice, and then
 * the policy is as it was; STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_policy_add_bind(stockade_policy *policy, const char *source, const char *target,
                                 int32_t access, stockade_error **error);

/**
 * Puts an empty writable in-memory directory at `target`. Its `size` in bytes is a share of the limit
 * STOCKADE_CONTROL_DISK; with 0 it shares what /tmp has.
 *
 * Errors: as stockade_policy_add_bind, and STOCKADE_INVALID_POLICY for less than 4096 bytes or more than
 * the limit leaves.
 */
int32_t stockade_policy_add_tmpfs(stockade_policy *policy, const char *target, uint64_t size,
                                  stockade_error **error);

/**
 * Puts a file at `target` that holds `length` bytes. Everybody inside may read and execute it, and nobody
 * change it.
 *
 * Errors: as stockade_policy_add_bind.
 */
int32_t stockade_policy_add_file(stockade_policy *policy, const char *target, const void *contents,
                                 size_t length, stockade_error **error);

/**
 * Sets the working directory, an absolute path inside, "/tmp" by default, and the host name that the
 * program sees, "stockade" by default. NULL leaves one as it is.
 *
 * Errors: STOCKADE_INVALID_POLICY, and then the policy is as it was; STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_policy_set_process(stockade_policy *policy, const char *cwd, const char *hostname,
                                    stockade_error **error);

/**
 * Sets a variable of the program's environment, beside those that are there; NULL for `value` removes it.
 * There are HOME, LANG and PATH by default, and none of the host's.
 *
 * Errors: STOCKADE_INVALID_POLICY for a name that is empty or has a `=`, and then the policy is as it was;
 * STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_policy_set_env(stockade_policy *policy, const char *name, const char *value,
                                stockade_error **error);

/**
 * Allows a control to be weaker than asked where this host cannot do better, and the report then says how
 * weak it was; where it can, nothing changes. Every other control is enforced, or nothing starts. Without
 * control groups, as for most users in containers, these are memory, cpu_time, processes and cpus.
 *
 * Errors: STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_policy_set_best_effort(stockade_policy *policy, int32_t control,
                                        stockade_error **error);

/* Backends ------------------------------------------------------------------------------------- */

/**
 * Modules to WebAssembly, other programs to namespaces. Each backend is opened when it is first needed.
 */
#define STOCKADE_BACKEND_AUTO 100
/** Native programs behind Linux namespaces. */
#define STOCKADE_BACKEND_NAMESPACE 101
/** WebAssembly modules and components in an engine within this process. */
#define STOCKADE_BACKEND_WASM 102

/** What can be said of the backend for modules. All zero is the default. */
typedef struct stockade_wasm_options {
  /**
   * A directory where compiled modules are kept, made if it is missing; NULL keeps them in memory alone.
   */
  const char *cache_dir;
  /** Nanoseconds of processor time that compiling a module may take; 0 is 60 s. */
  uint64_t compile_time_ns;
} stockade_wasm_options;

/**
 * Opens a backend: STOCKADE_BACKEND_AUTO, STOCKADE_BACKEND_NAMESPACE or STOCKADE_BACKEND_WASM. It is made
 * to be used for many programs and from many threads. The one for namespaces starts a small helper process;
 * the one for modules installs handlers for the signals that traps are made of.
 *
 * `options` are for modules; NULL is the default.
 *
 * Free it by stockade_sandbox_free. Errors: STOCKADE_UNSUPPORTED when this host refuses what the backend
 * needs, and the hint says what to do; STOCKADE_SETUP; STOCKADE_INVALID_ARGUMENT, also for options with
 * STOCKADE_BACKEND_NAMESPACE. With STOCKADE_BACKEND_AUTO they come when a backend is first needed.
 */
int32_t stockade_sandbox_new(int32_t backend, const stockade_wasm_options *options,
                             stockade_sandbox **sandbox, stockade_error **error);

/** Frees a sandbox. What was prepared, loaded or started with it goes on. NULL is allowed. */
void stockade_sandbox_free(stockade_sandbox *sandbox);

/* Where the streams of a run go ---------------------------------------------------------------- */

/** Standard input. */
#define STOCKADE_STDIN 0
/** Standard output. */
#define STOCKADE_STDOUT 1
/** Standard error. */
#define STOCKADE_STDERR 2
/** For stockade_execution_take_fd: what can be read once the run is over. */
#define STOCKADE_END 3
/** Standard input: empty. Outputs: captured into the report. */
#define STOCKADE_STREAM_DEFAULT 0
/** Outputs: read, counted and dropped, so that the program does not block. */
#define STOCKADE_STREAM_DISCARD 1
/** Standard input: `length` bytes at `data`, copied when the run starts. */
#define STOCKADE_STREAM_BYTES 2

/**
 * The descriptor `fd`, which is duplicated when the run starts and stays the caller's. The program never
 * gets it: it has a pipe, and the library moves the bytes.
 */
#define STOCKADE_STREAM_FD 3
/** A new pipe; stockade_execution_take_fd gives the caller's end. */
#define STOCKADE_STREAM_PIPE 4
/** Outputs: `function` is called with what was read, by the thread that waits for the run. */
#define STOCKADE_STREAM_CALLBACK 5
/** Standard error: where standard output goes, unless that is captured. */
#define STOCKADE_STREAM_STDOUT 6

/**
 * Takes a piece of what a program printed: `length` bytes, at least one, that are there until it returns.
 * `stream` is STOCKADE_STDOUT or STOCKADE_STDERR. It is called on the thread that waits for the run, in the
 * order in which the pieces were read, never after that wait has returned, and may call this library.
 *
 * Returns 0 to go on; anything else stops the run, whose verdict is then STOCKADE_VERDICT_CANCELLED.
 */
typedef int32_t (*stockade_output_function)(void *user_data, int32_t stream, const uint8_t *data,
                                            size_t length);

/**
 * One of the three streams of a run. All zero is the default; members that its kind does not name are not
 * looked at.
 */
typedef struct stockade_stream {
  /** A STOCKADE_STREAM. */
  int32_t kind;
  /** For STOCKADE_STREAM_FD. */
  int32_t fd;
  /** For STOCKADE_STREAM_BYTES. */
  const void *data;
  /** How many bytes `data` has. */
  size_t length;
  /** For STOCKADE_STREAM_CALLBACK. */
  stockade_output_function function;
  /** What `function` gets. */
  void *user_data;
} stockade_stream;

/** The streams of a run. All zero is no input, and both outputs captured into the report. */
typedef struct stockade_stdio {
  /** What the program reads. */
  stockade_stream input;
  /** Where what it prints goes. */
  stockade_stream output;
  /** Where its complaints go. */
  stockade_stream error;
} stockade_stdio;

/* Running programs ----------------------------------------------------------------------------- */

/**
 * Runs a program and waits until nothing of it is alive. How it ended is told by the report: a program that
 * ends badly is no error.
 *
 * `sandbox`: NULL is one of STOCKADE_BACKEND_AUTO for this call alone; with one that is kept, a run starts
 * faster. `policy`: NULL is the default one. `argv` ends with NULL; its first string is a name that is
 * looked up inside the sandbox, a path inside, or the path of a module on the host; an array of `char *`, as
 * that of main, needs a cast. `stdio`: NULL is no input and captured outputs; STOCKADE_STREAM_PIPE is for
 * stockade_start.
 *
 * Free the report by stockade_report_free. Errors: STOCKADE_INVALID_POLICY, STOCKADE_NOT_FOUND or
 * STOCKADE_PERMISSION_DENIED for what was asked; STOCKADE_UNSUPPORTED for controls that this host cannot
 * enforce; STOCKADE_SETUP, STOCKADE_HOST_LOST or STOCKADE_IO when the host fails; STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_run(const stockade_sandbox *sandbox, const stockade_policy *policy,
                     const char *const *argv, const stockade_stdio *stdio, stockade_report **report,
                     stockade_error **error);

/**
 * Starts a program and returns while it runs. Where both outputs are captured or discarded, what it reads
 * and prints is moved while stockade_execution_wait is called, and not before; its limits hold all the time.
 *
 * Free the execution by stockade_execution_free. `sandbox` is needed; else as stockade_run.
 */
int32_t stockade_start(const stockade_sandbox *sandbox, const stockade_policy *policy,
                       const char *const *argv, const stockade_stdio *stdio,
                       stockade_execution **execution, stockade_error **error);

/**
 * Binds a policy to a program and computes all that can be computed before a run. Start it as often as
 * wanted, from any thread.
 *
 * Free it by stockade_prepared_free. `sandbox` is needed; else, and the errors, as stockade_run.
 */
int32_t stockade_prepare(const stockade_sandbox *sandbox, const stockade_policy *policy,
                         const char *const *argv, stockade_prepared **prepared,
                         stockade_error **error);

/**
 * The same for a WebAssembly module or component by its bytes, which are copied. `arguments` end with NULL
 * and do not begin with a name; NULL is none.
 *
 * Errors: as stockade_prepare, and STOCKADE_INVALID_POLICY for bytes that are no module that this version
 * runs.
 */
int32_t stockade_prepare_module(const stockade_sandbox *sandbox, const stockade_policy *policy,
                                const void *data, size_t length, const char *const *arguments,
                                stockade_prepared **prepared, stockade_error **error);

/**
 * How every control will be enforced, as JSON: `backend`, `policy`, `enforcement` as in the report, and
 * `policy_hash`. Nothing has started.
 *
 * Errors: STOCKADE_HOST_LOST, STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_prepared_plan_json(const stockade_prepared *prepared, char **json,
                                    stockade_error **error);

/**
 * Keeps `count` sandboxes of this program, at most 128, built and waiting, so that a start only has to let
 * one go. Returns at once. 0 ends it. Where a start takes microseconds anyway, for modules, it does nothing.
 *
 * Errors: STOCKADE_INVALID_POLICY for more, STOCKADE_HOST_LOST, STOCKADE_SETUP, STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_prepared_warm(const stockade_prepared *prepared, size_t count,
                               stockade_error **error);

/** Runs it and waits until nothing of it is alive; else as stockade_run. */
int32_t stockade_prepared_run(const stockade_prepared *prepared, const stockade_stdio *stdio,
                              stockade_report **report, stockade_error **error);

/** Starts it and returns while it runs; else as stockade_start. */
int32_t stockade_prepared_start(const stockade_prepared *prepared, const stockade_stdio *stdio,
                                stockade_execution **execution, stockade_error **error);

/** Frees it. What it started goes on. NULL is allowed. */
void stockade_prepared_free(stockade_prepared *prepared);

/* Images ---------------------------------------------------------------------------------------
 *
 * A store keeps images of containers in a directory of this user's: loaded from a layout or an archive, or
 * pulled from a registry, every byte verified. stockade_store_root has the files of one, and
 * stockade_prepare_root runs its program in them. Stores, images and roots hold files and nothing else, so
 * a forked child may use them as well.
 */

/**
 * Hears how far a call is: of the part `blob`, a digest or the name of a layer in an archive, `done` of
 * `size` bytes. It is called on the thread that is in the call, again and again for each part. The string is
 * there until it returns.
 *
 * Returns 0 to go on; anything else ends the call, which fails with STOCKADE_IO and leaves nothing half
 * made.
 */
typedef int32_t (*stockade_progress_function)(void *user_data, const char *blob, uint64_t done,
                                              uint64_t size);

/** How an image is pulled. All zero is the default. */
typedef struct stockade_pull_options {
  /** Who asks; NULL is what `docker login` noted, else nobody. */
  const char *username;
  /** The password, or a token for it; needed with `username`. */
  const char *password;
  /** Nanoseconds for which nothing may come; 0 is 30 s. */
  uint64_t stall_ns;
  /** How many failures that may pass are passed over; 0 is 4, and a negative number is none. */
  int32_t retries;
  /**
   * Not 0: the registry is spoken to without encryption. One on this machine's loopback always is.
   */
  int32_t plain_http;
} stockade_pull_options;

/**
 * Opens a store. `path` is its directory, made with mode 0700 if it is missing; NULL is this user's: what
 * STOCKADE_IMAGES in the environment names, else /var/lib/stockade/images for root, and stockade/images
 * below XDG_DATA_HOME or ~/.local/share for others. Any number of processes and threads may use it.
 *
 * Free it by stockade_store_free. Errors: STOCKADE_PERMISSION_DENIED for a directory that is another user's
 * or open to others; STOCKADE_INVALID_POLICY for a link or what is no directory; STOCKADE_NOT_FOUND;
 * STOCKADE_IO; STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_store_open(const char *path, stockade_store **store, stockade_error **error);

/** Its directory. The string belongs to the store; NULL for NULL. */
const char *stockade_store_path(const stockade_store *store);

/**
 * Copies an image into the store, unless it is there. `source` is "oci:DIR", "oci:DIR:REF",
 * "docker-archive:FILE", "docker-archive:FILE:REF", or the name of one that is there. `name` is what it is
 * called in the store; NULL leaves that to the source. `progress` may be NULL.
 *
 * Free the image by stockade_image_free. Errors: STOCKADE_NOT_FOUND if there is no such image;
 * STOCKADE_INVALID_POLICY for one that is malformed or not what its digests say, and for a source or a name
 * that is none; STOCKADE_UNSUPPORTED for one that is for another platform; STOCKADE_SETUP if the disk is
 * full; STOCKADE_PERMISSION_DENIED; STOCKADE_IO; STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_store_load(const stockade_store *store, const char *source, const char *name,
                            stockade_progress_function progress, void *user_data,
                            stockade_image **image, stockade_error **error);

/**
 * Gets an image from the registry that its name names: "[REGISTRY/]PATH[:TAG][@DIGEST]". What the store has
 * is not asked for; a layer that breaks off is asked for from there on, also by the next pull. There are up
 * to five threads of the library meanwhile. `options` may be NULL, and so may `progress`, which is the way
 * to end it.
 *
 * Free the image by stockade_image_free. Errors: as stockade_store_load; STOCKADE_PERMISSION_DENIED also if
 * the registry does not give it to who asks, and STOCKADE_IO if it cannot be reached, stalls or fails.
 */
int32_t stockade_store_pull(const stockade_store *store, const char *name,
                            const stockade_pull_options *options,
                            stockade_progress_function progress, void *user_data,
                            stockade_image **image, stockade_error **error);

/**
 * An image of the store by its name. No registry is asked.
 *
 * Free the image by stockade_image_free. Errors: STOCKADE_NOT_FOUND, and the hint says what there is;
 * STOCKADE_INVALID_POLICY for a name that is none; STOCKADE_IO; STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_store_find(const stockade_store *store, const char *name, stockade_image **image,
                            stockade_error **error);

/**
 * Every image of the store, as a JSON list of objects with `name`, `digest` and `size`, which is in bytes, or
 * null if the manifest cannot be read.
 *
 * Errors: STOCKADE_INVALID_POLICY for an index that others wrote to; STOCKADE_IO; STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_store_list_json(const stockade_store *store, char **json, stockade_error **error);

/**
 * Takes a name away from an image. What no name needs stays until stockade_store_collect_garbage.
 *
 * Errors: STOCKADE_NOT_FOUND if nothing has this name; STOCKADE_INVALID_POLICY; STOCKADE_IO;
 * STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_store_remove(const stockade_store *store, const char *name,
                              stockade_error **error);

/**
 * Removes what no image needs, and what processes left that are dead. What is being loaded, unpacked or run
 * stays. `json`, if it is not NULL, gets what was removed: `blobs`, `roots`, `unfinished`, and `bytes` of the
 * blobs.
 *
 * Errors: those of reading an image of the store, since nobody knows what that needs: then nothing is
 * removed; STOCKADE_IO; STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_store_collect_garbage(const stockade_store *store, char **json,
                                       stockade_error **error);

/**
 * The files of an image: its layers, unpacked on first use, each verified. They stay as long as the root, or
 * what was prepared with it.
 *
 * Free it by stockade_root_free. Errors: STOCKADE_NOT_FOUND if the store has lost the image;
 * STOCKADE_INVALID_POLICY if a layer is malformed, hostile or not what its digest says; STOCKADE_SETUP if
 * the disk is full; STOCKADE_IO; STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_store_root(const stockade_store *store, const stockade_image *image,
                            stockade_root **root, stockade_error **error);

/** Frees a store. Its images, and what runs in them, go on. NULL is allowed. */
void stockade_store_free(stockade_store *store);

/**
 * What an image says of itself, as JSON: `digest` of its manifest, `size` in bytes, and `config` with
 * `entrypoint`, `cmd`, `env` as a list of pairs, `working_dir`, `user`, which is not followed, `labels`,
 * `architecture` and `os`.
 *
 * Errors: STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_image_json(const stockade_image *image, char **json, stockade_error **error);

/** Frees an image, which stays in its store. NULL is allowed. */
void stockade_image_free(stockade_image *image);

/**
 * The directory with the image's files, which everyone who uses the image shares: do not write to it. For
 * stockade_policy_set_rootfs, if the program is not to write to its root.
 *
 * The string belongs to the root; NULL for NULL.
 */
const char *stockade_root_path(const stockade_root *root);

/**
 * Puts into a policy what the image says: its root, its environment and its working directory. What is set
 * afterwards counts more. The program may write to the root; what it writes is in memory, counts towards the
 * limit on disk and is gone with the run. Ports, volumes and the user are not followed.
 *
 * Errors: STOCKADE_INVALID_POLICY, and then the policy is as it was; STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_root_apply_to(const stockade_root *root, stockade_policy *policy,
                               stockade_error **error);

/**
 * As stockade_prepare, of the image's program: its own command, or its entrypoint with `arguments`, which end
 * with NULL and are in the place of the command that the image has; NULL is none. It is a native program,
 * whatever the host has under its name. `policy` is one that stockade_root_apply_to was asked for with this
 * root; NULL is the default one with what the image says.
 *
 * Free it by stockade_prepared_free. Errors: as stockade_prepare; STOCKADE_INVALID_POLICY also if nobody says
 * what to run, and STOCKADE_INVALID_ARGUMENT for a policy with another root.
 */
int32_t stockade_prepare_root(const stockade_sandbox *sandbox, const stockade_policy *policy,
                              const stockade_root *root, const char *const *arguments,
                              stockade_prepared **prepared, stockade_error **error);

/**
 * Frees a root. What was prepared or started with it goes on, and has its files. NULL is allowed.
 */
void stockade_root_free(stockade_root *root);

/* Runs that go on ------------------------------------------------------------------------------ */

/**
 * Gives the caller's end of a stream that was STOCKADE_STREAM_PIPE: of STOCKADE_STDIN the one to write to,
 * whose closing is the program's end of file; of STOCKADE_STDOUT or STOCKADE_STDERR the one to read from,
 * once each. STOCKADE_END gives a descriptor that can be read once the run is over, for poll(2) and its
 * kin, as often as wanted; from the first time on a thread of the library waits for the run. It is not
 * given where output goes to functions, which stockade_execution_wait calls, nor while a thread is in that
 * call for a run whose outputs are captured: ask before.
 *
 * The descriptor is the caller's to close; no program that the caller starts inherits it.
 *
 * Errors: STOCKADE_INVALID_ARGUMENT, STOCKADE_IO, STOCKADE_HOST_LOST.
 */
int32_t stockade_execution_take_fd(const stockade_execution *execution, int32_t stream, int32_t *fd,
                                   stockade_error **error);

/**
 * Waits until nothing of the run is alive and, where its output goes somewhere, until it is there. Called
 * again, it gives the same report once more; of two threads that wait, both get it.
 *
 * A run always ends: it has a limit of wall time, unless that was lifted. A pipe of it that the caller
 * neither reads nor closes holds the program up, as pipes do.
 *
 * Free the report by stockade_report_free. Errors: STOCKADE_NOT_FOUND, STOCKADE_PERMISSION_DENIED or
 * STOCKADE_SETUP when the sandbox could not be built, STOCKADE_HOST_LOST, STOCKADE_IO,
 * STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_execution_wait(const stockade_execution *execution, stockade_report **report,
                                stockade_error **error);

/**
 * Stops the run: every process of it is killed. Any thread may call it, also while another waits. It does
 * not wait itself, and does nothing once the run has ended. The verdict is STOCKADE_VERDICT_CANCELLED.
 *
 * Errors: STOCKADE_HOST_LOST, STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_execution_kill(const stockade_execution *execution, stockade_error **error);

/**
 * Frees a run. What is alive of it is killed, and nothing is when this returns. No other thread may use it
 * any more. NULL is allowed.
 */
void stockade_execution_free(stockade_execution *execution);

/* What became of a run ------------------------------------------------------------------------- */

/** The program ended by itself; stockade_report_code has its status. */
#define STOCKADE_VERDICT_EXITED 300
/** A signal that Stockade did not send killed it; stockade_report_code has the number. */
#define STOCKADE_VERDICT_SIGNALED 301
/** A limit ended it; stockade_report_control says which. */
#define STOCKADE_VERDICT_LIMIT 302
/** It was stopped for a forbidden act; stockade_report_control says which control forbids it. */
#define STOCKADE_VERDICT_DENIED 303
/** A module trapped. */
#define STOCKADE_VERDICT_TRAPPED 304
/** The caller stopped it. */
#define STOCKADE_VERDICT_CANCELLED 305
/** Enforced as asked. */
#define STOCKADE_ENFORCED 400
/** Nearly as asked. The report's JSON says what may be missed. */
#define STOCKADE_APPROXIMATED 401
/** Not at all. The report's JSON says why. */
#define STOCKADE_NOT_ENFORCED 402
/** Nanoseconds from the start to the end of the last process, building the sandbox included. */
#define STOCKADE_WALL_NS 600
/** Nanoseconds of processor time in user mode, of all tasks. */
#define STOCKADE_CPU_USER_NS 601
/** Nanoseconds of processor time in the kernel, of all tasks. */
#define STOCKADE_CPU_SYSTEM_NS 602
/** Most bytes held at once. */
#define STOCKADE_PEAK_MEMORY 603
/** Most tasks alive at once; 0 where nothing counts them. */
#define STOCKADE_PEAK_PROCESSES 604
/** Bytes written to standard output, as far as they were read. */
#define STOCKADE_STDOUT_BYTES 605
/** Bytes written to standard error, as far as they were read. */
#define STOCKADE_STDERR_BYTES 606
/** Instructions of WebAssembly, where fuel is limited. */
#define STOCKADE_FUEL_USED 607
/** 1 if standard output was longer than what was kept. */
#define STOCKADE_STDOUT_TRUNCATED 608
/** 1 if standard error was longer than what was kept. */
#define STOCKADE_STDERR_TRUNCATED 609
/** Of STOCKADE_VERDICT_LIMIT: the limit, in the control's unit. */
#define STOCKADE_LIMIT 610
/** Of STOCKADE_VERDICT_LIMIT: what was observed when it was reached. */
#define STOCKADE_OBSERVED 611
/** Nanoseconds that preparing took, once for all runs of a stockade_prepared. */
#define STOCKADE_PREPARE_NS 612
/** Nanoseconds from the call that started the run until the program was executed. */
#define STOCKADE_START_NS 613
/** Nanoseconds from the program's end until nothing of it was alive. */
#define STOCKADE_TEARDOWN_NS 614

/** Why the run ended: a STOCKADE_VERDICT. 0 for NULL. */
int32_t stockade_report_verdict(const stockade_report *report);

/**
 * Of STOCKADE_VERDICT_EXITED the exit status, of STOCKADE_VERDICT_SIGNALED the signal's number, else -1.
 */
int32_t stockade_report_code(const stockade_report *report);

/**
 * Of STOCKADE_VERDICT_LIMIT and STOCKADE_VERDICT_DENIED the control, a STOCKADE_CONTROL; else 0.
 */
int32_t stockade_report_control(const stockade_report *report);

/** An amount, one of STOCKADE_WALL_NS to STOCKADE_TEARDOWN_NS. 0 where there is none. */
uint64_t stockade_report_amount(const stockade_report *report, int32_t amount);

/**
 * What was captured of STOCKADE_STDOUT or STOCKADE_STDERR, and in `length`, unless that is NULL, its length.
 * A NUL stands behind it, so that text can be printed as it is; what a program prints may have NULs within.
 *
 * The bytes belong to the report. NULL for NULL and for another stream.
 */
const uint8_t *stockade_report_output(const stockade_report *report, int32_t stream,
                                      size_t *length);

/**
 * How well a control was enforced: STOCKADE_ENFORCED, STOCKADE_APPROXIMATED or STOCKADE_NOT_ENFORCED. 0 for
 * one that the receipt does not have, since it was not asked for.
 */
int32_t stockade_report_enforcement(const stockade_report *report, int32_t control);

/**
 * The whole report as JSON but for what was captured: verdict, usage, what became of the output, for every
 * control what enforced it, timings, policy_hash and version.
 *
 * Errors: STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_report_json(const stockade_report *report, char **json, stockade_error **error);

/** Frees a report. NULL is allowed. */
void stockade_report_free(stockade_report *report);

/* Numbers of WebAssembly ----------------------------------------------------------------------- */

/** 32 bits, with or without a sign. */
#define STOCKADE_I32 1
/** 64 bits, with or without a sign. */
#define STOCKADE_I64 2
/** 32 bits, IEEE 754. */
#define STOCKADE_F32 3
/** 64 bits, IEEE 754. */
#define STOCKADE_F64 4

/** The number of a stockade_value. */
typedef union stockade_value_of {
  /** For STOCKADE_I32. */
  int32_t i32;
  /** For STOCKADE_I64. */
  int64_t i64;
  /** For STOCKADE_F32. */
  float f32;
  /** For STOCKADE_F64. */
  double f64;
} stockade_value_of;

/** A number of one of four types. A number without a sign is passed as the bits of one with. */
typedef struct stockade_value {
  /** STOCKADE_I32, STOCKADE_I64, STOCKADE_F32 or STOCKADE_F64. */
  int32_t type;
  /** The member of that type. */
  stockade_value_of of;
} stockade_value;

/* Modules whose functions are called ----------------------------------------------------------- */

/**
 * A function of the host's that a module may import. `arguments` are what the guest passed, which are
 * nothing to be trusted but their count and types: those are what the signature of its stockade_import says.
 * `results` come with their types, and zeros; the function sets the numbers. `call` is for stockade_call_read,
 * stockade_call_write and stockade_call_cancelled, until the function returns.
 *
 * It is called on the thread that calls the instance, and by as many threads at once as call instances. It
 * must not call the instance that calls it, and must not jump out of it by longjmp or an exception.
 *
 * Returns 0; anything else ends the instance with a trap.
 */
typedef int32_t (*stockade_host_function)(void *user_data, stockade_call *call,
                                          const stockade_value *arguments, size_t argument_count,
                                          stockade_value *results, size_t result_count);

/** A function of the host's, and the name by which modules import it. */
typedef struct stockade_import {
  /** The module's name, such as "env". */
  const char *module;
  /** The function's name. */
  const char *name;
  /**
   * The types it takes and returns, such as "i32 i32 -> i64" or "-> f64" or "i32 ->": a module that
   * imports it with others is refused.
   */
  const char *signature;
  /** The function. */
  stockade_host_function function;
  /** What it gets. It has to be there as long as the module and its instances are. */
  void *user_data;
} stockade_import;

/**
 * Loads a module from a file of the host, to call its functions. `imports` are the functions it may import,
 * `import_count` of them; NULL with 0 is none. `sandbox` is needed, of STOCKADE_BACKEND_WASM or
 * STOCKADE_BACKEND_AUTO. `policy`: times, output and fuel are for each call anew, memory is what an instance
 * holds; NULL is the default one.
 *
 * Free it by stockade_module_free. Errors: STOCKADE_INVALID_POLICY for what is no module, or imports a
 * function with another signature; STOCKADE_UNSUPPORTED for what it imports and is not given; for the file
 * STOCKADE_NOT_FOUND, STOCKADE_PERMISSION_DENIED; STOCKADE_SETUP, STOCKADE_HOST_LOST,
 * STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_module_load(const stockade_sandbox *sandbox, const stockade_policy *policy,
                             const char *path, const stockade_import *imports, size_t import_count,
                             stockade_module **module, stockade_error **error);

/** The same for a module by its bytes, which are copied. */
int32_t stockade_module_load_bytes(const stockade_sandbox *sandbox, const stockade_policy *policy,
                                   const void *data, size_t length, const stockade_import *imports,
                                   size_t import_count, stockade_module **module,
                                   stockade_error **error);

/**
 * The functions of numbers that the module exports, as JSON:
 * `[{"name":"add","parameters":["i32","i32"],"results":["i32"]}]`.
 *
 * Errors: STOCKADE_HOST_LOST, STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_module_functions_json(const stockade_module *module, char **json,
                                       stockade_error **error);

/**
 * Makes an instance: a memory and state of its own, which last from call to call. A start function that
 * traps ends it, which its first call tells.
 *
 * Free it by stockade_instance_free. Errors: STOCKADE_SETUP, STOCKADE_HOST_LOST, STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_module_instantiate(const stockade_module *module, stockade_instance **instance,
                                    stockade_error **error);

/** Frees a module. Its instances go on. NULL is allowed. */
void stockade_module_free(stockade_module *module);

/**
 * Calls a function of numbers, on this thread and under the policy's limits. The arguments must be of its
 * types; `results` has room for `result_count`, which must be what it returns, and is written only on
 * success.
 *
 * Errors: STOCKADE_ENDED when the call did not return; the instance is then over, and so says every later
 * call: stockade_instance_report has the verdict. STOCKADE_NOT_FOUND for an unknown name;
 * STOCKADE_INVALID_ARGUMENT for other counts or types than the function has, and when the instance is in a
 * call; STOCKADE_HOST_LOST.
 */
int32_t stockade_instance_call(stockade_instance *instance, const char *name,
                               const stockade_value *arguments, size_t argument_count,
                               stockade_value *results, size_t result_count,
                               stockade_error **error);

/**
 * Gives `input_length` bytes to a function of bytes, and gives in `output` what it gave back, which is
 * `output_length` long, at most the limit of output.
 *
 * The module exports `memory`; `stockade_alloc (i32 length) -> i32`, which gives the place for the input;
 * the function, `(i32 place, i32 length) -> i64`, which gives the place of its output times 2^32 plus the
 * length; and, if it wants it back, `stockade_free (i32 place, i32 length)`.
 *
 * The output belongs to the instance until its next call, and is never NULL. Errors: as
 * stockade_instance_call.
 */
int32_t stockade_instance_call_bytes(stockade_instance *instance, const char *name,
                                     const void *input, size_t input_length, const uint8_t **output,
                                     size_t *output_length, stockade_error **error);

/**
 * What the last call used and printed, and how its limits were enforced. The verdict is
 * STOCKADE_VERDICT_EXITED with 0 unless the instance has ended. What was printed is moved into the report.
 *
 * Free it by stockade_report_free. Errors: STOCKADE_HOST_LOST, STOCKADE_INVALID_ARGUMENT, also when the
 * instance is in a call.
 */
int32_t stockade_instance_report(stockade_instance *instance, stockade_report **report,
                                 stockade_error **error);

/**
 * Ends the instance, whatever it is doing. Any thread may call it, also during a call.
 *
 * Errors: STOCKADE_HOST_LOST, STOCKADE_INVALID_ARGUMENT.
 */
int32_t stockade_instance_kill(const stockade_instance *instance, stockade_error **error);

/** Frees an instance. It must not be in a call. NULL is allowed. */
void stockade_instance_free(stockade_instance *instance);

/**
 * Within a host function: copies `length` bytes at `address` of the guest's memory to `buffer`.
 *
 * Returns STOCKADE_OK, or STOCKADE_INVALID_ARGUMENT for NULL or a range that is not in the memory, and then
 * nothing is copied.
 */
int32_t stockade_call_read(stockade_call *call, uint32_t address, void *buffer, size_t length);

/**
 * Within a host function: copies `length` bytes to `address` of the guest's memory; else as
 * stockade_call_read.
 */
int32_t stockade_call_write(stockade_call *call, uint32_t address, const void *data, size_t length);

/**
 * Within a host function: 1 if the run has to stop, since it was killed or its wall time is over, else 0. A
 * function that takes long asks now and then, and returns.
 */
int32_t stockade_call_cancelled(stockade_call *call);

/* Versions, names, strings, and what this host can enforce ------------------------------------- */

/**
 * The version of the library that runs, such as "0.1.0". STOCKADE_VERSION is that of the header.
 *
 * The string is static.
 */
const char *stockade_version(void);

/**
 * The word that policies, reports and errors have for a number of this header: of a status, a backend, a
 * control, a verdict, a state of enforcement, a choice of stockade_policy_set or an access. "limit" for
 * STOCKADE_VERDICT_LIMIT, "wall_time" for STOCKADE_CONTROL_WALL_TIME.
 *
 * The string is static; NULL for any other number.
 */
const char *stockade_name(int32_t number);

/** Frees a string that a function of this library gave by a `char **`. NULL is allowed. */
void stockade_string_free(char *string);

/**
 * What this host can enforce, by backend and control, and how to mend what it cannot, as JSON. It is found
 * out by running programs in sandboxes, which takes a second or so. The manual describes the members.
 *
 * Errors: STOCKADE_INVALID_ARGUMENT, STOCKADE_INTERNAL. A host that can enforce nothing is no error.
 */
int32_t stockade_doctor_json(char **json, stockade_error **error);

#ifdef __cplusplus
}
#endif

#endif /* STOCKADE_H */
