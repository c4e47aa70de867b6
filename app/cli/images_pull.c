/* image pull: skopeo brings registries, credentials, mirrors and signatures. */
#include "app/cli/images.h"
#include "base/fd.h"
#include "base/spawn.h"
#include "images/names.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PULL_GRACE_SECONDS = 5 };

/* What is said goes to whoever typed it; a second word, or a while without an answer, ends it. */
static int pull_wait(pid_t pid, const char *from, struct error *e)
{
    int status;
    bool asked = false;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return error_errno(e, errno, "skopeo");
        if (!image_cancelled)
            continue;
        kill(pid, asked ? SIGKILL : SIGTERM);
        asked = true;
        alarm(PULL_GRACE_SECONDS);
    }
    alarm(0);
    if (image_cancelled)
        return error_set(e, ECANCELED, "given up");
    return WIFEXITED(status) && WEXITSTATUS(status) == 0
               ? 0
               : error_set(e, EIO, "skopeo could not copy %s", from);
}

/* Its progress, a bar for each layer where that is a terminal, and its words are for the person. */
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
    const int fds[] = {FD_NONE, STDERR_FILENO, STDERR_FILENO};
    struct spawn sp = {.argv = argv, .fds = fds, .fds_count = 3, .dies_with_us = true};
    pid_t pid;
    int r = spawn_start(&sp, &pid, NULL, e);
    if (r == -ENOENT)
        return error_set(e, ENOENT, "pulling needs skopeo: apt install skopeo");
    return r < 0 ? r : pull_wait(pid, from, e);
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
        images_cancel_on_signals();
        r = pull(&m, from, &e);
        images_work_end(&m.work);
    }
    int status = r < 0 ? cli_fail(c, &e) : images_said(c, "pulled", m.names);
    strv_free(m.names);
    images_wish_done(&w);
    return status;
}
