/* story: Calls getpid through the 32-bit entry, int 0x80, which a 64-bit filter may forget. */
/* usage: int80; exits 3 where it is refused; prints "n/a" on other machines */
#include "../guest.h"

int main(void)
{
#ifdef __x86_64__
    enum { GETPID_32 = 20 };
    long result = GETPID_32;
    /* The entry clears r8 to r11 on some kernels. */
    __asm__ volatile("int $0x80" : "+a"(result) : : "r8", "r9", "r10", "r11", "memory");
    int value = (int)result;
    if (value < 0)
        return outcome("int80", -value);
    return value == getpid() ? outcome("int80", 0) : FAILED;
#else
    puts("n/a");
    return DONE;
#endif
}
