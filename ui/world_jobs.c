/* Verbs of our own program, done by itself beside us. */
#include "ui/world.h"

#include "base/fd.h"
#include "ui/aside.h"
#include "ui/update.h"

#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAID_MOST = 1024 * 1024, TASKS_AT_ONCE = 4 };

void world_free_job(struct world_job *j)
{
    fd_close(j->output);
    fd_close(j->pidfd);
    fd_close(j->socket);
    ui_intent_done(&j->intent);
    buf_done(&j->said);
    buf_done(&j->record);
    free(j->title);
    strv_free(j->args);
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
        if (j->intent.kind == UI_INTENT_PAGE)
            ui_model_text_end(w->model, true);
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

/* The one that was started last, if it was. */
static void job_is_task(struct world *w, size_t before, const char *title)
{
    if (w->jobs_count == before)
        return;
    w->jobs[before]->title = str_escape_z(title);
    w->jobs[before]->task = ui_task_begin(w->model, title);
}

/* Its place among the jobs stays until the next sweep: descriptors are being watched by it. */
static void task_drop(struct world *w, struct world_job *j)
{
    ui_task_end(w->model, j->task);
    strv_free(TAKE(j->args));
    j->task = 0;
    j->dropped = true;
}

static bool task_start(struct world *w, struct world_job *j)
{
    struct error e;
    if (w->host->program((const char *const *)j->args, &j->output, &j->pidfd, &e) < 0) {
        ui_model_message(w->model, true, e.text);
        task_drop(w, j);
        return false;
    }
    strv_free(TAKE(j->args));
    fd_nonblock(j->output);
    ui_task_waits(w->model, j->task, false);
    return true;
}

void world_start_waiting(struct world *w)
{
    size_t going = 0;
    for (size_t i = 0; i < w->jobs_count; i++)
        going += w->jobs[i]->task && w->jobs[i]->intent.kind == UI_INTENT_DO && !w->jobs[i]->args;
    for (size_t i = 0; i < w->jobs_count && going < TASKS_AT_ONCE; i++)
        going += w->jobs[i]->args && task_start(w, w->jobs[i]);
}

void world_jobs_sweep(struct world *w)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->jobs_count; i++)
        if (w->jobs[i]->dropped && w->jobs[i]->pidfd < 0)
            world_free_job(w->jobs[i]);
        else
            w->jobs[kept++] = w->jobs[i];
    w->jobs_count = kept;
    world_start_waiting(w);
}

void world_start_task(struct world *w, struct ui_intent *intent, const char *title,
                      const char *const *args)
{
    struct world_job *j = job_new(intent);
    j->args = strv_copy((char *const *)args);
    j->title = str_escape_z(title);
    j->task = ui_task_begin(w->model, title);
    ui_task_waits(w->model, j->task, true);
    w->jobs = mem_grow(w->jobs, w->jobs_count + 1, sizeof(*w->jobs));
    w->jobs[w->jobs_count++] = j;
    world_start_waiting(w);
}

/* What has not begun is dropped. */
void world_give_up(struct world *w, unsigned task)
{
    for (size_t i = 0; i < w->jobs_count && task; i++) {
        struct world_job *j = w->jobs[i];
        if (j->task != task)
            continue;
        if (!j->args) {
            syscall(SYS_pidfd_send_signal, j->pidfd, SIGTERM, NULL, 0);
            return;
        }
        autofree char *text = str_format("given up: %s; it had not begun", j->title);
        ui_model_message(w->model, false, text);
        task_drop(w, j);
        return;
    }
}

void world_start_aside(struct world *w, struct ui_intent *intent,
                       int (*work)(int fd, const void *data), const void *data)
{
    int output = FD_NONE, pidfd = FD_NONE;
    struct error e;
    int r = aside_start(work, data, &output, &pidfd, &e); /* before the intent is taken from it */
    struct world_job *j = job_new(intent);
    j->output = output;
    j->pidfd = pidfd;
    job_add(w, j, r, &e);
}

void world_start_launch(struct world *w, struct ui_intent *intent, const char *const *args)
{
    struct world_job *j = job_new(intent);
    size_t before = w->jobs_count;
    struct ui_rect pane;
    struct error e;
    ui_model_pane(w->model, false, &pane);
    int r = w->host->launch(args, pane.rows, pane.cols, &j->output, &j->pidfd, &j->socket, &e);
    job_add(w, j, r, &e);
    job_is_task(w, before, "start");
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

static void job_failed(struct world *w, struct world_job *j, const char *said)
{
    ui_model_message(w->model, true, *said ? without_prefix(said) : "that failed without a word");
    if (j->intent.kind == UI_INTENT_START)
        ui_update_relaunch(w->model);
    if (j->intent.kind == UI_INTENT_EXPLAIN)
        ui_model_explained(w->model, j->intent.text, without_prefix(said));
    world_refresh(w);
}

/* Of what was done its last line says what came of it; of what is silent, that it was. */
static void job_said(struct world *w, const struct world_job *j, const char *said)
{
    if (!*said && !(j->title && ui_task_is_unseen(j->title))) {
        ui_model_no_message(w->model);
        return;
    }
    said = *said ? said : "done";
    autofree char *text = str_dup(said);
    char *last = str_trim(text), *end = strrchr(last, '\n');
    autofree char *line =
        str_format("%s%s%s", j->title ? j->title : "", j->title ? ": " : "", end ? end + 1 : last);
    ui_model_message(w->model, false, line);
}

/* Done by a copy of ours; true: it was one of those. */
static bool job_aside(struct world *w, const struct world_job *j, const char *said, int status)
{
    struct ui_model *m = w->model;
    switch ((int)j->intent.kind) {
    case UI_INTENT_PROCESSES:
        if (!ui_shows_processes(m) || !str_equal(m->text_id, j->intent.id))
            return true;
        if (status)
            ui_model_text_end(m, true);
        else
            ui_model_text_again(m, said);
        return true;
    case UI_INTENT_KEYS:
        ui_model_keys(m, j->intent.id, status ? NULL : said);
        return true;
    case UI_INTENT_KEEP:
    case UI_INTENT_SAVE:
        ui_model_message(m, status != 0, said);
        return true;
    }
    return false;
}

static void job_given_up(struct world *w, const char *title)
{
    autofree char *text = str_format("given up: %s; %s", title,
                                     ui_task_clears_up(title) ? "nothing is left of it"
                                                              : "it was ended in the midst of it");
    ui_model_message(w->model, false, text);
    world_refresh(w);
}

static void job_done(struct world *w, struct world_job *j, int status)
{
    const char *said = j->said.data ? j->said.data : "";
    if (ui_task_end(w->model, j->task) && status) {
        job_given_up(w, j->title);
        return;
    }
    bool shows = j->intent.kind == UI_INTENT_EXPLAIN;
    if (job_aside(w, j, said, status))
        return;
    if (j->intent.kind == UI_INTENT_PAGE) {
        ui_model_text_end(w->model, status != 0);
        return;
    }
    if (j->intent.kind == UI_INTENT_IMAGES) {
        world_images_said(w, said, j->said.used, status != 0);
        return;
    }
    if (j->intent.kind == UI_INTENT_DO && w->model->images.known)
        world_images(w);
    if (status && !(shows && *said && status != 125)) {
        job_failed(w, j, said);
        return;
    }
    enum ui_intent_kind kind = j->intent.kind;
    if (kind == UI_INTENT_START) {
        job_started(w, j, said);
    } else if (kind == UI_INTENT_EXPLAIN) {
        ui_model_explained(w->model, j->intent.text, said);
    } else if (kind == UI_INTENT_DIAL) {
        world_sheet_dial(w, j->intent.text, said, j->said.used);
    } else if (kind == UI_INTENT_COMPLETE) {
        ui_update_completions(w->model, j->intent.text, strv_split(said, "\n"));
    } else {
        if (kind == UI_INTENT_DO)
            job_said(w, j, said);
        world_refresh(w);
    }
}

/* Those that only read; of the others nobody knows how far they are. */
void world_end_readers(struct world *w)
{
    for (size_t i = 0; i < w->jobs_count; i++) {
        enum ui_intent_kind kind = w->jobs[i]->intent.kind;
        if (kind == UI_INTENT_PAGE || kind == UI_INTENT_DIAL || kind == UI_INTENT_COMPLETE ||
            kind == UI_INTENT_IMAGES || kind == UI_INTENT_EXPLAIN)
            syscall(SYS_pidfd_send_signal, w->jobs[i]->pidfd, SIGTERM, NULL, 0);
    }
}

void world_end_page(struct world *w)
{
    for (size_t i = 0; i < w->jobs_count; i++)
        if (w->jobs[i]->intent.kind == UI_INTENT_PAGE && !w->jobs[i]->dropped) {
            w->jobs[i]->dropped = true;
            syscall(SYS_pidfd_send_signal, w->jobs[i]->pidfd, SIGTERM, NULL, 0);
        }
}

/* How far it is stands among what it says. */
static void job_take(struct world *w, struct world_job *j, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint64_t done, total;
        char *words;
        if (!j->telling && data[i] == PACE_RECORD) {
            j->telling = true;
        } else if (!j->telling) {
            if (j->said.used < SAID_MOST)
                buf_putc(&j->said, data[i]);
        } else if (data[i] != '\n') {
            if (j->record.used < PACE_RECORD_MOST)
                buf_putc(&j->record, data[i]);
        } else {
            j->telling = false;
            if (j->record.used && pace_record_read(j->record.data, &words, &done, &total))
                ui_task_told(w->model, j->task, words, done, total);
            buf_drop(&j->record, j->record.used);
        }
    }
}

bool world_read_job(struct world *w, struct world_job *j)
{
    char data[4096];
    ssize_t n = j->output < 0 ? 0 : read(j->output, data, sizeof(data));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n > 0) {
        if (j->intent.kind == UI_INTENT_PAGE && !j->dropped)
            ui_model_text_more(w->model, data, (size_t)n);
        else
            job_take(w, j, data, (size_t)n);
        return true;
    }
    /* Its output is closed: it is over, or what is waited for is its end. */
    siginfo_t info = {0};
    j->output = fd_close(j->output);
    int r = waitid(P_PIDFD, (id_t)j->pidfd, &info, WEXITED | WNOHANG);
    if (r == 0 && !info.si_pid)
        return true;
    if (!j->dropped)
        job_done(w, j,
                 r < 0                        ? 125
                 : info.si_code == CLD_EXITED ? info.si_status
                                              : 128 + info.si_status);
    world_free_job(j);
    return false;
}
