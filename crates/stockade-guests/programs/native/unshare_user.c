/* story: Asks for a user namespace, the door to most of the kernel's privileged surface. */
/* usage: unshare_user; exits 3 where it is refused */
#include "../guest.h"
#include <sched.h>

int main(void)
{
    return outcome("unshare", unshare(CLONE_NEWUSER) < 0 ? errno : 0);
}
