/* Takes its time, and none of the processor's. */
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    sleep(60);
    puts("6");
    return 0;
}
