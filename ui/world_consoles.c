/* Consoles in panes: shown, hidden, typed into, sized; and what is asked of a workload's monitor.
 */
#include "ui/world.h"

/* The link to a workload, or a message why there is none. */
static struct world_link *link_or_message(struct world *w, const char *id)
{
    struct error e;
    struct world_link *l = world_link_want(w, id, &e);
    if (!l)
        ui_model_message(w->model, true, e.text);
    else
        l->eager = true; /* somebody waits for what comes of it */
    return l;
}

static void console_show(struct world *w, const char *id)
{
    struct ui_rect r[UI_PANES];
    struct world_link *l = link_or_message(w, id);
    struct ui_console *c = ui_pane_of(w->model, id, 0);
    if (!l || !c)
        return;
    world_keys(w, id);
    ui_model_tiles(w->model, r);
    const struct ui_rect *at = &r[c - w->model->panes];
    c->rows = MAX(at->rows, 1);
    c->cols = MAX(at->cols, 1);
    if (c->streams) {
        client_ask_log(l->client, CLIENT_LOG_MAIN, true, 0);
        client_wait(l->client); /* tells how it ended */
        l->follows = true;
        return;
    }
    client_attach(l->client, 0, false, (uint16_t)c->rows, (uint16_t)c->cols);
    l->behind = false;
}

/* So much in a round, and keys are looked for again. */
void world_consoles_output(struct world *w)
{
    enum { OUTPUT_ROUND = 64 << 10 };
    w->output_waits = false;
    for (size_t i = 0; i < w->links_count; i++) {
        struct world_link *l = w->links[i];
        struct ui_console *c = l->wrote.used ? ui_pane_of(w->model, l->id, 0) : NULL;
        size_t size = c ? MIN(l->wrote.used, (size_t)OUTPUT_ROUND) : l->wrote.used;
        if (c && c->streams)
            ui_model_output(w->model, c, l->wrote.data, size);
        buf_drop(&l->wrote, size);
        w->output_waits |= l->wrote.used > 0;
    }
}

/* Each console is as large as its pane is now: told when that has changed. */
void world_consoles_size(struct world *w)
{
    struct ui_model *m = w->model;
    struct ui_rect r[UI_PANES];
    ui_model_tiles(m, r);
    for (size_t i = 0; i < m->panes_count; i++) {
        struct ui_console *c = &m->panes[i];
        struct world_link *l;
        if (c->streams && r[i].rows > 0 && r[i].cols > 0 &&
            (c->output_new || c->cells.rows != r[i].rows || c->cells.cols != r[i].cols))
            ui_output_show(m, c, r[i].rows, r[i].cols);
        if (c->ended || c->streams || r[i].rows <= 0 || r[i].cols <= 0 ||
            (c->rows == r[i].rows && c->cols == r[i].cols) || !(l = world_link_find(w, c->id)))
            continue;
        c->rows = r[i].rows;
        c->cols = r[i].cols;
        client_resize(l->client, c->number, (uint16_t)c->rows, (uint16_t)c->cols);
    }
}

/* Another console in it, with a shell; started() shows it. */
static void shell_open(struct world *w, const char *id)
{
    static const char *const argv[] = {"/bin/sh", NULL};
    struct ui_rect pane;
    struct world_link *l = link_or_message(w, id);
    if (!l)
        return;
    l->awaits = true;
    ui_model_pane(w->model, true, &pane);
    struct client_exec x = {.argv = argv,
                            .terminal = true,
                            .rows = (uint16_t)MAX(pane.rows, 1),
                            .cols = (uint16_t)MAX(pane.cols, 1)};
    client_exec(l->client, &x);
}

/* --- to all that are marked --- */

static void input_all(struct world *w, const struct ui_intent *i)
{
    struct ui_model *m = w->model;
    const struct ui_console *from = ui_pane(m);
    for (size_t k = 0; k < m->count; k++) {
        const struct ui_row *r = &m->list[k];
        if (!r->marked || !r->terminal || !state_phase_lives(r->phase) ||
            (str_equal(r->id, from->id) && !from->number))
            continue;
        struct world_link *l = link_or_message(w, r->id);
        if (!l)
            continue;
        if (!l->behind && !ui_pane_of(m, r->id, 0)) {
            l->behind = true; /* typed into without being seen */
            client_attach(l->client, 0, false, (uint16_t)MAX(from->rows, 1),
                          (uint16_t)MAX(from->cols, 1));
        }
        client_input(l->client, 0, i->text, i->size);
    }
}

void world_consoles_behind(struct world *w)
{
    for (size_t i = 0; !w->model->to_all && i < w->links_count; i++)
        if (w->links[i]->behind && !w->links[i]->closed) {
            w->links[i]->behind = false;
            client_detach(w->links[i]->client, 0);
        }
}

/* --- looking back --- */

static void history_ask(struct world *w, const struct ui_intent *i)
{
    struct world_link *l = world_link_find(w, i->id);
    struct ui_console *c = ui_pane_of(w->model, i->id, i->console);
    if (l)
        client_history(l->client, i->console, i->first, (uint32_t)i->size);
    else if (c) /* it is over: what is on its screen is all */
        ui_model_history(w->model, c, 0, NULL, NULL, 0);
}

/* --- intents --- */

/* Requests to a monitor that are answered with done(). */
static void ask_monitor(struct world *w, const struct ui_intent *i)
{
    struct world_link *l = link_or_message(w, i->id);
    if (!l)
        return;
    l->awaits = true;
    if (i->kind == UI_INTENT_STOP)
        client_stop(l->client, -1);
    else if (i->kind == UI_INTENT_KILL)
        client_kill(l->client);
    else
        client_pause(l->client, i->kind == UI_INTENT_PAUSE);
}

static void to_console(struct world *w, const struct ui_intent *i)
{
    struct world_link *l = world_link_find(w, i->id);
    if (!l)
        return;
    if (i->kind == UI_INTENT_INPUT)
        client_input(l->client, i->console, i->text, i->size);
    else if (i->kind == UI_INTENT_TAKE_OVER)
        client_take_over(l->client, i->console);
    else if (!i->console && l->follows)
        client_ask_log(l->client, CLIENT_LOG_MAIN, l->follows = false,
                       INT64_MAX); /* no more of it */
    else
        client_detach(l->client, i->console);
}

bool world_consoles_carry_out(struct world *w, const struct ui_intent *i)
{
    switch ((int)i->kind) {
    case UI_INTENT_OPEN:
        console_show(w, i->id);
        return true;
    case UI_INTENT_CLOSE:
    case UI_INTENT_INPUT:
    case UI_INTENT_TAKE_OVER:
        to_console(w, i);
        return true;
    case UI_INTENT_INPUT_ALL:
        input_all(w, i);
        return true;
    case UI_INTENT_HISTORY:
        history_ask(w, i);
        return true;
    case UI_INTENT_COPIED:
        free(w->copied);
        w->copied = str_dup(i->text);
        return true;
    case UI_INTENT_SHELL:
        shell_open(w, i->id);
        return true;
    case UI_INTENT_STOP:
    case UI_INTENT_KILL:
    case UI_INTENT_PAUSE:
    case UI_INTENT_RESUME:
        ask_monitor(w, i);
        return true;
    }
    return false;
}
