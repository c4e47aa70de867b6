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
#include <unistd.h>

enum { TICK_MS = 1000, ESC_MS = 30, SOON_MS = 50, FIRST_MS = 3, INPUT_ROOM = 4096 };

struct ui {
    struct ui_model model;
    struct world world;
    int signals;
    char typed[INPUT_ROOM]; /* what may be the beginning of a sequence */
    size_t typed_used;
    uint64_t tick_at;
    bool repaint;
    bool lent; /* the terminal, to an editor */
    int status;
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
    while (read(u->signals, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGWINCH || info.ssi_signo == SIGCONT) {
            ui_resize(u);
        } else if (info.ssi_signo == SIGTSTP) {
            if (!u->lent)
                ui_suspend(u);
        } else if (!u->lent || (info.ssi_signo != SIGINT && info.ssi_signo != SIGQUIT)) {
            u->status = 128 + (int)info.ssi_signo;
            u->world.quit = true;
        }
    }
}

static void ui_take(struct ui *u, bool last)
{
    size_t used = ui_update_input(&u->model, u->typed, u->typed_used, last);
    u->typed_used -= used;
    memmove(u->typed, u->typed + used, u->typed_used);
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
    int tick = u->tick_at > now && !u->world.output_waits ? (int)(u->tick_at - now) : 0;
    return u->typed_used ? MIN(tick, (int)ESC_MS) : tick;
}

static void ui_frame(struct ui *u)
{
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

/* A verb that wants the terminal: an editor. It is wrong, or it is read anew. */
static void ui_edit(struct ui *u)
{
    struct ui_intent i = u->world.edit;
    autostrv char **args = strv_split(i.text, (const char[]){UI_ARG_END, '\0'});
    autofree char *said = NULL;
    struct error e;
    u->world.edit = (struct ui_intent){0};
    paint_lend();
    ui_stop_signal(SIG_UNBLOCK); /* ctrl-Z stops the editor and us, or the shell would wait */
    int status = u->world.host->foreground((const char *const *)args, &said, &e);
    ui_stop_signal(SIG_BLOCK);
    u->lent = true;
    ui_signal(u); /* its ctrl-C reached us, too */
    u->lent = false;
    paint_take_back();
    paint_mouse(!u->model.mouse_free);
    ui_resize(u);
    u->model.dirty = u->repaint = true;
    world_profiles(&u->world);
    for (size_t k = 0; i.id && k < u->model.profiles_count; k++)
        if (str_equal(u->model.profiles[k].name, i.id))
            u->model.profile = k;
    if (status < 0)
        ui_model_message(&u->model, true, e.text);
    else if (status && i.id)
        ui_model_text(&u->model, "that cannot be read", said);
    else if (status)
        ui_model_message(&u->model, true, str_trim(said));
    else if (i.id)
        ui_intend(&u->model, UI_INTENT_EXPLAIN, NULL, i.id, strlen(i.id));
    ui_intent_done(&i);
}

static void ui_round(struct ui *u)
{
    struct pollfd *watched;
    size_t count = world_watch(&u->world, &watched);
    autofree struct pollfd *fds = mem_grow(watched, count + 2, sizeof(*fds));
    fds[count] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    fds[count + 1] = (struct pollfd){.fd = u->signals, .events = POLLIN};
    int n = poll(fds, count + 2, ui_timeout(u));
    if (n < 0 && errno != EINTR) {
        u->status = 125;
        u->world.quit = true;
        return;
    }
    if (n == 0 && u->typed_used)
        ui_take(u, true);
    if (n > 0 && fds[count + 1].revents)
        ui_signal(u);
    if (n > 0 && fds[count].revents) {
        ui_typed(u); /* what was typed is seen before anything else is read */
        world_carry_out(&u->world);
        ui_frame(u);
    }
    if (n > 0)
        world_dispatch(&u->world, fds, count);
    if (u->world.look_soon)
        u->tick_at = MIN(u->tick_at, loop_now_ms() + SOON_MS);
    u->world.look_soon = false;
    if (loop_now_ms() >= u->tick_at) {
        u->tick_at = loop_now_ms() + TICK_MS;
        world_tick(&u->world);
    }
    world_carry_out(&u->world);
    if (u->world.edit.text)
        ui_edit(u);
}

/* Files that answer at once are in the first frame; it does not wait for others. */
static void ui_first_look(struct ui *u)
{
    struct pollfd p = {.fd = u->world.scout.fd, .events = POLLIN};
    if (poll(&p, 1, FIRST_MS) > 0)
        world_news(&u->world);
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

static int ui_run(const struct ui_host *host)
{
    struct ui *u = NEW(struct ui);
    struct error e;
    sigset_t old;
    int rows, cols;
    u->signals = ui_take_signals(&old);
    if (paint_begin(&e) < 0) {
        fprintf(stderr, "cofferdam: %s\n", e.text);
        free(u);
        return 125;
    }
    paint_size(&rows, &cols);
    ui_model_init(&u->model, rows, cols, paint_utf8());
    ui_model_time(&u->model, world_now_ms());
    ui_settings_load(&u->model);
    if (world_init(&u->world, host, &u->model, &e) < 0) {
        paint_end();
        fprintf(stderr, "cofferdam: %s\n", e.text);
        u->status = 125;
    } else {
        u->model.tour = world_first_time(&u->world) ? 1 : 0;
        ui_first_look(u);
        u->tick_at = loop_now_ms() + TICK_MS;
        while (!u->world.quit) {
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
