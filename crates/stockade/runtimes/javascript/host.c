/* What a program is given besides the language: output, files, its arguments, timers. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host.h"

extern char **environ;

_Noreturn void leave(int code)
{
    bool lost = fflush(stdout) != 0;
    exit(lost && code == 0 ? 1 : code);
}

char *read_all(const char *path, size_t *length)
{
    FILE *file = path ? fopen(path, "rb") : stdin;
    if (!file)
        return NULL;
    size_t size = 0, room = 4096;
    char *bytes = malloc(room);
    size_t got;
    while (bytes && (got = fread(bytes + size, 1, room - size - 1, file)) > 0) {
        size += got;
        if (room - size < 2) {
            char *larger = realloc(bytes, room *= 2);
            if (!larger)
                free(bytes);
            bytes = larger;
        }
    }
    int error = bytes ? (ferror(file) ? errno : 0) : ENOMEM;
    if (path)
        fclose(file);
    if (error) {
        free(bytes);
        errno = error;
        return NULL;
    }
    bytes[size] = 0;
    *length = size;
    return bytes;
}

/* Writes a value as text: what is no text or error as JSON, if it has that form. */
static void show(JSContext *context, FILE *stream, JSValueConst value)
{
    JSValue text = JS_UNDEFINED;
    if (JS_IsObject(value) && !JS_IsError(value) && !JS_IsFunction(context, value))
        text = JS_JSONStringify(context, value, JS_UNDEFINED, JS_UNDEFINED);
    else if (JS_IsSymbol(value))
        text = JS_GetPropertyStr(context, value, "description");
    if (JS_IsException(text))
        JS_FreeValue(context, JS_GetException(context));
    if (!JS_IsString(text))
        text = JS_DupValue(context, value);
    size_t length;
    const char *bytes = JS_ToCStringLen(context, &length, text);
    if (bytes) {
        fwrite(bytes, 1, length, stream);
        JS_FreeCString(context, bytes);
    } else {
        JS_FreeValue(context, JS_GetException(context));
        fputs("[object]", stream);
    }
    JS_FreeValue(context, text);
    if (JS_IsError(value)) {
        JSValue stack = JS_GetPropertyStr(context, value, "stack");
        bytes = JS_IsString(stack) ? JS_ToCString(context, stack) : NULL;
        if (bytes && *bytes) {
            size_t end = strlen(bytes);
            fprintf(stream, "\n%.*s", (int)(end - (bytes[end - 1] == '\n')), bytes);
        }
        JS_FreeCString(context, bytes);
        JS_FreeValue(context, stack);
    }
}

void show_error(JSContext *context, JSValueConst error)
{
    fflush(stdout);
    fputs("Uncaught ", stderr);
    show(context, stderr, error);
    fputc('\n', stderr);
}

static JSValue say(JSContext *context, JSValueConst this, int count, JSValueConst *values, int error)
{
    (void)this;
    FILE *stream = error ? stderr : stdout;
    if (error)
        fflush(stdout);
    for (int i = 0; i < count; i++) {
        if (i)
            fputc(' ', stream);
        show(context, stream, values[i]);
    }
    fputc('\n', stream);
    return JS_UNDEFINED;
}

static JSValue write_out(JSContext *context, JSValueConst this, int count, JSValueConst *values)
{
    (void)this;
    (void)count;
    size_t length;
    const char *bytes = JS_ToCStringLen(context, &length, values[0]);
    if (!bytes)
        return JS_EXCEPTION;
    bool whole = fwrite(bytes, 1, length, stdout) == length;
    JS_FreeCString(context, bytes);
    return JS_NewBool(context, whole);
}

static JSValue refused(JSContext *context, const char *path)
{
    JSValue error = JS_ThrowInternalError(context, "%s: %s", path, strerror(errno));
    return error;
}

static JSValue read_file(JSContext *context, JSValueConst this, int count, JSValueConst *values,
                         int as_bytes)
{
    (void)this;
    (void)count;
    bool piped = JS_IsNumber(values[0]);
    const char *path = piped ? NULL : JS_ToCString(context, values[0]);
    if (!path && !piped)
        return JS_EXCEPTION;
    size_t length;
    char *bytes = read_all(path, &length);
    JSValue result;
    if (!bytes)
        result = refused(context, piped ? "standard input" : path);
    else if (as_bytes)
        result = JS_NewUint8ArrayCopy(context, (uint8_t *)bytes, length);
    else
        result = JS_NewStringLen(context, bytes, length);
    free(bytes);
    JS_FreeCString(context, path);
    return result;
}

static JSValue write_file(JSContext *context, JSValueConst this, int count, JSValueConst *values)
{
    (void)this;
    (void)count;
    size_t length = 0;
    const char *text = NULL;
    const uint8_t *bytes = NULL;
    if (JS_IsString(values[1])) {
        text = JS_ToCStringLen(context, &length, values[1]);
        bytes = (const uint8_t *)text;
    } else {
        bytes = JS_GetUint8Array(context, &length, values[1]);
    }
    if (!bytes)
        return JS_EXCEPTION;
    JSValue result = JS_EXCEPTION;
    const char *path = JS_ToCString(context, values[0]);
    if (path) {
        FILE *file = fopen(path, "wb");
        bool done = file && fwrite(bytes, 1, length, file) == length;
        if (file)
            done = fclose(file) == 0 && done;
        result = done ? JS_UNDEFINED : refused(context, path);
    }
    JS_FreeCString(context, path);
    JS_FreeCString(context, text);
    return result;
}

static JSValue leave_with(JSContext *context, JSValueConst this, int count, JSValueConst *values)
{
    (void)this;
    int32_t code = 0;
    if (count > 0 && !JS_IsUndefined(values[0]) && JS_ToInt32(context, &code, values[0]))
        return JS_EXCEPTION;
    leave(code & 0xff);
}

/* Timers, in the order in which they are due. */
struct timer {
    struct timer *next;
    int64_t due;
    int64_t every;
    int32_t id;
    JSValue call;
};

static struct timer *timers;
static int32_t last_timer;

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void insert(struct timer *timer)
{
    struct timer **place = &timers;
    while (*place && (*place)->due <= timer->due)
        place = &(*place)->next;
    timer->next = *place;
    *place = timer;
}

static JSValue set_timer(JSContext *context, JSValueConst this, int count, JSValueConst *values,
                         int repeats)
{
    (void)this;
    double delay = 0;
    if (!JS_IsFunction(context, values[0]))
        return JS_ThrowTypeError(context, "a timer needs a function");
    if (count > 1 && JS_ToFloat64(context, &delay, values[1]))
        return JS_EXCEPTION;
    /* Like browsers, nothing shorter than a millisecond, and no longer than about a month. */
    delay = delay >= 1 ? delay : 1;
    delay = delay < INT32_MAX ? delay : 1;
    struct timer *timer = malloc(sizeof *timer);
    if (!timer)
        return JS_ThrowOutOfMemory(context);
    int64_t wait = (int64_t)(delay * 1e6);
    *timer = (struct timer){
        .due = now() + wait,
        .every = repeats ? wait : 0,
        .id = ++last_timer,
        .call = JS_DupValue(context, values[0]),
    };
    insert(timer);
    return JS_NewInt32(context, timer->id);
}

static JSValue clear_timer(JSContext *context, JSValueConst this, int count, JSValueConst *values)
{
    (void)this;
    (void)count;
    int32_t id = 0;
    if (!JS_IsNumber(values[0]) || JS_ToInt32(context, &id, values[0]))
        return JS_UNDEFINED;
    for (struct timer **place = &timers; *place; place = &(*place)->next) {
        struct timer *timer = *place;
        if (timer->id == id) {
            *place = timer->next;
            JS_FreeValue(context, timer->call);
            free(timer);
            break;
        }
    }
    return JS_UNDEFINED;
}

bool run_timer(JSContext *context)
{
    struct timer *timer = timers;
    if (!timer)
        return false;
    int64_t wait = timer->due - now();
    if (wait > 0) {
        fflush(stdout);
        nanosleep(&(struct timespec){wait / 1000000000, wait % 1000000000}, NULL);
    }
    timers = timer->next;
    JSValue call = JS_DupValue(context, timer->call);
    if (timer->every) {
        timer->due = now() + timer->every;
        insert(timer);
    } else {
        JS_FreeValue(context, timer->call);
        free(timer);
    }
    JSValue result = JS_Call(context, call, JS_UNDEFINED, 0, NULL);
    JS_FreeValue(context, call);
    if (JS_IsException(result)) {
        show_error(context, JS_GetException(context));
        leave(1);
    }
    JS_FreeValue(context, result);
    return true;
}

static const JSCFunctionListEntry GLOBALS[] = {
    JS_CFUNC_MAGIC_DEF("print", 1, say, 0),
    JS_CFUNC_MAGIC_DEF("readFile", 1, read_file, 0),
    JS_CFUNC_MAGIC_DEF("readBytes", 1, read_file, 1),
    JS_CFUNC_DEF("writeFile", 2, write_file),
    JS_CFUNC_DEF("exit", 1, leave_with),
    JS_CFUNC_MAGIC_DEF("setTimeout", 2, set_timer, 0),
    JS_CFUNC_MAGIC_DEF("setInterval", 2, set_timer, 1),
    JS_CFUNC_DEF("clearTimeout", 1, clear_timer),
    JS_CFUNC_DEF("clearInterval", 1, clear_timer),
};

static const JSCFunctionListEntry CONSOLE[] = {
    JS_CFUNC_MAGIC_DEF("log", 1, say, 0),   JS_CFUNC_MAGIC_DEF("info", 1, say, 0),
    JS_CFUNC_MAGIC_DEF("debug", 1, say, 0), JS_CFUNC_MAGIC_DEF("warn", 1, say, 1),
    JS_CFUNC_MAGIC_DEF("error", 1, say, 1),
};

static const JSCFunctionListEntry PROCESS[] = { JS_CFUNC_DEF("exit", 1, leave_with) };
static const JSCFunctionListEntry STDOUT[] = { JS_CFUNC_DEF("write", 1, write_out) };

#define COUNT(list) (int)(sizeof(list) / sizeof *(list))

static JSValue strings(JSContext *context, int count, char **words)
{
    JSValue array = JS_NewArray(context);
    for (int i = 0; i < count; i++)
        JS_SetPropertyUint32(context, array, i, JS_NewString(context, words[i]));
    return array;
}

static JSValue environment(JSContext *context)
{
    JSValue object = JS_NewObject(context);
    for (char **entry = environ; entry && *entry; entry++) {
        char *equals = strchr(*entry, '=');
        if (!equals)
            continue;
        JSAtom name = JS_NewAtomLen(context, *entry, equals - *entry);
        JS_SetProperty(context, object, name, JS_NewString(context, equals + 1));
        JS_FreeAtom(context, name);
    }
    return object;
}

void add_globals(JSContext *context, int count, char **words)
{
    JSValue global = JS_GetGlobalObject(context);
    JS_SetPropertyFunctionList(context, global, GLOBALS, COUNT(GLOBALS));
    JSValue console = JS_NewObject(context);
    JS_SetPropertyFunctionList(context, console, CONSOLE, COUNT(CONSOLE));
    JS_SetPropertyStr(context, global, "console", console);
    JS_SetPropertyStr(context, global, "scriptArgs", strings(context, count, words));
    JSValue process = JS_NewObject(context), out = JS_NewObject(context);
    JS_SetPropertyFunctionList(context, process, PROCESS, COUNT(PROCESS));
    JS_SetPropertyFunctionList(context, out, STDOUT, COUNT(STDOUT));
    JS_SetPropertyStr(context, process, "stdout", out);
    JSValue argv = strings(context, count, words);
    JS_SetPropertyStr(context, process, "env", environment(context));
    JS_SetPropertyStr(context, process, "argv", argv);
    JS_SetPropertyStr(context, global, "process", process);
    JS_FreeValue(context, global);
}
