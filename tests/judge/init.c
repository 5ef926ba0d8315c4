// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The first and only process of the judge's virtual machine: loads modules as /cases says and writes to
 * the second serial port what the kernel answered. Each load begins with a line in the kernel's log.
 *
 * /cases, a line each:              what goes out:
 *   S ID         a set begins         B ID
 *   D KEY PATH   load a dependency    R D KEY ERRNO, then K LINE for every line of the kernel's log
 *   M KEY PATH   load a module        R M KEY ERRNO ...
 *   U KEY PATH   load a user of it    R U KEY ERRNO ...
 *   E            unload everything    X NAME for every module that stays; E ID
 * At the end: DONE.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

static FILE *out;
static int kmsg, kmsg_write;

/* Reads what is new in the kernel's log; with a prefix, passes it on. */
static void log_lines(int tell)
{
	char record[8192];

	for (;;) {
		ssize_t n = read(kmsg, record, sizeof(record) - 1);

		if (n < 0 && errno == EPIPE)
			continue; /* overwritten: go on with the oldest there is */
		if (n <= 0)
			return;
		record[n] = 0;
		char *text = strchr(record, ';');
		if (!tell || !text)
			continue;
		text[strcspn(text, "\n")] = 0;
		fprintf(out, "K %s\n", text + 1);
	}
}

/* Into the kernel's log, at a level that goes to the console. Not by dprintf, which wants to seek. */
static int say(const char *what)
{
	char text[2048];
	int length = snprintf(text, sizeof(text), "<1>judge: %s\n", what);

	return write(kmsg_write, text, length) == length;
}

static void load(char kind, const char *key, const char *path, const char *id)
{
	char mark[1800];
	int error = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	/* If the machine goes down, what follows there is of this load. */
	snprintf(mark, sizeof(mark), "loads %c %s of %s", kind, key, id);
	say(mark);
	log_lines(0);
	fprintf(out, "L %c %s\n", kind, key);
	fflush(out);
	if (fd < 0)
		error = ENOENT;
	else if (syscall(SYS_finit_module, fd, "", 0))
		error = errno;
	if (fd >= 0)
		close(fd);
	fprintf(out, "R %c %s %d\n", kind, key, error);
	log_lines(1);
	fflush(out);
}

/* /proc/modules has the newest first: the order for taking them away. */
static void unload(int tell)
{
	char line[1024];

	for (int pass = 0; pass < 4; pass++) {
		FILE *modules = fopen("/proc/modules", "re");
		int left = 0;

		if (!modules)
			return;
		while (fgets(line, sizeof(line), modules)) {
			line[strcspn(line, " ")] = 0;
			if (syscall(SYS_delete_module, line, O_NONBLOCK)) {
				left++;
				if (tell && pass == 3)
					fprintf(out, "X %s\n", line);
			}
		}
		fclose(modules);
		if (!left)
			return;
		usleep(20000);
	}
}

int main(void)
{
	char line[4096], id[512] = "";
	struct termios tio;

	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);

	int tty = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (tty >= 0 && tcgetattr(tty, &tio) == 0) {
		cfmakeraw(&tio);
		cfsetspeed(&tio, B115200);
		tcsetattr(tty, TCSANOW, &tio);
	}
	out = tty >= 0 ? fdopen(tty, "w") : stdout;
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	kmsg_write = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	FILE *cases = fopen("/cases", "re");
	if (!cases || kmsg < 0 || !say("ready")) {
		fprintf(out, "FAILED: no /cases or no /dev/kmsg\n");
		fflush(out);
		sync();
		reboot(RB_AUTOBOOT);
	}
	fprintf(out, "READY\n");
	while (fgets(line, sizeof(line), cases)) {
		char key[1024], path[2048], kind;

		if (sscanf(line, "S %511s", id) == 1) {
			fprintf(out, "B %s\n", id);
		} else if (line[0] == 'E') {
			unload(1);
			fprintf(out, "E %s\n", id);
		} else if (sscanf(line, "%c %1023s %2047s", &kind, key, path) == 3) {
			load(kind, key, path, id);
		}
		fflush(out);
	}
	fprintf(out, "DONE\n");
	fflush(out);
	if (tty >= 0)
		tcdrain(tty);
	sync();
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}
