/* What the world is asked for that may have to wait for a disk or a process that hangs. */
#include "ui/world.h"

#include "base/fd.h"
#include "base/file.h"
#include "profiles/forms.h"
#include "ui/processes.h"

#include <fcntl.h>
#include <unistd.h>

/* --- what runs in a workload --- */

static int processes_work(int fd, const void *data)
{
    autobuf b = {0};
    processes_print(*(const pid_t *)data, &b);
    return fd_write_full(fd, b.data, b.used) < 0;
}

void world_processes(struct world *w, const char *id)
{
    const struct ui_row *r = ui_model_row(w->model, id);
    if (!r || r->pid <= 0 || !state_phase_lives(r->phase)) {
        ui_model_text_again(w->model, "it is not running\n");
        return;
    }
    for (size_t i = 0; i < w->jobs_count; i++) /* one that hangs is not joined by others */
        if (w->jobs[i]->intent.kind == UI_INTENT_PROCESSES && str_equal(w->jobs[i]->intent.id, id))
            return;
    struct ui_intent i = {.kind = UI_INTENT_PROCESSES, .id = str_dup(id)};
    world_start_aside(w, &i, processes_work, &r->pid);
}

/* --- files --- */

static int say(int fd, int r, char *text)
{
    autofree char *said = text;
    fd_write_full(fd, said, strlen(said));
    return r < 0;
}

/* What a person names is never written over. */
static int keep_work(int fd, const void *data)
{
    const struct ui_intent *i = data;
    autoclose int file = open(i->id, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);
    int r = file < 0 ? -errno : fd_write_full(file, i->text, i->size);
    if (file >= 0 && r < 0)
        unlink(i->id);
    return say(fd, r,
               r == -EEXIST ? str_format("%s is there already", i->id)
               : r < 0      ? str_format("%s: %s", i->id, strerror(-r))
                            : str_format("written to %s", i->id));
}

void world_keep(struct world *w, struct ui_intent *i)
{
    world_start_aside(w, i, keep_work, i);
}

/* --- the keys that lead out of a console, as its plan has them --- */

struct planned {
    const struct dirs *dirs;
    const char *id;
};

static int keys_work(int fd, const void *data)
{
    const struct planned *p = data;
    autofree char *chord = state_plan_text(p->dirs, p->id, "detach_keys");
    return !chord || fd_write_full(fd, chord, strlen(chord)) < 0;
}

void world_keys(struct world *w, const char *id)
{
    const struct planned p = {&w->dirs, id};
    struct ui_intent i = {.kind = UI_INTENT_KEYS, .id = str_dup(id)};
    world_start_aside(w, &i, keys_work, &p);
}

struct saving {
    const struct ui_intent *intent;
    const char *config;
};

static int save_work(int fd, const void *data)
{
    const struct saving *s = data;
    const struct ui_intent *i = s->intent;
    autofree char *folder = str_join_path(s->config, "workloads");
    autofree char *path = str_format("%s/%s.ini", folder, i->id);
    int r = file_make_dirs(folder, 0700);
    if (r == 0 && access(path, F_OK) == 0)
        r = -EEXIST;
    if (r == 0)
        r = file_write_whole(AT_FDCWD, path, i->text, i->size, 0600, false);
    return say(fd, r,
               r == -EEXIST
                   ? str_format("%s is there already; cofferdam workload edit changes it", path)
               : r < 0 ? str_format("%s: %s", path, strerror(-r))
                       : str_format("saved; cofferdam run --workload %s starts it", i->id));
}

void world_sheet_save(struct world *w, struct ui_intent *i)
{
    const struct saving s = {i, w->dirs.config};
    if (form_is_name(i->id))
        world_start_aside(w, i, save_work, &s);
    else
        ui_model_message(w->model, true, "a name has letters, digits, '_', '-' and '.'");
}
