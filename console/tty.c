#include "console/tty.h"

#include "base/fd.h"
#include "base/mem.h"
#include "console/render.h"

#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios tty_modes;
static volatile sig_atomic_t tty_fd = -1, tty_screen = -1;

static void tty_emergency(int signo)
{
    if (tty_screen >= 0) {
        ssize_t ignored = write(tty_screen, render_leave_always, strlen(render_leave_always));
        (void)ignored;
    }
    if (tty_fd >= 0)
        tcsetattr(tty_fd, TCSANOW, &tty_modes);
    if (signo) {
        signal(signo, SIG_DFL);
        raise(signo);
    }
}

static void tty_at_exit(void)
{
    tty_emergency(0);
}

static void tty_guard(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};
    static bool guarded;
    if (guarded)
        return;
    guarded = true;
    atexit(tty_at_exit);
    struct sigaction action = {.sa_handler = tty_emergency, .sa_flags = (int)SA_RESETHAND};
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        sigaction(signals[i], &action, NULL);
}

/* Its modes now, kept for the way back. */
static int tty_take(int fd, struct termios *ret)
{
    if (tcgetattr(fd, ret) < 0)
        return -errno;
    tty_guard();
    if (tty_fd < 0)
        tty_modes = *ret;
    tty_fd = fd;
    return 0;
}

int tty_raw(int fd)
{
    struct termios modes;
    int r = tty_take(fd, &modes);
    if (r < 0)
        return r;
    cfmakeraw(&modes);
    modes.c_oflag |= OPOST | ONLCR; /* frames hold no newlines; lines of text begin at the left */
    modes.c_cc[VMIN] = 1;
    modes.c_cc[VTIME] = 0;
    return tcsetattr(fd, TCSADRAIN, &modes) < 0 ? -errno : 0;
}

int tty_silent(int fd)
{
    struct termios modes;
    int r = tty_take(fd, &modes);
    if (r < 0)
        return r;
    modes.c_lflag &= ~(tcflag_t)ECHO;
    return tcsetattr(fd, TCSADRAIN, &modes) < 0 ? -errno : 0;
}

void tty_note_screen(int fd)
{
    tty_screen = fd;
}

void tty_restore(void)
{
    if (tty_fd >= 0)
        tcsetattr(tty_fd, TCSADRAIN, &tty_modes);
    tty_fd = -1;
}

void tty_size(int fd, uint16_t *ret_rows, uint16_t *ret_cols)
{
    struct winsize w = {0};
    if (ioctl(fd, TIOCGWINSZ, &w) < 0 || !w.ws_row || !w.ws_col)
        w = (struct winsize){.ws_row = 24, .ws_col = 80};
    *ret_rows = w.ws_row;
    *ret_cols = w.ws_col;
}
