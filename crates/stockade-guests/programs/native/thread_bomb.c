/* story: Starts sleeping threads until the kernel refuses. */
/* usage: thread_bomb [THREADS=forever]; prints the live tasks, main included; exits 3 on refusal */
#include "../guest.h"
#include <pthread.h>

static void *rest(void *unused)
{
    for (;;)
        pause();
    return unused;
}

int main(int argc, char **argv)
{
    unsigned long long goal = number(argc, argv, 1, FOREVER);
    /* The smallest stacks, so that the task limit is met before any memory limit. */
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, (size_t)PTHREAD_STACK_MIN);

    unsigned long long threads = 0;
    int error = 0;
    while (threads < goal && error == 0) {
        pthread_t thread;
        error = pthread_create(&thread, &small, rest, NULL);
        if (error == 0)
            threads++;
    }
    printf("tasks %llu\n", threads + 1);
    return outcome("pthread_create", error);
}
