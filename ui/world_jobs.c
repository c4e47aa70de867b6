/* Verbs of our own program, done by itself beside us. */
#include "ui/world.h"

#include "base/fd.h"
#include "ui/update.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAID_MOST = 256 * 1024 };

void world_free_job(struct world_job *j)
{
    fd_close(j->output);
    fd_close(j->pidfd);
    fd_close(j->socket);
    ui_intent_done(&j->intent);
    buf_done(&j->said);
    free(j);
}

static struct world_job *job_new(struct ui_intent *intent)
{
    struct world_job *j = NEW(struct world_job);
    j->intent = *intent;
    *intent = (struct ui_intent){0};
    j->output = j->pidfd = j->socket = FD_NONE;
    return j;
}

/* Taken up if it could be started: `r` says, or `e` why not. */
static void job_add(struct world *w, struct world_job *j, int r, const struct error *e)
{
    if (r < 0) {
        ui_model_message(w->model, true, e->text);
        world_free_job(j);
        return;
    }
    fd_nonblock(j->output);
    w->jobs = mem_grow(w->jobs, w->jobs_count + 1, sizeof(*w->jobs));
    w->jobs[w->jobs_count++] = j;
}

void world_start_job(struct world *w, struct ui_intent *intent, const char *const *args)
{
    struct world_job *j = job_new(intent);
    struct error e;
    int r = w->host->program(args, &j->output, &j->pidfd, &e);
    job_add(w, j, r, &e);
}

void world_start_launch(struct world *w, struct ui_intent *intent, const char *const *args)
{
    struct world_job *j = job_new(intent);
    struct ui_rect pane;
    struct error e;
    ui_model_pane(w->model, &pane);
    int r = w->host->launch(args, pane.rows, pane.cols, &j->output, &j->pidfd, &j->socket, &e);
    job_add(w, j, r, &e);
}

/* "cofferdam VERB: " in front of an error says nothing here. */
static const char *without_prefix(const char *text)
{
    const char *rest = strstr(text, ": ");
    return str_starts(text, "cofferdam") && rest ? rest + 2 : text;
}

static void job_started(struct world *w, struct world_job *j, const char *said)
{
    autofree char *id = str_ndup(said, strcspn(said, "\n"));
    char name[256];
    int fd = FD_NONE;
    size_t count = 1;
    ssize_t n = fd_receive(j->socket, name, sizeof(name) - 1, &fd, &count);
    if (n <= 0 || !count) {
        ui_model_message(w->model, true, "its console did not come");
        return;
    }
    name[n] = '\0';
    world_adopt(w, id, name, fd, &j->intent);
}

static void job_done(struct world *w, struct world_job *j, int status)
{
    const char *said = j->said.data ? j->said.data : "";
    bool shows = j->intent.kind == UI_INTENT_DETAILS || j->intent.kind == UI_INTENT_EXPLAIN;
    if (status && !(shows && *said && status != 125)) {
        ui_model_message(w->model, true,
                         *said ? without_prefix(said) : "that failed without a word");
        if (j->intent.kind == UI_INTENT_START)
            ui_update_relaunch(w->model, j->intent.id, j->intent.text);
        if (j->intent.kind == UI_INTENT_EXPLAIN)
            ui_model_explained(w->model, j->intent.text, without_prefix(said));
        world_refresh(w);
        return;
    }
    if (j->intent.kind == UI_INTENT_START) {
        job_started(w, j, said);
    } else if (j->intent.kind == UI_INTENT_DETAILS) {
        const struct ui_row *r = ui_model_row(w->model, j->intent.id);
        ui_model_text(w->model, r ? r->name : j->intent.id, said);
    } else if (j->intent.kind == UI_INTENT_EXPLAIN) {
        ui_model_explained(w->model, j->intent.text, said);
    } else {
        world_refresh(w);
    }
}

bool world_read_job(struct world *w, struct world_job *j)
{
    char data[4096];
    ssize_t n = read(j->output, data, sizeof(data));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n > 0) {
        if (j->said.used < SAID_MOST)
            buf_add(&j->said, data, (size_t)n);
        return true;
    }
    /* Its output is closed: it is over, or a moment away from it. */
    siginfo_t info = {0};
    int r;
    do
        r = waitid(P_PIDFD, (id_t)j->pidfd, &info, WEXITED);
    while (r < 0 && errno == EINTR);
    job_done(w, j,
             r < 0                        ? 125
             : info.si_code == CLD_EXITED ? info.si_status
                                          : 128 + info.si_status);
    world_free_job(j);
    return false;
}
