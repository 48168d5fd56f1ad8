/* story: Spins in many threads for a span of wall time and says how much CPU it got. */
/* usage: cpu_threads THREADS MILLISECONDS; exits 3 where a thread is refused */
#include "../guest.h"
#include <pthread.h>

static unsigned long long deadline;

static void *spin(void *unused)
{
    while (clock_ms(CLOCK_MONOTONIC) < deadline) {
    }
    return unused;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        misused("cpu_threads THREADS MILLISECONDS");
    size_t count = (size_t)number(argc, argv, 1, 0);
    deadline = clock_ms(CLOCK_MONOTONIC) + number(argc, argv, 2, 0);
    pthread_t *threads = calloc(count + 1, sizeof *threads);
    if (threads == NULL)
        return refused("calloc");
    for (size_t index = 0; index < count; index++) {
        int error = pthread_create(&threads[index], NULL, spin, NULL);
        if (error != 0)
            return outcome("pthread_create", error);
    }
    for (size_t index = 0; index < count; index++)
        pthread_join(threads[index], NULL);
    printf("cpu %llu ms\n", clock_ms(CLOCK_PROCESS_CPUTIME_ID));
    return DONE;
}
