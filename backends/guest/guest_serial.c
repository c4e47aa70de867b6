#include "backends/guest/guest_serial.h"

#include "base/fd.h"

#include <fcntl.h>

void guest_serial_streams(int console, bool terminal, struct launch_streams *ret)
{
    *ret = (struct launch_streams){FD_NONE, FD_NONE, FD_NONE, FD_NONE};
    fd_nonblock(console);
    if (terminal) {
        ret->terminal = console;
        return;
    }
    int pair[2];
    ret->in = console;
    ret->out = fcntl(console, F_DUPFD_CLOEXEC, 0);
    if (fd_pipe(pair, O_NONBLOCK) == 0) { /* a serial line has no second stream: it is at its end */
        fd_close(pair[1]);
        ret->err = pair[0];
    }
}
