/* story: Makes every system call of an entry into the kernel, each in a process of its own. */
/* usage: every_syscall native|x32|int80 LAST MILLISECONDS [LEFT OUT...]; prints "NUMBER RESULT", where
 * the result is "ok", an errno, "signal N", "ended" or "blocked" after so many milliseconds */
#include "../guest.h"
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum entry { NATIVE, X32, INT80 };
enum { MOST = 1024, NOTHING = 1 };

/* What came back of each call, in memory that all children share: some calls fork, and none may
 * need another call to tell. */
static volatile int *results;

/* Calls with arguments of all bits: no address, descriptor or process is that, and few flags. Some
 * calls return twice, in the same memory, so there is no way out of here but the end. */
static _Noreturn void call_and_end(enum entry entry, long call)
{
#if defined(__x86_64__)
    long result = entry == X32 ? call | 0x40000000 : call;
    if (entry == INT80) {
        __asm__ volatile("int $0x80"
                         : "+a"(result)
                         : "b"(-1L), "c"(-1L), "d"(-1L), "S"(-1L), "D"(-1L)
                         : "r8", "r9", "r10", "r11", "memory");
        result = (int)result;
    } else {
        register long fourth __asm__("r10") = -1;
        register long fifth __asm__("r8") = -1;
        register long sixth __asm__("r9") = -1;
        __asm__ volatile("syscall"
                         : "+a"(result), "+r"(fourth), "+r"(fifth), "+r"(sixth)
                         : "D"(-1L), "S"(-1L), "d"(-1L)
                         : "rcx", "r11", "memory");
    }
    results[call] = result < 0 && result > -4096 ? (int)result : 0;
    __asm__ volatile("syscall" : : "a"(231L), "D"(0L) : "rcx", "r11", "memory");
#elif defined(__aarch64__)
    (void)entry;
    register long number __asm__("x8") = call;
    register long first __asm__("x0") = -1;
    register long second __asm__("x1") = -1;
    register long third __asm__("x2") = -1;
    register long fourth __asm__("x3") = -1;
    register long fifth __asm__("x4") = -1;
    register long sixth __asm__("x5") = -1;
    __asm__ volatile("svc #0"
                     : "+r"(first)
                     : "r"(number), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "memory");
    results[call] = first < 0 && first > -4096 ? (int)first : 0;
    number = 94;
    first = 0;
    __asm__ volatile("svc #0" : : "r"(number), "r"(first) : "memory");
#else
#error "the entries of this machine are not known"
#endif
    __builtin_unreachable();
}

static void say(long call, enum entry entry, unsigned long long patience)
{
    sigset_t ended;
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    results[call] = NOTHING;
    pid_t child = fork();
    if (child < 0)
        exit(refused("fork"));
    if (child == 0)
        call_and_end(entry, call);
    int status;
    unsigned long long begun = clock_ms(CLOCK_MONOTONIC);
    int waited;
    while ((waited = waitpid(child, &status, WNOHANG)) == 0) {
        unsigned long long gone = clock_ms(CLOCK_MONOTONIC) - begun;
        if (gone >= patience)
            break;
        unsigned long long left = patience - gone;
        struct timespec wait = {(time_t)(left / 1000), (long)(left % 1000) * 1000000};
        sigtimedwait(&ended, NULL, &wait);
    }
    if (waited < 0)
        exit(refused("waitpid"));
    if (waited == 0) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        printf("%ld blocked\n", call);
    } else if (WIFSIGNALED(status))
        printf("%ld signal %d\n", call, WTERMSIG(status));
    else if (results[call] == NOTHING)
        printf("%ld ended\n", call);
    else if (results[call] == 0)
        printf("%ld ok\n", call);
    else
        printf("%ld %d\n", call, -results[call]);
}

int main(int argc, char **argv)
{
    const char *usage = "every_syscall native|x32|int80 LAST MILLISECONDS [LEFT OUT...]";
    if (argc < 4)
        misused(usage);
    enum entry entry;
    if (strcmp(argv[1], "native") == 0)
        entry = NATIVE;
    else if (strcmp(argv[1], "x32") == 0)
        entry = X32;
    else if (strcmp(argv[1], "int80") == 0)
        entry = INT80;
    else
        misused(usage);
    long last = (long)number(argc, argv, 2, 0);
    if (last < 0 || last >= MOST)
        misused(usage);
    unsigned long long patience = number(argc, argv, 3, 0);
    results = mmap(NULL, MOST * sizeof *results, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (results == MAP_FAILED)
        return refused("mmap");
    /* Blocked, so that an end is waited for and never missed. */
    sigset_t ended;
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    sigprocmask(SIG_BLOCK, &ended, NULL);
    for (long call = 0; call <= last; call++) {
        int left_out = 0;
        for (int index = 4; index < argc; index++)
            left_out |= (long)number(argc, argv, index, 0) == call;
        if (!left_out)
            say(call, entry, patience);
        fflush(stdout);
    }
    return DONE;
}
