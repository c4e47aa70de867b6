/* What curses writes, as one write for each frame; and what goes past it. */
#include "ui/paint_inner.h"

#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

static int paint_tty = FD_NONE, paint_memory = FD_NONE;
static int paint_patient = FD_NONE; /* the terminal, opened anew: writing there does not wait */
static struct termios paint_before; /* of the terminal, when we came */
static bool paint_held, paint_knows_before, paint_hurried;

void paint_out_begin(void)
{
    paint_knows_before = tcgetattr(STDOUT_FILENO, &paint_before) == 0;
    paint_patient = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (paint_patient >= 0 && !isatty(paint_patient))
        paint_patient = fd_close(paint_patient);
}

void paint_out_hurry(void)
{
    paint_hurried = true;
}

/* Also where nothing reaches it: its settings are the kernel's. */
void paint_out_end(void)
{
    if (paint_knows_before)
        tcsetattr(STDOUT_FILENO, TCSANOW, &paint_before);
}

/*
 * A terminal that was stopped, or whose other end hangs, takes nothing, maybe for ever: whoever
 * wants us to end is heard meanwhile.
 */
static int paint_write(const char *data, size_t size)
{
    enum { LOOK_MS = 200, LOOKS_IN_A_HURRY = 5 };
    static const int ends[] = {SIGTERM, SIGHUP};
    struct pollfd p = {.fd = paint_patient, .events = POLLOUT};
    int looks = 0;
    if (paint_patient < 0)
        return fd_write_full(STDOUT_FILENO, data, size);
    while (size) {
        ssize_t n = write(paint_patient, data, size);
        if (n > 0) {
            data += n;
            size -= (size_t)n;
        } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return -errno;
        } else if (poll(&p, 1, LOOK_MS) == 0) {
            sigset_t due;
            sigpending(&due);
            for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
                paint_hurried |= sigismember(&due, ends[i]) == 1;
            if (paint_hurried && ++looks == LOOKS_IN_A_HURRY)
                return -ETIMEDOUT;
        }
    }
    return 0;
}

/*
 * Curses writes at each jump of the cursor, and whoever draws the terminal is woken each time, to
 * show half a frame. In between its descriptor is memory.
 */
void paint_out_hold(void)
{
    if (paint_memory < 0) {
        paint_memory = memfd_create("frame", MFD_CLOEXEC);
        paint_tty = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    }
    paint_held =
        paint_memory >= 0 && paint_tty >= 0 && dup2(paint_memory, STDOUT_FILENO) == STDOUT_FILENO;
}

/* Nothing in here allocates: it is called when we die of a bug, too. */
void paint_out_release(void)
{
    char data[16384];
    off_t at = 0;
    ssize_t n;
    if (!paint_held)
        return;
    paint_held = false;
    dup2(paint_tty, STDOUT_FILENO);
    off_t end = lseek(paint_memory, 0, SEEK_CUR);
    while (at < end &&
           (n = pread(paint_memory, data, (size_t)MIN(end - at, (off_t)sizeof(data)), at)) > 0) {
        if (paint_write(data, (size_t)n) < 0)
            break;
        at += n;
    }
    lseek(paint_memory, 0, SEEK_SET);
}

/* Letters and digits alone: nothing of what is copied can be anything else to the terminal. */
void paint_out_clipboard(const char *utf8)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    enum { MOST = 74994 }; /* what terminals take */
    size_t size = MIN(strlen(utf8), (size_t)MOST);
    autobuf b = {0};
    buf_puts(&b, "\033]52;c;");
    for (size_t i = 0; i < size; i += 3) {
        uint32_t three = 0;
        for (size_t k = 0; k < 3; k++)
            three = three << 8 | (i + k < size ? (uint8_t)utf8[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            buf_putc(&b, k && i + k > size ? '=' : digits[three >> (18 - 6 * k) & 63]);
    }
    buf_puts(&b, "\a");
    fd_write_full(STDOUT_FILENO, b.data, b.used);
}
