/* What every guest shares: exit codes, errno names, numbers from argv, whole writes, pauses.
 *
 * Exit codes: 0 the guest did what its story says, 1 it could not for a reason of its own,
 * 2 its arguments are wrong, 3 an errno refused it. Other codes are in the guest's usage line.
 * Results are lines "step: ok" or "step: ERRNO" on standard output.
 */
#ifndef GUEST_H
#define GUEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DONE = 0, FAILED = 1, MISUSED = 2, REFUSED = 3 };

#define MEBIBYTE ((size_t)1 << 20)
#define FOREVER ULLONG_MAX

/* Own table, because strerrorname_np is in glibc only. */
static inline const char *errno_name(int error)
{
    static char number[24];
#define NAME(e) \
    case e:     \
        return #e;
    switch (error) {
    case 0:
        return "ok";
        NAME(E2BIG)
        NAME(EACCES)
        NAME(EADDRINUSE)
        NAME(EADDRNOTAVAIL)
        NAME(EAFNOSUPPORT)
        NAME(EAGAIN)
        NAME(EBADF)
        NAME(EBUSY)
        NAME(ECHILD)
        NAME(ECONNREFUSED)
        NAME(EDQUOT)
        NAME(EEXIST)
        NAME(EFAULT)
        NAME(EFBIG)
        NAME(EINVAL)
        NAME(EIO)
        NAME(EISDIR)
        NAME(ELOOP)
        NAME(EMFILE)
        NAME(ENETDOWN)
        NAME(ENETUNREACH)
        NAME(ENFILE)
        NAME(ENODEV)
        NAME(ENOENT)
        NAME(ENOMEM)
        NAME(ENOSPC)
#ifdef ENOTCAPABLE
        NAME(ENOTCAPABLE)
#endif
        NAME(ENOSYS)
        NAME(ENOTDIR)
        NAME(ENOTEMPTY)
        NAME(ENOTTY)
        NAME(ENXIO)
        NAME(EOPNOTSUPP)
        NAME(EOVERFLOW)
        NAME(EPERM)
        NAME(EPIPE)
        NAME(EPROTONOSUPPORT)
        NAME(EPROTOTYPE)
        NAME(EROFS)
#ifdef ESOCKTNOSUPPORT
        NAME(ESOCKTNOSUPPORT)
#endif
        NAME(ESRCH)
        NAME(ETXTBSY)
#ifdef EUSERS
        NAME(EUSERS)
#endif
        NAME(EXDEV)
    }
#undef NAME
    snprintf(number, sizeof number, "errno %d", error);
    return number;
}

/* Says that `step` worked or which errno refused it; flushed, so that no fork or kill loses it. */
static inline int outcome(const char *step, int error)
{
    printf("%s: %s\n", step, errno_name(error));
    fflush(stdout);
    return error == 0 ? DONE : REFUSED;
}

static inline int refused(const char *step)
{
    return outcome(step, errno);
}

static inline _Noreturn void misused(const char *usage)
{
    fprintf(stderr, "usage: %s\n", usage);
    exit(MISUSED);
}

/* The number at argv[index] in any C notation, or `fallback` where the argument is missing. */
static inline unsigned long long number(int argc, char **argv, int index,
                                        unsigned long long fallback)
{
    if (index >= argc)
        return fallback;
    char *end;
    errno = 0;
    unsigned long long value = strtoull(argv[index], &end, 0);
    if (errno != 0 || end == argv[index] || *end != '\0') {
        fprintf(stderr, "%s: argument %d is not a number: %s\n", argv[0], index, argv[index]);
        exit(MISUSED);
    }
    return value;
}

/* Writes all of it; -1 with errno on the first refusal, the bytes taken so far in *written. */
static inline int write_all(int fd, const char *bytes, size_t length, unsigned long long *written)
{
    while (length > 0) {
        ssize_t taken = write(fd, bytes, length);
        if (taken < 0 && errno == EINTR)
            continue;
        if (taken < 0)
            return -1;
        bytes += taken;
        length -= (size_t)taken;
        *written += (unsigned long long)taken;
    }
    return 0;
}

/* Writes `total` bytes of 'x', at most `chunk` at a time. */
static inline int write_filler(int fd, unsigned long long total, size_t chunk,
                               unsigned long long *written)
{
    static char filler[MEBIBYTE];
    if (chunk == 0 || chunk > sizeof filler)
        chunk = sizeof filler;
    memset(filler, 'x', chunk);
    while (*written < total) {
        size_t next = total - *written < chunk ? (size_t)(total - *written) : chunk;
        if (write_all(fd, filler, next, written) < 0)
            return -1;
    }
    return 0;
}

/* Copies `from` to `to` until the end of file. */
static inline int copy_all(int from, int to, unsigned long long *copied)
{
    static char buffer[65536];
    for (;;) {
        ssize_t got = read(from, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return (int)got;
        if (write_all(to, buffer, (size_t)got, copied) < 0)
            return -1;
    }
}

/* Makes every page of the block resident. */
static inline void touch(void *block, size_t length)
{
    volatile char *byte = block;
    for (size_t at = 0; at < length; at += 4096)
        byte[at] = 1;
}

static inline unsigned long long clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (unsigned long long)now.tv_sec * 1000 + (unsigned long long)now.tv_nsec / 1000000;
}

static inline void sleep_ms(unsigned long long milliseconds)
{
    struct timespec left = {(time_t)(milliseconds / 1000), (long)(milliseconds % 1000) * 1000000};
    while (nanosleep(&left, &left) < 0 && errno == EINTR) {
    }
}

#endif
