#include "log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "librpm.h"

#define FACILITY_DAEMON (3 << 3)
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

/* The socket; NULL where nothing is logged: what happens to another root is no news of this system. */
static const char *system_log(void)
{
#ifdef KMP_TEST_FAULTS
    const char *other = secure_getenv("KMP_TEST_SYSTEM_LOG");
    if (other != NULL)
        return other;
#endif
    return is_other_root ? NULL : SYSTEM_LOG;
}

/* Not by syslog(3): its tag, options and socket belong to the program that we are in. */
static void to_system(int level, const char *text)
{
    static const char *const MONTHS[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char datagram[LOG_LINE + 128];
    const char *path = system_log();
    time_t now = time(NULL);
    struct tm tm;
    int length, fd;

    if (path == NULL || strlen(path) >= sizeof address.sun_path || localtime_r(&now, &tm) == NULL)
        return;
    strcpy(address.sun_path, path);
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

void log_system(int level, const char *format, ...)
{
    char line[LOG_LINE];
    va_list arguments;

    va_start(arguments, format);
    format_line(line, format, arguments);
    va_end(arguments);
    to_system(level, line);
}
