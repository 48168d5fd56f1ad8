/* The address both abstract-socket guests agree on: a name without a file, as in unix(7). */
#ifndef ABSTRACT_SOCKET_H
#define ABSTRACT_SOCKET_H

#include "../guest.h"
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static inline socklen_t abstract_address(struct sockaddr_un *address, const char *name)
{
    size_t length = strlen(name);
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (length > sizeof address->sun_path - 1)
        misused("the name of an abstract socket has at most 107 bytes");
    memcpy(address->sun_path + 1, name, length);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
}

#endif
