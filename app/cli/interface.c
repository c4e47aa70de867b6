#include "app/cli/interface.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/spawn.h"

static size_t interface_count(const char *const *args)
{
    size_t n = 0;
    while (args[n])
        n++;
    return n;
}

/* A verb beside us: a session of its own, so that nothing it does reaches our terminal. */
static int interface_program(const char *const *args, int *ret_output, int *ret_pidfd,
                             struct error *e)
{
    size_t count = interface_count(args);
    autofree const char **argv = mem_zero(count + 2, sizeof(char *));
    argv[0] = "/proc/self/exe";
    for (size_t i = 0; i < count; i++)
        argv[i + 1] = args[i];
    int pair[2];
    int r = fd_pipe(pair, 0);
    if (r < 0)
        return error_errno(e, -r, "pipe");
    autoclose int reads = pair[0];
    autoclose int writes = pair[1];
    const int fds[] = {FD_NONE, writes, writes};
    struct spawn s = {.argv = argv, .fds = fds, .fds_count = 3, .new_session = true};
    pid_t pid;
    r = spawn_start(&s, &pid, ret_pidfd, e);
    if (r < 0)
        return r;
    *ret_output = TAKE_FD(reads);
    return 0;
}

const struct ui_host interface_host = {.program = interface_program};
