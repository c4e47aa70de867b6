/* A runtime called for something that is no command of the workload's. */
#include "backends/oci/hands_inner.h"

#include "base/fd.h"
#include "base/loop.h"
#include "base/spawn.h"

#include <unistd.h>

enum { TOOL_SAID_MAX = 4096 };

static const char *const hands_env[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=" OCI_RUN "/tmp",
    "TMPDIR=" OCI_RUN "/tmp",
    "XDG_RUNTIME_DIR=" OCI_RUN,
    NULL,
};

int tool_spawn(char *const *argv, const int fds[3], int image, pid_t *ret, struct error *e)
{
    enum { TOOL_ROOM = 1024 }; /* gVisor puts the command's streams at 256 and up */
    const int all[4] = {fds[0], fds[1], fds[2], image};
    const struct spawn s = {
        .argv = (const char *const *)argv,
        .env = hands_env,
        .fds = all,
        .fds_count = image >= 0 ? 4 : 3,
        .room = TOOL_ROOM,
        .new_session = true,
    };
    return spawn_start(&s, ret, NULL, e);
}

struct tool *tool_new(struct hands *h, unsigned limit_ms)
{
    for (size_t i = 0; i < TOOLS_MAX; i++)
        if (h->tools[i].pid == 0) {
            h->tools[i] = (struct tool){.late_ms = limit_ms ? loop_now_ms() + limit_ms : 0};
            return &h->tools[i];
        }
    return NULL;
}

void tool_run(struct hands *h, char **argv)
{
    const int none[3] = {FD_NONE, FD_NONE, FD_NONE};
    struct error e;
    struct tool *t = tool_new(h, TOOL_MS);
    if (t && tool_spawn(argv, none, FD_NONE, &t->pid, &e) < 0)
        t->pid = 0;
    strv_free(argv);
}

int tool_wait(char **argv, unsigned limit_ms, struct error *e)
{
    autofree char *said = NULL;
    int status = 0;
    const char *name = argv[0];
    int r = spawn_run((const char *const *)argv, limit_ms, TOOL_SAID_MAX, &status, &said, e);
    if (r == 0 && status != 0) {
        autofree char *shown = str_escape_z(str_reason(said));
        r = error_set(e, EIO, "%s: %.300s", name, shown);
    }
    strv_free(argv);
    return r;
}

/* Who took a snapshot was ended, and may have left everything standing. The same again of this one.
 */
static void tool_let_go(struct hands *h)
{
    struct tool *t = tool_new(h, 0);
    pid_t pid = t ? fork() : -1;
    if (pid == 0)
        hands_let_go(h);
    if (pid > 0) {
        t->pid = pid;
        t->snapshot = true;
    }
}

void tool_ended(struct hands *h, struct tool *t, int raw)
{
    t->pid = 0;
    struct error e;
    if (t->copy && raw != 0) {
        error_set(&e, EIO, "the copying process was ended");
        hands_tell(h->control, t->snapshot ? HANDS_SNAPPED : HANDS_COPIED, t->transfer, 0, &e, NULL,
                   0);
    }
    if (t->snapshot && raw != 0)
        tool_let_go(h);
}

bool tool_snapshots(const struct hands *h)
{
    for (size_t i = 0; i < TOOLS_MAX; i++)
        if (h->tools[i].pid && h->tools[i].snapshot)
            return true;
    return false;
}
