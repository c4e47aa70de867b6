/* The interface's loop: keys, monitors, time; one frame for all that came at once. */
#include "ui/module.h"
#include "ui/settings.h"
#include "ui/update.h"
#include "ui/views.h"
#include "ui/world.h"

#include "base/fd.h"
#include "base/loop.h"

#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TICK_MS = 1000,
    ESC_MS = 30,
    SOON_MS = 50,
    FIRST_MS = 3,
    LOOKS_MS =
        50, /* what the settings are waited for: what has other colours a moment later blinks */
    INPUT_ROOM = 4096,
    SAID_MOST = 65536,
};

struct ui {
    struct ui_model model;
    struct world world;
    int signals;
    char typed[INPUT_ROOM]; /* what may be the beginning of a sequence */
    size_t typed_used;
    uint64_t tick_at;
    bool repaint;
    bool collects; /* it is at it */
    int status;

    /* The terminal is lent: to an editor. */
    struct ui_intent edit;     /* owned; what it is for */
    int edit_said, edit_pidfd; /* owned; FD_NONE: it is not lent */
    struct buf edit_error;
};

static void ui_resize(struct ui *u)
{
    struct winsize w;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || !w.ws_row || !w.ws_col)
        return;
    paint_resize(w.ws_row, w.ws_col);
    ui_update_size(&u->model, w.ws_row, w.ws_col);
    u->repaint = true;
}

static void ui_stop_signal(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTSTP);
    sigprocmask(how, &set, NULL);
}

static bool ui_is_lent(const struct ui *u)
{
    return u->edit_pidfd >= 0;
}

/* Where nobody could let us go on, the kernel does not stop us. */
static void ui_suspend(struct ui *u)
{
    paint_lend();
    raise(SIGTSTP);
    ui_stop_signal(SIG_UNBLOCK);
    ui_stop_signal(SIG_BLOCK);
    paint_take_back();
    paint_mouse(!u->model.mouse_free);
    ui_resize(u);
    u->model.dirty = true;
}

static void ui_signal(struct ui *u)
{
    struct signalfd_siginfo info;
    bool lent = ui_is_lent(u); /* then sizes, ctrl-C and ctrl-Z are its own */
    while (read(u->signals, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGWINCH || info.ssi_signo == SIGCONT) {
            if (!lent)
                ui_resize(u);
        } else if (info.ssi_signo == SIGTSTP) {
            if (!lent)
                ui_suspend(u);
        } else if ((info.ssi_signo == SIGINT || info.ssi_signo == SIGQUIT) &&
                   (lent || info.ssi_code == SI_KERNEL)) {
            continue; /* a terminal that is ours gives keys: it was whose it had been lent to */
        } else {
            u->status = 128 + (int)info.ssi_signo;
            u->world.quit = true; /* if it is lent, as soon as it is ours again */
            paint_out_hurry();
        }
    }
}

static void ui_take(struct ui *u, bool last)
{
    size_t used = ui_update_input(&u->model, u->typed, u->typed_used, last);
    u->typed_used -= used;
    memmove(u->typed, u->typed + used, u->typed_used);
}

/* What the person has chosen is in effect from the next frame on. */
static void ui_settle(struct ui *u)
{
    const struct ui_settings *s = &u->world.settings;
    struct ui_model *m = &u->model;
    m->ascii_graphs = s->ascii;
    m->block_graphs = s->blocks;
    m->still = s->still;
    m->mouse_free = !s->mouse;
    m->bindings = s->keys;
    paint_theme(s->styles, s->given);
    if (s->error.code)
        ui_model_message(m, true, s->error.text);
    u->world.settings_new = false;
    u->world.mouse = m->dirty = true;
}

static void ui_typed(struct ui *u)
{
    ssize_t n = read(STDIN_FILENO, u->typed + u->typed_used, sizeof(u->typed) - u->typed_used);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) { /* the terminal is gone */
        u->status = 128 + SIGHUP;
        u->world.quit = true;
        return;
    }
    u->typed_used += (size_t)n;
    ui_take(u, u->typed_used == sizeof(u->typed));
}

static int ui_timeout(const struct ui *u)
{
    uint64_t now = loop_now_ms();
    int tick =
        u->tick_at > now && !u->world.output_waits && !u->collects ? (int)(u->tick_at - now) : 0;
    return u->typed_used ? MIN(tick, (int)ESC_MS) : tick;
}

static void ui_frame(struct ui *u)
{
    if (ui_is_lent(u))
        return;
    if (u->world.ring)
        paint_bell();
    u->world.ring = false;
    if (u->world.mouse)
        paint_mouse(!u->model.mouse_free);
    u->world.mouse = false;
    if (u->world.copied)
        paint_clipboard(u->world.copied);
    free(TAKE(u->world.copied));
    if (!u->model.dirty)
        return;
    ui_draw(&u->model);
    paint_show(u->repaint);
    u->model.dirty = u->repaint = false;
}

/* --- a verb that wants the terminal: an editor --- */

/* It is wrong, or it is read anew. */
static void ui_edit_end(struct ui *u, int status, const char *said)
{
    paint_take_back();
    ui_stop_signal(SIG_BLOCK);
    ui_signal(u); /* its ctrl-C reached us, too, until the terminal made none of it any more */
    u->edit_said = fd_close(u->edit_said);
    u->edit_pidfd = fd_close(u->edit_pidfd);
    paint_mouse(!u->model.mouse_free);
    u->model.hidden = false;
    ui_resize(u);
    u->model.dirty = u->repaint = true;
    world_profiles(&u->world);
    if (status < 0)
        ui_model_message(&u->model, true, said);
    else if (status && u->edit.id)
        ui_model_text(&u->model, "that cannot be read", said);
    else if (status)
        ui_model_message(&u->model, true, said);
    ui_intent_done(&u->edit);
    buf_done(&u->edit_error);
}

/* Errors are read to their end; who has the other end of it still is not waited for. */
static void ui_edit_read(struct ui *u, bool ended)
{
    char data[4096];
    ssize_t n;
    while ((n = read(u->edit_said, data, sizeof(data))) > 0)
        if (u->edit_error.used < SAID_MOST)
            buf_add(&u->edit_error, data, (size_t)n);
    if (n == 0)
        u->edit_said = fd_close(u->edit_said);
    siginfo_t info = {0};
    if (!ended || waitid(P_PIDFD, (id_t)u->edit_pidfd, &info, WEXITED | WNOHANG) < 0 ||
        !info.si_pid)
        return;
    ui_edit_end(u, info.si_code == CLD_EXITED ? info.si_status : 128,
                u->edit_error.data ? str_trim(u->edit_error.data) : "");
}

static void ui_edit_begin(struct ui *u)
{
    struct error e;
    u->edit = u->world.edit;
    u->world.edit = (struct ui_intent){0};
    autostrv char **args = strv_split(u->edit.text, (const char[]){UI_ARG_END, '\0'});
    paint_lend();
    ui_stop_signal(SIG_UNBLOCK); /* ctrl-Z stops the editor and us, or the shell would wait */
    u->model.hidden = true;
    if (u->world.host->foreground((const char *const *)args, &u->edit_said, &u->edit_pidfd, &e) < 0)
        ui_edit_end(u, -1, e.text);
    else
        fd_nonblock(u->edit_said);
}

static void ui_round(struct ui *u)
{
    struct pollfd *watched;
    size_t count = world_watch(&u->world, &watched);
    autofree struct pollfd *fds = mem_grow(watched, count + 4, sizeof(*fds));
    bool lent = ui_is_lent(u);
    struct pollfd *own = fds + count;
    own[0] = (struct pollfd){.fd = lent ? FD_NONE : STDIN_FILENO, .events = POLLIN};
    own[1] = (struct pollfd){.fd = u->signals, .events = POLLIN};
    own[2] = (struct pollfd){.fd = u->edit_said, .events = POLLIN};
    own[3] = (struct pollfd){.fd = u->edit_pidfd, .events = POLLIN};
    int n = poll(fds, count + 4, ui_timeout(u));
    if (n < 0 && errno != EINTR) {
        u->status = 125;
        u->world.quit = true;
        return;
    }
    if (n == 0 && u->typed_used)
        ui_take(u, true);
    if (n > 0 && own[1].revents)
        ui_signal(u);
    if (n > 0 && own[0].revents) {
        ui_typed(u); /* what was typed is seen before anything else is read */
        world_carry_out(&u->world);
        ui_frame(u);
    }
    if (n > 0 && (own[2].revents || own[3].revents))
        ui_edit_read(u, own[3].revents != 0);
    if (n > 0)
        world_dispatch(&u->world, fds, count);
    if (u->world.look_soon)
        u->tick_at = MIN(u->tick_at, loop_now_ms() + SOON_MS);
    u->world.look_soon = false;
    if (loop_now_ms() >= u->tick_at) {
        u->tick_at = loop_now_ms() + TICK_MS;
        world_tick(&u->world);
    }
    u->collects = world_collect(&u->world);
    world_carry_out(&u->world);
    if (u->world.settings_new)
        ui_settle(u);
    if (u->world.suspend && !ui_is_lent(u))
        ui_suspend(u);
    u->world.suspend = false;
    if (u->world.edit.text && !ui_is_lent(u))
        ui_edit_begin(u);
}

/* --- from beginning to end --- */

/* Files that answer at once are in the first frame; it does not wait for others. */
static void ui_first_look(struct ui *u)
{
    uint64_t from = loop_now_ms();
    while (!u->world.settings_known || !u->model.listed) {
        int left = (int)(from - loop_now_ms()) + (u->world.settings_known ? FIRST_MS : LOOKS_MS);
        struct pollfd p = {.fd = u->world.scout.fd, .events = POLLIN};
        if (left <= 0 || poll(&p, 1, left) <= 0)
            break;
        world_news(&u->world);
        if (u->world.settings_new) {
            ui_settle(u);
            from = loop_now_ms();
        }
    }
}

static int ui_take_signals(sigset_t *old)
{
    static const int taken[] = {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGWINCH, SIGCONT, SIGTSTP};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
        sigaddset(&set, taken[i]);
    sigprocmask(SIG_BLOCK, &set, old);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void ui_begin(struct ui *u, const struct ui_host *host)
{
    int rows, cols;
    paint_size(&rows, &cols);
    ui_model_init(&u->model, rows, cols, paint_utf8());
    ui_model_time(&u->model, world_now_ms());
    u->model.verbs = host->verbs;
    u->model.verbs_count = host->verbs_count;
    ui_first_look(u);
    u->tick_at = loop_now_ms() + TICK_MS;
}

static int ui_run(const struct ui_host *host)
{
    struct ui *u = NEW(struct ui);
    struct error e;
    sigset_t old;
    u->edit_said = u->edit_pidfd = FD_NONE;
    u->signals = ui_take_signals(&old);
    /* Files are on their way while the terminal is made ready. */
    if (world_init(&u->world, host, &u->model, &e) < 0 || paint_begin(&e) < 0) {
        fprintf(stderr, "cofferdam: %s\n", e.text);
        u->status = 125;
    } else {
        ui_begin(u, host);
        while (!u->world.quit || ui_is_lent(u)) {
            ui_frame(u);
            ui_round(u);
        }
        paint_end();
    }
    int status = u->status;
    world_done(&u->world);
    ui_model_done(&u->model);
    fd_close(u->signals);
    sigprocmask(SIG_SETMASK, &old, NULL);
    free(u);
    return status;
}

extern const struct ui_module ui_module;
__attribute__((visibility("default"))) const struct ui_module ui_module = {.run = ui_run};
