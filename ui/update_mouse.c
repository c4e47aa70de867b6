/* The mouse, everywhere: it chooses, scrolls and selects; in a pane whose workload wants it, it is
 * the workload's. */
#include "ui/hints.h"
#include "ui/update_inner.h"

#include <stdio.h>

enum { LEFT = 0, RIGHT = 2, WHEEL_UP = 64, WHEEL_DOWN = 65, STEP = 3 };

/* The pane at this place, its name's line included; UI_PANES: none. */
static size_t pane_at(const struct ui_model *m, const struct ui_mouse *at, struct ui_rect *ret)
{
    struct ui_rect r[UI_PANES];
    ui_model_tiles(m, r);
    for (size_t i = 0; i < m->panes_count; i++)
        if (r[i].rows > 0 && at->row >= r[i].row - 1 && at->row < r[i].row + r[i].rows &&
            at->col >= r[i].col && at->col < r[i].col + r[i].cols) {
            *ret = r[i];
            return i;
        }
    return UI_PANES;
}

/* As if the pane were the whole terminal. True: it is none of ours. */
static bool give_to_workload(struct ui_model *m, const struct ui_mouse *at, const struct ui_rect *r)
{
    const struct ui_console *c = ui_pane(m);
    uint8_t wants = c->cells.modes.mouse;
    char text[64];
    if (!wants || c->copy || c->ended || !c->may_type || at->row < r->row)
        return false;
    if (at->moved && wants == 1)
        return true;
    int n = snprintf(text, sizeof(text), "\033[<%d;%d;%d%c", at->raw, at->col - r->col + 1,
                     at->row - r->row + 1, at->pressed ? 'M' : 'm');
    ui_intend_console(m, UI_INTENT_INPUT, c, text, (size_t)n);
    return true;
}

static void wheel(struct ui_model *m, const struct ui_rect *r, bool up)
{
    struct ui_console *c = ui_pane(m);
    if (!c->copy && c->cells.modes.alternate && !c->ended) { /* it scrolls by itself */
        for (int i = 0; i < STEP && c->may_type; i++)
            ui_intend_console(m, UI_INTENT_INPUT, c,
                              c->cells.modes.app_cursor ? up ? "\033OA" : "\033OB"
                              : up                      ? "\033[A"
                                                        : "\033[B",
                              3);
        return;
    }
    if (!c->copy && !up)
        return;
    if (!c->copy)
        update_copy_begin(m);
    if (!c->copy)
        return;
    struct ui_copy *k = c->copy;
    long top = MAX((long)k->top + (up ? -STEP : STEP), 0L);
    if (!up && !k->selecting && ui_copy_bottom(k, r->rows)) {
        update_copy_end(m);
        return;
    }
    ui_copy_to(k, up ? (size_t)top : (size_t)top + (size_t)r->rows - 1, k->col, r->rows);
}

/* From where it was pressed to where it is. */
static void drag(struct ui_model *m, const struct ui_mouse *at, const struct ui_rect *r)
{
    struct ui_console *c = ui_pane(m);
    if (!c->copy)
        update_copy_begin(m);
    struct ui_copy *k = c->copy;
    if (!k)
        return;
    if (!k->selecting) {
        k->anchor_row = k->top + (size_t)MAX(m->pressed_row - r->row, 0);
        k->anchor_col = MAX(m->pressed_col - r->col, 0);
        k->selecting = true;
        k->whole = false;
        m->dragged = true;
    }
    ui_copy_to(k, k->top + (size_t)MAX(at->row - r->row, 0), MIN(at->col - r->col, r->cols - 1),
               r->rows);
}

/* False: it is over the list. */
static bool panes_mouse(struct ui_model *m, const struct ui_mouse *at)
{
    struct ui_rect r;
    size_t nth = pane_at(m, at, &r);
    if (nth == UI_PANES)
        return false;
    if (at->pressed && !at->moved && nth != m->pane)
        update_console_choose(m, nth);
    if (nth != m->pane || give_to_workload(m, at, &r))
        return true;
    if (at->pressed && !at->moved && (at->button == WHEEL_UP || at->button == WHEEL_DOWN)) {
        wheel(m, &r, at->button == WHEEL_UP);
    } else if (at->button == LEFT && at->moved) {
        drag(m, at, &r);
    } else if (at->button == LEFT && at->pressed) {
        update_console_choose(m, nth);
        m->pressed_row = at->row;
        m->pressed_col = at->col;
        m->dragged = false;
        if (ui_pane(m)->copy)
            ui_pane(m)->copy->selecting = false;
    } else if (at->button == LEFT && m->dragged && ui_pane(m)->copy) {
        m->dragged = false;
        update_copy_take(m);
    }
    return true;
}

/* The bottom line: what it names is done; true: it was for it. */
static bool hints_mouse(struct ui_model *m, const struct ui_mouse *at)
{
    bool console = m->focus == UI_FOCUS_CONSOLE && m->dialog == UI_DIALOG_NONE;
    if (at->row != m->rows - 1)
        return false;
    if (ui_filter_seen(m))
        m->dialog = UI_DIALOG_FILTER; /* to be changed */
    uint32_t key = m->dialog == UI_DIALOG_CONFIRM ? ui_answer_at(m, at->col)
                   : ui_hints_seen(m)             ? ui_hint_at(m, at->col)
                                                  : UI_KEY_NONE;
    if (key == UI_KEY_NONE)
        return true;
    if (console && !ui_pane(m)->copy) {
        const char chord[] = {ui_pane(m)->keys.first, (char)key};
        update_console_input(m, &chord[0], 1);
        update_console_input(m, &chord[1], 1);
    } else if (console) {
        update_copy_key(m, key);
    } else {
        ui_update_key(m, key);
    }
    return true;
}

/* A line of the sheet is chosen; once it is, a click turns it, on the dial to where it was. */
static void sheet_mouse(struct ui_model *m, const struct ui_mouse *at)
{
    int field = at->row - 2 + ui_sheet_scroll(m), rows = ui_sheet_rows(m);
    int path = at->row - 2 - rows;
    if (path >= 0 && path < ui_sheet_paths(m))
        update_sheet_take(m, (size_t)path);
    if (at->row < 2 || at->row - 2 >= rows || field >= UI_FIELD_COUNT)
        return;
    bool again = m->sheet.field == (enum ui_field)field;
    update_sheet_choose(m, (enum ui_field)field);
    int chosen = ui_sheet_stop(&m->sheet,
                               m->profile < m->profiles_count ? m->profiles[m->profile].name : "");
    int stop = field == UI_FIELD_DIAL ? ui_sheet_stop_at(&m->sheet, chosen, m->cols, at->col) : -1;
    if (stop >= 0)
        ui_update_key(m, (uint32_t)('1' + stop));
    else if (again && !ui_field_is_typed(m->sheet.field) && field != UI_FIELD_DIAL)
        ui_update_key(m, UI_KEY_RIGHT);
}

static void profiles_mouse(struct ui_model *m, const struct ui_mouse *at)
{
    struct ui_rect list, pane;
    ui_model_layout(m, &list, &pane);
    size_t rows = ui_profiles_rows(m, &list), row = (size_t)MAX(at->row - list.row, 0);
    size_t from = m->profile >= rows ? m->profile - rows + 1 : 0;
    if (at->row < list.row || row >= rows || from + row >= m->profiles_count)
        return;
    if (from + row == m->profile)
        ui_update_key(m, UI_KEY_ENTER);
    else
        update_profile_move(m, (int)(from + row) - (int)m->profile);
}

void update_mouse(struct ui_model *m, const struct ui_mouse *at)
{
    bool list = m->dialog == UI_DIALOG_NONE && m->page == UI_PAGE_LIST;
    m->dirty |= !at->moved;
    if (ui_model_too_small(m)) /* nothing of all that is seen */
        return;
    if (at->pressed && !at->moved)
        m->pressed_left = at->col < m->cols / 2;
    if (at->pressed && !at->moved && at->button == LEFT && hints_mouse(m, at)) {
        m->dirty = true;
        return;
    }
    if (list && m->panes_count && panes_mouse(m, at)) {
        m->dirty = true;
        return;
    }
    if (!at->pressed || at->moved)
        return;
    if (at->button == LEFT && update_command_mouse(m, at))
        return;
    if (at->button == LEFT && update_tasks_mouse(m, at))
        return;
    if (at->button == LEFT && m->dialog == UI_DIALOG_NONE && update_details_mouse(m, at))
        return;
    if (list && at->button == LEFT && update_tour_mouse(m, at))
        return;
    if (at->button == WHEEL_UP || at->button == WHEEL_DOWN) {
        if (list)
            m->focus = UI_FOCUS_LIST;
        for (int i = 0; i < STEP; i++)
            ui_update_key(m, at->button == WHEEL_UP ? UI_KEY_UP : UI_KEY_DOWN);
    } else if (at->button == RIGHT) { /* one step out */
        if (list && m->focus == UI_FOCUS_CONSOLE)
            m->focus = UI_FOCUS_LIST;
        else
            ui_update_key(m, UI_KEY_ESC);
    } else if (m->dialog == UI_DIALOG_LAUNCH && at->button == LEFT) {
        sheet_mouse(m, at);
    } else if (list && at->button == LEFT) {
        update_list_mouse(m, at);
    } else if (m->dialog == UI_DIALOG_NONE && m->page == UI_PAGE_IMAGES && at->button == LEFT) {
        update_images_mouse(m, at);
    } else if (m->dialog == UI_DIALOG_NONE && m->page == UI_PAGE_PROFILES && at->button == LEFT) {
        profiles_mouse(m, at);
    }
}
