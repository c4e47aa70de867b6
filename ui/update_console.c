/* The console pane: opened, typed into, left and closed. */
#include "ui/update_inner.h"

void update_console_close(struct ui_model *m)
{
    ui_intend(m, UI_INTENT_CLOSE, m->console.id, NULL, 0);
    free(m->console.id);
    free(m->console.name);
    free(m->console.how);
    cells_done(&m->console.cells);
    m->console = (struct ui_console){0};
    m->focus = UI_FOCUS_LIST;
}

static void console_take(struct ui_model *m, const char *id, const char *name, bool terminal)
{
    m->console.number = 0;
    m->console.id = str_dup(id);
    m->console.name = str_escape_z(name);
    m->console.may_type = true;
    m->console.streams = !terminal;
    ui_model_keys(m, NULL);
}

void update_console_open(struct ui_model *m, const struct ui_row *r)
{
    m->page = UI_PAGE_LIST;
    if (!str_equal(m->console.id, r->id) || m->console.ended ||
        m->console.number) { /* ended: it was started again */
        if (m->console.id)
            update_console_close(m);
        console_take(m, r->id, r->name, r->terminal);
        ui_intend(m, UI_INTENT_OPEN, r->id, NULL, 0);
    }
    m->focus = r->terminal ? UI_FOCUS_CONSOLE : UI_FOCUS_LIST;
}

/* Keys go to the list again, which is then to be seen. */
static void console_leave(struct ui_model *m)
{
    m->focus = UI_FOCUS_LIST;
    if (!m->console.zoomed)
        return;
    m->console.zoomed = false;
    if (!m->console.ended)
        ui_intend(m, UI_INTENT_RESIZE, m->console.id, NULL, 0);
}

/* The key behind the first one of the chord. */
static void console_chord(struct ui_model *m, char key)
{
    const struct attach_chord *chord = &m->console.keys;
    const char both[] = {chord->first, key};
    m->console.chord = false;
    if (key == chord->second) {
        console_leave(m);
        return;
    }
    if (key == chord->first || !chord->more) {
        ui_intend(m, UI_INTENT_INPUT, m->console.id, both, key == chord->first ? 1 : 2);
        return;
    }
    switch (key) {
    case 't':
        ui_intend(m, UI_INTENT_TAKE_OVER, m->console.id, NULL, 0);
        break;
    case 'z':
        m->console.zoomed = !m->console.zoomed;
        ui_intend(m, UI_INTENT_RESIZE, m->console.id, NULL, 0);
        break;
    case 'x':
        update_console_close(m);
        break;
    default: /* Tab, Esc and anything else: back to the list */
        console_leave(m);
        break;
    }
}

/* A terminal in its usual mode sends ESC [ A; a program that asked for application keys wants ESC O
 * A. */
static void console_type(struct ui_model *m, const char *data, size_t size)
{
    autobuf to = {0};
    for (size_t i = 0; i < size; i++) {
        bool cursor = m->console.cells.modes.app_cursor && i >= 2 && data[i - 2] == 0x1b &&
                      data[i - 1] == '[' && strchr("ABCDHF", data[i]);
        if (cursor)
            to.data[to.used - 1] = 'O';
        buf_putc(&to, data[i]);
    }
    ui_intend(m, UI_INTENT_INPUT, m->console.id, to.data, to.used);
}

static void console_refuse(struct ui_model *m)
{
    autofree char *prefix = ui_console_prefix(&m->console);
    autofree char *leave = attach_chord_name(&m->console.keys);
    autofree char *text =
        m->console.ended       ? str_format("it has ended; %s leads back to the list", leave)
        : m->console.keys.more ? str_format("somebody else types; %s t takes over", prefix)
                               : str_dup("somebody else types");
    ui_model_message(m, false, text);
}

/* Bytes up to the chord's first key go to the workload as they are. */
size_t update_console_input(struct ui_model *m, const char *data, size_t size)
{
    if (m->console.chord) {
        console_chord(m, data[0]);
        m->dirty = true;
        return 1;
    }
    const char *chord = memchr(data, m->console.keys.first, size);
    size_t plain = chord ? (size_t)(chord - data) : size;
    if (plain) {
        if (m->console.ended || !m->console.may_type)
            console_refuse(m);
        else
            console_type(m, data, plain);
        return plain;
    }
    if (m->console.keys.second)
        m->console.chord = true;
    else
        console_leave(m);
    m->dirty = true;
    return 1;
}

void ui_update_shell(struct ui_model *m, const char *id, uint32_t number)
{
    const struct ui_row *r = ui_model_row(m, id);
    if (m->console.id)
        update_console_close(m);
    autofree char *name = str_format("%s: a shell in it", r ? r->name : id);
    console_take(m, id, name, true);
    m->console.number = number;
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
    s->network = 0;
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
    if (m->console.id)
        update_console_close(m);
    console_take(m, id, name, true);
    m->page = UI_PAGE_LIST;
    m->focus = UI_FOCUS_CONSOLE;
    update_line_set(&m->filter, "");
    ui_model_arrange(m);
    if (ui_model_row(m, id)) {
        free(m->selected);
        m->selected = str_dup(id);
    }
    ui_intend(m, UI_INTENT_RESIZE, id, NULL, 0);
    ui_model_no_message(m);
    m->dirty = true;
}

void ui_update_ended(struct ui_model *m, const char *how)
{
    free(m->console.how);
    m->console.how = str_escape_z(how);
    m->console.ended = true;
    m->console.chord = false;
    console_leave(m);
    m->dirty = true;
    if (m->page != UI_PAGE_LIST) {
        autofree char *text = str_format("%s %s", m->console.name, how);
        ui_model_message(m, false, text);
    }
}
