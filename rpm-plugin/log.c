// SPDX-License-Identifier: LGPL-2.1-or-later
#include "log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "librpm.h"

#define FACILITY_DAEMON (3 << 3)
/* In whatever is "/" to rpm; with another root, as before that, the host's. */
#define SYSTEM_LOG "/dev/log"

static void to_rpm(int level, const char *text)
{
    if (librpm.rpmlog != NULL)
        librpm.rpmlog(level, "kmp: %s\n", text);
}

static bool is_other_root;

void log_root(const char *root)
{
    is_other_root = root != NULL && strcmp(root, "") != 0 && strcmp(root, "/") != 0;
}

/* Not by syslog(3): its tag, options and socket belong to the program that we are in. */
static void to_system(int level, const char *text)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SYSTEM_LOG};
    char datagram[LOG_LINE + 128];
    int length, fd;

    /* What happens to another root is no news of this system. */
    if (is_other_root)
        return;
    /* The time is the log's own to say. */
    length = snprintf(datagram, sizeof datagram, "<%d>kmp[%d]: %s", FACILITY_DAEMON | level, (int)getpid(), text);
    if (length < 0)
        return;
    if ((size_t)length >= sizeof datagram)
        length = sizeof datagram - 1;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    /* Nobody may be listening, as in a chroot. */
    (void)!sendto(fd, datagram, (size_t)length, MSG_NOSIGNAL, (const struct sockaddr *)&address, sizeof address);
    close(fd);
}

void log_to(int where, int level, const char *format, ...)
{
    char line[LOG_LINE];
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    /* Every byte that is no text is seen as one: names come from packages. */
    for (char *c = line; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    if (where & LOG_TO_RPM)
        to_rpm(level, line);
    if (where & LOG_TO_SYSTEM)
        to_system(level, line);
}
