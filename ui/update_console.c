/* Consoles in panes: opened, typed into, left and closed. */
#include "ui/update_inner.h"

/* --- panes --- */

void update_console_close(struct ui_model *m)
{
    if (!m->panes_count)
        return;
    ui_intend_console(m, UI_INTENT_CLOSE, ui_pane(m), NULL, 0);
    ui_pane_done(ui_pane(m));
    m->panes_count--;
    for (size_t i = m->pane; i < m->panes_count; i++)
        m->panes[i] = m->panes[i + 1];
    m->panes[m->panes_count] = (struct ui_console){0};
    m->pane = MIN(m->pane, m->panes_count ? m->panes_count - 1 : 0);
    m->zoomed = m->to_all = false;
    m->focus = UI_FOCUS_LIST;
}

/* A pane of its own beside those there are, or else in the place of the chosen one. */
static void console_take(struct ui_model *m, const char *id, const char *name, bool beside)
{
    if (m->panes_count && !(beside && ui_model_has_room(m))) {
        ui_intend_console(m, UI_INTENT_CLOSE, ui_pane(m), NULL, 0);
        ui_pane_done(ui_pane(m));
    } else {
        m->pane = m->panes_count++;
        m->zoomed = false;
    }
    struct ui_console *c = ui_pane(m);
    c->id = str_dup(id);
    c->name = str_escape_z(name);
    c->may_type = true;
    ui_model_keys(m, id, NULL);
}

static void console_focus(struct ui_model *m)
{
    const struct ui_console *c = ui_pane(m);
    bool typed = c->id && (c->copy || (!c->streams && !c->ended));
    m->focus = typed ? UI_FOCUS_CONSOLE : UI_FOCUS_LIST;
}

void update_console_choose(struct ui_model *m, size_t pane)
{
    m->pane = pane < m->panes_count ? pane : 0;
    console_focus(m);
}

void update_console_open(struct ui_model *m, const struct ui_row *r, bool beside)
{
    m->page = UI_PAGE_LIST;
    if (r->foreign) { /* its console is held only while somebody is at it */
        autofree char *args = str_format("attach%c%s", UI_ARG_END, r->id);
        ui_intend(m, UI_INTENT_EDIT, NULL, args, strlen(args));
        return;
    }
    struct ui_console *c = ui_pane_of(m, r->id, 0);
    if (c)
        m->pane = (size_t)(c - m->panes);
    if (!c || c->ended) { /* ended: it was started again */
        if (beside && !c && !ui_model_has_room(m))
            ui_model_message(m, false, "there is no room for one more: it took the chosen one's");
        console_take(m, r->id, r->name, beside && !c);
        ui_pane(m)->streams = !r->terminal;
        ui_intend(m, UI_INTENT_OPEN, r->id, NULL, 0);
    }
    console_focus(m);
}

/* Keys go to the list again, which is then to be seen. */
static void console_leave(struct ui_model *m)
{
    m->focus = UI_FOCUS_LIST;
    m->zoomed = false;
}

static void console_paste(struct ui_model *m)
{
    const struct ui_console *c = ui_pane(m);
    bool marked = c->cells.modes.bracketed_paste;
    autobuf b = {0};
    if (!m->copied || !c->may_type) {
        ui_model_message(m, false, m->copied ? "somebody else types" : "nothing was copied yet");
        return;
    }
    buf_puts(&b, marked ? "\033[200~" : "");
    for (const char *at = m->copied; *at; at++)
        buf_putc(&b, *at == '\n' ? '\r' : *at);
    buf_puts(&b, marked ? "\033[201~" : "");
    ui_intend_console(m, UI_INTENT_INPUT, c, b.data, b.used);
}

static void console_to_all(struct ui_model *m)
{
    m->to_all = !m->to_all && ui_model_marked(m);
    autofree char *text =
        m->to_all ? str_format("what you type goes to the %zu marked as well", ui_model_marked(m))
                  : str_dup(ui_model_marked(m) ? "what you type goes to this one alone"
                                               : "nothing is marked: mark in the list, by Space");
    ui_model_message(m, false, text);
}

/* What the key behind the first one of the chord does; false: it is none of them. */
static bool console_does(struct ui_model *m, uint32_t key)
{
    switch (key) {
    case 't':
        ui_intend_console(m, UI_INTENT_TAKE_OVER, ui_pane(m), NULL, 0);
        return true;
    case 'z':
        m->zoomed = !m->zoomed;
        return true;
    case 'x':
        update_console_close(m);
        return true;
    case 'o':
        update_console_choose(m, m->pane + 1);
        return true;
    case '|':
    case '-':
        m->tiling = key == '|' ? UI_TILING_BESIDE : UI_TILING_BELOW;
        m->zoomed = false;
        return true;
    case '[':
        update_copy_begin(m);
        return true;
    case 'p':
        console_paste(m);
        return true;
    case 'b':
        console_to_all(m);
        return true;
    case 'e':
        ui_intend(m, UI_INTENT_SHELL, ui_pane(m)->id, NULL, 0);
        return true;
    case '?':
        console_leave(m);
        update_help(m, UI_IN_CONSOLE);
        return true;
    }
    return false;
}

/* The key behind the first one of the chord. */
static void console_chord(struct ui_model *m, char key)
{
    const struct attach_chord *chord = &ui_pane(m)->keys;
    const char both[] = {chord->first, key};
    ui_pane(m)->chord = false;
    if (key == chord->second)
        console_leave(m);
    else if (key == chord->first || !chord->more)
        ui_intend_console(m, UI_INTENT_INPUT, ui_pane(m), both, key == chord->first ? 1 : 2);
    else if (!console_does(m, ui_bindings_meant(&m->bindings, UI_IN_CONSOLE, (unsigned char)key)))
        console_leave(m); /* Tab, Esc and anything else: back to the list */
}

/* A terminal in its usual mode sends ESC [ A; a program that asked for application keys wants ESC O
 * A. */
static void console_type(struct ui_model *m, const char *data, size_t size)
{
    autobuf to = {0};
    for (size_t i = 0; i < size; i++) {
        bool cursor = ui_pane(m)->cells.modes.app_cursor && i >= 2 && data[i - 2] == 0x1b &&
                      data[i - 1] == '[' && strchr("ABCDHF", data[i]);
        if (cursor)
            to.data[to.used - 1] = 'O';
        buf_putc(&to, data[i]);
    }
    ui_intend_console(m, UI_INTENT_INPUT, ui_pane(m), to.data, to.used);
    if (m->to_all)
        ui_intend(m, UI_INTENT_INPUT_ALL, ui_pane(m)->id, to.data, to.used);
}

static void console_refuse(struct ui_model *m)
{
    autofree char *prefix = ui_console_prefix(ui_pane(m));
    autofree char *leave = attach_chord_name(&ui_pane(m)->keys);
    autofree char *text =
        ui_pane(m)->ended       ? str_format("it has ended; %s leads back to the list", leave)
        : ui_pane(m)->keys.more ? str_format("somebody else types; %s t takes over", prefix)
                                : str_dup("somebody else types");
    ui_model_message(m, false, text);
}

/* Bytes up to the chord's first key go to the workload as they are. */
size_t update_console_input(struct ui_model *m, const char *data, size_t size)
{
    if (ui_pane(m)->chord) {
        console_chord(m, data[0]);
        m->dirty = true;
        return 1;
    }
    const char *chord = memchr(data, ui_pane(m)->keys.first, size);
    size_t plain = chord ? (size_t)(chord - data) : size;
    if (plain) {
        if (ui_pane(m)->ended || !ui_pane(m)->may_type)
            console_refuse(m);
        else
            console_type(m, data, plain);
        return plain;
    }
    if (ui_pane(m)->keys.second)
        ui_pane(m)->chord = true;
    else
        console_leave(m);
    m->dirty = true;
    return 1;
}

void ui_update_shell(struct ui_model *m, const char *id, uint32_t number)
{
    const struct ui_row *r = ui_model_row(m, id);
    autofree char *name = str_format("%s: a shell in it", r ? r->name : id);
    console_take(m, id, name, true);
    ui_pane(m)->number = number;
    m->page = UI_PAGE_LIST;
    m->focus = UI_FOCUS_CONSOLE;
    m->dirty = true;
}

/* What was typed has been taken: the next one begins with an empty sheet. */
static void sheet_clear(struct ui_model *m)
{
    struct ui_sheet *s = &m->sheet;
    for (int i = 0; i < UI_FIELD_COUNT; i++)
        update_line_set(&s->lines[i], "");
    memset(s->choices, 0, sizeof(s->choices));
    s->chosen = false;
    ui_sheet_stops_done(s);
    for (size_t i = 0; i < m->profiles_count; i++)
        if (str_equal(m->profiles[i].name, PROFILE_OF_RUN))
            m->profile = i;
}

void ui_update_started(struct ui_model *m, const char *id, const char *name)
{
    if (m->dialog != UI_DIALOG_LAUNCH)
        sheet_clear(m);
    console_take(m, id, name, false);
    m->page = UI_PAGE_LIST;
    m->focus = UI_FOCUS_CONSOLE;
    update_line_set(&m->filter, "");
    ui_model_arrange(m);
    if (ui_model_row(m, id)) {
        free(m->selected);
        m->selected = str_dup(id);
    } else {
        free(m->wanted);
        m->wanted = str_dup(id);
    }
    ui_model_no_message(m);
    m->dirty = true;
}

void ui_update_ended(struct ui_model *m, struct ui_console *c, const char *how)
{
    free(c->how);
    c->how = str_escape_z(how);
    c->ended = true;
    c->chord = false;
    if (c == ui_pane(m) && !c->copy)
        console_leave(m);
    m->dirty = true;
    if (m->page != UI_PAGE_LIST) {
        autofree char *text = str_format("%s %s", c->name, how);
        ui_model_message(m, false, text);
    }
}
