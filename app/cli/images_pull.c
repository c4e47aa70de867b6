/* image pull: skopeo brings registries, credentials, mirrors and signatures. */
#include "app/cli/images.h"
#include "app/cli/progress.h"
#include "app/cli/pull_bars.h"
#include "base/fd.h"
#include "base/spawn.h"
#include "images/names.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PULL_GRACE_SECONDS = 5 };

static const int pull_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM};

static void pull_tell(const struct pull_bars *bars)
{
    uint64_t done, total;
    if (!bars || bars->person >= 0)
        return;
    pull_sizes_sum(&bars->sizes, &done, &total);
    if (total)
        progress_tell("downloading", done, total);
}

/*
 * Shows what there is to see until it ends; a second word, or a while without an answer, ends it.
 * Signals come in while it waits, and at no other time.
 */
static void pull_watch(pid_t pid, int pidfd, struct pull_bars *bars)
{
    struct pollfd p[] = {
        {.fd = pidfd,                           .events = POLLIN},
        {.fd = bars ? bars->terminal : FD_NONE, .events = POLLIN},
    };
    sigset_t held, before;
    sigemptyset(&held);
    for (size_t i = 0; i < ARRAY_SIZE(pull_signals); i++)
        sigaddset(&held, pull_signals[i]);
    sigprocmask(SIG_BLOCK, &held, &before);
    for (bool asked = false; !p[0].revents;) {
        if (cancelled && !asked) {
            kill(pid, SIGTERM);
            alarm(PULL_GRACE_SECONDS);
            asked = true;
        }
        if (ppoll(p, ARRAY_SIZE(p), NULL, &before) < 0) {
            p[0].revents = p[1].revents = 0;
            if (asked)
                kill(pid, SIGKILL);
        }
        if (p[1].revents && !pull_bars_show(bars))
            p[1].fd = FD_NONE;
        pull_tell(bars);
    }
    while (p[1].fd >= 0 && poll(&p[1], 1, 0) > 0 && pull_bars_show(bars))
        ;
    alarm(0);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static int pull_wait(pid_t pid, int pidfd, struct pull_bars *bars, const char *from,
                     struct error *e)
{
    int status;
    pull_watch(pid, pidfd, bars);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return error_errno(e, errno, "skopeo");
    if (cancelled)
        return error_set(e, ECANCELED, "given up");
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0
           : bars && *bars->sizes.why
               ? error_set(e, EIO, "skopeo could not copy %s: %.300s", from, bars->sizes.why)
               : error_set(e, EIO, "skopeo could not copy %s", from);
}

/* On a terminal its bars, one for each layer, for the interface their sum; else a line for each. */
static int pull_start(const char *const *argv, const char *from, struct error *e)
{
    struct pull_bars bars = {.terminal = FD_NONE};
    autoclose int slave = FD_NONE, pidfd = FD_NONE;
    bool read = progress_is_records(), shown = read || isatty(STDERR_FILENO);
    int r = shown ? pull_bars_open(read ? FD_NONE : STDERR_FILENO, &bars, &slave, e) : 0;
    if (r < 0)
        return r;
    int out = shown ? slave : STDERR_FILENO;
    const int fds[] = {FD_NONE, out, out};
    struct spawn sp = {.argv = argv, .fds = fds, .fds_count = 3, .dies_with_us = true};
    pid_t pid;
    r = spawn_start(&sp, &pid, &pidfd, e);
    slave = fd_close(slave);
    if (r == -ENOENT)
        r = error_set(e, ENOENT, "pulling needs skopeo: apt install skopeo");
    if (r == 0)
        r = pull_wait(pid, pidfd, shown ? &bars : NULL, from, e);
    pull_bars_close(&bars);
    return r;
}

static int pull_run(const struct image_import *m, const char *from, const char *to,
                    const char *temporary, struct error *e)
{
    autofree const char **argv = mem_zero(16, sizeof(*argv));
    size_t n = 0;
    argv[n++] = "skopeo";
    argv[n++] = "--tmpdir";
    argv[n++] = temporary;
    if (m->architecture) {
        argv[n++] = "--override-os";
        argv[n++] = "linux";
        argv[n++] = "--override-arch";
        argv[n++] = m->architecture;
    }
    if (m->variant) {
        argv[n++] = "--override-variant";
        argv[n++] = m->variant;
    }
    argv[n++] = "copy";
    argv[n++] = from;
    argv[n++] = to;
    return pull_start(argv, from, e);
}

static bool pull_has_transport(const char *ref)
{
    static const char *const known[] = {"docker://",
                                        "docker-archive:",
                                        "docker-daemon:",
                                        "containers-storage:",
                                        "oci:",
                                        "oci-archive:",
                                        "dir:"};
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (str_starts(ref, known[i]))
            return true;
    return false;
}

static int pull(struct image_import *m, const char *from, struct error *e)
{
    autofree char *session = NULL;
    int r = image_store_session(m->store, &session, e);
    if (r < 0)
        return r;
    autofree char *temporary = str_format("%s/%s/new", image_store_path(m->store), session);
    autofree char *folder = str_join_path(temporary, "pull");
    autofree char *to = str_format("oci:%s:pulled", folder);
    r = pull_run(m, from, to, temporary, e);
    if (r < 0)
        return r;
    autoclose int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 ? error_errno(e, errno, "what skopeo brought")
                   : image_import_layout(m, dir, true, e);
}

int images_pull(struct cli *c, struct image_store *s)
{
    struct error e;
    if (c->args_count < 2 || c->args_count > 3)
        return cli_usage(c, "pull: a reference, and a name if you like");
    const char *ref = c->args[1];
    bool transport = pull_has_transport(ref);
    struct images_wish w;
    struct image_import m = {.store = s};
    int r = images_wish(c, &w, &m, &e);
    if (r == 0 && m.ref)
        r = error_set(&e, EINVAL, "--ref is for import; here the reference says which");
    if (r == 0 && !m.name && transport && !str_starts(ref, "docker://"))
        r = error_set(&e, EINVAL, "give the image a name behind the reference");
    autofree char *from = transport ? str_dup(ref) : str_format("docker://%s", ref);
    if (r == 0 && !m.name) {
        m.name = w.name = image_name_plain(from + strlen("docker://"), &e);
        r = w.name ? 0 : -e.code;
    }
    if (r == 0)
        r = images_work(c, &m.work, &e);
    if (r == 0) {
        cancel_on_signals();
        r = pull(&m, from, &e);
        progress_over();
    }
    int status = r < 0 ? cli_fail(c, &e) : images_said(c, "pulled", m.names);
    strv_free(m.names);
    images_wish_done(&w);
    return status;
}
