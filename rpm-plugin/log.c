#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
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

/* Not by syslog(3): its tag, options and socket belong to the program that we are in. */
static void to_system(int level, const char *text)
{
    static const char *const MONTHS[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SYSTEM_LOG};
    char datagram[LOG_LINE + 128];
    time_t now = time(NULL);
    struct tm tm;
    int length, fd;

    if (localtime_r(&now, &tm) == NULL)
        return;
    length = snprintf(datagram, sizeof datagram, "<%d>%s %2d %02d:%02d:%02d kmp[%d]: %s", FACILITY_DAEMON | level,
                      MONTHS[tm.tm_mon % 12], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)getpid(), text);
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

/* Every byte of a message that is no text is seen as one: names come from packages. */
static void format_line(char *line, const char *format, va_list arguments)
{
    if (vsnprintf(line, LOG_LINE, format, arguments) < 0)
        line[0] = '\0';
    for (char *c = line; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
}

void log_line(int level, const char *format, ...)
{
    char line[LOG_LINE];
    va_list arguments;

    va_start(arguments, format);
    format_line(line, format, arguments);
    va_end(arguments);
    to_rpm(level, line);
}

void log_everywhere(int level, const char *format, ...)
{
    char line[LOG_LINE];
    va_list arguments;

    va_start(arguments, format);
    format_line(line, format, arguments);
    va_end(arguments);
    to_rpm(level, line);
    to_system(level, line);
}
