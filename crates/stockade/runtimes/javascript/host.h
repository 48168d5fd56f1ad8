/* What the files of the JavaScript command share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "quickjs.h"

/* Reads a file, or standard input if `path` is NULL, with a NUL behind it; NULL with `errno`. */
char *read_all(const char *path, size_t *length);

/* Writes what an exception or a rejected promise carried to standard error. */
void show_error(JSContext *context, JSValueConst error);

/* Puts `print`, `console`, `process`, the file functions and timers into the global object. */
void add_globals(JSContext *context, int count, char **words);

/* Runs the timer that is due next, sleeping until then; false if there is none. */
bool run_timer(JSContext *context);

/* Flushes both streams and ends the process. */
_Noreturn void leave(int code);
