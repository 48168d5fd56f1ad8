/* story: Burns CPU forever. */
#include "../guest.h"

int main(void)
{
    volatile unsigned long long turns = 0;
    for (;;)
        turns = turns + 1;
}
