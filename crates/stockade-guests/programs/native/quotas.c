/* story: Takes all it can have of what the kernel counts per user, and holds it. */
/* usage: quotas [MILLISECONDS=0]; prints "timers COUNT" and "queues COUNT", then holds them so long */
#include "../guest.h"
#include <mqueue.h>
#include <signal.h>

enum { MOST_TIMERS = 1 << 18, MOST_QUEUES = 256 };

static int timers(void)
{
    int count = 0;
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    while (count < MOST_TIMERS && timer_create(CLOCK_MONOTONIC, &event, &timer) == 0)
        count++;
    return count;
}

/* Landlock refuses to open one that has been made, which then counts all the same. */
static int queues(void)
{
    int count = 0;
    for (; count < MOST_QUEUES; count++) {
        char name[32];
        snprintf(name, sizeof name, "/queue-%d", count);
        if (mq_open(name, O_RDWR | O_CREAT, 0600, NULL) < 0 && errno != EACCES)
            break;
    }
    return count;
}

int main(int argc, char **argv)
{
    printf("timers %d\n", timers());
    printf("queues %d\n", queues());
    fflush(stdout);
    sleep_ms(number(argc, argv, 1, 0));
    return DONE;
}
