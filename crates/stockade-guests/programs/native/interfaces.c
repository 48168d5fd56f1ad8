/* story: Lists the network interfaces it can see and whether each is up. */
/* usage: interfaces; a line "NAME up|down|ERRNO" each; exits 3 where /proc/net/dev is refused */
#include "../guest.h"
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static const char *state(int query, const char *name)
{
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (ioctl(query, SIOCGIFFLAGS, &request) < 0)
        return errno_name(errno);
    return request.ifr_flags & IFF_UP ? "up" : "down";
}

int main(void)
{
    FILE *table = fopen("/proc/net/dev", "re");
    if (table == NULL)
        return refused("open");
    /* A Unix socket answers interface queries too, and needs no network family. */
    int query = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char line[1024], name[IFNAMSIZ];
    while (fgets(line, sizeof line, table) != NULL)
        if (strchr(line, '|') == NULL && sscanf(line, " %15[^:]:", name) == 1)
            printf("%s %s\n", name, state(query, name));
    return DONE;
}
