/* story: Sleeps forever and uses no CPU. */
#include "../guest.h"

int main(void)
{
    for (;;)
        sleep_ms(1000000);
}
