/* QuickJS as a command: `-c CODE`, a file or standard input, then what it left to be done. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

enum {
    /* Below what the engine grants a call chain, so that endless recursion is a RangeError. */
    STACK = 192 * 1024,
    /* As node ends when a module waits for something that nothing will bring about. */
    UNSETTLED = 13,
    MISUSED = 2,
};

static const char USAGE[] = "usage: javascript [-c CODE | FILE | -] [ARGS...]\n";

/* The first promise that was rejected and that nobody has handled yet. */
static JSValue unhandled = JS_UNDEFINED;

static void track(JSContext *context, JSValueConst promise, JSValueConst reason, bool handled,
                  void *opaque)
{
    (void)reason;
    (void)opaque;
    if (!handled && JS_IsUndefined(unhandled)) {
        unhandled = JS_DupValue(context, promise);
    } else if (handled && JS_VALUE_GET_PTR(unhandled) == JS_VALUE_GET_PTR(promise)) {
        JS_FreeValue(context, unhandled);
        unhandled = JS_UNDEFINED;
    }
}

static void fail(JSContext *context)
{
    show_error(context, JS_GetException(context));
    leave(1);
}

static JSModuleDef *load(JSContext *context, const char *name, void *opaque)
{
    (void)opaque;
    size_t length;
    char *source = read_all(name, &length);
    if (!source) {
        JS_ThrowReferenceError(context, "cannot load module '%s': %s", name, strerror(errno));
        return NULL;
    }
    int flags = JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY;
    JSValue module = JS_Eval(context, source, length, name, flags);
    free(source);
    if (JS_IsException(module))
        return NULL;
    JSModuleDef *definition = JS_VALUE_GET_PTR(module);
    JS_FreeValue(context, module);
    return definition;
}

/* Runs jobs and timers until none is left. */
static void finish(JSContext *context)
{
    JSRuntime *runtime = JS_GetRuntime(context);
    do {
        int done;
        JSContext *last;
        while ((done = JS_ExecutePendingJob(runtime, &last)) > 0) {
        }
        if (done < 0)
            fail(context);
        if (!JS_IsUndefined(unhandled)) {
            show_error(context, JS_PromiseResult(context, unhandled));
            leave(1);
        }
    } while (run_timer(context));
}

/* As a script; as a module if it is named so, or if it is one and no script. */
static JSValue compile(JSContext *context, const char *source, size_t length, const char *name,
                       bool *module)
{
    size_t end = strlen(name);
    *module = end > 4 && !strcmp(name + end - 4, ".mjs");
    if (!*module) {
        int flags = JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_COMPILE_ONLY;
        JSValue script = JS_Eval(context, source, length, name, flags);
        if (!JS_IsException(script) || !JS_DetectModule(source, length))
            return script;
        JS_FreeValue(context, JS_GetException(context));
        *module = true;
    }
    int flags = JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY;
    return JS_Eval(context, source, length, name, flags);
}

static _Noreturn void perform(JSContext *context, const char *source, size_t length,
                              const char *name)
{
    bool module;
    JSValue compiled = compile(context, source, length, name, &module);
    if (JS_IsException(compiled))
        fail(context);
    JSValue result = JS_EvalFunction(context, compiled);
    if (JS_IsException(result))
        fail(context);
    finish(context);
    if (module && JS_PromiseState(context, result) == JS_PROMISE_PENDING) {
        fprintf(stderr, "%s: nothing is left that could end its top-level await\n", name);
        leave(UNSETTLED);
    }
    leave(0);
}

int main(int count, char **words)
{
    JSRuntime *runtime = JS_NewRuntime();
    JSContext *context = runtime ? JS_NewContext(runtime) : NULL;
    if (!context) {
        fputs("javascript: out of memory\n", stderr);
        return 1;
    }
    JS_SetMaxStackSize(runtime, STACK);
    JS_SetHostPromiseRejectionTracker(runtime, track, NULL);
    JS_SetModuleLoaderFunc(runtime, NULL, load, NULL);

    const char *first = count > 1 ? words[1] : "-";
    if (!strcmp(first, "-c") || !strcmp(first, "-e")) {
        if (count < 3) {
            fputs(USAGE, stderr);
            return MISUSED;
        }
        const char *code = words[2];
        words[2] = words[1];
        add_globals(context, count - 2, words + 2);
        perform(context, code, strlen(code), "<string>");
    }
    bool piped = !strcmp(first, "-");
    if (*first == '-' && !piped) {
        fputs(USAGE, stderr);
        return MISUSED;
    }
    add_globals(context, count - 1, words + 1);
    size_t length;
    char *source = read_all(piped ? NULL : first, &length);
    if (!source) {
        fprintf(stderr, "javascript: can't open file '%s': %s\n", first, strerror(errno));
        return MISUSED;
    }
    perform(context, source, length, piped ? "<stdin>" : first);
}
